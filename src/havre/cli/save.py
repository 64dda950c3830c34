"""``havre save``: images of the local store into a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from havre.cli import remote

if TYPE_CHECKING:
    from havre.oci.descriptor import Descriptor

app = remote.command()


@app.command()
def save(
    images: Annotated[
        list[str], typer.Argument(autocompletion=remote.local_names, help="Names or IDs.", metavar="IMAGE...")
    ],
    output_file: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write this file instead of standard output.", metavar="FILE")
    ] = None,
) -> None:
    """Write images to a file that docker, podman, skopeo and havre can load."""
    remote.run(_save(images, output_file))


async def _save(images: list[str], path: Path | None) -> None:
    from havre.errors import InputInvalid
    from havre.images.save import save as write
    from havre.images.save import save_to

    store = remote.local_store()
    chosen: dict[str, tuple[Descriptor, list[str]]] = {}
    for text in images:
        name, descriptor = remote.find_local(store, text)
        names = chosen.setdefault(descriptor.digest, (descriptor, []))[1]
        # An ID stands for the image alone, as with docker.
        if not descriptor.digest.encoded.startswith(text.removeprefix("sha256:")):
            names.append(name)
    if path is not None:
        save_to(store, chosen.values(), path, remote.chosen_platform(None))
        return
    if sys.stdout.isatty():
        raise InputInvalid("cowardly refusing to save to a terminal: use -o FILE, or redirect")
    write(store, chosen.values(), sys.stdout.buffer, remote.chosen_platform(None))
