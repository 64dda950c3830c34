"""A process of its own that uses a store, for the tests to watch, to disturb and to kill.

    python -m tests.storage.child DATA append ID OFFSET    append standard input, saying "writing" when bytes arrive
    python -m tests.storage.child DATA push ID             append standard input and finish
    python -m tests.storage.child DATA finish ID           finish an upload by what standard input holds
    python -m tests.storage.child DATA read KEY            read a whole blob
    python -m tests.storage.child DATA pushes COUNT SIZE   push made-up contents one after the other

It prints what a call returns, or the class and the sentence of the failure.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from havre.errors import HavreError
from havre.oci.digest import Digest, Hasher
from havre.oci.ranges import ByteRange
from havre.storage import Storage, open_storage
from tests.storage.parts import append, body, content, cut, joined

ENTRY = [sys.executable, "-m", "tests.storage.child"]


def say(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


async def standard_input() -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    while chunk := await loop.run_in_executor(None, os.read, 0, 65_536):
        yield chunk


async def announced() -> AsyncIterator[bytes]:
    first = True
    async for chunk in standard_input():
        yield chunk
        if first:
            say("writing")
        first = False


async def push(storage: Storage, upload: str, data: bytes) -> str:
    await append(storage.uploads, upload, 0, body(*cut(data, 65_536)), Hasher())
    return await storage.uploads.finish(upload, Digest.of(data), len(data))


async def act(storage: Storage, action: str, *words: str) -> object:
    match action, words:
        case "append", (upload, offset):
            return await append(storage.uploads, upload, int(offset), announced(), Hasher())
        case "push", (upload,):
            return await push(storage, upload, b"".join([chunk async for chunk in standard_input()]))
        case "finish", (upload,):
            data = b"".join([chunk async for chunk in standard_input()])
            return await storage.uploads.finish(upload, Digest.of(data), len(data))
        case "read", (key,):
            size = await storage.blobs.size(key) or 0
            return len(await joined(storage.blobs.read(key, ByteRange(0, size))))
        case "pushes", (count, size):
            for number in range(int(count)):
                say(await push(storage, f"u{number}", content(int(size), number)))
            return "done"
    raise SystemExit(__doc__)


async def main(data: str, *words: str) -> None:
    storage = open_storage("", Path(data))
    try:
        say(await act(storage, *words))
    except HavreError as error:
        say(f"{type(error).__name__}: {error.message}")
    storage.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
