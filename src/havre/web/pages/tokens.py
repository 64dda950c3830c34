"""Personal access tokens: made, listed and revoked."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from havre.access.actors import Action, Grant
from havre.access.records import AccessToken
from havre.errors import InputInvalid
from havre.registry.records import Instant
from havre.web.contexts import Form
from havre.web.contexts.settings import TokenRow, TokensPage
from havre.web.errors import FORM_ERRORS
from havre.web.visit import Visit

_DAY = 86_400_000

LIFETIMES = {"7": 7, "30": 30, "90": 90, "365": 365, "never": None}
"""What the form offers, in days."""

_ACTIONS = {
    "pull": frozenset({Action.PULL}),
    "push": frozenset({Action.PULL, Action.PUSH}),
    "delete": frozenset({Action.PULL, Action.PUSH, Action.DELETE}),
}

_LINES = ("", "_2", "_3")
"""The form's lines of repositories and what may be done with them: what follows the names of their fields."""


async def show(visit: Visit) -> Response:
    """``GET /settings/tokens``."""
    fresh = Form({"grants": f"{visit.actor.name}/*", "actions": "push", "expires": "90"})
    return await _page(visit, fresh)


async def create(visit: Visit) -> Response:
    """``POST /settings/tokens``: make one; the answer shows its secret, this once."""
    values = await visit.form()
    try:
        grants = [grant for line in _LINES for grant in _grants(visit, values, line)]
        _, secret = await visit.app.access_tokens.create(
            visit.user_id, values.get("label", ""), grants, _expiry(visit, values), address=visit.address
        )
    except FORM_ERRORS as error:
        form, status = visit.again(error, values)
        return await _page(visit, form, status=status)
    return await _page(visit, Form({**values, "label": ""}), secret=secret)


async def revoke(visit: Visit) -> Response:
    """``POST /settings/tokens/{uid}/revoke``."""
    await visit.app.access_tokens.revoke(visit.user_id, visit.request.path_params["uid"], visit.address)
    return visit.redirect("/settings/tokens")


async def _page(visit: Visit, form: Form, *, secret: str = "", status: int = 200) -> Response:
    now = visit.app.clock()
    tokens = [_row(token, now) for token in await visit.app.access_tokens.list(visit.user_id)]
    needed = (await visit.app.second_factors.of(visit.user_id)).required
    return visit.page("settings_tokens.html", TokensPage(tokens, form, secret, needed), status)


def _row(token: AccessToken, now: Instant) -> TokenRow:
    grants = [(grant.pattern, [action.value for action in Action if action in grant.actions]) for grant in token.grants]
    return TokenRow(
        token.uid,
        token.label,
        token.hint,
        grants,
        token.created,
        token.expires,
        token.expires is not None and token.expires <= now,
        token.last_used,
        token.last_address,
        token.last_client,
    )


def _grants(visit: Visit, values: Mapping[str, str], line: str) -> list[Grant]:
    """One line of the form; the first must say something."""
    patterns = values.get(f"grants{line}", "").replace(",", " ").split()
    if not patterns and line:
        return []
    if not patterns:
        raise InputInvalid(visit.text("Say which repositories the token is for."), field="grants")
    if (chosen := values.get(f"actions{line}", "")) not in _ACTIONS:
        raise InputInvalid(visit.text("Choose what the token may do."), field=f"actions{line}")
    try:
        return [Grant.parse(pattern, _ACTIONS[chosen]) for pattern in patterns]
    except InputInvalid as error:
        raise InputInvalid(error.message, field=f"grants{line}") from error


def _expiry(visit: Visit, values: Mapping[str, str]) -> Instant | None:
    if (chosen := values.get("expires", "")) not in LIFETIMES:
        raise InputInvalid(visit.text("Choose how long the token is valid."), field="expires")
    days = LIFETIMES[chosen]
    return None if days is None else visit.app.clock() + days * _DAY
