"""Streams: answers that last as long as somebody watches, within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from havre.errors import TooManyRequests

MAX_STREAMS = 200
"""Of one worker."""

MAX_PER_ACCOUNT = 6
"""Of one account on one worker: as many windows as a browser lets watch over HTTP/1.1. The newest ones stay."""


class Streams:
    """Counts the streams of one worker."""

    def __init__(self) -> None:
        self._open: dict[int, list[asyncio.Event]] = {}

    def check(self) -> None:
        """Is there room for one more? Raises TooManyRequests."""
        if self.number >= MAX_STREAMS:
            raise TooManyRequests("too many windows watch repositories: close some", retry_after=30)

    @contextmanager
    def one(self, user_id: int) -> Iterator[asyncio.Event]:
        """Be one of the streams of an account; what it gives is set when a newer one takes the place."""
        mine, ending = self._open.setdefault(user_id, []), asyncio.Event()
        mine.append(ending)
        if len(mine) > MAX_PER_ACCOUNT:
            # A window that was closed is noticed some seconds later: it must not keep the next one out.
            mine.pop(0).set()
        try:
            yield ending
        finally:
            if ending in mine:
                mine.remove(ending)
            if not mine:
                self._open.pop(user_id, None)

    @property
    def number(self) -> int:
        """How many there are."""
        return sum(map(len, self._open.values()))
