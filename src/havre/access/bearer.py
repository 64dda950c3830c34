"""Bearer tokens: what clients get from the token endpoint and show on each request to the registry API.

ES256 JSON web tokens (RFC 7519, RFC 7518 section 3.4), good for five minutes and read by this instance alone. Their key
is made at the first start and kept in the settings rows, so all workers and replicas sign and verify alike. What a token
allows was decided when it was made; verifying one reads no rows, and a token seen before costs one look into a dict.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from havre.access.actors import ANONYMOUS, Action, Actor, Grant
from havre.access.ports import Metadata, Rows
from havre.access.scopes import Access
from havre.errors import Unauthorized
from havre.oci.names import RepositoryName
from havre.registry.ports import Clock
from havre.registry.records import Instant

if TYPE_CHECKING:
    from joserfc.jwk import ECKey

LIFE = 300
"""Seconds a token is good for."""

CACHE_SIZE = 4096
MAX_LENGTH = 64 * 1024
"""Characters of a token: ``scopes.MAX_SCOPES`` repositories and the grants of an access token fit, all with the longest names."""

_SKEW = 60
"""Seconds by which the clock of the replica that made a token may be ahead of ours."""

_ACTIONS = {action.value: action for action in Action}
_INVALID = "the bearer token is not one of ours, damaged or expired: ask the token endpoint for another"


@dataclass(frozen=True, slots=True)
class Bearer:
    """A verified token: who, and what it lets through.

    ``access`` is the whole of what it allows, by repository. ``actor``, with the grants of the personal access token
    behind it if there is one, is for lists, for logs, and for telling whether a wider token could be had.
    """

    actor: Actor
    access: Mapping[RepositoryName, frozenset[Action]]
    catalog: bool
    expires: int
    """Seconds since 1970, UTC."""

    def allows(self, action: Action, name: RepositoryName) -> bool:
        """Was this action on this repository granted?"""
        return action in self.access.get(name, ())


class BearerTokens:
    """Makes and verifies bearer tokens. ``start`` must have run first."""

    def __init__(self, metadata: Metadata, clock: Clock) -> None:
        self._metadata = metadata
        self._clock = clock
        self._key: ECKey | None = None
        self._verified: dict[str, Bearer] = {}
        self.instance_id = ""
        """Names this instance: issuer and audience of every token."""

    async def start(self) -> None:
        """Load the key and the instance's id; the very first start makes them. Of several at once, all get the same."""
        from joserfc.jwk import ECKey

        def load(rows: Rows) -> tuple[str, str] | None:
            instance, key = rows.settings.get("instance_id"), rows.settings.get("token_key")
            return (instance, key) if instance and key else None

        def make(rows: Rows) -> tuple[str, str]:
            return rows.settings.put_first("instance_id", new_instance), rows.settings.put_first("token_key", new_key)

        known = await self._metadata.read(load)
        if known is None:
            new_instance = str(uuid.uuid4())
            new_key = json.dumps(ECKey.generate_key("P-256").as_dict(private=True))
            known = await self._metadata.write(make)
        self.instance_id, self._key = known[0], ECKey.import_key(json.loads(known[1]))

    def mint(self, actor: Actor, access: Access, now: Instant) -> str:
        """A token with which ``actor`` may do what ``access`` says; the caller has checked that it may."""
        from joserfc import jwt

        assert self._key is not None, "start() comes first"
        seconds = now // 1000
        claims: dict[str, Any] = {
            "iss": self.instance_id,
            "aud": self.instance_id,
            "sub": actor.name,
            "iat": seconds,
            "exp": seconds + LIFE,
        }
        if actor.user_id is not None:
            claims["uid"] = actor.user_id
        if actor.is_admin:
            claims["adm"] = True
        if actor.grants is not None:
            claims["grants"] = [[one.pattern, *sorted(one.actions)] for one in actor.grants]
        if access.catalog:
            claims["cat"] = True
        if access.repositories:
            claims["acc"] = {
                name: ",".join(sorted(actions)) for name, actions in access.repositories.items() if actions
            }
        return jwt.encode({"alg": "ES256", "typ": "JWT"}, claims, self._key)

    def verify(self, text: str) -> Bearer:
        """Read a token; raises Unauthorized if it is not ours, damaged, expired or from the future."""
        now = self._clock() // 1000
        bearer = self._verified.get(text)
        if bearer is None:
            bearer = self._read(text, now)
            self._remember(text, bearer, now)
        if bearer.expires <= now:
            self._verified.pop(text, None)
            raise Unauthorized(_INVALID)
        return bearer

    def _read(self, text: str, now: int) -> Bearer:
        from joserfc import jwt
        from joserfc.errors import JoseError

        assert self._key is not None, "start() comes first"
        if len(text) > MAX_LENGTH:
            raise Unauthorized(_INVALID)
        try:
            claims = jwt.decode(text, self._key, algorithms=["ES256"]).claims
        except (JoseError, ValueError) as error:
            raise Unauthorized(_INVALID) from error
        if claims.get("iss") != self.instance_id or claims.get("aud") != self.instance_id:
            raise Unauthorized(_INVALID)
        if claims["iat"] > now + _SKEW:
            raise Unauthorized("the bearer token is from the future: the clocks of this registry's servers differ")
        return _bearer(claims)

    def _remember(self, text: str, bearer: Bearer, now: int) -> None:
        if len(self._verified) >= CACHE_SIZE:
            self._verified = {old: one for old, one in self._verified.items() if one.expires > now}
        while len(self._verified) >= CACHE_SIZE:
            del self._verified[next(iter(self._verified))]
        self._verified[text] = bearer


def _bearer(claims: Mapping[str, Any]) -> Bearer:
    """What the claims say; they are ours, so their shape is known."""
    access = {RepositoryName(name): _actions(text.split(",")) for name, text in claims.get("acc", {}).items()}
    actor = ANONYMOUS
    if "uid" in claims:
        grants = None
        if "grants" in claims:
            grants = tuple(Grant(pattern, _actions(actions)) for pattern, *actions in claims["grants"])
        actor = Actor(claims["uid"], claims["sub"], claims.get("adm", False), grants)
    return Bearer(actor, access, claims.get("cat", False), claims["exp"])


def _actions(values: list[str]) -> frozenset[Action]:
    return frozenset(_ACTIONS[value] for value in values if value in _ACTIONS)
