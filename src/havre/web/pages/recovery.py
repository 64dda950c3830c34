"""Mailed links: asking for one when the password is forgotten, and following it."""

from __future__ import annotations

from starlette.responses import Response

from havre.access.records import Purpose
from havre.errors import InputInvalid
from havre.web import proof
from havre.web.contexts import Form
from havre.web.contexts.settings import ForgotPage, LinkPage
from havre.web.errors import FORM_ERRORS
from havre.web.pages.accounts import repeated_password
from havre.web.visit import Visit


async def forgot(visit: Visit) -> Response:
    """``GET /forgot``."""
    return visit.page("forgot.html", ForgotPage(Form({"name": visit.query("name")})))


async def ask(visit: Visit) -> Response:
    """``POST /forgot``: the same answer whether or not there is such an account."""
    values = await visit.form()
    try:
        link = proof.mailed_address(visit, "/reset")
        await visit.app.recovery.ask_reset(values.get("name", ""), visit.address, link)
    except FORM_ERRORS as error:
        form, status = visit.again(error, values)
        return visit.page("forgot.html", ForgotPage(form), status)
    return visit.page("forgot.html", ForgotPage(Form(), sent=True, outbox=not visit.app.config.smtp_url))


async def reset(visit: Visit) -> Response:
    """``GET /reset?code=``: where the mailed link leads."""
    code = visit.query("code")
    try:
        user, _ = await visit.app.recovery.holder(code, Purpose.RESET)
    except InputInvalid as error:
        return _spent(visit, "reset.html", error)
    return visit.page("reset.html", LinkPage(code, Form(), user.name))


async def choose(visit: Visit) -> Response:
    """``POST /reset``: set the new password; every browser is signed out, and this one signs in with it."""
    values = await visit.form()
    code = values.get("code", "")
    try:
        user, _ = await visit.app.recovery.holder(code, Purpose.RESET)
    except InputInvalid as error:
        return _spent(visit, "reset.html", error)
    try:
        password = repeated_password(visit, values.get("password", ""), values.get("password_again", ""))
        await visit.app.recovery.reset(code, password, visit.address)
    except FORM_ERRORS as error:
        form, status = visit.again(error, proof.shown(values))
        return visit.page("reset.html", LinkPage(code, form, user.name), status)
    return visit.redirect("/login?reset=1")


async def verify(visit: Visit) -> Response:
    """``GET /verify?code=``: where the mailed link leads. A button confirms, for programs follow links in mails too."""
    code = visit.query("code")
    try:
        user, email = await visit.app.recovery.holder(code, Purpose.VERIFY)
    except InputInvalid as error:
        return _spent(visit, "verify.html", error)
    return visit.page("verify.html", LinkPage(code, Form(), user.name, email))


async def confirm(visit: Visit) -> Response:
    """``POST /verify``: take the address into use."""
    values = await visit.form()
    try:
        user = await visit.app.recovery.confirm(values.get("code", ""), visit.address)
    except FORM_ERRORS as error:
        return _spent(visit, "verify.html", error)
    return visit.page("verify.html", LinkPage("", Form(), user.name, user.email, done=True))


def _spent(visit: Visit, template: str, error: Exception) -> Response:
    form, status = visit.again(error, {})
    # There is no field to show it beside: the link itself is wrong.
    return visit.page(template, LinkPage("", Form({}, {"": "".join(form.problems.values())})), status)
