"""The `lectern` command: what it prints, and how it fails."""

import json
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.processes import LECTERN, environment, free_port


@pytest.fixture
def installed(tmp_path: Path, migrated_file: Path) -> Path:
    """An installation that was migrated and has one workspace."""
    (tmp_path / "var").mkdir()
    shutil.copy(migrated_file, tmp_path / "var/lectern.db")
    assert run(tmp_path, "workspace", "create", "school").stdout == "school\n"
    return tmp_path


def run(folder: Path, *words: str, stdin: str = "", **settings: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*LECTERN, *words],
        cwd=folder,
        env=environment(**settings),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_migrating_may_be_repeated(tmp_path: Path) -> None:
    assert run(tmp_path, "migrate").returncode == 0
    assert run(tmp_path, "migrate").returncode == 0


def test_a_second_workspace_of_the_same_name_is_refused(installed: Path) -> None:
    again = run(installed, "workspace", "create", "school")
    assert again.returncode == 1
    assert again.stderr == "There is a workspace named school already.\n"


@pytest.mark.parametrize(
    ("kind", "environment_", "pattern"),
    [
        ("content", "production", r"tf_content_[A-Za-z0-9]{32}\n"),
        ("content", "test", r"tf_content_test_[A-Za-z0-9]{32}\n"),
        ("workspace", "production", r"tf_workspace_[A-Za-z0-9]{32}\n"),
    ],
)
def test_a_key_is_printed_alone_and_kept_as_a_hash(installed: Path, kind: str, environment_: str, pattern: str) -> None:
    """R-RES-2, D10."""
    made = run(installed, "key", "create", "--kind", kind, "--environment", environment_, "--name", "lms")
    assert re.fullmatch(pattern, made.stdout)
    for file in (installed / "var").iterdir():
        assert made.stdout.strip().encode() not in file.read_bytes()


def test_a_client_is_printed_as_json(installed: Path) -> None:
    made = run(installed, "client", "create", "--scopes", "content.read,content.write")
    client = json.loads(made.stdout)
    assert re.fullmatch("client_[0-9a-z]{26}", client["client_id"])
    assert len(client["client_secret"]) >= 32


def test_a_client_cannot_have_other_scopes(installed: Path) -> None:
    assert run(installed, "client", "create", "--scopes", "admin").returncode == 2


def test_a_user_is_made_from_a_password_on_stdin(installed: Path) -> None:
    words = ("user", "create", "--email", "kim@example.org", "--role", "admin", "--password-stdin")
    made = run(installed, *words, stdin="correct horse battery\n")
    assert re.fullmatch(r"user_[0-9a-z]{26}\n", made.stdout)
    again = run(installed, *words, stdin="correct horse battery\n")
    assert (again.returncode, "already" in again.stderr) == (1, True)


@pytest.mark.parametrize(("email", "password"), [("kim", "correct horse"), ("kim@example.org", "short")])
def test_a_weak_sign_in_is_refused(installed: Path, email: str, password: str) -> None:
    words = ("user", "create", "--email", email, "--role", "member", "--password-stdin")
    assert run(installed, *words, stdin=f"{password}\n").returncode == 1


def test_with_several_workspaces_one_must_be_named(installed: Path) -> None:
    run(installed, "workspace", "create", "publisher")
    words = ("key", "create", "--kind", "content", "--environment", "test", "--name", "x")
    unnamed = run(installed, *words)
    assert (unnamed.returncode, "--workspace" in unnamed.stderr) == (1, True)
    assert run(installed, *words, "--workspace", "publisher").returncode == 0
    assert run(installed, *words, "--workspace", "nobody").returncode == 1


@pytest.mark.parametrize("command", [("workspace", "create", "school"), ("web",), ("work",)], ids=" ".join)
def test_a_database_that_was_not_migrated_is_named_and_not_made(tmp_path: Path, command: tuple[str, ...]) -> None:
    settings = {"LECTERN_REDIS_URL": "redis://127.0.0.1:1/0", "LECTERN_SECRET_KEY": "k" * 32}
    refused = run(tmp_path, *command, **settings)
    assert refused.returncode != 0
    assert refused.stderr.startswith("LECTERN_DATABASE_URL")
    assert "lectern migrate" in refused.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url", ["postgresql+asyncpg://app@127.0.0.1:1/lectern", "sqlite+aiosqlite:////dev/null/lectern.db"]
)
def test_a_database_out_of_reach_is_told_in_a_line(tmp_path: Path, url: str) -> None:
    for command in (("migrate",), ("up",)):
        refused = run(tmp_path, *command, LECTERN_DATABASE_URL=url)
        assert (refused.returncode, refused.stderr.count("\n")) == (1, 1), refused.stderr
        assert refused.stderr.startswith("LECTERN_DATABASE_URL: the database cannot be opened")


@pytest.mark.parametrize("name", ["", "  ", "two\nlines"])
def test_a_workspace_has_a_name_of_one_line(installed: Path, name: str) -> None:
    refused = run(installed, "workspace", "create", name)
    assert (refused.returncode, refused.stderr) == (1, "The name of a workspace is one line of text.\n")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LECTERN_DATABASE_URL", "mysql://localhost"),
        ("LECTERN_REDIS_URL", "localhost"),
        ("LECTERN_BLOB_URL", "ftp://x"),
        ("LECTERN_PUBLIC_URL", "lectern.example.org"),
        ("LECTERN_SECRET_KEY", "short"),
        ("LECTERN_MAX_DEPTH", "deep"),
    ],
)
def test_a_wrong_setting_stops_the_start_and_is_named(tmp_path: Path, name: str, value: str) -> None:
    refused = run(tmp_path, "web", **{name: value})
    assert refused.returncode == os.EX_CONFIG
    assert refused.stderr.startswith(name)


@pytest.mark.parametrize("value", ["soon", "0,-5", "5,30"])
def test_a_wrong_setting_of_the_background_stops_everything(tmp_path: Path, value: str) -> None:
    refused = run(tmp_path, "up", "--port", str(free_port()), LECTERN_WEBHOOK_SCHEDULE=value)
    assert refused.returncode == 1
    assert "\nLECTERN_WEBHOOK_SCHEDULE" in f"\n{refused.stderr}"
    assert "Traceback" not in refused.stderr


def test_a_taken_port_stops_everything_with_advice(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        refused = run(tmp_path, "up", "--port", str(server.getsockname()[1]))
    assert refused.returncode == 1
    assert "Address already in use. Try --host or --port." in refused.stderr


@pytest.mark.parametrize("command", ["web", "work"])
def test_web_and_work_need_a_redis_and_a_secret_key(installed: Path, command: str) -> None:
    key = "k" * 32
    refused = run(installed, command, LECTERN_SECRET_KEY=key)
    assert (refused.returncode, "LECTERN_REDIS_URL" in refused.stderr) == (os.EX_CONFIG, True)
    refused = run(installed, command, LECTERN_REDIS_URL="redis://127.0.0.1:1/0")
    assert (refused.returncode, "LECTERN_SECRET_KEY" in refused.stderr) == (os.EX_CONFIG, True)


def test_wrong_use_is_status_2(tmp_path: Path) -> None:
    assert run(tmp_path, "key", "create", "--kind", "golden").returncode == 2
