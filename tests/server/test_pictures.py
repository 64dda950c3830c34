"""Pictures in overviews: fetched by the server, shown from its own address, only when signed and only when a picture."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from havre.server.pictures import MAX_PICTURE, Addresses, media_type
from havre.storage.pictures import PictureFiles
from tests.support.fixtures import people
from tests.support.inprocess import Caller, InProcess
from tests.support.scripted import Reply, Request, Scripted

__all__ = ["people"]

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100
KINDS = {
    "/a.png": PNG,
    "/a.jpg": b"\xff\xd8\xff\xe0" + b"0" * 50,
    "/a.gif": b"GIF89a" + b"0" * 50,
    "/a.webp": b"RIFF\0\0\0\0WEBP" + b"0" * 50,
    "/a.avif": b"\0\0\0\x20ftypavif" + b"0" * 50,
}
OTHERS = {
    "/a.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "/a.html": b"<!doctype html><script>alert(1)</script>",
    "/empty": b"",
    "/huge.png": PNG + b"0" * MAX_PICTURE,
}


def answer(request: Request) -> Reply:
    content = {**KINDS, **OTHERS}.get(request.path)
    return Reply(404, {}, PNG) if content is None else Reply(200, {"Content-Type": "text/html"}, content)


@pytest.fixture
async def elsewhere() -> AsyncIterator[Scripted]:
    async with Scripted(answer) as server:
        yield server


@pytest.fixture
async def havre(people: None, tmp_path: Path) -> AsyncIterator[InProcess]:
    async with InProcess(tmp_path, outbound_networks="127.0.0.0/8") as running:
        yield running


async def address(havre: InProcess, url: str) -> str:
    assert havre.app.pictures is not None
    return (await havre.app.pictures.addresses()).of(url)


@pytest.mark.parametrize(("path", "kind"), list(zip(KINDS, ("png", "jpeg", "gif", "webp", "avif"), strict=True)))
async def test_pictures_are_served_as_what_they_are(
    havre: InProcess, elsewhere: Scripted, path: str, kind: str
) -> None:
    reply = await Caller(havre).get(await address(havre, elsewhere.url + path))
    assert (reply.status, reply.body, reply["content-type"]) == (200, KINDS[path], f"image/{kind}")
    assert reply["x-content-type-options"] == "nosniff"
    assert reply["content-security-policy"] == "default-src 'none'; sandbox"
    assert reply["cache-control"] == "public, max-age=86400"
    assert "set-cookie" not in reply


@pytest.mark.parametrize("path", [*OTHERS, "/missing"])
async def test_nothing_else_is_served(havre: InProcess, elsewhere: Scripted, path: str) -> None:
    target = await address(havre, elsewhere.url + path)
    reply = await Caller(havre).get(target)
    assert reply.status in {404, 502}
    assert reply["content-type"].startswith("text/html; charset=utf-8")
    assert b"alert" not in reply.body
    # Nobody can have it asked over and over.
    await Caller(havre).get(target)
    assert len(elsewhere.requests) == 1


async def test_only_what_was_signed_is_fetched(havre: InProcess, elsewhere: Scripted) -> None:
    good = await address(havre, f"{elsewhere.url}/a.png")
    foreign = Addresses(b"another key").of(f"{elsewhere.url}/a.png")
    for bad in (foreign, good[:-2], good + "A", "/pictures/x/y", f"/pictures/{'é' * 22}/aHR0cDovLw"):
        assert (await Caller(havre).get(bad)).status == 404
    assert elsewhere.requests == []


async def test_it_is_fetched_once(havre: InProcess, elsewhere: Scripted) -> None:
    target = await address(havre, f"{elsewhere.url}/a.png")
    for _ in range(3):
        assert (await Caller(havre).get(target)).status == 200
    assert len(elsewhere.requests) == 1


async def test_an_old_one_is_fetched_anew_and_shown_when_that_fails(havre: InProcess, elsewhere: Scripted) -> None:
    target = await address(havre, f"{elsewhere.url}/a.png")
    await Caller(havre).get(target)
    (file,) = havre.files("pictures")
    os.utime(file, (0, 0))
    elsewhere.answer = lambda _: Reply(500)
    assert (await Caller(havre).get(target)).body == PNG
    assert len(elsewhere.requests) == 2


async def test_the_key_is_the_same_for_all_workers(havre: InProcess) -> None:
    assert havre.app.pictures is not None
    first = await havre.app.pictures.addresses()
    from havre.server.app import create_app

    other = create_app(havre.config)
    await other.start()
    assert other.pictures is not None
    assert await other.pictures.addresses() == first
    await other.stop()


async def test_private_networks_are_not_asked(people: None, tmp_path: Path, elsewhere: Scripted) -> None:
    async with InProcess(tmp_path) as havre:
        assert (await Caller(havre).get(await address(havre, f"{elsewhere.url}/a.png"))).status == 400
    assert elsewhere.requests == []


async def test_as_links_there_is_nothing_to_fetch(people: None, tmp_path: Path) -> None:
    async with InProcess(tmp_path, readme_pictures="link") as havre:
        assert havre.app.pictures is None
        assert (await Caller(havre).get("/pictures/x/y")).status == 404


def test_the_first_bytes_tell() -> None:
    assert media_type(b"") == ""
    assert media_type(b"RIFF\0\0\0\0WAVE") == ""
    assert media_type(b"<svg") == ""


def test_the_oldest_go_when_there_is_no_room(tmp_path: Path) -> None:
    files = PictureFiles(tmp_path, limit=250)
    for number in range(3):
        files.put(f"http://a.example/{number}", b"x" * 100)
        for path in tmp_path.glob("*/*"):
            os.utime(path, (path.stat().st_mtime - 100,) * 2)
    assert files.trim() == 1
    assert files.get("http://a.example/0") is None
    found = files.get("http://a.example/2")
    assert found is not None
    assert found[0] == b"x" * 100
    assert files.trim() == 0
