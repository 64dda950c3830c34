"""``havre backup``: a copy of everything as of one moment, while the server serves."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from havre.cli.output import size_text
from havre.cli.upkeep import failures_told, settings
from havre.cli.user import ConfigFile, Data, now

if TYPE_CHECKING:
    from havre.config import Config
    from havre.upkeep.backup import Reading, Tally
    from havre.upkeep.shelf import Generation, Shelf

app = typer.Typer(add_completion=False, rich_markup_mode=None)

INCOMPLETE = 4
"""Exit code when the backup stands, but content is missing or damaged."""

Rate = Annotated[float, typer.Option(help="Megabytes a second at most; 0 for as fast as it goes.", min=0, metavar="MB")]


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="The folder of backups; made if need be.", metavar="DIR")],
    verify: Annotated[bool, typer.Option("--verify", help="Read everything back and compare digests.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only read the newest backup back; make none.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="Only list the backups in the folder.")] = False,
    keep: Annotated[
        int | None, typer.Option(help="Remove all but the newest N backups afterwards.", min=1, metavar="N")
    ] = None,
    rate: Rate = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Say what was done as JSON.")] = False,
    data: Data = None,
    config: ConfigFile = None,
) -> None:
    """Copy everything as of one moment into a folder; the server may go on.

    Content that an earlier backup brought there is not copied again. A backup that broke off does not count. Ends with 4
    if content is missing or damaged: the registry's own (run havre fsck), or, with --verify, that of the backup.
    """
    with failures_told():
        from havre.upkeep.backup import read_back
        from havre.upkeep.shelf import Shelf

        shelf = Shelf(folder)
        if list_:
            for one in shelf.generations():
                print(f"{one.name}\t{one.rows} rows\t{one.blobs} blobs\t{size_text(one.bytes)}")
            return
        begun = time.monotonic()
        generation, tally = (
            (shelf.generation(), None)
            if check
            else asyncio.run(_make(settings(data, config), shelf, rate * 1_000_000, keep))
        )
        made = time.monotonic() - begun
        reading = read_back(shelf, generation, rate * 1_000_000) if verify or check else None
    damaged = reading.damaged if reading else ()
    if as_json:
        print(json.dumps(_document(generation, tally, made, list(damaged) if reading else None)))
    else:
        _say(generation, tally, reading)
    for what, digests in (("the registry has lost", generation.missing), ("the backup has lost", damaged)):
        for digest in digests:
            print(f"havre: {what} {digest}", file=sys.stderr)
    if generation.missing or damaged:
        raise typer.Exit(INCOMPLETE)


def _say(generation: Generation, tally: Tally | None, reading: Reading | None) -> None:
    if tally:
        print(
            f"{generation.name}: {generation.rows} rows, {tally.copied} blobs copied"
            f" ({size_text(tally.copied_bytes)}), {tally.kept} there already"
        )
    if reading:
        print(f"read back {reading.blobs} blobs ({size_text(reading.bytes)}): {len(reading.damaged)} damaged")


async def _make(config: Config, shelf: Shelf, rate: float, keep: int | None) -> tuple[Generation, Tally]:
    from havre.metadata import Database, upgrade
    from havre.metadata.engine import UPKEEP
    from havre.upkeep.backup import Backup

    upgrade(config.database_url)
    database = Database.open(config.database_url, UPKEEP)
    await database.start()
    try:
        return await Backup(config, shelf, database, now, rate).run(keep)
    finally:
        await database.close()


def _document(
    generation: Generation, tally: Tally | None, seconds: float, damaged: list[str] | None
) -> dict[str, object]:
    made = {} if tally is None else {"copied": tally.copied, "copiedBytes": tally.copied_bytes, "seconds": seconds}
    return {
        "name": generation.name,
        "rows": generation.rows,
        "blobs": generation.blobs,
        "bytes": generation.bytes,
        "missing": list(generation.missing),
        **made,
        **({} if damaged is None else {"damaged": damaged}),
    }
