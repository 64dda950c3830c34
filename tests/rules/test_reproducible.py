"""What is committed works anywhere: no path of one machine, no address of a package index."""

import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.rules.source import ROOT, none_of

_MACHINE = re.compile(r"(?<![\w.~}$<-])/(?:home|Users|work|farm)/[\w.]")
_INDEX = re.compile(r"--(?:extra-)?index-url|--find-links|--trusted-host|\bindex-url\b")
_ADDRESS = re.compile(r"[a-z+]+://(?!localhost|127\.0\.0\.1|\$|%)[^\s\"']*")


def tracked() -> Iterator[tuple[str, str]]:
    """Every text file that git tracks or would track: path and text."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, check=True, timeout=30,
    ).stdout.decode()  # fmt: skip
    for name in filter(None, listed.split("\0")):
        try:
            yield name, (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue


def test_no_path_of_one_machine() -> None:
    offences = [
        f"{name}:{number} {line.strip()[:100]}"
        for name, text in tracked()
        for number, line in enumerate(text.splitlines(), 1)
        if _MACHINE.search(line)
    ]
    none_of("paths are relative, or made while running, but:", offences)


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_lock_files_pin_by_hash_and_name_no_index(name: str) -> None:
    text = (ROOT / name).read_text()
    assert not _INDEX.search(text)
    assert not _ADDRESS.search(text)
    pins = re.findall(r"^[a-z0-9][^\s]*==\S+(?: ;[^\\]*)? \\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
    lines = re.findall(r"^[a-z0-9].*", text, re.MULTILINE)
    assert len(pins) == len(lines), "a requirement without an exact version or without a hash"


def test_installing_names_no_address() -> None:
    offences = [
        f"{name}:{number} {line.strip()[:100]}"
        for name, text in tracked()
        if name in {"Makefile", ".ci/run", "pyproject.toml"} or name.startswith("scripts/")
        for number, line in enumerate(text.splitlines(), 1)
        if (_INDEX.search(line) and "--no-emit-" not in line) or _ADDRESS.search(line)
    ]
    none_of("whoever installs chooses the package index, but:", offences)
