"""Where an object store is, read from the settings; and the credentials that files of this machine hold for it.

Opening it is left to obstore, which also knows the credentials that machines are given: of an instance, a container, or
a web identity.
"""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from havre.errors import ConfigError

if TYPE_CHECKING:
    from obstore.store import AzureStore, GCSStore, S3Store

SCHEMES = {"s3": "S3", "gs": "Google Cloud Storage", "az": "Azure Blob Storage"}

AWS_REGION = "us-east-1"
"""Where nothing says another one."""

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}", re.ASCII)
_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=-]*(?:/[A-Za-z0-9][A-Za-z0-9._=-]*)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Keys of S3 that were written down somewhere."""

    access_key: str
    secret_key: str
    token: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket (a container, in Azure) and the prefix below which everything of ours lies."""

    scheme: str
    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    virtual: bool = False
    """Is the bucket named by the host, rather than by the path?"""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}{'/' if self.prefix else ''}{self.prefix}"

    def values(self) -> dict[str, Any]:
        """Everything, for another process to make the same."""
        return asdict(self)

    def open(self, timeouts: Mapping[str, Any], patience: timedelta) -> S3Store | GCSStore | AzureStore:
        """A store of obstore with these options of its client, times above all, and tries again, ever more rarely, for ``patience``."""
        from obstore.store import AzureStore, GCSStore, S3Store

        options: Any = {"allow_http": self.endpoint.startswith("http://"), "user_agent": "havre", **timeouts}
        # Each pause is chosen by chance, from the first up to three times the one before.
        backoff = {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=5), "base": 3}
        retry: Any = {"max_retries": 100, "retry_timeout": patience, "backoff": backoff}
        prefix = self.prefix or None
        if self.scheme == "gs":
            return GCSStore(self.bucket, prefix=prefix, client_options=options, retry_config=retry)
        if self.scheme == "az":
            where: Any = {"endpoint": self.endpoint} if self.endpoint else {}
            return AzureStore(self.bucket, prefix=prefix, client_options=options, retry_config=retry, **where)
        return S3Store(self.bucket, prefix=prefix, client_options=options, retry_config=retry, **self._of_s3())

    def _of_s3(self) -> Any:
        given: dict[str, Any] = {"region": self.aws_region, "virtual_hosted_style_request": self.virtual}
        if self.endpoint:
            given["endpoint"] = self.base_url
        keys = credentials(os.environ)
        if keys:
            given |= {"access_key_id": keys.access_key, "secret_access_key": keys.secret_key}
            given |= {"session_token": keys.token} if keys.token else {}
        return given

    @property
    def aws_region(self) -> str:
        """The region that requests are signed for."""
        return self.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or AWS_REGION

    @property
    def base_url(self) -> str:
        """What requests of S3 are sent to, with the bucket in the host's name if that is where it belongs."""
        endpoint = self.endpoint or f"https://s3.{self.aws_region}.amazonaws.com"
        if not self.virtual:
            return endpoint
        scheme, _, host = endpoint.partition("://")
        return f"{scheme}://{self.bucket}.{host}"


def place_of(url: str, endpoint: str = "", region: str = "", addressing: str = "auto") -> Place:
    """Read an address such as ``s3://bucket/prefix``. Raises ConfigError that names what is wrong with it."""
    parts = urlsplit(url)
    bucket, prefix = parts.netloc, unquote(parts.path).strip("/")
    if parts.query or parts.fragment or "@" in bucket:
        raise ConfigError(
            f"the storage address {parts.scheme}://… may hold a bucket and a prefix alone: credentials come from"
            " the environment (AWS_ACCESS_KEY_ID and its kin), the rest from settings such as storage_endpoint"
        )
    if not _BUCKET.fullmatch(bucket):
        raise ConfigError(f"the storage address {url!r} names no bucket: write {parts.scheme}://bucket/prefix")
    if prefix and (len(prefix) > 512 or not _PREFIX.fullmatch(prefix)):
        raise ConfigError(
            f"the storage address {url!r} has a prefix that can not be used: letters, digits and . _ = - between"
            " slashes, at most 512 in all"
        )
    if endpoint and parts.scheme == "gs":
        raise ConfigError("storage_endpoint is for s3:// and az://: Google Cloud Storage has one address")
    virtual = addressing == "virtual" or (addressing == "auto" and not endpoint and "." not in bucket)
    return Place(parts.scheme, bucket, prefix, endpoint.rstrip("/"), region, virtual)


def credentials(environ: Mapping[str, str]) -> Credentials | None:
    """Keys from the environment, else those of the profile (AWS_PROFILE) in the credentials file; None for neither."""
    access, secret = environ.get("AWS_ACCESS_KEY_ID", ""), environ.get("AWS_SECRET_ACCESS_KEY", "")
    if access and secret:
        return Credentials(access, secret, environ.get("AWS_SESSION_TOKEN", ""))
    home = environ.get("HOME", "")
    path = environ.get("AWS_SHARED_CREDENTIALS_FILE") or (f"{home}/.aws/credentials" if home else "")
    profile = environ.get("AWS_PROFILE", "default")
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(Path(path).read_text(errors="replace") if path else "")
        found = parser[profile]
        return Credentials(
            found["aws_access_key_id"], found["aws_secret_access_key"], found.get("aws_session_token", "")
        )
    except (OSError, configparser.Error, KeyError) as error:
        if "AWS_PROFILE" in environ:
            raise ConfigError(
                f"the profile {profile[:80]!r} (AWS_PROFILE) has no access key in {path or 'a credentials file'}: name"
                " another one, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            ) from error
        return None
