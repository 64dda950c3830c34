"""Threads: work on files that may take long, done beside the loop and never left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

Advance = Callable[[int, int], None]
"""Told of each part of long work: bytes done since the last call, and bytes of the whole. From any thread."""

T = TypeVar("T")
P = ParamSpec("P")


def unwatched(_: int, __: int) -> None:
    """Watch nothing."""


def _nothing() -> None:
    """Work that is soon done anyway."""


async def in_thread(function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Like `asyncio.to_thread`, but a cancelled caller waits until the thread is done.

    Otherwise it would go on with a file that its caller has closed, or with the number of one that was opened since.
    """
    return await stoppable(_nothing, function, *arguments, **named)


async def stoppable(stop: Callable[[], None], function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """The same for long work: a cancelled caller first calls ``stop``, which asks it to end."""
    work = asyncio.ensure_future(asyncio.to_thread(function, *arguments, **named))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        stop()
        await asyncio.wait([work])
        if not work.cancelled():
            work.exception()
        raise
