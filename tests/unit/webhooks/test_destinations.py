"""Which URLs and addresses a webhook may be sent to. Nothing is dialled or looked up here."""

import asyncio
import string
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import destinations
from storage.errors import ValidationFailed


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "0.255.255.255", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254"),
        *("168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.0.192", "192.0.2.1"),
        *("192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9"),
        *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:a00:1", "::ffff:169.254.169.254"),
        *("64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "100:0:0:1::1", "2001::1", "2001:20::1", "2001:db8::1"),
        *("2002:7f00:1::", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1"),
        *("ff02::1", "ffff::1", "4000::1"),
        *("", "localhost", "127.1", "2130706433", "0x7f000001", "8.8.8.8:443", "[2606:4700::1]", "0177.0.0.1"),
    ],
)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not destinations.is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "128.0.0.1"),
        *(
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "192.167.0.1",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
        ),
        *("2001:200::1", "2003::1", "2606:4700::1111", "2a00:1450::1", "2a00:1450::1%eth0", "3ffe::1"),
        "::ffff:8.8.8.8",
    ],
)
def test_a_public_address_is_allowed(address: str) -> None:
    assert destinations.is_public(address)


@given(st.ip_addresses(v=4).map(IPv4Address))
def test_an_address_is_judged_alike_in_both_families(address: IPv4Address) -> None:
    assert destinations.is_public(f"::ffff:{address}") == destinations.is_public(str(address))


@given(st.ip_addresses())
def test_whatever_python_calls_private_is_refused(address: IPv4Address | IPv6Address) -> None:
    closed = address.is_private or address.is_multicast or address.is_link_local or address.is_reserved
    mapped = isinstance(address, IPv6Address) and address.ipv4_mapped
    assert mapped or not (closed and destinations.is_public(str(address)))


GOOD = [
    "https://hooks.example.com",
    "https://hooks.example.com/",
    "https://hooks.example.com:8443/a/b?c=d%2Fe&f=[g]#h",
    "HTTPS://Hooks.Example.COM/",
    "https://hooks.example.com./",
    "https://xn--bcher-kva.example/",
    "https://my_service.internal/",
    "https://localhost/",
    "https://1password.com/",
    "https://127.0.0.1.example.com/",
    f"https://{'a' * 63}.example/",
]

BAD = [
    ("http://hooks.example.com/", "url_scheme"),
    ("ftp://hooks.example.com/", "url_scheme"),
    ("hooks.example.com/hook", "url_scheme"),
    ("ws://hooks.example.com/", "url_scheme"),
    ("//hooks.example.com/", "url_scheme"),
    ("https:hooks.example.com", "url_host"),
    ("https:///hook", "url_host"),
    ("https://", "url_host"),
    ("https://:443/", "url_host"),
    ("hooks", "url_scheme"),
    ("", "url_host"),
    ("file:///etc/passwd", "url_scheme"),
    ("https://user@hooks.example.com/", "url_host"),
    ("https://user:password@hooks.example.com/", "url_host"),
    ("https://@hooks.example.com/", "url_host"),
    ("https://hooks.example.com:0/", "url_host"),
    ("https://hooks.example.com:65536/", "url_host"),
    ("https://hooks.example.com:x/", "url_host"),
    ("https://hooks.example.com/a b", "url_host"),
    (" https://hooks.example.com/", "url_host"),
    ("https://hooks.example.com/\n", "url_host"),
    ("https://hooks.exam\tple.com/", "url_host"),
    ("https://hooks.example.com\\@evil.example/", "url_host"),
    ("https://hooks.example.com/%zz", "url_host"),
    ("https://hooks%2eexample.com/", "url_host"),
    ("https://bücher.example/", "url_host"),
    ("https://hooks.example.com/\N{SNOWMAN}", "url_host"),
    ("https://ⓔxample.com/", "url_host"),
    ("https://hooks..example.com/", "url_host"),
    ("https://-hooks.example.com/", "url_host"),
    ("https://hooks-.example.com/", "url_host"),
    ("https://hooks.-com/", "url_host"),
    ("https://hooks.com-/", "url_host"),
    (f"https://{'a' * 64}.example/", "url_host"),
    (f"https://{'a.' * 127}example/", "url_host"),
]

ADDRESSES = [
    *("127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "0", "2130706433", "0x7f000001", "0X7F.1", "0x", "0177.0.0.1"),
    *("8.8.8.8", "134744072", "010.8.8.8", "1.2.3.4.5", "256.256.256.256", "example.123", "example.0x1f"),
    *("[::1]", "[::ffff:127.0.0.1]", "[2606:4700::1111]", "[fe80::1%25eth0]", "[fe80::1%eth0]", "[v1.a]", "[", "[::1"),
]


@pytest.mark.parametrize("url", GOOD)
def test_a_plain_https_url_with_a_host_name_is_allowed(url: str) -> None:
    destinations.check_url(url, allow_private=False)


@pytest.mark.parametrize(("url", "rule"), [*BAD, *((f"https://{host}/", "url_host") for host in ADDRESSES)])
def test_another_url_is_refused_with_its_rule(url: str, rule: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        destinations.check_url(url, allow_private=False)
    assert (refused.value.rule, refused.value.path) == (rule, ("input", "url"))


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/", "http://[::1]:8000/", "http://localhost", "http://hooks.test/"]
)
def test_for_development_http_and_addresses_are_allowed(url: str) -> None:
    destinations.check_url(url, allow_private=True)


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/", "http://127.1/", "http://a:b@127.0.0.1/", "http://", "http://a b/"]
)
def test_for_development_a_url_has_to_be_plain_all_the_same(url: str) -> None:
    with pytest.raises(ValidationFailed):
        destinations.check_url(url, allow_private=True)


@given(st.text(string.printable + "ßⓔ。０") | st.text(string.printable + "ßⓔ。０").map("https://{}/".format))
def test_any_text_is_judged(url: str) -> None:
    with suppress(ValidationFailed):
        destinations.check_url(url, allow_private=True)


class Names:
    """A resolver that knows these addresses and remembers what it was asked."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Iterable[str]:
        self.asked.append((host, port))
        return self._addresses


async def unknown(host: str, port: int) -> Iterable[str]:
    raise OSError("unknown name")


async def silent(host: str, port: int) -> Iterable[str]:
    await asyncio.Event().wait()
    return ()


async def test_a_name_with_public_addresses_only_is_allowed() -> None:
    names = Names("8.8.8.8", "2606:4700::1111")
    await destinations.check_destination("https://Hooks.example.com:8443/", allow_private=False, resolve=names)
    assert names.asked == [("hooks.example.com", 8443)]


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("8.8.8.8", "10.0.0.1"), ("2606:4700::1111", "fe80::1%eth0")])
async def test_a_name_with_any_private_address_is_refused(addresses: tuple[str, ...]) -> None:
    with pytest.raises(ValidationFailed) as refused:
        await destinations.check_destination("https://a.example/", allow_private=False, resolve=Names(*addresses))
    assert (refused.value.rule, refused.value.path) == ("url_private", ("input", "url"))


@pytest.mark.parametrize("resolve", [unknown, Names()])
async def test_a_name_that_does_not_resolve_is_refused(resolve: destinations.Resolve) -> None:
    with pytest.raises(ValidationFailed) as refused:
        await destinations.check_destination("https://a.example/", allow_private=False, resolve=resolve)
    assert refused.value.rule == "url_host"


async def test_a_name_server_that_says_nothing_is_not_waited_for() -> None:
    with pytest.raises(ValidationFailed) as refused:
        await destinations.check_destination("https://a.example/", allow_private=False, resolve=silent, within=0.01)
    assert refused.value.rule == "url_host"


async def test_a_url_that_is_refused_is_not_looked_up() -> None:
    names = Names("8.8.8.8")
    with pytest.raises(ValidationFailed):
        await destinations.check_destination("http://a.example/", allow_private=False, resolve=names)
    assert names.asked == []


async def test_for_development_nothing_is_looked_up() -> None:
    names = Names("127.0.0.1")
    await destinations.check_destination("http://a.example/", allow_private=True, resolve=names)
    assert names.asked == []


async def test_the_system_looks_up_this_machine() -> None:
    assert set(await destinations.look_up("localhost", 80)) <= {"127.0.0.1", "::1"}


async def test_a_look_up_waits_for_no_other_work_of_the_process() -> None:
    loop, over = asyncio.get_running_loop(), Event()
    works = [loop.run_in_executor(None, over.wait) for _ in range(64)]
    try:
        async with asyncio.timeout(10):
            assert await destinations.look_up("localhost", 80)
    finally:
        over.set()
        await asyncio.wait(works)
