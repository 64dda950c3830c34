"""Requests of S3 that obstore does not offer, signed by ourselves (AWS Signature Version 4). They block: use a thread."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from havre.storage.objects.place import Credentials, Place

TIMEOUT = 30.0
"""Seconds for a request."""

MAX_ANSWER = 4 * 1024 * 1024
"""Bytes of an answer: a list of a thousand keys has less."""

_NOTHING = hashlib.sha256(b"").hexdigest()


def request(place: Place, keys: Credentials, method: str, key: str, query: Mapping[str, str]) -> tuple[int, bytes]:
    """Send a request without a body about a bucket (``key`` is empty) or an object; returns status and answer.

    Raises OSError and http.client.HTTPException.
    """
    parts = urlsplit(place.base_url)
    path = quote(f"/{key}" if place.virtual else f"/{place.bucket}/{key}".rstrip("/"))
    asked = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(query.items()))
    headers = signed(keys, place.aws_region, method, parts.netloc, path, asked, datetime.now(UTC))
    host, port = parts.hostname or "", parts.port
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    try:
        connection.request(method, f"{path}?{asked}" if asked else path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(MAX_ANSWER)
    finally:
        connection.close()


def signed(
    keys: Credentials, region: str, method: str, host: str, path: str, query: str, at: datetime
) -> dict[str, str]:
    """The headers of a request without a body, ``path`` and ``query`` being encoded and the query sorted."""
    moment = at.strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": host, "x-amz-content-sha256": _NOTHING, "x-amz-date": moment}
    if keys.token:
        headers["x-amz-security-token"] = keys.token
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{_NOTHING}"
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{keys.secret_key}".encode()
    for step in (*scope.split("/"), text):
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    given = f"Credential={keys.access_key}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
    return {**headers, "authorization": f"AWS4-HMAC-SHA256 {given}"}
