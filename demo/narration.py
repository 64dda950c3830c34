"""What the demo prints: numbered steps, each command as one would type it, and what came back."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence

PATIENCE = 120
"""Seconds that one command may take."""

ABSENT = 127
"""The exit status of a command that is not there, as a shell gives it."""

_BOLD, _DIM, _PLAIN = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")


class Aground(Exception):
    """A step did not give what it should: the demo ends here, with this sentence."""


_steps = 0


def step(title: str) -> None:
    """Begin the next step."""
    global _steps  # noqa: PLW0603 - one demo, one count
    _steps += 1
    print(f"\n{_BOLD}{_steps}. {title}{_PLAIN}", flush=True)


def tell(text: str) -> None:
    """Say what came back, indented below the command."""
    for line in text.strip().splitlines():
        print(f"   {line}", flush=True)


def show(command: str) -> None:
    """Print a command as one would type it."""
    print(f"{_DIM}${_PLAIN} {command}", flush=True)


def run(
    command: Sequence[str], environment: Mapping[str, str] | None = None, *, typed: str = "", quiet: bool = False
) -> str:
    """Run a command with ``environment`` added to ours; print it and its answer, and return all that it printed.

    Raises Aground when it fails.
    """
    if not quiet:
        show(("echo … | " if typed else "") + shlex.join([os.path.basename(command[0]), *command[1:]]))  # noqa: PTH119
    status, output = attempt(command, environment, typed=typed)
    if not quiet:
        tell(output)
    if status:
        raise Aground(f"{shlex.join(command)} ended with status {status}:\n{output}")
    return output


def attempt(
    command: Sequence[str], environment: Mapping[str, str] | None = None, *, typed: str = ""
) -> tuple[int, str]:
    """Run a command without a word; return its exit status and all that it printed. Hanging is failing."""
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **(environment or {})},
            input=typed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
    except FileNotFoundError:
        return ABSENT, f"{command[0]} is not installed"
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)
    return done.returncode, done.stdout
