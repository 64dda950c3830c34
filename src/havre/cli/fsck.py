"""``havre fsck``: every byte read again and compared with its digest, every row with what it refers to."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from havre.cli.output import size_text
from havre.cli.upkeep import failures_told, settings
from havre.cli.user import ConfigFile, Data, now

if TYPE_CHECKING:
    from havre.config import Config
    from havre.registry.check import Finding, Report

app = typer.Typer(add_completion=False, rich_markup_mode=None)

REPAIRED, DAMAGED = 3, 4
"""Exit codes when something was wrong: all of it was put right, or not all of it."""

_EVERY = 5.0


@app.command()
def fsck(
    repair: Annotated[bool, typer.Option("--repair", help="Put rows right, so that pushing again heals.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing, not even set damaged files aside.")
    ] = False,
    rate: Annotated[
        float, typer.Option(help="Megabytes a second at most; 0 for as fast as it goes.", min=0, metavar="MB")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Say what was found as JSON.")] = False,
    data: Data = None,
    config: ConfigFile = None,
) -> None:
    """Read all content again and compare it with its digest, and all rows with what they refer to. The server may go on.

    A damaged file is moved to DATA/quarantine, never deleted: nobody is served it any more, and clients that push are told
    to send it again. With --repair rows without content go too, with their links. Ends with 0 if nothing is damaged, 3 if
    all that was is repaired, 4 if something still is.
    """
    with failures_told():
        begun = time.monotonic()
        report = asyncio.run(_run(settings(data, config), rate * 1_000_000, repair, not dry_run))
        seconds = time.monotonic() - begun
    if as_json:
        print(json.dumps(_document(report, seconds)))
    else:
        for one in report.findings:
            print(_line(one))
        print(
            f"{report.blobs} blobs ({size_text(report.bytes)}, {size_text(int(report.bytes / seconds))}/s),"
            f" {report.manifests} manifests: "
            + (f"{report.damage} damaged" if report.damage else "all is well")
            + (f", {report.unrepaired} still are" if report.unrepaired and repair else "")
        )
    if report.damage:
        raise typer.Exit(DAMAGED if report.unrepaired else REPAIRED)


async def _run(config: Config, rate: float, repair: bool, touch: bool) -> Report:
    from havre.metadata import Database, upgrade
    from havre.metadata.engine import UPKEEP
    from havre.registry.check import Check, pace_of
    from havre.storage import open_configured

    upgrade(config.database_url)
    database, storage = Database.open(config.database_url, UPKEEP), open_configured(config, now)
    await database.start()
    sparse = config.sparse_manifests == "accept"
    told = time.monotonic()

    def tell(report: Report) -> None:
        nonlocal told
        if time.monotonic() > told + _EVERY and sys.stderr.isatty():
            told = time.monotonic()
            print(f"{report.blobs} blobs, {size_text(report.bytes)}, {report.manifests} manifests …", file=sys.stderr)

    try:
        check = Check(database, storage.checks, now, pace_of(rate), sparse=sparse, repair=repair, touch=touch)
        return await check.everything(tell)
    finally:
        await database.close()
        storage.close()


def _line(finding: Finding) -> str:
    done = f": {finding.done}" if finding.done else ""
    hurt = f" (hurts {', '.join(finding.tags)})" if finding.tags else ""
    return f"{finding.problem}\t{finding.subject}{done}{hurt}"


def _document(report: Report, seconds: float) -> dict[str, Any]:
    return {
        "blobs": report.blobs,
        "bytes": report.bytes,
        "manifests": report.manifests,
        "seconds": round(seconds, 3),
        "damage": report.damage,
        "unrepaired": report.unrepaired,
        "counts": dict(report.counts),
        "findings": [
            {
                "problem": one.problem,
                "subject": one.subject,
                "repaired": one.repaired,
                "done": one.done,
                "tags": list(one.tags),
            }
            for one in report.findings
        ],
    }
