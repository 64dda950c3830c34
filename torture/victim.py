"""The victim: a registry as people run it, on SQLite or PostgreSQL, that can be killed in parts or as a whole.

It is restarted as a service manager would: again and again until it serves.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path

from tests.support.postgresql import Cluster
from tests.support.server import HavreProcess
from torture.line import Line, Unanswered, Where

ACCOUNT, PASSWORD = "alice", "correct horse 9"

BACK_WITHIN = 60.0
"""Seconds after which a killed registry must serve again. (Far more than it takes.)"""

TOKEN_SECONDS = 200.0

_NOBODY = 2**22 + 1
"""A process group that can not be: one more than the largest process id."""

KILLS = {"a worker": 4, "all workers": 2, "the parent": 2, "everything": 6, "everything, twice": 2}
"""What is killed, and how often in comparison. ``twice``: once more while it starts."""

DATABASE_KILLS = {"a backend of PostgreSQL": 2, "PostgreSQL": 2, "PostgreSQL, immediate stop": 1}


class Victim:
    """One registry. ``database`` is ``sqlite`` or ``postgresql``; with ``deep``, PostgreSQL itself is killed too."""

    def __init__(self, folder: Path, database: str, *, deep: bool = False, workers: int = 2, **settings: str) -> None:
        self.database = database
        self.cluster = Cluster() if database == "postgresql" else None
        if self.cluster:
            self.cluster.start()
            settings["database_url"] = self.cluster.create()
        self.kinds = KILLS | (DATABASE_KILLS if self.cluster and deep else {})
        self.forgetful = False
        """PostgreSQL was killed: what it was asked to keep without waiting for the disk may be lost."""
        self._orphans = _NOBODY
        free = {"requests_per_address": "0", "requests_per_account": "0", "uploads_per_account": "10000"}
        settings = {"workers": str(workers), "log_level": "warning", **free, **settings}
        self.server = HavreProcess(folder, port=0, scheme="http", **settings)
        self.server.add_user(ACCOUNT, PASSWORD)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.server.port

    @property
    def blobs(self) -> Path:
        """The folder of finished content."""
        return self.server.data / "blobs"

    def processes(self) -> list[int]:
        """The workers, by process id."""
        pid = self.server.pid
        with suppress(OSError):
            return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return []

    async def start(self) -> None:
        """Start it, and wait until it serves."""
        await asyncio.to_thread(self.server.start)

    async def back(self) -> float:
        """Wait until it serves again, restarting what is not there any more; returns after how many seconds."""
        started = time.monotonic()
        return await asyncio.to_thread(self._back, started)

    def _back(self, started: float) -> float:
        while time.monotonic() - started < BACK_WITHIN:
            try:
                if self.cluster and self.forgetful:
                    self.cluster.revive()
                if self.server.process is None or self.server.process.poll() is not None:
                    self.server.start()
                if self.server.ready() and not self._orphaned():
                    return time.monotonic() - started
            except (RuntimeError, AssertionError):
                # Former workers still finish their answers at its port, or PostgreSQL its recovery.
                time.sleep(0.1)
            time.sleep(0.02)
        raise TimeoutError(f"it does not serve again within {BACK_WITHIN:g} s:\n{self.server.log_tail()}")

    def _orphaned(self) -> bool:
        """Do workers whose parent was killed still finish what they were asked?"""
        try:
            os.killpg(self._orphans, 0)
        except ProcessLookupError:
            self._orphans = _NOBODY
        return self._orphans != _NOBODY

    def kill(self, dice: random.Random) -> tuple[str, int]:
        """Kill something with SIGKILL; returns what, and how many kills that were."""
        kind = dice.choices(list(self.kinds), list(self.kinds.values()))[0]
        if kind == "a worker":
            _kill(dice.choice(self.processes() or [self.server.pid]))
        elif kind == "all workers":
            for pid in self.processes():
                _kill(pid)
        elif kind == "the parent":
            self._orphans = self.server.pid
            _kill(self.server.pid)
            if self.server.process:
                self.server.process.wait()
            self.server.process = None
        elif kind in DATABASE_KILLS and self.cluster:
            self.forgetful = True
            self.cluster.crash(kind)
        else:
            self.server.kill()
        return kind, 2 if "twice" in kind else 1

    def kill_starting(self, dice: random.Random) -> None:
        """Start it, and kill it at some moment before it serves, or just after."""
        end = time.monotonic() + dice.uniform(0.05, 1.5)
        process = self.server.spawn()
        with suppress(Exception):
            process.wait(max(0.0, end - time.monotonic()))
        self.server.kill()

    def remove(self) -> None:
        """End everything."""
        self.server.kill()
        if self.cluster:
            self.cluster.remove()


class Door:
    """Asks for bearer tokens, and keeps them as long as they hold."""

    def __init__(self, where: Where) -> None:
        self._where = where
        self._kept: dict[tuple[str, ...], tuple[float, dict[str, str]]] = {}
        self._asking: dict[tuple[str, ...], asyncio.Lock] = {}

    async def headers(self, *repositories: str) -> dict[str, str]:
        """Let a request for these repositories through. Raises Unanswered, also while nobody is let in."""
        # One asks, the others wait for it: a crowd does not sign in a thousand times at once.
        async with self._asking.setdefault(repositories, asyncio.Lock()):
            made, found = self._kept.get(repositories, (0.0, {}))
            if not found or time.monotonic() - made >= TOKEN_SECONDS:
                found = await self._ask(repositories)
                self._kept[repositories] = time.monotonic(), found
            return found

    async def _ask(self, repositories: tuple[str, ...]) -> dict[str, str]:
        scope = "&".join(f"scope=repository:{one}:pull,push,delete" for one in repositories)
        basic = base64.b64encode(f"{ACCOUNT}:{PASSWORD}".encode()).decode()
        line = Line(self._where)
        try:
            answer = await line.ask("GET", f"/auth/token?{scope}", {"Authorization": f"Basic {basic}"})
        finally:
            line.close()
        if answer.status != 200:
            raise Unanswered(f"no token: {answer.status} {answer.body[:200]!r}")
        return {"Authorization": f"Bearer {json.loads(answer.body)['token']}"}


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
