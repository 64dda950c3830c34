"""What a layer holds: in every packing and every dialect of tar, as Python's own reader sees it."""

import gzip
import io
import tarfile
from contextlib import suppress

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from havre.errors import InputInvalid
from havre.layers.scan import content_at
from havre.registry.inside.entries import Kind
from tests.support.layers import scanned, tar

NAMES = st.lists(st.from_regex(r"[a-zé._-]{1,60}", fullmatch=True), min_size=1, max_size=6).map("/".join)
MEMBERS = st.lists(
    st.tuples(NAMES, st.one_of(st.none(), st.binary(max_size=1500), st.from_regex(r"[a-z./é]{1,120}", fullmatch=True))),
    max_size=12,
)
FORMATS = [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT]


def two_frames(content: bytes) -> bytes:
    half = len(content) // 2
    pack = zstandard.ZstdCompressor().compress
    return b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc" + pack(content[:half]) + pack(content[half:])


PACKINGS = {
    "plain": lambda content: content,
    "gzip": gzip.compress,
    "gzip in members": lambda content: gzip.compress(content[:700]) + gzip.compress(content[700:]) + bytes(20),
    "zstd": zstandard.ZstdCompressor().compress,
    "zstd in frames": two_frames,
}


@pytest.mark.parametrize("packing", PACKINGS)
def test_every_packing_is_read(packing: str) -> None:
    content = tar([("etc", None), ("etc/hosts", b"localhost\n"), ("etc/link", "hosts"), ("big", b"x" * 70_000)])
    scan, entries = scanned(PACKINGS[packing](content))
    found = {entry.path: entry.facts for entry in entries}
    assert [entry.path for entry in entries] == [b"etc", b"big", b"etc/hosts", b"etc/link"]
    assert found[b"etc/hosts"].size == 10
    assert found[b"etc/link"].target == b"hosts"
    assert found[b"etc"].kind is Kind.FOLDER
    assert scan.counts["bytes"] == 70_010
    facts = found[b"etc/hosts"]
    packed = io.BytesIO(PACKINGS[packing](content))
    assert b"".join(content_at(packed, facts.offset, facts.size)) == b"localhost\n"


@pytest.mark.parametrize("tar_format", FORMATS)
@given(members=MEMBERS)
@settings(max_examples=40, deadline=None)
def test_members_are_those_that_pythons_reader_finds(
    tar_format: int, members: list[tuple[str, bytes | str | None]]
) -> None:
    try:
        content = tar(members, tar_format)
    except ValueError:
        return  # ustar has no room for the longest names
    expected = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as reader:
        for member in reader:
            path = "/".join(part for part in member.name.split("/") if part not in ("", "."))
            if ".." in path.split("/") or path.rpartition("/")[2].startswith(".wh.") or not path:
                continue
            for other in list(expected):
                # Whatever is no folder takes the place of a folder, and a folder that of a file.
                if (
                    other == path
                    or (other.startswith(f"{path}/") and not member.isdir())
                    or (path.startswith(f"{other}/") and not expected[other][0])
                ):
                    del expected[other]
            data = reader.extractfile(member).read() if member.isfile() else b""
            expected[path] = (member.isdir(), len(data), member.linkname.encode() if member.issym() else b"")
    _, entries = scanned(content)
    found = {
        entry.path.decode(): (entry.facts.kind is Kind.FOLDER, entry.facts.size, entry.facts.target)
        for entry in entries
        if entry.facts.kind not in {Kind.WHITEOUT, Kind.OPAQUE} and entry.path
    }
    assert found == expected


def test_names_that_are_no_text_owners_modes_and_times() -> None:
    content = tar([("caf\udce9", b"x")], uid=1000, gid=2_000_000_000, mode=0o4755, mtime=1234.5)
    (entry,) = scanned(content)[1]
    assert entry.path == b"caf\xe9"
    assert (entry.facts.uid, entry.facts.gid, entry.facts.mode, entry.facts.mtime) == (
        1000,
        2_000_000_000,
        0o4755,
        1234,
    )


def test_white_outs_are_told_apart_from_files() -> None:
    members = [("a/.wh.gone", b""), ("a/.wh..wh..opq", b""), ("a/.wh..wh.plnk", b""), ("a/.wh.", b""), ("a/kept", b"")]
    entries = scanned(tar(members))[1]
    assert [(entry.path, entry.facts.kind) for entry in entries] == [
        (b"a", Kind.OPAQUE),
        (b"a/gone", Kind.WHITEOUT),
        (b"a/kept", Kind.FILE),
    ]


def test_hard_links_and_devices() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as target:
        for name, kind, link in (
            ("disk", tarfile.BLKTYPE, ""),
            ("zero", tarfile.CHRTYPE, ""),
            ("pipe", tarfile.FIFOTYPE, ""),
            ("twin", tarfile.LNKTYPE, "./bin/sh"),
            ("out", tarfile.LNKTYPE, "../../etc/passwd"),
        ):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.devmajor = kind, link, 8
            target.addfile(entry)
    scan, entries = scanned(buffer.getvalue())
    kinds = {entry.path: (entry.facts.kind, entry.facts.target) for entry in entries}
    assert kinds == {
        b"disk": (Kind.BLOCK_DEVICE, b""),
        b"zero": (Kind.CHARACTER_DEVICE, b""),
        b"pipe": (Kind.PIPE, b""),
        b"twin": (Kind.HARDLINK, b"bin/sh"),
    }
    assert (scan.counts["devices"], scan.outside) == (2, [b"out"])


@given(st.binary(max_size=3000))
@settings(max_examples=80, deadline=None)
def test_whatever_comes_is_read_or_refused(content: bytes) -> None:
    for one in (content, gzip.compress(content), tar([("a", b"b")])[:512] + content, b"\x28\xb5\x2f\xfd" + content):
        with suppress(InputInvalid):
            scan, entries = scanned(one)
            assert len(entries) <= scan.counts["members"]
