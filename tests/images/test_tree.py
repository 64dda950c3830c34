"""Layers merged as engines merge them, whatever is in them: white-outs, links, and names that try to get away."""

import gzip
import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from havre.errors import DigestInvalid, InputInvalid, SizeInvalid
from havre.images.compare import compare_configs, compare_files, snapshot
from havre.images.compression import Limits
from havre.images.export import export
from havre.images.tarstream import FOLDER, Entry
from havre.images.tree import LayerFile, Listing, merge, walk
from havre.oci.descriptor import Descriptor
from havre.oci.digest import Digest

Members = Sequence[tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]]


def file(name: str, content: bytes = b"x", **more: object) -> tuple[tarfile.TarInfo, bytes]:
    made = member(name, tarfile.REGTYPE, **more)
    made.size = len(content)
    return made, content


def member(name: str, kind: bytes, link: str = "", **more: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mtime = kind, link, 1_700_000_000
    for key, value in more.items():
        setattr(made, key, value)
    return made


def folder(name: str, mode: int = 0o755) -> tarfile.TarInfo:
    return member(name, tarfile.DIRTYPE, mode=mode)


def tar_of(members: Members) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for one in members:
            info, content = one if isinstance(one, tuple) else (one, b"")
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def layer_file(path: Path, packed: bytes, limits: Limits | None = None) -> LayerFile:
    digest = Digest.of(packed)
    target = path / digest.encoded
    target.write_bytes(packed)
    return LayerFile(target, Descriptor("layer", digest, len(packed)), limits or Limits())


def exported(path: Path, *layers: Members) -> dict[str, tarfile.TarInfo]:
    """What comes out: the members by name, in order; their content is in ``read``."""
    return {one.name: one for one in open_export(path, *layers).getmembers()}


def open_export(path: Path, *layers: Members) -> tarfile.TarFile:
    out = io.BytesIO()
    export([layer_file(path, gzip.compress(tar_of(one), mtime=0)) for one in layers], out)
    return tarfile.open(fileobj=io.BytesIO(out.getvalue()))


def content(tar: tarfile.TarFile, name: str) -> bytes:
    found = tar.extractfile(name)
    assert found
    return found.read()


def test_upper_layers_win_and_white_outs_hide(tmp_path: Path) -> None:
    tar = open_export(
        tmp_path,
        [folder("etc"), file("etc/a", b"old"), file("etc/b"), folder("var"), file("var/x"), folder("var/y"), file("var/y/z")],
        [file("etc/a", b"new"), file("etc/.wh.b", b""), file("var/.wh..wh..opq", b""), file("var/fresh", b"f")],
        [file("top", b"t"), file("etc/.wh.none", b"")],
    )  # fmt: skip
    assert tar.getnames() == ["etc", "var", "etc/a", "var/fresh", "top"]
    assert content(tar, "etc/a") == b"new"


def test_a_white_out_hides_what_is_below_and_not_its_own_layer(tmp_path: Path) -> None:
    names = exported(tmp_path, [folder("a"), file("a/old")], [folder("a"), file("a/new"), file(".wh.a", b"")])
    assert list(names) == ["a", "a/new"]


def test_a_hard_link_outlives_the_file_it_was_made_from(tmp_path: Path) -> None:
    tar = open_export(
        tmp_path,
        [file("one", b"shared"), member("two", tarfile.LNKTYPE, "one"), member("three", tarfile.LNKTYPE, "./two")],
        [file(".wh.one", b"")],
    )
    assert [(one.name, one.islnk(), one.linkname) for one in tar] == [("three", False, ""), ("two", True, "three")]
    assert content(tar, "two") == b"shared"


def test_what_a_file_is_stays(tmp_path: Path) -> None:
    given = [
        member("bin/su", tarfile.REGTYPE, mode=0o4755, uid=7, gid=8, pax_headers={"SCHILY.xattr.user.x": "1"}),
        member("dev/null", tarfile.CHRTYPE, devmajor=1, devminor=3),
        member("pipe", tarfile.FIFOTYPE),
        member("link", tarfile.SYMTYPE, "../../etc/passwd"),
        file("ü" * 90 + "/" + "long" * 40, b"deep"),
    ]
    found = exported(tmp_path, given)
    for one in given:
        if isinstance(one, tarfile.TarInfo):
            assert found[one.name].get_info() | {"chksum": 0} == one.get_info() | {"chksum": 0}
    assert found["bin/su"].pax_headers["SCHILY.xattr.user.x"] == "1"
    assert found["ü" * 90 + "/" + "long" * 40].size == 4


@pytest.mark.parametrize("name", ["../../up", "/../up", "a/../../up", "//up", "./up", "/up"])
def test_names_stay_within_the_root(tmp_path: Path, name: str) -> None:
    assert list(exported(tmp_path, [file(name)])) == ["up"]


def test_nothing_lies_below_a_link(tmp_path: Path) -> None:
    found = exported(
        tmp_path,
        [member("a", tarfile.SYMTYPE, "/etc"), file("a/passwd"), file("b"), member("c", tarfile.SYMTYPE, "/")],
        [file("b/below"), file("c/d/e")],
    )
    assert {name: one.isdir() for name, one in found.items()} == {
        "a": True, "a/passwd": False, "b": True, "b/below": False, "c": True, "c/d": True, "c/d/e": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ([member("x", tarfile.LNKTYPE, "nowhere")], InputInvalid),
        ([folder("d"), member("x", tarfile.LNKTYPE, "d")], InputInvalid),
        ([member("x", tarfile.LNKTYPE, "../../etc/passwd")], InputInvalid),
        ([member("x", tarfile.GNUTYPE_SPARSE)], InputInvalid),
        ([file("/".join("d" * 1100))], SizeInvalid),
        ([file("n" * 5000)], SizeInvalid),
        ([file("x", pax_headers={"comment": "c" * 2_000_000})], SizeInvalid),
    ],
)
def test_what_no_layer_should_hold_is_refused(tmp_path: Path, bad: Members, error: type[Exception]) -> None:
    with pytest.raises(error):
        exported(tmp_path, bad)


def test_bombs_and_damage_are_refused(tmp_path: Path) -> None:
    whole = gzip.compress(tar_of([file("zeros", bytes(3_000_000))]), mtime=0)
    with pytest.raises(SizeInvalid, match="grows to more than"):
        export([layer_file(tmp_path, whole, Limits(unpacked=1_000_000))], io.BytesIO())
    with pytest.raises(InputInvalid, match=r"cut short|can not be unpacked"):
        export([layer_file(tmp_path, whole[:-20])], io.BytesIO())
    damaged = layer_file(tmp_path, whole)
    next(tmp_path.glob(Digest.of(whole).encoded)).write_bytes(whole[:-1] + b"?")
    with pytest.raises(DigestInvalid, match="pull the image again"):
        export([damaged], io.BytesIO())


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress], ids=["tar", "gz", "zst"])
def test_every_compression_of_layers_is_read(tmp_path: Path, pack: object) -> None:
    assert callable(pack)
    out = io.BytesIO()
    assert export([layer_file(tmp_path, pack(tar_of([folder("d"), file("d/f", b"hello")])))], out) == 2


NAMES = st.sampled_from(["a", "b", "c", "a/b", "a/c", "b/a", "a/b/c"])
STEPS = st.lists(st.tuples(NAMES, st.sampled_from(["file", "folder", "white-out", "opaque"])), max_size=6)


def listing(steps: Sequence[tuple[str, str]]) -> Listing:
    forms = {"file": "{0}", "folder": "{0}", "white-out": "{1}.wh.{2}", "opaque": "{0}/.wh..wh..opq"}
    entries = []
    for path, kind in steps:
        head, slash, tail = path.rpartition("/")
        name = forms[kind].format(path, head + slash, tail)
        entries.append(Entry(name, FOLDER if kind == "folder" else "0"))
    return Listing(tuple(entries))


def expected(layers: Sequence[Sequence[tuple[str, str]]]) -> Mapping[str, bool]:
    """The same, told without a tree: path → is it a folder."""
    found: dict[str, bool] = {}
    for steps in layers:
        for path, kind in steps:
            if kind in {"white-out", "opaque"}:
                found = {
                    one: what
                    for one, what in found.items()
                    if not one.startswith(f"{path}/") and (one != path or kind == "opaque")
                }
        for path, kind in steps:
            if kind not in {"file", "folder"}:
                continue
            parts = path.split("/")
            found |= {"/".join(parts[:depth]): True for depth in range(1, len(parts))}
            if kind == "file" or not found.get(path):
                found = {one: what for one, what in found.items() if not one.startswith(f"{path}/")}
            found[path] = kind == "folder"
    return found


@given(st.lists(STEPS, max_size=4))
def test_any_layers_merge_as_the_specification_says(layers: list[list[tuple[str, str]]]) -> None:
    merged = {path: node.is_folder for path, node in walk(merge(map(listing, layers)))}
    assert merged == expected(layers)
    assert list(merged) == sorted(merged, key=lambda path: path.split("/"))


def test_two_images_are_compared_file_by_file(tmp_path: Path) -> None:
    base = layer_file(tmp_path, tar_of([file("same"), file("gone"), file("edited", b"1"), file("mode")]))
    top = layer_file(
        tmp_path,
        tar_of([file(".wh.gone", b""), file("edited", b"2"), file("new", b"12"), file("mode", mode=0o4755), file("same", mtime=5)]),
    )  # fmt: skip
    lower, upper = (Digest.of(b"1"), base), (Digest.of(b"2"), top)
    known: dict[Digest, Listing] = {}
    changes = compare_files(snapshot([lower], known), snapshot([lower, upper], known))
    assert [(str(one.what), one.path) for one in changes] == [
        ("C", "edited"),
        ("D", "gone"),
        ("C", "mode"),
        ("A", "new"),
    ]
    assert changes[3].size_after == 2
    assert len(known) == 2


def test_two_configurations_are_compared_by_the_variable() -> None:
    before = {"os": "linux", "config": {"Env": ["A=1", "B=2"], "Cmd": ["x"], "Labels": {"l": "1"}, "User": ""}}
    after = {"os": "linux", "config": {"Env": ["A=1", "B=3", "C="], "Cmd": ["x", "y"]}}
    assert [(str(one.what), one.path, one.before, one.after) for one in compare_configs(before, after)] == [
        ("C", "Cmd", "x", "x y"), ("C", "Env B", "2", "3"), ("A", "Env C", "", ""), ("D", "Labels l", "1", ""),
    ]  # fmt: skip
