"""Failures on the wire: every class of the product becomes an answer, from which the client makes it again."""

from collections.abc import Iterator

import pytest

from havre.client.failures import failure
from havre.errors import (
    ClientGone,
    ConfigError,
    HavreError,
    LengthRequired,
    RangeNotSatisfiable,
    TooManyRequests,
    Unauthorized,
    UploadRangeInvalid,
    WrongCredentials,
)
from havre.server import errors
from havre.server.http import Request


def classes(kind: type[HavreError] = HavreError) -> Iterator[type[HavreError]]:
    for child in kind.__subclasses__():
        if child not in {ConfigError, ClientGone}:
            yield child
        yield from classes(child)


def arriving(path: str = "/v2/alice/app/tags/list") -> Request:
    async def nothing() -> dict[str, object]:
        return {"type": "http.disconnect"}

    headers = [(b"host", b"hub.example.org:5000")]
    request = Request({"type": "http", "method": "GET", "path": path, "scheme": "https", "headers": headers}, nothing)
    request.id = "request-7"
    return request


def returned(error: HavreError) -> HavreError:
    """What the client makes of our answer to ``error``."""
    response = errors.response(error, arriving(), "")
    assert isinstance(response.body, bytes)
    assert response.status == error.status
    assert ("content-type", "application/json") in response.headers
    return failure(response.status, dict(response.headers), response.body, "hub.example.org")


@pytest.mark.parametrize("kind", list(dict.fromkeys(classes())), ids=lambda kind: kind.__name__)
def test_every_class_returns_as_itself(kind: type[HavreError]):
    rebuilt = returned(kind("the value is wrong: do better", detail={"value": 7}))
    # What can not be told apart by code and status is its parent.
    assert issubclass(kind, type(rebuilt))
    assert (rebuilt.code, rebuilt.status) == (kind.code, kind.status)
    assert "the value is wrong: do better" in rebuilt.message
    assert rebuilt.detail == {"value": 7}


def test_what_a_failure_carries_returns_too():
    challenged = returned(Unauthorized("no", scope="repository:alice/app:pull", insufficient=True))
    assert isinstance(challenged, Unauthorized)
    assert (challenged.scope, challenged.insufficient) == ("repository:alice/app:pull", True)
    slowed = returned(TooManyRequests("slow", retry_after=17))
    assert isinstance(slowed, TooManyRequests)
    assert slowed.retry_after == 17
    placed = returned(UploadRangeInvalid("there", location="/v2/x", size=100))
    assert isinstance(placed, UploadRangeInvalid)
    assert (placed.location, placed.size) == ("/v2/x", 100)
    outside = returned(RangeNotSatisfiable("far", size=42))
    assert isinstance(outside, RangeNotSatisfiable)
    assert outside.size == 42
    assert isinstance(returned(LengthRequired("how long?")), LengthRequired)


def test_a_failure_without_a_name_is_500_and_says_nothing_of_itself(caplog: pytest.LogCaptureFixture):
    response = errors.response(ValueError("private"), arriving(), "")
    assert response.status == 500
    assert isinstance(response.body, bytes)
    assert b"private" not in response.body
    assert b"request-7" in response.body
    assert caplog.records[-1].exc_info


def test_the_token_endpoint_asks_for_a_name_and_a_password():
    response = errors.response(WrongCredentials("no"), arriving("/auth/token"), "")
    assert dict(response.headers)["www-authenticate"].startswith("Basic ")
