"""Digests: the names of content (OCI image specification, descriptor.md, section "Digests")."""

from __future__ import annotations

import hashlib
import re
from typing import Self

from havre.errors import DigestInvalid

ALGORITHMS = {"sha256": 64, "sha512": 128}
"""The registered algorithms and the length of their lower-case hexadecimal encoding."""

_GRAMMAR = re.compile(r"(?:sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})", re.ASCII)


class Digest(str):
    """A checked digest, such as ``sha256:6c3c…``: a string that is known to be well formed."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Check ``text``; raises DigestInvalid, which names the part that is wrong."""
        if _GRAMMAR.fullmatch(text):
            return cls(text)
        algorithm, colon, encoded = text.partition(":")
        shown = text if len(text) <= 150 else text[:147] + "..."
        if not colon:
            why = "it has no algorithm; write sha256:<64 hexadecimal digits>"
        elif algorithm not in ALGORITHMS:
            why = f"the algorithm is not one of {', '.join(ALGORITHMS)}"
        else:
            why = (
                f"{algorithm} needs {ALGORITHMS[algorithm]} lower-case hexadecimal digits, not {len(encoded)}"
                f" characters of {encoded[:8]!r}…"
            )
        raise DigestInvalid(f"invalid digest {shown!r}: {why}", detail={"digest": shown})

    @classmethod
    def of(cls, content: bytes, algorithm: str = "sha256") -> Self:
        """The digest of ``content``."""
        return cls(f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}")

    @property
    def algorithm(self) -> str:
        """``sha256`` or ``sha512``."""
        return self.partition(":")[0]

    @property
    def encoded(self) -> str:
        """The hexadecimal part."""
        return self.partition(":")[2]

    @property
    def short(self) -> str:
        """The first twelve hexadecimal digits, as people read digests."""
        return self.encoded[:12]


class Hasher:
    """Hashes bytes as they arrive, in one or several algorithms. Not safe to share between threads."""

    __slots__ = ("_states", "size")

    def __init__(self, *algorithms: str) -> None:
        self._states = {name: hashlib.new(name) for name in algorithms or ("sha256",)}
        self.size = 0
        """Bytes fed so far."""

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The algorithms this hasher computes."""
        return tuple(self._states)

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Feed the next bytes; releases the interpreter lock for more than 2 KB."""
        for state in self._states.values():
            state.update(data)
        self.size += len(data)

    def digest(self, algorithm: str = "sha256") -> Digest:
        """The digest of all bytes so far. Raises KeyError for an algorithm not asked for at the start."""
        return Digest(f"{algorithm}:{self._states[algorithm].hexdigest()}")

    def copy(self) -> Hasher:
        """An independent hasher with the same state."""
        twin = Hasher.__new__(Hasher)
        twin._states = {name: state.copy() for name, state in self._states.items()}  # noqa: SLF001 - of this class
        twin.size = self.size
        return twin
