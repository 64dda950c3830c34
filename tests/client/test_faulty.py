"""The real registry behind a line that cuts, corrupts, makes wait, sends elsewhere and forgets who is calling: the client
recovers or explains, and never takes wrong bytes.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from havre.client import Client
from havre.client.auth import Credential
from havre.client.copy import copy
from havre.client.keychain import Keychain
from havre.client.transport import TransportSettings
from havre.errors import DigestInvalid, HavreError, TooManyRequests, Unauthorized, Unavailable
from havre.images.layout import Layout
from havre.oci.digest import Digest
from havre.oci.names import Tag
from tests.support.faulty import (
    CutAnswer,
    CutUpload,
    Elsewhere,
    Fault,
    Faulty,
    StaleToken,
    Wait,
    WrongByteDown,
    WrongByteUp,
)
from tests.support.images import Image, layer, noise
from tests.support.peers import PASSWORD
from tests.support.server import HavreProcess
from tests.support.terminal import Terminal

pytestmark = pytest.mark.anyio

LATEST = Tag("latest")
LARGE = 1_500_000
BLOB = "/blobs/sha256:"
UPLOAD = "/blobs/uploads/"
MANIFEST = "/manifests/"
PATIENT = TransportSettings(attempts=6, first_pause=0.01, longest_pause=2.0)
_numbers = itertools.count()


@pytest.fixture
def line(havre_registry: HavreProcess) -> Iterator[Faulty]:
    with Faulty(havre_registry.host) as line:
        yield line


@pytest.fixture
async def client(line: Faulty, tmp_path: Path) -> AsyncIterator[Client]:
    keychain = Keychain([tmp_path / "config.json"])
    await keychain.store(line.host, Credential("alice", PASSWORD))
    async with Client(PATIENT, keychain) as client:
        yield client


@pytest.fixture
def image() -> Image:
    name = f"faulty-{next(_numbers)}"
    return Image(name, tuple(layer({f"f{one}": noise(f"{name} {one}", LARGE)}) for one in range(2)))


@pytest.fixture
def source(image: Image, tmp_path: Path) -> Layout:
    return Layout(image.layout(tmp_path))


async def push(client: Client, line: Faulty, source: Layout, image: Image) -> None:
    sent = await copy(source, client.repository(f"{line.host}/alice/{image.name}"), LATEST, LATEST)
    assert sent.digest == image.digest


async def pull(client: Client, line: Faulty, image: Image, target: Path) -> Layout:
    """Pull, and look at every byte that was kept, whatever happened."""
    layout = Layout(target)
    try:
        fetched = await copy(client.repository(f"{line.host}/alice/{image.name}"), layout, LATEST, LATEST)
        assert fetched.digest == image.digest
        assert set(layout.reachable(fetched)) == set(kept(layout))
    finally:
        kept(layout)
    return layout


def kept(layout: Layout) -> list[Digest]:
    """What lies in a layout, each file compared with its name."""
    files = [path for path in (layout.root / "blobs/sha256").glob("*") if path.is_file()]
    assert [path.name for path in files] == [Digest.of(path.read_bytes()).encoded for path in files]
    return [Digest(f"sha256:{path.name}") for path in files]


async def stored(client: Client, havre: HavreProcess, image: Image, target: Path) -> bool:
    """Is the image in the registry, whole and right, by a line without faults?"""
    async with Client(PATIENT, Keychain([])) as direct:
        layout = Layout(target)
        try:
            await copy(direct.repository(f"{havre.host}/alice/{image.name}"), layout, LATEST, LATEST)
        except HavreError:
            return False
        return set(kept(layout)) == set(layout.reachable(layout.entries()[0].descriptor))


@pytest.mark.parametrize("after", [0, 1, 700_000, LARGE])
async def test_an_upload_that_breaks_goes_on(
    client: Client, line: Faulty, source: Layout, image: Image, havre_registry: HavreProcess, tmp_path: Path, after: int
) -> None:
    line.order("PATCH", UPLOAD, *[CutUpload(after)] * 3)
    await push(client, line, source, image)
    assert line.open_orders == 0
    assert await stored(client, havre_registry, image, tmp_path / "stored")


@pytest.mark.parametrize("after", [0, 1, 700_000, LARGE])
async def test_a_download_that_breaks_goes_on(
    client: Client, line: Faulty, source: Layout, image: Image, tmp_path: Path, after: int
) -> None:
    await push(client, line, source, image)
    line.order("GET", BLOB, *[CutAnswer(after)] * 3)
    line.order("GET", MANIFEST, CutAnswer(10))
    await pull(client, line, image, tmp_path / "pulled")
    assert line.open_orders == 0


async def test_an_answer_that_never_came_is_asked_for_again(
    client: Client, line: Faulty, source: Layout, image: Image, havre_registry: HavreProcess, tmp_path: Path
) -> None:
    for method, part in (("POST", UPLOAD), ("PUT", UPLOAD), ("PUT", MANIFEST), ("GET", "/auth/token"), ("HEAD", BLOB)):
        line.order(method, part, CutUpload(0))
    await push(client, line, source, image)
    assert await stored(client, havre_registry, image, tmp_path / "stored")


async def test_one_wrong_byte_on_the_way_up_is_sent_again(
    client: Client, line: Faulty, source: Layout, image: Image, havre_registry: HavreProcess, tmp_path: Path
) -> None:
    line.order("PATCH", UPLOAD, WrongByteUp(1_000_000))
    await push(client, line, source, image)
    assert await stored(client, havre_registry, image, tmp_path / "stored")


async def test_a_line_that_always_corrupts_uploads_ends_in_a_sentence(
    client: Client, line: Faulty, source: Layout, image: Image, havre_registry: HavreProcess, tmp_path: Path
) -> None:
    line.order("PATCH", UPLOAD, *[WrongByteUp(1_000_000)] * 50)
    with pytest.raises(DigestInvalid, match=f"{line.host}: pushing sha256:"):
        await push(client, line, source, image)
    assert not await stored(client, havre_registry, image, tmp_path / "stored")


async def test_one_wrong_byte_on_the_way_down_is_fetched_again(
    client: Client, line: Faulty, source: Layout, image: Image, tmp_path: Path
) -> None:
    await push(client, line, source, image)
    line.order("GET", BLOB, WrongByteDown(1_000_000), WrongByteDown(LARGE))
    await pull(client, line, image, tmp_path / "pulled")


@pytest.mark.parametrize("at", [5, 1_000_000])
async def test_a_line_that_always_corrupts_downloads_ends_in_a_sentence(
    client: Client, line: Faulty, source: Layout, image: Image, tmp_path: Path, at: int
) -> None:
    await push(client, line, source, image)
    line.order("GET", BLOB, *[WrongByteDown(at)] * 50)
    with pytest.raises(DigestInvalid, match=f"{line.host}.*in place of sha256:"):
        await pull(client, line, image, tmp_path / "pulled")
    assert not Layout(tmp_path / "pulled").entries()


async def test_a_manifest_with_a_wrong_byte_is_not_taken(
    client: Client, line: Faulty, source: Layout, image: Image, tmp_path: Path
) -> None:
    await push(client, line, source, image)
    line.order("GET", MANIFEST, *[WrongByteDown(300)] * 20)
    with pytest.raises(DigestInvalid, match=f"{line.host} sent a manifest with the digest"):
        await pull(client, line, image, tmp_path / "pulled")


EVERYTHING = [
    ("GET", "/v2/$"), ("GET", "/auth/token"), ("HEAD", BLOB), ("POST", UPLOAD), ("PATCH", UPLOAD), ("PUT", UPLOAD),
    ("PUT", MANIFEST), ("GET", MANIFEST), ("GET", BLOB),
]  # fmt: skip


async def test_being_told_to_wait_is_obeyed_everywhere(
    client: Client, line: Faulty, source: Layout, image: Image, tmp_path: Path
) -> None:
    for method, part in EVERYTHING:
        line.order(method, part, Wait(0), Wait(1))
    await push(client, line, source, image)
    await pull(client, line, image, tmp_path / "pulled")
    assert line.open_orders == 0


async def test_being_told_to_wait_too_long_is_said(client: Client, line: Faulty, source: Layout, image: Image) -> None:
    line.order("POST", UPLOAD, *[Wait(3000)] * 20)
    with pytest.raises(TooManyRequests, match=f"{line.host}: pushing to alice/{image.name}"):
        await push(client, line, source, image)


async def test_a_token_that_turns_stale_is_renewed_everywhere(
    client: Client, line: Faulty, source: Layout, image: Image, havre_registry: HavreProcess, tmp_path: Path
) -> None:
    for method, part in EVERYTHING[2:]:
        line.order(method, part, StaleToken())
    await push(client, line, source, image)
    await pull(client, line, image, tmp_path / "pulled")
    assert line.open_orders == 0
    assert await stored(client, havre_registry, image, tmp_path / "stored")


async def test_tokens_that_are_never_taken_end_in_a_sentence(
    client: Client, line: Faulty, source: Layout, image: Image
) -> None:
    line.order("POST", UPLOAD, *[StaleToken()] * 50)
    with pytest.raises(Unauthorized, match="you are logged in as alice"):
        await push(client, line, source, image)


async def test_another_host_gets_the_question_and_not_the_credentials(
    client: Client, line: Faulty, source: Layout, image: Image, havre_registry: HavreProcess, tmp_path: Path
) -> None:
    await push(client, line, source, image)
    with Faulty(havre_registry.host) as storage:
        line.order("GET", BLOB, *[Elsewhere(storage.host)] * 5)
        storage.order("GET", BLOB, CutAnswer(600_000), WrongByteDown(7))
        await pull(client, line, image, tmp_path / "pulled")
        assert len(storage.seen) >= 3
        assert not any(one.authorized for one in storage.seen)
        assert all(one.authorized for one in line.asked("GET", BLOB))


async def test_another_host_that_lies_is_not_believed(
    client: Client, line: Faulty, source: Layout, image: Image, havre_registry: HavreProcess, tmp_path: Path
) -> None:
    await push(client, line, source, image)
    with Faulty(havre_registry.host) as storage:
        line.order("GET", BLOB, *[Elsewhere(storage.host)] * 20)
        storage.order("GET", BLOB, *[WrongByteDown(7)] * 20)
        with pytest.raises(DigestInvalid):
            await pull(client, line, image, tmp_path / "pulled")


async def test_a_dead_line_ends_in_a_sentence(client: Client, line: Faulty, source: Layout, image: Image) -> None:
    line.order("PATCH", UPLOAD, *[CutUpload(0)] * 100)
    with pytest.raises((Unavailable, HavreError), match=line.host):
        await push(client, line, source, image)


def any_fault(chance: random.Random) -> Fault:
    place = chance.randrange(LARGE)
    return chance.choice(
        [CutUpload(place), CutAnswer(place), WrongByteUp(place), WrongByteDown(place), Wait(0), StaleToken()]
    )


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_happens_nothing_wrong_is_kept(
    client: Client, line: Faulty, source: Layout, image: Image, havre_registry: HavreProcess, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    for _ in range(12):
        line.order(*chance.choice(EVERYTHING), any_fault(chance))
    told = ""
    try:
        await push(client, line, source, image)
        assert await stored(client, havre_registry, image, tmp_path / "stored")
        await pull(client, line, image, tmp_path / "pulled")
    except HavreError as error:
        told = error.message
    assert not told or line.host in told


def test_people_are_told_what_happened(line: Faulty, image: Image, tmp_path: Path) -> None:
    alice = Terminal(tmp_path / "alice")
    name = f"{line.host}/alice/{image.name}"
    alice("login", line.host, "-u", "alice", "--password-stdin", typed=PASSWORD)
    alice("load", "-i", image.archive(tmp_path))
    alice("tag", image.name, name)
    line.order("PATCH", UPLOAD, CutUpload(500_000), StaleToken())
    alice("push", name)
    line.order("GET", BLOB, *[WrongByteDown(9)] * 20)
    alice.environ["HAVRE_IMAGES"] = str(tmp_path / "other")
    wrong = alice("pull", name, code=1)
    assert wrong.err.startswith("havre: ")
    assert f"{line.host}/alice/{image.name}: content with the digest" in wrong.err
    assert "try again" in wrong.err
    assert image.name not in alice("images").out
