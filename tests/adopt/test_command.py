"""How ``havre import`` speaks: a bar on a terminal, lines in logs, one figure for scripts; and whom it refuses."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tests.adopt.test_distribution import run
from tests.support.images import small
from tests.support.requirements import require_root
from tests.support.server import HavreProcess
from tests.support.terminal import Terminal

MakeHavre = Callable[[], HavreProcess]


def test_a_terminal_shows_a_bar_and_a_log_lines(havre: MakeHavre, tmp_path: Path) -> None:
    server, layout = havre(), small("shown").layout(tmp_path)
    terminal = Terminal(tmp_path / "home")
    terminal.environ["HAVRE_DATA"] = str(server.data)
    code, shown = terminal.on_screen("import", layout, "--into", "alice/one")
    assert code == 0
    assert "[1/1] shown.oci" in shown
    assert "━" in shown
    assert "came: 1 repository, 1 tag, 1 manifest, 2 blobs (4" in shown
    lines = terminal("import", layout, "--into", "alice/two").lines
    assert lines[0] == "[1/1] shown.oci: 1 manifest so far, 0B copied"
    assert lines[1] == "came: 1 repository, 1 tag, 1 manifest, 0 blobs (0B)"
    quiet = terminal("import", layout, "--into", "alice/three", "--quiet")
    assert (quiet.lines, quiet.err) == (["1 repository, 1 tag, 1 manifest, 0 blobs (0B)"], "")


def test_root_does_not_write_into_what_belongs_to_another(havre: MakeHavre, tmp_path: Path) -> None:
    require_root()
    server = havre()
    os.chown(server.data, 12345, 12345)
    done = run(server, small("owned").layout(tmp_path), "--into", "alice/app")
    assert done.returncode == 1
    assert "belongs to user 12345" in done.stderr
    assert not list(server.data.glob("blobs/*/*/*"))
