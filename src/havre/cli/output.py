"""Output: what the client's commands say. Sentences and tables for people, JSON and bare values for scripts.

Results go to standard output, everything else to standard error. On a terminal a transfer shows bars; elsewhere it
prints one plain line per blob.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from havre.client.copy import Progress


class Output:
    """How much a command says: everything, bare values (``quiet``), or one JSON document (``as_json``)."""

    def __init__(self, *, quiet: bool = False, as_json: bool = False) -> None:
        self.quiet = quiet
        self.as_json = as_json

    def say(self, text: str) -> None:
        """A line for people: left out when scripts listen."""
        if not self.quiet and not self.as_json:
            print(text, flush=True)

    def result(self, bare: str, document: Any) -> None:
        """What a script wants: a bare value, or a document."""
        if self.as_json:
            print_json(document)
        elif self.quiet:
            print(bare)

    @contextmanager
    def bar(self, text: str) -> Iterator[Bar]:
        """Show how far one piece of work is, on a terminal; on standard error, as standard output may be the result."""
        bar = Bar(text, shown=not self.quiet and not self.as_json and sys.stderr.isatty())
        try:
            yield bar
        finally:
            bar.end()

    def progress(self, words: dict[str, str]) -> Transfers:
        """Show blobs on their way; ``words`` names their states."""
        if self.quiet or self.as_json:
            return Transfers(words)
        return TransferBars(words) if sys.stdout.isatty() else TransferLines(words)


class Bar:
    """Takes the steps of one piece of work (`images.threads.Advance`); shows nothing until there is something to show."""

    def __init__(self, text: str, shown: bool) -> None:
        self._text = text
        self._shown = shown
        self._bars: Bars | None = None
        self._task: TaskID | None = None

    def __call__(self, more: int, whole: int) -> None:
        """``more`` bytes of ``whole`` are done."""
        if not self._shown:
            return
        if self._bars is None or self._task is None:
            from rich.console import Console

            self._bars = _bars(Console(stderr=True))
            self._task = self._bars.add_task(plain(self._text), total=whole)
            self._bars.start()
        self._bars.advance(self._task, more)

    def end(self) -> None:
        """Leave the bar as it is."""
        if self._bars is not None:
            self._bars.stop()


class Transfers(AbstractContextManager["Transfers"]):
    """Takes the steps of a copy and remembers how each blob ended; shows nothing."""

    def __init__(self, words: dict[str, str]) -> None:
        self._words = words
        self.ended: dict[str, dict[str, Any]] = {}

    def __call__(self, step: Progress) -> None:
        """Take one step."""
        if step.state in {"exists", "mounted", "done"}:
            self.ended[step.blob.digest] = {
                "digest": str(step.blob.digest),
                "mediaType": step.blob.media_type,
                "size": step.blob.size,
                "state": str(step.state),
            }

    def word(self, step: Progress) -> str:
        """A state in the words of the command."""
        return self._words.get(step.state, str(step.state)).format(origin=step.origin)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to put away."""


class TransferLines(Transfers):
    """One line when a blob has arrived, for logs and pipes."""

    def __call__(self, step: Progress) -> None:
        super().__call__(step)
        if step.state in {"exists", "mounted", "done"}:
            print(f"{step.blob.digest.short}: {self.word(step)}", flush=True)


class TransferBars(Transfers):
    """A bar for each blob, with its speed and the time left."""

    def __init__(self, words: dict[str, str]) -> None:
        super().__init__(words)
        self._bars = _bars()
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, step: Progress) -> None:
        super().__call__(step)
        if step.blob.digest not in self._tasks:
            self._tasks[step.blob.digest] = self._bars.add_task("", total=step.blob.size)
        description = f"{step.blob.digest.short}: {self.word(step)}"
        self._bars.update(self._tasks[step.blob.digest], completed=step.done, description=description)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()


def _bars(console: Console | None = None) -> Bars:
    # Only here, because the library takes a good part of a second to load.
    from rich import progress

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(bar_width=30),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
        console=console,
    )


def print_json(document: Any) -> None:
    """A document for scripts."""
    print(json.dumps(document, indent=2, ensure_ascii=False))


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns, as wide as their widest cell."""
    lines = [list(head), *([plain(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        print("   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def plain(text: str) -> str:
    """Text from outside on one line and without control characters, which could steer a terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def size_text(size: int) -> str:
    """Bytes as docker writes them: 12.3MB."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.3g}{unit}"
        value /= 1000
    return f"{value:.3g}TB"


def age_text(created: str, now: float | None = None) -> str:
    """How long ago an RFC 3339 time was, or N/A. The dates of reproducible builds, up to
    the first day of 1980, stand for none.
    """
    from datetime import datetime

    try:
        moment = datetime.fromisoformat(created).timestamp()
    except ValueError:
        return "N/A"
    seconds = (time.time() if now is None else now) - moment
    if moment <= 315_619_200:
        return "N/A"
    steps = (
        (365 * 86_400, "year"),
        (30 * 86_400, "month"),
        (7 * 86_400, "week"),
        (86_400, "day"),
        (3600, "hour"),
        (60, "minute"),
    )
    for length, word in steps:
        count = int(seconds // length)
        if count >= 1:
            return f"{count} {word}{'s' if count > 1 else ''} ago"
    return "just now"
