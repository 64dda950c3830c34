"""Failures: a registry's answer, rebuilt as the error class that the product has for it.

The body of the specification ("Error Codes") names a code; with the status it picks the class, so a refusal by Havre
is the same class on both sides of the wire. Codes that other registries invent stay readable in the message.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from havre.errors import (
    BlobUnknown,
    Denied,
    HavreError,
    InputInvalid,
    ManifestUnknown,
    NameUnknown,
    RangeNotSatisfiable,
    StorageFull,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unsupported,
    UploadBusy,
    UploadRangeInvalid,
)

MAX_RETRY_AFTER = 3600
"""Seconds; a longer Retry-After is read as this."""

_BY_STATUS: dict[int, type[HavreError]] = {
    401: Unauthorized,
    403: Denied,
    404: NameUnknown,
    405: Unsupported,
    409: UploadBusy,
    413: TooLarge,
    416: UploadRangeInvalid,
    429: TooManyRequests,
    507: StorageFull,
}

_EARLY_CODES = {"UNAVAILABLE": Unavailable, "BLOB_UNKNOWN": BlobUnknown, "MANIFEST_UNKNOWN": ManifestUnknown}


def failure(status: int, headers: Mapping[str, str], body: bytes, where: str) -> HavreError:
    """The error that an answer stands for. ``where`` opens the sentence: the registry and what was asked of it."""
    code, message, detail = _first_error(body)
    kind = error_class(code, status)
    said = message or _plain_text(headers, body) or f"the registry answered {status}"
    word = code.lower().replace("_", " ")
    shown = said if said.lower().startswith(word) else f"{word}: {said}"
    return _build(kind, f"{where}: {shown}", detail, headers)


def error_class(code: str, status: int) -> type[HavreError]:
    """The class for a wire code and status; the code decides where the status is another than ours."""
    # ConfigError keeps the status of the base class: it never travels.
    known = [kind for kind in _classes(HavreError) if kind.code == code and kind.status != HavreError.status]
    for kind in known:
        if kind.status == status:
            return kind
    if code == "UNSUPPORTED" or not known:
        return _EARLY_CODES.get(code) or _BY_STATUS.get(status) or (Unavailable if status >= 500 else InputInvalid)
    return known[0]


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait by the Retry-After header (RFC 9110, section 10.2.3), or None. ``now`` is seconds since 1970."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), MAX_RETRY_AFTER))
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(moment - now, 0.0), MAX_RETRY_AFTER)


def _build(kind: type[HavreError], message: str, detail: object, headers: Mapping[str, str]) -> HavreError:
    if issubclass(kind, TooManyRequests):
        import time

        wait = retry_after(headers, time.time())
        return kind(message, retry_after=int(wait) if wait else 1, detail=detail)
    if issubclass(kind, UploadRangeInvalid):
        found = re.fullmatch(r"(?:bytes=)?0-([0-9]{1,18})", headers.get("range", ""))
        size = int(found[1]) + 1 if found and found[1] != "0" else 0
        return kind(message, location=headers.get("location", ""), size=size, detail=detail)
    if issubclass(kind, RangeNotSatisfiable):
        found = re.fullmatch(r"bytes \*/([0-9]{1,18})", headers.get("content-range", ""))
        return kind(message, size=int(found[1]) if found else 0, detail=detail)
    if issubclass(kind, Unauthorized):
        challenge = headers.get("www-authenticate", "")
        scope = re.search(r'scope="([^"]*)"', challenge)
        insufficient = 'error="insufficient_scope"' in challenge
        return kind(message, scope=scope[1] if scope else "", insufficient=insufficient, detail=detail)
    return kind(message, detail=detail)


def _classes(kind: type[HavreError]) -> Iterator[type[HavreError]]:
    """Broad classes before narrow ones, in the order of the tree: the first of equals is the general one."""
    for child in kind.__subclasses__():
        yield child
        yield from _classes(child)


def _first_error(body: bytes) -> tuple[str, str, object]:
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError):
        return "", "", None
    if not isinstance(document, dict):
        return "", "", None
    errors = document.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else None
    if first is not None:
        return _text(first.get("code")), _text(first.get("message")), first.get("detail")
    # What token servers and proxies say instead: OAuth 2.0, Docker Hub, others.
    for key in ("error_description", "details", "message", "detail", "error"):
        if _text(document.get(key)):
            return "", _text(document[key]), None
    return "", "", None


def _text(value: object) -> str:
    """Bounded, and on one line: it goes to terminals."""
    return "".join(c if c.isprintable() else " " for c in value[:1000]).strip() if isinstance(value, str) else ""


def _plain_text(headers: Mapping[str, str], body: bytes) -> str:
    """A short text body said by a proxy or an old registry; pages of HTML say nothing here."""
    if not headers.get("content-type", "").startswith("text/plain"):
        return ""
    return _text(body[:300].decode("utf-8", "replace"))
