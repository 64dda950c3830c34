"""``havre copy``: an image from any place to any other, its digest kept."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from havre.cli import remote
from havre.cli.output import Output

if TYPE_CHECKING:
    from havre.cli.places import Place
    from havre.client import Client
    from havre.client.registry import Repository
    from havre.images.layout import Layout
    from havre.oci.digest import Digest
    from havre.oci.names import Tag

app = remote.command()

_FALLBACK = re.compile(r"sha(256|512)-[0-9a-f]{64}")
"""The tag of a list of referrers, at registries that keep none themselves."""

WORDS = {
    "waiting": "Waiting",
    "moving": "Copying",
    "exists": "Already exists",
    "mounted": "Mounted from {origin}",
    "done": "Copied",
}


@app.command()
def copy(
    source: Annotated[str, typer.Argument(help="[HOST/]PATH[:TAG|@DIGEST], oci:DIR, oci-archive:FILE, …")],
    target: Annotated[str, typer.Argument(help="The same forms.")],
    platform: remote.PlatformOption = None,
    all_platforms: Annotated[
        bool, typer.Option("--all-platforms", help="All images of several: what happens anyway without --platform.")
    ] = False,
    all_tags: Annotated[
        bool,
        typer.Option("--all-tags", "-a", help="The whole repository or layout: every tag, and what refers to images."),
    ] = False,
    quiet: remote.Quiet = False,
    as_json: remote.Json = False,
    insecure: remote.Insecure = False,
    ca: remote.Authority = None,
) -> None:
    """Copy an image between registries, OCI layouts (oci:DIR[:TAG]) and archives (oci-archive:FILE[:NAME],
    docker-archive:FILE[:NAME]), a docker engine (docker-daemon:NAME), or out of the local store (local:NAME).

    Without --platform everything is copied, and the digest stays the same; an engine gets the platform of this machine.
    """
    wanted = None if all_platforms else platform
    output = Output(quiet=quiet, as_json=as_json)
    work = _copy_all if all_tags else _copy
    remote.run(work(source, target, wanted, output, insecure, ca))


async def _copy(
    source_text: str,
    target_text: str,
    platform_text: str | None,
    output: Output,
    insecure: bool,
    ca: Path | None,
) -> None:
    from havre.cli.places import Place, opened_sink, opened_source
    from havre.client import copy as copying

    source_place, target_place = Place.parse(source_text), Place.parse(target_text)
    chosen = platform_text or target_place.kind == "docker-daemon"
    platform = remote.chosen_platform(platform_text) if chosen else None
    registries = source_place.registries + target_place.registries
    origin = _origin(source_place, target_place)
    async with (
        remote.connect(insecure, ca, *registries) as client,
        opened_source(source_place, client) as (source, reference),
        opened_sink(target_place, client, platform) as (sink, tag),
    ):
        with output.progress(WORDS) as watch:
            options = copying.Options(platform, origins=lambda _: origin, watch=watch)
            copied = await copying.copy(source, sink, reference, tag, options)
    output.say(f"{target_text}: digest: {copied.digest} size: {copied.size}")
    document = {"name": target_text, "digest": str(copied.digest), "size": copied.size}
    output.result(str(copied.digest), document | {"blobs": list(watch.ended.values())})


async def _copy_all(
    source_text: str,
    target_text: str,
    platform_text: str | None,
    output: Output,
    insecure: bool,
    ca: Path | None,
) -> None:
    from havre.cli.places import Place
    from havre.client import copy as copying
    from havre.errors import ManifestUnknown
    from havre.oci.names import Tag

    platform = remote.chosen_platform(platform_text) if platform_text else None
    places = Place.parse(source_text), Place.parse(target_text)
    origin = _origin(*places)
    documents = []
    known: set[Digest] = set()
    async with remote.connect(insecure, ca, *places[0].registries, *places[1].registries) as client:
        source, sink = (_whole(place, client) for place in places)
        tags = [Tag.parse(text) async for text in source.tags()]
        if not tags:
            raise ManifestUnknown(f"{source_text} has no tags")
        # Lists of referrers come first: what is there at the target already is then added to, not overwritten.
        for tag in sorted(tags, key=lambda one: not _FALLBACK.fullmatch(one)):
            if _FALLBACK.fullmatch(tag) and await _has(sink, tag):
                continue
            with output.progress(WORDS) as watch:
                options = copying.Options(platform, origins=lambda _: origin, watch=watch)
                copied = await copying.copy(source, sink, tag, tag, options)
                referrers = (
                    []
                    if _FALLBACK.fullmatch(tag)
                    else await copying.copy_referrers(source, sink, copied, options, known)
                )
            output.say(f"{tag}: digest: {copied.digest} size: {copied.size}")
            for one in referrers:
                output.say(f"{tag}: referrer: {one.digest} size: {one.size}")
            document = {"tag": str(tag), "digest": str(copied.digest), "size": copied.size}
            more = {"blobs": list(watch.ended.values()), "referrers": [str(one.digest) for one in referrers]}
            documents.append(document | more)
    output.result("\n".join(f"{one['tag']} {one['digest']}" for one in documents), documents)


async def _has(sink: Repository | Layout, tag: Tag) -> bool:
    from havre.errors import ManifestUnknown, NameUnknown

    try:
        await sink.manifest(tag)
    except (ManifestUnknown, NameUnknown):
        return False
    return True


def _whole(place: Place, client: Client) -> Repository | Layout:
    """A repository or a layout. Raises NameInvalid for one image of it, InputInvalid for what is neither."""
    from havre.errors import InputInvalid, NameInvalid
    from havre.images.layout import Layout

    if place.kind not in {"docker", "oci"}:
        raise InputInvalid(f"--all-tags copies between repositories and layouts (oci:DIR), not {place.kind}")
    if place.name or "@" in place.where or (place.kind == "docker" and ":" in place.where.rpartition("/")[2]):
        raise NameInvalid(f"{place.where!r} names one image: leave its tag out, or leave out --all-tags")
    return client.repository(remote.parse_image(place.where)) if place.kind == "docker" else Layout(Path(place.where))


def _origin(source: Place, target: Place) -> str:
    """The repository from which blobs may be mounted: the source, if both are in one registry."""
    if not source.kind == target.kind == "docker":
        return ""
    from_image, to_image = remote.parse_image(source.where), remote.parse_image(target.where)
    return from_image.path if from_image.registry == to_image.registry else ""
