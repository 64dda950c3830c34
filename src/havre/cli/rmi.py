"""``havre rmi``: names and images out of the local store."""

from __future__ import annotations

from typing import Annotated

import typer

from havre.cli import remote

app = remote.command()


@app.command()
def rmi(
    images: Annotated[list[str], typer.Argument(help="Names or IDs.", metavar="IMAGE...")],
) -> None:
    """Remove images from the local store, and the content that no other image there needs."""
    remote.run(_rmi(images))


async def _rmi(images: list[str]) -> None:
    from havre.client.references import familiar

    store = remote.local_store()
    for text in images:
        name, descriptor = remote.find_local(store, text)
        by_id = descriptor.digest.encoded.startswith(text.removeprefix("sha256:"))
        for entry in store.entries():
            if entry.name == name or (by_id and entry.descriptor.digest == descriptor.digest):
                store.drop_name(entry.name)
                print(f"Untagged: {familiar(entry.name)}")
    for digest in store.sweep().digests:
        print(f"Deleted: {digest}")
