"""The second factor: an authenticator app, passkeys, recovery codes; added, shown and removed."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence

from starlette.responses import Response

from havre.access import totp
from havre.access.records import Subject, User
from havre.errors import InputInvalid
from havre.web import proof
from havre.web.contexts import Form
from havre.web.contexts.settings import AppPage, CodesPage, Forms, TwoFactorPage
from havre.web.errors import FORM_ERRORS
from havre.web.visit import Visit

_HERE = "/settings/two-factor"


async def show(visit: Visit) -> Response:
    """``GET /settings/two-factor``."""
    return await _page(visit, await visit.user(), Forms(), visit.query("saved"))


async def change(visit: Visit) -> Response:
    """``POST /settings/two-factor``: one of its forms, named by the field ``form``. Each needs the password."""
    user, values = await visit.user(), await visit.form()
    which = values.get("form", "")
    try:
        if which not in _FORMS:
            raise InputInvalid("this is not a form of the page")
        await proof.check_password(visit, user, values.get("password", ""))
        return await _FORMS[which](visit, user, values)
    except FORM_ERRORS as error:
        form, status = visit.again(error, proof.shown(values))
        if which == "remove":
            which += "-" + values.get("authenticator", "")[:20]
        return await _page(visit, user, Forms(which, form), status=status)


async def show_app(visit: Visit) -> Response:
    """``GET /settings/two-factor/app``: the picture to scan, while the app waits for its first code."""
    return await _app_page(visit, await visit.user(), Form())


async def confirm_app(visit: Visit) -> Response:
    """``POST /settings/two-factor/app``: the first code takes the app into use."""
    user, values = await visit.user(), await visit.form()
    try:
        codes = await visit.app.second_factors.confirm_app(user, values.get("code", ""), visit.address)
    except FORM_ERRORS as error:
        form, status = visit.again(error, proof.shown(values))
        return await _app_page(visit, user, form, status)
    return await _added(visit, user, codes)


async def _begin_app(visit: Visit, user: User, _: Mapping[str, str]) -> Response:
    await visit.app.second_factors.begin_app(user.id)
    return visit.redirect(f"{_HERE}/app")


async def _add_passkey(visit: Visit, user: User, values: Mapping[str, str]) -> Response:
    answer = values.get("passkey", "")
    if not answer:
        raise InputInvalid(visit.text("Your browser made no passkey. Scripts must be on for this."), field="passkey")
    label = values.get("label", "")
    codes = await visit.app.second_factors.add_passkey(user, proof.browser(visit), label, answer, visit.address)
    return await _added(visit, user, codes)


async def _new_codes(visit: Visit, user: User, values: Mapping[str, str]) -> Response:
    await proof.check_factor(visit, user, values)
    codes = await visit.app.second_factors.new_codes(user, visit.address)
    return visit.page("settings_codes.html", CodesPage(codes, first=False))


async def _remove(visit: Visit, user: User, values: Mapping[str, str]) -> Response:
    text = values.get("authenticator", "")
    await proof.check_factor(visit, user, values)
    wanted = int(text) if text.isascii() and text.isdigit() and len(text) < 18 else 0
    await visit.app.second_factors.remove(user, wanted, visit.address)
    await visit.app.recovery.tell(user, Subject.FACTOR_CHANGED)
    return visit.redirect(f"{_HERE}?saved=removed")


async def _turn_off(visit: Visit, user: User, values: Mapping[str, str]) -> Response:
    await proof.check_factor(visit, user, values)
    for one in (await visit.app.second_factors.of(user.id)).keys:
        await visit.app.second_factors.remove(user, one.authenticator.id, visit.address)
    await visit.app.recovery.tell(user, Subject.FACTOR_CHANGED)
    return visit.redirect(f"{_HERE}?saved=off")


_FORMS: Mapping[str, Callable[[Visit, User, Mapping[str, str]], Awaitable[Response]]] = {
    "app": _begin_app,
    "passkey": _add_passkey,
    "codes": _new_codes,
    "remove": _remove,
    "off": _turn_off,
}


async def _added(visit: Visit, user: User, codes: Sequence[str]) -> Response:
    await visit.app.recovery.tell(user, Subject.FACTOR_CHANGED)
    if codes:
        return visit.page("settings_codes.html", CodesPage(codes, first=True))
    return visit.redirect(f"{_HERE}?saved=added")


async def _page(visit: Visit, user: User, forms: Forms, saved: str = "", status: int = 200) -> Response:
    factors = await visit.app.second_factors.of(user.id)
    creation = ""
    if proof.passkeys_work(visit):
        asked = await visit.app.second_factors.passkeys.creation(
            proof.browser(visit), user.id, user.name, factors.passkeys
        )
        creation = json.dumps(asked)
    page = TwoFactorPage(
        authenticators=factors.authenticators,
        codes_left=factors.codes_left,
        forms=forms,
        saved=saved if saved in {"added", "removed", "off"} else "",
        creation=creation,
        passkey=await proof.passkey_request(visit, factors),
    )
    return visit.page("settings_two_factor.html", page, status)


async def _app_page(visit: Visit, user: User, form: Form, status: int = 200) -> Response:
    secret = await visit.app.second_factors.begun_app(user.id)
    if secret is None:
        return visit.redirect(_HERE)
    address = totp.address(secret, user.name, f"Havre {visit.site().host}")
    return visit.page("settings_app.html", AppPage(_picture(address), totp.shown(secret), form), status)


def _picture(address: str) -> str:
    """A QR code as SVG: black on white in every theme, for cameras want it so."""
    import segno

    drawn = segno.make(address, error="m", micro=False)
    return drawn.svg_inline(scale=1, border=4, light="#fff", dark="#000", omitsize=True, svgclass="qr", lineclass=None)
