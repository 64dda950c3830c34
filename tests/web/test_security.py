"""What protects people: headers, the same-origin rule, hidden repositories, bounded forms, nothing shown as HTML."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from havre.oci.names import RepositoryName
from havre.web.security import local_target
from havre.web.visit import FORM_LIMIT
from tests.support.inprocess import HOST, InProcess
from tests.web.conftest import Visitor

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("path", ["/", "/login", "/nowhere", "/repositories", "/static/nothing.css", "/favicon.ico"])
async def test_every_answer_is_protected(visitor: Visitor, path: str) -> None:
    headers = (await visitor.get(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


async def test_pages_hold_no_inline_script_or_style(stocked: InProcess, alice: Visitor) -> None:
    for path in ("/", "/r/alice/app", "/repository/docker/alice/app?tab=settings", "/settings/tokens"):
        html = (await alice.get(path)).text
        assert " style=" not in html
        assert "<style" not in html
        assert " onclick=" not in html
        assert html.count("<script") == html.count('<script type="module" src="/static/')


async def test_personal_pages_are_not_kept(alice: Visitor, visitor: Visitor) -> None:
    assert (await alice.get("/")).headers["cache-control"] == "no-store"
    assert (await visitor.get("/")).headers["cache-control"] == "no-cache"
    assert (await visitor.get("/")).headers["vary"] == "Cookie, Accept-Language, Accept-Encoding"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": f"http://{HOST}.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
async def test_forms_from_elsewhere_change_nothing(alice: Visitor, site: InProcess, headers: dict[str, str]) -> None:
    before = site.snapshot()
    fields = {"language": "fr", "visibility": "private"}
    assert (await alice.post("/settings/profile", fields, **headers)).status_code == 403
    assert site.snapshot() == before


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "", "Referer": f"http://{HOST}/settings/profile"}, {"Origin": "null", "Sec-Fetch-Site": "same-origin"}],
    ids=str,
)
async def test_forms_of_our_own_pass(alice: Visitor, headers: dict[str, str]) -> None:
    fields = {"language": "fr", "visibility": "private"}
    assert (await alice.post("/settings/profile", fields, **headers)).status_code == 303


async def test_forms_pass_by_the_address_that_a_proxy_serves(open_site: Callable[..., InProcess]) -> None:
    async with open_site(external_url="https://hub.example.com") as site:
        visitor = Visitor(site.app)
        fields = {"name": "alice", "password": "correct horse 9"}
        assert (await visitor.post("/login", fields, Origin="https://hub.example.com")).status_code == 303


async def test_a_private_repository_looks_like_none_at_all(stocked: InProcess) -> None:
    bobby = await Visitor(stocked.app).become(stocked, "bobby")
    for tail in ("", "/tags", "/tags/latest"):
        hidden = await bobby.get(f"/r/alice/secret{tail}")
        absent = await bobby.get(f"/r/alice/absent{tail}")
        assert hidden.status_code == absent.status_code == 404
        assert hidden.text.replace("secret", "absent") == absent.text
    for path in ("/", "/search", "/search?q=secret", "/u/alice"):
        assert "alice/secret" not in (await bobby.get(path)).text
        assert ">secret<" not in (await bobby.get(path)).text


@pytest.mark.parametrize(
    "path", ["/r/Alice/App", "/r/alice/app/tags/.x", "/r/alice//app", "/u/a%00b", "/r/alice/app/tags/sha256:1"]
)
async def test_what_is_no_name_is_not_found(stocked: InProcess, path: str) -> None:
    assert (await Visitor(stocked.app).get(path)).status_code == 404


async def test_nothing_that_people_write_becomes_html(stocked: InProcess, alice: Visitor) -> None:
    evil = "<script>alert(1)</script>"
    await stocked.app.repositories.describe(
        RepositoryName.parse("alice/app"),
        description=evil,
        readme=f"{evil}\n\n[x](javascript:alert(1)) ![y](https://evil.example/p.png) <img src=x onerror=alert(1)>",
    )
    for path in ("/r/alice/app", "/", f"/search?q={evil}", "/repository/docker/alice/app?tab=settings", "/u/alice"):
        html = (await alice.get(path)).text
        assert evil not in html
        # Pictures come from our own origin, and nothing of theirs but the address is kept.
        assert html.count("<img") == html.count('<img src="/pictures/')
        assert "onerror" not in html.replace("onerror=alert(1)&gt;", "")
        assert "javascript:" not in html.replace("(javascript:", "")


async def test_a_form_too_large_is_refused(alice: Visitor) -> None:
    reply = await alice.post("/settings/profile", {"language": "x" * FORM_LIMIT})
    assert reply.status_code == 413
    assert "more than" in reply.text


async def test_what_is_no_form_is_refused(alice: Visitor) -> None:
    reply = await alice.http.post("/settings/profile", content=b"\xff\xfe", headers={"Origin": alice.origin})
    assert reply.status_code == 400
    many = "&".join(f"a{number}=1" for number in range(100)).encode()
    reply = await alice.http.post("/settings/profile", content=many, headers={"Origin": alice.origin})
    assert reply.status_code == 400


async def test_the_cookie_is_for_this_host_and_no_script(site: InProcess) -> None:
    for scheme, name in (("http", "havre_session"), ("https", "__Host-havre_session")):
        reply = await Visitor(site.app, scheme=scheme).post("/login", {"name": "alice", "password": "correct horse 9"})
        cookie = reply.headers["set-cookie"].lower()
        assert cookie.startswith(f"{name.lower()}=")
        assert {"httponly", "samesite=lax", "path=/"} <= {part.strip() for part in cookie.split(";")}
        assert ("; secure" in cookie) is (scheme == "https")
        assert "domain=" not in cookie


@pytest.mark.parametrize(
    ("asked", "target"),
    [
        ("/settings/tokens", "/settings/tokens"),
        ("/search?q=a&page=2", "/search?q=a&page=2"),
        ("", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("/\tx", "/"),
        ("/\r\nSet-Cookie: a=b", "/"),
        ("javascript:alert(1)", "/"),
        ("/" + "x" * 1000, "/"),
    ],
)
def test_signing_in_leads_to_places_of_ours_only(asked: str, target: str) -> None:
    assert local_target(asked) == target


async def test_an_odd_host_header_does_not_reach_the_page(visitor: Visitor) -> None:
    assert "evil" not in (await visitor.get("/", Host='evil"><script>')).text


async def test_pages_are_compressed_for_those_who_came_themselves(stocked: InProcess, alice: Visitor) -> None:
    async def coding(visitor: Visitor, **headers: str) -> str:
        return (await visitor.get("/r/alice/app", **headers)).headers.get("content-encoding", "")

    nobody = Visitor(stocked.app)
    assert await coding(nobody) == "gzip"
    assert await coding(nobody, **{"Sec-Fetch-Site": "cross-site"}) == "gzip"
    assert await coding(nobody, **{"Accept-Encoding": "br"}) == ""
    assert await coding(alice, **{"Sec-Fetch-Site": "none"}) == "gzip"
    assert await coding(alice, **{"Sec-Fetch-Site": "same-origin"}) == "gzip"
    assert await coding(alice, **{"Sec-Fetch-Site": "cross-site"}) == ""
    assert await coding(alice) == ""


async def test_what_is_shown_once_is_never_compressed(alice: Visitor) -> None:
    token = {"label": "x", "grants": "alice/*", "actions": "push", "expires": "90"}
    reply = await alice.post("/settings/tokens", token, **{"Sec-Fetch-Site": "same-origin"})
    assert "hvr_pat_" in reply.text
    assert "content-encoding" not in reply.headers
