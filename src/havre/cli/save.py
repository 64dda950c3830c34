"""``havre save``: images of the local store into a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from havre.cli import remote
from havre.cli.output import Output

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
    quiet: remote.Quiet = False,
    as_json: remote.Json = False,
) -> None:
    """Write images to a file that docker, podman, skopeo and havre can load."""
    remote.run(_save(images, output_file, Output(quiet=quiet, as_json=as_json)))


async def _save(images: list[str], path: Path | None, output: Output) -> None:
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
    platform = remote.chosen_platform(None)
    if path is None and output.as_json:
        raise InputInvalid("--json and the file can not both go to standard output: use -o FILE")
    if path is None and sys.stdout.isatty():
        raise InputInvalid("cowardly refusing to save to a terminal: use -o FILE, or redirect")
    with output.bar("Saving") as advance:
        if path is None:
            write(store, chosen.values(), sys.stdout.buffer, platform, advance)
            return
        save_to(store, chosen.values(), path, platform, advance)
    saved = [{"digest": str(descriptor.digest), "names": names} for descriptor, names in chosen.values()]
    output.result(str(path), {"file": str(path), "images": saved})
