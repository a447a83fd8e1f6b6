"""`python -m gateway.server HOST PORT`: the web process under uvicorn."""

import asyncio
import gc
import os
import resource
import socket
import sys
from typing import Any

import uvicorn

from gateway.app import Application, create_app
from gateway.protocol import Protocol
from gateway.settings import Settings
from storage.database import Database
from storage.logs import configure
from storage.notify import Bells
from storage.revisions import require
from storage.settings import SettingsInvalid

TICKS_PER_SECOND = 10
"""Of uvicorn's loop."""

OTHER_FILES = 1_000
"""Of the databases, of Redis and of what is sent from disk."""

STREAMS_SECONDS = 3
"""For subscribers to be told that they have to come back."""

REQUESTS_SECONDS = 20
"""For requests to end; both together have to be less than what the supervisor and others give a process."""


class Server(uvicorn.Server):
    """Says when it is ready, and lets streams go before it waits for requests."""

    def __init__(self, config: uvicorn.Config, app: Application, public_url: str) -> None:
        super().__init__(config)
        self.app = app
        self.public_url = public_url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            sys.stdout.write(f"Lectern is ready: {self.public_url}/graphql\n")
            sys.stdout.flush()

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS_PER_SECOND == 0:
            for connection in list(self.server_state.connections):
                if isinstance(connection, Protocol):
                    connection.check()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self.app.graphql.shutdown(STREAMS_SECONDS)
        await super().shutdown(sockets)


def configured(
    app: Application, max_body_bytes: int, protocol: type[Protocol] = Protocol, **more: Any
) -> uvicorn.Config:
    """How uvicorn serves the application."""
    return uvicorn.Config(
        app,
        http=protocol,
        ws="websockets-sansio",
        ws_max_size=max_body_bytes,
        ws_per_message_deflate=False,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=REQUESTS_SECONDS,
        **more,
    )


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT; an address where nothing can listen is SettingsInvalid."""
    app = create_app(settings)
    protocol = type("Protocol", (Protocol,), {"most_connections": settings.max_connections})
    config = configured(app, settings.max_body_bytes, protocol, host=host, port=port)
    _make_room(settings.max_connections + OTHER_FILES)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=config.backlog)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise SettingsInvalid(f"Cannot listen at {host}, port {port}: {reason}. Try --host or --port.") from None
    gc.collect()
    gc.freeze()  # what is there now stays: looking through all of it would hold the loop for 0.1 s now and then
    with listener:
        Server(config, app, settings.public_url).run(sockets=[listener])


def _make_room(files: int) -> None:
    """Let this process have so many files open, each connection being one, as far as the system lets it."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = files if most == resource.RLIM_INFINITY else min(files, most)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def main(host: str, port: str) -> int:
    """Run until stopped; answers the exit status, EX_CONFIG when another start would be as vain."""
    configure()
    try:
        settings = Settings.read()
        asyncio.run(_migrated(settings.database_url))
        serve(settings, host, int(port))
    except SettingsInvalid as wrong:
        sys.stderr.write(f"{wrong}\n")
        return os.EX_CONFIG
    return 0


async def _migrated(database_url: str) -> None:
    database = Database(database_url, Bells())
    try:
        await require(database)
    finally:
        await database.dispose()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
