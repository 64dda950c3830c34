"""A process that writes to a database with several writers at once, and says so only when it is told that a row stands.

python writing.py URL NAME WRITERS COUNT        prints "NAME-WRITER-NUMBER" for every acknowledged row
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable

from havre.metadata import Database, Rows
from havre.oci.names import RepositoryName
from havre.registry.records import UploadRecord


def upload(name: str) -> Callable[[Rows], None]:
    """A unit of work that adds one row."""
    return lambda rows: rows.uploads.add(UploadRecord(name, RepositoryName("python"), None, 1, 1))


def counted(rows: Rows) -> None:
    """A unit of work that reads, then writes what follows from it: it goes wrong unless units come one by one."""
    python = rows.repositories.get(RepositoryName("python"))
    assert python is not None
    rows.repositories.change(python.id, description=str(int(python.description or "0") + 1))


def writer_process(url: str, name: str, writers: int, count: int) -> subprocess.Popen[str]:
    """Start such a process; its output is to be read."""
    arguments = [sys.executable, __file__, url, name, str(writers), str(count)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


async def _main(url: str, name: str, writers: int, count: int) -> None:
    database = Database.open(url)
    await database.start()

    async def write(writer: int) -> None:
        for number in range(count):
            row = f"{name}-{writer}-{number}"
            await database.write(upload(row))
            await database.write(counted, durable=False)
            # One call of the kernel, so that a kill leaves whole lines.
            os.write(1, f"{row}\n".encode())

    await asyncio.gather(*(write(writer) for writer in range(writers)))
    await database.close()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
