"""Making an account."""

from __future__ import annotations

import contextlib

from starlette.responses import Response

from havre.errors import Denied, HavreError, InputInvalid
from havre.web.contexts import Form, FormPage
from havre.web.errors import FORM_ERRORS
from havre.web.pages.login import begin_session
from havre.web.proof import mailed_address
from havre.web.security import local_target
from havre.web.visit import Visit


async def show(visit: Visit) -> Response:
    """``GET /signup``."""
    if not visit.actor.anonymous:
        return visit.redirect("/repositories")
    if not visit.site().signup_open:
        raise Denied("this registry does not take new accounts by itself: ask an administrator for one")
    return visit.page("signup.html", FormPage(Form(), next=local_target(visit.query("next", 1000))))


async def sign_up(visit: Visit) -> Response:
    """``POST /signup``: make the account and sign it in."""
    values = await visit.form()
    target = local_target(values.get("next", ""))
    try:
        password = repeated_password(visit, values.get("password", ""), values.get("password_again"))
        user = await visit.app.accounts.sign_up(
            values.get("name", "").strip(), values.get("email", ""), password, visit.address
        )
    except FORM_ERRORS as error:
        form, status = visit.again(error, values)
        return visit.page("signup.html", FormPage(form, next=target), status)
    with contextlib.suppress(HavreError):  # the account is there, and its settings offer to mail once more
        link = mailed_address(visit, "/verify")
        await visit.app.recovery.ask_verification(user, user.email, visit.address, link)
    return await begin_session(visit, user.id, "/repositories" if target == "/" else target)


def repeated_password(visit: Visit, password: str, again: str | None) -> str:
    """The password, if it was typed the same way twice; raises InputInvalid."""
    if again is not None and again != password:
        raise InputInvalid(visit.text("The two passwords are not the same."), field="password_again")
    return password
