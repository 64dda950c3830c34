"""``havre config``: checks, shows and describes the settings of this machine; starts nothing."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from havre import config as settings
from havre.errors import ConfigError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode=None, help="Check, show and describe the settings."
)

ConfigFile = Annotated[str | None, typer.Option("--config", help="The settings file (HAVRE_CONFIG).", metavar="FILE")]


@app.command()
def check(config: ConfigFile = None) -> None:
    """Say whether the settings can work; ends with 1 and a sentence about the first that can not."""
    loaded, sources = _load(config)
    for sentence in settings.unknown_variables(os.environ):
        print(f"havre: note: {sentence}", file=sys.stderr)
    for file in (loaded.tls_certificate, loaded.tls_key):
        if file is not None and not os.access(file, os.R_OK):
            _fail(f"{file} can not be read: tls_certificate and tls_key must name PEM files")
    if not loaded.storage_url.startswith("file:"):
        _ask_bucket(loaded)
    given = sum(source != "default" for source in sources.values())
    print(f"the settings can work: {given} given, {len(sources) - given} left at their defaults")


def _ask_bucket(loaded: settings.Config) -> None:
    from havre.storage import open_configured

    try:
        open_configured(loaded).close()
    except ConfigError as error:
        _fail(error.message)


@app.command()
def show(config: ConfigFile = None) -> None:
    """Print every setting as TOML, with where it came from. What may hold a password is left out."""
    loaded, sources = _load(config)
    for name, setting in settings.SETTINGS.items():
        value = getattr(loaded, name)
        hidden = setting.secret and sources[name] != "default"
        line = f"{name} = {_toml(value)}" if value is not None and not hidden else f"# {name} is {_absent(hidden)}"
        print(f"{line}  # {sources[name]}")


@app.command()
def schema() -> None:
    """Print the JSON schema of the settings file."""
    print(json.dumps(json_schema(), indent=2))


@app.command()
def docs() -> None:
    """Print the reference of all settings as Markdown (docs/reference/configuration.md)."""
    print(reference(), end="")


def json_schema() -> dict[str, Any]:
    """The JSON schema (2020-12) of the settings file."""
    properties = {
        name: {
            **setting.schema,
            "description": setting.help,
            **({} if setting.shown_default else {"default": _plain(settings.DEFAULTS[name])}),
        }
        for name, setting in settings.SETTINGS.items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Havre's settings",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def reference() -> str:
    """The reference page; a test compares it with the one in docs/."""
    parts = [_INTRODUCTION]
    for name, setting in settings.SETTINGS.items():
        default = setting.shown_default or f"`{_plain(settings.DEFAULTS[name])}`"
        parts.append(
            f"## {name}\n\n{setting.help}\n\n"
            f"- environment: `{settings.environment_name(name)}`\n"
            f"- value: {_rule(setting.schema)}\n"
            f"- default: {default}\n" + ("- never printed: it may hold a password\n" if setting.secret else "")
        )
    return "\n".join(parts)


_INTRODUCTION = """# Settings

<!-- Written by `havre config docs`; change src/havre/config/__init__.py instead. -->

Each setting is a flag of `havre serve` (some), an environment variable, or a key of a TOML file; the first of these
that is given wins, in this order. `--config FILE` or `HAVRE_CONFIG` names the file. `havre config check` says whether
they can work, `havre config show` what they are and where each comes from.

```toml
# /etc/havre.toml
listen = "0.0.0.0:5000"
data = "/srv/havre"
external_url = "https://hub.example.org"
trusted_proxies = ["127.0.0.1/32"]
```
"""


def _rule(schema: Any) -> str:
    if "enum" in schema:
        return ", ".join(f"`{option}`" for option in schema["enum"])
    if schema["type"] == "integer":
        return f"a whole number from {schema['minimum']} to {schema['maximum']}"
    return "a list of strings, or one string with commas" if schema["type"] != "string" else "a string"


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else [str(one) for one in value] if isinstance(value, tuple) else value


def _toml(value: Any) -> str:
    # For strings, numbers and lists of strings, what JSON writes is TOML too.
    return json.dumps(_plain(value), ensure_ascii=False)


def _absent(hidden: bool) -> str:
    return "set, and may hold a password" if hidden else "not set"


def _load(file: str | None) -> tuple[settings.Config, Any]:
    try:
        return settings.load_with_sources({}, os.environ, file)
    except ConfigError as error:
        _fail(error.message)


def _fail(sentence: str) -> NoReturn:
    print(f"havre: {sentence}", file=sys.stderr)
    raise typer.Exit(1)
