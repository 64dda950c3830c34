"""Names: where a repository of elsewhere comes to lie here. What can not be is told with a remedy, never changed."""

from __future__ import annotations

import re
from collections.abc import Mapping

from havre.errors import NameInvalid
from havre.oci.names import OFFICIAL, RepositoryName, Tag
from havre.registry.adoption import Adoption
from havre.registry.naming import RESERVED, check_name

_NOT_IN_PATHS = re.compile(r"[^a-z0-9]*[^a-z0-9._-]+[^a-z0-9]*|[._-]{3,}|\.[_-]|[_-]\.|_-|-_", re.ASCII)
_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9_.-]+", re.ASCII)


class Names:
    """Gives each repository its place: what ``--rename`` says, its own name if an account has that, else below ``into``."""

    def __init__(self, adoption: Adoption, into: str = "", renames: Mapping[str, str] | None = None) -> None:
        """``into`` is a namespace, or for one layout a whole repository. Raises NameInvalid."""
        self._adoption = adoption
        self._into = _whole(into, "--into")
        self._renames = {old: RepositoryName.parse(new) for old, new in (renames or {}).items()}
        self._taken: dict[str, str] = {}
        self._known: dict[str, bool] = {}

    async def place(self, name: str, *, given: bool = True) -> RepositoryName:
        """The name here. ``given`` is False for images that have no repository's name there.

        Raises NameInvalid, whose sentence says what to do.
        """
        found = await self._place(name, given)
        other = self._taken.setdefault(found, name)
        if other != name:
            raise NameInvalid(f"{found} is where {other} goes already; choose another name: {_rename(name, found)}")
        return found

    async def _place(self, name: str, given: bool) -> RepositoryName:
        if name in self._renames:
            return self._renames[name]
        if not given and "/" in self._into:
            return RepositoryName.parse(self._into)
        head, slash, _ = name.partition("/")
        own = given and bool(slash) and await self._has(head)
        if not own and not self._into:
            raise NameInvalid(f"{_homeless(head, slash)}; or {_rename(name, f'NAMESPACE/{_suggested(name)}')}")
        wanted = name if own else f"{self._into}/{name}"
        try:
            found = RepositoryName.parse(wanted)
            check_name(found)
        except NameInvalid as error:
            raise NameInvalid(f"{error.message}; or {_rename(name, _suggested(wanted))}") from error
        return found

    async def _has(self, head: str) -> bool:
        if head not in self._known:
            try:
                namespace = RepositoryName.parse(f"{head}/x").namespace
            except NameInvalid:
                return False
            self._known[head] = head == OFFICIAL or await self._adoption.has_namespace(namespace)
        return self._known[head]


def tag_of(text: str) -> Tag:
    """A tag as it is called there. Raises NameInvalid, whose sentence suggests another."""
    try:
        return Tag.parse(text)
    except NameInvalid as error:
        suggested = _NOT_IN_TAGS.sub("-", text).lstrip(".-")[:128] or "untitled"
        raise NameInvalid(f"{error.message}; tag it there as {suggested!r} and import again") from error


def _whole(into: str, option: str) -> str:
    try:
        RepositoryName.parse(f"{into}/x" if into else "x/x")
    except NameInvalid as error:
        raise NameInvalid(f"{option} {into[:80]!r} is no namespace of this registry: {error.message}") from error
    return into


def _homeless(head: str, slash: str) -> str:
    if slash:
        return f"there is no account {head[:80]!r}: make one with havre user add, or say --into NAMESPACE"
    return "it has no namespace: say --into NAMESPACE, which is library for official images"


def _rename(name: str, suggested: str) -> str:
    return f"--rename {name}={suggested}"


def _suggested(name: str) -> str:
    """A name that is allowed and looks like this one."""
    parts = [_NOT_IN_PATHS.sub("-", part.lower()).strip("._-") or "untitled" for part in name.split("/")]
    parts[2:] = [f"{part}-images" if part in RESERVED else part for part in parts[2:]]
    return "/".join(parts)[:255].rstrip("/._-")
