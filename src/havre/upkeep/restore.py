"""Restore: a registry made of a backup, where there is none yet.

The content first, the rows last and all at once: until they are there, the registry is empty, and a restore that broke
off is begun again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from havre.config import Config
from havre.errors import Conflict, InputInvalid
from havre.metadata.portable import Summary
from havre.metadata.portable_import import Change, check_empty, import_rows
from havre.oci.digest import Digest
from havre.registry.holds import BACKUP
from havre.storage import open_storage
from havre.storage.disk import size_of, sync_folder
from havre.storage.layout import Layout
from havre.upkeep.files import copy_verified, digest_of, opened_rows, pace_of, written
from havre.upkeep.shelf import Content, Generation, Shelf, layout_of

COPIES = 4
_AT_ONCE = 64
_MARK = "restoring.json"


@dataclass(frozen=True, slots=True)
class Restored:
    """What a registry was made of."""

    generation: Generation
    rows: Summary
    blobs: int
    bytes: int
    lacking: tuple[str, ...]
    """Digests of content that the backup does not have: pushing it again heals."""


def restore(config: Config, shelf: Shelf, name: str = "", *, incomplete: bool = False, rate: float = 0) -> Restored:
    """Make the registry of the settings from a generation: the newest, or the one of that name.

    Raises InputInvalid if there is none or if it is damaged (unless ``incomplete`` content will do), Conflict if the
    registry is not empty, StorageFull, Unavailable, and OSError of either side.
    """
    generation = shelf.generation(name)
    if digest_of(shelf.rows(generation.name)) != generation.rows_digest:
        raise InputInvalid(f"the rows of the backup {generation.name} are damaged: take another generation")
    check_empty(config.database_url)
    layout = layout_of(config)
    open_storage(config.storage_url, config.data).close()
    with _Claim(layout, generation):
        blobs, size, lacking = _bring_all(shelf, generation, layout, rate)
        unexpected = sorted(set(lacking) - set(generation.missing))
        if unexpected and not incomplete:
            raise InputInvalid(
                f"the backup {generation.name} lacks {len(unexpected)} of its blobs, {unexpected[0]} is one: take another"
                " generation, or restore what is there with --incomplete"
            )
        with opened_rows(shelf.rows(generation.name)) as source:
            rows = import_rows(config.database_url, source, _changes(layout))
    return Restored(generation, rows, blobs, size, tuple(lacking))


class _Claim:
    """The folder of blobs, empty, or left by a restore of the same generation that broke off. Raises Conflict."""

    def __init__(self, layout: Layout, generation: Generation) -> None:
        self._folder = layout.blobs
        self._mark = layout.blobs.parent / _MARK
        self._name = generation.name

    def __enter__(self) -> None:
        begun = ""
        with suppress(FileNotFoundError, ValueError, KeyError, TypeError):
            begun = json.loads(self._mark.read_bytes())["generation"]
        if begun != self._name and any(path.is_file() for path in self._folder.rglob("*")):
            raise Conflict(
                f"{self._folder} is not empty: a backup is restored into a new, empty data folder only"
                " (move the old one away, or name another with --data)"
            )
        with written(self._mark) as file:
            file.write(json.dumps({"generation": self._name}).encode())

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            self._mark.unlink()
            sync_folder(self._mark.parent)


def _bring_all(shelf: Shelf, generation: Generation, layout: Layout, rate: float) -> tuple[int, int, list[str]]:
    pace = pace_of(rate)

    def bring(content: Content) -> bool:
        source, target = shelf.blob(content.digest), layout.blob(layout.key(content.digest))
        algorithm = content.digest.algorithm
        if size_of(target) == content.size and digest_of(target, algorithm, pace) == content.digest:
            return True
        if size_of(source) != content.size:
            return False
        return copy_verified(source, target, content.digest, pace)

    blobs, size, lacking = 0, 0, []
    with ThreadPoolExecutor(COPIES, "restore") as pool:
        contents = shelf.content(generation.name)
        while batch := list(islice(contents, _AT_ONCE)):
            for content, there in zip(batch, pool.map(bring, batch), strict=True):
                if there:
                    blobs, size = blobs + 1, size + content.size
                else:
                    lacking.append(str(content.digest))
    for folder in _folders(layout.blobs):
        sync_folder(folder)
    return blobs, size, lacking


def _folders(root: Path) -> Iterator[Path]:
    yield root.parent
    yield root
    for algorithm in root.iterdir():
        if algorithm.is_dir():
            yield algorithm


def _changes(layout: Layout) -> dict[str, Change]:
    def placed(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "storage_key": layout.key(Digest.parse(row["digest"]))}

    keep: Callable[[dict[str, Any]], bool] = lambda row: row["kind"] != BACKUP  # noqa: E731
    return {
        "blobs": placed,
        # Their bytes are in no backup: clients begin again.
        "uploads": lambda _row: None,
        # The backup itself, which was running at that moment.
        "jobs": lambda row: row if keep(row) else None,
    }
