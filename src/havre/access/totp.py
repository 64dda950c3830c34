"""Codes of authenticator apps: six digits that follow from a shared secret and the time (RFC 6238, RFC 4226)."""

from __future__ import annotations

import base64
import hmac
import secrets
from urllib.parse import quote, urlencode

from havre.registry.records import Instant

DIGITS = 6
STEP = 30_000
"""Milliseconds for which a code is shown."""

DRIFT = 1
"""Steps that a clock may be early or late."""

SECRET_BYTES = 20
"""As RFC 4226 asks for; with SHA-1, which every app knows and which is sound in HMAC."""


def new_secret() -> bytes:
    """A shared secret."""
    return secrets.token_bytes(SECRET_BYTES)


def step_at(at: Instant) -> int:
    """The number of the time step."""
    return at // STEP


def code(secret: bytes, step: int) -> str:
    """The code of a time step."""
    mac = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    start = mac[-1] & 0x0F
    number = int.from_bytes(mac[start : start + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def matching_step(secret: bytes, typed: str, at: Instant, after: int) -> int | None:
    """The time step around ``at`` whose code was typed, if it is later than ``after``: a code is good once."""
    now, found = step_at(at), None
    for step in range(now - DRIFT, now + DRIFT + 1):
        # All are compared, so that the time it takes tells nothing.
        if hmac.compare_digest(code(secret, step).encode(), typed.encode()) and step > after:
            found = step
    return found


def shown(secret: bytes) -> str:
    """The secret for typing: base 32 in groups of four."""
    text = base64.b32encode(secret).decode().rstrip("=")
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def address(secret: bytes, account: str, issuer: str) -> str:
    """The ``otpauth:`` address that a QR code brings to the app."""
    plain = shown(secret).replace(" ", "")
    values = {"secret": plain, "issuer": issuer, "algorithm": "SHA1", "digits": DIGITS, "period": STEP // 1000}
    return f"otpauth://totp/{quote(f'{issuer}:{account}', safe=':')}?{urlencode(values, quote_via=quote)}"
