"""The command line: one module per command, imported only when that command is asked for.

`COMMANDS` is the whole list. A module named here offers `app`, a `typer.Typer` with one command or with a
group of them; `havre --help` reads only this table, so it answers before any library is loaded.
"""

import os
from importlib import import_module
from keyword import iskeyword
from typing import TYPE_CHECKING

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter

COMMANDS: dict[str, str] = {
    "serve": "Serve the registry, the pages and the API.",
    "user": "Add, list, disable accounts; set a new password.",
    "plan": "List, define and give plans to accounts.",
    "fsck": "Compare everything with its digest; set aside, repair.",
    "backup": "Copy everything as of one moment, while serving.",
    "restore": "Make a registry of a backup.",
    "rows": "Move all rows between SQLite and PostgreSQL.",
    "import": "Bring in what another registry holds.",
    "gc": "Remove content that nobody needs any more.",
    "config": "Check, show and describe the settings.",
    "login": "Sign in to a registry and remember it.",
    "logout": "Forget a registry's sign-in.",
    "pack": "Make an image of a folder or a Python project.",
    "load": "Read an image file into the local store.",
    "save": "Write an image from the local store to a file.",
    "images": "List the images of the local store.",
    "tag": "Give a local image a second name.",
    "push": "Send a local image to a registry.",
    "pull": "Fetch an image into the local store.",
    "copy": "Copy an image from one registry to another.",
    "rmi": "Remove images from the local store.",
    "inspect": "Show what an image is made of.",
    "export": "Write an image's files as one tar.",
    "diff": "Show what differs between two images.",
    "tags": "List the tags of a repository.",
    "search": "Search a registry for repositories.",
    "referrers": "List what refers to an image.",
    "delete": "Delete a tag or an image from a registry.",
    "completion": "Print what a shell needs to complete commands.",
}

COMPLETE = "_HAVRE_COMPLETE"
"""The variable by which a shell asks how a command line may go on."""


def module_of(command: str) -> str:
    """The module of a command: of its name, with a mark behind it where Python has that word for itself."""
    return f"{command}_" if iskeyword(command) else command


class _LazyGroup(TyperGroup):
    """Knows its commands by name and imports a command's module when that command runs."""

    def list_commands(self, ctx: "Context") -> list[str]:
        """Return the commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: "Context", cmd_name: str) -> "Command | None":
        """Import and return one command; None when there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        command = typer.main.get_command(import_module(f"havre.cli.{module_of(cmd_name)}").app)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        """Write the list of commands from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


app = typer.Typer(
    cls=_LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # it prints local variables, and a local variable may be a password
)


@app.callback()
def _havre() -> None:
    """Havre, a container registry that anyone can run."""


def main() -> None:
    """Run the command line."""
    if COMPLETE in os.environ:
        from typer._completion_classes import completion_init

        completion_init()
    app(prog_name="havre")
