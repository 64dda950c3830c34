"""``havre export``: an image's files as one tar."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from havre.cli import remote

app = remote.command()


@app.command()
def export(
    image: Annotated[
        str,
        typer.Argument(
            autocompletion=remote.local_names, help="A local image, one in a registry, oci:DIR, oci-archive:FILE, …"
        ),
    ],
    output_file: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write this file instead of standard output.", metavar="FILE")
    ] = None,
    in_registry: Annotated[bool, typer.Option("--remote", help="Ask the registry, whatever is here.")] = False,
    platform: remote.PlatformOption = None,
    insecure: remote.Insecure = False,
    ca: remote.Authority = None,
) -> None:
    """Write the file system of an image as a tar: all layers merged, white-outs applied.

    Names that climb out of the root stay within it, and nothing lies below a link: the tar is safe to unpack anywhere.
    """
    remote.run(_export(image, output_file, in_registry, platform, insecure, ca))


async def _export(
    text: str, path: Path | None, in_registry: bool, platform_text: str | None, insecure: bool, ca: Path | None
) -> None:
    from havre.cli.contents import opened_contents, place_of
    from havre.errors import InputInvalid
    from havre.images.export import export as write
    from havre.images.layout import written_whole
    from havre.images.threads import in_thread

    if path is None and sys.stdout.isatty():
        raise InputInvalid("cowardly refusing to export to a terminal: use -o FILE, or redirect")
    place = place_of(text, in_registry=in_registry)
    async with (
        remote.connect(insecure, ca, *place.registries) as client,
        opened_contents(place, client, remote.chosen_platform(platform_text)) as contents,
    ):
        layers = [layer for _, layer in contents.layers]
        if path is None:
            out: BinaryIO = sys.stdout.buffer
            await in_thread(write, layers, out)
            return
        with written_whole(path) as out:
            await in_thread(write, layers, out)
