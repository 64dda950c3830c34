"""Where every page is: the routes of ``web/routes.PAGES``, each with addresses and who looks at them.

The harbour of ``stocked.py`` lies there. A route that this table does not know fails the tests that walk.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from playwright.sync_api import Page

from havre.web.routes import PAGES
from tests.browser.conftest import sign_in
from tests.conftest import PASSWORD

NOBODY, ALICE, CAROL, HALFWAY = "nobody", "alice", "carol", "bobby"
"""Without an account; the owner of what is looked at; an administrator; one whose second factor is still to come."""

EVERYONE = (NOBODY, ALICE, CAROL)
REPOSITORY = "/r/{namespace}/{repository:path}"
TAG = f"{REPOSITORY}/tags/{{tag}}"
MANAGE = "/repository/docker/{namespace}/{repository:path}"
SHIP = "/r/alice/lighthouse"
DOCK = "/repository/docker/alice/lighthouse"

Rows = tuple[tuple[str, tuple[str, ...]], ...]

PLACES: dict[str, Rows] = {
    "/": (("/", EVERYONE),),
    "/search": (("/search", (NOBODY,)), ("/search?q=light", (ALICE,)), ("/search?q=nothing+at+all", (NOBODY, CAROL))),
    "/signup": (("/signup", (NOBODY,)),),
    "/login": (("/login", (NOBODY,)),),
    "/login/second": (("/login/second", (HALFWAY,)),),
    "/forgot": (("/forgot", (NOBODY,)),),
    "/reset": (("/reset?code={reset}", (NOBODY,)),),
    "/verify": (("/verify?code={verify}", (NOBODY,)),),
    "/u/{name}": (("/u/alice", (NOBODY, ALICE)), ("/u/carol", (CAROL,))),
    REPOSITORY: ((SHIP, EVERYONE), ("/r/alice/logbook", (ALICE,)), ("/_/python", (NOBODY,))),
    f"{REPOSITORY}/tags": ((f"{SHIP}/tags", (NOBODY, ALICE)), (f"{SHIP}/tags?q=none", (ALICE,))),
    TAG: ((f"{SHIP}/tags/latest", (NOBODY, ALICE)), (f"{SHIP}/tags/2.0", (ALICE,))),
    f"{TAG}/manifest": ((f"{SHIP}/tags/latest/manifest", (NOBODY,)),),
    f"{TAG}/history": ((f"{SHIP}/tags/latest/history", (NOBODY, ALICE)),),
    f"{TAG}/files": (
        (f"{SHIP}/tags/latest/files", (NOBODY,)),
        (f"{SHIP}/tags/2.1/files?path=app/main.py", (NOBODY,)),
        (f"{SHIP}/tags/2.1/files?path=usr", (ALICE,)),
        (f"{SHIP}/tags/2.1/files?view=layers", (ALICE,)),
        (f"{SHIP}/tags/2.1/files?view=wasted", (ALICE,)),
        (f"{SHIP}/tags/2.1/files?q=main", (ALICE,)),
    ),
    f"{REPOSITORY}/compare": ((f"{SHIP}/compare?from=2.0&to=2.1", (NOBODY,)), (f"{SHIP}/compare", (ALICE,))),
    f"{REPOSITORY}/-/history": ((f"{SHIP}/-/history", (ALICE,)),),
    f"{REPOSITORY}/-/pulls": ((f"{SHIP}/-/pulls", (NOBODY,)),),
    MANAGE: (
        (DOCK, (ALICE,)),
        *((f"{DOCK}?tab={tab}", (ALICE,)) for tab in ("overview", "collaborators", "settings")),
    ),
    "/repositories": (("/repositories", (ALICE, CAROL)), ("/repositories?q=none", (ALICE,))),
    **{
        path: ((path, (ALICE,)),)
        for path in (
            *("/settings/profile", "/settings/password", "/settings/two-factor", "/settings/two-factor/app"),
            *("/settings/tokens", "/settings/sessions", "/settings/usage", "/settings/account"),
        )
    },
    **{
        path: ((path, (CAROL,)),)
        for path in (
            *("/admin", "/admin/users", "/admin/repositories", "/admin/plans"),
            *("/admin/jobs", "/admin/audit", "/admin/settings"),
        )
    },
    "/admin/collection": (("/admin/collection", (CAROL,)),),
    "/admin/users/{name}": (("/admin/users/alice", (CAROL,)),),
    "/admin/plans/{name}": (("/admin/plans/free", (CAROL,)),),
    "/styleguide": (("/styleguide", (NOBODY,)),),
}
"""Path of a route → addresses that it serves, and who looks there."""

NO_PAGES = {
    "/welcome": "there is only until the first account; a test of its own looks at it",
    "/search/suggest": "a piece of a page",
    f"{TAG}/files/content": "a file of an image",
    f"{TAG}/manifest.json": "a download",
    f"{REPOSITORY}/-/events": "a stream",
    "/admin/audit.jsonl": "a download",
    "/static/{name}": "files",
    "/favicon.ico": "a picture",
    "/pictures/{signature}/{address}": "a picture of a README",
    "/robots.txt": "for machines",
}
"""Routes that answer with no page, or not here, and why."""

LOST = "/nowhere"
"""An address that nobody made."""

_OFFICIAL = "/_/{repository}"


def missing() -> set[str]:
    """Routes that a browser can open and that nothing above knows. Official images have the pages of all others."""
    known = set(PLACES) | set(NO_PAGES)
    ask = {page.path: page.endpoint for page in PAGES if page.method == "GET"}
    return {path for path in ask if path not in known and ask.get(_twin(path)) != ask[path]}


def _twin(path: str) -> str:
    return path.replace(_OFFICIAL, REPOSITORY) if path.startswith(_OFFICIAL) else ""


def stale() -> set[str]:
    """Rows above that no route has any more."""
    return (set(PLACES) | set(NO_PAGES)) - {page.path for page in PAGES}


class Look(NamedTuple):
    """One address, and how it answers."""

    address: str
    status: int = 200


def looks(who: str, links: Mapping[str, str]) -> Iterator[Look]:
    """Everything that this visitor looks at."""
    for rows in PLACES.values():
        yield from (Look(address.format_map(links)) for address, visitors in rows if who in visitors)
    if who in EVERYONE:
        yield Look(LOST, 404)


def enter(page: Page, who: str) -> None:
    """Be this visitor."""
    if who in (ALICE, CAROL):
        sign_in(page, who)
    if who == HALFWAY:
        page.goto("/login")
        page.get_by_label("Name or e-mail address").fill(who)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.locator("main").get_by_role("button", name="Sign in").click()
        page.wait_for_url(re.compile("/login/second"))
