"""``havre serve``: the registry, the pages and the API in one command."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from havre.errors import ConfigError

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def serve(
    config: Annotated[str | None, typer.Option(help="TOML file with settings.", metavar="FILE")] = None,
    listen: Annotated[str | None, typer.Option(help="Address and port to serve on.", metavar="HOST:PORT")] = None,
    data: Annotated[str | None, typer.Option(help="Folder of everything Havre keeps.", metavar="DIR")] = None,
    workers: Annotated[str | None, typer.Option(help="Processes that serve requests.", metavar="N")] = None,
    external_url: Annotated[
        str | None, typer.Option(help="Address by which people and clients reach this registry.", metavar="URL")
    ] = None,
    tls_certificate: Annotated[
        str | None, typer.Option(help="PEM file of the certificate and its chain.", metavar="FILE")
    ] = None,
    tls_key: Annotated[str | None, typer.Option(help="PEM file of its private key.", metavar="FILE")] = None,
) -> None:
    """Serve the registry, the pages and the API until SIGTERM.

    Every setting can also be given as HAVRE_… in the environment or in a TOML file: see havre config schema.
    """
    from havre.config import load_with_sources
    from havre.server.run import serve as run

    flags = {
        "listen": listen,
        "data": data,
        "workers": workers,
        "external_url": external_url,
        "tls_certificate": tls_certificate,
        "tls_key": tls_key,
    }
    try:
        run(*load_with_sources(flags, os.environ, config))
    except ConfigError as error:
        typer.echo(f"havre serve: {error.message}", err=True)
        raise typer.Exit(2) from error
