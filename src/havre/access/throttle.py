"""Throttling of wrong passwords, counted in rows so that every worker and replica counts together.

Two counters, each within a window: one for an account from an address, one for an address alone. None is for an
account alone, so nobody can lock the owner out: from any other address the password still works. Rows are bounded: only
failures that cost an argon2 verification are counted, and each one sweeps away counters that have run out.
"""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from functools import lru_cache

from havre.access.ports import LoginFailureRows
from havre.errors import TooManyRequests
from havre.registry.records import Instant

WINDOW = 15 * 60 * 1000
"""Milliseconds in which failures add up."""

PER_ACCOUNT = 10
"""Wrong passwords for one account from one address."""

PER_ADDRESS = 100
"""Wrong passwords from one address: many people may share one."""

_SWEEP = 100


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to sign in to ``account`` (or to a name nobody has) from ``address``."""

    account: str
    address: str

    @property
    def keys(self) -> tuple[str, str]:
        """Of its two counters: account and address, address alone. Hashes, for rows should not tell who lives where."""
        network = _network(self.address)
        return _key("account", self.account, network), _key("address", network)

    def check(self, rows: LoginFailureRows, now: Instant) -> int:
        """How often the account's password was wrong from here. Raises TooManyRequests, saying when to come back."""
        keys = self.keys
        counts = rows.counts(keys, now - WINDOW + 1)
        for key, limit in zip(keys, (PER_ACCOUNT, PER_ADDRESS), strict=True):
            failures, start = counts.get(key, (0, now))
            if failures >= limit:
                seconds = max(1, (start + WINDOW - now + 999) // 1000)
                raise TooManyRequests(
                    f"too many wrong passwords from your address; try again in {_in_words(seconds)},"
                    " or use a personal access token",
                    retry_after=seconds,
                )
        return counts.get(keys[0], (0, now))[0]

    def failed(self, rows: LoginFailureRows, now: Instant) -> None:
        """Count a wrong password, and forget some counters that have run out."""
        since = now - WINDOW + 1
        rows.sweep(since, _SWEEP)
        for key in self.keys:
            rows.add(key, now, since)

    def succeeded(self, rows: LoginFailureRows) -> None:
        """Forget the account's failures from here. The address keeps its own, or an attacker's account would reset it."""
        rows.clear(self.keys[0])


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@lru_cache(maxsize=1024)
def _network(address: str) -> str:
    """The address itself, or the /64 of an IPv6 address, which is what one customer gets."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), 64), strict=False))


def _in_words(seconds: int) -> str:
    minutes = (seconds + 59) // 60
    return f"{seconds} seconds" if seconds < 60 else "a minute" if minutes == 1 else f"{minutes} minutes"
