"""``havre referrers``: what refers to an image: signatures, attestations, bills of materials."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from havre.cli import remote
from havre.cli.output import Output, print_json, print_table, size_text

if TYPE_CHECKING:
    from havre.oci.descriptor import Descriptor
    from havre.oci.digest import Digest

app = remote.command()


@app.command()
def referrers(
    image: Annotated[str, typer.Argument(help="An image in a registry: [HOST/]PATH[:TAG|@DIGEST].")],
    artifact_type: Annotated[
        str, typer.Option("--artifact-type", help="Only artifacts of this type.", metavar="TYPE")
    ] = "",
    platform: remote.PlatformOption = None,
    quiet: remote.Quiet = False,
    as_json: remote.Json = False,
    insecure: remote.Insecure = False,
    ca: remote.Authority = None,
) -> None:
    """List what refers to an image: signatures, attestations and other artifacts, also where only the fallback tag
    tells of them.
    """
    output = Output(quiet=quiet, as_json=as_json)
    remote.run(_referrers(image, artifact_type, platform, output, insecure, ca))


async def _referrers(
    text: str, artifact_type: str, platform_text: str | None, output: Output, insecure: bool, ca: Path | None
) -> None:
    from havre.client.copy import select

    image = remote.parse_image(text)
    async with remote.connect(insecure, ca, image.registry) as client:
        repository = client.repository(image)
        if platform_text:
            subject = (await select(repository, image.reference, remote.chosen_platform(platform_text)))[0].digest
        else:
            subject = (await repository.head(image.reference)).digest
        found = await repository.referrers(subject, artifact_type)
    _show(image.repository, subject, found, output)


def _show(repository: str, subject: Digest, found: list[Descriptor], output: Output) -> None:
    if output.as_json:
        print_json({"subject": str(subject), "referrers": [one.to_json() for one in found]})
    elif output.quiet:
        for one in found:
            print(one.digest)
    elif not found:
        print(f"Nothing refers to {repository}@{subject}")
    else:
        print_table(
            ("ARTIFACT TYPE", "DIGEST", "SIZE", "ANNOTATIONS"),
            [
                (
                    one.artifact_type or one.media_type,
                    str(one.digest),
                    size_text(one.size),
                    ", ".join(f"{key}={value}" for key, value in sorted(one.annotations.items()))[:100],
                )
                for one in found
            ],
        )
