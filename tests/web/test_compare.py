"""Two images side by side."""

from __future__ import annotations

import pytest

from tests.support.inprocess import InProcess
from tests.support.layered import push_layers
from tests.web.conftest import Reader, Visitor
from tests.web.test_inside import opened

pytestmark = pytest.mark.anyio

BASE = [("etc/hosts", b"localhost\n"), ("usr/lib/python/a.py", b"a" * 100), ("usr/lib/python/b.py", b"b" * 50)]
UPGRADE = [("usr/lib/python/a.py", b"A" * 400), ("usr/lib/python/.wh.b.py", b""), ("usr/lib/python/c.py", b"c")]
COMPARE = "/r/alice/app/compare"


@pytest.fixture
async def pushed(site: InProcess) -> InProcess:
    caller = await site.caller("alice", "alice/app")
    old = {"Env": ["PATH=/bin", "GONE=1"], "Cmd": ["a"], "Labels": {"version": "1"}, "ExposedPorts": {"80/tcp": {}}}
    new = {"Env": ["PATH=/bin", "NEW=<i>"], "Cmd": ["b"], "Labels": {"version": "2"}, "ExposedPorts": {"81/tcp": {}}}
    await push_layers(caller, "alice/app", "1.0", BASE, **old)
    await push_layers(caller, "alice/app", "2.0", BASE, UPGRADE, **new)
    return site


async def test_layers_configuration_and_files(pushed: InProcess, visitor: Visitor) -> None:
    text = await opened(visitor, f"{COMPARE}?from=1.0&to=2.0")
    page = Reader(text)
    assert {"in both", "only in the second", "GONE", "NEW", "<i>", "Command", "81/tcp", "version"} <= set(page.texts)
    assert "PATH" not in page.texts, "it is the same in both"
    assert "1 of 2 layers are in both images" in page.texts
    assert {"+1", "~1", "\N{MINUS SIGN}1", "usr/lib/python/"} <= set(page.texts)
    assert f"{COMPARE}?from=1.0&to=2.0&path=usr/lib/python#changes" in page.links
    assert f"{COMPARE}?from=2.0&to=1.0" in page.links


async def test_down_to_single_files(pushed: InProcess, visitor: Visitor) -> None:
    page = Reader(await opened(visitor, f"{COMPARE}?from=1.0&to=2.0&path=usr/lib/python"))
    assert {"a.py", "changed", "b.py", "removed", "c.py", "added"} <= set(page.texts)
    assert "/r/alice/app/tags/2.0/files?path=usr/lib/python/a.py" in page.links
    nothing = Reader(await opened(visitor, f"{COMPARE}?from=1.0&to=2.0&path=etc"))
    assert "Nothing changed here." in nothing.texts


async def test_a_file_that_moved(site: InProcess, visitor: Visitor) -> None:
    alice = await site.caller("alice", "alice/app")
    await push_layers(alice, "alice/app", "1.0", [("été/light.conf", b"on\n" * 20), ("same", b"same")])
    await push_layers(alice, "alice/app", "2.0", [("etc/light.conf", b"on\n" * 20), ("same", b"same")])
    page = Reader(await opened(visitor, f"{COMPARE}?from=1.0&to=2.0&path=etc"))
    assert {"moved from", "été/light.conf"} <= set(page.texts)
    page = Reader(await opened(visitor, f"{COMPARE}?from=1.0&to=2.0&path=%C3%A9t%C3%A9"))
    assert {"moved to", "etc/light.conf"} <= set(page.texts)


async def test_an_image_with_itself(pushed: InProcess, visitor: Visitor) -> None:
    page = Reader(await opened(visitor, f"{COMPARE}?from=1.0&to=1.0"))
    assert {"Both are the very same image: the digests are equal.", "Nothing changed here."} <= set(page.texts)
    assert page.texts.count("The same in both.") == 2


async def test_nothing_chosen_offers_what_is_worth_a_look(pushed: InProcess, visitor: Visitor) -> None:
    page = Reader(await opened(visitor, COMPARE))
    assert {"Compare two images", "1.0 and 2.0"} <= set(page.texts)
    assert f"{COMPARE}?from=1.0&to=2.0" in page.links
    await push_layers(await pushed.caller("alice", "alice/app"), "alice/app", "2.0", BASE)
    assert "What the last push of 2.0 changed" in Reader(await opened(visitor, COMPARE)).texts


async def test_a_name_that_is_not_here(pushed: InProcess, visitor: Visitor) -> None:
    for name in ("3.0", "sha256:" + "0" * 64, "not a tag!", "sha256:x"):
        reply = await visitor.get(f"{COMPARE}?from=1.0&to={name}")
        assert reply.status_code == 404
        assert f"This repository has no tag or digest “{name}”." in Reader(reply.text).texts


async def test_thousands_of_changes_come_in_parts(site: InProcess, visitor: Visitor) -> None:
    caller = await site.caller("alice", "alice/app")
    await push_layers(caller, "alice/app", "1.0", [(f"f/{number:04}", b"x") for number in range(1200)])
    await push_layers(caller, "alice/app", "2.0", [(f"f/{number:04}", b"yy") for number in range(400, 1600)])
    path, seen = f"{COMPARE}?from=1.0&to=2.0&path=f", []
    while path:
        page = Reader(await opened(visitor, path))
        seen += [text for text in page.texts if len(text) == 4 and text.isdigit()]
        path = next((one for one in page.links if "after=" in one and "lang=" not in one), "")
    assert seen == [f"{number:04}" for number in range(1600)]


async def test_layers_that_can_not_be_read_leave_the_rest(site: InProcess, visitor: Visitor) -> None:
    caller = await site.caller("alice", "alice/app")
    await push_layers(caller, "alice/app", "1.0", b"nothing", Cmd="x")
    await push_layers(caller, "alice/app", "2.0", BASE, Cmd=7, Env={"a": 1}, Labels=["x"])
    page = Reader(await opened(visitor, f"{COMPARE}?from=1.0&to=2.0"))
    assert {"etc/", "Command"} <= set(page.texts)
