"""Compression: content packed with gzip, zstd, bzip2 or xz, read as a stream and never beyond a limit."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

from havre.errors import InputInvalid, SizeInvalid

PIECE = 1024 * 1024
"""Bytes read at a time."""

LARGEST_WINDOW = 128 * 1024 * 1024
"""Bytes of memory that the packer of a zstd stream may ask for: what ``zstd`` itself allows without being told."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How far content may grow when its compression is undone. Sizes are bytes."""

    unpacked: int = 256 * 1024 * 1024 * 1024
    ratio: int = 200
    """How many times larger than the file its content may be, once it is larger than ``ratio_from``."""
    ratio_from: int = 1024 * 1024 * 1024

    def of(self, packed: int) -> int:
        """Bytes that a file of ``packed`` bytes may hold."""
        return min(self.unpacked, max(self.ratio_from, packed * self.ratio))


LIMITS = Limits()


def _zstd(file: BinaryIO) -> Any:
    # Only here: most images need no zstd.
    import zstandard

    machine = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW)
    return machine.stream_reader(file, read_across_frames=True, closefd=False)


_MAGIC: tuple[tuple[bytes, Callable[[BinaryIO], Any]], ...] = (
    (b"\x1f\x8b", lambda file: gzip.GzipFile(fileobj=file)),
    (b"\x28\xb5\x2f\xfd", _zstd),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\x00", lzma.LZMAFile),
)


def is_packed(head: bytes) -> bool:
    """Do these first bytes begin one of the known kinds of compression?"""
    return _opener(head) is not None


def _opener(head: bytes) -> Callable[[BinaryIO], Any] | None:
    # zstd may begin with a frame that is skipped, as in the form that is pulled by the chunk.
    if head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5:
        return _zstd
    return next((opener for magic, opener in _MAGIC if head.startswith(magic)), None)


class Unpacked:
    """The content of ``file`` without its compression, of which it may have none.

    Reading raises SizeInvalid beyond ``limit`` bytes, and InputInvalid for a stream that is damaged or cut short.
    """

    def __init__(self, file: BinaryIO, limit: int, shown: str) -> None:
        self._limit = limit
        self._shown = shown
        self.size = 0
        """Bytes read so far."""
        head = file.read(6)
        file.seek(-len(head), io.SEEK_CUR)
        opener = _opener(head)
        self._stream: IO[bytes] = opener(file) if opener else file
        self._errors: tuple[type[Exception], ...] = (zlib.error, lzma.LZMAError, EOFError, OSError)
        if opener is _zstd:
            import zstandard

            self._errors += (zstandard.ZstdError,)

    def read(self, size: int = PIECE) -> bytes:
        """The next bytes, at most ``size``; none at the end."""
        try:
            piece = self._stream.read(size)
        except self._errors as error:
            if isinstance(error, OSError) and error.errno:
                raise
            raise InputInvalid(f"{self._shown} can not be unpacked: {error}") from error
        self.size += len(piece)
        if self.size > self._limit:
            raise SizeInvalid(f"{self._shown} grows to more than {self._limit} bytes: it is not read any further")
        return piece


@contextmanager
def plain_file(path: Path, near: Path, limits: Limits = LIMITS) -> Iterator[Path]:
    """A file without its compression: itself, or one beside ``near`` that lives as long as the ``with`` block.

    Raises InputInvalid for a file that is missing, a folder or damaged; SizeInvalid for a bomb.
    """
    try:
        with path.open("rb") as file:
            head = file.read(6)
    except FileNotFoundError as error:
        raise InputInvalid(f"there is no file {path}") from error
    except IsADirectoryError as error:
        raise InputInvalid(f"{path} is a folder; name it oci:{path} if it holds an image layout") from error
    if not is_packed(head):
        yield path
        return
    # Beside the layout, because temporary folders are often small and in memory.
    near.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(prefix=".unpacked-", dir=near.parent) as target:
        with path.open("rb") as file:
            unpacked = Unpacked(file, limits.of(path.stat().st_size), str(path))
            while piece := unpacked.read():
                target.write(piece)
        target.flush()
        yield Path(target.name)


def spool(stream: BinaryIO, near: Path) -> Path:
    """Standard input as a file beside ``near``, because archives are read in any order. The caller removes it."""
    near.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(prefix=".stdin-", dir=near.parent, delete=False) as file:
        shutil.copyfileobj(stream, file, PIECE)
    return Path(file.name)
