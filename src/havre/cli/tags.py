"""``havre tags``: the tags of a repository."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from havre.cli import remote
from havre.cli.output import plain, print_json

app = remote.command()


@app.command()
def tags(
    repository: Annotated[str, typer.Argument(help="[HOST/]PATH.")],
    quiet: remote.Quiet = False,
    as_json: remote.Json = False,
    insecure: remote.Insecure = False,
    ca: remote.Authority = None,
) -> None:
    """List the tags of a repository in a registry, one a line."""
    del quiet  # bare values are all it ever prints; scripts may ask for them as everywhere else
    remote.run(_tags(repository, as_json, insecure, ca))


async def _tags(text: str, as_json: bool, insecure: bool, ca: Path | None) -> None:
    image = remote.parse_image(text)
    async with remote.connect(insecure, ca, image.registry) as client:
        found = client.repository(image).tags()
        if as_json:
            print_json([tag async for tag in found])
        else:
            async for tag in found:
                print(plain(tag))
