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

CODES_PER_ADDRESS = 5
"""Wrong codes of an authenticator app for one account from one address."""

CODES_PER_ACCOUNT = 30
"""Wrong codes of an authenticator app for one account."""

MAILS_PER_ACCOUNT = 3
"""Mails that anyone may have sent to one account."""

MAILS_PER_ADDRESS = 20
"""Mails that may be asked for from one address."""

_SWEEP = 100


class _Counted:
    """Something that is counted twice, each time up to a limit within ``WINDOW``."""

    __slots__ = ()

    @property
    def keys(self) -> tuple[str, str]:
        """Of its two counters. Hashes, for rows should not tell who lives where."""
        raise NotImplementedError

    @property
    def limits(self) -> tuple[int, int]:
        """How far each may count."""
        raise NotImplementedError

    def refusal(self, wait: str) -> str:
        """What to say when one is used up; ``wait`` is a time in words."""
        raise NotImplementedError

    def check(self, rows: LoginFailureRows, now: Instant) -> int:
        """How far the first one has counted. Raises TooManyRequests, saying when to come back."""
        keys = self.keys
        counts = rows.counts(keys, now - WINDOW + 1)
        for key, limit in zip(keys, self.limits, strict=True):
            failures, start = counts.get(key, (0, now))
            if failures >= limit:
                seconds = max(1, (start + WINDOW - now + 999) // 1000)
                raise TooManyRequests(self.refusal(in_words(seconds)), retry_after=seconds)
        return counts.get(keys[0], (0, now))[0]

    def failed(self, rows: LoginFailureRows, now: Instant) -> None:
        """Count one more, and forget some counters that have run out."""
        since = now - WINDOW + 1
        rows.sweep(since, _SWEEP)
        for key in self.keys:
            rows.add(key, now, since)

    def succeeded(self, rows: LoginFailureRows) -> None:
        """Forget the account's failures from here. The other keeps its own, or an attacker's account would reset it."""
        rows.clear(self.keys[0])


@dataclass(frozen=True, slots=True)
class Attempt(_Counted):
    """One attempt to sign in to ``account`` (or to a name nobody has) from ``address``."""

    account: str
    address: str

    @property
    def keys(self) -> tuple[str, str]:
        """Account and address, address alone."""
        network = network_of(self.address)
        return hashed("account", self.account, network), hashed("address", network)

    @property
    def limits(self) -> tuple[int, int]:
        """Wrong passwords."""
        return PER_ACCOUNT, PER_ADDRESS

    def refusal(self, wait: str) -> str:
        """Clients print it too, so it names what still works."""
        return f"too many wrong passwords from your address; try again in {wait}, or use a personal access token"


@dataclass(frozen=True, slots=True)
class CodeAttempt(_Counted):
    """One code of an authenticator app for ``account``, typed at ``address`` by someone who knows the password.

    The account as a whole is counted too, for a million codes are few to whoever has many addresses. Recovery codes and
    passkeys can not be guessed and stay open, so that this locks nobody out.
    """

    account: str
    address: str

    @property
    def keys(self) -> tuple[str, str]:
        """Account and address, account alone."""
        return hashed("code", self.account, network_of(self.address)), hashed("codes", self.account)

    @property
    def limits(self) -> tuple[int, int]:
        """Wrong codes."""
        return CODES_PER_ADDRESS, CODES_PER_ACCOUNT

    def refusal(self, wait: str) -> str:
        """Names what still works."""
        return f"too many wrong codes; try again in {wait}, or use a passkey or a recovery code"


@dataclass(frozen=True, slots=True)
class MailRequest(_Counted):
    """One request for a mail to whoever ``account`` stands for, whether or not there is anyone."""

    account: str
    address: str

    @property
    def keys(self) -> tuple[str, str]:
        """Account, address."""
        return hashed("mail", self.account), hashed("mails", network_of(self.address))

    @property
    def limits(self) -> tuple[int, int]:
        """Mails."""
        return MAILS_PER_ACCOUNT, MAILS_PER_ADDRESS

    def refusal(self, wait: str) -> str:
        """The same for all."""
        return f"several mails were asked for already: look for them, or try again in {wait}"


@dataclass(frozen=True, slots=True)
class SignUp(_Counted):
    """One attempt to make an account from ``address``, of ``most`` that are allowed; ten times as many from around it."""

    address: str
    most: int

    @property
    def keys(self) -> tuple[str, str]:
        """The address, the network around it."""
        return hashed("signup", network_of(self.address)), hashed("signups", _around(self.address))

    @property
    def limits(self) -> tuple[int, int]:
        """Accounts."""
        return self.most, 10 * self.most

    def refusal(self, wait: str) -> str:
        """Says nothing about who did what."""
        return f"many accounts were asked for from your address; try again in {wait}, or ask an administrator for one"


def hashed(*parts: str) -> str:
    """The key of a counter, which tells nobody what is counted."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@lru_cache(maxsize=1024)
def network_of(address: str) -> str:
    """What is counted as one: the address itself, or the /64 of an IPv6 address, which is what one customer gets."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), 64), strict=False))


def _around(address: str) -> str:
    """The network that an address lies in: /24, or /48 of IPv6, which is the most that one customer gets."""
    network = network_of(address)
    try:
        found = ipaddress.ip_network(network)
    except ValueError:
        return network
    return str(found.supernet(new_prefix=24 if found.version == 4 else 48))


def in_words(seconds: int) -> str:
    """A time to wait, rounded up."""
    minutes = (seconds + 59) // 60
    if minutes >= 120:
        return f"{(minutes + 59) // 60} hours"
    return f"{seconds} seconds" if seconds < 60 else "a minute" if minutes == 1 else f"{minutes} minutes"
