"""``havre load``: image files into the local store."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from havre.cli import remote
from havre.cli.output import Output

app = remote.command()


@app.command()
def load(
    input_file: Annotated[
        Path | None, typer.Option("--input", "-i", help="Read this file instead of standard input.", metavar="FILE")
    ] = None,
    quiet: remote.Quiet = False,
    as_json: remote.Json = False,
) -> None:
    """Read an image file into the local store: of docker save, podman save, or an OCI layout in a tar."""
    remote.run(_load(input_file, Output(quiet=quiet, as_json=as_json)))


async def _load(path: Path | None, output: Output) -> None:
    from havre.client.references import HUB, RemoteImage, familiar
    from havre.errors import HavreError, InputInvalid
    from havre.images.archive import load as load_archive
    from havre.images.compression import spool

    store = remote.local_store()
    spooled = None
    if path is None:
        if sys.stdin.isatty():
            raise InputInvalid("requested load from stdin, but stdin is empty: name a file with -i FILE")
        path = spooled = spool(sys.stdin.buffer, store.root)
    try:
        with output.bar("Loading") as advance:
            loaded = await load_archive(path, store, "standard input" if spooled else "", advance=advance)
    finally:
        if spooled:
            spooled.unlink(missing_ok=True)
    documents: list[dict[str, Any]] = []
    for image in loaded:
        names = []
        for text in image.names:
            try:
                names.append(str(RemoteImage.parse(text, HUB)))
            except HavreError as error:
                print(f"havre: the image has a name that is none: {error.message}", file=sys.stderr)
        for name in names or [""]:
            store.put_name(name or str(image.descriptor.digest), image.descriptor)
        documents.append({"digest": str(image.descriptor.digest), "names": [familiar(name) for name in names]})
        for name in names:
            output.say(f"Loaded image: {familiar(name)}")
        if not names:
            output.say(f"Loaded image ID: {image.descriptor.digest}")
    bare = [name for document in documents for name in document["names"] or [document["digest"]]]
    output.result("\n".join(bare), documents)
