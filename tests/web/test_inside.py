"""Inside an image: folders, files, layers, waste, search, and what is refused."""

from __future__ import annotations

import pytest

from havre.oci.names import RepositoryName
from havre.registry.records import Visibility
from tests.support import documents
from tests.support.inprocess import InProcess
from tests.support.layered import push_index, push_layers
from tests.web.conftest import Reader, Visitor

pytestmark = pytest.mark.anyio

BASE = [
    ("etc", None),
    ("etc/hosts", b"localhost <b>\n"),
    ("etc/old.conf", b"o" * 3000),
    ("bin", "usr/bin"),
    ("usr/bin/sh", b"\x7fELF\x00\x01"),
    ("usr/share/caf\udce9 \u202e.txt", b"accent"),
]
TOP = [("etc/hosts", b"127.0.0.1\n"), ("etc/.wh.old.conf", b""), ("srv/long.txt", b"x" * 300_000), ("up", "../../etc")]
FILES = "/r/alice/app/tags/1.0/files"


async def opened(visitor: Visitor, path: str) -> str:
    """The page, once what it shows was built."""
    for _ in range(40):
        reply = await visitor.get(path)
        assert reply.status_code == 200, (path, reply.status_code, reply.text[:500])
        if "data-building" not in reply.text:
            return reply.text
    raise AssertionError("it is never built")


@pytest.fixture
async def pushed(site: InProcess) -> InProcess:
    await push_layers(await site.caller("alice", "alice/app"), "alice/app", "1.0", BASE, TOP)
    return site


async def test_the_first_look_builds_and_the_next_finds_it(pushed: InProcess, visitor: Visitor) -> None:
    text = await opened(visitor, FILES)
    assert {"etc/", "usr/", "srv/", "bin", "→ usr/bin"} <= set(Reader(text).texts)
    assert "6 files" in text
    jobs = await pushed.app.database.read(lambda rows: rows.jobs.counts())
    assert jobs == {"done": 3}
    await opened(visitor, FILES)
    assert await pushed.app.database.read(lambda rows: rows.jobs.counts()) == {"done": 3}


async def test_a_folder_shows_what_is_in_it_and_who_brought_it(pushed: InProcess, visitor: Visitor) -> None:
    page = Reader(await opened(visitor, f"{FILES}?path=/etc/"))
    assert {"hosts", "2", "-rw-r--r--", "2023-11-14", "10 B"} <= {text.replace("\u00a0", " ") for text in page.texts}
    assert "old.conf" not in page.texts
    assert f"{FILES}?path=etc/hosts" in page.links
    by_size = Reader(await opened(visitor, f"{FILES}?sort=size"))
    order = [text for text in by_size.texts if text in {"etc/", "usr/", "srv/", "bin", "up"}]
    assert order[0] == "srv/"


async def test_text_is_shown_as_text_and_never_as_markup(pushed: InProcess, visitor: Visitor) -> None:
    text = await opened(visitor, f"{FILES}?path=etc/hosts")
    assert "127.0.0.1" in text
    await push_layers(await pushed.caller("alice", "alice/app"), "alice/app", "2.0", BASE)
    text = await opened(visitor, "/r/alice/app/tags/2.0/files?path=etc/hosts")
    assert "localhost &lt;b&gt;" in text
    assert "<b>\n" not in text


async def test_what_is_no_text_or_too_long_says_so(pushed: InProcess, visitor: Visitor) -> None:
    binary = Reader(await opened(visitor, f"{FILES}?path=usr/bin/sh"))
    assert "It is no text." in binary.texts
    assert f"{FILES}/content?path=usr/bin/sh" in binary.links
    long = Reader(await opened(visitor, f"{FILES}?path=srv/long.txt"))
    assert "It is longer than the 256 kB that are shown here." in long.texts


async def test_links_are_followed_inside_the_image_alone(pushed: InProcess, visitor: Visitor) -> None:
    assert "It is no text." in Reader(await opened(visitor, f"{FILES}?path=bin/sh")).texts
    page = Reader(await opened(visitor, f"{FILES}?path=up"))
    assert {"link", "../../etc"} <= set(page.texts)
    assert f"{FILES}?path=etc" in page.links
    assert "hosts" in Reader(await opened(visitor, f"{FILES}?path=up/hosts")).texts


async def test_a_file_is_handed_out_as_bytes_to_keep(pushed: InProcess, visitor: Visitor) -> None:
    await opened(visitor, FILES)
    reply = await visitor.get(f"{FILES}/content?path=usr/bin/sh")
    assert reply.content == b"\x7fELF\x00\x01"
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["content-disposition"] == "attachment; filename*=UTF-8''sh"
    assert reply.headers["x-content-type-options"] == "nosniff"
    for path in ("etc", "etc/old.conf", "bin", "../../../etc/passwd", ""):
        assert (await visitor.get(f"{FILES}/content?path={path}")).status_code == 404, path


async def test_names_that_are_no_text_can_be_opened(pushed: InProcess, visitor: Visitor) -> None:
    page = Reader(await opened(visitor, f"{FILES}?path=usr/share"))
    assert "caf\\xe9 \\u202e.txt" in page.texts
    (link,) = [one for one in page.links if one.startswith(f"{FILES}?path=usr/share/caf")]
    assert "accent" in await opened(visitor, link)


async def test_a_path_that_is_not_there_is_not_found(pushed: InProcess, visitor: Visitor) -> None:
    await opened(visitor, FILES)
    for path in ("nothing", "etc/hosts/x", "../etc", "etc/old.conf", "a/" * 3000):
        assert (await visitor.get(f"{FILES}?path={path}")).status_code == 404, path
    assert (await visitor.get("/r/alice/app/tags/none/files")).status_code == 404


async def test_search_by_name(pushed: InProcess, visitor: Visitor) -> None:
    page = Reader(await opened(visitor, f"{FILES}?q=HOST"))
    assert {"1 found", "hosts", "etc/"} <= set(page.texts)
    assert "long.txt" in Reader(await opened(visitor, f"{FILES}?q=*.txt")).texts
    assert (
        "No file has “zzz” in its name. * and ? stand for any letters."
        in Reader(await opened(visitor, f"{FILES}?q=zzz")).texts
    )


async def test_what_each_layer_did(pushed: InProcess, visitor: Visitor) -> None:
    page = Reader(await opened(visitor, f"{FILES}?view=layers&layer=2"))
    assert {"2 layers", "COPY 1 /", "What layer 2 did", "srv/", "etc/"} <= set(page.texts)
    inner = Reader(await opened(visitor, f"{FILES}?view=layers&layer=2&path=etc"))
    assert {"hosts", "changed", "old.conf", "removed"} <= set(inner.texts)
    for number in ("0", "9", "x"):
        assert "What a layer did" in Reader(await opened(visitor, f"{FILES}?view=layers&layer={number}")).texts


async def test_wasted_space(pushed: InProcess, visitor: Visitor) -> None:
    page = Reader(await opened(visitor, f"{FILES}?view=wasted"))
    assert {"etc/old.conf", "etc/hosts"} <= set(page.texts)
    assert "3.01 kB" in " ".join(page.texts).replace("\u00a0", " ")


async def test_layers_that_can_not_be_read_are_told_and_left_out(site: InProcess, visitor: Visitor) -> None:
    caller = await site.caller("alice", "alice/app")
    out = [("../../etc/passwd", b"x"), ("fine", b"y")]
    await push_layers(caller, "alice/app", "1.0", BASE, b"no layer at all", out)
    texts = " ".join(Reader(await opened(visitor, FILES)).texts)
    assert "Layer 2 can not be read, and is left out: it is not a tar file." in texts
    assert "names that lead out of the image, which are left out: ../../etc/passwd" in texts
    french = Visitor(site.app, language="fr")
    assert "pas un fichier tar" in await opened(french, FILES)


async def test_what_is_no_image_has_no_files(site: InProcess, visitor: Visitor) -> None:
    caller = await site.caller("alice", "alice/app")
    await caller.push_blob("alice/app", documents.EMPTY)
    await caller.push_manifest("alice/app", "1.0", documents.artifact(artifactType="application/x"))
    assert "Nothing to look into" in await opened(visitor, FILES)
    assert (await visitor.get(f"{FILES}/content?path=x")).status_code == 404


async def test_each_platform_has_its_files(site: InProcess, visitor: Visitor) -> None:
    caller = await site.caller("alice", "alice/app")
    digests = {
        name: await push_layers(caller, "alice/app", name, [(f"only-{name}", b"x")], architecture=name)
        for name in ("amd64", "arm64")
    }
    await push_index(caller, "alice/app", "1.0", **digests)
    assert "only-amd64" in Reader(await opened(visitor, FILES)).texts
    page = Reader(await opened(visitor, f"{FILES}?platform=linux/arm64"))
    assert "only-arm64" in page.texts
    assert f"{FILES}?platform=linux%2Farm64&path=only-arm64" in page.links


async def test_a_large_folder_is_shown_in_parts(site: InProcess, visitor: Visitor) -> None:
    members = [(f"f/{number:04}", b"x") for number in range(700)]
    await push_layers(await site.caller("alice", "alice/app"), "alice/app", "1.0", members)
    path, seen = f"{FILES}?path=f", []
    while path:
        page = Reader(await opened(visitor, path))
        seen += [text for text in page.texts if len(text) == 4 and text.isdigit()]
        path = next((one for one in page.links if "after=" in one and "lang=" not in one), "")
    assert seen == [f"{number:04}" for number in range(700)]


async def test_nobody_sees_inside_a_private_repository_even_by_a_layer_they_know(site: InProcess) -> None:
    alice, bobby = await site.caller("alice", "alice/app"), await site.caller("bobby", "bobby/app")
    await push_layers(alice, "alice/app", "1.0", BASE)
    await push_layers(bobby, "bobby/app", "1.0", BASE)
    visitor = Visitor(site.app)
    await opened(visitor, FILES)
    before = await site.app.database.read(lambda rows: rows.jobs.counts())
    await opened(visitor, "/r/bobby/app/tags/1.0/files")
    assert await site.app.database.read(lambda rows: rows.jobs.counts()) == before, "the layer was read once"
    await site.app.repositories.set_visibility(RepositoryName.parse("alice/app"), Visibility.PRIVATE)
    assert (await visitor.get(FILES)).status_code == 404
    assert (await visitor.get(f"{FILES}/content?path=etc/hosts")).status_code == 404
    assert (await visitor.get("/r/alice/app/compare?from=1.0&to=1.0")).status_code == 404
