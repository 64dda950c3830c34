"""Restore: a registry made of a backup, where there is none yet.

The content first, the rows last and all at once: until they are there, the registry is empty, and a restore that broke
off is begun again.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

from havre.config import Config
from havre.errors import InputInvalid
from havre.metadata.portable import Summary
from havre.metadata.portable_import import Change, check_empty, import_rows
from havre.oci.digest import Digest
from havre.registry.holds import BACKUP
from havre.upkeep.contents import Contents, contents_of
from havre.upkeep.files import digest_of, opened_rows, pace_of
from havre.upkeep.shelf import Content, Generation, Shelf

COPIES = 4
_AT_ONCE = 64


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
    contents = contents_of(config, make=True)
    with contents.claimed(generation.name):
        blobs, size, lacking = _bring_all(shelf, generation, contents, rate)
        unexpected = sorted(set(lacking) - set(generation.missing))
        if unexpected and not incomplete:
            raise InputInvalid(
                f"the backup {generation.name} lacks {len(unexpected)} of its blobs, {unexpected[0]} is one: take another"
                " generation, or restore what is there with --incomplete"
            )
        with opened_rows(shelf.rows(generation.name)) as source:
            rows = import_rows(config.database_url, source, _changes(contents))
    return Restored(generation, rows, blobs, size, tuple(lacking))


def _bring_all(shelf: Shelf, generation: Generation, contents: Contents, rate: float) -> tuple[int, int, list[str]]:
    pace = pace_of(rate)

    def bring(content: Content) -> bool:
        return contents.bring(content, shelf.blob(content.digest), pace)

    blobs, size, lacking = 0, 0, []
    with ThreadPoolExecutor(COPIES, "restore") as pool:
        named = shelf.content(generation.name)
        while batch := list(islice(named, _AT_ONCE)):
            for content, there in zip(batch, pool.map(bring, batch), strict=True):
                if there:
                    blobs, size = blobs + 1, size + content.size
                else:
                    lacking.append(str(content.digest))
    contents.settle()
    return blobs, size, lacking


def _changes(contents: Contents) -> dict[str, Change]:
    def placed(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "storage_key": contents.key(Digest.parse(row["digest"]))}

    keep: Callable[[dict[str, Any]], bool] = lambda row: row["kind"] != BACKUP  # noqa: E731
    return {
        "blobs": placed,
        # Their bytes are in no backup: clients begin again.
        "uploads": lambda _row: None,
        # The backup itself, which was running at that moment.
        "jobs": lambda row: row if keep(row) else None,
    }
