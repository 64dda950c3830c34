"""Ranges: where a chunk of an upload lies, and which bytes of a blob a reader wants."""

from __future__ import annotations

import re
from dataclasses import dataclass

from havre.errors import RangeNotSatisfiable, UploadInvalid

MAX_RANGES = 1024
"""Ranges in one request that are answered one by one; with more the whole blob is sent, as RFC 9110 allows.

podman asks for as many chunks of a zstd:chunked layer at a time."""

_CHUNK = re.compile(r"(?:bytes[ =])?([0-9]{1,18})-([0-9]{1,18})(?:/(?:[0-9]{1,18}|\*))?", re.ASCII)
_SPAN = re.compile(r"([0-9]{0,18})-([0-9]{0,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes ``start`` up to but not including ``stop``."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """How many bytes."""
        return self.stop - self.start

    def content_range(self, size: int) -> str:
        """The Content-Range header of a partial answer from ``size`` bytes (RFC 9110, section 14.4)."""
        return f"bytes {self.start}-{self.stop - 1}/{size}"


def parse_chunk(text: str) -> ByteRange:
    """Read the Content-Range of a chunk: ``<first>-<last>``, both counted (distribution spec, "Pushing a blob in chunks").

    The HTTP form ``bytes 0-9/10`` is understood too. Raises UploadInvalid.
    """
    found = _CHUNK.fullmatch(text.strip())
    if not found or int(found[2]) < int(found[1]):
        raise UploadInvalid(f"invalid Content-Range {text[:80]!r}: write <first byte>-<last byte>, such as 0-1023")
    return ByteRange(int(found[1]), int(found[2]) + 1)


def parse_range(text: str, size: int) -> list[ByteRange] | None:
    """The byte ranges asked for by a Range header, cut to ``size``, in the order asked.

    None means: ignore the header and send everything (not bytes, malformed, too many, or more bytes than there are).
    Raises RangeNotSatisfiable when no range touches the content; one that ends before it begins touches nothing.
    """
    unit, equals, spans = text.partition("=")
    if unit.strip().lower() != "bytes" or not equals:
        return None
    parts = spans.split(",")
    if len(parts) > MAX_RANGES:
        return None
    ranges = []
    for part in parts:
        found = _SPAN.fullmatch(part.strip())
        if not found or not (found[1] or found[2]):
            return None
        if found[1]:
            start, stop = int(found[1]), min(int(found[2]) + 1, size) if found[2] else size
        else:
            start, stop = max(0, size - int(found[2])), size
        if start < stop:
            ranges.append(ByteRange(start, stop))
    if not ranges:
        raise RangeNotSatisfiable(f"the range {text[:80]!r} lies outside the blob of {size} bytes", size=size)
    return ranges if sum(one.length for one in ranges) <= size else None
