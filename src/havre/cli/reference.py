"""Reference: the page about all commands (docs/reference/cli.md), written from the commands themselves.

``python -m havre.cli.reference`` prints it.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

import typer
from typer.core import TyperGroup

from havre.cli import COMMANDS, module_of

if TYPE_CHECKING:
    from typer._click import Command, Parameter

_INTRODUCTION = """# Commands

<!-- Written by `python -m havre.cli.reference`; change the modules of src/havre/cli instead. -->

`havre COMMAND --help` says the same in the terminal.

An image's name is `[HOST[:PORT]/]PATH[:TAG|@DIGEST]`. Where the host is left out, `HAVRE_REGISTRY` names it, else it
is Docker Hub; where the tag is left out, it is `latest`. Names in image files without a host are read as docker reads
them.

| environment | |
|---|---|
| `HAVRE_REGISTRY` | the registry of names that have no host, such as `localhost:5000` |
| `HAVRE_IMAGES` | the folder of the local store; otherwise `$XDG_DATA_HOME/havre/images` |
| `HAVRE_INSECURE_REGISTRIES` | hosts, with commas between them, that may show any certificate or speak plain HTTP; this machine always may |
| `DOCKER_CONFIG`, `REGISTRY_AUTH_FILE` | where logins are kept, as for docker and podman |
| `DOCKER_HOST`, `DOCKER_TLS_VERIFY`, `DOCKER_CERT_PATH` | the docker engine that `docker-daemon:` means |
| `SOURCE_DATE_EPOCH` | the date of images that `havre pack` makes, in seconds since 1970 |
| `PIP_INDEX_URL`, `PIP_FIND_LINKS` and pip's other settings | where `havre pack` takes dependencies from |
| `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY` | proxies |
| `SSL_CERT_FILE`, `SSL_CERT_DIR` | certificates to trust in place of the system's |

Certificates for one registry lie where docker and podman look for them: `~/.docker/certs.d/HOST[:PORT]`,
`~/.config/containers/certs.d/…`, `/etc/containers/certs.d/…`, `/etc/docker/certs.d/…`. There `*.crt` are authorities to
trust; `client.cert` and `client.key` are shown to a registry that asks who calls.

| exit code | of the commands that speak to registries |
|---|---|
| 0 | done |
| 1 | something else failed |
| 2 | the command line, a name or a credential file is wrong |
| 3 | a login is needed, or was refused |
| 4 | the image, tag or repository is not there |
| 5 | the registry refuses: its sentence says why |
| 6 | the registry can not be reached, or is overloaded |
| 130 | interrupted |
"""


def reference() -> str:
    """The page; a test compares it with the one in docs/."""
    parts = [_INTRODUCTION]
    for name in COMMANDS:
        command = typer.main.get_command(import_module(f"havre.cli.{module_of(name)}").app)
        parts += _sections(f"havre {name}", command, 2)
    return "\n".join(parts)


def _sections(name: str, command: Command, level: int) -> Iterator[str]:
    lines = [f"{'#' * level} {name}\n", f"{_text(command.help)}\n"]
    if isinstance(command, TyperGroup):
        yield "\n".join(lines)
        for child_name, child in command.commands.items():
            yield from _sections(f"{name} {child_name}", child, level + 1)
        return
    shown = [one for one in command.params if one.name != "help"]
    arguments = [one for one in shown if one.param_type_name == "argument"]
    usage = " ".join([name, *(["[OPTIONS]"] if len(arguments) < len(shown) else []), *map(_argument, arguments)])
    lines.append(f"    {usage}\n")
    rows = [f"| `{_names(one)}` | {_text(getattr(one, 'help', ''))} |" for one in shown]
    if rows:
        lines += ["| | |", "|---|---|", *rows, ""]
    yield "\n".join(lines)


def _argument(argument: Parameter) -> str:
    name = argument.metavar or (argument.name or "").upper()
    name = name if argument.nargs == 1 or name.endswith("...") else f"{name}..."
    return name if argument.required else f"[{name}]"


def _names(parameter: Parameter) -> str:
    if parameter.param_type_name == "argument":
        return _argument(parameter).strip("[]")
    value = "" if getattr(parameter, "is_flag", False) else f" {parameter.metavar or (parameter.name or '').upper()}"
    return ", ".join([*sorted(parameter.opts, key=len), *parameter.secondary_opts]) + value


def _text(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


if __name__ == "__main__":
    print(reference(), end="")
