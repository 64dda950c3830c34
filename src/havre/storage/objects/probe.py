"""The probe: is there a bucket, and may we do in it what we must? Asked when a store is opened, answered in plain words.

It runs in a process of its own, because a process that has spoken to a store has threads, and can not fork any more.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from havre.errors import ConfigError
from havre.storage.objects.bucket import MARK
from havre.storage.objects.failures import code_of, message_of, status_of
from havre.storage.objects.place import SCHEMES, Place

PATIENCE = 60.0
"""Seconds for all of it."""

_TRY = timedelta(seconds=10)


def check(place: Place) -> None:
    """Raise ConfigError with a sentence for who set it up, unless everything that we need works there."""
    try:
        done = subprocess.run(  # noqa: S603 - ourselves, with what the operator set
            [sys.executable, "-P", "-m", __name__],
            input=json.dumps(place.values()),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        sentence = json.loads(done.stdout)["sentence"]
    except subprocess.TimeoutExpired:
        sentence = f"it did not answer within {PATIENCE:.0f} seconds: look at storage_endpoint and at the network"
    except (ValueError, KeyError):
        sentence = f"obstore failed: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else done.returncode}"
    if sentence:
        raise ConfigError(f"the storage {place} can not be used: {sentence}")


def failing(place: Place) -> str:
    """What does not work, as the rest of a sentence; empty if everything does."""
    try:
        store: Any = place.open({"timeout": _TRY, "connect_timeout": _TRY}, _TRY)
    except Exception as error:  # noqa: BLE001 - obstore raises what it likes for settings that contradict each other
        return f"obstore refuses the settings ({message_of(error)})"
    name = f"probe-{secrets.token_hex(8)}"

    def list_some() -> None:
        next(iter(store.list(name, chunk_size=1)), None)

    def marked() -> None:
        try:
            store.head(MARK)
        except FileNotFoundError:
            store.put(MARK, json.dumps({"kind": "havre", "version": 1}).encode(), use_multipart=False)

    steps: list[tuple[str, Callable[[], Any]]] = [
        ("list what is there", list_some),
        ("write", lambda: store.put(name, b"probe", use_multipart=False)),
        ("read", lambda: bytes(store.get(name).bytes())),
        ("delete", lambda: store.delete(name)),
        ("read or write its mark", marked),
    ]
    for doing, step in steps:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            return _told(place, doing, error)
    return ""


def _told(place: Place, doing: str, error: Exception) -> str:
    code, status = code_of(error), status_of(error)
    which = f"{code or status}: {message_of(error)}"
    if code in ("NoSuchBucket", "ContainerNotFound") or (status == 404 and doing in ("list what is there", "write")):
        return f"there is no bucket {place.bucket!r} at {place.endpoint or SCHEMES[place.scheme]}: make it, or name another"
    if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "AuthenticationFailed"):
        return f"the store does not accept the credentials ({which}): look at AWS_ACCESS_KEY_ID and its kin"
    if code in ("PermanentRedirect", "AuthorizationHeaderMalformed") or status == 301:
        return f"the bucket is in another region ({which}): set storage_region"
    if status in (401, 403):
        return f"the credentials do not allow to {doing} ({which}): listing, reading, writing and deleting are needed"
    if status:
        return f"the store failed to {doing} ({which})"
    where = place.endpoint or SCHEMES[place.scheme]
    return f"{where} does not answer, or nothing says with which credentials to ask ({message_of(error)})"


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"sentence": failing(Place(**json.load(sys.stdin)))}))
