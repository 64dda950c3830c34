"""``havre delete``: tags and images out of a registry."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from havre.cli import remote
from havre.cli.output import Output

app = remote.command()


@app.command()
def delete(
    images: Annotated[
        list[str], typer.Argument(help="[HOST/]PATH:TAG for one tag, PATH@DIGEST for an image.", metavar="IMAGE...")
    ],
    quiet: remote.Quiet = False,
    as_json: remote.Json = False,
    insecure: remote.Insecure = False,
    ca: remote.Authority = None,
) -> None:
    """Delete a tag from a registry, or by its digest an image with all its tags."""
    remote.run(_delete(images, Output(quiet=quiet, as_json=as_json), insecure, ca))


async def _delete(images: list[str], output: Output, insecure: bool, ca: Path | None) -> None:
    from havre.errors import NameInvalid

    parsed = [(text, remote.parse_image(text)) for text in images]
    async with remote.connect(insecure, ca, *(image.registry for _, image in parsed)) as client:
        for text, image in parsed:
            if not image.digest and ":" not in text.rpartition("/")[2]:
                # Elsewhere a missing tag means latest; what can not be undone should be said in full.
                raise NameInvalid(
                    f"{text!r} names no tag: write {text}:TAG, or {text}@DIGEST for an image and all its tags"
                )
            await client.repository(image).delete(image.reference)
            output.say(f"Deleted: {image}")
    output.result("\n".join(str(image) for _, image in parsed), {"deleted": [str(image) for _, image in parsed]})
