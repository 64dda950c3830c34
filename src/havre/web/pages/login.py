"""Signing in and out."""

from __future__ import annotations

from starlette.responses import Response

from havre.errors import WrongCredentials
from havre.web import security
from havre.web.contexts import Form, FormPage
from havre.web.errors import FORM_ERRORS
from havre.web.visit import Visit


async def show(visit: Visit) -> Response:
    """``GET /login?next=``: the form; who is signed in already goes on."""
    target = security.local_target(visit.query("next", 1000))
    if not visit.actor.anonymous:
        return visit.redirect(target)
    return visit.page("login.html", FormPage(Form(), next=target))


async def sign_in(visit: Visit) -> Response:
    """``POST /login``: check the password and begin a session."""
    values = await visit.form()
    target = security.local_target(values.get("next", ""))
    try:
        name = values.get("name", "").strip().lower()
        actor = await visit.app.credentials.check(name, values.get("password", ""), visit.address, visit.client)
        if actor.user_id is None or actor.grants is not None:
            # A personal access token is for clients; a session would give it the whole account.
            raise WrongCredentials("sign in with the account's password, not with an access token")
    except FORM_ERRORS as error:
        form, status = visit.again(error, values)
        return visit.page("login.html", FormPage(form, next=target), status)
    return await begin_session(visit, actor.user_id, target)


async def begin_session(visit: Visit, user_id: int, target: str) -> Response:
    """Sign the visitor in as an account and lead them to ``target``, in the account's language."""
    if old := security.session_secret(visit.request, secure=visit.secure):
        await visit.app.sessions.close(old)
    secret = await visit.app.sessions.open(user_id, visit.address, visit.client)
    response = visit.redirect(target)
    security.remember_session(response, secret, visit.app.config.session_days, secure=visit.secure)
    user = await visit.app.accounts.get(user_id)
    if user is not None and user.language:
        security.remember_language(response, user.language, secure=visit.secure)
    return response


async def sign_out(visit: Visit) -> Response:
    """``POST /logout``: end the session. Signing out twice is fine."""
    if secret := security.session_secret(visit.request, secure=visit.secure):
        await visit.app.sessions.close(secret)
    response = visit.redirect("/")
    security.forget_session(response, secure=visit.secure)
    return response
