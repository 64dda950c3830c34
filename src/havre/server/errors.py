"""The one translation of failures into answers. Everyone else raises the classes of ``havre.errors``."""

from __future__ import annotations

import logging
from http import HTTPStatus

import orjson

from havre.errors import (
    HavreError,
    InputInvalid,
    OverPlan,
    RangeNotSatisfiable,
    TooManyRequests,
    Unauthorized,
    Unsupported,
    UploadRangeInvalid,
)
from havre.server import urls
from havre.server.http import Request, Response

log = logging.getLogger("havre.server")


def explain(error: Exception, request: Request) -> HavreError:
    """The failure to show for ``error``: itself if it has a name, else one that tells the request id and no more."""
    if isinstance(error, HavreError):
        return error
    log.error("unexpected failure", exc_info=error, extra={"request": request.id, "path": request.path})
    return HavreError(f"something went wrong here; tell the operator of this registry the request id {request.id}")


def document(error: HavreError) -> bytes:
    """The body of the specification: one error with its code, a sentence, and details if there are any."""
    entry: dict[str, object] = {"code": error.code, "message": error.message}
    if error.detail is not None:
        entry["detail"] = error.detail
    return orjson.dumps({"errors": [entry]})


def headers(error: HavreError, request: Request, external_url: str) -> list[tuple[str, str]]:
    """What a failure says in headers: the challenge, when to come back, where an upload stands."""
    if isinstance(error, Unauthorized):
        return [("www-authenticate", challenge(error, request, external_url))]
    if isinstance(error, TooManyRequests):
        return [("retry-after", str(error.retry_after))]
    if isinstance(error, RangeNotSatisfiable):
        return [("content-range", f"bytes */{error.size}")]
    if isinstance(error, UploadRangeInvalid) and error.location:
        return [("location", error.location), ("range", f"0-{max(0, error.size - 1)}")]
    if isinstance(error, Unsupported) and error.offered:
        return [("allow", ", ".join(error.offered))]
    return []


def challenge(error: Unauthorized, request: Request, external_url: str) -> str:
    """The Bearer challenge: it comes first and alone, because several clients only take the first one."""
    if request.path == "/auth/token":
        # Here credentials are proved, not tokens: the way to do better is a name and a password.
        return 'Basic realm="Havre", charset="UTF-8"'
    parts = [
        f'realm="{urls.token_realm(request, external_url)}"',
        f'service="{urls.host(request, external_url)}"',
    ]
    if error.scope:
        parts.append(f'scope="{error.scope}"')
    if error.insufficient:
        parts.append('error="insufficient_scope"')
    return "Bearer " + ",".join(parts)


def response(error: Exception, request: Request, external_url: str) -> Response:
    """The answer to give for ``error``."""
    shown = explain(error, request)
    if isinstance(shown, OverPlan):
        where = f"{urls.origin(request, external_url)}/settings/usage"
        shown = OverPlan(f"{shown.message}; see {where}", detail=shown.detail)
    return Response(
        shown.status,
        [("content-type", "application/json"), *headers(shown, request, external_url)],
        document(shown),
    )


def problem(error: Exception, request: Request) -> Response:
    """The answer to give for ``error`` in our JSON API: problem details (RFC 9457), with the code of the registry."""
    shown = explain(error, request)
    body: dict[str, object] = {"type": "about:blank", "title": _title(shown.status), "status": shown.status}
    body |= {"detail": shown.message, "code": shown.code}
    if isinstance(shown, InputInvalid) and shown.field:
        body["field"] = shown.field
    # Bearer, not Basic: a browser would open its password window for a script of our own pages.
    named = (
        [("www-authenticate", 'Bearer realm="Havre"')]
        if isinstance(shown, Unauthorized)
        else headers(shown, request, "")
    )
    return Response(shown.status, [("content-type", "application/problem+json"), *named], orjson.dumps(body))


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
