"""Settings of the account: profile, e-mail address and password."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from havre.access.records import Subject, User
from havre.errors import InputInvalid
from havre.registry.records import Visibility
from havre.web import proof, security
from havre.web.contexts import Form, FormPage
from havre.web.contexts.settings import ProfileSettingsPage
from havre.web.errors import FORM_ERRORS
from havre.web.languages import LANGUAGES
from havre.web.pages.accounts import repeated_password
from havre.web.visit import Visit


async def profile(visit: Visit) -> Response:
    """``GET /settings/profile``."""
    user = await visit.user()
    return await _profile_page(visit, user, _form(user), saved=visit.query("saved"))


async def change_profile(visit: Visit) -> Response:
    """``POST /settings/profile``: the profile, or with ``form=email`` the address."""
    user, values = await visit.user(), await visit.form()
    if values.get("form") == "email":
        return await _change_email(visit, user, values)
    if values.get("form") == "mail-again":
        return await _mail_again(visit, user)
    language, theme = values.get("language", ""), values.get("theme", user.theme)
    try:
        if values.get("visibility") not in set(Visibility):
            raise InputInvalid(visit.text("Choose public or private."), field="visibility")
        await visit.app.accounts.change_language(user.id, language)
        await visit.app.accounts.change_profile(user.id, bio=values.get("bio", user.bio), theme=theme)
        await visit.app.accounts.change_default_visibility(user.id, Visibility(values["visibility"]))
    except FORM_ERRORS as error:
        form, status = visit.again(error, values)
        return await _profile_page(visit, user, form, status=status)
    response = visit.redirect("/settings/profile?saved=1")
    security.remember_theme(response, theme, secure=visit.secure)
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
    keep = visit.session.id if visit.session else None
    try:
        await proof.check_password(visit, user, values.get("old_password", ""), "old_password")
        new = repeated_password(visit, values.get("password", ""), values.get("password_again", ""))
        await visit.app.accounts.set_password(user.id, new, keep_session=keep, by=visit.actor, address=visit.address)
    except FORM_ERRORS as error:
        form, status = visit.again(error, values)
        return visit.page("settings_password.html", FormPage(form), status)
    await visit.app.recovery.tell(user, Subject.PASSWORD_CHANGED)
    return visit.redirect("/settings/password?saved=1")


async def _change_email(visit: Visit, user: User, values: Mapping[str, str]) -> Response:
    """Mail a link to the new address; until it is followed, the old one stays."""
    try:
        await proof.check_password(visit, user, values.get("password", ""))
        link = proof.mailed_address(visit, "/verify")
        await visit.app.recovery.ask_verification(user, values.get("email", ""), visit.address, link)
    except FORM_ERRORS as error:
        form, status = visit.again(error, values)
        return await _profile_page(visit, user, _form(user), email_form=form, status=status)
    return visit.redirect("/settings/profile?saved=mailed")


async def _mail_again(visit: Visit, user: User) -> Response:
    """Mail a link to the present address."""
    try:
        link = proof.mailed_address(visit, "/verify")
        await visit.app.recovery.ask_verification(user, user.email, visit.address, link)
    except FORM_ERRORS as error:
        form, status = visit.again(error, {})
        return await _profile_page(visit, user, _form(user), email_form=form, status=status)
    return visit.redirect("/settings/profile?saved=mailed")


async def _profile_page(
    visit: Visit, user: User, form: Form, *, email_form: Form | None = None, saved: str = "", status: int = 200
) -> Response:
    page = ProfileSettingsPage(
        email=user.email,
        verified=user.email_verified is not None,
        waiting=await visit.app.recovery.waiting(user.id),
        form=form,
        email_form=email_form or Form(),
        saved=saved if saved in {"1", "mailed"} else "",
        outbox=not visit.app.config.smtp_url,
    )
    return visit.page("settings_profile.html", page, status)


def _form(user: User) -> Form:
    return Form(
        {
            "language": user.language,
            "visibility": user.default_visibility.value,
            "theme": user.theme,
            "bio": user.bio,
        }
    )
