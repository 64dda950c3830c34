"""The first run: while no account exists, every page leads to ``/welcome``, which makes the first administrator.

Whoever reaches the server first must not become its owner, so the page asks for a setup code that only the server's
log tells. It is the same for all workers and restarts, lies in the settings, and is worth nothing once there is an
account.
"""

from __future__ import annotations

import hmac
import logging
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from havre.server.app import App

log = logging.getLogger("havre.web")

_KEY = "setup_code"
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # none that people mistake for another
_LENGTH = 12  # 60 random bits
_told: set[str] = set()


async def pending(app: App) -> bool:
    """Is there still no account at all?"""
    return not await app.accounts.list(limit=1)


async def announce(app: App) -> None:
    """Write the setup code to the log if it is still needed; once per process."""
    if not await pending(app):
        return
    code = await _code(app)
    if code not in _told:
        _told.add(code)
        log.warning("No account exists yet. Open /welcome in a browser and enter the setup code %s", code)


async def matches(app: App, typed: str) -> bool:
    """Is this the setup code? Case, spaces and dashes do not matter."""
    plain = "".join(c for c in typed[:100].upper() if c.isascii() and c.isalnum())
    return hmac.compare_digest(plain, (await _code(app)).replace("-", ""))


async def _code(app: App) -> str:
    stored: str | None = await app.database.read(lambda rows: rows.settings.get(_KEY))
    if stored is not None:
        return stored
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    fresh = "-".join(letters[start : start + 4] for start in range(0, _LENGTH, 4))
    made: str = await app.database.write(lambda rows: rows.settings.put_first(_KEY, fresh))
    return made
