"""``havre user``: in a process of its own, as scripts call it, on a data folder that may not exist yet."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.server import HAVRE

PASSWORD = "correct horse 9"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run ``havre user …`` with ``said`` on its standard input."""

    def run(*arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
        environ = {"PATH": os.environ.get("PATH", os.defpath), "HAVRE_DATA": str(tmp_path / "data" / "here")}
        return subprocess.run(
            [*HAVRE, "user", *arguments],
            env=environ,
            input=said,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def add(run: Run, name: str, *more: str, said: str = PASSWORD + "\n") -> subprocess.CompletedProcess[str]:
    return run("add", name, "--email", f"{name}@example.org", "--password-stdin", *more, said=said)


def test_the_first_account_makes_the_database(run: Run) -> None:
    added = add(run, "alice")
    assert (added.returncode, added.stdout, added.stderr) == (0, "added account alice <alice@example.org>\n", "")
    assert add(run, "carol", "--admin").stdout == "added administrator carol <carol@example.org>\n"
    assert run("list").stdout == "alice\talice@example.org\ncarol\tcarol@example.org\tadministrator\n"


def test_disabling_and_enabling(run: Run) -> None:
    add(run, "alice")
    assert run("disable", "alice").returncode == 0
    assert run("list").stdout == "alice\talice@example.org\tdisabled\n"
    assert run("enable", "alice").returncode == 0
    assert run("list").stdout == "alice\talice@example.org\n"


@pytest.mark.parametrize(
    ("arguments", "said", "sentence"),
    [
        (("add", "al", "--email", "al@example.org"), PASSWORD, "use 4 to 30 lower-case letters and digits"),
        (("add", "bobby", "--email", "nowhere"), PASSWORD, "is not an e-mail address"),
        (("add", "bobby", "--email", "b@example.org"), "short", "it has 5 characters"),
        (("add", "bobby", "--email", "b@example.org"), "", "it has 0 characters"),
        (("add", "library", "--email", "b@example.org"), PASSWORD, "is reserved"),
        (("reset-password", "nobody"), PASSWORD, "there is no account 'nobody'"),
    ],
)
def test_what_can_not_be_is_said_in_one_line(run: Run, arguments: tuple[str, ...], said: str, sentence: str) -> None:
    refused = run(*arguments, "--password-stdin", said=said)
    assert refused.returncode == 1
    assert refused.stderr.startswith("havre: ")
    assert refused.stderr.count("\n") == 1
    assert sentence in refused.stderr
    assert run("list").stdout == ""


def test_without_a_terminal_the_password_must_come_by_stdin(run: Run) -> None:
    refused = run("add", "alice", "--email", "a@example.org", said=PASSWORD)
    assert refused.returncode == 1
    assert "use --password-stdin" in refused.stderr


def test_a_new_password_replaces_the_old_one_while_the_server_runs(
    start_havre: Callable[..., object], tmp_path: Path
) -> None:
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    from tests.support.inprocess import basic
    from tests.support.server import HavreProcess

    server = start_havre()
    assert isinstance(server, HavreProcess)
    server.add_user("alice", PASSWORD)

    def login(password: str) -> int:
        try:
            with urlopen(Request(f"{server.url}/auth/token", headers=basic("alice", password))) as answer:
                return int(answer.status)
        except HTTPError as error:
            with error:
                return error.code

    assert (login(PASSWORD), login("battery staple 7")) == (200, 401)
    command = [*HAVRE, "user", "reset-password", "alice", "--password-stdin"]
    subprocess.run(command, env=dict(server.environ), input="battery staple 7\n", text=True, check=True, timeout=60)
    assert (login(PASSWORD), login("battery staple 7")) == (401, 200)


def test_a_lost_second_factor_is_reset(run: Run, tmp_path: Path) -> None:
    import asyncio

    from havre.access import totp
    from havre.config import load
    from havre.server.app import create_app

    add(run, "alice")
    assert run("reset-second-factor", "alice").stdout == "alice had no second factor\n"

    async def turn_on() -> None:
        app = create_app(load({"data": str(tmp_path / "data" / "here")}))
        await app.start()
        alice = await app.accounts.by_name("alice")
        assert alice is not None
        await app.second_factors.begin_app(alice.id)
        secret = await app.second_factors.begun_app(alice.id)
        assert secret is not None
        await app.second_factors.confirm_app(alice, totp.code(secret, totp.step_at(app.clock())), "192.0.2.1")
        await app.stop()

    asyncio.run(turn_on())
    assert run("reset-second-factor", "alice").stdout == "alice signs in with the password alone now\n"
    assert run("reset-second-factor", "alice").stdout == "alice had no second factor\n"
    refused = run("reset-second-factor", "nobody")
    assert (refused.returncode, "there is no account 'nobody'" in refused.stderr) == (1, True)


def test_it_loads_nothing_that_it_does_not_need(run: Run, tmp_path: Path) -> None:
    add(run, "alice")
    environ = {"PATH": os.environ.get("PATH", os.defpath), "HAVRE_DATA": str(tmp_path / "data" / "here")}
    command = [HAVRE[0], "-X", "importtime", *HAVRE[1:], "user", "list"]
    listed = subprocess.run(command, env=environ, capture_output=True, text=True, check=True, timeout=60)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in listed.stderr.splitlines()}
    assert {"havre", "sqlalchemy"} <= loaded
    assert not loaded & {"fastapi", "alembic", "jinja2", "granian", "httpx", "rich", "psycopg"}
