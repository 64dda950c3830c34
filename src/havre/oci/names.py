"""Names: namespaces, repositories and tags (OCI distribution specification, section "Pulling manifests").

The wire knows repositories by a path. Its first component is the namespace (an account or organisation), the rest is
the repository's own name. A path of one component is an official image: it lives in the namespace ``library``, and
``library/python`` on the wire is the same repository as ``python``.
"""

from __future__ import annotations

import re
from typing import Self

from havre.errors import NameInvalid

OFFICIAL = "library"
"""The namespace of official images."""

MAX_PATH = 255
"""Characters in a repository's whole path; clients bound host and path together to the same number."""

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*", re.ASCII)
_NAMESPACE = re.compile(r"[a-z0-9](?:[a-z0-9]|[-_.](?=[a-z0-9])){0,29}", re.ASCII)
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", re.ASCII)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")


class Namespace(str):
    """The name of an account or organisation; 1 to 30 characters here, the sign-up rules are stricter."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Check ``text``; raises NameInvalid."""
        if not _NAMESPACE.fullmatch(text):
            raise NameInvalid(
                f"invalid namespace {_shown(text)}: use 1 to 30 lower-case letters and digits,"
                " with single '.', '_' or '-' between them",
                detail={"name": text[:300]},
            )
        return cls(text)


class RepositoryName(str):
    """A repository's path in its shortest form: ``marin/app``, ``marin/team/app``, or ``python`` (official)."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Check ``text`` against the grammar of the specification; raises NameInvalid."""
        if len(text) > MAX_PATH:
            raise NameInvalid(
                f"invalid repository name {_shown(text)}: {len(text)} characters, at most {MAX_PATH} are allowed",
                detail={"name": text[:300]},
            )
        if not _PATH.fullmatch(text):
            raise NameInvalid(
                f"invalid repository name {_shown(text)}: use lower-case letters and digits, separated by"
                " '.', '_', '__' or '-', in parts joined by '/'",
                detail={"name": text},
            )
        if text.startswith("library/") and "/" not in text[8:]:
            text = text[8:]
        return cls(text)

    @property
    def official(self) -> bool:
        """Is it an official image, of one component?"""
        return "/" not in self

    @property
    def namespace(self) -> Namespace:
        """The first component, or ``library`` for an official image."""
        head, slash, _ = self.partition("/")
        return Namespace(head if slash else OFFICIAL)

    @property
    def leaf(self) -> str:
        """The path within the namespace."""
        _, slash, tail = self.partition("/")
        return tail if slash else str(self)


class Tag(str):
    """A checked tag, such as ``latest``."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Check ``text``; raises NameInvalid."""
        if not _TAG.fullmatch(text):
            raise NameInvalid(
                f"invalid tag {_shown(text)}: use 1 to 128 letters, digits, '_', '.' or '-',"
                " not beginning with '.' or '-'",
                detail={"tag": text[:300]},
            )
        return cls(text)
