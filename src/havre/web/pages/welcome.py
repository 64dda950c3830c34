"""The first run: making the first administrator."""

from __future__ import annotations

from starlette.responses import Response

from havre.errors import InputInvalid
from havre.web import first_run
from havre.web.contexts import Form, FormPage
from havre.web.errors import FORM_ERRORS
from havre.web.pages.accounts import repeated_password
from havre.web.pages.login import begin_session
from havre.web.visit import Visit


async def show(visit: Visit) -> Response:
    """``GET /welcome``; tells the setup code to the server's log."""
    await first_run.announce(visit.app)
    return visit.page("welcome.html", FormPage(Form()))


async def create(visit: Visit) -> Response:
    """``POST /welcome``: with the right code, make the administrator and sign them in."""
    values = await visit.form()
    try:
        if not await first_run.matches(visit.app, values.get("code", "")):
            raise InputInvalid(visit.text("That is not the setup code in the server's log."), field="code")
        password = repeated_password(visit, values.get("password", ""), values.get("password_again"))
        name = values.get("name", "").strip()
        user = await visit.app.accounts.create_first_administrator(
            name, values.get("email", ""), password, visit.address
        )
    except FORM_ERRORS as error:
        await first_run.announce(visit.app)
        form, status = visit.again(error, values)
        return visit.page("welcome.html", FormPage(form), status)
    return await begin_session(visit, user.id, "/")
