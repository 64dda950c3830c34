"""Someone at a machine without a container engine, who types ``havre`` commands: with a home and a store of their own."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HAVRE = [sys.executable, "-m", "havre"]


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    def json(self) -> Any:
        return json.loads(self.out)


class Terminal:
    """``terminal("push", "alice/app")`` runs a command. ``environ`` may be changed between commands."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        self.environ = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "LANG": "C.UTF-8"}

    def __call__(self, *words: str | Path, typed: str | bytes = "", code: int = 0) -> Said:
        """Run a command and expect that it ends with ``code``."""
        content = typed.encode() if isinstance(typed, str) else typed
        done = subprocess.run(
            [*HAVRE, *map(str, words)],
            env=self.environ,
            cwd=self.home,
            input=content,
            capture_output=True,
            timeout=60,
            check=False,
        )
        said = Said(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
        assert said.code == code, f"havre {' '.join(map(str, words))} ended with {said.code}:\n{said.out}{said.err}"
        return said

    def raw(self, *words: str | Path) -> bytes:
        """Run a command and return the bytes that it wrote."""
        return subprocess.run(
            [*HAVRE, *map(str, words)], env=self.environ, cwd=self.home, capture_output=True, timeout=60, check=True
        ).stdout

    def on_screen(self, *words: str | Path, answer: Callable[[str], str] = lambda _: "") -> tuple[int, str]:
        """Run a command at a real terminal; ``answer`` types what to say to the text so far (nothing: keep waiting)."""
        environ = {**self.environ, "TERM": "xterm", "COLUMNS": "120"}
        child, terminal = pty.fork()
        if not child:
            os.chdir(self.home)
            os.execve(sys.executable, [*HAVRE, *map(str, words)], environ)
        shown = ""
        try:
            while piece := os.read(terminal, 65_536):
                shown += piece.decode(errors="replace")
                if reply := answer(shown):
                    os.write(terminal, reply.encode())
        except OSError:
            pass  # how Linux says that the other side of a terminal is closed
        finally:
            os.close(terminal)
            _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status), shown
