"""Settings of the account: profile and password."""

from __future__ import annotations

from starlette.responses import Response

from havre.access.records import User
from havre.errors import InputInvalid, WrongCredentials
from havre.registry.records import Visibility
from havre.web import security
from havre.web.contexts import Form, FormPage, ProfileSettingsPage
from havre.web.errors import FORM_ERRORS
from havre.web.languages import LANGUAGES
from havre.web.pages.accounts import repeated_password
from havre.web.visit import Visit


async def profile(visit: Visit) -> Response:
    """``GET /settings/profile``."""
    user = await visit.user()
    return visit.page(
        "settings_profile.html", ProfileSettingsPage(user.email, _form(user), visit.query("saved") == "1")
    )


async def change_profile(visit: Visit) -> Response:
    """``POST /settings/profile``: language of the pages and visibility of new repositories."""
    user, values = await visit.user(), await visit.form()
    language = values.get("language", "")
    try:
        if values.get("visibility") not in set(Visibility):
            raise InputInvalid(visit.text("Choose public or private."), field="visibility")
        await visit.app.accounts.change_language(user.id, language)
        await visit.app.accounts.change_default_visibility(user.id, Visibility(values["visibility"]))
    except FORM_ERRORS as error:
        form, status = visit.again(error, values)
        return visit.page("settings_profile.html", ProfileSettingsPage(user.email, form), status)
    response = visit.redirect("/settings/profile?saved=1")
    if language in LANGUAGES:
        security.remember_language(response, language, secure=visit.secure)
    else:
        response.delete_cookie(security.LANGUAGE_COOKIE)
    return response


async def password(visit: Visit) -> Response:
    """``GET /settings/password``."""
    return visit.page("settings_password.html", FormPage(Form(), saved=visit.query("saved") == "1"))


async def change_password(visit: Visit) -> Response:
    """``POST /settings/password``: needs the old one, and signs every other browser out."""
    user, values = await visit.user(), await visit.form()
    try:
        await _check_old(visit, user, values.get("old_password", ""))
        new = repeated_password(visit, values.get("password", ""), values.get("password_again", ""))
        await visit.app.accounts.set_password(user.id, new, keep_session=visit.session.id if visit.session else None)
    except FORM_ERRORS as error:
        form, status = visit.again(error, values)
        return visit.page("settings_password.html", FormPage(form), status)
    return visit.redirect("/settings/password?saved=1")


async def _check_old(visit: Visit, user: User, old: str) -> None:
    """Raises InputInvalid for a wrong password, and for an access token in its place."""
    try:
        actor = await visit.app.credentials.check(user.name, old, visit.address, visit.client)
    except WrongCredentials:
        actor = None
    if actor is None or actor.grants is not None:
        raise InputInvalid(visit.text("That is not your present password."), field="old_password")


def _form(user: User) -> Form:
    return Form({"language": user.language, "visibility": user.default_visibility.value})
