"""The shelf: a folder of backups, each of one moment, which share the content that they have in common.

    SHELF/
    ├── blobs/sha256/6c/6c3c…             content, once for all generations, named by its digest
    ├── generations/
    │   ├── 20260921T131500Z-5f2a.rows.zst    the rows of one moment (see metadata.portable)
    │   └── 20260921T131500Z-5f2a.json        says that this generation is whole: written last, by a rename
    └── lock                              held by who changes the shelf

What has no ``.json`` is no backup, whatever lies there: a crash leaves nothing that could be taken for one.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from havre.errors import Conflict, InputInvalid
from havre.metadata.portable import Reader
from havre.oci.digest import Digest
from havre.storage.layout import Layout
from havre.upkeep.files import opened_rows, written

FORMAT = 1

_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{4}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Generation:
    """A backup of one moment."""

    name: str
    made: int
    """Milliseconds since 1970, UTC: the moment that it holds."""
    schema: str
    rows: int
    rows_digest: str
    """Of the file of rows as it lies on the shelf."""
    blobs: int
    bytes: int
    """Of all its blobs."""
    missing: tuple[str, ...] = ()
    """Digests of content that the registry itself had lost when the backup was made."""
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Content:
    """A blob as a row names it: its digest, its size in bytes, and the key under which the registry stores it."""

    digest: Digest
    size: int
    key: str


class Shelf:
    """A folder of backups. Making one touches nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._layout = Layout(self.folder)
        self._generations = self.folder / "generations"

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Make the folder if need be and be the only one who changes it. Raises Conflict if somebody else does."""
        self._generations.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._layout.blobs.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Conflict(f"another backup writes to {self.folder}: wait until it has ended") from error
            yield
        finally:
            os.close(lock)

    def blob(self, digest: Digest) -> Path:
        """The file of a blob."""
        return self._layout.blob(self._layout.key(digest))

    def rows(self, name: str) -> Path:
        """The file of a generation's rows."""
        return self._generations / f"{name}.rows.zst"

    def new_name(self) -> str:
        """A name for a generation that begins now."""
        return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()) + "-" + secrets.token_hex(2)

    def publish(self, generation: Generation) -> None:
        """Say that a generation is whole; from here on it counts."""
        document = json.dumps(asdict(generation), indent=1) + "\n"
        with written(self._sheet(generation.name)) as file:
            file.write(document.encode())

    def generations(self) -> list[Generation]:
        """Those that are whole, the oldest first. Raises InputInvalid for one of a newer format."""
        if not self._generations.is_dir():
            return []
        names = sorted(path.stem for path in self._generations.glob("*.json") if _NAME.fullmatch(path.stem))
        # Two may be of one second, where names say nothing.
        return sorted(map(self._read, names), key=lambda one: (one.made, one.name))

    def generation(self, name: str = "") -> Generation:
        """The one of that name, else the newest. Raises InputInvalid if there is none."""
        every = self.generations()
        found = [one for one in every if name in ("", one.name)]
        if not found:
            known = f"; there are {', '.join(one.name for one in every[-5:])}" if every else ""
            what = f"no backup {name!r}" if name else "no complete backup"
            raise InputInvalid(f"there is {what} in {self.folder}{known}")
        return found[-1]

    def content(self, name: str) -> Iterator[Content]:
        """The blobs that a generation's rows name. Raises InputInvalid if its file of rows is damaged."""
        with opened_rows(self.rows(name)) as source:
            reader = Reader(source)
            reader.head()
            for section, row in reader.rows():
                if section.table == "blobs" and row is not None:
                    yield Content(Digest.parse(row["digest"]), int(row["size"]), str(row["storage_key"]))

    def prune(self, keep: int) -> int:
        """Remove all but the newest ``keep`` generations, and the content that none of those needs; returns how many."""
        every = self.generations()
        gone = every[: max(0, len(every) - keep)]
        for one in gone:
            self._sheet(one.name).unlink()
        kept = {one.name for one in every[len(gone) :]}
        self.tidy()
        if gone:
            # As bytes: a third of the memory of the text.
            needed = {bytes.fromhex(one.digest.encoded) for name in kept for one in self.content(name)}
            for path in self._layout.blobs.glob("*/*/*"):
                if not re.fullmatch(r"[0-9a-f]+", path.name) or bytes.fromhex(path.name) not in needed:
                    path.unlink()
        return len(gone)

    def tidy(self) -> None:
        """Remove the rows of generations that never became whole, or are none any more."""
        for path in self._generations.iterdir():
            if not self._sheet(path.name.partition(".")[0]).exists():
                path.unlink()

    def _sheet(self, name: str) -> Path:
        return self._generations / f"{name}.json"

    def _read(self, name: str) -> Generation:
        path = self._sheet(name)
        try:
            values = json.loads(path.read_bytes())
            if values["format"] != FORMAT:
                raise InputInvalid(
                    f"{path} has format {str(values['format'])[:20]}, this version of Havre reads {FORMAT}:"
                    " use the version that wrote it"
                )
            return Generation(**{**values, "missing": tuple(values["missing"])})
        except (ValueError, KeyError, TypeError) as error:
            raise InputInvalid(f"{path} is damaged: name another generation") from error
