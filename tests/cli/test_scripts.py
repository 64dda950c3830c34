"""Words for scripts: every command of the client is silent or speaks JSON when asked; bars are for people at a terminal."""

from __future__ import annotations

import itertools
import re
from importlib import import_module
from pathlib import Path

import pytest
import typer

from tests.support.images import Image, layer, noise
from tests.support.peers import PASSWORD, Peer
from tests.support.terminal import Terminal

_numbers = itertools.count()
CLIENT = (
    *("login", "logout", "pack", "load", "save", "images", "tag", "push", "pull", "copy", "rmi", "diff"),
    *("tags", "search", "referrers", "delete"),
)


@pytest.fixture
def image() -> Image:
    return Image(f"scripted-{next(_numbers)}", (layer({"a": noise("scripted", 300_000)}),))


@pytest.mark.parametrize("name", CLIENT)
def test_every_command_knows_both(name: str) -> None:
    command = typer.main.get_command(import_module(f"havre.cli.{name}").app)
    known = {option for parameter in command.params for option in parameter.opts}
    assert {"-q", "--quiet", "--json"} <= known


def test_a_login_and_its_end(stranger: Terminal, peer: Peer) -> None:
    words = ("-u", "alice", "--password-stdin")
    assert stranger("login", "-q", peer.host, *words, typed=PASSWORD).out == f"{peer.host}\n"
    stranger("logout", peer.host)
    # The warning comes once for each place; this is a new one.
    stranger.environ["DOCKER_CONFIG"] = f"{stranger.home}/other"
    said = stranger("login", "--json", peer.host, *words, typed=PASSWORD)
    assert said.err == ""
    document = said.json()
    assert (document["registry"], document["username"]) == (peer.host, "alice")
    assert "unencrypted" in document["warning"]
    assert stranger("login", "--json", peer.host).json()["registry"] == peer.host
    assert stranger("logout", "--json", peer.host).json() == {"registry": peer.host, "removed": True}
    assert stranger("logout", "-q", peer.host).out == f"{peer.host}\n"
    assert stranger("logout", "--json", peer.host).json() == {"registry": peer.host, "removed": False}


def test_a_name_and_a_file(stranger: Terminal, image: Image, tmp_path: Path) -> None:
    stranger("load", "-q", "-i", image.archive(tmp_path))
    assert stranger("tag", image.name, "plain").out == ""
    assert stranger("tag", "-q", image.name, "hub.test/marin/app").out == "hub.test/marin/app:latest\n"
    named = stranger("tag", "--json", image.name, "hub.test/marin/app:2").json()
    assert named["name"] == "hub.test/marin/app:2"
    saved = stranger("save", "--json", "-o", "a.tar", "hub.test/marin/app:2").json()
    assert saved == {"file": "a.tar", "images": [{"digest": named["digest"], "names": ["hub.test/marin/app:2"]}]}
    assert stranger("save", "-q", "-o", "b.tar", "plain").out == "b.tar\n"
    assert "use -o FILE" in stranger("save", "--json", "plain", code=1).err


def test_bars_at_a_terminal(stranger: Terminal, image: Image, tmp_path: Path) -> None:
    archive = image.archive(tmp_path)
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "data").write_bytes(noise("bar", 300_000))
    for bar, words in {
        "Loading": ("load", "-i", archive),
        "Saving": ("save", "-o", "x.tar", image.name),
        "files in app": ("pack", folder, "-t", "x", "--entrypoint", "/x"),
    }.items():
        code, shown = stranger.on_screen(*words)
        assert code == 0
        assert re.search(rf"{bar} .*━.*kB", shown), shown
        code, shown = stranger.on_screen(words[0], "-q", *words[1:])
        assert "━" not in shown
