"""What a credential has open ends with it, whichever process it is open at: R-IMP-3."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from storage import credentials, people, tables, tokens
from storage.sealing import hashed
from storage.tables import Environment, Scope
from storage.tables.columns import now
from tests.world import World

PROTOCOL = Subprotocol("graphql-transport-ws")
WATCH = "subscription { events { type } }"
REVOKE_KEY = "mutation ($id: ID!) { revokeApiKey(input: {id: $id}) { errors { code } } }"
REVOKE_CLIENT = "mutation ($id: ID!) { revokeOAuthClient(input: {id: $id}) { errors { code } } }"

AT_ONCE = 2.0
"""Seconds; the look that every process takes by itself comes later."""


@asynccontextmanager
async def socket(address: str, key: str = "", headers: dict[str, str] | None = None) -> AsyncIterator[ClientConnection]:
    """An initialised socket."""
    url = f"ws://{address}/graphql"
    async with connect(url, subprotocols=[PROTOCOL], additional_headers=headers) as opened:
        payload = {"Authorization": f"Bearer {key}"} if key else {}
        await opened.send(json.dumps({"type": "connection_init", "payload": payload}))
        assert json.loads(await opened.recv()) == {"type": "connection_ack"}
        yield opened


async def close_code(opened: ClientConnection) -> int | None:
    """How the server closes, which it does at once."""
    async with asyncio.timeout(AT_ONCE):
        await opened.wait_closed()
    return opened.close_code


async def key_id(lectern: World, secret: str) -> str:
    async with lectern.database.snapshot() as session:
        key = await credentials.find_key(session, secret)
    assert key is not None
    return key.id


async def test_a_revoked_keys_sockets_close_with_4403_at_every_process(lectern: World) -> None:
    await lectern.login(lectern.keys.admin)
    async with (
        lectern.another_gateway() as address,
        socket(address, lectern.keys.content) as lost,
        socket(address, lectern.keys.workspace) as kept,
    ):
        for opened in (lost, kept):
            await opened.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": WATCH}}))
        await lectern.as_user(REVOKE_KEY, id=await key_id(lectern, lectern.keys.content))
        assert await close_code(lost) == 4403
        await kept.send(json.dumps({"type": "ping"}))
        assert json.loads(await kept.recv()) == {"type": "pong"}


async def test_a_revoked_keys_event_streams_end_at_every_process(lectern: World) -> None:
    await lectern.login(lectern.keys.admin)
    headers = {"Authorization": f"Bearer {lectern.keys.content}", "Accept": "text/event-stream"}
    async with (
        lectern.another_gateway() as address,
        httpx.AsyncClient() as client,
        client.stream("POST", f"http://{address}/graphql", json={"query": WATCH}, headers=headers) as answer,
    ):
        assert answer.status_code == 200
        await lectern.as_user(REVOKE_KEY, id=await key_id(lectern, lectern.keys.content))
        async with asyncio.timeout(AT_ONCE):
            told = [line async for line in answer.aiter_lines()]
    assert "UNAUTHENTICATED" in "".join(told)
    assert "event: complete" in told


async def test_a_revoked_clients_sockets_close_with_4403(lectern: World) -> None:
    """R-OAU-2."""
    await lectern.login(lectern.keys.admin)
    async with lectern.database.transaction() as session:
        admin = await people.find_by_email(session, lectern.keys.admin)
        assert admin is not None
        client, _ = credentials.create_client(session, admin.workspace_id, Environment.TEST, "a", [Scope.CONTENT_READ])
        await session.flush()
        token = await tokens.issue(session, client, client.scopes)
    async with lectern.another_gateway() as address, socket(address, token) as opened:
        await lectern.as_user(REVOKE_CLIENT, id=client.id)
        assert await close_code(opened) == 4403


async def test_logging_out_closes_what_the_session_has_open_and_no_other(lectern: World) -> None:
    """R-AUT-4."""
    async with lectern.another_gateway() as address:
        origin = {"Origin": lectern.settings["public_url"]}
        cookies = []
        for _ in range(2):
            await lectern.login(lectern.keys.admin)
            cookies.append({"Cookie": f"lectern_session={lectern.client.cookies['lectern_session']}"})
        async with (
            socket(address, headers={**origin, **cookies[0]}) as other,
            socket(address, headers={**origin, **cookies[1]}) as ended,
        ):
            await lectern.as_user("mutation { logout { errors { code } } }")
            assert await close_code(ended) == 4403
            await other.send(json.dumps({"type": "ping"}))
            assert json.loads(await other.recv()) == {"type": "pong"}


async def test_a_session_that_has_expired_closes_its_sockets_at_the_next_look(lectern: World) -> None:
    """Any revocation makes every process look at all that is open."""
    await lectern.login(lectern.keys.member)
    cookie = lectern.client.cookies["lectern_session"]
    headers = {"Origin": lectern.settings["public_url"], "Cookie": f"lectern_session={cookie}"}
    async with lectern.another_gateway() as address, socket(address, headers=headers) as opened:
        async with lectern.database.transaction() as session:
            (await session.get_one(tables.UserSession, hashed(cookie))).expires_at = now()
        lectern.client.cookies.clear()
        await lectern.login(lectern.keys.admin)
        await lectern.as_user(REVOKE_KEY, id=await key_id(lectern, lectern.keys.workspace))
        assert await close_code(opened) == 4403
