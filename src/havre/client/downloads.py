"""Downloads: one blob as a stream that goes on where a connection broke."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing

import httpx

from havre.client.auth import Scopes
from havre.client.session import Session
from havre.client.transport import explain, read_answer
from havre.errors import SizeInvalid, Unavailable
from havre.oci.descriptor import Descriptor

PIECE = 512 * 1024
"""Bytes handed on at a time, at most; the last piece of a connection may be smaller."""


async def read_blob(
    session: Session, path: str, scopes: Scopes, descriptor: Descriptor, offset: int = 0
) -> AsyncGenerator[bytes, None]:
    """The bytes of a blob from ``offset`` on, never more than its size; the caller checks the digest.

    A broken connection is followed by a request for the rest. Raises Unavailable when several tries in a row bring
    nothing, or the registry's own error.
    """
    address = f"/v2/{path}/blobs/{descriptor.digest}"
    settings = session.transport.settings
    fruitless = 0
    while True:
        start = offset
        headers = {"range": f"bytes={offset}-"} if offset else {}
        try:
            async with session.open("GET", address, scopes, headers=headers, bulk=True) as response:
                skip = await _skipped(session, response, descriptor, offset)
                async with aclosing(_pieces(response, skip)) as pieces:
                    async for piece in pieces:
                        offset += len(piece)
                        if offset > descriptor.size:
                            raise SizeInvalid(
                                f"{session.registry} sent more than the {descriptor.size} bytes of {descriptor.digest}"
                            )
                        yield piece
            broken: Unavailable | None = None
        except httpx.TransportError as error:
            broken = explain(error, f"https://{session.registry}/")
        if offset == descriptor.size:
            return
        fruitless = 0 if offset > start else fruitless + 1
        if fruitless >= settings.attempts:
            raise broken or SizeInvalid(
                f"{session.registry} sent only {offset} of the {descriptor.size} bytes of {descriptor.digest}"
            )
        await asyncio.sleep(min(settings.first_pause * 3**fruitless, settings.longest_pause))


async def _skipped(session: Session, response: httpx.Response, descriptor: Descriptor, offset: int) -> int:
    """How many bytes of this answer are already there. Raises the registry's error."""
    if response.status_code == 200:
        return offset
    if response.status_code == 206:
        found = re.match(r"bytes ([0-9]{1,18})-", response.headers.get("content-range", ""))
        if not found or int(found[1]) != offset:
            raise Unavailable(f"{session.registry} sent another range of {descriptor.digest} than it was asked for")
        return 0
    answer = await read_answer(response)
    raise await session.failure(answer, f"fetching {descriptor.digest}")


async def _pieces(response: httpx.Response, skip: int) -> AsyncGenerator[bytes, None]:
    """The body in pieces worth a trip to another thread, without its first ``skip`` bytes."""
    parts: list[bytes] = []
    size = 0
    try:
        async for part in response.aiter_raw():
            if skip >= len(part):
                skip -= len(part)
                continue
            parts.append(part[skip:] if skip else part)
            size += len(part) - skip
            skip = 0
            if size >= PIECE:
                yield b"".join(parts)
                parts, size = [], 0
    except httpx.TransportError:
        # What arrived before the break is good as far as anyone knows; the digest decides in the end.
        if parts:
            yield b"".join(parts)
        raise
    if parts:
        yield b"".join(parts)
