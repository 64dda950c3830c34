"""Image files: both forms of docker save, OCI layouts in a tar, compressed ones; and hostile ones."""

import bz2
import gzip
import io
import json
import lzma
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from havre.errors import DigestInvalid, HavreError, InputInvalid, ManifestUnknown, SizeInvalid
from havre.images import archive
from havre.images.archive import Limits, load
from havre.images.layout import Layout
from havre.images.save import save_to
from havre.images.tarindex import TarIndex
from havre.oci import mediatypes
from havre.oci.descriptor import Descriptor, Platform
from havre.oci.digest import Digest
from havre.oci.manifest import parse
from tests.support.images import Image, everywhere, layer, noise, small, this_architecture

pytestmark = pytest.mark.anyio

HERE = Platform("linux", this_architecture())


@pytest.fixture
def store(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "store")


@pytest.fixture
def image() -> Image:
    return Image(
        "hello", (layer({"a": noise("a", 300_000), "b": b"b" * 100_000}), layer({"c": b"c"}), layer({"d": b"d"}))
    )


def layers_of(store: Layout, descriptor: Descriptor) -> list[bytes]:
    read = parse(descriptor.media_type, store.read_manifest(descriptor.digest, descriptor.media_type)[1])
    return [store.blob_path(one.digest).read_bytes() for one in read.layers]


def written(path: Path, files: Mapping[str, bytes | str]) -> Path:
    """A tar of files, and of links where the content is a text."""
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                tar.addfile(member)
            else:
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def packed(layout: Path, target: Path) -> Path:
    with tarfile.open(target, "w") as tar:
        tar.add(layout, arcname=".")
    return target


async def test_the_old_form_of_docker_save(image: Image, store: Layout, tmp_path: Path) -> None:
    [loaded] = await load(image.archive(tmp_path), store)
    assert loaded.names == ("hello:latest",)
    assert loaded.descriptor.media_type == mediatypes.OCI_MANIFEST
    assert [gzip.decompress(one) for one in layers_of(store, loaded.descriptor)] == [one.tar for one in image.layers]
    assert store.read_small(Digest.of(image.config), 10_000) == image.config
    again = Layout(tmp_path / "again")
    assert await load(image.archive(tmp_path), again) == [loaded]


async def test_the_oldest_form_names_layers_by_folders_and_links(image: Image, store: Layout, tmp_path: Path) -> None:
    first, second, _ = image.layers
    image = Image("old", (first, second, second))
    manifest = [{"Config": "c.json", "RepoTags": None, "Layers": ["1/layer.tar", "2/layer.tar", "3/layer.tar"]}]
    path = written(
        tmp_path / "old.tar",
        {
            "3/layer.tar": "../2/layer.tar",
            "1/layer.tar": first.tar,
            "2/layer.tar": second.tar,
            "c.json": image.config,
            "manifest.json": json.dumps(manifest).encode(),
        },
    )
    [loaded] = await load(path, store)
    assert loaded.names == ()
    assert [gzip.decompress(one) for one in layers_of(store, loaded.descriptor)] == [one.tar for one in image.layers]


async def test_an_oci_layout_keeps_its_digests(image: Image, store: Layout, tmp_path: Path) -> None:
    [loaded] = await load(packed(image.layout(tmp_path), tmp_path / "oci.tar"), store)
    assert (loaded.descriptor.digest, loaded.names) == (image.digest, ("latest",))
    index = everywhere("several")
    [loaded] = await load(packed(index.layout(tmp_path), tmp_path / "several.tar"), store)
    assert loaded.descriptor.digest == index.digest
    assert all(store.find("x") is None and store.blob_path(Digest(one.digest)).exists() for one in index.images)


async def test_of_an_index_that_is_not_all_there_the_image_that_is(store: Layout, tmp_path: Path) -> None:
    index = everywhere("several")
    layout = index.layout(tmp_path)
    here, other = index.images
    for digest in (other.digest, Digest.of(other.config), other.layers[0].digest):
        (layout / "blobs/sha256" / digest[7:]).unlink()
    [loaded] = await load(packed(layout, tmp_path / "some.tar"), store)
    assert loaded.descriptor.digest == here.digest


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress], ids=["gzip", "bzip2", "xz"])
async def test_compressed_archives(
    compress: Callable[[bytes], bytes], image: Image, store: Layout, tmp_path: Path
) -> None:
    path = tmp_path / "packed"
    path.write_bytes(compress(image.archive(tmp_path).read_bytes()))
    [loaded] = await load(path, store)
    assert loaded.names == ("hello:latest",)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(HavreError, match="packed"):
        await load(path, store)
    assert names(tmp_path) == ["hello.tar", "packed", "store"]


async def test_what_was_saved_loads_again(image: Image, store: Layout, tmp_path: Path) -> None:
    [one] = await load(packed(image.layout(tmp_path), tmp_path / "one.tar"), store)
    [several] = await load(packed(everywhere("several").layout(tmp_path), tmp_path / "several.tar"), store)
    chosen = [(one.descriptor, ["docker.io/library/hello:1", "hub.test/a/b:2"]), (several.descriptor, [])]
    path, again = tmp_path / "saved.tar", tmp_path / "again.tar"
    save_to(store, chosen, path, HERE)
    save_to(store, chosen, again, HERE)
    assert path.read_bytes() == again.read_bytes()
    other = Layout(tmp_path / "other")
    loaded = await load(path, other)
    assert [(each.descriptor.digest, each.names) for each in loaded] == [
        (one.descriptor.digest, ("docker.io/library/hello:1", "hub.test/a/b:2")),
        (several.descriptor.digest, ()),
    ]
    with TarIndex(path) as tar:
        entries = archive.docker_entries(tar)
        assert entries[0]["RepoTags"] == ["hello:1", "hub.test/a/b:2"]
        assert all(tar.find(name) for entry in entries for name in [entry["Config"], *entry["Layers"]])


async def test_saving_what_is_incomplete_leaves_no_file(image: Image, tmp_path: Path) -> None:
    layout = Layout(image.layout(tmp_path))
    descriptor = layout.entries()[0].descriptor
    layout.blob_path(Digest(image.layers[0].digest)).unlink()
    with pytest.raises((ManifestUnknown, FileNotFoundError)):
        save_to(layout, [(descriptor, [])], tmp_path / "saved.tar", HERE)
    assert names(tmp_path) == ["hello.oci"]


def docker_archive(path: Path, image: Image, **changes: Any) -> Path:
    """An archive of docker save with one thing changed: a file's content, or a key of manifest.json."""
    config = changes.pop("config", image.config)
    files: dict[str, bytes | str] = {f"{n}.tar": one.tar for n, one in enumerate(image.layers)}
    files |= {"c.json": config, **changes.pop("files", {})}
    entry = {"Config": "c.json", "RepoTags": ["x:1"], "Layers": [f"{n}.tar" for n, _ in enumerate(image.layers)]}
    manifest = changes.pop("manifest", None)
    files["manifest.json"] = manifest or json.dumps([{**entry, **changes}]).encode()
    return written(path, files)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"files": {"0.tar": b"another layer" * 100}}, DigestInvalid),
        ({"Layers": ["0.tar"]}, InputInvalid),
        ({"Layers": ["0.tar", "1.tar", "../../../etc/passwd"]}, InputInvalid),
        ({"Layers": ["0.tar", "1.tar", 5]}, InputInvalid),
        ({"Config": "/etc/passwd"}, InputInvalid),
        ({"Config": None}, InputInvalid),
        ({"config": b"{}"}, InputInvalid),
        ({"config": b"["}, InputInvalid),
        ({"config": b"x" * 9_000_000}, SizeInvalid),
        ({"files": {"2.tar": "2.tar"}}, InputInvalid),
        ({"files": {"2.tar": "/etc/passwd"}}, InputInvalid),
        ({"files": {"2.tar": "../../../../etc/passwd"}}, InputInvalid),
        ({"manifest": b"{}"}, InputInvalid),
        ({"manifest": b"[]"}, InputInvalid),
        ({"manifest": b"[" * 5000}, InputInvalid),
        ({"manifest": b'[{}], "images": [{"Config": "c.json"}'}, InputInvalid),
        ({"manifest": b" " * 5_000_000}, SizeInvalid),
    ],
)
async def test_docker_archives_that_are_wrong(
    changes: dict[str, Any], error: type[Exception], image: Image, store: Layout, tmp_path: Path
) -> None:
    with pytest.raises(error, match=r"bad\.tar|manifest\.json"):
        await load(docker_archive(tmp_path / "bad.tar", image, **changes), store)
    assert store.entries() == []
    assert not list((store.root / "blobs/.incoming").iterdir())


async def test_oci_archives_that_are_wrong(image: Image, store: Layout, tmp_path: Path) -> None:
    good = image.layout(tmp_path)
    blobs = {f"blobs/sha256/{path.name}": path.read_bytes() for path in (good / "blobs/sha256").iterdir()}
    index = (good / "index.json").read_bytes()
    layer_name = f"blobs/sha256/{image.layers[0].digest[7:]}"
    manifest_name = f"blobs/sha256/{image.digest[7:]}"
    for changes, error in (
        ({layer_name: blobs[layer_name][:-1] + b"x"}, DigestInvalid),
        ({layer_name: blobs[layer_name] + b"x"}, SizeInvalid),
        ({manifest_name: blobs[manifest_name] + b" "}, DigestInvalid),
        ({"index.json": b"{}"}, InputInvalid),
        ({"index.json": b'{"manifests":[{"digest":"sha256:../../etc/passwd","size":1,"mediaType":"x"}]}'}, HavreError),
        ({layer_name: "/etc/passwd"}, InputInvalid),
    ):
        path = written(tmp_path / "bad.tar", {**blobs, "index.json": index, **changes})
        with pytest.raises(error):
            await load(path, store)
        assert store.entries() == []
    path = written(tmp_path / "bad.tar", {"index.json": index, manifest_name: blobs[manifest_name]})
    with pytest.raises(InputInvalid, match="does not hold"):
        await load(path, store)


async def test_a_bomb_is_not_unpacked(store: Layout, tmp_path: Path) -> None:
    path = tmp_path / "bomb.tar.gz"
    path.write_bytes(gzip.compress(bytes(20_000_000)))
    with pytest.raises(SizeInvalid, match=r"bomb\.tar\.gz grows to more than"):
        await load(path, store, limits=Limits(ratio_from=10_000_000))
    with pytest.raises(InputInvalid, match="not a tar file"):
        await load(path, store, limits=Limits(ratio_from=30_000_000))
    assert names(tmp_path) == ["bomb.tar.gz"]


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\x1f\x8bnot gzip", b"\x28\xb5\x2f\xfdzstd", b"x" * 5000, bytes(5000)]
)
async def test_what_is_no_archive_is_said_to_be_none(content: bytes, store: Layout, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(InputInvalid, match=str(path)):
        await load(path, store)


async def test_no_file_a_folder_and_a_tar_of_other_things(store: Layout, tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="there is no file"):
        await load(tmp_path / "missing", store)
    with pytest.raises(InputInvalid, match="name it oci:"):
        await load(tmp_path, store)
    with pytest.raises(InputInvalid, match="holds no image"):
        await load(written(tmp_path / "letters.tar", {"dear": b"bob"}), store)


GOOD = small("fuzzed", size=2000)


@given(
    st.lists(st.tuples(st.integers(0, 12_000), st.binary(min_size=1, max_size=8)), min_size=1, max_size=5),
    st.integers(0, 15_000),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_damaged_archive_never_gives_damaged_content(
    tmp_path: Path, patches: list[tuple[int, bytes]], length: int
) -> None:
    content = bytearray(GOOD.archive(tmp_path).read_bytes()[: length + 3000])
    for position, patch in patches:
        content[position : position + len(patch)] = patch
    path, store = tmp_path / "damaged.tar", Layout(tmp_path / "fuzz")
    path.write_bytes(content)
    try:
        loaded = await load(path, store)
    except HavreError:
        return
    for one in loaded:
        for blob in parse(one.descriptor.media_type, store.read_manifest(one.descriptor.digest)[1]).blobs:
            assert Digest.of(store.blob_path(blob.digest).read_bytes()) == blob.digest
    assert (await store.manifest(loaded[0].descriptor.digest))[1]
