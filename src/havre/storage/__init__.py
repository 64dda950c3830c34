"""The bytes: where content lies, finished and on its way.

``layout`` draws the tree on disk, ``filesystem`` is the store behind the registry's ports, ``disk`` the system calls
underneath it, ``memory`` the same promises without a disk, ``objects`` those that an object store keeps. ``open_storage``
picks one by its address.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from havre.config import Config
from havre.errors import ConfigError
from havre.registry.check_ports import BlobChecks
from havre.registry.ports import BlobStore, Clock, UploadStore
from havre.storage.checking import FileChecks
from havre.storage.disk import sync_folder
from havre.storage.filesystem import FileBlobs, FileUploads, Threads, system_clock
from havre.storage.layout import Layout

__all__ = ["Storage", "open_configured", "open_storage"]

Headers = Callable[[], Mapping[str, str]]

_BUCKETS = ("s3", "gs", "az")


@dataclass(frozen=True, slots=True)
class Storage:
    """Both stores of one backend."""

    blobs: BlobStore
    uploads: UploadStore
    checks: BlobChecks
    close: Callable[[], None]
    """Waits for what is running and ends the threads."""


def open_configured(
    config: Config, clock: Clock = system_clock, *, ask: bool = True, headers: Headers | None = None
) -> Storage:
    """Open the store that the settings name; raises as ``open_storage``."""
    given = config.storage_endpoint, config.storage_region, config.storage_addressing
    return open_storage(config.storage_url, config.data, clock, given, ask=ask, headers=headers)


def open_storage(
    url: str,
    data: Path | str,
    clock: Clock = system_clock,
    store: tuple[str, str, str] = ("", "", "auto"),
    *,
    ask: bool = True,
    headers: Headers | None = None,
) -> Storage:
    """Open the store at ``url``: ``file:///folder``, or, if it is empty or ``file://``, the data folder itself.

    Or a bucket: ``s3://bucket/prefix``, ``gs://``, ``az://``, with ``store`` being endpoint, region and addressing as the
    settings have them. Starts no thread, so the process may fork afterwards. Raises ConfigError if nothing here can serve
    that address, or if the folder or the bucket can not be used; the bucket is asked only with ``ask``.
    ``headers`` says what each request to the bucket carries besides.
    """
    parts = urlsplit(url)
    if parts.scheme in _BUCKETS:
        return _open_bucket(url, store, clock, headers, ask=ask)
    if parts.scheme not in ("", "file") or (url and not parts.scheme):
        raise ConfigError(
            f"the storage address {url!r} can not be used: this version offers file:///path/to/folder,"
            " s3://bucket/prefix, gs://bucket/prefix and az://container/prefix"
        )
    if parts.netloc not in ("", "localhost"):
        raise ConfigError(f"the storage address {url!r} names a host: write file:///{parts.netloc}{parts.path}")
    root = Path(unquote(parts.path)) if parts.path else Path(data)
    layout = Layout(root.absolute())
    _prepare(layout)
    threads = Threads()
    return Storage(
        FileBlobs(layout, threads, clock),
        FileUploads(layout, threads, clock),
        FileChecks(layout, threads, clock),
        threads.close,
    )


def _open_bucket(url: str, store: tuple[str, str, str], clock: Clock, headers: Headers | None, *, ask: bool) -> Storage:
    # Only who has a bucket needs these.
    from havre.storage.objects import probe
    from havre.storage.objects.blobs import ObjectBlobs
    from havre.storage.objects.bucket import Bucket
    from havre.storage.objects.checks import ObjectChecks
    from havre.storage.objects.place import place_of
    from havre.storage.objects.uploads import ObjectUploads

    place = place_of(url, *store)
    if ask:
        probe.check(place)
    bucket, threads = Bucket(place, headers), Threads()
    return Storage(
        ObjectBlobs(bucket, clock),
        ObjectUploads(bucket, threads, clock),
        ObjectChecks(bucket, threads, clock),
        threads.close,
    )


def _prepare(layout: Layout) -> None:
    """Make both folders; raises ConfigError if they can not be made, written to, or renamed between."""
    for folder, mode in ((layout.blobs, 0o750), (layout.uploads, 0o700)):
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=mode, exist_ok=True)
            sync_folder(folder.parent)
        except OSError as error:
            raise _unusable(folder, error.strerror) from error
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise _unusable(folder, "not writable")
    if layout.blobs.stat().st_dev != layout.uploads.stat().st_dev:
        raise ConfigError(
            f"{layout.blobs} and {layout.uploads} lie on different file systems: put both on one, for an upload"
            " becomes a blob by a rename"
        )


def _unusable(folder: Path, reason: str | None) -> ConfigError:
    return ConfigError(
        f"the storage folder {folder} can not be used ({reason}): it must be a folder that this user may write to"
    )
