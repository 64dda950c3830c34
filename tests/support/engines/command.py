"""One command of a client, and what it left behind."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PATIENCE = 90  # seconds; a client that takes longer hangs


@dataclass(frozen=True)
class Outcome:
    """How a command ended. `ok()` and `refused()` say which end the test expects, and fail with all it printed."""

    command: str
    status: int
    output: str
    errors: str

    def ok(self) -> str:
        """What it printed to standard output; fails unless it succeeded."""
        assert self.status == 0, f"this should succeed: {self}"
        return self.output

    def refused(self) -> str:
        """What it printed to standard error; fails unless the command failed."""
        assert self.status != 0, f"this should be refused: {self}"
        return self.errors

    def __str__(self) -> str:
        return f"{self.command}\nexit status {self.status}\n{self.output}{self.errors}"


def run(command: Sequence[str], environment: Mapping[str, str], *, typed: str = "") -> Outcome:
    """Runs `command` in exactly this environment, with `typed` as its standard input."""
    done = subprocess.run(
        command, env=dict(environment), input=typed, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    return Outcome(shlex.join(command), done.returncode, done.stdout, done.stderr)


def without_times(told: str) -> str:
    """What was told, without the time that skopeo and podman open a line of their logs with."""
    return "\n".join(line.partition(" level=")[2] or line for line in told.splitlines())
