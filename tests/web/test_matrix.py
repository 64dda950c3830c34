"""Every page asked by every kind of visitor: the status each gets, and a failure for a page that no row knows."""

from __future__ import annotations

import pytest

from havre.web.routes import PAGES, Demand
from tests.support.inprocess import InProcess
from tests.web.conftest import Visitor

pytestmark = pytest.mark.anyio

VISITORS = ("nobody", "alice", "bobby", "carol")

ADDRESSES = {
    "/u/{name}": ("/u/alice",),
    "/r/{namespace}/{repository:path}": ("/r/alice/app", "/r/alice/secret"),
    "/r/{namespace}/{repository:path}/tags": ("/r/alice/app/tags", "/r/alice/secret/tags"),
    "/r/{namespace}/{repository:path}/tags/{tag}": ("/r/alice/app/tags/latest", "/r/alice/secret/tags/latest"),
    "/r/{namespace}/{repository:path}/star": ("/r/alice/app/star", "/r/alice/secret/star"),
    "/_/{repository}/star": ("/_/python/star",),
    **{
        f"/r/{{namespace}}/{{repository:path}}{rest}": tuple(f"/r/alice/{name}{rest}" for name in ("app", "secret"))
        for rest in ("/-/history", "/-/pulls", "/-/events")
    },
    **{
        f"/r/{{namespace}}/{{repository:path}}/tags/{{tag}}{rest}": tuple(
            f"/r/alice/{name}/tags/latest{rest}" for name in ("app", "secret")
        )
        for rest in ("/history", "/manifest", "/manifest.json")
    },
    **{f"/_/{{repository}}{rest}": (f"/_/python{rest}",) for rest in ("/-/history", "/-/pulls", "/-/events")},
    **{
        f"/_/{{repository}}/tags/{{tag}}{rest}": (f"/_/python/tags/latest{rest}",)
        for rest in ("/history", "/manifest", "/manifest.json")
    },
    "/r/{namespace}/{repository:path}/tags/{tag}/files": (
        "/r/alice/app/tags/latest/files",
        "/r/alice/secret/tags/latest/files",
    ),
    "/r/{namespace}/{repository:path}/tags/{tag}/files/content": ("/r/alice/secret/tags/latest/files/content?path=x",),
    "/r/{namespace}/{repository:path}/compare": ("/r/alice/app/compare", "/r/alice/secret/compare?from=1.0&to=latest"),
    "/_/{repository}/tags/{tag}/files": ("/_/python/tags/latest/files",),
    "/_/{repository}/tags/{tag}/files/content": ("/_/python/tags/latest/files/content?path=x",),
    "/_/{repository}/compare": ("/_/python/compare",),
    "/_/{repository}": ("/_/python",),
    "/_/{repository}/tags": ("/_/python/tags",),
    "/_/{repository}/tags/{tag}": ("/_/python/tags/latest",),
    "/repository/docker/{namespace}/{repository:path}": (
        "/repository/docker/alice/app",
        "/repository/docker/alice/secret",
        "/repository/docker/library/python",
    ),
    "/repositories/offers/{id}/accept": ("/repositories/offers/999/accept",),
    "/repositories/offers/{id}/decline": ("/repositories/offers/999/decline",),
    "/repositories/deleted/{id}/restore": ("/repositories/deleted/999/restore",),
    "/repositories/deleted/{id}/purge": ("/repositories/deleted/999/purge",),
    "/pictures/{signature}/{address}": ("/pictures/nobody/signed-this",),
    "/settings/tokens/{uid}/revoke": ("/settings/tokens/2b5d2f0e-0000-4000-8000-000000000000/revoke",),
    "/settings/sessions/{session}/revoke": ("/settings/sessions/999/revoke",),
    "/admin/users/{name}": ("/admin/users/alice",),
    "/admin/plans/{name}": ("/admin/plans/free",),
    "/static/{name}": ("/static/nothing.css",),
}
"""What to ask for where a path has parts to fill in."""

EVERYONE = dict.fromkeys(VISITORS, 200)
OWNER_AND_ADMIN = {"nobody": 404, "alice": 200, "bobby": 404, "carol": 200}
SIGNED_IN = {"nobody": 303, "alice": 200, "bobby": 200, "carol": 200}
NOT_THERE = {"nobody": 303, "alice": 404, "bobby": 404, "carol": 404}
NOT_A_FORM = {"nobody": 303, "alice": 400, "bobby": 400, "carol": 400}

ADMINISTRATOR = {"nobody": 404, "alice": 404, "bobby": 404, "carol": 200}

LOOKED_AT = ("/-/history", "/-/pulls", *(f"/tags/latest/{one}" for one in ("history", "manifest", "manifest.json")))
"""Further pages of a repository that whoever may pull it sees."""

EXPECTED: dict[tuple[str, str], dict[str, int]] = {
    ("GET", "/"): EVERYONE,
    ("GET", "/search"): EVERYONE,
    ("GET", "/search/suggest"): EVERYONE,
    ("GET", "/welcome"): dict.fromkeys(VISITORS, 303),
    ("POST", "/welcome"): dict.fromkeys(VISITORS, 303),
    ("GET", "/signup"): {"nobody": 200, "alice": 303, "bobby": 303, "carol": 303},
    ("POST", "/signup"): dict.fromkeys(VISITORS, 400),
    ("GET", "/login"): {"nobody": 200, "alice": 303, "bobby": 303, "carol": 303},
    ("POST", "/login"): dict.fromkeys(VISITORS, 401),
    ("GET", "/login/second"): dict.fromkeys(VISITORS, 303),
    ("POST", "/login/second"): dict.fromkeys(VISITORS, 303),
    ("GET", "/forgot"): EVERYONE,
    ("POST", "/forgot"): dict.fromkeys(VISITORS, 400),
    ("GET", "/reset"): dict.fromkeys(VISITORS, 400),
    ("POST", "/reset"): dict.fromkeys(VISITORS, 400),
    ("GET", "/verify"): dict.fromkeys(VISITORS, 400),
    ("POST", "/verify"): dict.fromkeys(VISITORS, 400),
    ("GET", "/u/alice"): EVERYONE,
    ("GET", "/r/alice/app"): EVERYONE,
    ("GET", "/r/alice/app/tags"): EVERYONE,
    ("GET", "/r/alice/app/tags/latest"): EVERYONE,
    ("GET", "/r/alice/secret"): OWNER_AND_ADMIN,
    ("GET", "/r/alice/secret/tags"): OWNER_AND_ADMIN,
    ("GET", "/r/alice/secret/tags/latest"): OWNER_AND_ADMIN,
    ("POST", "/r/alice/app/star"): dict.fromkeys(VISITORS, 303),
    ("POST", "/r/alice/secret/star"): {"nobody": 404, "alice": 303, "bobby": 404, "carol": 303},
    ("POST", "/_/python/star"): dict.fromkeys(VISITORS, 303),
    **{("GET", f"/r/alice/app{rest}"): EVERYONE for rest in LOOKED_AT},
    **{("GET", f"/r/alice/secret{rest}"): OWNER_AND_ADMIN for rest in LOOKED_AT},
    **{("GET", f"/_/python{rest}"): EVERYONE for rest in LOOKED_AT},
    ("GET", "/r/alice/app/-/events"): {"nobody": 303, "alice": 200, "bobby": 303, "carol": 200},
    ("GET", "/r/alice/secret/-/events"): OWNER_AND_ADMIN,
    ("GET", "/_/python/-/events"): {"nobody": 303, "alice": 303, "bobby": 303, "carol": 200},
    # No tag is chosen; no digest is named.
    ("POST", "/r/alice/app/tags"): {"nobody": 303, "alice": 400, "bobby": 303, "carol": 400},
    ("POST", "/r/alice/secret/tags"): {"nobody": 404, "alice": 400, "bobby": 404, "carol": 400},
    ("POST", "/_/python/tags"): {"nobody": 303, "alice": 303, "bobby": 303, "carol": 400},
    ("POST", "/r/alice/app/tags/latest/history"): {"nobody": 303, "alice": 404, "bobby": 303, "carol": 404},
    ("POST", "/r/alice/secret/tags/latest/history"): {"nobody": 404, "alice": 404, "bobby": 404, "carol": 404},
    ("POST", "/_/python/tags/latest/history"): {"nobody": 303, "alice": 303, "bobby": 303, "carol": 404},
    ("GET", "/r/alice/app/tags/latest/files"): EVERYONE,
    ("GET", "/r/alice/secret/tags/latest/files"): OWNER_AND_ADMIN,
    ("GET", "/r/alice/secret/tags/latest/files/content?path=x"): dict.fromkeys(VISITORS, 404),
    ("GET", "/r/alice/app/compare"): EVERYONE,
    ("GET", "/r/alice/secret/compare?from=1.0&to=latest"): OWNER_AND_ADMIN,
    ("GET", "/_/python/tags/latest/files"): EVERYONE,
    ("GET", "/_/python/tags/latest/files/content?path=x"): dict.fromkeys(VISITORS, 404),
    ("GET", "/_/python/compare"): EVERYONE,
    ("GET", "/_/python"): EVERYONE,
    ("GET", "/_/python/tags"): EVERYONE,
    ("GET", "/_/python/tags/latest"): EVERYONE,
    ("GET", "/repository/docker/alice/app"): {"nobody": 303, "alice": 200, "bobby": 303, "carol": 200},
    ("GET", "/repository/docker/alice/secret"): OWNER_AND_ADMIN,
    ("GET", "/repository/docker/library/python"): {"nobody": 303, "alice": 303, "bobby": 303, "carol": 200},
    ("POST", "/repository/docker/alice/app"): {"nobody": 303, "alice": 400, "bobby": 303, "carol": 400},
    ("POST", "/repository/docker/alice/secret"): {"nobody": 404, "alice": 400, "bobby": 404, "carol": 400},
    ("POST", "/repository/docker/library/python"): {"nobody": 303, "alice": 303, "bobby": 303, "carol": 400},
    ("GET", "/repositories"): SIGNED_IN,
    ("POST", "/repositories/preview"): SIGNED_IN,
    ("POST", "/repositories/offers/999/accept"): NOT_THERE,
    ("POST", "/repositories/offers/999/decline"): NOT_THERE,
    ("POST", "/repositories/deleted/999/restore"): NOT_THERE,
    ("POST", "/repositories/deleted/999/purge"): NOT_THERE,
    ("POST", "/repositories/leave"): NOT_A_FORM,
    ("POST", "/repositories/free"): NOT_A_FORM,
    ("GET", "/pictures/nobody/signed-this"): dict.fromkeys(VISITORS, 404),
    ("GET", "/settings/profile"): SIGNED_IN,
    ("POST", "/settings/profile"): NOT_A_FORM,
    ("GET", "/settings/password"): SIGNED_IN,
    ("POST", "/settings/password"): NOT_A_FORM,
    ("GET", "/settings/tokens"): SIGNED_IN,
    ("POST", "/settings/tokens"): NOT_A_FORM,
    ("POST", "/settings/tokens/2b5d2f0e-0000-4000-8000-000000000000/revoke"): NOT_A_FORM,
    ("GET", "/settings/sessions"): SIGNED_IN,
    ("POST", "/settings/sessions/999/revoke"): NOT_A_FORM,
    ("POST", "/settings/sessions"): dict.fromkeys(VISITORS, 303),
    ("GET", "/settings/two-factor"): SIGNED_IN,
    ("POST", "/settings/two-factor"): NOT_A_FORM,
    ("GET", "/settings/two-factor/app"): dict.fromkeys(VISITORS, 303),
    ("POST", "/settings/two-factor/app"): dict.fromkeys(VISITORS, 303),
    ("GET", "/settings/account"): SIGNED_IN,
    ("POST", "/settings/account"): NOT_A_FORM,
    ("GET", "/settings/usage"): SIGNED_IN,
    ("GET", "/admin"): ADMINISTRATOR,
    ("POST", "/admin/count"): {**ADMINISTRATOR, "carol": 303},
    ("GET", "/admin/users"): ADMINISTRATOR,
    ("GET", "/admin/users/alice"): ADMINISTRATOR,
    ("POST", "/admin/users/alice"): {**ADMINISTRATOR, "carol": 400},
    ("GET", "/admin/repositories"): ADMINISTRATOR,
    ("GET", "/admin/plans"): ADMINISTRATOR,
    ("POST", "/admin/plans"): {**ADMINISTRATOR, "carol": 400},
    ("GET", "/admin/plans/free"): ADMINISTRATOR,
    ("POST", "/admin/plans/free"): {**ADMINISTRATOR, "carol": 400},
    ("GET", "/admin/jobs"): ADMINISTRATOR,
    ("POST", "/admin/jobs"): dict.fromkeys(VISITORS, 404),
    ("GET", "/admin/collection"): ADMINISTRATOR,
    ("POST", "/admin/collection"): {**ADMINISTRATOR, "carol": 400},
    ("GET", "/admin/audit"): ADMINISTRATOR,
    ("GET", "/admin/audit.jsonl"): ADMINISTRATOR,
    ("GET", "/admin/settings"): ADMINISTRATOR,
    ("GET", "/styleguide"): EVERYONE,
    ("GET", "/static/nothing.css"): dict.fromkeys(VISITORS, 404),
    ("GET", "/favicon.ico"): EVERYONE,
    ("GET", "/robots.txt"): EVERYONE,
    # Last, for it ends the visit.
    ("POST", "/logout"): dict.fromkeys(VISITORS, 303),
}

ASKED = {(page.method, address) for page in PAGES for address in ADDRESSES.get(page.path, (page.path,))}


def test_the_matrix_knows_every_page() -> None:
    assert set(EXPECTED) == ASKED


@pytest.mark.parametrize("name", VISITORS)
async def test_status_for(stocked: InProcess, name: str) -> None:
    visitor = Visitor(stocked.app)
    if name != "nobody":
        await visitor.become(stocked, name)
    found = {}
    for method, address in EXPECTED:
        # A stream goes on for as long as someone reads it: its head says enough.
        asked = visitor.http.head if address.endswith("/-/events") else visitor.get
        reply = await (asked(address) if method == "GET" else visitor.post(address))
        found[method, address] = reply.status_code
    assert found == {asked: statuses[name] for asked, statuses in EXPECTED.items()}


async def test_who_is_not_signed_in_comes_back_after_signing_in(visitor: Visitor) -> None:
    pages = [page for page in PAGES if page.action is Demand.SIGNED_IN and page.method == "GET"]
    assert pages
    for page in pages:
        assert (await visitor.get(page.path)).headers["location"] == f"/login?next={page.path}"


async def test_other_methods_are_refused_with_a_page(visitor: Visitor) -> None:
    reply = await visitor.http.request("DELETE", "/login", headers={"Origin": visitor.origin})
    assert (reply.status_code, reply.headers["content-type"]) == (405, "text/html; charset=utf-8")


async def test_head_answers_like_get_without_a_body(visitor: Visitor) -> None:
    reply = await visitor.http.head("/login")
    assert (reply.status_code, reply.content) == (200, b"")
    assert reply.headers["content-length"] == (await visitor.get("/login")).headers["content-length"]
