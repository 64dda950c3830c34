"""How often one address or one account may ask: requests by the minute, pulls within six hours.

Counted in the memory of each worker, since a row per request would cost more than most requests do: with several
workers the limits are met later, never earlier. What is remembered is bounded.
"""

from __future__ import annotations

from dataclasses import dataclass

from havre.access.throttle import in_words, network_of
from havre.errors import TooManyRequests
from havre.registry.ports import Clock
from havre.registry.records import Instant

MINUTE = 60_000
"""Milliseconds over which requests may be spread unevenly: the size of the bucket."""

PULL_WINDOW = 6 * 3600
"""Seconds in which pulls add up, from the first one on."""

MAX_KEYS = 50_000
"""Addresses or accounts that one limit remembers."""


class Rate:
    """A token bucket for each key, as the moment at which it will be full again (GCRA)."""

    __slots__ = ("_clock", "_full", "_interval")

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._interval = MINUTE / per_minute if per_minute else 0.0
        self._clock = clock
        self._full: dict[str | int, float] = {}

    def take(self, key: str | int) -> int:
        """Take one token. Returns 0, or in how many seconds there will be one. A limit of 0 is none."""
        if not self._interval:
            return 0
        now = self._clock()
        full = self._full.get(key, 0.0)
        if full < now or full > now + MINUTE:  # later than can be: the clock was set back
            full = now
        full += self._interval
        if full > now + MINUTE:
            return max(1, int((full - now - MINUTE + 999) // 1000))
        if len(self._full) >= MAX_KEYS:
            self._forget(now)
        self._full[key] = full
        return 0

    def _forget(self, now: Instant) -> None:
        self._full = {key: full for key, full in self._full.items() if full > now}
        while len(self._full) > MAX_KEYS // 2:
            del self._full[next(iter(self._full))]


class RequestRates:
    """Requests by the minute, for an address (an IPv6 network of /64 is one) and for an account."""

    def __init__(self, per_address: int, per_account: int, clock: Clock) -> None:
        self._addresses = Rate(per_address, clock)
        self._accounts = Rate(per_account, clock)

    def check_address(self, address: str) -> None:
        """Count one request. Raises TooManyRequests."""
        if wait := self._addresses.take(network_of(address)):
            raise _refusal("your address", wait)

    def check_account(self, user_id: int | None) -> None:
        """Count one request of an account; nobody is counted by address alone. Raises TooManyRequests."""
        if user_id is not None and (wait := self._accounts.take(user_id)):
            raise _refusal("this account", wait)


def _refusal(what: str, wait: int) -> TooManyRequests:
    return TooManyRequests(f"too many requests from {what}: go on in {in_words(wait)}", retry_after=wait)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left to someone who pulls."""

    key: str
    limit: int
    used: int
    source: str
    """What is counted: an address or network, or an account's name."""
    reset: int
    """Seconds until the count begins anew."""

    @property
    def remaining(self) -> int:
        """Pulls."""
        return max(0, self.limit - self.used)


class PullLimits:
    """Pulls within six hours, for addresses of people who are not signed in and for accounts. A limit of 0 is none."""

    def __init__(self, per_address: int, per_account: int, clock: Clock) -> None:
        self._per_address = per_address
        self._per_account = per_account
        self._clock = clock
        self._counts: dict[str, tuple[Instant, int]] = {}

    def allowance(self, user_id: int | None, name: str, address: str) -> Allowance | None:
        """Of this caller; None without limit."""
        limit = self._per_address if user_id is None else self._per_account
        if not limit:
            return None
        source = network_of(address) if user_id is None else name
        key = f"address {source}" if user_id is None else f"account {user_id}"
        now = self._clock()
        start, used = self._counts.get(key, (now, 0))
        if not start <= now < start + PULL_WINDOW * 1000:
            start, used = now, 0
        return Allowance(key, limit, used, source, max(1, (start + PULL_WINDOW * 1000 - now + 999) // 1000))

    def check(self, allowance: Allowance) -> None:
        """Raises TooManyRequests if nothing is left."""
        if not allowance.remaining:
            more = "sign in to pull more, or" if allowance.key.startswith("address") else "please"
            raise TooManyRequests(
                f"{allowance.source} has made the {allowance.limit} pulls that are allowed in six hours;"
                f" {more} wait {in_words(allowance.reset)}",
                retry_after=allowance.reset,
            )

    def take(self, allowance: Allowance) -> Allowance:
        """Count one pull; returns what is left after it."""
        now = self._clock()
        start, used = self._counts.get(allowance.key, (now, 0))
        if not start <= now < start + PULL_WINDOW * 1000:
            start, used = now, 0
        if allowance.key not in self._counts and len(self._counts) >= MAX_KEYS:
            self._forget(now)
        self._counts[allowance.key] = start, used + 1
        return Allowance(allowance.key, allowance.limit, used + 1, allowance.source, allowance.reset)

    def _forget(self, now: Instant) -> None:
        self._counts = {key: one for key, one in self._counts.items() if one[0] + PULL_WINDOW * 1000 > now}
        while len(self._counts) > MAX_KEYS // 2:
            del self._counts[next(iter(self._counts))]
