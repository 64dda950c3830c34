"""``havre logout``: forget a registry's login."""

from __future__ import annotations

from typing import Annotated

import typer

from havre.cli import remote
from havre.cli.output import Output

app = remote.command()


@app.command()
def logout(
    registry: Annotated[
        str | None, typer.Argument(help="Host and port; HAVRE_REGISTRY or Docker Hub if left out.")
    ] = None,
    quiet: remote.Quiet = False,
    as_json: remote.Json = False,
) -> None:
    """Forget a registry's sign-in, wherever docker and podman keep it."""
    remote.run(_logout(registry, Output(quiet=quiet, as_json=as_json)))


async def _logout(typed: str | None, output: Output) -> None:
    import os

    from havre.client.keychain import Keychain
    from havre.client.references import registry_name

    name = registry_name(typed) if typed else remote.default_registry()
    found = await Keychain.from_environment(os.environ).erase(name)
    output.say(f"Removing login credentials for {name}" if found else f"Not logged in to {name}")
    output.result(name, {"registry": name, "removed": found})
