"""Faults below storage and rows, put under a server that runs: honest refusals, nothing lost, and well again by itself.

strace fails or slows the system calls of the running worker and then lets go of it; the server is never restarted. While
the fault lasts, clients push, move tags, delete and pull; then everything is compared with what they were told.
"""

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.requirements import require, require_root
from torture.check import Check
from torture.journal import Journal
from torture.line import Unanswered
from torture.load import Client, Refused
from torture.victim import Door, Victim

pytestmark = pytest.mark.slow

PATIENCE = 30
WRITES, SYNCS, NAMES = "pwrite64", "fdatasync", "/^(link|rename)(at2?)?$"
CHANGES = f"pwrite64,ftruncate,/^mkdir(at)?$,/^unlink(at)?$,{NAMES}"

FAULTS = {
    "no space": (WRITES, "error=ENOSPC", 507),
    "no space now and then": (WRITES, "error=ENOSPC:when=5+5", 507),
    # SQLite takes it for any other failure.
    "no more quota": (WRITES, "error=EDQUOT", 503),
    "errors on every third write": (WRITES, "error=EIO:when=3+3", 503),
    "errors on every second sync": (SYNCS, "error=EIO:when=2+2", 503),
    "errors on sync of a folder": ("fsync", "error=EIO", 503),
    "errors on giving a file its name": (NAMES, "error=EIO", 503),
    "a read-only disk": (CHANGES, "error=EROFS", 503),
    "no locks": ("flock", "error=ENOLCK", 503),
    "a slow disk": (f"{WRITES},{SYNCS},fsync,{NAMES}", "delay_enter=20000", 0),
}


class Patient:
    """A server with clients, all of which outlive the faults."""

    def __init__(self, folder: Path) -> None:
        self.victim = Victim(folder, "sqlite", workers=1)
        self.victim.server.start()
        self.journal = Journal()
        self.clients = 0

    def work(self, seconds: float, fault: "Fault | None" = None) -> None:
        """Let clients work, with a fault in the middle of it, and compare what is there with what they were told."""
        asyncio.run(self._work(seconds, fault))
        assert not self.journal.faults, "\n".join([*self.journal.faults, self.victim.server.log_tail(60)])

    async def _work(self, seconds: float, fault: "Fault | None") -> None:
        door = Door(self.victim.port)
        crowd = [Client(self.clients + number, self.victim.port, self.journal, door) for number in range(3)]
        self.clients += len(crowd)
        await asyncio.gather(*(_busy(client, 0.2) for client in crowd))
        if fault:
            await asyncio.to_thread(fault.begin)
        try:
            await asyncio.gather(*(_busy(client, seconds) for client in crowd))
        finally:
            if fault:
                await asyncio.to_thread(fault.end)
        await asyncio.gather(*(_well_again(client) for client in crowd))
        check = Check(self.victim.port, self.journal, door, self.victim.blobs)
        await check.run()
        for one in (*crowd, check):
            one.leave_for_good()
        await asyncio.sleep(0)


async def _busy(client: Client, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await client.act()


async def _well_again(client: Client) -> None:
    """What failed succeeds now; a connection that the fault broke may have to be made again."""
    for _ in range(2):
        try:
            return await client.heal()
        except (Unanswered, Refused) as error:
            last = error
    raise AssertionError(f"still refused after the fault: {last!r}")


class Fault:
    """System calls of running processes that fail, or take long."""

    def __init__(self, processes: list[int], calls: str, fault: str, log: Path) -> None:
        self._processes = processes
        who = [word for pid in processes for word in ("-p", str(pid))]
        inject = ["-e", f"trace={calls}", "-e", f"inject={calls}:{fault}"]
        self._command = [str(require("strace")), "-f", "-qq", "-o", str(log), *inject, *who]
        self._tracer: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """From now on."""
        self._tracer = subprocess.Popen(self._command)
        _until(lambda: all(_traced(pid) for pid in self._processes))

    def end(self) -> None:
        """No more."""
        if self._tracer:
            self._tracer.terminate()
            self._tracer.wait(PATIENCE)


def _traced(pid: int) -> bool:
    threads = Path(f"/proc/{pid}/task").glob("*/status")
    return all("TracerPid:\t0\n" not in thread.read_text() for thread in threads)


def _until(condition: object) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    require("strace")
    patient = Patient(tmp_path_factory.mktemp("patient"))
    yield patient
    patient.victim.remove()


@pytest.mark.parametrize("name", FAULTS)
def test_a_disk_with(patient: Patient, tmp_path: Path, name: str) -> None:
    calls, fault, status = FAULTS[name]
    counts, before = patient.journal.counts, patient.journal.counts.copy()
    processes = patient.victim.processes()
    patient.work(0.5, Fault(processes, calls, fault, tmp_path / "trace"))
    assert patient.victim.processes() == processes, "nothing was restarted"
    if status:
        assert counts[f"answers {status}"] > before[f"answers {status}"]
    else:
        assert counts["manifests acknowledged"] > before["manifests acknowledged"]
        assert counts["refused"] == before["refused"]


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A file system of its own at ``folder``, with so many bytes."""
    folder.mkdir(parents=True)
    subprocess.run([require("mount"), "-t", "tmpfs", "-o", f"size={size}", "none", folder], check=True)
    try:
        yield
    finally:
        subprocess.run([require("umount"), "--lazy", folder], check=True)


def test_a_disk_that_is_full_and_then_is_not(tmp_path: Path) -> None:
    require_root()
    data = tmp_path / "full/data"
    with small_disk(data, "1g"):
        patient = Patient(data.parent)
        try:
            filler = data / "filler"
            filler.touch()

            class Full(Fault):
                def begin(self) -> None:
                    with filler.open("r+b") as file:
                        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(data).free - 300_000)

                def end(self) -> None:
                    filler.unlink()

            full = Full([], "", "", tmp_path)
            patient.work(1.5, full)
            assert patient.journal.counts["answers 507"]
        finally:
            patient.victim.remove()
