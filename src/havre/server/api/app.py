"""The JSON API as one ASGI application: bounded bodies in, problem details (RFC 9457) out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi import Request as FastRequest
from fastapi import Response as FastResponse
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

import havre
from havre.errors import ClientGone, HavreError, InputInvalid, NameUnknown, Unsupported
from havre.server import errors
from havre.server.api import access_tokens, collaborators, deleted, repositories, stars, tags, transfers, user
from havre.server.api.caller import request_of
from havre.server.http import Message, Receive, Request, Response, Scope, Send

if TYPE_CHECKING:
    from havre.server.app import App

PREFIX = "/api/v1"

MAX_BODY = 1024 * 1024
"""Bytes of a JSON document; the longest overview fits."""


class API:
    """Hands requests to FastAPI after reading their bodies, which it would read without a limit."""

    def __init__(self, framework: FastAPI) -> None:
        self.framework = framework

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = scope["state"]["request"]
        try:
            body = await Request(scope, receive).body(MAX_BODY)
        except ClientGone:
            return
        except HavreError as error:
            await errors.problem(error, request)(scope, send)
            return
        pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return pending.pop() if pending else await receive()

        await self.framework(scope, replay, send)


def create_api(app: App) -> API:
    """The API over the services of ``app``."""
    framework = FastAPI(
        title="Havre",
        version=havre.__version__,
        description="Accounts, access tokens, repositories and tags. Images themselves move over the registry API.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        responses={
            "default": {"description": "Problem details (RFC 9457)", "content": {"application/problem+json": {}}}
        },
    )
    framework.state.havre = app
    for module in (user, stars, access_tokens, tags, collaborators, deleted, transfers, repositories):
        framework.include_router(module.router, prefix=PREFIX)
    framework.add_exception_handler(HavreError, _explain)
    framework.add_exception_handler(RequestValidationError, _invalid)
    framework.add_exception_handler(HTTPException, _unknown)
    framework.add_exception_handler(Exception, _explain)
    return API(framework)


async def _explain(request: FastRequest, error: Exception) -> FastResponse:
    return _sent(errors.problem(error, request_of(request)))


async def _invalid(request: FastRequest, error: Exception) -> FastResponse:
    """Name the first field that breaks its rule. What was sent is not repeated: it may be a secret."""
    assert isinstance(error, RequestValidationError)
    first: dict[str, Any] = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"] if part not in {"body", "query", "path"})[:200]
    sentence = f"{field or 'the body'}: {str(first['msg'])[:300]}"
    return _sent(errors.problem(InputInvalid(sentence, field=field), request_of(request)))


async def _unknown(request: FastRequest, error: Exception) -> FastResponse:
    assert isinstance(error, HTTPException)
    named: HavreError
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        named = Unsupported(f"{request.method[:20]} is not offered here, only {allowed}", offered=allowed.split(", "))
    elif error.status_code == 404:
        named = NameUnknown(f"nothing lives at {request.url.path[:200]}; {PREFIX}/openapi.json lists what does")
    else:
        named = InputInvalid(str(error.detail)[:300])
    return _sent(errors.problem(named, request_of(request)))


def _sent(response: Response) -> FastResponse:
    body = response.body if isinstance(response.body, bytes) else b""
    return FastResponse(body, response.status, headers=dict(response.headers))
