"""Inside a real image and two of them side by side, in a browser: a Debian of over 100 MB, and 200,000 files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESKTOP, PHONE
from tests.conftest import PASSWORD
from tests.support import debian_images
from tests.support.server import HavreProcess

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

BUILT = 120_000
"""Milliseconds for the first look at a large image, on a machine that others use too."""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HavreProcess]:
    """Two real images of alice/debian, and one of 200,000 files."""
    folder = tmp_path_factory.mktemp("layers")
    server = HavreProcess(tmp_path_factory.mktemp("havre"))
    server.add_user("alice", PASSWORD)
    with server:
        first, second = debian_images.debian(folder)
        assert sum(layer.path.stat().st_size for layer in first) > 100_000_000
        debian_images.publish(server, "alice/debian", "12.1", first, {"PATH": "/usr/bin", "OLD": "1"})
        debian_images.publish(server, "alice/debian", "12.2", second, {"PATH": "/usr/bin", "NEW": "1"})
        large = debian_images.large_layer(folder / "large.tar.gz")
        debian_images.publish(server, "alice/large", "latest", [large], {})
        yield server


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_from_the_image_to_a_text(
    hub: HavreProcess, open_browser: Callable[..., Page], viewport: dict[str, int]
) -> None:
    page = open_browser(hub, viewport=viewport)
    page.goto("/r/alice/debian/tags/12.1")
    page.get_by_role("link", name="Inside", exact=True).click()
    files = page.locator(".files-table")
    expect(files.get_by_role("link", name="usr/")).to_be_visible(timeout=BUILT)
    for name in ("opt/", "app/", "README.txt"):
        files.get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("group", name="Content of README.txt")).to_have_text("Ça marche: <b>text</b>, not markup\n")
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    with page.expect_download() as caught:
        page.get_by_role("link", name="Download").click()
    assert Path(caught.value.path()).read_text("utf-8") == "Ça marche: <b>text</b>, not markup\n"
    page.get_by_role("link", name="layer 3").click()
    expect(page.get_by_role("heading", name="What layer 3 did")).to_be_visible()
    page.get_by_role("searchbox", name="Search by file name").fill("module_14?.py")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("10 found")
    page.get_by_role("link", name="Wasted space").click()
    expect(page.locator("main")).to_contain_text("Nothing")
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_two_images_side_by_side(
    hub: HavreProcess, open_browser: Callable[..., Page], viewport: dict[str, int]
) -> None:
    page = open_browser(hub, viewport=viewport)
    page.goto("/r/alice/debian/tags")
    page.get_by_role("link", name="Compare", exact=True).click()
    page.get_by_label("From").fill("12.1")
    page.get_by_label("To", exact=True).fill("12.2")
    page.get_by_role("button", name="Compare").click()
    changes = page.locator(".changes-table")
    changes.get_by_role("link", name="usr/lib/python3.11/").click(timeout=BUILT)
    expect(changes.locator("tbody tr").first).to_be_visible()
    expect(page.locator("main")).to_contain_text("3 shared")
    expect(page.get_by_role("img", name="3 of 4 layers are in both images")).to_be_visible()
    expect(page.get_by_role("table", name="Configuration that differs")).to_contain_text("NEW")
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    page.get_by_role("link", name="Swap the two").click()
    expect(page.get_by_label("From")).to_have_value("12.2")


def test_two_hundred_thousand_files_with_scripts_off(hub: HavreProcess, open_browser: Callable[..., Page]) -> None:
    page = open_browser(hub, java_script_enabled=False)
    page.goto("/r/alice/large/tags/latest/files")
    expect(page.locator("main")).to_contain_text("200,000 files", timeout=BUILT)
    page.goto("/r/alice/large/tags/latest/files?path=srv/data/0042")
    expect(page.get_by_role("link", name="file-000042.txt")).to_be_visible()
    assert page.locator(".files-table tbody tr").count() == 100
