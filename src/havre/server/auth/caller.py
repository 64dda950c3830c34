"""Who calls: reads the Authorization header of the token endpoint and of our JSON API (RFC 9110, section 11.6.2)."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from havre.access.actors import ANONYMOUS, Actor
from havre.errors import WrongCredentials

if TYPE_CHECKING:
    from havre.access.credentials import Credentials

_UNREADABLE = "the Authorization header can not be read: send Basic with a name and a password, or Bearer with a token"


async def identify(credentials: Credentials, authorization: str | None, address: str, client: str) -> Actor:
    """The actor that ``authorization`` proves; without it, and for an empty name and password, nobody we know.

    ``Basic`` carries a name with a password or personal access token (RFC 7617), ``Bearer`` a personal access token
    alone. podman sends ``Basic Og==``, which is the empty pair, when it has no credentials. Raises WrongCredentials
    and TooManyRequests.
    """
    if authorization is None or not authorization.strip():
        return ANONYMOUS
    scheme, _, value = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return await credentials.check_token(value.strip(), address, client)
    if scheme.lower() != "basic":
        raise WrongCredentials(_UNREADABLE)
    name, secret = parse_basic(value)
    return await credentials.check(name, secret, address, client) if name or secret else ANONYMOUS


def parse_basic(value: str) -> tuple[str, str]:
    """Name and password of a Basic header (RFC 7617): UTF-8, or Latin-1 where it is not. Raises WrongCredentials."""
    try:
        raw = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise WrongCredentials(_UNREADABLE) from error
    try:
        pair = raw.decode()
    except UnicodeDecodeError:
        pair = raw.decode("latin-1")
    name, colon, secret = pair.partition(":")
    if not colon:
        raise WrongCredentials(_UNREADABLE)
    return name, secret
