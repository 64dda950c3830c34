"""What may go wrong between us and an object store, in words for people. Addresses stay out: sentences reach clients."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from havre.errors import HavreError, StorageFull, Unavailable

log = logging.getLogger("havre.storage")

_FULL = {
    "QuotaExceeded", "QuotaExceededError", "ServiceQuotaExceeded", "InsufficientStorage", "InsufficientCapacity",
    "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "StorageFull", "StorageQuotaExceeded",
    "AccountLimitExceeded", "NotEnoughSpace", "EntityTooLarge",
}  # fmt: skip
"""Codes of several stores that say: no room."""

_CODE = re.compile(r"<Code>([A-Za-z0-9]{1,60})</Code>", re.ASCII)
_STATUS = re.compile(r"status code: (\d{3})", re.ASCII)
_REASON = re.compile(r'message: "([^"]{1,200})"')
_MESSAGE = re.compile(r"<Message>([^<]{1,200})</Message>")


@contextmanager
def failures_named(doing: str) -> Iterator[None]:
    """Raise StorageFull or Unavailable in place of what the store says while ``doing``. FileNotFoundError goes on."""
    from obstore.exceptions import BaseError

    try:
        yield
    except FileNotFoundError:
        raise
    except (BaseError, OSError, ValueError) as error:
        raise named(error, doing) from error


def named(error: Exception, doing: str) -> HavreError:
    """The failure of the product that ``error`` stands for."""
    code, status = code_of(error), status_of(error)
    log.warning("the object store failed while %s: %s %s: %s", doing, status or "-", code or "-", message_of(error))
    if code in _FULL or status == 507:
        return StorageFull(
            f"the registry's storage is full ({code or status}, while {doing}): nothing half-written was kept;"
            " its administrator has to make room before you push again"
        )
    if status in (401, 403):
        return Unavailable(
            f"the registry's object store refuses it ({code or status}, while {doing}): tell its administrator, who has"
            " to look at the bucket's permissions and at the registry's credentials",
            retry_after=30,
        )
    return Unavailable(
        f"the registry's object store failed ({code or status or 'no answer'}, while {doing}): try again later, and tell"
        " its administrator if it stays so",
        retry_after=10,
    )


def code_of(error: Exception) -> str:
    """The store's own name for the failure; empty if it gave none."""
    found = _CODE.search(str(error))
    return found[1] if found else ""


def status_of(error: Exception) -> int:
    """The status that the store answered with; 0 if it did not answer."""
    found = _STATUS.search(str(error))
    return int(found[1]) if found else 0


def message_of(error: Exception) -> str:
    """The store's own sentence, or the beginning of what is known: for operators, not for clients."""
    found = _MESSAGE.search(str(error)) or _REASON.search(str(error))
    if found:
        return found[1]
    causes = re.findall(r'(?:error: |source: )"?([A-Za-z][^"{}()\n]{3,160})', str(error))
    return causes[-1].strip() if causes else str(error).partition("\n")[0][-160:]
