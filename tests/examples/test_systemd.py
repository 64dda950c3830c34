"""The service for systemd: a unit that systemd itself accepts, confined, with time to end."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from havre.server.wire.processes import KILL_SECONDS
from tests.support.charts import EXAMPLES
from tests.support.requirements import require

UNIT = EXAMPLES / "havre.service"
PROGRAM = "/opt/havre/.venv/bin/havre"


def asked(folder: Path, *words: str) -> str:
    """What systemd-analyze says of the unit, whose program is one that is here."""
    text = UNIT.read_text()
    assert f"ExecStart={PROGRAM} serve\n" in text
    unit = folder / UNIT.name
    unit.write_text(text.replace(PROGRAM, sys.executable))
    command = [require("systemd-analyze"), *words, unit]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_systemd_finds_nothing_to_complain_about(tmp_path: Path) -> None:
    assert asked(tmp_path, "verify", "--man=no") == ""


def test_little_is_left_to_take_away(tmp_path: Path) -> None:
    said = asked(tmp_path, "security", "--offline=true")
    found = re.search(r"Overall exposure level for havre.service: ([0-9.]+)", said)
    assert found
    assert float(found[1]) < 2


def test_a_stop_waits_as_long_as_the_server_takes() -> None:
    found = re.search(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(), re.MULTILINE)
    assert found
    assert int(found[1]) > KILL_SECONDS
