"""Keeps tests on this machine: whatever dials or looks up anything else is stopped, and remembered."""

import sys
from ipaddress import IPv4Address, IPv6Address, ip_address

escapes: list[str] = []
"""What was tried nevertheless; a test that leaves something here has failed."""

_installed = False


class EscapeError(RuntimeError):
    """A test tried to reach something outside this machine."""


def install() -> None:
    """Judge every connection of this process from now on; an audit hook cannot be taken out again."""
    global _installed  # noqa: PLW0603  (there is one process)
    if not _installed:
        _installed = True
        sys.addaudithook(judge)


def judge(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse a connection or datagram to an address outside loopback, and the look-up of a foreign name."""
    match event, arguments:
        case (("socket.connect" | "socket.sendto"), (_, (host, *_))):  # a unix socket has a path, no tuple
            stays = is_loopback(str(host))
        case "socket.getaddrinfo", (str() | bytes() as host, *_):
            name = host if isinstance(host, str) else host.decode("latin-1")
            stays = name.lower().removesuffix(".") in {"", "localhost"} or address_of(name) is not None
        case _:
            return
    if not stays:
        escapes.append(f"{event} {host!r}")
        raise EscapeError(escapes[-1])


def is_loopback(host: str) -> bool:
    """Whether what is dialled is this machine."""
    address = address_of(host)
    mapped = getattr(address, "ipv4_mapped", None) or address
    return host.lower() == "localhost" or (mapped is not None and mapped.is_loopback)


def address_of(host: str) -> IPv4Address | IPv6Address | None:
    """The address, or None for a name, which somebody would have to be asked for."""
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return None
