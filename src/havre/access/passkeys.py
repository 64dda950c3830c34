"""Passkeys: what a browser is asked, and whether its answer is right (Web Authentication Level 3).

A challenge is made from a key of this registry, the time and the browser's own session: it needs no row, is good for
ten minutes, and only in that browser for that purpose. Checking is left to py_webauthn, imported when it is needed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from havre.access.ports import Metadata
from havre.access.records import AuthenticatorKey
from havre.errors import InputInvalid
from havre.registry.ports import Clock
from havre.registry.records import Instant

LIFE = 10 * 60_000
"""Milliseconds within which a challenge must be answered."""

MAX_ANSWER = 16_384
"""Characters of an answer; real ones have one or two thousand."""

_KEY = "challenge_key"
_ALGORITHMS = (-8, -7, -257)
"""EdDSA, ES256, RS256 (COSE)."""

_REFUSED = "this passkey did not answer as it should: try again, or use another way"
_LATE = "that took longer than ten minutes: load the page again"


@dataclass(frozen=True, slots=True)
class Browser:
    """Where a passkey is used."""

    origin: str
    """Scheme, host and port of the page, as the browser knows them."""
    host: str
    """The host alone: what passkeys are bound to."""
    session: str
    """The secret of its session, pending or not."""


class Passkeys:
    """Makes challenges and checks answers."""

    def __init__(self, metadata: Metadata, clock: Clock) -> None:
        self._metadata = metadata
        self._clock = clock
        self._key = b""

    async def start(self) -> None:
        """Read the key of challenges, or make it; called when the first one is needed."""
        if not self._key:
            fresh = secrets.token_hex(32)
            kept = await self._metadata.read(lambda rows: rows.settings.get(_KEY))
            if kept is None:
                kept = await self._metadata.write(lambda rows: rows.settings.put_first(_KEY, fresh))
            self._key = bytes.fromhex(kept)

    async def creation(
        self, browser: Browser, user_id: int, name: str, known: Sequence[AuthenticatorKey]
    ) -> Mapping[str, Any]:
        """What to ask a browser for to make a passkey: PublicKeyCredentialCreationOptions as JSON."""
        await self.start()
        return {
            "rp": {"id": browser.host, "name": "Havre"},
            "user": {"id": _text(user_id.to_bytes(8, "big")), "name": name, "displayName": name},
            "challenge": _text(self._challenge(browser, "create", self._clock())),
            "pubKeyCredParams": [{"type": "public-key", "alg": one} for one in _ALGORITHMS],
            "timeout": LIFE,
            "attestation": "none",
            "authenticatorSelection": {"residentKey": "discouraged", "userVerification": "preferred"},
            "excludeCredentials": _descriptors(known),
        }

    async def request(self, browser: Browser, known: Sequence[AuthenticatorKey]) -> Mapping[str, Any]:
        """What to ask a browser for to use a passkey: PublicKeyCredentialRequestOptions as JSON."""
        await self.start()
        return {
            "rpId": browser.host,
            "challenge": _text(self._challenge(browser, "get", self._clock())),
            "timeout": LIFE,
            "userVerification": "preferred",
            "allowCredentials": _descriptors(known),
        }

    async def check_new(self, browser: Browser, answer: str) -> tuple[bytes, bytes, int]:
        """Id, public key and counter of a passkey that was just made. Raises InputInvalid."""
        from webauthn import verify_registration_response

        challenge = await self._answered(browser, "create", answer)
        try:
            made = verify_registration_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=browser.host,
                expected_origin=browser.origin,
            )
        except Exception as error:  # the library's own errors, and those of what it parses with
            raise InputInvalid(_REFUSED, field="passkey") from error
        return made.credential_id, made.credential_public_key, made.sign_count

    async def check(self, browser: Browser, answer: str, known: Sequence[AuthenticatorKey]) -> tuple[int, int]:
        """Which of ``known`` answered, by id, and its new counter. Raises InputInvalid."""
        from webauthn import verify_authentication_response

        challenge = await self._answered(browser, "get", answer)
        credential = _bytes(str(_parsed(answer).get("id", "")))
        found = next((one for one in known if one.credential and hmac.compare_digest(one.credential, credential)), None)
        if found is None:
            raise InputInvalid("this passkey is not one of the account's: use another way", field="passkey")
        try:
            proof = verify_authentication_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=browser.host,
                expected_origin=browser.origin,
                credential_public_key=found.key,
                credential_current_sign_count=found.counter,
            )
        except Exception as error:
            raise InputInvalid(_REFUSED, field="passkey") from error
        return found.authenticator.id, proof.new_sign_count

    async def _answered(self, browser: Browser, purpose: str, answer: str) -> bytes:
        """The challenge that ``answer`` is for, if it is one of ours, for this browser, and not too old."""
        await self.start()
        response = _parsed(answer).get("response")
        data = response.get("clientDataJSON", "") if isinstance(response, dict) else ""
        challenge = _bytes(str(_object(_bytes(str(data))).get("challenge", "")))
        issued = int.from_bytes(challenge[:8], "big")
        if not hmac.compare_digest(challenge, self._challenge(browser, purpose, issued)):
            raise InputInvalid(_REFUSED, field="passkey")
        if not 0 <= self._clock() - issued <= LIFE:
            raise InputInvalid(_LATE, field="passkey")
        return challenge

    def _challenge(self, browser: Browser, purpose: str, issued: Instant) -> bytes:
        stamp = issued.to_bytes(8, "big")
        return stamp + hmac.digest(self._key, stamp + f"{purpose}\0{browser.session}".encode(), hashlib.sha256)


def _descriptors(known: Sequence[AuthenticatorKey]) -> list[Mapping[str, str]]:
    return [{"type": "public-key", "id": _text(one.credential)} for one in known if one.credential]


def _parsed(answer: str) -> dict[str, Any]:
    if len(answer) > MAX_ANSWER:
        raise InputInvalid(_REFUSED, field="passkey")
    return _object(answer.encode(errors="replace"))


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputInvalid(_REFUSED, field="passkey") from error
    if not isinstance(found, dict):
        raise InputInvalid(_REFUSED, field="passkey")
    return found


def _text(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    try:
        return urlsafe_b64decode(text[:MAX_ANSWER] + "=" * (-len(text) % 4))
    except ValueError as error:
        raise InputInvalid(_REFUSED, field="passkey") from error
