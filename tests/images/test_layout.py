"""The local store, which is an OCI layout: names, content that is what it is called, and what is left when images go."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from havre.errors import DigestInvalid, HavreError, InputInvalid, ManifestInvalid, ManifestUnknown, SizeInvalid
from havre.images.layout import Layout, store_path
from havre.images.save import save_to
from havre.oci import mediatypes
from havre.oci.descriptor import Descriptor, Platform
from havre.oci.digest import Digest
from havre.oci.names import Tag
from tests.support.images import Image, everywhere, layer, noise, small

pytestmark = pytest.mark.anyio

CONTENT = noise("layout", 3_000_000)
BLOB = Descriptor(mediatypes.OCTET_STREAM, Digest.of(CONTENT), len(CONTENT))


def pieces(content: bytes):
    async def opened(offset: int) -> AsyncGenerator[bytes, None]:
        for start in range(offset, len(content), 100_000):
            yield content[start : start + 100_000]

    return opened


async def test_what_a_power_cut_left_of_a_blob_is_fetched_anew(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "store")
    await layout.write_blob(BLOB, pieces(CONTENT))
    layout.blob_path(BLOB.digest).write_bytes(CONTENT[:1000])
    assert not layout.has_blob(BLOB)
    assert await layout.write_blob(BLOB, pieces(CONTENT)) == "done"
    assert layout.blob_path(BLOB.digest).read_bytes() == CONTENT


async def test_a_damaged_blob_is_not_saved(tmp_path: Path) -> None:
    image = small("damaged")
    layout = Layout(image.layout(tmp_path))
    [entry] = layout.entries()
    path = layout.blob_path(Digest(image.layers[0].digest))
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(DigestInvalid, match="damaged"):
        save_to(layout, [(entry.descriptor, ["docker.io/library/x:1"])], tmp_path / "x.tar", Platform("linux", "amd64"))
    assert not (tmp_path / "x.tar").exists()


def names(layout: Layout) -> list[str]:
    return [entry.name for entry in layout.entries()]


def files(layout: Layout) -> list[str]:
    return sorted(path.name for path in (layout.root / "blobs").rglob("*") if path.is_file())


async def test_a_blob_is_kept_once_and_read_from_anywhere(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "store")
    assert not layout.has_blob(BLOB)
    assert await layout.write_blob(BLOB, pieces(CONTENT)) == "done"
    assert await layout.write_blob(BLOB, pieces(b"not asked for")) == "exists"
    assert b"".join([piece async for piece in layout.open_blob(BLOB)]) == CONTENT
    assert b"".join([piece async for piece in layout.open_blob(BLOB, 2_999_990)]) == CONTENT[-10:]
    assert files(layout) == [BLOB.digest.encoded]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (CONTENT[:-1], SizeInvalid),
        (CONTENT + b"x", SizeInvalid),
        (CONTENT[:-1] + b"x", DigestInvalid),
        (b"", SizeInvalid),
    ],
)
async def test_what_is_not_what_it_is_called_is_not_kept(
    tmp_path: Path, content: bytes, error: type[Exception]
) -> None:
    layout = Layout(tmp_path / "store")
    with pytest.raises(error, match=BLOB.digest):
        await layout.write_blob(BLOB, pieces(content))
    assert files(layout) == []


async def test_a_broken_source_leaves_nothing(tmp_path: Path) -> None:
    async def broken(_: int) -> AsyncGenerator[bytes, None]:
        yield CONTENT[:10]
        raise ManifestUnknown("gone")

    layout = Layout(tmp_path / "store")
    with pytest.raises(ManifestUnknown, match="gone"):
        await layout.write_blob(BLOB, broken)
    assert files(layout) == []


async def test_names_move_and_go(tmp_path: Path) -> None:
    image, other = small("one"), small("two")
    layout = Layout(image.layout(tmp_path))
    descriptor, content = await layout.manifest(Tag("latest"))
    assert content == image.manifest
    layout.put_name("docker.io/library/one:1", descriptor)
    layout.put_name("docker.io/library/one:1", descriptor)
    assert names(layout) == ["latest", "docker.io/library/one:1"]
    moved = Descriptor(mediatypes.OCI_MANIFEST, Digest(other.digest), len(other.manifest))
    layout.put_name("latest", moved)
    found = layout.find("latest")
    assert found
    assert found.digest == other.digest
    assert layout.drop_name("latest")
    assert not layout.drop_name("latest")
    assert names(layout) == ["docker.io/library/one:1"]
    with pytest.raises(ManifestUnknown, match="no image named 'latest'"):
        await layout.manifest(Tag("latest"))


async def test_other_programs_entries_are_kept(tmp_path: Path) -> None:
    layout = Layout(small("one").layout(tmp_path))
    index = json.loads((layout.root / "index.json").read_text())
    index["annotations"] = {"kept": "yes"}
    index["manifests"][0]["annotations"]["org.example.kept"] = "yes"
    index["manifests"].append({**index["manifests"][0], "annotations": {"nameless": "yes"}, "artifactType": "a/b"})
    (layout.root / "index.json").write_text(json.dumps(index))
    descriptor = layout.entries()[0].descriptor
    layout.put_name("new", Descriptor(descriptor.media_type, Digest.of(b"new"), 3))
    after = json.loads((layout.root / "index.json").read_text())
    assert after["manifests"][:2] == index["manifests"]
    assert after["annotations"] == {"kept": "yes"}


async def test_a_sweep_leaves_what_images_need(tmp_path: Path) -> None:
    base = layer({"base": noise("base", 1000)})
    index = everywhere("several")
    layout = Layout(index.layout(tmp_path))
    kept, gone = Image("kept", (base,)), Image("gone", (base, layer({"own": noise("own", 1000)})))
    for image in (kept, gone):
        other = Layout(image.layout(tmp_path))
        for path in (other.root / "blobs/sha256").iterdir():
            path.rename(layout.root / "blobs/sha256" / path.name)
        layout.put_name(image.name, other.entries()[0].descriptor)
    (layout.root / "blobs/.incoming").mkdir(exist_ok=True)
    (layout.root / "blobs/.incoming/left-over").write_bytes(b"x")
    before = set(files(layout))
    assert layout.sweep().digests == []
    layout.drop_name("gone")
    swept = layout.sweep()
    assert {digest.encoded for digest in swept.digests} == {
        gone.digest[7:],
        Digest.of(gone.config).encoded,
        gone.layers[1].digest[7:],
    }
    assert swept.size == len(gone.manifest) + len(gone.config) + len(gone.layers[1].gz)
    assert set(files(layout)) == before - {digest.encoded for digest in swept.digests} - {"left-over"}


async def test_no_sweep_while_content_arrives(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "store")
    async with layout.adding(), layout.adding():
        await layout.write_blob(BLOB, pieces(CONTENT))
        assert layout.sweep().digests == []
    assert layout.sweep().digests == [BLOB.digest]


NAMER = """
import sys
from pathlib import Path
from havre.images.layout import Layout
from havre.oci.descriptor import Descriptor, Platform
from havre.oci.digest import Digest
for number in range(20):
    name = f"{sys.argv[2]}-{number}"
    Layout(Path(sys.argv[1])).put_name(name, Descriptor("a/b", Digest.of(name.encode()), 1))
"""


def test_several_processes_name_images_at_once(tmp_path: Path) -> None:
    started = [subprocess.Popen([sys.executable, "-c", NAMER, tmp_path / "store", str(who)]) for who in range(4)]
    assert [process.wait(60) for process in started] == [0] * 4
    assert len(names(Layout(tmp_path / "store"))) == 80


async def test_damage_on_disk_is_noticed(tmp_path: Path) -> None:
    image = small("one")
    layout = Layout(image.layout(tmp_path))
    layout.blob_path(Digest(image.digest)).write_bytes(image.manifest + b" ")
    with pytest.raises(DigestInvalid, match="damaged"):
        await layout.manifest(Tag("latest"))
    layout.blob_path(Digest(image.digest)).write_bytes(bytes(5 * 1024 * 1024))
    with pytest.raises(SizeInvalid):
        await layout.manifest(Tag("latest"))


@pytest.mark.parametrize("index", ["{", "[]", '{"manifests": 5}', '{"manifests": [5]}', "[" * 100_000])
def test_an_index_that_can_not_be_read_is_named(tmp_path: Path, index: str) -> None:
    (tmp_path / "index.json").write_text(index)
    with pytest.raises(ManifestInvalid, match=r"index\.json"):
        Layout(tmp_path).entries()


def test_a_folder_of_other_things_is_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear bob")
    with pytest.raises(InputInvalid, match="something else"):
        Layout(tmp_path).put_name("x", BLOB)
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_a_file_is_no_layout(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(HavreError):
        Layout(tmp_path / "file").entries()


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"HOME": "/h"}, "/h/.local/share/havre/images"),
        ({"HOME": "/h", "XDG_DATA_HOME": "/d"}, "/d/havre/images"),
        ({"HOME": "/h", "XDG_DATA_HOME": "/d", "HAVRE_IMAGES": "/i"}, "/i"),
    ],
)
def test_where_the_store_is(environ: dict[str, str], path: str) -> None:
    assert str(store_path(environ)) == path


async def test_two_writers_of_one_blob_agree(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "store")
    await asyncio.gather(*(layout.write_blob(BLOB, pieces(CONTENT)) for _ in range(3)))
    assert files(layout) == [BLOB.digest.encoded]
