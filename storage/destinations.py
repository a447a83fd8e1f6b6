"""Where a webhook may be sent: public addresses only, judged when its URL is saved and again when it is dialled."""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from storage.errors import ValidationFailed

Resolve = Callable[[str, int], Awaitable[Iterable[str]]]
"""Host name and port to addresses; raises OSError when there are none."""

RESOLVE_SECONDS = 5.0

LOOK_UPS = 256
"""At a time: one for each request of the dispatcher, for a name server that says nothing holds its thread for long."""

# Neither those of the loop, where look-ups would wait for the work of jobs, nor those of libuv, of which two look up.
_threads = ThreadPoolExecutor(LOOK_UPS, "look-up")

# From the IANA special-purpose registries. `ipaddress.is_global` is not enough: Python 3.11 takes NAT64, 6to4,
# IPv4-compatible, site-local and multicast addresses for global ones.
_CLOSED_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",  # a public address, but inside Azure it is the host's own agent
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_OPEN_V6 = IPv6Network("2000::/3")
_CLOSED_V6 = tuple(IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))

_URL = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


def is_public(address: str) -> bool:
    """Whether an address, as text, may be dialled; what is no address may not."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    match parsed:
        case IPv6Address(ipv4_mapped=IPv4Address() as mapped):
            return _is_open_v4(mapped)
        case IPv6Address():
            return parsed in _OPEN_V6 and not any(parsed in network for network in _CLOSED_V6)
        case IPv4Address():
            return _is_open_v4(parsed)


def is_address(host: str) -> bool:
    """Whether a host is an IP address in its usual notation, without a scope."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return "%" not in host


HERE = ("localhost", "127.0.0.1", "::1")
DEVELOPMENT = " A gateway for development calls this machine, too: start it with LECTERN_WEBHOOK_ALLOW_PRIVATE=1."


def check_url(url: str, *, allow_private: bool) -> None:
    """Refuse a URL by its text alone: rules url_scheme and url_host of ValidationFailed, at input.url."""
    parts = _split(url)
    host = parts.hostname or ""
    if parts.scheme != "https" and not (allow_private and parts.scheme == "http"):
        hint = DEVELOPMENT if host in HERE else ""
        raise _refused("url_scheme", f"The URL has to begin with https://.{hint}")
    named = "[" not in parts.netloc and _is_name(host)
    if "@" in parts.netloc or not (named or (allow_private and is_address(host))):
        raise _refused("url_host", "The URL needs a host name: no IP address, and no user before it.")


async def look_up(host: str, port: int) -> list[str]:
    """All addresses of a name, from the system's resolver; OSError when there are none."""
    ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_threads, ask)
    return [str(address[0]) for *_, address in found]


async def check_destination(
    url: str, *, allow_private: bool, resolve: Resolve = look_up, within: float = RESOLVE_SECONDS
) -> None:
    """Refuse a URL by its text or by what its name resolves to: in addition to `check_url` the rule url_private.

    Where private addresses are allowed nothing is looked up: the receiver may be made later than its endpoint.
    """
    check_url(url, allow_private=allow_private)
    if allow_private:
        return
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(within):
            addresses = list(await resolve(parts.hostname or "", parts.port or 443))
    except OSError:  # TimeoutError is one of them
        addresses = []
    if not addresses:
        raise _refused("url_host", "The host name of the URL does not resolve.")
    if not all(is_public(address) for address in addresses):
        raise _refused("url_private", "The host name of the URL resolves to an address that is not public.")


def _is_open_v4(address: IPv4Address) -> bool:
    return not any(address in network for network in _CLOSED_V4)


def _split(url: str) -> SplitResult:
    """The parts of a URL in ASCII, with a port that exists, if with one."""
    try:
        parts = urlsplit(url)
        sound = _URL.fullmatch(url) is not None and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise _refused("url_host", "This is no URL: other characters than ASCII and spaces have to be encoded.")
    return parts


def _is_name(host: str) -> bool:
    """A name whose last label is a number is an IPv4 address in one of its many notations (127.1, 0x7f000001)."""
    labels = host.removesuffix(".").split(".")
    return len(host) <= 253 and all(map(_LABEL.fullmatch, labels)) and not _NUMBER.fullmatch(labels[-1])


def _refused(rule: str, message: str) -> ValidationFailed:
    return ValidationFailed(rule, message, "input", "url")
