"""Layers made in one line, and the process that reads them, watched: what it says, how long it takes, what memory."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

from havre.layers import frames
from havre.layers.scan import Scan
from havre.registry.inside.entries import Entry
from havre.registry.inside.pages import ENTRIES, unpacked

Content = bytes | str | None
"""A file's bytes, what a symbolic link leads to, or a folder."""


def tar(members: Iterable[tuple[str, Content]], tar_format: int = tarfile.PAX_FORMAT, **fields: Any) -> bytes:
    """A tar of these members, in order; ``fields`` are those of every member."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tar_format) as target:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.mode, entry.mtime = (0o755 if content is None else 0o644), 1_700_000_000
            if content is None:
                entry.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
            else:
                entry.size = len(content)
            for key, value in fields.items():
                setattr(entry, key, value)
            target.addfile(entry, io.BytesIO(content) if isinstance(content, bytes) else None)
    return buffer.getvalue()


def scanned(content: bytes) -> tuple[Scan, list[Entry]]:
    """What a layer holds, read in this process."""
    scan = Scan()
    scan.read(io.BytesIO(content))
    return scan, list(scan.entries())


@dataclass
class Outcome:
    """How reading ended."""

    refusal: str = ""
    summary: dict[str, Any] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    code: int = 0
    seconds: float = 0
    """Of processor time: others may use the machine too."""
    peak: int = 0
    """Bytes of memory."""


def read_alone(pieces: Iterable[bytes], *task: str) -> Outcome:
    """Have pieces of a layer read by the process that the product starts."""
    command = [sys.executable, "-P", "-m", "havre.layers.child", *(task or ("index",))]
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=null, bufsize=0)
    assert process.stdin
    assert process.stdout
    sink, source = process.stdin, io.BufferedReader(process.stdout)  # type: ignore[type-var]

    def feed() -> None:
        with suppress(BrokenPipeError), sink:
            for piece in pieces:
                sink.write(piece)

    feeder = Thread(target=feed)
    feeder.start()
    outcome = Outcome()
    while head := source.read(frames.HEAD.size):
        kind, length = frames.HEAD.unpack(head)
        content = source.read(length)
        if kind == frames.REFUSED:
            outcome.refusal = content.decode()
        elif kind == frames.PAGE:
            outcome.entries += ENTRIES.records(unpacked(frames.page_from(content).content))
        elif kind == frames.MEMORY:
            outcome.peak = int(content)
        elif kind == frames.TREE:
            outcome.summary = json.loads(content)["summary"]
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = outcome.code = os.waitstatus_to_exitcode(status)
    feeder.join(10)
    source.close()
    outcome.seconds = usage.ru_utime + usage.ru_stime
    return outcome


def quick(outcome: Outcome, since: float) -> None:
    """Reading ended by itself, in time and in little memory."""
    assert outcome.code == 0, outcome
    assert outcome.seconds < 60
    assert 0 < outcome.peak < 400 * 1024 * 1024
    assert time.monotonic() - since < 110
