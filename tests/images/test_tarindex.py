"""Tar files read by name, with limits: what Python's own writer makes is found, what hostile hands make is refused."""

import io
import struct
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from havre.errors import HavreError, InputInvalid, SizeInvalid
from havre.images.tarindex import MAX_EXTENSION, TarIndex

LONG = "a/" * 70 + "long" * 30 + "-ü"


def add(
    tar: tarfile.TarFile, name: str, content: bytes = b"", *, kind: bytes = tarfile.REGTYPE, link: str = ""
) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.type, member.linkname = len(content), kind, link
    tar.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_files_and_links_are_found_in_every_form(form: int, tmp_path: Path) -> None:
    long = "d" * 90 + "/" + "f" * 90 if form == tarfile.USTAR_FORMAT else LONG
    with tarfile.open(tmp_path / "x.tar", "w", format=form) as tar:
        add(tar, "./dir", kind=tarfile.DIRTYPE)
        add(tar, "./dir/one", b"first")
        add(tar, long, b"x" * 1000)
        add(tar, "dir/soft", kind=tarfile.SYMTYPE, link="one")
        add(tar, "hard", kind=tarfile.LNKTYPE, link="dir/one")
        add(tar, "far", kind=tarfile.SYMTYPE, link="dir/soft")
        add(tar, "dir/one", b"second")
    with TarIndex(tmp_path / "x.tar") as index:
        for name in ("dir/one", "./dir/one", "/dir/../dir/one", "dir/soft", "hard", "far"):
            assert index.read(name, 100) == b"second"
        assert index.read(long, 1000) == b"x" * 1000
        assert index.find("dir") is None
        member = index.find(long)
        assert member
        assert b"".join(index.pieces(member, 990)) == b"x" * 10
        with pytest.raises(SizeInvalid):
            index.read(long, 999)
        with pytest.raises(InputInvalid, match="no file 'missing'"):
            index.read("missing", 1)


def header(name: bytes, size: bytes, kind: bytes = b"0") -> bytes:
    block = bytearray(512)
    block[: len(name)] = name
    block[124 : 124 + len(size)] = size
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\x00 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (header(b"huge", b"%011o" % (1 << 32)), InputInvalid),
        (header(b"huge", b"\x80" + struct.pack(">IQ", 0, 1 << 62)[1:]), InputInvalid),
        (header(b"octal", b"9z9"), InputInvalid),
        (header(b"names", b"%011o" % (MAX_EXTENSION + 1), b"L") + bytes(MAX_EXTENSION + 1024), SizeInvalid),
        (header(b"pax", b"%011o" % (MAX_EXTENSION + 1), b"x") + bytes(MAX_EXTENSION + 1024), SizeInvalid),
        (
            header(b"pax", b"%011o" % 20, b"x") + b"18 size=-999999999\n".ljust(512, b"\x00") + header(b"f", b"0"),
            InputInvalid,
        ),
        (bytes(512) * 4, InputInvalid),
        (header(b"good", b"0") + b"bad" * 171, InputInvalid),
    ],
    ids=["octal size", "binary size", "no number", "long name", "attributes", "negative size", "nothing", "checksum"],
)
def test_hostile_headers_are_refused(content: bytes, error: type[Exception], tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(content)
    with pytest.raises(error, match=r"x\.tar"):
        TarIndex(tmp_path / "x.tar")


@given(st.binary(max_size=2000), st.integers(0, 3))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_end_in_an_answer(tmp_path: Path, content: bytes, good: int) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(b"".join(header(b"f%d" % n, b"%o" % n) + b"x" * 512 for n in range(good)) + content)
    try:
        with TarIndex(path) as index:
            assert all(member.offset + member.size <= path.stat().st_size for member in index.members.values())
    except HavreError:
        pass
