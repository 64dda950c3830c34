"""``havre search``: repositories in a registry."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from havre.cli import remote
from havre.cli.output import plain, print_json, print_table

app = remote.command()


@app.command()
def search(
    term: Annotated[str, typer.Argument(help="What to look for, with HOST/ before it for another registry.")],
    limit: Annotated[int, typer.Option("--limit", help="Results at most.", min=1, max=100)] = 25,
    quiet: remote.Quiet = False,
    as_json: remote.Json = False,
    insecure: remote.Insecure = False,
    ca: remote.Authority = None,
) -> None:
    """Search a registry for repositories."""
    remote.run(_search(term, limit, quiet, as_json, insecure, ca))


async def _search(term: str, limit: int, quiet: bool, as_json: bool, insecure: bool, ca: Path | None) -> None:
    host, slash, rest = term.partition("/")
    named = bool(slash) and ("." in host or ":" in host or host == "localhost")
    registry, text = (host, rest) if named else (remote.default_registry(), term)
    async with remote.connect(insecure, ca, registry) as client:
        found = await client.registry(registry).search(text, limit)
    if as_json:
        print_json(found)
    elif quiet:
        for row in found:
            print(plain(str(row.get("name", ""))))
    else:
        print_table(
            ("NAME", "DESCRIPTION", "STARS", "OFFICIAL"),
            [
                (
                    str(row.get("name", "")),
                    _short(str(row.get("description") or "")),
                    str(row.get("star_count", 0)),
                    "[OK]" if row.get("is_official") else "",
                )
                for row in found
            ],
        )


def _short(text: str) -> str:
    return text if len(text) <= 45 else f"{text[:44]}…"
