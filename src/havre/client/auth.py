"""Auth: what a registry asks for, and the tokens that answer it.

A registry answers 401 with challenges (RFC 9110, section 11.6.1). For ``Bearer`` the client asks the token server
named there, as the distribution project's token specification describes: by GET with the account's name and password
(or nobody's, for what is public), by POST with an identity token. For ``Basic`` name and password go to the registry.
Tokens are kept in memory for as long as they live, by what they allow.
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import json
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx

from havre.client.failures import failure
from havre.client.references import is_loopback
from havre.client.transport import Answer, Transport, authority, origin
from havre.errors import HavreError, Unauthorized, Unavailable, WrongCredentials

CLIENT_ID = "havre"
MAX_TOKEN_ANSWER = 256 * 1024
_SHORTEST_LIFE = 60
"""Seconds a token lives when the server says less or nothing, by the token specification."""
_FRESH_FOR = 0.9
"""The part of its life during which a token is used: it must not expire on the way."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A name and a password, or an identity token in place of the password. Never shown in full."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The value of an Authorization header (RFC 7617)."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode("ascii")


@dataclass(frozen=True, slots=True)
class Scope:
    """Something that may be done, as token servers write it: ``repository:marin/app:pull,push``."""

    kind: str
    name: str
    actions: frozenset[str]

    @classmethod
    def parse(cls, text: str) -> Scope | None:
        """Read one scope; the name may hold colons. None when it is malformed."""
        kind, _, rest = text.partition(":")
        name, colon, actions = rest.rpartition(":")
        if not kind or not colon:
            return None
        return cls(kind, name, frozenset(filter(None, actions.split(","))))

    @classmethod
    def repository(cls, path: str, *actions: str) -> Scope:
        """Actions (``pull``, ``push``, ``delete``) on one repository."""
        return cls("repository", path, frozenset(actions))

    def covers(self, other: Scope) -> bool:
        """Does it allow all that ``other`` does?"""
        return (self.kind, self.name) == (other.kind, other.name) and (
            other.actions <= self.actions or "*" in self.actions
        )

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}:{','.join(sorted(self.actions))}"


CATALOG = Scope("registry", "catalog", frozenset({"*"}))

Scopes = frozenset[Scope]


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to authenticate that a registry offers. ``scheme`` and the names of parameters are in lower case."""

    scheme: str
    parameters: dict[str, str]


_PART = re.compile(
    r'\s*(?:(?P<name>[!#$%&\'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s,"]+))'
    r"|(?P<scheme>[!#$%&'*+.^_`|~0-9A-Za-z-]+)(?=\s|,|$))\s*,?"
)


def parse_challenges(lines: Iterable[str]) -> list[Challenge]:
    """Read WWW-Authenticate lines, each of which may hold several challenges. What can not be read is left out."""
    found: list[Challenge] = []
    for line in lines:
        position = 0
        line = line[:8192]  # noqa: PLW2901 - bounded
        while position < len(line) and (part := _PART.match(line, position)):
            position = part.end()
            if part["scheme"]:
                found.append(Challenge(part["scheme"].lower(), {}))
            elif found:
                value = part["bare"] if part["quoted"] is None else re.sub(r"\\(.)", r"\1", part["quoted"])
                found[-1].parameters.setdefault(part["name"].lower(), value)
    return found


def choose(challenges: Iterable[Challenge]) -> Challenge | None:
    """The challenge to answer: Bearer where it is offered, else Basic, else None."""
    offered = list(challenges)
    for scheme in ("bearer", "basic"):
        for challenge in offered:
            if challenge.scheme == scheme and (scheme == "basic" or challenge.parameters.get("realm")):
                return challenge
    return None


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token, and until when (seconds on the monotonic clock) it is used."""

    text: str = field(repr=False)
    until: float
    scopes: Scopes
    refresh_token: str = field(default="", repr=False)


class Authenticator:
    """Answers the challenges of one registry.

    ``credentials`` is asked once, when the first challenge arrives; None means: nobody is logged in.
    """

    def __init__(
        self, transport: Transport, registry: str, credentials: Callable[[], Awaitable[Credential | None]]
    ) -> None:
        self.registry = registry
        self._transport = transport
        self._ask = credentials
        self._credential: Credential | None = None
        self._asked = False
        self._challenge: Challenge | None = None
        self._origin = httpx.URL()
        self._tokens: list[Token] = []
        self._lock = asyncio.Lock()

    @property
    def scheme(self) -> str:
        """``bearer`` or ``basic``; empty when the registry asks for nothing."""
        return self._challenge.scheme if self._challenge else ""

    async def credential(self) -> Credential | None:
        """Who is logged in."""
        if not self._asked:
            self._credential, self._asked = await self._ask(), True
        return self._credential

    def accept(self, answer: Answer) -> None:
        """Remember what a 401 asks for. Raises Unauthorized when it asks for nothing that is known here."""
        challenge = choose(parse_challenges(answer.all_challenges))
        if challenge is None:
            raise Unauthorized(f"{self.registry} asks for a kind of authentication that is not known here")
        self._challenge, self._origin = challenge, httpx.URL(answer.url)

    async def header(self, scopes: Scopes) -> str:
        """The Authorization header for ``scopes``; empty when nothing was asked for or nobody is logged in."""
        if self._challenge is None:
            return ""
        if self._challenge.scheme == "basic":
            credential = await self.credential()
            return credential.basic if credential and not credential.identity_token else ""
        async with self._lock:
            token = self._kept(scopes)
            if token is None:
                token = await self.fetch_token(scopes)
                self._tokens.append(token)
        return f"Bearer {token.text}"

    def refuse(self, header: str) -> None:
        """Forget the token that a registry would not take."""
        self._tokens = [token for token in self._tokens if f"Bearer {token.text}" != header]

    async def fetch_token(self, scopes: Scopes, *, offline: bool = False) -> Token:
        """Ask the token server. ``offline`` asks for an identity token too, as a login does.

        Raises WrongCredentials when it refuses the name and password.
        """
        if self._challenge is None:
            raise Unauthorized(f"{self.registry} asks for no token")
        realm = self._realm(self._challenge.parameters["realm"])
        service = self._challenge.parameters.get("service", "")
        credential = await self.credential()
        if credential and credential.identity_token:
            answer = await self._post(realm, service, scopes, credential)
            if answer.status in {404, 405}:
                answer = await self._get(
                    realm, service, scopes, Credential("<token>", credential.identity_token), False
                )
        else:
            answer = await self._get(realm, service, scopes, credential, offline)
        return self._read(answer, scopes, credential)

    def _kept(self, scopes: Scopes) -> Token | None:
        now = time.monotonic()
        self._tokens = [token for token in self._tokens if token.until > now]
        for token in self._tokens:
            if all(any(held.covers(wanted) for held in token.scopes) for wanted in scopes):
                return token
        return None

    def _realm(self, text: str) -> httpx.URL:
        """The token server's address. Passwords go there, so a registry may not send them just anywhere."""
        try:
            realm = self._origin.join(text)
        except httpx.InvalidURL as error:
            raise Unavailable(f"{self.registry} names a token server that can not be read") from error
        if realm.scheme not in {"http", "https"} or not realm.host:
            raise Unavailable(f"{self.registry} names a token server that is not at an http address")
        if origin(realm) == origin(self._origin):
            return realm
        if realm.scheme == "http" and self._origin.scheme == "https":
            raise Unavailable(f"{self.registry} names the token server {authority(realm)} without encryption: refused")
        if _is_private(realm.host) and not _is_private(self._origin.host):
            raise Unavailable(f"{self.registry} names the private address {authority(realm)} as token server: refused")
        return realm

    async def _get(
        self, realm: httpx.URL, service: str, scopes: Scopes, credential: Credential | None, offline: bool
    ) -> Answer:
        query = [("service", service)] if service else []
        query += [("scope", str(scope)) for scope in sorted(scopes, key=str)]
        headers = {}
        if credential:
            if credential.username != "<token>":
                query.append(("account", credential.username))
            headers["authorization"] = credential.basic
        if offline:
            query += [("client_id", CLIENT_ID), ("offline_token", "true")]
        url = realm.copy_merge_params(httpx.QueryParams(tuple(query)))
        return await self._transport.fetch("GET", str(url), headers=headers, limit=MAX_TOKEN_ANSWER)

    async def _post(self, realm: httpx.URL, service: str, scopes: Scopes, credential: Credential) -> Answer:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": credential.identity_token,
            "service": service,
            "client_id": CLIENT_ID,
            "scope": " ".join(sorted(map(str, scopes))),
        }
        body = str(httpx.QueryParams(form)).encode("ascii")
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return await self._transport.fetch(
            "POST", str(realm), headers=headers, body=body, limit=MAX_TOKEN_ANSWER, redirects=0
        )

    def _read(self, answer: Answer, scopes: Scopes, credential: Credential | None) -> Token:
        if answer.status != 200:
            raise self._refusal(answer, credential)
        try:
            document: Any = json.loads(answer.body)
            text = document.get("token") or document.get("access_token")
            life = document.get("expires_in")
        except (ValueError, AttributeError, RecursionError) as error:
            raise Unavailable(f"the token server of {self.registry} sent no JSON object") from error
        if not isinstance(text, str) or not text.isascii() or not text.isprintable():
            raise Unavailable(f"the token server of {self.registry} sent no token")
        seconds = life if isinstance(life, int | float) and life > _SHORTEST_LIFE else _SHORTEST_LIFE
        refresh = document.get("refresh_token")
        until = time.monotonic() + seconds * _FRESH_FOR
        return Token(text, until, scopes, refresh if isinstance(refresh, str) else "")

    def _refusal(self, answer: Answer, credential: Credential | None) -> HavreError:
        where = f"the token server of {self.registry}"
        error = failure(answer.status, answer.headers, answer.body, where)
        if answer.status in {400, 401} and credential is not None:
            return WrongCredentials(
                f"{error.message}; the name or password is wrong, or the login has expired:"
                f" log in again with havre login {self.registry}"
            )
        return error


def _is_private(host: str) -> bool:
    if is_loopback(host):
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return address.is_private or address.is_link_local or address.is_loopback
