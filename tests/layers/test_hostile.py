"""Layers made to do harm: each ends in a sentence or in a tree, in bounded time and memory, and in a process apart."""

import gzip
import subprocess
import sys
import tarfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from havre.layers import scan, tar, unpack
from havre.registry.inside.entries import Kind
from tests.support import layers
from tests.support.layers import Outcome, quick, read_alone

MIB = 1024 * 1024


def header(name: str, size: int = 0, kind: bytes = b"0", **fields: str) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size, entry.type = size, kind
    for key, value in fields.items():
        setattr(entry, key, value)
    return entry.tobuf(tarfile.GNU_FORMAT)[-512:]


def zeros_in_gzip(mebibytes: int) -> Iterator[bytes]:
    packer = zlib.compressobj(9, wbits=31)
    yield packer.compress(header("zeros", mebibytes * MIB))
    for _ in range(mebibytes):
        yield packer.compress(bytes(MIB))
    yield packer.flush()


def zeros_in_zstd(mebibytes: int) -> Iterator[bytes]:
    packer = zstandard.ZstdCompressor(level=3).compressobj()
    yield packer.compress(header("zeros", mebibytes * MIB))
    for _ in range(mebibytes):
        yield packer.compress(bytes(MIB))
    yield packer.flush()


def many_members(number: int) -> Iterator[bytes]:
    for start in range(0, number, 1000):
        yield b"".join(header(f"f/{count:x}") for count in range(start, start + 1000))


def the_same_members(number: int) -> Iterator[bytes]:
    piece = b"".join(many_members(1000))
    for _ in range(0, number, 1000):
        yield piece


def sparse_map() -> Iterator[bytes]:
    first = bytearray(header("sparse", 0, b"S"))
    first[482] = 1
    first[148:156] = b" " * 8
    first[148:156] = b"%06o\x00 " % sum(first)
    yield bytes(first)
    block = bytearray(512)
    block[504] = 1
    for _ in range(tar.MAX_SPARSE_BLOCKS + 10):
        yield bytes(block)


def wide_window() -> bytes:
    parameters = zstandard.ZstdCompressionParameters(window_log=30, strategy=1, enable_ldm=True)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return packer.compress(layers.tar([("a", b"x" * 100_000)])) + packer.flush()


HONEST = layers.tar([(f"file-{number}", b"content " * 500) for number in range(50)])

REFUSED: dict[str, tuple[object, str]] = {
    "a bomb in gzip": (lambda: zeros_in_gzip(400), "as only a bomb does"),
    "a bomb in zstd": (lambda: zeros_in_zstd(400), "as only a bomb does"),
    "a window of a gibibyte": (lambda: [wide_window()], "more memory than is given"),
    "gzip cut short": (lambda: [gzip.compress(HONEST)[:-900]], "cut short"),
    "zstd cut short": (lambda: [zstandard.ZstdCompressor().compress(HONEST)[:-50]], "cut short|damaged"),
    "tar cut short in a file": (lambda: [HONEST[:1000]], "cut short at byte"),
    "tar cut short in a header": (lambda: [HONEST[:4700]], "cut short at byte"),
    "damaged gzip": (lambda: [gzip.compress(HONEST)[:300] + bytes(300)], "damaged"),
    "a damaged header": (lambda: [HONEST[:4608] + b"\xff" * 512 + HONEST[5120:]], "header at byte 4608 is damaged"),
    "no tar": (lambda: [b"nothing of the kind " * 100], "not a tar file"),
    "nothing": (list, "not a tar file"),
    "bzip2": (lambda: [b"BZh91AY&SY" + bytes(600)], "packed with bzip2"),
    "a size below zero": (lambda: [header("a")[:124] + b"\xff" * 12 + header("a")[136:]], "not a tar file|damaged"),
    "a huge pax header": (lambda: [header("x", 2 * MIB, b"x"), bytes(2 * MIB)], "more than 1048576 bytes"),
    "pax headers without end": (lambda: [header("x", 0, b"x")] * 1000, "more than 64 extended headers"),
    "a damaged pax header": (lambda: [header("x", 512, b"x"), b"99999 path=a\n".ljust(512, b"\x00")], "damaged"),
    "a sparse file of many pieces": (sparse_map, "more than 4096 blocks"),
    "more members than are read": (lambda: the_same_members(scan.MAX_MEMBERS + 1000), "more than 400000 members"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_in_a_sentence(what: str) -> None:
    made, sentence = REFUSED[what]
    since = time.monotonic()
    outcome = read_alone(made())  # type: ignore[operator]
    quick(outcome, since)
    assert outcome.entries == []
    assert any(part in outcome.refusal for part in sentence.split("|")), outcome.refusal


def read(*pieces: bytes) -> Outcome:
    since = time.monotonic()
    outcome = read_alone(pieces)
    quick(outcome, since)
    assert not outcome.refusal
    return outcome


def test_names_that_lead_out_are_left_out_and_told() -> None:
    names = ["../../etc/passwd", "a/../../b", "/etc/shadow", "//tmp//x", "./y", "a/" * 3000 + "deep", "d/" * 200 + "x"]
    outcome = read(layers.tar([(name, b"x") for name in names]))
    assert {entry.path for entry in outcome.entries} == {b"etc/shadow", b"tmp/x", b"y"}
    assert outcome.summary["outside"] == 4
    assert outcome.summary["named"][:2] == ["../../etc/passwd", "a/../../b"]


def test_links_out_stay_words() -> None:
    outcome = read(layers.tar([("out", "../../../../etc/passwd"), ("loop", "loop"), ("loop/x", b"1")]))
    found = {entry.path: entry.facts for entry in outcome.entries}
    assert found[b"out"].target == b"../../../../etc/passwd"
    assert found[b"loop/x"].kind is Kind.FILE


def test_sparse_files_are_sized_and_hold_nothing() -> None:
    one = bytearray(header("sparse", 512, b"S"))
    one[483:495] = b"%011o\x00" % (8 * 1024**3 - 1)
    one[148:156] = b" " * 8
    one[148:156] = b"%06o\x00 " % sum(one)
    outcome = read(bytes(one), b"x" * 512, bytes(1024))
    (entry,) = outcome.entries
    assert (entry.facts.size, entry.facts.offset) == (8 * 1024**3 - 1, 0)


def test_one_name_many_times_is_one_entry() -> None:
    outcome = read(*(header("same") for _ in range(20_000)), bytes(1024))
    assert len(outcome.entries) == 1
    assert outcome.summary["duplicates"] == 19_999


def test_folder_and_file_by_turns() -> None:
    pieces = []
    for number in range(5_000):
        pieces += [header(f"a/{number}"), header("a")]
    assert {entry.path for entry in read(*pieces).entries} == {b"a"}


@pytest.mark.slow
def test_two_hundred_thousand_files_are_fine() -> None:
    outcome = read_alone(many_members(200_000))
    quick(outcome, time.monotonic())
    assert len(outcome.entries) == 200_000
    assert outcome.peak < 200 * MIB


def test_the_process_can_write_no_file_and_has_its_limits(tmp_path: Path) -> None:
    def fails(code: str) -> str:
        command = [sys.executable, "-c", f"import os; from havre.layers import child; child._limit(); {code}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode
        return done.stderr

    assert "File too large" in fails("os.write(os.open('never', os.O_CREAT | os.O_WRONLY), b'x')")
    assert "MemoryError" in fails("bytearray(2 * child.MEMORY)")


def test_the_limits_are_what_the_sentences_say() -> None:
    assert (unpack.MAX_RATIO, unpack.FREE_GROWTH, tar.MAX_EXTENSION) == (200, 256 * MIB, MIB)
