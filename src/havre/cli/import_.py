"""``havre import``: what another registry left on disk, brought in on the host itself, while Havre runs or not."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from havre.cli import remote
from havre.cli.importing import number
from havre.cli.output import Output, plain, size_text
from havre.cli.user import ConfigFile, Data, now, run_on_rows
from havre.errors import ConfigError, InputInvalid

if TYPE_CHECKING:
    from havre.adopt.importing import Importer, Options
    from havre.adopt.report import Counts, Left, Report
    from havre.config import Config
    from havre.metadata.engine import Database
    from havre.storage import Storage

app = remote.command()

SHOWN = 20
"""Things left out of each kind that are printed; all are in the JSON document."""


@app.command(name="import")
def import_(
    source: Annotated[
        Path, typer.Argument(help="A distribution registry's folder, or an OCI layout: folder, tar, tree of folders.")
    ],
    into: Annotated[
        str,
        typer.Option(help="Whose the repositories become that no account here has by their name.", metavar="NAMESPACE"),
    ] = "",
    repository: Annotated[
        list[str] | None, typer.Option(help="Only those whose name there fits, such as 'team/*'.", metavar="PATTERN")
    ] = None,
    rename: Annotated[list[str] | None, typer.Option(help="Where one of them goes.", metavar="NAME=NAME")] = None,
    visibility: Annotated[str | None, typer.Option(help="public or private: of what is made.", metavar="WHICH")] = None,
    link: Annotated[
        bool,
        typer.Option(
            "--link", help="Give files on the same file system a second name instead of copying them: see the manual."
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing, and tell what would come.")] = False,
    quiet: remote.Quiet = False,
    as_json: remote.Json = False,
    data: Data = None,
    config: ConfigFile = None,
) -> None:
    """Bring in everything another registry holds: tags with their history and times, manifests byte for byte, and blobs.

    Nothing is changed in the source, and nothing that was pushed here since is moved back. Every digest is checked.
    Run again after an interruption, it goes on. No plan limits what comes. Ends with 1 if anything was left out.
    """
    output = Output(quiet=quiet, as_json=as_json)

    async def work(database: Database, settings: Config) -> Report:
        chosen = _options(visibility, dry_run=dry_run, link=link)
        make = partial(_importer, database, into=into, renames=rename or [], options=chosen)
        return await _run(source, repository or [], settings, make, output)

    report = run_on_rows(work, data, config)
    _tell(report, output)
    if not report.complete:
        raise typer.Exit(1)


async def _run(
    source: Path, patterns: list[str], settings: Config, make: Callable[[Storage, Config], Importer], output: Output
) -> Report:
    from havre.adopt.opening import open_source
    from havre.cli.importing import watched
    from havre.storage import open_configured

    _check_owner(settings.data)
    storage = open_configured(settings)
    try:
        found = open_source(source)
        try:
            with watched(output) as watch:
                return await make(storage, settings).run(found, watch, patterns)
        finally:
            found.close()
    finally:
        storage.close()


def _importer(
    database: Database,
    storage: Storage,
    settings: Config,
    *,
    into: str,
    renames: list[str],
    options: Options,
) -> Importer:
    from havre.adopt.importing import Importer, Services
    from havre.adopt.names import Names
    from havre.registry.adoption import Adoption
    from havre.registry.blobs import Blobs
    from havre.registry.events import Events
    from havre.registry.manifests import Manifests
    from havre.registry.uploads import UploadLimits, Uploads

    unclear = [one for one in renames if one.count("=") != 1]
    if unclear:
        raise InputInvalid(f"--rename {unclear[0]!r}: write NAME_THERE=NAME_HERE")
    adoption = Adoption(database, now)
    blobs = Blobs(database, storage.blobs, now)
    sparse = settings.sparse_manifests == "accept"
    limits = UploadLimits(per_account=1_000_000, in_flight=1 << 62, plans=False)
    services = Services(
        adoption,
        Uploads(database, storage.uploads, storage.blobs, now, limits),
        blobs,
        Manifests(database, blobs, now, Events(), sparse=sparse),
    )
    names = Names(adoption, into, dict(one.split("=") for one in renames))
    return Importer(services, names, options)


def _options(visibility: str | None, *, dry_run: bool, link: bool) -> Options:
    from havre.adopt.importing import Options
    from havre.registry.records import Visibility

    if visibility not in {None, *Visibility}:
        raise InputInvalid(f"--visibility {visibility!r} is neither public nor private")
    return Options(dry_run, Visibility(visibility) if visibility else None, link=link)


def _check_owner(data: Path) -> None:
    """Files that root makes in another user's folder could not be served. Raises ConfigError."""
    if os.geteuid() == 0 and data.is_dir() and (owner := data.stat().st_uid) != 0:
        raise ConfigError(
            f"{data} belongs to user {owner}, and what root writes there that user could not read:"
            f" run this as that user, such as with: setpriv --reuid={owner} --regid={data.stat().st_gid} --clear-groups"
        )


def _tell(report: Report, output: Output) -> None:
    if output.as_json:
        output.result("", report.to_json())
        return
    verb = "would come" if report.dry_run else "came"
    if output.quiet:
        print(_counted(report.brought))
    else:
        output.say(f"{verb}: {_counted(report.brought)}")
        output.say(f"already here: {_counted(report.present)}")
        for size, how in ((report.linked, "linked"), (report.cloned, "cloned")):
            if size:
                output.say(f"of that {how}, not written again: {size_text(size)}")
        if report.empty:
            output.say(f"empty there, and not made here: {number(report.empty, 'repository', 'repositories')}")
    _tell_left("damaged in the source", report.damaged)
    _tell_left("left out", report.skipped)


def _tell_left(title: str, left: list[Left]) -> None:
    if left:
        print(f"{title}: {len(left)}", file=sys.stderr)
    for one in left[:SHOWN]:
        print(f"  {plain(f'{one.where}: {one.kind} {one.what}: {one.why}')}", file=sys.stderr)
    if len(left) > SHOWN:
        print(f"  and {len(left) - SHOWN} more; --json lists them", file=sys.stderr)


def _counted(counts: Counts) -> str:
    parts = (
        number(counts.repositories, "repository", "repositories"),
        number(counts.tags, "tag", "tags"),
        number(counts.manifests, "manifest", "manifests"),
        number(counts.blobs, "blob", "blobs"),
    )
    return f"{', '.join(parts)} ({size_text(counts.bytes)})"
