"""How often one address or one account may ask: requests by the minute, pulls within six hours.

Requests are counted in the memory of each worker, since a row per request would cost more than most requests do: with
several workers that limit is met later, never earlier. Pulls are counted in memory and in rows: what a worker has
counted is added to the rows every ``SETTLE`` milliseconds, and what all have counted is read back. What is remembered
is bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from havre.access.ports import Metadata, Rows
from havre.access.throttle import hashed, in_words, network_of
from havre.errors import TooManyRequests
from havre.registry.ports import Clock
from havre.registry.records import Instant

MINUTE = 60_000
"""Milliseconds over which requests may be spread unevenly: the size of the bucket."""

PULL_WINDOW = 6 * 3600
"""Seconds in which pulls add up, from the first one on."""

SETTLE = 2_000
"""Milliseconds after which pulls that were counted are told to the rows, and asked for again."""

MAX_KEYS = 50_000
"""Addresses or accounts that one limit remembers."""

_WINDOW = PULL_WINDOW * 1000
_AHEAD = 60_000
"""Milliseconds by which another replica's clock may be ahead."""

_AT_ONCE = 500
_SWEEP = 100


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
    is_address: bool
    """Of somebody who is not signed in."""

    @property
    def remaining(self) -> int:
        """Pulls."""
        return max(0, self.limit - self.used)


@dataclass(slots=True)
class _Count:
    """Of one key: what the rows said last, and what they have not been told."""

    start: Instant
    settled: int
    fresh: Instant
    """When the rows were asked."""
    pending: int = 0


class PullLimits:
    """Pulls within six hours, for addresses of people who are not signed in and for accounts. A limit of 0 is none.

    All workers and replicas count together. More than the limit is let through only as far as one caller pulls from
    several of them within ``SETTLE``: before each has told the rows, and before the others have asked them again.
    """

    def __init__(self, per_address: int, per_account: int, clock: Clock, metadata: Metadata) -> None:
        self._per_address = per_address
        self._per_account = per_account
        self._clock = clock
        self._metadata = metadata
        self._counts: dict[str, _Count] = {}

    async def allowance(self, user_id: int | None, name: str, address: str) -> Allowance | None:
        """Of this caller; None without limit. Asks the rows if that was not done for ``SETTLE``."""
        limit = self._per_address if user_id is None else self._per_account
        if not limit:
            return None
        source = network_of(address) if user_id is None else name
        key = hashed("pulls", "address", source) if user_id is None else hashed("pulls", "account", str(user_id))
        count = await self._current(key)
        return self._allowance(Allowance(key, limit, 0, source, 0, user_id is None), count)

    def check(self, allowance: Allowance) -> None:
        """Raises TooManyRequests if nothing is left."""
        if not allowance.remaining:
            more = "sign in to pull more, or" if allowance.is_address else "please"
            raise TooManyRequests(
                f"{allowance.source} has made the {allowance.limit} pulls that are allowed in six hours;"
                f" {more} wait {in_words(allowance.reset)}",
                retry_after=allowance.reset,
            )

    def take(self, allowance: Allowance) -> Allowance:
        """Count one pull; returns what is left after it."""
        now = self._clock()
        count = self._counts.get(allowance.key)
        if count is None or not _is_running(count.start, now):
            count = self._counts[allowance.key] = _Count(now, allowance.used if count is None else 0, now)
        count.pending += 1
        return self._allowance(allowance, count)

    async def settle(self) -> None:
        """Tell the rows what was counted since the last time, and take over what all have counted. Raises Unavailable."""
        waiting = [key for key, count in self._counts.items() if count.pending]
        for begin in range(0, len(waiting), _AT_ONCE):
            now = self._clock()
            told = {key: self._counts[key].pending for key in waiting[begin : begin + _AT_ONCE] if key in self._counts}
            found = await self._metadata.write(partial(_settle, told, now), durable=False)
            for key, pulls in told.items():
                if count := self._counts.get(key):
                    count.settled, count.start = found.get(key, (0, now))
                    count.pending, count.fresh = max(0, count.pending - pulls), now

    async def _current(self, key: str) -> _Count:
        now = self._clock()
        count = self._counts.get(key)
        if count is not None and not _is_running(count.start, now):
            # Pulls of a window that is over count for nothing any more.
            del self._counts[key]
            count = None
        if count is None or not count.fresh <= now < count.fresh + SETTLE:
            found = await self._metadata.read(lambda rows: rows.pull_counts.of([key], now - _WINDOW + 1))
            used, start = found.get(key, (0, now))
            if not _is_running(start, now):
                used, start = 0, now
            count = self._counts.get(key)
            if count is None:
                if len(self._counts) >= MAX_KEYS:
                    self._forget()
                count = self._counts[key] = _Count(start, used, now)
            else:
                count.start, count.settled, count.fresh = start, used, now
        return count

    def _allowance(self, of: Allowance, count: _Count) -> Allowance:
        reset = max(1, (count.start + _WINDOW - self._clock() + 999) // 1000)
        return replace(of, used=count.settled + count.pending, reset=reset)

    def _forget(self) -> None:
        """What the rows know can be read again."""
        self._counts = {key: count for key, count in self._counts.items() if count.pending}
        while len(self._counts) > MAX_KEYS // 2:
            del self._counts[next(iter(self._counts))]


def _settle(told: Mapping[str, int], now: Instant, rows: Rows) -> Mapping[str, tuple[int, Instant]]:
    since = now - _WINDOW + 1
    rows.pull_counts.sweep(since, _SWEEP)
    rows.pull_counts.add(told, now, since)
    return rows.pull_counts.of(list(told), since)


def _is_running(start: Instant, now: Instant) -> bool:
    """Not over, and not from the future, but for a clock that is a little ahead."""
    return start - _AHEAD <= now < start + _WINDOW
