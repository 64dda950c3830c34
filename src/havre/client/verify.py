"""Verify: content on its way is counted and hashed, and the last piece is held back until both are right.

Whoever reads such a stream to its end has the content that was asked for; whoever gets an error never had all of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from havre.errors import DigestInvalid, SizeInvalid
from havre.oci.descriptor import Descriptor
from havre.oci.digest import Hasher

_WORTH_A_THREAD = 128 * 1024
"""Bytes from which hashing in another thread costs less than it keeps the loop waiting."""


Pieces = AsyncGenerator[bytes, None]
"""Content as it arrives. Whoever stops early closes it."""


async def verified(stream: Pieces, descriptor: Descriptor, where: str) -> Pieces:
    """Pass ``stream`` on. Raises SizeInvalid or DigestInvalid, naming ``where``, before its last piece."""
    hasher = Hasher(descriptor.digest.algorithm)
    held = b""
    async with aclosing(stream):
        async for piece in stream:
            if hasher.size + len(piece) > descriptor.size:
                raise SizeInvalid(f"{where} sent more than the {descriptor.size} bytes of {descriptor.digest}")
            if len(piece) >= _WORTH_A_THREAD:
                await asyncio.to_thread(hasher.update, piece)
            else:
                hasher.update(piece)
            if held:
                yield held
            held = piece
    if hasher.size < descriptor.size:
        raise SizeInvalid(f"{where} sent only {hasher.size} of the {descriptor.size} bytes of {descriptor.digest}")
    found = hasher.digest(descriptor.digest.algorithm)
    if found != descriptor.digest:
        raise DigestInvalid(f"{where} sent content with the digest {found} in place of {descriptor.digest}")
    if held:
        yield held
