"""``havre pack``: an image out of a folder, with no engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from havre.cli import remote
from havre.cli.output import Output

app = remote.command()

Base = Annotated[
    str | None,
    typer.Option("--base", help="The image to build on: local, in a registry, oci:DIR, …; scratch for none."),
]
Entrypoint = Annotated[str | None, typer.Option("--entrypoint", help="What runs: words as in a shell, or a JSON list.")]
Platforms = Annotated[
    list[str] | None,
    typer.Option("--platform", help="os/architecture[/variant]; several make an index.", metavar="PLATFORM"),
]

Compression = Annotated[
    Literal["none", "gzip"],
    typer.Option("--compression", help="none keeps digests the same everywhere; gzip is smaller."),
]

BuildSources = Annotated[
    bool, typer.Option("--build-sources", help="Let pip build dependencies that have no wheel: their code runs here.")
]
Dependencies = Annotated[
    bool, typer.Option("--dependencies/--no-dependencies", help="Whether to add what the project depends on.")
]
BuildProject = Annotated[
    bool,
    typer.Option(
        "--build/--no-build", help="Whether a project with a build backend is built, or its files are copied."
    ),
]


@app.command()
def pack(
    directory: Annotated[Path, typer.Argument(help="The folder: a Python project, or any files.")],
    tag: Annotated[str, typer.Option("--tag", "-t", help="The image's name: [HOST/]PATH[:TAG].", metavar="NAME")],
    base: Base = None,
    entrypoint: Entrypoint = None,
    command: Annotated[str | None, typer.Option("--cmd", help="Its default arguments, written alike.")] = None,
    env: Annotated[list[str] | None, typer.Option("--env", "-e", help="A variable.", metavar="KEY=VALUE")] = None,
    label: Annotated[list[str] | None, typer.Option("--label", "-l", help="A label.", metavar="KEY=VALUE")] = None,
    expose: Annotated[list[str] | None, typer.Option("--expose", help="A port, as 8000/tcp.", metavar="PORT")] = None,
    user: Annotated[str, typer.Option("--user", help="Who it runs as.")] = "",
    workdir: Annotated[str, typer.Option("--workdir", help="Where the files go, and where it starts.")] = "/app",
    platform: Platforms = None,
    python: Annotated[str, typer.Option("--python", help="The base's Python, as 3.12, if it does not say.")] = "",
    dependencies: Dependencies = True,
    build: BuildProject = True,
    compression: Compression = "none",
    build_sources: BuildSources = False,
    quiet: remote.Quiet = False,
    as_json: remote.Json = False,
    insecure: remote.Insecure = False,
    ca: remote.Authority = None,
) -> None:
    """Make an image of a folder or a Python project, with no engine, and put it into the local store.

    A project whose pyproject.toml names a build backend or scripts is built by pip or uv, which runs that backend here; any
    other folder is copied. Dependencies (requirements.txt, else the project's own) get a layer of their own, .dockerignore
    is obeyed. The same files, backend and dependencies give the same digest, except with --compression gzip, which depends
    on zlib. Without --base, Python is this machine's own. SOURCE_DATE_EPOCH sets the image's date.
    """
    from havre.cli.packing import Wish, packed

    wish = Wish(
        directory=directory,
        tag=tag,
        base=base,
        entrypoint=entrypoint,
        command=command,
        environment=env or [],
        labels=label or [],
        ports=expose or [],
        user=user,
        working_directory=workdir,
        platforms=platform or [],
        python=python,
        dependencies=dependencies,
        build=build,
        compression=compression,
        build_sources=build_sources,
    )
    remote.run(packed(wish, Output(quiet=quiet, as_json=as_json), insecure, ca))
