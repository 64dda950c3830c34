"""The command line as a whole: its table is complete, and asking for help costs nothing."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import typer

from havre import cli

SHARED = {"contents", "importing", "manual", "output", "packing", "places", "reference", "remote", "upkeep"}
"""Modules beside the commands: what several of them use, and the page about all."""


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_of_the_table_has_its_module(name: str) -> None:
    assert isinstance(import_module(f"havre.cli.{cli.module_of(name)}").app, typer.Typer)


def test_every_module_is_in_the_table() -> None:
    modules = {path.stem for path in Path(cli.__file__).parent.glob("*.py")} - {"__init__"} - SHARED
    assert modules == set(map(cli.module_of, cli.COMMANDS))


def test_help_lists_every_command_and_imports_none() -> None:
    program = "import sys; from havre.cli import app; app(standalone_mode=False); print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program, "--help"], capture_output=True, text=True, check=True, timeout=60
    )
    words = done.stdout.split()
    assert "havre.cli" in words
    for name, help_line in cli.COMMANDS.items():
        assert f"  {name} " in done.stdout
        assert help_line in done.stdout
        assert f"havre.cli.{cli.module_of(name)}" not in words


def test_an_unknown_command_is_named() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "havre", "sail"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "sail" in done.stderr
