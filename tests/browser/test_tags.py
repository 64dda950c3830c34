"""Tags in a browser: several deleted after a look at what goes, one brought back, and a push seen as it happens."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, sign_in
from tests.browser.pushing import push
from tests.conftest import PASSWORD
from tests.support import documents
from tests.support.server import HavreProcess

pytestmark = pytest.mark.browser


@contextmanager
def client_of(havre: HavreProcess, name: str, repository: str) -> Iterator[httpx.Client]:
    """Someone who pushes, request by request."""
    with httpx.Client(base_url=havre.url, trust_env=False, timeout=30) as client:
        scope = urlencode({"service": havre.host, "scope": f"repository:{repository}:pull,push"})
        reply = client.get(f"/auth/token?{scope}", auth=(name, PASSWORD)).raise_for_status()
        client.headers["Authorization"] = f"Bearer {reply.json()['token']}"
        yield client


def second_image(client: httpx.Client, repository: str, tag: str) -> None:
    """Another image under a tag."""
    config = json.dumps({"os": "linux", "architecture": "arm64"}).encode()
    for blob in (config, b"another layer"):
        headers = {"Content-Type": "application/octet-stream"}
        address = f"/v2/{repository}/blobs/uploads/?digest={documents.digest_of(blob)}"
        client.post(address, content=blob, headers=headers).raise_for_status()
    manifest = documents.manifest(
        documents.descriptor(config, documents.OCI_CONFIG),
        [documents.descriptor(b"another layer", documents.OCI_LAYER)],
    )
    headers = {"Content-Type": documents.OCI_MANIFEST}
    client.put(f"/v2/{repository}/manifests/{tag}", content=manifest, headers=headers).raise_for_status()


@pytest.mark.parametrize("viewport", [None, PHONE], ids=["desktop", "phone"])
def test_several_tags_are_deleted_after_a_look(
    havre: HavreProcess, open_browser: Callable[..., Page], viewport: dict[str, int] | None
) -> None:
    repository = f"alice/sweep{'-phone' if viewport else ''}"
    push(havre, "alice", repository, "1.0", "1.1", "1.2")
    page = open_browser(havre, **({"viewport": viewport} if viewport else {}))
    sign_in(page, "alice")
    page.goto(f"/r/{repository}/tags")
    button = page.get_by_role("button", name="Delete the chosen tags…")
    expect(button).to_be_disabled()
    page.get_by_label("Choose 1.0").check()
    page.get_by_label("Choose 1.1").check()
    button.click()
    expect(page.get_by_role("heading", name="Delete 2 tags?")).to_be_visible()
    expect(page.locator("main")).to_contain_text("Other tags lead to the same images")
    page.get_by_role("link", name="Keep them").click()
    if viewport:
        for tag in ("1.0", "1.1", "1.2"):
            page.get_by_label(f"Choose {tag}").check()
    else:
        page.get_by_label("Choose all tags of this page").check()
    button.click()
    expect(page.locator("main")).to_contain_text("1 image is left without any tag.")
    expect(page.locator("main")).to_contain_text("are freed")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="Delete 3 tags").click()
    expect(page.locator("main").get_by_role("status").first).to_have_text("3 tags were deleted.")
    expect(page.get_by_role("heading", name="No tags")).to_be_visible()


def test_a_tag_goes_back_where_it_was(havre: HavreProcess, open_browser: Callable[..., Page]) -> None:
    first = push(havre, "alice", "alice/back", "latest")
    with client_of(havre, "alice", "alice/back") as client:
        second_image(client, "alice/back", "latest")
    page = open_browser(havre)
    sign_in(page, "alice")
    page.goto("/r/alice/back/tags/latest")
    page.get_by_role("navigation", name="Views of the image").get_by_role("link", name="History").click()
    row = page.get_by_role("row").filter(has_text="made")
    row.get_by_role("button").and_(row.get_by_text("Restore")).click()
    expect(page.locator("main").get_by_role("status").first).to_have_text("The tag leads there again.")
    expect(page.get_by_role("row").nth(1)).to_contain_text(first[7:19])
    page.get_by_role("link", name="Manifest").click()
    expect(page.locator("main pre")).to_contain_text("schemaVersion")


def test_a_push_is_seen_as_it_happens(havre: HavreProcess, open_browser: Callable[..., Page]) -> None:
    push(havre, "alice", "alice/alive", "1.0")
    page = open_browser(havre)
    sign_in(page, "alice")
    with page.expect_response("**/-/events") as stream:
        page.goto("/repository/docker/alice/alive")
    assert stream.value.headers["content-type"].startswith("text/event-stream")
    loaded = page.evaluate("performance.timeOrigin")
    with client_of(havre, "alice", "alice/alive") as client:
        begun = client.post("/v2/alice/alive/blobs/uploads/").raise_for_status()
        flight = page.get_by_role("region", name="A push is under way")
        expect(flight).to_be_visible()
        client.patch(begun.headers["location"], content=b"x" * 2_340_000).raise_for_status()
        expect(flight).to_contain_text("2.34 MB")
        client.delete(begun.headers["location"])
        expect(flight).to_be_hidden()
        second_image(client, "alice/alive", "2.0-beta")
    expect(page.get_by_role("link", name="2.0-beta")).to_be_visible()
    expect(page.locator("#live-said")).to_have_text("2.0-beta has arrived.")
    row = page.get_by_role("listitem").filter(has=page.get_by_role("link", name="2.0-beta"))
    expect(row.get_by_role("button", name="Copy docker pull for 2.0-beta")).to_be_visible()
    assert page.evaluate("performance.timeOrigin") == loaded, "the page was not loaded again"
