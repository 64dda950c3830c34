"""References: what stands after the repository's name, and whole image references as people type them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from havre.errors import NameInvalid
from havre.oci.digest import Digest
from havre.oci.names import MAX_PATH, RepositoryName, Tag

Reference = Tag | Digest
"""A manifest's tag or digest (the ``<reference>`` of the distribution specification)."""

_LABEL = r"[A-Za-z0-9]+(?:-+[A-Za-z0-9]+)*"
_HOST = re.compile(rf"(?:\[[0-9a-fA-F:]+\]|{_LABEL}(?:\.{_LABEL})*)(?::[0-9]{{1,5}})?", re.ASCII)


def parse_reference(text: str) -> Reference:
    """A digest if there is a colon in it, else a tag. Raises DigestInvalid or NameInvalid."""
    return Digest.parse(text) if ":" in text else Tag.parse(text)


@dataclass(frozen=True, slots=True)
class ImageReference:
    """Where an image is: ``host[:port]/path[:tag][@digest]``, or without a host as docker allows it."""

    host: str
    """Registry host with its port; empty when the text named none."""
    name: RepositoryName
    tag: Tag | None = None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> ImageReference:
        """Read what a person typed. The first part is a host if it has a dot, a colon or is ``localhost``.

        Raises NameInvalid or DigestInvalid, which say which part is wrong.
        """
        rest, at, digest_text = text.partition("@")
        host, slash, path = rest.partition("/")
        if not slash or not ("." in host or ":" in host or host == "localhost"):
            host, path = "", rest
        if host and not _HOST.fullmatch(host):
            raise NameInvalid(f"invalid reference {text[:300]!r}: {host[:300]!r} is not a host name")
        tag_text = ""
        head, colon, tail = path.rpartition(":")
        if colon and "/" not in tail:
            path, tag_text = head, tail
            if not tag_text:
                raise NameInvalid(f"invalid reference {text[:300]!r}: nothing follows the ':'")
        if len(f"{host}/{path}" if host else path) > MAX_PATH:
            raise NameInvalid(f"invalid reference {text[:80]!r}…: host and name together exceed {MAX_PATH} characters")
        return cls(
            host,
            RepositoryName.parse(path),
            Tag.parse(tag_text) if tag_text else None,
            Digest.parse(digest_text) if at else None,
        )

    @property
    def reference(self) -> Reference:
        """What to ask the registry for: the digest, else the tag, else ``latest``."""
        return self.digest or self.tag or Tag("latest")

    def __str__(self) -> str:
        host = f"{self.host}/" if self.host else ""
        tag = f":{self.tag}" if self.tag else ""
        return f"{host}{self.name}{tag}" + (f"@{self.digest}" if self.digest else "")
