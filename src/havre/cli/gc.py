"""``havre gc``: removes what nobody needs any more, while the server serves or while it does not."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from havre.cli.output import size_text
from havre.cli.upkeep import failures_told, settings
from havre.cli.user import ConfigFile, Data, now

if TYPE_CHECKING:
    from havre.config import Config
    from havre.metadata.engine import Database
    from havre.registry.gc import Collector, GarbageRules, Report
    from havre.registry.jobs import Jobs
    from havre.registry.why import Kept, Step, Why

app = typer.Typer(add_completion=False, rich_markup_mode=None)

HOUR = 3600 * 1000
_WAIT_SECONDS = 0.3


@app.command()
def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; say what would be done now.")] = False,
    grace: Annotated[
        float | None,
        typer.Option(help="Hours for which unneeded content stays (HAVRE_GC_GRACE_HOURS).", min=0, metavar="HOURS"),
    ] = None,
    why: Annotated[str | None, typer.Option(help="Only say why this content is kept.", metavar="DIGEST")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Say what was done as JSON.")] = False,
    data: Data = None,
    config: ConfigFile = None,
) -> None:
    """Remove content that nobody needs any more; pushes and pulls go on.

    What nobody needs is condemned first, and goes when that was long enough ago: a first run frees nothing. With a grace
    shorter than a push takes, a push under way may have to send something again.
    """
    with failures_told():
        loaded = settings(data, config)
        if why is not None:
            print(asyncio.run(_explained(loaded, why)))
            return
        # Whoever serves on this machine goes first.
        with contextlib.suppress(OSError):
            os.nice(10)
        report = asyncio.run(_collect(loaded, grace, dry_run))
    print(json.dumps(_document(report, dry_run)) if as_json else _table(report, dry_run))


def rules_of(config: Config, grace: float | None = None) -> GarbageRules:
    """What the settings say about collection."""
    from havre.registry.gc import GarbageRules

    hours = config.gc_grace_hours if grace is None else grace
    untagged = config.untagged_days * 24 * HOUR if config.untagged_days else None
    return GarbageRules(int(hours * HOUR), untagged, config.gc_pace / 100)


@contextlib.asynccontextmanager
async def _database(config: Config) -> AsyncIterator[Database]:
    from havre.metadata import Database, upgrade
    from havre.metadata.engine import UPKEEP

    upgrade(config.database_url)
    database = Database.open(config.database_url, UPKEEP)
    await database.start()
    try:
        yield database
    finally:
        await database.close()


async def _collect(config: Config, grace: float | None, dry: bool) -> Report:
    from havre.registry.gc import Collector
    from havre.registry.jobs import Jobs
    from havre.registry.uploads import UploadLimits, Uploads
    from havre.storage import open_configured

    async with _database(config) as database:
        storage = open_configured(config)
        try:
            limits = UploadLimits(expiry=config.upload_expiry_hours * HOUR)
            uploads = Uploads(database, storage.uploads, storage.blobs, now, limits)
            collector = Collector(database, storage.blobs, uploads, now, rules_of(config, grace))
            if dry:
                report = await collector.run(dry=True)
            else:
                report = await _in_turn(collector, Jobs(database, now), database)
        finally:
            storage.close()
    assert report is not None, "only a run with a limit of time is interrupted"
    return report


async def _in_turn(collector: Collector, jobs: Jobs, database: Database) -> Report | None:
    """Run when no other process does, as the job that a serving process would do."""
    from havre.registry.gc import COLLECT, COLLECT_KEY
    from havre.registry.jobs import LEASE, order

    lease, told = secrets.token_hex(8), False
    while True:
        await database.write(lambda rows: order(rows, COLLECT, COLLECT_KEY, {}, now()))
        job = await jobs.take([COLLECT], lease)
        if job is not None:
            break
        if not told:
            print("havre: another collection runs; waiting for its next pause", file=sys.stderr)
            told = True
        await asyncio.sleep(_WAIT_SECONDS)

    async def hold() -> None:
        while True:
            await asyncio.sleep(LEASE / 4000)
            await jobs.renew(job, 0, 0)

    holding = asyncio.create_task(hold())
    try:
        report = await collector.run(anew=True)
    except BaseException:
        await jobs.give_back(job)
        raise
    finally:
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)
    await jobs.finish(job)
    return report


def _document(report: Report, dry: bool) -> dict[str, object]:
    return {**asdict(report), "freed": report.freed, "looked": report.looked, "rate": round(report.rate), "dryRun": dry}


def _table(report: Report, dry: bool) -> str:
    lines = [f"{'':<12}{'looked at':>12}{'condemned':>12}{'acquitted':>12}{'removed':>12}{'size':>12}"]
    for stage, tally in report.stages.items():
        counts = "".join(f"{number:>12}" for number in (tally.looked, tally.condemned, tally.acquitted, tally.removed))
        lines.append(f"{stage:<12}{counts}{size_text(tally.bytes) if tally.bytes else '-':>12}")
    freed = f"would free {size_text(report.freed)} now" if dry else f"freed {size_text(report.freed)}"
    lines.append(f"{freed}; {report.looked} things looked at in {report.seconds:.1f} s, {report.rate:,.0f} a second")
    return "\n".join(lines)


# ---------------------------------------------------------------- why


async def _explained(config: Config, text: str) -> str:
    from havre.oci.digest import Digest
    from havre.registry.why import why

    digest = Digest.parse(text)
    async with _database(config) as database:
        return "\n".join(explain(await why(database, digest, rules_of(config))))


def explain(found: Why) -> list[str]:
    """The answer as lines."""
    lines = []
    if found.size is not None:
        lines.append(f"{found.digest}: content, {size_text(found.size)}")
        if found.condemned is not None:
            lines.append(f"  no repository has it since {_time(found.condemned)}; it goes after {_time(found.goes)}")
        elif not found.kept:
            lines.append("  no repository has it; the next collection will see that")
    for kept in found.kept:
        lines += _kept(kept, "named by")
    for kept in found.manifests:
        lines.append(f"{found.digest}: manifest in {_place(kept)}")
        lines += [line for step in kept.steps for line in _step(step, 1)]
        if kept.goes is not None:
            lines.append(f"  no tag leads there; it goes after {_time(kept.goes)}")
    lines += [f"{found.digest}: an upload to {name} is under way" for name in found.uploads]
    return lines


def _kept(kept: Kept, verb: str) -> list[str]:
    lines = [f"  in {_place(kept)}"]
    for step in kept.steps:
        lines += _step(step, 2, verb)
    if kept.goes is not None:
        lines.append(f"    no manifest there names it; it leaves that repository after {_time(kept.goes)}")
    elif not kept.steps:
        lines.append("    no manifest there names it (yet)")
    return lines


def _step(step: Step, depth: int, verb: str = "as") -> list[str]:
    one = step.holder
    tags = f", tagged {', '.join(one.tags)}" if one.tags else ", no tag"
    lines = [f"{'  ' * depth}{verb} {one.digest} ({one.kind}{tags})"]
    for above in step.above:
        lines += _step(above, depth + 1, "below" if above.holder.kind != "subject" else "about")
    return lines


def _place(kept: Kept) -> str:
    return f"{kept.place.name}{' (deleted, can be restored)' if kept.place.deleted else ''}"


def _time(at: int | None) -> str:
    return datetime.fromtimestamp((at or 0) / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
