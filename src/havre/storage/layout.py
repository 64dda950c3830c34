"""Layout: the tree on disk. The only place that makes paths.

    DATA/
    ├── blobs/                    finished content; a file here is complete, synced and never changed
    │   ├── sha256/               the digest's algorithm
    │   │   └── 6c/               its first two hexadecimal digits, so that no folder grows huge
    │   │       └── 6c3c…         the content, named by all of them; with .<upload id> behind if that name was taken
    │   └── sha512/…
    └── uploads/                  content on its way, for the server's eyes only (mode 0700)
        └── <upload id>           the bytes so far, locked while a request writes or finishes them
    (and quarantine/              what a check found damaged, until a person deletes it; nothing reads it)

Both branches lie on one file system, because an upload becomes a blob by a second name. A backup needs ``blobs`` alone.
A blob's key, as the rows remember it, is its path below ``blobs``: ``sha256/6c/6c3c…``. No key that is in use is ever
given out a second time, so that removing one never takes away what another push has just stored.
"""

from __future__ import annotations

import re
from pathlib import Path

from havre.errors import BlobUnknown, UploadUnknown
from havre.oci.digest import Digest

_KEY = re.compile(
    r"(?:sha256/[a-f0-9]{2}/[a-f0-9]{64}|sha512/[a-f0-9]{2}/[a-f0-9]{128})(?:\.[A-Za-z0-9][A-Za-z0-9_-]{0,127})?",
    re.ASCII,
)
_UPLOAD_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}", re.ASCII)


class Layout:
    """The tree below one folder."""

    def __init__(self, root: Path) -> None:
        self.blobs = root / "blobs"
        self.uploads = root / "uploads"
        self.quarantine = root / "quarantine"

    def key(self, digest: Digest, upload_id: str = "") -> str:
        """The key of the content that ``digest`` names; with an upload's id, one that only this upload has."""
        plain = f"{digest.algorithm}/{digest.encoded[:2]}/{digest.encoded}"
        return f"{plain}.{upload_id}" if upload_id else plain

    def is_key(self, text: str) -> bool:
        """Is this the key of a blob, and no file that somebody else put there?"""
        return _KEY.fullmatch(text) is not None

    def blob(self, key: str) -> Path:
        """The file of a blob. Raises BlobUnknown for what is no key, so that no key leads out of the tree."""
        if not _KEY.fullmatch(key):
            raise BlobUnknown(f"there is no content under the key {key[:200]!r}: keys look like sha256/6c/6c3c…")
        return self.blobs / key

    def upload(self, upload_id: str) -> Path:
        """The file of an upload. Raises UploadUnknown for what is no id, so that no id leads out of the folder."""
        if not _UPLOAD_ID.fullmatch(upload_id):
            raise UploadUnknown(f"there is no upload {upload_id[:128]!r}: ids are letters, digits, '_' and '-'")
        return self.uploads / upload_id
