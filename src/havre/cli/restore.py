"""``havre restore``: a registry made of a backup, where there is none yet."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from havre.cli.backup import INCOMPLETE, Rate
from havre.cli.output import size_text
from havre.cli.upkeep import failures_told, settings
from havre.cli.user import ConfigFile, Data

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="The folder of backups.", metavar="DIR")],
    generation: Annotated[str, typer.Option(help="Which backup; otherwise the newest.", metavar="NAME")] = "",
    incomplete: Annotated[
        bool, typer.Option("--incomplete", help="Restore what is there, though the backup lacks content.")
    ] = False,
    rate: Rate = 0,
    data: Data = None,
    config: ConfigFile = None,
) -> None:
    """Make a registry of a backup, in a new, empty data folder and database; on either engine.

    Every byte is compared with its digest. A restore that broke off is begun again by the same command. Ends with 4 if
    content is lacking: pushing it again heals.
    """
    with failures_told():
        from havre.upkeep.restore import restore as work
        from havre.upkeep.shelf import Shelf

        done = work(settings(data, config), Shelf(folder), generation, incomplete=incomplete, rate=rate * 1_000_000)
    print(
        f"restored {done.generation.name}: {done.rows.total} rows, {done.blobs} blobs ({size_text(done.bytes)}),"
        " every byte compared"
    )
    for digest in done.lacking:
        print(f"havre: the backup has no {digest}", file=sys.stderr)
    if done.lacking:
        raise typer.Exit(INCOMPLETE)
