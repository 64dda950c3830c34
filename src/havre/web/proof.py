"""Proving again that one is the owner, before something that can not be undone: the password, and a second factor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from havre.access.passkeys import Browser
from havre.access.second_factor import Factors, Proof
from havre.errors import InputInvalid, WrongCredentials
from havre.server import urls
from havre.web import security

if TYPE_CHECKING:
    from collections.abc import Callable

    from havre.access.records import User
    from havre.web.visit import Visit

SECRETS = ("code", "passkey")
"""Fields that are never shown again, besides passwords."""


def browser(visit: Visit) -> Browser:
    """Where the visitor would use a passkey."""
    origin = urls.origin(visit.front, visit.app.config.external_url)
    secret = security.session_secret(visit.request, secure=visit.secure)
    return Browser(origin, urlsplit(origin).hostname or "", secret)


def passkeys_work(visit: Visit) -> bool:
    """Browsers bind passkeys to names: a bare address can have none. Nor can plain http but on this machine itself."""
    host = browser(visit).host
    try:
        ip_address(host)
    except ValueError:
        return visit.secure or host == "localhost" or host.endswith(".localhost")
    return False


async def passkey_request(visit: Visit, factors: Factors) -> str:
    """What the page asks the browser for, as JSON; empty if the account has no passkey or none can be used here."""
    if not factors.passkeys or not passkeys_work(visit):
        return ""
    return json.dumps(await visit.app.second_factors.passkeys.request(browser(visit), factors.passkeys))


async def check_password(visit: Visit, user: User, password: str, field: str = "password") -> None:
    """Raises InputInvalid for a wrong password, and for an access token in its place; TooManyRequests after many."""
    try:
        await visit.app.credentials.check_password(user.name, password, visit.address)
    except WrongCredentials:
        raise InputInvalid(visit.text("That is not your present password."), field=field) from None


async def check_factor(visit: Visit, user: User, values: Mapping[str, str]) -> None:
    """Raises InputInvalid or TooManyRequests unless the form holds a second factor of the account, if it has one."""
    if (await visit.app.second_factors.of(user.id)).required:
        proof = Proof(values.get("code", ""), values.get("passkey", ""))
        await visit.app.second_factors.prove(user, proof, browser(visit), visit.address)


def shown(values: Mapping[str, str]) -> Mapping[str, str]:
    """What may be shown once more of a form."""
    return {name: value for name, value in values.items() if name not in SECRETS}


def mailed_address(visit: Visit, path: str) -> Callable[[str], str]:
    """From the secret of a mailed link to its address at ``path``. The secret goes into the query, which no log holds."""
    origin = visit.app.config.external_url or urls.origin(visit.front, "")
    return lambda secret: f"{origin}{path}?code={quote(secret)}"
