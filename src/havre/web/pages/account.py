"""Taking along everything that is held about the account, and deleting it."""

from __future__ import annotations

import orjson
from starlette.responses import Response

from havre.access.records import User
from havre.errors import InputInvalid
from havre.web import proof, security
from havre.web.contexts import Form
from havre.web.contexts.settings import LeavePage
from havre.web.errors import FORM_ERRORS
from havre.web.visit import Visit


async def show(visit: Visit) -> Response:
    """``GET /settings/account``."""
    return await _page(visit, await visit.user(), Form())


async def change(visit: Visit) -> Response:
    """``POST /settings/account``: with ``form=export`` a download, with ``form=delete`` the end of the account."""
    user, values = await visit.user(), await visit.form()
    try:
        if values.get("form") == "export":
            return await _export(visit, user)
        if values.get("form") != "delete":
            raise InputInvalid("this is not a form of the page")
        if values.get("confirm", "").strip() != user.name:
            raise InputInvalid(f"type {user.name} exactly to delete the account", field="confirm")
        await proof.check_password(visit, user, values.get("password", ""))
        await proof.check_factor(visit, user, values)
        await visit.app.departure.close(user, values.get("confirm", ""), visit.address)
    except FORM_ERRORS as error:
        form, status = visit.again(error, proof.shown(values))
        return await _page(visit, user, form, status)
    response = visit.redirect("/")
    security.forget_session(response, secure=visit.secure)
    return response


async def _export(visit: Visit, user: User) -> Response:
    content = orjson.dumps(await visit.app.departure.export(user, visit.address), option=orjson.OPT_INDENT_2)
    name = f'attachment; filename="havre-{user.name}.json"'
    return Response(content, media_type="application/json", headers={"Content-Disposition": name})


async def _page(visit: Visit, user: User, form: Form, status: int = 200) -> Response:
    factors = await visit.app.second_factors.of(user.id)
    page = LeavePage(
        repositories=await visit.app.departure.repositories(user),
        two_factor=factors.required,
        form=form,
        passkey=await proof.passkey_request(visit, factors),
    )
    return visit.page("settings_account.html", page, status)
