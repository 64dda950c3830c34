"""Child: the process in which layers are read. It has a limit on memory and time, and writes nothing but its answer.

Run as ``python -m havre.layers.child TASK``. What it works on comes by standard input, its answer goes to standard
output, both as the frames of ``frames`` (the layer itself comes as it is).
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeVar

from havre.errors import InputInvalid
from havre.layers import frames
from havre.layers.frames import Reader, send
from havre.layers.scan import Scan, content_at
from havre.registry.inside.compare import Changes, compared
from havre.registry.inside.entries import Change, Entry
from havre.registry.inside.pages import CHANGES, ENTRIES, Codec, unpacked
from havre.registry.inside.stack import Stack

MEMORY = 1024 * 1024 * 1024
"""Bytes of address space."""

SECONDS = 180
"""Of processor time."""

R = TypeVar("R", bound=Entry | Change)


def main(arguments: list[str]) -> None:
    """Do one task and end."""
    _limit()
    if arguments[0] != "extract":
        os.nice(10)  # nobody looks at a blank page meanwhile
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    try:
        TASKS[arguments[0]](source, sink, arguments[1:])
    except InputInvalid as error:
        send(sink, frames.REFUSED, error.message.encode())
    except MemoryError:
        send(sink, frames.REFUSED, b"it takes more memory to read than is given")
    except BrokenPipeError:
        os._exit(1)
    send(sink, frames.MEMORY, b"%d" % _peak())
    sink.flush()


def _peak() -> int:
    """The most memory that this process has had, in bytes; what ``getrusage`` says includes who started it."""
    with Path("/proc/self/status").open(encoding="ascii", errors="replace") as status:
        found = [line.split()[1] for line in status if line.startswith("VmHWM:")]
    return int(found[0]) * 1024 if found else 0


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _index(source: BinaryIO, sink: BinaryIO, _arguments: list[str]) -> None:
    scan = Scan()
    scan.read(source)
    outside = [name.decode("utf-8", "backslashreplace") for name in scan.outside]
    _tree(sink, "", ENTRIES, scan.entries(), lambda: {**scan.counts, "named": outside})


def _stack(source: BinaryIO, sink: BinaryIO, _arguments: list[str]) -> None:
    stack = Stack()
    layers = []
    for number, pages in enumerate(Reader(source).trees()):
        changes = stack.lay(number, _records(ENTRIES, pages))
        _tree(sink, str(number), CHANGES, changes.records(), partial(_totals, changes))
        layers.append(changes.totals)
        send(sink, frames.PROGRESS, b"%d" % (number + 1))
    wasted, most = stack.waste()

    def summary() -> dict[str, object]:
        root = stack.root.facts
        named = [[path.decode("utf-8", "surrogateescape"), size, times] for path, size, times in most]
        return {"size": root.size, "files": root.files, "wasted": wasted, "most_wasted": named, "layers": layers}

    _tree(sink, "image", ENTRIES, stack.entries(), summary)


def _compare(source: BinaryIO, sink: BinaryIO, _arguments: list[str]) -> None:
    trees = Reader(source).trees()
    # The first is kept as it came, packed, for the second comes after it.
    before = list(next(trees))
    changes = compared(_records(ENTRIES, before), _records(ENTRIES, next(trees)))
    _tree(sink, "", CHANGES, changes.records(), partial(_totals, changes))


def _totals(changes: Changes) -> dict[str, int]:
    """Known once the records were written."""
    return changes.totals


def _extract(source: BinaryIO, sink: BinaryIO, arguments: list[str]) -> None:
    for piece in content_at(source, int(arguments[0]), int(arguments[1])):
        send(sink, frames.CONTENT, piece)
    send(sink, frames.DONE, b"")


TASKS: dict[str, Callable[[BinaryIO, BinaryIO, list[str]], None]] = {
    "index": _index,
    "stack": _stack,
    "compare": _compare,
    "extract": _extract,
}


def _records(codec: Codec[R], pages: Iterable[bytes]) -> Iterator[R]:
    for page in pages:
        yield from codec.records(unpacked(page))


def _tree(
    sink: BinaryIO, name: str, codec: Codec[R], records: Iterator[R], summary: Callable[[], Mapping[str, object]]
) -> None:
    for page in codec.pages(records):
        send(sink, frames.PAGE, frames.page(page))
    send(sink, frames.TREE, json.dumps({"name": name, "summary": summary()}).encode())


if __name__ == "__main__":
    main(sys.argv[1:])
