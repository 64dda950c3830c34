"""Errors make the round trip: what the server raises, the client raises again."""

import json
import time
from email.utils import formatdate

import pytest

from havre import errors
from havre.client.failures import failure, retry_after
from havre.errors import ConfigError, HavreError, Unavailable
from havre.server import errors as translation
from havre.server.http import Request

NEVER_TOLD_APART = {
    errors.WrongCredentials: errors.Unauthorized,
    errors.OverPlan: errors.Denied,
    errors.ClientGone: errors.UploadInvalid,
    errors.UploadsFull: errors.TooManyRequests,
    HavreError: Unavailable,
}
"""Same code and status as a broader class, or no class of its own on the wire."""

CLASSES = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, HavreError) and kind is not ConfigError
]


def sent(error: HavreError) -> HavreError:
    """Through the server's own translation and back."""
    request = Request({"type": "http", "method": "GET", "path": "/v2/", "headers": [(b"host", b"hub.test")]}, None)  # type: ignore[arg-type]
    headers = dict(translation.headers(error, request, ""))
    return failure(error.status, headers, translation.document(error), "hub.test: marin/app")


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_class_survives_the_wire(kind: type[HavreError]) -> None:
    found = sent(kind("a sentence with a remedy", detail={"name": "marin/app"}))
    assert type(found) is NEVER_TOLD_APART.get(kind, kind)
    assert found.detail == {"name": "marin/app"}
    assert "hub.test: marin/app: " in found.message
    assert "a sentence with a remedy" in found.message


def test_what_headers_say_survives_too() -> None:
    assert sent(errors.TooManyRequests("slow", retry_after=7)).retry_after == 7  # type: ignore[attr-defined]
    assert sent(errors.RangeNotSatisfiable("no", size=9)).size == 9  # type: ignore[attr-defined]
    moved = sent(errors.UploadRangeInvalid("no", location="/v2/x", size=10))
    assert isinstance(moved, errors.UploadRangeInvalid)
    assert (moved.location, moved.size) == ("/v2/x", 10)
    asked = sent(errors.Unauthorized("no", scope="repository:a/b:pull", insufficient=True))
    assert isinstance(asked, errors.Unauthorized)
    assert (asked.scope, asked.insufficient) == ("repository:a/b:pull", True)


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (
            412,
            {"errors": [{"code": "PROJECT_POLICY_VIOLATION", "message": "not signed"}]},
            errors.InputInvalid,
            "project policy violation: not signed",
        ),
        (400, {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "gone"}]}, errors.ManifestUnknown, "gone"),
        (403, {"details": "rate limit"}, errors.Denied, "rate limit"),
        (401, {"error": "invalid_grant", "error_description": "too old"}, errors.Unauthorized, "too old"),
        (429, {}, errors.TooManyRequests, "the registry answered 429"),
        (502, [], errors.Unavailable, "the registry answered 502"),
        (418, None, errors.InputInvalid, "the registry answered 418"),
        (404, {"errors": "nonsense"}, errors.NameUnknown, "answered 404"),
        (404, {"errors": [{"code": 5, "message": ["x"]}]}, errors.NameUnknown, "answered 404"),
    ],
)
def test_other_registries_words_stay_readable(status: int, body: object, kind: type[HavreError], said: str) -> None:
    found = failure(status, {}, json.dumps(body).encode(), "quay.io")
    assert type(found) is kind
    assert said in found.message


def test_text_goes_to_a_terminal_without_its_tricks() -> None:
    body = json.dumps({"errors": [{"code": "DENIED", "message": "no\x1b[2J\r\nway" + "x" * 5000}]}).encode()
    message = failure(403, {}, body, "evil.test").message
    assert message.isprintable()
    assert len(message) < 1200


def test_a_page_of_a_proxy_is_not_printed_but_its_plain_words_are() -> None:
    assert "<html>" not in failure(413, {"content-type": "text/html"}, b"<html>too big</html>", "x.test").message
    assert "too big" in failure(413, {"content-type": "text/plain; charset=utf-8"}, b"too big", "x.test").message


def test_retry_after_in_both_forms() -> None:
    now = time.time()
    assert retry_after({"retry-after": "5"}, now) == 5
    assert retry_after({"retry-after": "99999999999"}, now) == 3600
    assert retry_after({"retry-after": formatdate(now + 30, usegmt=True)}, now) == pytest.approx(30, abs=2)
    assert retry_after({"retry-after": formatdate(now - 30, usegmt=True)}, now) == 0
    assert retry_after({"retry-after": "soon"}, now) is None
    assert retry_after({}, now) is None
