"""``havre user``: accounts, administered on the host itself, while the server runs or while it does not."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer

from havre.errors import HavreError

if TYPE_CHECKING:
    from havre.access.accounts import Accounts
    from havre.access.records import User
    from havre.config import Config
    from havre.metadata import Database

T = TypeVar("T")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Add, list, disable accounts; set a new password; reset a lost second factor.",
)

Name = Annotated[str, typer.Argument(help="The account's name.", metavar="NAME")]
Data = Annotated[str | None, typer.Option(help="The data folder (HAVRE_DATA).", metavar="DIR")]
ConfigFile = Annotated[str | None, typer.Option("--config", help="The settings file (HAVRE_CONFIG).", metavar="FILE")]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]

MAX_PASSWORD_INPUT = 4096
"""Characters read from standard input."""


@app.command()
def add(
    name: Name,
    email: Annotated[str, typer.Option(help="E-mail address.")],
    admin: Annotated[bool, typer.Option("--admin", help="Make it an administrator.")] = False,
    password_stdin: PasswordStdin = False,
    data: Data = None,
    config: ConfigFile = None,
) -> None:
    """Create an account and the namespace of its name."""
    password = _password(password_stdin)
    user = _with_accounts(lambda accounts: accounts.create(name, email, password, is_admin=admin), data, config)
    print(f"added {'administrator' if user.is_admin else 'account'} {user.name} <{user.email}>")


@app.command("list")
def list_(data: Data = None, config: ConfigFile = None) -> None:
    """List all accounts: name, e-mail address, and what is special about them."""

    async def everyone(accounts: Accounts) -> list[User]:
        users: list[User] = []
        while page := await accounts.list(users[-1].name if users else "", 1000):
            users += page
        return users

    for user in _with_accounts(everyone, data, config):
        marks = [word for word, true in (("administrator", user.is_admin), ("disabled", user.disabled)) if true]
        print("\t".join([user.name, user.email, ",".join(marks)]).rstrip())


@app.command()
def disable(name: Name, data: Data = None, config: ConfigFile = None) -> None:
    """Shut an account out; its images stay."""
    user = _with_accounts(lambda accounts: accounts.disable(name), data, config)
    print(f"disabled {user.name}: its logins, sessions and access tokens no longer work")


@app.command()
def enable(name: Name, data: Data = None, config: ConfigFile = None) -> None:
    """Let a disabled account in again."""
    user = _with_accounts(lambda accounts: accounts.enable(name), data, config)
    print(f"enabled {user.name}")


@app.command("reset-password")
def reset_password(
    name: Name, password_stdin: PasswordStdin = False, data: Data = None, config: ConfigFile = None
) -> None:
    """Set a new password and sign the account's browsers out."""
    password = _password(password_stdin)

    async def reset(accounts: Accounts) -> None:
        user = await accounts.by_name(name)
        if user is None:
            raise HavreError(f"there is no account {name!r}; havre user list shows them all")
        await accounts.set_password(user.id, password)

    _with_accounts(reset, data, config)
    print(f"set a new password for {name}")


@app.command("reset-second-factor")
def reset_second_factor(name: Name, data: Data = None, config: ConfigFile = None) -> None:
    """Take an account's authenticator apps, passkeys and recovery codes out of use, and sign its browsers out.

    For who lost them all, once you know that it is them who ask: the password alone signs in then.
    """

    async def reset(database: Database, _: Config) -> bool:
        from havre.access.passkeys import Passkeys
        from havre.access.second_factor import SecondFactors

        stored = await database.read(lambda rows: rows.accounts.find(name))
        if stored is None or stored.user.name != name:
            raise HavreError(f"there is no account {name!r}; havre user list shows them all")
        return await SecondFactors(database, Passkeys(database, now), now).reset(stored.user)

    had = run_on_rows(reset, data, config)
    print(f"{name} signs in with the password alone now" if had else f"{name} had no second factor")


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline(MAX_PASSWORD_INPUT).rstrip("\r\n")
    if not sys.stdin.isatty():
        _fail("there is no terminal to ask for the password on: use --password-stdin")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def _with_accounts(work: Callable[[Accounts], Awaitable[T]], data: str | None, file: str | None) -> T:
    async def run(database: Database, config: Config) -> T:
        from havre.access.accounts import Accounts
        from havre.access.passwords import Passwords
        from havre.registry.records import Visibility

        visibility = Visibility(config.default_visibility)
        return await work(Accounts(database, Passwords(), now, signup=config.signup, visibility=visibility))

    return run_on_rows(run, data, file)


def run_on_rows(work: Callable[[Database, Config], Awaitable[T]], data: str | None, file: str | None) -> T:
    """Run ``work`` on the database of the settings; a failure with a name ends the command with its sentence."""
    try:
        return asyncio.run(_run(work, data, file))
    except HavreError as error:
        _fail(error.message)


async def _run(work: Callable[[Database, Config], Awaitable[T]], data: str | None, file: str | None) -> T:
    import os

    from havre.config import load
    from havre.metadata import Database, upgrade

    config = load({"data": data}, os.environ, file)
    upgrade(config.database_url)
    database = Database.open(config.database_url)
    await database.start()
    try:
        return await work(database, config)
    finally:
        await database.close()


def now() -> int:
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


def _fail(sentence: str) -> NoReturn:
    print(f"havre: {sentence}", file=sys.stderr)
    raise typer.Exit(1)
