"""References: where an image lies, once every short name is written out.

People type ``alpine``, ``marin/app`` or ``hub.example.org/marin/app:1``. This room adds what they left out, as docker
does: the registry (Docker Hub, or the one chosen by ``HAVRE_REGISTRY``), ``library/`` on Docker Hub, and the tag
``latest``. It also knows the few things that differ between the name of a registry and the machine that answers.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace

from havre.errors import HavreError, NameInvalid
from havre.oci.digest import Digest
from havre.oci.names import Tag
from havre.oci.reference import ImageReference, Reference

HUB = "docker.io"
"""Docker Hub, as image names say it."""

HUB_KEY = "https://index.docker.io/v1/"
"""Docker Hub, as credential files say it."""

_HUB_NAMES = frozenset({HUB, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"})
_HUB_API = "registry-1.docker.io"


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """An image in a registry: nothing is left out.

    ``path`` is the repository as the registry's addresses spell it, ``library/`` included where it was typed.
    """

    registry: str
    path: str
    tag: Tag | None = None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str, default_registry: str = HUB) -> RemoteImage:
        """Read what a person typed. Raises NameInvalid or DigestInvalid, which say which part is wrong."""
        read = ImageReference.parse(text)
        registry = registry_name(read.host or default_registry)
        path = _typed_path(text, read.host)
        if registry == HUB and "/" not in path:
            path = f"library/{path}"
        tag = read.tag or (None if read.digest else Tag("latest"))
        return cls(registry, path, tag, read.digest)

    @property
    def reference(self) -> Reference:
        """What to ask the registry for: the digest if there is one, else the tag."""
        return self.digest or self.tag or Tag("latest")

    @property
    def repository(self) -> str:
        """Registry and path."""
        return f"{self.registry}/{self.path}"

    @property
    def familiar(self) -> str:
        """The shortest way to write it that docker reads the same."""
        return familiar(str(self))

    def at(self, reference: Reference) -> RemoteImage:
        """The same repository, another tag or digest."""
        if isinstance(reference, Digest):
            return replace(self, tag=None, digest=reference)
        return replace(self, tag=reference, digest=None)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}" + (f"@{self.digest}" if self.digest else "")


def familiar(name: str) -> str:
    """A full name without what docker adds by itself: ``docker.io/library/python:3`` is ``python:3``."""
    short = name.removeprefix(f"{HUB}/")
    if short == name:
        return name
    official = short.removeprefix("library/")
    return short if "/" in official.partition("@")[0] else official


def registry_name(text: str) -> str:
    """The name under which a registry is known, from what a person typed after ``login``.

    An ``http://`` or ``https://`` and a path are dropped; every name of Docker Hub becomes ``docker.io``.
    Raises NameInvalid.
    """
    host = text.strip()
    for scheme in ("https://", "http://"):
        host = host.removeprefix(scheme)
    host = host.partition("/")[0]
    if host.lower() in _HUB_NAMES:
        return HUB
    try:
        # The grammar of hosts is part of that of references, where a colon makes any first word a host.
        ImageReference.parse(f"{host}/x" if ":" in host else f"{host}:1/x")
    except HavreError as error:
        raise NameInvalid(f"invalid registry {text[:200]!r}: write a host name, with :port if it needs one") from error
    return host


def credential_key(registry: str) -> str:
    """The name of ``registry`` in credential files and helper programs."""
    return HUB_KEY if registry == HUB else registry


def api_host(registry: str) -> str:
    """The host and port that answer ``/v2/`` for ``registry``."""
    return _HUB_API if registry == HUB else registry


def is_loopback(host: str) -> bool:
    """Is this ``host[:port]`` the machine we run on? Such registries may speak plain HTTP, as with docker."""
    name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _typed_path(text: str, host: str) -> str:
    """The repository's path as typed, because RepositoryName drops a ``library/`` that other registries need."""
    path = text.partition("@")[0]
    path = path[len(host) + 1 :] if host else path
    head, colon, tail = path.rpartition(":")
    return head if colon and "/" not in tail else path
