"""``havre images``: what is in the local store."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from havre.cli import remote
from havre.cli.output import Output, age_text, print_json, print_table, size_text

if TYPE_CHECKING:
    from havre.images.layout import Entry, Layout

app = remote.command()


@app.command()
def images(
    repository: Annotated[str | None, typer.Argument(help="Only this repository, or this image.")] = None,
    quiet: remote.Quiet = False,
    digests: Annotated[bool, typer.Option("--digests", help="Show whole digests.")] = False,
    as_json: remote.Json = False,
) -> None:
    """List the images of the local store, the newest first."""
    remote.run(_images(repository, Output(quiet=quiet, as_json=as_json), digests))


async def _images(wanted: str | None, output: Output, digests: bool) -> None:
    store = remote.local_store()
    rows = [_row(store, entry) for entry in reversed(store.entries())]
    if wanted is not None:
        image = remote.parse_image(wanted)
        tagged = ":" in wanted.rpartition("/")[2] or "@" in wanted
        rows = [row for row in rows if row["name"] == str(image) or (not tagged and row["path"] == image.repository)]
    if output.as_json:
        print_json([{key: value for key, value in row.items() if key != "path"} for row in rows])
    elif output.quiet:
        for row in dict.fromkeys(row["digest"].removeprefix("sha256:")[:12] for row in rows):
            print(row)
    else:
        print_table(
            ("REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"),
            [
                (
                    row["repository"],
                    row["tag"],
                    row["digest"] if digests else row["digest"].removeprefix("sha256:")[:12],
                    age_text(row["created"]),
                    size_text(row["size"]),
                )
                for row in rows
            ],
        )


def _row(store: Layout, entry: Entry) -> dict[str, Any]:
    from havre.client.references import HUB, RemoteImage, familiar
    from havre.errors import HavreError

    row: dict[str, Any] = {"name": entry.name, "path": "", "repository": "<none>", "tag": "<none>"}
    with suppress(HavreError):
        image = RemoteImage.parse(entry.name, HUB)
        row |= {
            "path": image.repository,
            "repository": familiar(image.repository),
            "tag": str(image.tag or "<none>"),
        }
    created, size = _created_and_size(store, entry)
    return row | {"digest": str(entry.descriptor.digest), "created": created, "size": size}


def _created_and_size(store: Layout, entry: Entry) -> tuple[str, int]:
    """When the image was made, and the bytes of it that are here; an index has the sum of its images."""
    from havre.errors import HavreError
    from havre.oci.manifest import load_object, parse

    created, size = "", 0
    pending, seen = [entry.descriptor], set()
    while pending:
        descriptor = pending.pop()
        with suppress(HavreError):
            read = parse(descriptor.media_type, store.read_manifest(descriptor.digest, descriptor.media_type)[1])
            pending += read.manifests
            for blob in read.blobs:
                size += 0 if blob.digest in seen else blob.size
                seen.add(blob.digest)
            if read.config and not created:
                said = load_object(store.read_small(read.config.digest, 8 * 1024 * 1024)).get("created")
                created = said if isinstance(said, str) else ""
    return created, size
