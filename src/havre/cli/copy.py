"""``havre copy``: an image from any place to any other, its digest kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from havre.cli import remote
from havre.cli.output import Output

app = remote.command()

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
    quiet: remote.Quiet = False,
    as_json: remote.Json = False,
    insecure: remote.Insecure = False,
    ca: remote.Authority = None,
) -> None:
    """Copy an image between registries, OCI layouts (oci:DIR[:TAG]) and archives (oci-archive:FILE[:NAME],
    docker-archive:FILE[:NAME]), or out of the local store (local:NAME).

    Without --platform everything is copied, and the digest stays the same.
    """
    wanted = None if all_platforms else platform
    remote.run(_copy(source, target, wanted, Output(quiet=quiet, as_json=as_json), insecure, ca))


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

    platform = remote.chosen_platform(platform_text) if platform_text else None
    source_place, target_place = Place.parse(source_text), Place.parse(target_text)
    registries = source_place.registries + target_place.registries
    origin = ""
    if source_place.kind == target_place.kind == "docker":
        from_image, to_image = remote.parse_image(source_place.where), remote.parse_image(target_place.where)
        origin = from_image.path if from_image.registry == to_image.registry else ""
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
