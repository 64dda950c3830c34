"""The second factor: an authenticator app, passkeys, and recovery codes for the day when they are lost.

An account has it from the moment that its first authenticator proved to work. From then on a browser needs it after
the password, and clients need an access token in place of the password (see ``credentials``). Whoever has only the
password can not guess codes, which are throttled for the account as a whole; recovery codes and passkeys can not be
guessed at all, so these always let the owner in.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from havre.access import totp
from havre.access.actors import Actor
from havre.access.audit import OPERATOR, record
from havre.access.passkeys import Browser, Passkeys
from havre.access.ports import Metadata, Rows
from havre.access.records import Authenticator, AuthenticatorKey, Factor, User
from havre.access.throttle import CodeAttempt
from havre.errors import Conflict, InputInvalid
from havre.registry.ports import Clock

CODES = 10
"""Recovery codes of an account."""

MAX_AUTHENTICATORS = 10
MAX_LABEL = 60

_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # none that people mistake for another
_CODE_LENGTH = 16
"""Characters of a recovery code: 79 random bits, so its SHA-256 needs no salt."""

WRONG_CODE = "that code is not right, or was used before: wait for the next one"


@dataclass(frozen=True, slots=True)
class Proof:
    """What was given as the second factor: a code that was typed, or a passkey's answer."""

    code: str = ""
    passkey: str = ""


@dataclass(frozen=True, slots=True)
class Factors:
    """What an account has."""

    keys: Sequence[AuthenticatorKey]
    codes_left: int

    @property
    def authenticators(self) -> Sequence[Authenticator]:
        """Those that are asked for."""
        return [one.authenticator for one in self.keys if one.authenticator.confirmed is not None]

    @property
    def required(self) -> bool:
        """Must the password be followed by a second factor?"""
        return bool(self.authenticators)

    @property
    def passkeys(self) -> Sequence[AuthenticatorKey]:
        """Passkeys alone."""
        return [one for one in self.keys if one.authenticator.kind is Factor.PASSKEY]

    @property
    def app(self) -> bool:
        """Is there an authenticator app?"""
        return any(one.kind is Factor.TOTP for one in self.authenticators)


class SecondFactors:
    """Adds, checks and removes second factors. Callers have checked the password where that is needed."""

    def __init__(self, metadata: Metadata, passkeys: Passkeys, clock: Clock) -> None:
        self._metadata = metadata
        self._clock = clock
        self.passkeys = passkeys

    async def of(self, user_id: int) -> Factors:
        """What an account has."""
        return await self._metadata.read(
            lambda rows: Factors(rows.authenticators.of(user_id), rows.authenticators.codes_left(user_id))
        )

    async def begin_app(self, user_id: int) -> None:
        """Make a secret for an app, in place of one that was never confirmed. Raises Conflict."""
        secret, now = totp.new_secret(), self._clock()

        def work(rows: Rows) -> None:
            _refuse_more(rows.authenticators.of(user_id))
            for one in rows.authenticators.of(user_id):
                if one.authenticator.kind is Factor.TOTP and one.authenticator.confirmed is None:
                    rows.authenticators.delete(user_id, one.authenticator.id)
            rows.authenticators.add(user_id, Factor.TOTP, "", secret, now)

        await self._metadata.write(work)

    async def begun_app(self, user_id: int) -> bytes | None:
        """The secret that waits for its first code, or None."""
        waiting = [one for one in (await self.of(user_id)).keys if one.authenticator.confirmed is None]
        return waiting[-1].key if waiting else None

    async def confirm_app(self, user: User, code: str, address: str) -> Sequence[str]:
        """Take the app into use by its first code; returns recovery codes if the account had none.

        Raises InputInvalid for a wrong code or when none was begun, and TooManyRequests.
        """
        typed, now, codes = _digits(code), self._clock(), _new_codes()
        attempt = CodeAttempt(user.name, address)

        def work(rows: Rows) -> bool:
            attempt.check(rows.login_failures, now)
            found = [one for one in rows.authenticators.of(user.id) if one.authenticator.confirmed is None]
            step = totp.matching_step(found[-1].key, typed, now, found[-1].counter) if found else None
            if step is None:
                attempt.failed(rows.login_failures, now)
                return False
            rows.authenticators.use(found[-1].authenticator.id, step, now)
            _added(rows, user, codes)
            _note(rows, user, "second_factor.add", now, address, Factor.TOTP)
            return True

        had_codes = (await self.of(user.id)).codes_left
        if not await self._metadata.write(work):
            raise InputInvalid(
                "that code is not right: check that the clocks of both devices are, and type the next one", field="code"
            )
        return [] if had_codes else codes

    async def add_passkey(self, user: User, browser: Browser, label: str, answer: str, address: str) -> Sequence[str]:
        """Take a passkey into use that the browser just made; returns recovery codes if the account had none.

        Raises InputInvalid for a label or an answer that is not right, and Conflict.
        """
        label = label.strip()
        if not 1 <= len(label) <= MAX_LABEL or not label.isprintable():
            raise InputInvalid(f"give the passkey a name of 1 to {MAX_LABEL} printable characters", field="label")
        credential, key, counter = await self.passkeys.check_new(browser, answer)
        now, codes = self._clock(), _new_codes()

        def work(rows: Rows) -> bool:
            _refuse_more(rows.authenticators.of(user.id))
            rows.authenticators.add(user.id, Factor.PASSKEY, label, key, now, credential, counter, now)
            fresh = _added(rows, user, codes)
            _note(rows, user, "second_factor.add", now, address, Factor.PASSKEY)
            return fresh

        return codes if await self._metadata.write(work) else []

    async def prove(self, user: User, proof: Proof, browser: Browser, address: str) -> None:
        """Is it the account's owner? Raises InputInvalid, with ``field``, and TooManyRequests."""
        if proof.passkey:
            await self._prove_passkey(user, proof.passkey, browser)
            return
        now, typed = self._clock(), proof.code.strip().lower()
        attempt, digits = CodeAttempt(user.name, address), _digits(typed)
        code_hash = _hash_code(user.id, typed)

        def work(rows: Rows) -> bool:
            if not digits and rows.authenticators.use_code(user.id, code_hash, now):
                attempt.succeeded(rows.login_failures)
                return True
            attempt.check(rows.login_failures, now)
            for one in rows.authenticators.of(user.id) if digits else ():
                if one.authenticator.kind is Factor.TOTP and one.authenticator.confirmed is not None:
                    step = totp.matching_step(one.key, digits, now, one.counter)
                    if step is not None and rows.authenticators.use(one.authenticator.id, step, now):
                        attempt.succeeded(rows.login_failures)
                        return True
            attempt.failed(rows.login_failures, now)
            return False

        if not await self._metadata.write(work):
            raise InputInvalid(WRONG_CODE, field="code")

    async def new_codes(self, user: User, address: str) -> Sequence[str]:
        """Recovery codes in place of those that are left. Raises Conflict if there is no second factor to recover."""
        codes, now = _new_codes(), self._clock()

        def work(rows: Rows) -> None:
            if not Factors(rows.authenticators.of(user.id), 0).required:
                raise Conflict("there is no second factor: add an app or a passkey first")
            rows.authenticators.replace_codes(user.id, [_hash_code(user.id, one) for one in codes])
            _note(rows, user, "second_factor.codes", now, address)

        await self._metadata.write(work)
        return codes

    async def remove(self, user: User, authenticator_id: int, address: str) -> None:
        """Take one out of use; with the last one go the recovery codes. Raises InputInvalid if it is not theirs."""
        now = self._clock()

        def work(rows: Rows) -> bool:
            if not rows.authenticators.delete(user.id, authenticator_id):
                return False
            if not Factors(rows.authenticators.of(user.id), 0).required:
                rows.authenticators.delete_all(user.id)
            _note(rows, user, "second_factor.remove", now, address)
            return True

        if not await self._metadata.write(work):
            raise InputInvalid("this account has no such second factor: load the page again")

    async def reset(self, user: User, by: Actor | None = None, address: str = "") -> bool:
        """Take all of them out of use and end the account's sessions; False if there was none. ``by`` an administrator,
        or on the command line.
        """
        now = self._clock()

        def work(rows: Rows) -> bool:
            had = rows.authenticators.delete_all(user.id) > 0
            rows.sessions.delete_all(user.id)
            record(rows, by or OPERATOR, "second_factor.reset", user.name, at=now, address=address)
            return had

        return await self._metadata.write(work)

    async def _prove_passkey(self, user: User, answer: str, browser: Browser) -> None:
        factors = await self.of(user.id)
        known, counter = await self.passkeys.check(browser, answer, factors.passkeys)
        now = self._clock()
        if not await self._metadata.write(lambda rows: rows.authenticators.use(known, counter, now)):
            raise InputInvalid(
                "this passkey did not answer as it should: try again, or use another way", field="passkey"
            )


def _refuse_more(keys: Sequence[AuthenticatorKey]) -> None:
    if len(Factors(keys, 0).authenticators) >= MAX_AUTHENTICATORS:
        raise Conflict(f"this account has {MAX_AUTHENTICATORS} second factors already: remove one first")


def _added(rows: Rows, user: User, codes: Sequence[str]) -> bool:
    """Give recovery codes to an account that has none; were they needed?"""
    needed = not rows.authenticators.codes_left(user.id)
    if needed:
        rows.authenticators.replace_codes(user.id, [_hash_code(user.id, one) for one in codes])
    return needed


def _note(rows: Rows, user: User, action: str, at: int, address: str, kind: Factor | None = None) -> None:
    detail = {"kind": kind.value} if kind else None
    record(rows, Actor(user.id, user.name), action, user.name, at=at, address=address, detail=detail)


def _new_codes() -> list[str]:
    texts = ["".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LENGTH)) for _ in range(CODES)]
    return ["-".join(text[start : start + 4] for start in range(0, _CODE_LENGTH, 4)) for text in texts]


def _hash_code(user_id: int, typed: str) -> bytes:
    plain = "".join(letter for letter in typed[:100].lower() if letter in _ALPHABET)
    return hashlib.sha256(f"{user_id}\0{plain}".encode()).digest()


def _digits(typed: str) -> str:
    """The code of an app as typed, spaces aside; empty if it is none."""
    plain = "".join(typed[:40].split())
    return plain if len(plain) == totp.DIGITS and plain.isascii() and plain.isdigit() else ""
