"""Workshop: starts the process in which a layer is read, feeds it, and listens to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path

import havre
from havre.errors import InputInvalid, Unavailable
from havre.layers import frames
from havre.registry.inside.pages import Page
from havre.registry.inside.ports import Built, Made, Trees
from havre.registry.ports import Body

SECONDS = 900
"""By the clock, that one task may take."""

EXTRACT_SECONDS = 15
"""By the clock, for taking one file out of a layer, while somebody waits."""

_PACKAGES = str(Path(havre.__file__).parent.parent)
_WAITING = 1024 * 1024
"""Bytes that wait to be written to the process."""


class Workshop:
    """Implements ``havre.registry.inside.ports.Workshop``; one process for each task, and none in between."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds

    def index(self, layer: Body, told: Callable[[int], None]) -> AsyncGenerator[Made, None]:
        """The tree of a layer. ``told`` hears how many of its bytes were handed over."""
        return self._made(["index"], _counted(layer, told))

    def stack(self, layers: Trees, told: Callable[[int], None]) -> AsyncGenerator[Made, None]:
        """What each layer changed, and the image. ``told`` hears how many layers are laid down."""
        return self._made(["stack"], _framed(layers), told)

    def compare(self, images: Trees) -> AsyncGenerator[Made, None]:
        """What differs between two images."""
        return self._made(["compare"], _framed(images))

    async def extract(self, layer: Body, offset: int, size: int) -> bytes:
        """Bytes from the middle of an unpacked layer. Raises InputInvalid, and Unavailable when it takes too long."""
        content = bytearray()
        async with contextlib.aclosing(
            self._run(["extract", str(offset), str(size)], layer, EXTRACT_SECONDS)
        ) as answer:
            async for kind, piece in answer:
                if kind == frames.CONTENT:
                    content += piece
        return bytes(content)

    async def _made(
        self, arguments: list[str], body: Body, told: Callable[[int], None] | None = None
    ) -> AsyncGenerator[Made, None]:
        async with contextlib.aclosing(self._run(arguments, body)) as answer:
            async for kind, content in answer:
                if kind == frames.PAGE:
                    yield frames.page_from(content)
                elif kind == frames.TREE:
                    told_of = json.loads(content)
                    yield Built(told_of["name"], told_of["summary"])
                elif kind == frames.PROGRESS and told:
                    told(int(content))

    async def _run(
        self, arguments: list[str], body: Body, seconds: float | None = None
    ) -> AsyncGenerator[tuple[bytes, bytes], None]:
        """The frames of the answer. Raises InputInvalid if the content was refused, Unavailable if the process failed."""
        seconds = self._seconds if seconds is None else seconds
        process = await _started(arguments)
        feeding = asyncio.create_task(_feed(process, body))
        try:
            async with asyncio.timeout(seconds):
                async for kind, content in _frames(process):
                    if kind == frames.REFUSED:
                        raise InputInvalid(content.decode("utf-8", "replace"))
                    yield kind, content
                await _ended(process, feeding)
        except TimeoutError as error:
            raise InputInvalid(f"it takes more than {seconds:.0f} seconds to read") from error
        finally:
            feeding.cancel()
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await feeding


async def _started(arguments: list[str]) -> Process:
    # It shares nothing with us but the pipes: no settings, and so no secrets, in its environment.
    environment = {"PATH": os.defpath, "PYTHONPATH": _PACKAGES}
    command = [sys.executable, "-P", "-X", "utf8", "-m", "havre.layers.child", *arguments]
    return await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, stderr=None, cwd="/", env=environment, limit=_WAITING
    )


async def _feed(process: Process, body: Body) -> None:
    sink = process.stdin
    assert sink is not None
    try:
        async for piece in body:
            sink.write(piece)
            await sink.drain()
    except (BrokenPipeError, ConnectionResetError):
        return  # it has seen enough
    finally:
        sink.close()
        if isinstance(body, AsyncGenerator):
            await body.aclose()  # whoever reads a file for it lets go of it


async def _ended(process: Process, feeding: asyncio.Task[None]) -> None:
    """Nothing more will come. Raises InputInvalid or Unavailable unless all went well."""
    code = await process.wait()
    if code == -signal.SIGXCPU:
        raise InputInvalid("it takes more processor time to read than is given")
    if code:
        raise Unavailable(f"the process that reads layers ended with {code}: it will be tried again", retry_after=30)
    if feeding.done():
        feeding.result()


async def _frames(process: Process) -> AsyncGenerator[tuple[bytes, bytes], None]:
    source = process.stdout
    assert source is not None
    while True:
        try:
            head = await source.readexactly(frames.HEAD.size)
            kind, length = frames.HEAD.unpack(head)
            if length > frames.MAX_FRAME:
                raise Unavailable("the process that reads layers sent what can not be", retry_after=30)
            yield kind, await source.readexactly(length)
        except asyncio.IncompleteReadError:
            return


async def _counted(body: Body, told: Callable[[int], None]) -> AsyncIterator[bytes]:
    count = 0
    async for piece in body:
        yield piece
        count += len(piece)
        told(count)


async def _framed(trees: Trees) -> AsyncIterator[bytes]:
    async for tree in trees:
        yield frames.frame(frames.TREE, b"")
        async for content in tree:
            yield frames.frame(frames.PAGE, content)
        yield frames.frame(frames.DONE, b"")
    yield frames.frame(frames.DONE, b"")


__all__ = ["Page", "Workshop"]
