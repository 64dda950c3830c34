"""What the commands share that an operator keeps a registry with: the settings, and failures as sentences."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from havre.errors import HavreError

if TYPE_CHECKING:
    from havre.config import Config

FAILED = 1
"""Exit code when a command could not be carried out."""


def settings(data: str | None, file: str | None) -> Config:
    """The settings in force. Raises ConfigError."""
    from havre.config import load

    return load({"data": data}, os.environ, file)


@contextmanager
def failures_told() -> Iterator[None]:
    """A failure with a name ends the command with its sentence; so does one of the system."""
    try:
        yield
    except HavreError as error:
        print(f"havre: {error.message}", file=sys.stderr)
        raise typer.Exit(FAILED) from error
    except OSError as error:
        about = f"{error.filename}: " if error.filename else ""
        print(f"havre: {about}{error.strerror or error}", file=sys.stderr)
        raise typer.Exit(FAILED) from error
