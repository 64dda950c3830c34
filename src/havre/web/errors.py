"""Errors as pages: the one place where a page's failure becomes what a person reads."""

from __future__ import annotations

import logging

from starlette.responses import Response

from havre.errors import (
    Conflict,
    DigestInvalid,
    HavreError,
    InputInvalid,
    ManifestUnknown,
    NameInvalid,
    NameUnknown,
    OverPlan,
    TooManyRequests,
    WrongCredentials,
)
from havre.web.contexts import ErrorPage
from havre.web.visit import Visit

log = logging.getLogger("havre.web")

FORM_ERRORS = (InputInvalid, NameInvalid, Conflict, OverPlan, WrongCredentials, TooManyRequests)
"""What a form shows beside its fields instead of a page of its own."""


def status_of(error: Exception) -> int:
    """The HTTP status; what is no name at all in an address is simply not found."""
    if isinstance(error, (NameInvalid, DigestInvalid)):
        return 404
    return error.status if isinstance(error, HavreError) else 500


def field_of(error: Exception) -> str:
    """The form field that is wrong; empty if it is not one alone."""
    if isinstance(error, InputInvalid):
        return error.field
    detail = getattr(error, "detail", None)
    return str(detail.get("field", "")) if isinstance(detail, dict) else ""


def sentence(visit: Visit, error: Exception) -> str:
    """What to tell the visitor, in their language, as a sentence of its own."""
    if isinstance(error, WrongCredentials):
        return visit.text("The name or the password is wrong.")
    if isinstance(error, TooManyRequests) and error.status == 429:
        return visit.text("Too many attempts. Wait %(seconds)s seconds, then try again.", seconds=error.retry_after)
    if not isinstance(error, HavreError):
        return visit.text("Something broke on our side. It has been logged; trying again may help.")
    text = visit.speech.sentence(error.message)
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def error_page(visit: Visit, error: Exception) -> Response:
    """The page for a failure. A hidden repository, a missing one and a name that cannot be one look the same."""
    status = status_of(error)
    if status >= 500 and not isinstance(error, HavreError):
        log.error("page failed: %s %s", visit.request.method, visit.request.url.path, exc_info=error)
    if isinstance(error, (NameUnknown, NameInvalid, ManifestUnknown, DigestInvalid)):
        return not_found(visit)
    page = ErrorPage(status, _title(visit, status), sentence(visit, error), visit.front.id)
    response = visit.page("error.html", page, status)
    if isinstance(error, TooManyRequests):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def not_found(visit: Visit) -> Response:
    """There is nothing here, or nothing that this visitor may see."""
    message = visit.text("There is no page here, or it is private and you are not signed in as someone who may see it.")
    return visit.page("error.html", ErrorPage(404, _title(visit, 404), message), 404)


def foreign_form(visit: Visit) -> Response:
    """A change that was not asked for by a page of ours."""
    message = visit.text("This form was not sent from a page of this site, so nothing was changed.")
    return visit.page("error.html", ErrorPage(403, _title(visit, 403), message), 403)


def wrong_method(visit: Visit) -> Response:
    """The page exists, but not for this method."""
    message = visit.text("This address does not take that kind of request.")
    return visit.page("error.html", ErrorPage(405, _title(visit, 405), message), 405)


def _title(visit: Visit, status: int) -> str:
    if status == 404:
        return visit.text("Nothing moored here")
    if status == 403:
        return visit.text("Not allowed")
    if status == 429:
        return visit.text("Slow down a little")
    if status >= 500:
        return visit.text("Rough water")
    return visit.text("That did not work")
