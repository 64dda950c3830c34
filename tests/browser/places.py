"""Where every page is: the routes of ``web/routes.PAGES``, each with addresses and who looks at them.

The harbour of ``tests/support/harbour.py`` lies there. A route that this table does not know fails the tests that walk.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from havre.web.routes import PAGES

NOBODY, ALICE, CAROL = "", "alice", "carol"
"""A visitor without an account, the owner of what is looked at, and an administrator."""

EVERYONE = (NOBODY, ALICE, CAROL)
REPOSITORY = "/r/{namespace}/{repository:path}"
OFFICIAL = "/_/{repository}"
MANAGE = "/repository/docker/{namespace}/{repository:path}"

PLACES: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "/": (("/", EVERYONE),),
    "/search": (("/search", (NOBODY,)), ("/search?q=light", (ALICE,)), ("/search?q=nothing+at+all", EVERYONE)),
    "/signup": (("/signup", (NOBODY,)),),
    "/login": (("/login", (NOBODY,)),),
    "/u/{name}": (("/u/alice", (NOBODY, ALICE)), ("/u/carol", (CAROL,))),
    REPOSITORY: (("/r/alice/lighthouse", EVERYONE), ("/r/alice/logbook", (ALICE,))),
    f"{REPOSITORY}/tags": (("/r/alice/lighthouse/tags", EVERYONE), ("/r/alice/lighthouse/tags?q=none", (ALICE,))),
    f"{REPOSITORY}/tags/{{tag}}": (
        ("/r/alice/lighthouse/tags/latest", EVERYONE),
        ("/r/alice/lighthouse/tags/2.0", (ALICE,)),
    ),
    OFFICIAL: (("/_/python", (NOBODY, CAROL)),),
    f"{OFFICIAL}/tags": (("/_/python/tags", (NOBODY,)),),
    f"{OFFICIAL}/tags/{{tag}}": (("/_/python/tags/latest", (NOBODY,)),),
    MANAGE: (
        ("/repository/docker/alice/lighthouse", (ALICE,)),
        ("/repository/docker/alice/lighthouse?tab=settings", (ALICE,)),
    ),
    "/repositories": (("/repositories", (ALICE, CAROL)), ("/repositories?q=none", (ALICE,))),
    "/styleguide": (("/styleguide", (NOBODY,)),),
    "/settings/profile": (("/settings/profile", (ALICE,)),),
    "/settings/password": (("/settings/password", (ALICE,)),),
    "/settings/tokens": (("/settings/tokens", (ALICE,)),),
    "/settings/sessions": (("/settings/sessions", (ALICE,)),),
    "/settings/two-factor": (("/settings/two-factor", (ALICE,)),),
    "/settings/account": (("/settings/account", (ALICE,)),),
    "/forgot": (("/forgot", (NOBODY,)),),
    "/reset": (("/reset?code=spent", (NOBODY,)),),
    "/verify": (("/verify?code=spent", (NOBODY,)),),
}
"""Path of a route → addresses that it serves, and who looks there."""

NO_PAGES = {
    "/welcome": "there is only until the first account; a test of its own looks at it",
    "/static/{name}": "files",
    "/login/second": "there only between password and second factor; a test of its own looks at it",
    "/settings/two-factor/app": "there only while an app is set up; a test of its own looks at it",
    "/favicon.ico": "a picture",
    "/robots.txt": "for machines",
}
"""Routes that answer with no page, or not here, and why."""

LOST = ("/nowhere", EVERYONE)
"""An address that nobody made."""


def missing() -> set[str]:
    """Routes that a browser can open and that nothing above knows."""
    return {page.path for page in PAGES if page.method == "GET"} - set(PLACES) - set(NO_PAGES)


def stale() -> set[str]:
    """Rows above that no route has any more."""
    return (set(PLACES) | set(NO_PAGES)) - {page.path for page in PAGES}


class Look(NamedTuple):
    """One visitor at one address."""

    who: str
    address: str


def looks(who: str) -> Iterator[Look]:
    """Everything that this visitor looks at."""
    for address, visitors in (*(one for rows in PLACES.values() for one in rows), LOST):
        if who in visitors:
            yield Look(who, address)
