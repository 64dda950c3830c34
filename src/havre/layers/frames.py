"""Frames: how a worker and the process that reads layers talk: one byte that says what, four for the length, content."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from havre.registry.inside.pages import Page

PAGE = b"P"
"""A page of the tree that is being sent."""

TREE = b"T"
"""The tree is complete; what is to be known of it, as JSON."""

REFUSED = b"R"
"""The end: the content can not be read, and why."""

MEMORY = b"M"
"""The last: how much memory was needed at most, in bytes."""

PROGRESS = b"G"
CONTENT = b"C"
DONE = b"D"

HEAD = struct.Struct(">cI")
MAX_FRAME = 8 * 1024 * 1024
"""Bytes of one frame: nothing that is sent comes near."""

_FIRST = struct.Struct(">H")


def frame(kind: bytes, content: bytes) -> bytes:
    """One frame as bytes."""
    return HEAD.pack(kind, len(content)) + content


def send(sink: BinaryIO, kind: bytes, content: bytes) -> None:
    """Write one frame."""
    sink.write(frame(kind, content))


def page(one: Page) -> bytes:
    """A page as a frame's content."""
    return _FIRST.pack(len(one.first)) + one.first + one.content


def page_from(content: bytes) -> Page:
    """The page of a frame."""
    (length,) = _FIRST.unpack_from(content)
    return Page(content[2 : 2 + length], content[2 + length :])


class Reader:
    """Frames from a pipe that blocks."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source

    def trees(self) -> Iterator[Iterator[bytes]]:
        """Each tree as the contents of its pages; one must be read to its end before the next."""
        while (kind := self._next()[0]) != DONE:
            assert kind == TREE
            yield self._pages()

    def _pages(self) -> Iterator[bytes]:
        while True:
            kind, content = self._next()
            if kind == DONE:
                return
            yield content

    def _next(self) -> tuple[bytes, bytes]:
        head = self._source.read(HEAD.size)
        if len(head) < HEAD.size:
            raise BrokenPipeError
        kind, length = HEAD.unpack(head)
        return kind, self._source.read(length)
