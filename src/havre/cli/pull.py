"""``havre pull``: images from a registry into the local store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from havre.cli import remote
from havre.cli.output import Output

if TYPE_CHECKING:
    from havre.client.references import RemoteImage
    from havre.client.registry import Repository
    from havre.oci.descriptor import Platform

app = remote.command()

WORDS = {"waiting": "Waiting", "moving": "Downloading", "exists": "Already exists", "done": "Pull complete"}


@app.command()
def pull(
    image: Annotated[str, typer.Argument(help="[HOST/]PATH[:TAG|@DIGEST].")],
    all_tags: Annotated[bool, typer.Option("--all-tags", "-a", help="Every tag of the repository.")] = False,
    platform: remote.PlatformOption = None,
    all_platforms: Annotated[
        bool, typer.Option("--all-platforms", help="The images of all platforms, not only this machine's.")
    ] = False,
    quiet: remote.Quiet = False,
    as_json: remote.Json = False,
    insecure: remote.Insecure = False,
    ca: remote.Authority = None,
) -> None:
    """Fetch an image into the local store. Every byte is checked against its digest."""
    output = Output(quiet=quiet, as_json=as_json)
    remote.run(_pull(image, all_tags, platform, all_platforms, output, insecure, ca))


async def _pull(
    text: str,
    all_tags: bool,
    platform_text: str | None,
    all_platforms: bool,
    output: Output,
    insecure: bool,
    ca: Path | None,
) -> None:
    from havre.oci.names import Tag

    platform = None if all_platforms else remote.chosen_platform(platform_text)
    image = remote.parse_image(text)
    async with remote.connect(insecure, ca, image.registry) as client:
        repository = client.repository(image)
        images = [image.at(Tag.parse(tag)) async for tag in repository.tags()] if all_tags else [image]
        documents = [await _one(repository, one, platform, output) for one in images]
    output.result("\n".join(document["name"] for document in documents), documents)


async def _one(repository: Repository, image: RemoteImage, platform: Platform | None, output: Output) -> dict[str, Any]:
    from havre.client.copy import Options, copy

    store = remote.local_store()
    before = store.find(str(image))
    top = await repository.head(image.reference)
    output.say(f"{image.reference}: Pulling from {image.path}")
    async with store.adding():
        with output.progress(WORDS) as watch:
            fetched = await copy(repository, store, top.digest, None, Options(platform, watch=watch))
        store.put_name(str(image), fetched)
    output.say(f"Digest: {top.digest}")
    news = "Image is up to date" if before and before.digest == fetched.digest else "Downloaded newer image"
    output.say(f"Status: {news} for {image.familiar}")
    output.say(str(image))
    return {
        "name": str(image),
        "digest": str(top.digest),
        "image": str(fetched.digest),
        "blobs": list(watch.ended.values()),
    }
