"""``havre push``: local images to a registry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from havre.cli import remote
from havre.cli.output import Output

if TYPE_CHECKING:
    from havre.client.references import RemoteImage
    from havre.images.layout import Layout
    from havre.oci.descriptor import Descriptor
    from havre.oci.digest import Digest

app = remote.command()

WORDS = {
    "waiting": "Waiting",
    "moving": "Pushing",
    "exists": "Layer already exists",
    "mounted": "Mounted from {origin}",
    "done": "Pushed",
}


@app.command()
def push(
    image: Annotated[
        str, typer.Argument(autocompletion=remote.local_names, help="[HOST/]PATH[:TAG], as it is named locally.")
    ],
    all_tags: Annotated[bool, typer.Option("--all-tags", "-a", help="Every local tag of the repository.")] = False,
    quiet: remote.Quiet = False,
    as_json: remote.Json = False,
    insecure: remote.Insecure = False,
    ca: remote.Authority = None,
) -> None:
    """Send a local image to the registry in its name. What is there already is not sent again."""
    remote.run(_push(image, all_tags, Output(quiet=quiet, as_json=as_json), insecure, ca))


async def _push(text: str, all_tags: bool, output: Output, insecure: bool, ca: Path | None) -> None:
    from havre.client.copy import Options, copy

    store, target = remote.local_store(), remote.parse_image(text)
    images = _tags(store, target) if all_tags else [(target, remote.find_local(store, text)[1])]
    documents = []
    async with remote.connect(insecure, ca, target.registry) as client:
        repository = client.repository(target)
        output.say(f"The push refers to repository [{target.repository}]")
        for image, descriptor in images:
            with output.progress(WORDS) as watch:
                options = Options(origins=_origins(store, image), watch=watch)
                sent = await copy(store, repository, descriptor.digest, image.tag, options)
            output.say(f"{image.tag or 'image'}: digest: {sent.digest} size: {sent.size}")
            document: dict[str, Any] = {"name": str(image), "digest": str(sent.digest), "size": sent.size}
            documents.append(document | {"blobs": list(watch.ended.values())})
    output.result("\n".join(document["name"] for document in documents), documents)


def _tags(store: Layout, target: RemoteImage) -> list[tuple[RemoteImage, Descriptor]]:
    from havre.client.references import HUB, RemoteImage
    from havre.errors import ManifestUnknown

    found = [
        (RemoteImage.parse(entry.name, HUB), entry.descriptor)
        for entry in store.entries()
        if entry.name.startswith(f"{target.repository}:")
    ]
    if not found:
        raise ManifestUnknown(f"no local image is named {target.repository}; havre images lists them")
    return found


def _origins(store: Layout, target: RemoteImage) -> Callable[[Digest], str]:
    """Which repository of the same registry may have a blob already: one whose image here shares it."""
    places: dict[Digest, str] = {}
    prefix = f"{target.registry}/"
    for entry in store.entries():
        path = entry.name.removeprefix(prefix).partition("@")[0].rpartition(":")[0]
        if entry.name.startswith(prefix) and path and path != target.path:
            for digest in store.reachable(entry.descriptor):
                places.setdefault(digest, path)
    return lambda digest: places.get(digest, "")
