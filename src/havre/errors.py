"""Every failure the product can name: its wire code, its HTTP status and a sentence for the person.

Raise these anywhere; only ``server/errors.py`` turns them into responses, and the client rebuilds the same
classes from the wire. ``code`` is always one of the fourteen codes of the OCI distribution specification
(section "Error Codes"), because clients decide whether to retry by it; ``status`` is the HTTP status.

    HavreError
    ├── NameInvalid                 400 NAME_INVALID
    ├── NameUnknown                 404 NAME_UNKNOWN
    ├── DigestInvalid               400 DIGEST_INVALID
    ├── BlobUnknown                 404 BLOB_UNKNOWN
    ├── RangeNotSatisfiable         416 BLOB_UNKNOWN
    ├── UploadInvalid               400 BLOB_UPLOAD_INVALID
    │   ├── UploadRangeInvalid      416 BLOB_UPLOAD_INVALID
    │   └── UploadBusy              409 BLOB_UPLOAD_INVALID
    ├── UploadUnknown               404 BLOB_UPLOAD_UNKNOWN
    ├── SizeInvalid                 400 SIZE_INVALID
    │   ├── LengthRequired          411 SIZE_INVALID
    │   └── TooLarge                413 SIZE_INVALID
    ├── ManifestInvalid             400 MANIFEST_INVALID
    ├── ManifestUnknown             404 MANIFEST_UNKNOWN
    ├── ManifestBlobUnknown         404 MANIFEST_BLOB_UNKNOWN
    ├── Unauthorized                401 UNAUTHORIZED
    │   └── WrongCredentials        401 UNAUTHORIZED
    ├── Denied                      403 DENIED
    │   ├── Conflict                409 DENIED
    │   ├── OverPlan                403 DENIED
    │   └── StorageFull             507 DENIED
    ├── Unsupported                 405 UNSUPPORTED
    ├── InputInvalid                400 UNSUPPORTED
    ├── TooManyRequests             429 TOOMANYREQUESTS
    │   ├── UploadsFull             429 TOOMANYREQUESTS
    │   └── Unavailable             503 TOOMANYREQUESTS
    ├── Unreachable                 502 UNSUPPORTED
    ├── ClientGone                  400 BLOB_UPLOAD_INVALID   (never reaches anyone: the caller has left)
    └── ConfigError                 (start-up only; never on the wire)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar


class HavreError(Exception):
    """A failure with a name.

    ``message`` is a plain sentence that names the value and the rule and, where there is one, the remedy.
    It reaches terminals and pages, so it never holds a secret. ``detail`` is JSON-ready and optional.
    """

    code: ClassVar[str] = "UNSUPPORTED"
    status: ClassVar[int] = 500

    def __init__(self, message: str, *, detail: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class NameInvalid(HavreError):
    """A repository, namespace or tag name breaks the grammar."""

    code = "NAME_INVALID"
    status = 400


class NameUnknown(HavreError):
    """No such repository, or none that this caller may know of."""

    code = "NAME_UNKNOWN"
    status = 404


class DigestInvalid(HavreError):
    """A digest is malformed, or the content does not have it."""

    code = "DIGEST_INVALID"
    status = 400


class BlobUnknown(HavreError):
    """This repository links no such blob."""

    code = "BLOB_UNKNOWN"
    status = 404


class RangeNotSatisfiable(HavreError):
    """None of the byte ranges asked for lies within the blob (RFC 9110, section 15.5.17)."""

    code = "BLOB_UNKNOWN"
    status = 416

    def __init__(self, message: str, *, size: int = 0, detail: object = None) -> None:
        super().__init__(message, detail=detail)
        self.size = size


class UploadInvalid(HavreError):
    """An upload request that can not be carried out."""

    code = "BLOB_UPLOAD_INVALID"
    status = 400


class UploadRangeInvalid(UploadInvalid):
    """A chunk that does not begin where the upload ends; the reply tells where that is."""

    status = 416

    def __init__(self, message: str, *, location: str = "", size: int = 0, detail: object = None) -> None:
        super().__init__(message, detail=detail)
        self.location = location
        self.size = size


class UploadBusy(UploadInvalid):
    """Another request is writing to this upload."""

    status = 409


class UploadUnknown(HavreError):
    """No such upload: never begun, finished, cancelled or expired."""

    code = "BLOB_UPLOAD_UNKNOWN"
    status = 404


class SizeInvalid(HavreError):
    """A body is shorter or longer than announced."""

    code = "SIZE_INVALID"
    status = 400


class LengthRequired(SizeInvalid):
    """The request must announce its length."""

    status = 411


class TooLarge(SizeInvalid):
    """A body, header or document over its limit."""

    status = 413


class ManifestInvalid(HavreError):
    """The manifest itself is invalid. Never used for a policy: podman and skopeo convert and retry on it."""

    code = "MANIFEST_INVALID"
    status = 400


class ManifestUnknown(HavreError):
    """This repository has no manifest with that tag or digest."""

    code = "MANIFEST_UNKNOWN"
    status = 404


class ManifestBlobUnknown(HavreError):
    """A manifest points at content which this repository does not link."""

    code = "MANIFEST_BLOB_UNKNOWN"
    status = 404


class Unauthorized(HavreError):
    """The caller must authenticate, or needs a token with a wider scope.

    ``scope`` is what the challenge asks for; ``insufficient`` says that a valid token lacked it.
    """

    code = "UNAUTHORIZED"
    status = 401

    def __init__(self, message: str, *, scope: str = "", insufficient: bool = False, detail: object = None) -> None:
        super().__init__(message, detail=detail)
        self.scope = scope
        self.insufficient = insufficient


class WrongCredentials(Unauthorized):
    """Unknown account, wrong password, or a token that is wrong, expired or revoked: never said which."""


class Denied(HavreError):
    """A rule says no. The message is what ``docker push`` prints after ``denied:``."""

    code = "DENIED"
    status = 403


class Conflict(Denied):
    """The name is taken, or the thing was changed meanwhile."""

    status = 409


class OverPlan(Denied):
    """The plan of an account does not allow it. Answers add where its plan and usage are shown."""


class StorageFull(Denied):
    """The disk or the store has no room; nothing half-written is left."""

    status = 507


class Unsupported(HavreError):
    """The operation is not offered here; ``offered`` are the methods that are (RFC 9110, section 15.5.6)."""

    code = "UNSUPPORTED"
    status = 405

    def __init__(self, message: str, *, offered: Iterable[str] = (), detail: object = None) -> None:
        super().__init__(message, detail=detail)
        self.offered = tuple(offered)


class InputInvalid(HavreError):
    """A form field, parameter or JSON document breaks its rule; ``field`` names it when there is one."""

    code = "UNSUPPORTED"
    status = 400

    def __init__(self, message: str, *, field: str = "", detail: object = None) -> None:
        super().__init__(message, detail=detail)
        self.field = field


class TooManyRequests(HavreError):
    """Slow down; ``retry_after`` is in whole seconds."""

    code = "TOOMANYREQUESTS"
    status = 429

    def __init__(self, message: str, *, retry_after: int = 1, detail: object = None) -> None:
        super().__init__(message, detail=detail)
        self.retry_after = retry_after


class UploadsFull(TooManyRequests):
    """An account has too many bytes in unfinished uploads. The upload that would be too much is gone."""


class Unavailable(TooManyRequests):
    """The server is stopping, overloaded, or cannot reach its database or store."""

    status = 503


class Unreachable(HavreError):
    """Another server, which someone asked this one to ask, could not be asked or did not answer as it should.

    The sentence never says what is behind an address that is not public.
    """

    code = "UNSUPPORTED"
    status = 502


class ClientGone(HavreError):
    """The client left in the middle of a body: what arrived is kept for a resume."""

    code = "BLOB_UPLOAD_INVALID"
    status = 400


class ConfigError(HavreError):
    """A setting that can not work; said at start-up, never on the wire."""
