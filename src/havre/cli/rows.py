"""``havre rows``: everything the database knows as one file, to move between SQLite and PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from havre.cli.user import ConfigFile, Data
from havre.errors import HavreError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Write all rows of the database to a file, or read them in: the way from SQLite to PostgreSQL and back.",
)

File = Annotated[Path, typer.Argument(help="The file of rows; compressed if its name ends in .zst.", metavar="FILE")]


@app.command()
def export(file: File, data: Data = None, config: ConfigFile = None) -> None:
    """Write accounts, repositories, manifests, tags and everything else the database knows, as of one moment.

    The server may go on. Layers are files, not rows: they stay where they are. The file holds password hashes and keys.
    """
    from havre.cli.upkeep import failures_told, settings

    with failures_told():
        from havre.metadata import upgrade
        from havre.metadata.portable import export_rows
        from havre.upkeep.files import written_rows

        found = settings(data, config)
        if file.exists():
            raise HavreError(f"{file} is there already: name a new file")
        upgrade(found.database_url)
        with written_rows(file, compressed=file.suffix == ".zst") as sink:
            summary = export_rows(found.database_url, sink)
    print(f"wrote {summary.total} rows of {len(summary.tables)} tables to {file}")


@app.command("import")
def import_(file: File, data: Data = None, config: ConfigFile = None) -> None:
    """Read such a file into a new, empty database, which is made if need be: all of it, or nothing.

    Set HAVRE_DATABASE_URL to the new database, and stop the server before the export: what it would write afterwards is
    not in the file.
    """
    from havre.cli.upkeep import failures_told, settings

    with failures_told():
        from havre.metadata.portable_import import import_rows
        from havre.upkeep.files import opened_rows

        found = settings(data, config)
        with opened_rows(file) as source:
            summary = import_rows(found.database_url, source)
    print(f"read {summary.total} rows of {len(summary.tables)} tables")
