"""Streams: answers that last as long as somebody watches, within bounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from havre.errors import TooManyRequests

MAX_STREAMS = 200
"""Of one worker."""

MAX_PER_ACCOUNT = 6
"""Of one account on one worker: as many windows as a browser lets watch over HTTP/1.1."""


class Streams:
    """Counts the streams of one worker."""

    def __init__(self) -> None:
        self._open: Counter[int] = Counter()

    @contextmanager
    def one(self, user_id: int) -> Iterator[None]:
        """Be one of the streams of an account; raises TooManyRequests beyond the bounds."""
        if self._open.total() >= MAX_STREAMS or self._open[user_id] >= MAX_PER_ACCOUNT:
            raise TooManyRequests("too many windows watch repositories: close some", retry_after=30)
        self._open[user_id] += 1
        try:
            yield
        finally:
            self._open[user_id] -= 1
            if not self._open[user_id]:
                del self._open[user_id]

    @property
    def number(self) -> int:
        """How many there are."""
        return self._open.total()
