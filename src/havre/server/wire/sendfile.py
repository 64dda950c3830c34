"""Files sent by the kernel: no byte of them passes through Python.

The socket belongs to the event loop's transport. When that has nothing left to write, head and file are written past it
through a second descriptor of the same socket, which is also watched for room: the loop keeps the first for itself.
"""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from havre.server.wire.connection import Connection

AT_ONCE = 1024 * 1024
"""Bytes per system call, so that one fast client does not keep the loop from the others."""


async def send_file(connection: Connection, head: bytes, descriptor: int, offset: int, count: int) -> None:
    """Write ``head`` and ``count`` bytes of the file from ``offset`` on.

    Raises Gone if the client left, and RuntimeError if the file is shorter, which breaks the connection.
    """
    await connection.flushed()
    wire, end = connection.wire, offset + count
    more = socket.MSG_MORE if count else 0
    try:
        while head or offset < end:
            connection.check()
            try:
                if head:
                    head = head[wire.send(head, more) :]
                    continue
                span = min(AT_ONCE, end - offset)
                await _warm(descriptor, offset, span)
                sent = os.sendfile(wire.fileno(), descriptor, offset, span)
            except BlockingIOError:
                await _room(connection, wire)
                continue
            if sent == 0:
                connection.abort()
                raise RuntimeError(f"the file ends {end - offset} bytes early")
            offset += sent
            connection.progressed(sent)
            if sent == AT_ONCE:
                await asyncio.sleep(0)
    except (BrokenPipeError, ConnectionResetError) as error:
        connection.abort()
        raise connection.left() from error


async def _warm(descriptor: int, offset: int, count: int) -> None:
    """Have a thread read what the kernel does not hold in memory: on a slow disk the whole loop would wait."""
    try:
        os.preadv(descriptor, [bytearray(1)], offset + count - 1, os.RWF_NOWAIT)
    except OSError:
        await asyncio.get_running_loop().run_in_executor(None, os.pread, descriptor, count, offset)


async def _room(connection: Connection, wire: socket.socket) -> None:
    """Wait until the socket takes more, or the connection is lost."""
    loop = asyncio.get_running_loop()
    room = connection.waiter()
    loop.add_writer(wire, _wake, room)
    try:
        await room
    finally:
        loop.remove_writer(wire)


def _wake(room: asyncio.Future[None]) -> None:
    if not room.done():
        room.set_result(None)
