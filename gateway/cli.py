"""The `lectern` command."""

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from sqlalchemy.exc import IntegrityError

from gateway import valkey
from gateway.ingest import IngestFailed, ingest
from gateway.settings import Settings
from gateway.supervisor import Child, StartError, Supervisor
from storage import credentials, migrations, people, revisions, workspaces
from storage.database import Database, Transaction, Unavailable
from storage.logs import configure
from storage.notify import Bells
from storage.settings import SECRET_FILE, SettingsInvalid
from storage.tables import ApiKeyKind, Environment, Scope, UserRole, Workspace
from storage.tables.columns import dump

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Lectern: one graph over learning content.")
workspace_app = typer.Typer(no_args_is_help=True, help="Tenants.")
user_app = typer.Typer(no_args_is_help=True, help="Staff.")
key_app = typer.Typer(no_args_is_help=True, help="API keys.")
client_app = typer.Typer(no_args_is_help=True, help="OAuth clients.")
for name, commands in {"workspace": workspace_app, "user": user_app, "key": key_app, "client": client_app}.items():
    app.add_typer(commands, name=name)

DATA = Path("var")
FIRST_WORKSPACE = "default"
ARENAS = "2"
"""Of glibc's malloc; with one for each of our threads a large ingestion takes ten megabytes more."""


class Realm(StrEnum):
    """Environments, as the command line spells them."""

    test = "test"
    production = "production"

    @property
    def environment(self) -> Environment:
        """The member of the contract."""
        return Environment[self.upper()]


class Stop(Exception):  # noqa: N818
    """The command failed; says why."""


WorkspaceName = Annotated[str | None, typer.Option("--workspace", help="Needed only when there are several.")]
RateLimit = Annotated[int, typer.Option(min=1, max=100_000, help="Units per minute.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")]


def main() -> None:
    """Run the command; a failure is one line on stderr and status 1."""
    configure()
    try:
        app()
    except (Stop, SettingsInvalid, StartError, IngestFailed) as wrong:
        sys.stderr.write(f"{wrong}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


@app.command()
def up(host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Migrate and start everything: an embedded Valkey unless LECTERN_REDIS_URL is set, web and background."""
    os.environ.setdefault("LECTERN_PUBLIC_URL", _public_url(host, port))
    with Supervisor(DATA) as supervisor:
        _make_secret_key()
        settings = Settings.read()
        asyncio.run(migrations.upgrade(settings.database_url))
        if shown := _run(settings, _first_start):
            print(shown, flush=True)
        redis_url = settings.redis_url or valkey.start(supervisor, DATA)
        shared = {"LECTERN_REDIS_URL": redis_url, "MALLOC_ARENA_MAX": os.environ.get("MALLOC_ARENA_MAX", ARENAS)}
        supervisor.run(
            [
                Child("web", _command("gateway.server", host, str(port)), shared),
                Child("background", _command("dispatcher"), shared),
            ]
        )


@app.command()
def web(host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Serve the HTTP side only; needs LECTERN_REDIS_URL."""
    _become("gateway.server", host, str(port))


@app.command()
def work() -> None:
    """Run one worker: jobs and webhook deliveries; needs LECTERN_REDIS_URL."""
    _become("dispatcher")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def listen(context: typer.Context) -> None:
    """Receive webhooks on this machine: verify, print, answer, pass on, replay. `lectern listen --help` says how."""
    _become("dispatcher.listen", *context.args)


@app.command("ingest")
def ingest_package(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="A QTI 3 or Common Cartridge.")
    ],
    url: Annotated[str | None, typer.Option(help="Where the gateway is; default LECTERN_PUBLIC_URL.")] = None,
) -> None:
    """Upload a package as the client of LECTERN_CLIENT_ID and LECTERN_CLIENT_SECRET, and tell what became of it."""
    settings = Settings.read()
    if not settings.client_id or not settings.client_secret:
        raise Stop("Set LECTERN_CLIENT_ID and LECTERN_CLIENT_SECRET; `lectern client create` makes them.")
    sys.exit(ingest(file, url or settings.public_url, settings.client_id, settings.client_secret.get_secret_value()))


@app.command()
def migrate() -> None:
    """Bring the database to the current schema; may be repeated."""
    asyncio.run(migrations.upgrade(Settings.read().database_url))


@workspace_app.command("create")
def create_workspace(name: str) -> None:
    """Make a tenant; prints its name."""
    if not name.strip() or not name.isprintable():
        raise Stop("The name of a workspace is one line of text.")

    async def make(session: Transaction) -> None:
        await workspaces.create(session, name)

    _run(Settings.read(), make, taken=f"There is a workspace named {name} already.")
    print(name)


@user_app.command("create")
def create_user(
    email: Annotated[str, typer.Option()],
    role: Annotated[UserRole, typer.Option()],
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from stdin.")] = False,
    name: Annotated[str | None, typer.Option(help="Default: the part before the at sign.")] = None,
    workspace: WorkspaceName = None,
) -> None:
    """Make a member of staff; prints the id."""
    if not password_stdin:
        raise typer.BadParameter("The password is read from stdin: add --password-stdin.")
    password = sys.stdin.readline().rstrip("\n")
    if problem := people.weakness(email, password):
        raise Stop(problem)

    async def make(session: Transaction) -> str:
        tenant = await _workspace(session, workspace)
        hashed = await people.hash_password(password)
        return people.create_user(session, tenant.id, email, name or email.partition("@")[0], role, hashed).id

    print(_run(Settings.read(), make, taken=f"There is a user with the address {email} already."))


@key_app.command("create")
def create_key(
    kind: Annotated[ApiKeyKind, typer.Option()],
    environment: Annotated[Realm, typer.Option()],
    name: Annotated[str, typer.Option()],
    rate_limit: RateLimit = 60,
    workspace: WorkspaceName = None,
) -> None:
    """Make an API key; prints only the secret, which is never shown again."""

    async def make(session: Transaction) -> str:
        tenant = await _workspace(session, workspace)
        return credentials.create_key(session, tenant.id, kind, environment.environment, name, rate_limit)[1]

    print(_run(Settings.read(), make))


@client_app.command("create")
def create_client(
    scopes: Annotated[str, typer.Option(help="content.read, content.write or both, separated by a comma.")],
    environment: Annotated[Realm, typer.Option()] = Realm.production,
    name: Annotated[str, typer.Option()] = "client",
    rate_limit: RateLimit = 60,
    workspace: WorkspaceName = None,
) -> None:
    """Make an OAuth client; prints its id and secret as JSON."""
    asked = {scope.strip() for scope in scopes.split(",")}
    if not asked or not asked <= set(credentials.CLIENT_SCOPES):
        raise typer.BadParameter(f"Scopes of a client are {' and '.join(sorted(credentials.CLIENT_SCOPES))}.")

    async def make(session: Transaction) -> str:
        tenant = await _workspace(session, workspace)
        granted = [Scope(scope) for scope in asked]
        realm = environment.environment
        client, secret = credentials.create_client(session, tenant.id, realm, name, granted, rate_limit)
        return dump({"client_id": client.id, "client_secret": secret}).decode()

    print(_run(Settings.read(), make))


def _public_url(host: str, port: int) -> str:
    """Where a person on this machine finds what listens there; all addresses are no address to call."""
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"


def _command(module: str, *arguments: str) -> list[str]:
    """The processes are started by name and never imported here."""
    return [sys.executable, "-m", module, *arguments]


def _become(module: str, *arguments: str) -> None:
    os.execv(sys.executable, _command(module, *arguments))  # noqa: S606  (our own module)


def _run(settings: Settings, change: Callable[[Transaction], Awaitable[T]], *, taken: str = "It exists.") -> T:
    """Make one change in the database of the settings, which must be migrated."""

    async def run() -> T:
        database = Database(settings.database_url, Bells())
        try:
            await revisions.require(database)
            async with database.transaction() as session:
                return await change(session)
        except IntegrityError:
            raise Stop(taken) from None
        except Unavailable as error:
            raise Stop(f"LECTERN_DATABASE_URL: the database cannot be reached: {error}") from None
        finally:
            await database.dispose()

    return asyncio.run(run())


async def _workspace(session: Transaction, name: str | None) -> Workspace:
    """The named tenant, or the only one."""
    if name is not None:
        if (named := await workspaces.find(session, name)) is None:
            raise Stop(f"There is no workspace named {name}.")
        return named
    known = await workspaces.first_two(session)
    if len(known) != 1:
        missing = "There is no workspace yet: run `lectern workspace create NAME`."
        raise Stop("There are several workspaces: say which with --workspace NAME." if known else missing)
    return known[0]


def _make_secret_key() -> None:
    """The key of this installation, made once and readable by its owner only."""
    if "LECTERN_SECRET_KEY" in os.environ or SECRET_FILE.exists():
        return
    SECRET_FILE.parent.mkdir(parents=True, exist_ok=True)
    fresh = SECRET_FILE.with_suffix(".new")  # renamed when whole: half a key would be worse than none
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(48))
    fresh.replace(SECRET_FILE)


async def _first_start(session: Transaction) -> str:
    """A workspace and two keys, shown now and never again; nothing when there is a workspace."""
    if await workspaces.first_two(session):
        return ""
    workspace = await workspaces.create(session, FIRST_WORKSPACE)
    made = {
        kind: credentials.create_key(session, workspace.id, kind, Environment.PRODUCTION, f"first {kind} key", 600)[1]
        for kind in (ApiKeyKind.CONTENT, ApiKeyKind.WORKSPACE)
    }
    return (
        f"First start: made the workspace {FIRST_WORKSPACE!r} and two keys. They are shown only now:\n\n"
        f"export LECTERN_CONTENT_KEY={made[ApiKeyKind.CONTENT]}\n"
        f"export LECTERN_WORKSPACE_KEY={made[ApiKeyKind.WORKSPACE]}\n"
    )
