"""How far an import is: a bar on a terminal, a line for each repository in logs and pipes, nothing for scripts."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from havre.cli.output import Output, plain, size_text

if TYPE_CHECKING:
    from havre.adopt.importing import Step

REFRESH = 0.1
"""Seconds between two looks of the bar."""


def _nothing(step: Step) -> None:
    del step


@contextmanager
def watched(output: Output) -> Iterator[Callable[[Step], None]]:
    """Whoever looks on, as the command's output wants it."""
    if output.quiet or output.as_json:
        yield _nothing
    elif sys.stdout.isatty():
        with _bar() as watch:
            yield watch
    else:
        yield _line


def number(count: int, one: str, more: str) -> str:
    """So many of something."""
    return f"{count} {one if count == 1 else more}"


def _line(step: Step) -> None:
    if step.done:
        far = f"{number(step.manifests, 'manifest', 'manifests')} so far, {size_text(step.bytes)} copied"
        print(f"[{step.number}/{step.total}] {plain(step.repository)}: {far}", flush=True)


@contextmanager
def _bar() -> Iterator[Callable[[Step], None]]:
    # Only here, because the library takes a good part of a second to load.
    from rich import progress

    columns = (
        progress.TextColumn("[{task.completed}/{task.total}] {task.description}", markup=False),
        progress.BarColumn(bar_width=30),
        progress.TextColumn("{task.fields[moved]}  {task.fields[speed]}/s", markup=False),
        progress.TimeElapsedColumn(),
    )
    began, shown = time.monotonic(), 0.0
    with progress.Progress(*columns) as bars:
        task = bars.add_task("", total=None, moved="0B", speed="0B")

        def watch(step: Step) -> None:
            nonlocal shown
            moment = time.monotonic()
            if moment - shown < REFRESH and not step.done:
                return
            shown = moment
            speed = size_text(int(step.bytes / max(moment - began, 0.001)))
            done, moved = step.number if step.done else step.number - 1, size_text(step.bytes)
            name = plain(step.repository)
            bars.update(task, completed=done, total=step.total, description=name, moved=moved, speed=speed)

        yield watch
