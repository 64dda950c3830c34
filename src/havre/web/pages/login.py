"""Signing in, with a second factor where the account has one, and out."""

from __future__ import annotations

from urllib.parse import quote

from starlette.responses import Response

from havre.access.records import User
from havre.access.second_factor import Proof
from havre.web import proof, security
from havre.web.contexts import Form, FormPage
from havre.web.contexts.settings import SecondStepPage
from havre.web.errors import FORM_ERRORS
from havre.web.visit import Visit


async def show(visit: Visit) -> Response:
    """``GET /login?next=``: the form; who is signed in already goes on."""
    target = security.local_target(visit.query("next", 1000))
    if not visit.actor.anonymous:
        return visit.redirect(target)
    return visit.page("login.html", FormPage(Form(), next=target, saved=visit.query("reset") == "1"))


async def sign_in(visit: Visit) -> Response:
    """``POST /login``: check the password and begin a session, or ask for the second factor first."""
    values = await visit.form()
    target = security.local_target(values.get("next", ""))
    try:
        name = values.get("name", "").strip().lower()
        stored = await visit.app.credentials.check_password(name, values.get("password", ""), visit.address)
    except FORM_ERRORS as error:
        form, status = visit.again(error, values)
        return visit.page("login.html", FormPage(form, next=target), status)
    if not stored.second_factor:
        return await begin_session(visit, stored.user.id, target)
    await _close_old(visit)
    secret = await visit.app.sessions.open_pending(stored.user.id, visit.address, visit.client)
    response = visit.redirect(f"/login/second?next={quote(target)}")
    security.remember_session(response, secret, 1, secure=visit.secure)
    return response


async def second(visit: Visit) -> Response:
    """``GET /login/second?next=``: the second factor of whoever just gave the password."""
    target = security.local_target(visit.query("next", 1000))
    user = await _pending(visit)
    if user is None:
        return visit.redirect(f"/login?next={quote(target)}" if visit.actor.anonymous else target)
    return await _second_page(visit, user, Form(), target)


async def prove(visit: Visit) -> Response:
    """``POST /login/second``: check it, and begin the session, with a secret of its own."""
    values = await visit.form()
    target = security.local_target(values.get("next", ""))
    user = await _pending(visit)
    if user is None:
        return visit.redirect(f"/login?next={quote(target)}" if visit.actor.anonymous else target)
    given = Proof(values.get("code", ""), values.get("passkey", ""))
    try:
        await visit.app.second_factors.prove(user, given, proof.browser(visit), visit.address)
    except FORM_ERRORS as error:
        form, status = visit.again(error, proof.shown(values))
        return await _second_page(visit, user, form, target, status)
    return await begin_session(visit, user.id, target)


async def begin_session(visit: Visit, user_id: int, target: str) -> Response:
    """Sign the visitor in as an account and lead them to ``target``, in the account's language and theme."""
    await _close_old(visit)
    secret = await visit.app.sessions.open(user_id, visit.address, visit.client)
    response = visit.redirect(target)
    security.remember_session(response, secret, visit.app.config.session_days, secure=visit.secure)
    user = await visit.app.accounts.get(user_id)
    if user is not None and user.language:
        security.remember_language(response, user.language, secure=visit.secure)
    if user is not None and user.theme:
        security.remember_theme(response, user.theme, secure=visit.secure)
    return response


async def sign_out(visit: Visit) -> Response:
    """``POST /logout``: end the session. Signing out twice is fine."""
    await _close_old(visit)
    response = visit.redirect("/")
    security.forget_session(response, secure=visit.secure)
    return response


async def _close_old(visit: Visit) -> None:
    if old := security.session_secret(visit.request, secure=visit.secure):
        await visit.app.sessions.close(old, visit.address)


async def _pending(visit: Visit) -> User | None:
    secret = security.session_secret(visit.request, secure=visit.secure)
    return await visit.app.sessions.resolve_pending(secret) if secret else None


async def _second_page(visit: Visit, user: User, form: Form, target: str, status: int = 200) -> Response:
    factors = await visit.app.second_factors.of(user.id)
    passkey = await proof.passkey_request(visit, factors)
    page = SecondStepPage(user.name, form, target, factors.app, passkey)
    return visit.page("login_second.html", page, status)
