"""``havre rmi``: names and images out of the local store."""

from __future__ import annotations

from typing import Annotated

import typer

from havre.cli import remote
from havre.cli.output import Output

app = remote.command()


@app.command()
def rmi(
    images: Annotated[
        list[str], typer.Argument(autocompletion=remote.local_names, help="Names or IDs.", metavar="IMAGE...")
    ],
    quiet: remote.Quiet = False,
    as_json: remote.Json = False,
) -> None:
    """Remove images from the local store, and the content that no other image there needs."""
    remote.run(_rmi(images, Output(quiet=quiet, as_json=as_json)))


async def _rmi(images: list[str], output: Output) -> None:
    from havre.client.references import familiar

    store = remote.local_store()
    untagged = []
    for text in images:
        name, descriptor = remote.find_local(store, text)
        by_id = descriptor.digest.encoded.startswith(text.removeprefix("sha256:"))
        for entry in store.entries():
            if entry.name == name or (by_id and entry.descriptor.digest == descriptor.digest):
                store.drop_name(entry.name)
                untagged.append(familiar(entry.name))
                output.say(f"Untagged: {untagged[-1]}")
    deleted = [str(digest) for digest in store.sweep().digests]
    for digest in deleted:
        output.say(f"Deleted: {digest}")
    output.result("\n".join([*untagged, *deleted]), {"untagged": untagged, "deleted": deleted})
