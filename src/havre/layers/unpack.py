"""Unpack: the bytes of a layer, whether it is gzip, zstd or plain, with limits on what a few bytes may grow to."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import IO, Protocol, cast

from havre.errors import InputInvalid

PIECE = 256 * 1024
"""Bytes read and unpacked at a time."""

MAX_UNPACKED = 64 * 1024**3
"""Bytes of a layer once unpacked."""

MAX_RATIO = 200
"""How many times its own size a layer may grow to ..."""

FREE_GROWTH = 256 * 1024**2
"""... beyond this many bytes."""

MAX_WINDOW = 128 * 1024**2
"""Bytes that zstd may ask to look back. More is asked for only by ``--ultra --long``."""


class Readable(Protocol):
    """Where bytes come from."""

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes, empty at the end."""


class Packed:
    """The packed bytes, counted, with a look at the first ones."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._head = source.read(8)
        while len(self._head) < 8 and (more := source.read(8 - len(self._head))):
            self._head += more
        self.head = self._head
        self.count = 0

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        if self._head:
            piece, self._head = self._head, b""
        else:
            piece = self._source.read(PIECE if size < 0 else size)
        self.count += len(piece)
        return piece


def unpack(source: Readable) -> Iterator[bytes]:
    """The unpacked bytes in pieces of at most ``PIECE``. Raises InputInvalid for damage and for what grows too much."""
    packed = Packed(source)
    count = 0
    for piece in _opened(packed):
        count += len(piece)
        if count > FREE_GROWTH and count > packed.count * MAX_RATIO:
            raise InputInvalid(f"it unpacks to more than {MAX_RATIO} times its size, as only a bomb does")
        if count > MAX_UNPACKED:
            raise InputInvalid(f"it unpacks to more than {MAX_UNPACKED >> 30} GiB, which is the most that is read")
        yield piece


def _opened(packed: Packed) -> Iterator[bytes]:
    head = packed.head
    if head.startswith(b"\x1f\x8b"):
        return _gunzip(packed)
    # A skippable frame may come first, as some builders write it.
    if head.startswith(b"\x28\xb5\x2f\xfd") or (head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5):
        return _unzstd(packed)
    for name, magic in (("bzip2", b"BZh"), ("xz", b"\xfd7zXZ")):
        if head.startswith(magic):
            raise InputInvalid(f"it is packed with {name}; gzip, zstd and plain tar are read")
    return iter(lambda: packed.read(PIECE), b"")


def _gunzip(packed: Packed) -> Iterator[bytes]:
    opener = zlib.decompressobj(zlib.MAX_WBITS | 16)
    while piece := packed.read(PIECE):
        while piece:
            try:
                yield opener.decompress(piece, PIECE)
            except zlib.error as error:
                raise InputInvalid("its gzip data is damaged") from error
            piece = opener.unconsumed_tail
            if opener.eof:
                # Further members may follow; padding may too.
                piece = opener.unused_data.lstrip(b"\x00") or packed.read(PIECE).lstrip(b"\x00")
                if not piece.startswith(b"\x1f"):
                    return
                opener = zlib.decompressobj(zlib.MAX_WBITS | 16)
    raise InputInvalid("its gzip data is cut short")


def _unzstd(packed: Packed) -> Iterator[bytes]:
    import zstandard

    opener = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
    try:
        with opener.stream_reader(cast("IO[bytes]", packed), read_size=PIECE, read_across_frames=True) as reader:
            while piece := reader.read(PIECE):
                yield piece
    except zstandard.ZstdError as error:
        raise InputInvalid("its zstd data is damaged, or wants more memory than is given") from error
