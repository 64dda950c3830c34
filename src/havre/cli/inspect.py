"""``havre inspect``: what an image is made of, here or in a registry."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from havre.cli import remote
from havre.cli.output import age_text, plain, print_json, size_text
from havre.errors import ManifestUnknown

if TYPE_CHECKING:
    from havre.client.details import Details

app = remote.command()


@app.command()
def inspect(
    image: Annotated[
        str,
        typer.Argument(
            autocompletion=remote.local_names, help="A local image, or one in a registry: [HOST/]PATH[:TAG|@DIGEST]."
        ),
    ],
    in_registry: Annotated[bool, typer.Option("--remote", help="Ask the registry, whatever is here.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Print the manifest's exact bytes.")] = False,
    config: Annotated[bool, typer.Option("--config", help="Print the image's configuration as JSON.")] = False,
    platform: remote.PlatformOption = None,
    as_json: remote.Json = False,
    insecure: remote.Insecure = False,
    ca: remote.Authority = None,
) -> None:
    """Show what an image is made of: platforms, configuration, layers and history."""
    found = remote.run(_details(image, in_registry, platform, insecure, ca))
    if raw:
        sys.stdout.buffer.write(found.content)
    elif config:
        print_json(found.config)
    elif as_json:
        print_json(_document(image, found))
    else:
        _show(image, found)


async def _details(text: str, in_registry: bool, platform_text: str | None, insecure: bool, ca: Path | None) -> Details:
    from havre.cli.contents import place_of
    from havre.cli.places import opened_source
    from havre.client.details import details

    platform = remote.chosen_platform(platform_text) if platform_text else None
    place = place_of(text, in_registry=in_registry)
    async with (
        remote.connect(insecure, ca, *place.registries) as client,
        opened_source(place, client) as (source, reference),
    ):
        found = await details(source, reference, platform)
        if not found.platforms or platform:
            return found
        # Of several images people mean the one for their machine, if it is there.
        try:
            return await details(source, found.descriptor.digest, remote.chosen_platform(None))
        except ManifestUnknown:
            return found


def _document(name: str, found: Details) -> dict[str, Any]:
    return {
        "name": name,
        "digest": str(found.descriptor.digest),
        "mediaType": found.descriptor.media_type,
        "platforms": [one.to_json() for one in found.platforms],
        "image": str(found.image.digest) if found.image else None,
        "artifactType": found.artifact_type,
        "size": found.size,
        "config": found.config,
        "layers": [layer.descriptor.to_json() | {"instruction": layer.instruction} for layer in found.layers],
    }


def _show(name: str, found: Details) -> None:
    rows: list[tuple[str, str]] = [
        ("Name", name),
        ("Digest", str(found.descriptor.digest)),
        ("Media type", found.descriptor.media_type),
    ]
    rows += [("Platform", f"{one.platform or 'none'}  {one.digest}") for one in found.platforms]
    if found.platforms and found.image:
        rows.append(("Image", str(found.image.digest)))
    if found.config is not None:
        rows += _config_rows(found.config)
    elif found.artifact_type:
        rows.append(("Artifact", found.artifact_type))
    if found.layers:
        rows.append(("Size", size_text(found.size)))
    for title, text in rows:
        print(f"{title + ':':<13}{plain(text)}")
    for layer in found.layers:
        print(
            f"  {layer.descriptor.digest}  {size_text(layer.descriptor.size):>8}  {plain(layer.instruction)[:100]}".rstrip()
        )


def _config_rows(config: dict[str, Any]) -> list[tuple[str, str]]:
    created = str(config.get("created") or "")
    rows = [("Created", f"{created} ({age_text(created)})" if created else "not said")]
    if config.get("os"):
        parts = (config.get(key) for key in ("os", "architecture", "variant"))
        rows.append(("Runs on", "/".join(str(part) for part in parts if part)))
    inner = config.get("config")
    for key, value in (inner if isinstance(inner, dict) else {}).items():
        if isinstance(value, dict):
            rows += [(str(key), f"{name}={text}" if text != {} else str(name)) for name, text in sorted(value.items())]
        elif isinstance(value, list):
            rows += (
                [(str(key), " ".join(map(str, value)))]
                if key in {"Cmd", "Entrypoint"}
                else [(str(key), str(one)) for one in value]
            )
        elif value not in (None, "", False):
            rows.append((str(key), str(value)))
    return rows
