"""``havre login``: check a name and password with a registry, and keep them where docker and podman look."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from havre.cli import remote
from havre.cli.output import Output
from havre.errors import ConfigError, WrongCredentials

if TYPE_CHECKING:
    from havre.client import Client
    from havre.client.auth import Credential

app = remote.command()

MAX_PASSWORD = 64 * 1024
"""Characters read from standard input."""


@app.command()
def login(
    registry: Annotated[
        str | None, typer.Argument(help="Host and port; HAVRE_REGISTRY or Docker Hub if left out.")
    ] = None,
    username: Annotated[
        str | None, typer.Option("--username", "-u", help="The account's name.", metavar="NAME")
    ] = None,
    password: Annotated[
        str | None, typer.Option("--password", "-p", help="Its password or access token; others can see it here.")
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password or access token from standard input.")
    ] = False,
    quiet: remote.Quiet = False,
    as_json: remote.Json = False,
    insecure: remote.Insecure = False,
    ca: remote.Authority = None,
) -> None:
    """Sign in to a registry and remember it, in the file that docker uses too."""
    output = Output(quiet=quiet, as_json=as_json)
    remote.run(_login(registry, username, password, password_stdin, output, insecure, ca))


async def _login(
    typed: str | None,
    username: str | None,
    password: str | None,
    password_stdin: bool,
    output: Output,
    insecure: bool,
    ca: Path | None,
) -> None:
    from havre.client.auth import Credential
    from havre.client.references import registry_name

    name = registry_name(typed) if typed else remote.default_registry()
    if password is not None:
        print("WARNING! Using --password via the CLI is insecure. Use --password-stdin.", file=sys.stderr)
    async with remote.connect(insecure, ca, name) as client:
        if username is None and password is None and not password_stdin and await _known(client, name, output):
            return
        username = username or _ask("Username")
        secret = _read_password() if password_stdin else password or _ask("Password", hidden=True)
        if not username or not secret:
            raise WrongCredentials("a user name and a password or access token are needed")
        await _check_and_keep(client, name, Credential(username, secret), output)


async def _known(client: Client, name: str, output: Output) -> bool:
    """Is there a login already that works? Then there is nothing to ask."""
    kept = await client.keychain.get(name)
    if kept is None:
        return False
    output.say(f"Authenticating with existing credentials... [Username: {kept.username or '<token>'}]")
    try:
        await client.registry_as(name, kept).check_login()
    except WrongCredentials:
        print("The stored credentials no longer work; enter new ones.", file=sys.stderr)
        return False
    _succeeded(name, kept, output)
    return True


def _succeeded(name: str, credential: Credential, output: Output, warning: str = "") -> None:
    output.say("Login Succeeded")
    output.result(name, {"registry": name, "username": credential.username, "warning": warning})


async def _check_and_keep(client: Client, name: str, credential: Credential, output: Output) -> None:
    from dataclasses import replace

    identity_token = await client.registry_as(name, credential).check_login()
    if identity_token:
        # The registry gave something that can be revoked alone: the password need not be kept.
        credential = replace(credential, password="", identity_token=identity_token)
    stored = await client.keychain.store(name, credential)
    if stored.warning and not output.as_json:
        print(f"\n{stored.warning}\n", file=sys.stderr)
    _succeeded(name, credential, output, stored.warning)


def _read_password() -> str:
    text = sys.stdin.read(MAX_PASSWORD + 1)
    if len(text) > MAX_PASSWORD:
        raise ConfigError(f"the password on standard input is longer than {MAX_PASSWORD} characters")
    return text.removesuffix("\n").removesuffix("\r")


def _ask(what: str, *, hidden: bool = False) -> str:
    if not sys.stdin.isatty():
        raise ConfigError("cannot perform an interactive login from a non TTY device: use -u NAME and --password-stdin")
    return str(typer.prompt(what, hide_input=hidden, prompt_suffix=": "))
