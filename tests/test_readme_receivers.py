"""The receivers that the README shows, executed as they are printed. Issue 7, line 7."""

import base64
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dispatcher.webhooks import signing
from dispatcher.webhooks.signing import Secrets
from tests.processes import PROJECT

[SECTION] = re.findall(
    r"^## Receiving webhooks\n(.*?)^## ", (PROJECT / "README.md").read_text(), re.MULTILINE | re.DOTALL
)
SNIPPETS = dict(re.findall(r"^```(\w+)\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL))
SECRET, OTHER = (f"whsec_{base64.b64encode(bytes([number]) * 32).decode()}" for number in (7, 8))
BODY = json.dumps({"id": "event_1", "title": "Größe 🙂"}, ensure_ascii=False).encode()

PYTHON = """
import json, pathlib, sys
headers, secret = json.loads(sys.argv[1]), sys.argv[2]
print(genuine(secret, headers, pathlib.Path("body.json").read_bytes()))
"""
NODE = """
const [headers, secret] = [JSON.parse(process.argv[1]), process.argv[2]];
console.log(genuine(secret, headers, require("node:fs").readFileSync("body.json")) ? "True" : "False");
"""


def verdict(language: str, folder: Path, headers: dict[str, str], secret: str = SECRET, body: bytes = BODY) -> bool:
    """What the snippet of a language says of a request."""
    (folder / "body.json").write_bytes(body)
    given = json.dumps({name.lower(): value for name, value in headers.items()})
    command = {
        "python": [sys.executable, "-c", SNIPPETS["python"] + PYTHON, given, secret],
        "js": ["node", "-e", SNIPPETS["js"] + NODE, given, secret],
    }[language]
    answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return answer.stdout == "True\n"


@pytest.mark.parametrize("language", ["python", "js"])
def test_a_receiver_of_the_readme_takes_what_is_genuine_and_nothing_else(language: str, tmp_path: Path) -> None:
    if language == "js" and shutil.which("node") is None:
        pytest.skip("there is no Node")
    now = int(time.time())
    right = signing.headers(Secrets(SECRET), "event_1", "content.completed", BODY, now)
    assert verdict(language, tmp_path, right)
    rotating = signing.headers(Secrets(OTHER, SECRET), "event_1", "content.completed", BODY, now)
    assert verdict(language, tmp_path, rotating)
    assert not verdict(language, tmp_path, right, secret=OTHER)
    assert not verdict(language, tmp_path, right, body=BODY + b" ")
    assert not verdict(language, tmp_path, {**right, "webhook-id": "event_2"})
    old = signing.headers(Secrets(SECRET), "event_1", "content.completed", BODY, now - 400)
    assert not verdict(language, tmp_path, old)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl")
def test_the_shell_lines_of_the_readme_make_the_signature(tmp_path: Path) -> None:
    (tmp_path / "body.json").write_bytes(BODY)
    made = signing.headers(Secrets(SECRET), "event_1", "content.completed", BODY, 1790000000)
    given = {"SECRET": SECRET, "ID": "event_1", "TIMESTAMP": "1790000000", "PATH": "/usr/bin:/bin"}
    run = subprocess.run(["sh", "-c", SNIPPETS["sh"]], cwd=tmp_path, env=given, capture_output=True, check=True)
    assert run.stdout.decode().strip() == made["webhook-signature"]
