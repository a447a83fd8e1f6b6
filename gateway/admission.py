"""What a request takes before it runs, and from whose minute."""

from collections import Counter
from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address, ip_network

from graphql import FieldNode
from graphql.utilities import value_from_ast_untyped
from starlette.requests import HTTPConnection

from gateway.limits import MINUTE, Limiter, RateLimited
from gateway.operations import Asked, Prepared
from schema.context import Budget, Principal
from storage.sealing import hashed
from storage.tables import OAuthClient

ANYBODY_PER_MINUTE = 600
"""Root fields that an address without a credential may ask for: what a session may."""


class Admission:
    """Takes root fields from the minute of their credential, else of their address, and attempts from the latter."""

    def __init__(self, limiter: Limiter, attempts_per_minute: int) -> None:
        self.limiter = limiter
        self.attempts_per_minute = attempts_per_minute

    async def __call__(self, context: Asked, connection: HTTPConnection, prepared: Prepared) -> None:
        """RateLimited unless the operation can have all its units; then none of it has run."""
        for kind, attempts in _attempts(prepared).items():
            await self.of_address(kind, connection, attempts)
        cost = len(prepared.operation.root_fields)
        if context.principal is None:
            await self.limiter.take(f"anybody:{address(connection)}", ANYBODY_PER_MINUTE, cost)
        else:
            limit = context.principal.rate_limit_per_minute
            await self._of_credential(context.principal.id, limit, connection, cost)

    async def of_address(self, kind: str, connection: HTTPConnection, attempts: int = 1) -> None:
        """Take attempts of a kind from the minute of the caller's address."""
        await self.limiter.take(f"{kind}:{address(connection)}", self.attempts_per_minute, attempts)

    async def of_client(self, client: OAuthClient, connection: HTTPConnection) -> None:
        """Take a unit from the minute of a client that asks for a token."""
        await self._of_credential(client.id, client.rate_limit_per_minute, connection, 1)

    async def budget_of(self, principal: Principal) -> Budget:
        """What a credential has left."""
        limit = principal.rate_limit_per_minute
        return (await self.limiter.look(principal.id, limit)).budget(limit)

    async def _of_credential(self, id: str, limit: int, connection: HTTPConnection, cost: int) -> None:
        """Take units of a credential; the headers of the response say how many are left."""
        try:
            window = await self.limiter.take(id, limit, cost)
        except RateLimited as limited:
            connection.state.headers = headers(limit, limited.window.left(limit), limited.window.resets_in())
            raise
        connection.state.headers = headers(limit, window.left(limit), window.resets_in())


def headers(limit: int, left: int, seconds: int) -> dict[str, str]:
    """The fields of draft-ietf-httpapi-ratelimit-headers: the quota, what is left of it, when more comes back."""
    return {
        "RateLimit-Policy": f'"default";q={limit};w={MINUTE}',
        "RateLimit": f'"default";r={left};t={seconds}',
    }


def address(connection: HTTPConnection) -> str:
    """Who calls: an IPv4 address, or the /64 of an IPv6 address, for that is what one household has."""
    host = connection.client.host if connection.client else ""
    try:
        known = ip_address(host)
    except ValueError:
        return host
    return str(ip_network((known, 64), strict=False)) if isinstance(known, IPv6Address) else host


def hand_in(public_url: str) -> str:
    """What is attempted when answers are handed in through a share page."""
    return f"hand-in:{hashed(public_url.rpartition('/')[2])[:16]}"


def _attempts(prepared: Prepared) -> Counter[str]:
    """Log-ins, and hand-ins by share page: they need no credential, so each address may do them only so often."""
    attempts: Counter[str] = Counter()
    for field in prepared.operation.root_fields:
        match field.name.value:
            case "login":
                attempts["login"] += 1
            case "submitTest":
                attempts[hand_in(str(_input(field, prepared.parameters.variables).get("publicUrl")))] += 1
    return attempts


def _input(field: FieldNode, variables: Mapping[str, object]) -> Mapping[str, object]:
    """The argument input as the client sent it."""
    values = {it.name.value: value_from_ast_untyped(it.value, dict(variables)) for it in field.arguments or ()}
    sent = values.get("input")
    return sent if isinstance(sent, Mapping) else {}
