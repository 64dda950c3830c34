"""The report: what was done to the registry and what was found, for the terminal and for the documentation."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from torture.rounds import Result

ROWS = (
    ("blobs acknowledged", "blobs acknowledged"),
    ("manifests acknowledged", "manifests acknowledged"),
    ("tags acknowledged", "tags acknowledged, moves included"),
    ("removals acknowledged", "removals acknowledged"),
    ("images pulled", "images pulled meanwhile"),
    ("unanswered", "requests that a kill left unanswered"),
    ("uploads resumed", "uploads resumed where the registry said"),
    ("images pushed again", "interrupted images pushed again, all with success"),
    ("checks", "checks of everything"),
    ("blobs checked", "blobs read and hashed by them"),
    ("manifests checked", "manifests read and hashed"),
    ("tags checked", "tags followed"),
    ("files hashed", "files on disk hashed"),
    ("broken promises", "**broken promises**"),
)


def machine() -> str:
    """One line about where this ran."""
    now = datetime.now(UTC)
    return f"{now:%Y-%m-%d}, {os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}"


def table(results: Sequence[Result]) -> str:
    """The figures of all runs, side by side."""
    lines = [
        f"Made by `make torture`: {machine()}.",
        "",
        "| | " + " | ".join(result.database for result in results) + " |",
        "|---|" + "---|" * len(results),
    ]
    kinds = list(dict.fromkeys(kind for result in results for kind in result.killed))

    def row(name: str, values: Sequence[object]) -> str:
        return f"| {name} | " + " | ".join(str(value) for value in values) + " |"

    lines.append(row("**kills**", [result.kills for result in results]))
    lines += [row(f"of {kind}", [result.killed.get(kind, 0) for result in results]) for kind in kinds]
    lines.append(row("seconds", [f"{result.seconds:.0f}" for result in results]))
    lines.append(row("seconds until it served again, at most", [f"{one.slowest_return:.1f}" for one in results]))
    lines += [row(text, [f"{result.journal.counts[key]:,}" for result in results]) for key, text in ROWS]
    return "\n".join(lines) + "\n"


def keep(page: Path, name: str, text: str) -> None:
    """Put ``text`` between the marks of ``name`` on a page."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    before, _, rest = page.read_text().partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}")
