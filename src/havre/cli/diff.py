"""``havre diff``: what differs between two images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from havre.cli import remote
from havre.cli.output import Output, plain, size_text

if TYPE_CHECKING:
    from havre.client.details import Details
    from havre.images.compare import Change

app = remote.command()


@app.command()
def diff(
    before: Annotated[
        str,
        typer.Argument(
            autocompletion=remote.local_names, help="An image: local, in a registry, oci:DIR, oci-archive:FILE, …"
        ),
    ],
    after: Annotated[str, typer.Argument(autocompletion=remote.local_names, help="The other one.")],
    in_registry: Annotated[bool, typer.Option("--remote", help="Ask the registry, whatever is here.")] = False,
    platform: remote.PlatformOption = None,
    quiet: remote.Quiet = False,
    as_json: remote.Json = False,
    insecure: remote.Insecure = False,
    ca: remote.Authority = None,
) -> None:
    """Show what differs between two images: layers, configuration, and files (A added, C changed, D removed).

    Times of files are not compared. With --quiet only the paths of files are printed.
    """
    output = Output(quiet=quiet, as_json=as_json)
    remote.run(_diff(before, after, in_registry, platform, output, insecure, ca))


async def _diff(
    before: str,
    after: str,
    in_registry: bool,
    platform_text: str | None,
    output: Output,
    insecure: bool,
    ca: Path | None,
) -> None:
    from havre.cli.contents import opened_contents, place_of
    from havre.images.compare import Listings, compare_configs, compare_files, snapshot
    from havre.images.threads import in_thread

    platform = remote.chosen_platform(platform_text)
    places = [place_of(text, in_registry=in_registry) for text in (before, after)]
    known: Listings = {}
    async with remote.connect(insecure, ca, *places[0].registries, *places[1].registries) as client:
        images, files = [], []
        for place in places:
            async with opened_contents(place, client, platform) as contents:
                images.append(contents.details)
                files.append(await in_thread(snapshot, contents.layers, known))
    changed = compare_files(files[0], files[1])
    settings = compare_configs(images[0].config or {}, images[1].config or {})
    layers = _layers(images[0], images[1])
    if not output.as_json and not output.quiet:
        _show(layers, settings, changed, same=images[0].image == images[1].image)
    document = {
        "before": {"name": before, "digest": str(images[0].image.digest if images[0].image else "")},
        "after": {"name": after, "digest": str(images[1].image.digest if images[1].image else "")},
        "layers": layers,
        "config": [_document(one) for one in settings],
        "files": [_document(one) for one in changed],
    }
    output.result("\n".join(plain(one.path) for one in changed), document)


def _layers(before: Details, after: Details) -> list[dict[str, Any]]:
    old = {layer.descriptor.digest: layer for layer in before.layers}
    new = {layer.descriptor.digest: layer for layer in after.layers}
    return [
        {
            "digest": str(digest),
            "size": layer.descriptor.size,
            "state": "shared" if digest in old and digest in new else "removed" if digest in old else "added",
            "instruction": layer.instruction,
        }
        for digest, layer in (old | new).items()
    ]


def _document(change: Change) -> dict[str, Any]:
    values = {"before": change.before, "after": change.after} if change.before or change.after else {}
    sizes = {"sizeBefore": change.size_before, "sizeAfter": change.size_after}
    return {"path": change.path, "change": change.what.name.lower(), **(values or sizes)}


def _show(layers: list[dict[str, Any]], settings: list[Change], files: list[Change], *, same: bool) -> None:
    if same:
        print("The images are the same.")
        return
    signs = {"shared": "=", "removed": "-", "added": "+"}
    print("Layers:")
    for layer in layers:
        said = f"{layer['digest'][:19]}  {size_text(layer['size']):>8}  {plain(layer['instruction'])[:80]}"
        print(f"  {signs[layer['state']]} {said}".rstrip())
    for title, changes in (("Configuration:", settings), ("Files:", files)):
        if changes:
            print(title)
        for one in changes:
            print(f"  {one.what} {plain(one.path)}{_values(one)}".rstrip())


def _values(change: Change) -> str:
    if change.before or change.after:
        arrow = " → " if change.before and change.after else ""
        return f": {plain(change.before)}{arrow}{plain(change.after)}"
    if change.size_before != change.size_after:
        grown = change.size_after - change.size_before
        return f"  {'+' if grown > 0 else '-'}{size_text(abs(grown))}"
    return ""
