"""``havre tag``: a second name for a local image."""

from __future__ import annotations

from typing import Annotated

import typer

from havre.cli import remote
from havre.cli.output import Output

app = remote.command()


@app.command()
def tag(
    source: Annotated[
        str, typer.Argument(autocompletion=remote.local_names, help="A local image: its name or ID.", metavar="SOURCE")
    ],
    target: Annotated[str, typer.Argument(help="The new name: [HOST/]PATH[:TAG].", metavar="TARGET")],
    quiet: remote.Quiet = False,
    as_json: remote.Json = False,
) -> None:
    """Give a local image a second name, for instance the one under which it will be pushed."""
    remote.run(_tag(source, target, Output(quiet=quiet, as_json=as_json)))


async def _tag(source: str, target: str, output: Output) -> None:
    from havre.errors import NameInvalid

    store = remote.local_store()
    _, descriptor = remote.find_local(store, source)
    image = remote.parse_image(target)
    if image.digest:
        raise NameInvalid(
            f"invalid target {target!r}: a name with a digest can not be given, it follows from the image"
        )
    store.put_name(str(image), descriptor)
    output.result(str(image), {"name": str(image), "digest": str(descriptor.digest)})
