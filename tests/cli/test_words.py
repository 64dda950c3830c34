"""What commands print: sizes, ages, tables, and nothing that could steer a terminal."""

import datetime as dt
import re
import subprocess
import sys
from pathlib import Path

import pytest

from havre.cli import COMMANDS
from havre.cli.manual import manual
from havre.cli.output import age_text, plain, print_table, size_text
from havre.cli.places import Place
from havre.cli.reference import reference
from tests.support.requirements import require

PAGE = Path(__file__).resolve().parents[2] / "docs/reference/cli.md"


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0B"), (999, "999B"), (1000, "1kB"), (12_345_678, "12.3MB"), (5_000_000_000, "5GB"), (7 * 10**12, "7TB")],
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text


NOW = dt.datetime(2026, 7, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (dt.timedelta(seconds=5), "just now"),
        (dt.timedelta(minutes=1, seconds=2), "1 minute ago"),
        (dt.timedelta(hours=5, seconds=2), "5 hours ago"),
        (dt.timedelta(days=13), "1 week ago"),
        (dt.timedelta(days=800), "2 years ago"),
        (dt.timedelta(seconds=-30), "just now"),
    ],
)
def test_ages(ago: dt.timedelta, text: str) -> None:
    assert age_text((NOW - ago).isoformat().replace("+00:00", ".123456789Z"), NOW.timestamp()) == text


@pytest.mark.parametrize(
    "created", ["", "1970-01-01T00:00:00Z", "1980-01-01T00:00:01Z", "0001-01-01T00:00:00Z", "yesterday"]
)
def test_times_that_are_none(created: str) -> None:
    assert age_text(created, NOW.timestamp()) == "N/A"


def test_text_from_outside_can_not_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A", "B"), [("x\x1b[2J", "y\nz"), ("long cell", "")])
    assert capsys.readouterr().out == "A           B\nx [2J       y z\nlong cell\n"
    assert plain("a\u202eb\x07") == "a b "


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("alpine", Place("docker", "alpine")),
        ("docker://quay.io/a/b:1", Place("docker", "quay.io/a/b:1")),
        ("localhost:5000/a", Place("docker", "localhost:5000/a")),
        ("oci:folder", Place("oci", "folder")),
        ("oci:folder:1", Place("oci", "folder", "1")),
        ("docker-archive:a.tar:hub.test:5000/x:1", Place("docker-archive", "a.tar", "hub.test:5000/x:1")),
        ("local:a:1", Place("local", "a:1")),
    ],
)
def test_places(text: str, place: Place) -> None:
    assert Place.parse(text) == place


def test_the_reference_is_what_the_commands_say() -> None:
    assert PAGE.read_text() == reference(), "write it again: python -m havre.cli.reference > docs/reference/cli.md"
    assert [line[9:] for line in PAGE.read_text().splitlines() if line.startswith("## havre ")] == list(COMMANDS)


def test_the_manual_is_what_the_commands_say() -> None:
    page = PAGE.with_name("havre.1")
    assert page.read_text() == manual(), "write it again: python -m havre.cli.manual > docs/reference/havre.1"
    assert page.read_text().isascii()


def test_roff_has_no_complaint_about_the_manual() -> None:
    done = subprocess.run(
        [require("groff"), "-man", "-Tutf8", "-ww", "-rLL=100n", str(PAGE.with_name("havre.1"))],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    shown = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout)
    assert all(f"havre {name}" in shown for name in COMMANDS)
    assert "--password-stdin" in shown
    for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "ENVIRONMENT", "EXIT STATUS", "COMMANDS", "SEE ALSO"):
        assert f"\n{section}\n" in shown


HELP = """
import sys
sys.argv = ["havre", "--help"]
try:
    from havre.cli import main
    main()
finally:
    print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def test_help_comes_before_any_library_is_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, timeout=30, check=True)
    assert all(f"  {name} " in done.stdout for name in COMMANDS)
    assert not {"httpx", "rich", "asyncio", "fastapi", "sqlalchemy"} & set(done.stderr.split())
