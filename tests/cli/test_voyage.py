"""The way with no engine: login, load, tag, push, pull, images, as the README says it."""

import itertools
import json
import re
import stat
from pathlib import Path

import pytest

from tests.support.images import Image, everywhere, layer, noise, small
from tests.support.peers import PASSWORD, Peer
from tests.support.terminal import Terminal

_numbers = itertools.count()


@pytest.fixture
def image() -> Image:
    """An image that no registry knows yet."""
    name = f"hello-{next(_numbers)}"
    return Image(name, (layer({"a": noise(name, 400_000)}), layer({"b": name.encode()})))


def digest_in(text: str) -> str:
    found = re.search(r"sha256:[0-9a-f]{64}", text)
    assert found
    return found[0]


def test_the_readmes_third_way(peer: Peer, image: Image, tmp_path: Path) -> None:
    marin = Terminal(tmp_path / "marin")
    target = f"{peer.host}/alice/{image.name}"
    login = marin("login", peer.host, "-u", "alice", "--password-stdin", typed=f"{PASSWORD}\n")
    assert login.out == "Login Succeeded\n"
    assert "stored unencrypted" in login.err
    config = marin.home / ".docker/config.json"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert list(json.loads(config.read_text())["auths"]) == [peer.host]

    assert marin("load", "-i", image.archive(tmp_path)).out == f"Loaded image: {image.name}:latest\n"
    assert marin("tag", image.name, target).out == ""
    pushed = marin("push", target).lines
    assert pushed[0] == f"The push refers to repository [{target}]"
    assert sorted(line[14:] for line in pushed[1:4]) == ["Pushed"] * 3
    assert re.fullmatch(r"latest: digest: sha256:[0-9a-f]{64} size: \d+", pushed[4])
    again = marin("push", target).lines
    assert [line[14:] for line in again[1:4]] == ["Layer already exists"] * 3
    assert again[4] == pushed[4]

    other = Terminal(tmp_path / "other")
    other("login", peer.host, "-u", "alice", "--password-stdin", typed=PASSWORD)
    pulled = other("pull", target).lines
    assert pulled[0] == f"latest: Pulling from alice/{image.name}"
    assert [line[14:] for line in pulled[1:4]] == ["Pull complete"] * 3
    assert pulled[4:] == [
        f"Digest: {digest_in(pushed[4])}",
        f"Status: Downloaded newer image for {target}:latest",
        f"{target}:latest",
    ]
    assert f"Status: Image is up to date for {target}:latest" in other("pull", target).lines
    head, row = other("images").lines
    assert head.split() == ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]
    assert row.split()[:3] == [target, "latest", digest_in(pushed[4])[7:19]]


def test_wrong_passwords_and_logging_out(peer: Peer, image: Image, tmp_path: Path, stranger: Terminal) -> None:
    wrong = stranger("login", peer.host, "-u", "alice", "--password-stdin", typed="wrong horse 8", code=3)
    assert wrong.err == f"havre: {peer.host}: wrong user name, password or access token\n"
    assert not (stranger.home / ".docker").exists()
    refused = stranger("login", peer.host, "-u", "alice", code=2)
    assert "non TTY device" in refused.err
    stranger("login", f"http://{peer.host}/v2/", "-u", "alice", "-p", PASSWORD)
    kept = stranger("login", peer.host)
    assert kept.lines == ["Authenticating with existing credentials... [Username: alice]", "Login Succeeded"]
    stranger("load", "-i", image.archive(tmp_path))
    stranger("tag", image.name, f"{peer.host}/alice/{image.name}")
    assert stranger("logout", peer.host).out == f"Removing login credentials for {peer.host}\n"
    assert stranger("logout", peer.host).out == f"Not logged in to {peer.host}\n"
    refused = stranger("push", f"{peer.host}/alice/{image.name}", code=3)
    assert f"log in first: havre login {peer.host}" in refused.err


def test_a_default_registry(peer: Peer, image: Image, tmp_path: Path, stranger: Terminal) -> None:
    stranger.environ["HAVRE_REGISTRY"] = peer.host
    stranger("login", "-u", "alice", "--password-stdin", typed=PASSWORD)
    stranger("load", "-i", image.archive(tmp_path))
    stranger("tag", image.name, f"alice/{image.name}:1")
    assert stranger("push", f"alice/{image.name}:1").lines[0].endswith(f"[{peer.host}/alice/{image.name}]")
    assert stranger("tags", f"alice/{image.name}").lines == ["1"]
    assert f"alice/{image.name}" in stranger("search", image.name).out
    assert stranger("search", "--quiet", f"{peer.host}/{image.name}").lines == [f"alice/{image.name}"]


def test_a_second_repository_is_mounted_not_sent(alice: Terminal, peer: Peer, image: Image, tmp_path: Path) -> None:
    first, second = f"{peer.host}/alice/{image.name}", f"{peer.host}/alice/{image.name}-too"
    alice("load", "-i", image.archive(tmp_path))
    for name in (first, second):
        alice("tag", image.name, name)
    alice("push", first)
    assert [line[14:] for line in alice("push", second).lines[1:4]] == [f"Mounted from alice/{image.name}"] * 3


def test_all_tags_and_words_for_scripts(alice: Terminal, peer: Peer, image: Image, tmp_path: Path) -> None:
    target = f"{peer.host}/alice/{image.name}"
    assert alice("load", "--quiet", "-i", image.archive(tmp_path)).lines == [f"{image.name}:latest"]
    for tag in ("1", "2"):
        alice("tag", image.name, f"{target}:{tag}")
    assert alice("push", "-q", "-a", target).lines == [f"{target}:1", f"{target}:2"]
    [one] = alice("push", "--json", f"{target}:1").json()
    assert one["name"] == f"{target}:1"
    assert {blob["state"] for blob in one["blobs"]} == {"exists"}
    assert sorted(alice("tags", "--json", target).json()) == ["1", "2"]
    assert sorted(alice("pull", "-q", "-a", target).lines) == [f"{target}:1", f"{target}:2"]
    [pulled] = alice("pull", "--json", f"{target}:2").json()
    assert pulled["digest"] == one["digest"]
    assert {row["name"] for row in alice("images", "--json", target).json()} == {f"{target}:1", f"{target}:2"}
    assert alice("images", "-q", target).lines == [one["digest"][7:19]]


def test_several_platforms(alice: Terminal, peer: Peer, tmp_path: Path) -> None:
    index = everywhere(f"several-{next(_numbers)}")
    source, target = f"oci:{index.layout(tmp_path)}", f"{peer.host}/alice/{index.name}"
    assert alice("copy", source, f"{target}:1").lines[-1].startswith(f"{target}:1: digest: {index.digest}")
    assert alice("copy", "-q", f"{target}:1", f"{target}-too:1").lines == [index.digest]
    alice("pull", f"{target}:1")
    [row] = alice("images", "--json", target).json()
    assert row["digest"] == index.images[0].digest
    alice("pull", "--platform", "linux/arm64", f"{target}:1")
    alice("pull", "--all-platforms", f"{target}:1")
    [row] = alice("images", "--json", target).json()
    assert row["digest"] == index.digest
    refused = alice("pull", "--platform", "plan9/mips", f"{target}:1", code=4)
    assert "no matching manifest for plan9/mips" in refused.err
    assert "invalid platform" in alice("pull", "--platform", "linux", f"{target}:1", code=2).err


def test_what_an_image_is_made_of(alice: Terminal, peer: Peer, image: Image, tmp_path: Path) -> None:
    target = f"{peer.host}/alice/{image.name}:1"
    alice("copy", f"oci:{image.layout(tmp_path)}", target)
    shown = alice("inspect", target).out
    assert f"Digest:      {image.digest}" in shown
    assert "Cmd:         /hello" in shown
    assert re.search(r"sha256:[0-9a-f]{64}\s+400kB\s+layer 0", shown)
    assert alice.raw("inspect", "--raw", target) == image.manifest
    assert alice("inspect", "--config", target).json() == json.loads(image.config)
    document = alice("inspect", "--json", target).json()
    assert [one["digest"] for one in document["layers"]] == [one.digest for one in image.layers]
    alice("load", "-i", image.archive(tmp_path))
    assert "Cmd:         /hello" in alice("inspect", image.name).out
    assert "manifest unknown" in alice("inspect", f"{target}x", code=4).err


def test_deleting(alice: Terminal, peer: Peer, image: Image, tmp_path: Path) -> None:
    target = f"{peer.host}/alice/{image.name}"
    alice("copy", f"oci:{image.layout(tmp_path)}", f"{target}:1")
    assert "names no tag" in alice("delete", target, code=2).err
    if peer.is_havre:
        assert alice("delete", f"{target}:1").out == f"Deleted: {target}:1\n"
        alice("pull", f"{target}:1", code=4)
    else:
        assert f"havre delete {target}@{image.digest}" in alice("delete", f"{target}:1", code=1).err
    assert alice("delete", f"{target}@{image.digest}").out == f"Deleted: {target}@{image.digest}\n"
    alice("pull", f"{target}@{image.digest}", code=4)


def test_saving_and_removing(alice: Terminal, peer: Peer, image: Image, tmp_path: Path) -> None:
    target = f"{peer.host}/alice/{image.name}:1"
    alice("load", "-i", image.archive(tmp_path))
    alice("tag", image.name, target)
    digest = alice("push", "--json", target).json()[0]["digest"]
    alice("save", "-o", "saved.tar", image.name, target)
    assert alice.raw("save", image.name, target) == (alice.home / "saved.tar").read_bytes()
    removed = alice("rmi", image.name).lines
    assert removed == [f"Untagged: {image.name}:latest"]
    removed = alice("rmi", digest[7:19]).lines
    assert removed[0] == f"Untagged: {target}"
    assert f"Deleted: {digest}" in removed
    assert alice("images", "-q").out == ""
    loaded = alice("load", typed=(alice.home / "saved.tar").read_bytes())
    assert loaded.lines == [f"Loaded image: {image.name}:latest", f"Loaded image: {target}"]
    alice("copy", f"docker-archive:saved.tar:{image.name}:latest", f"{target}-archived")
    alice("copy", f"local:{target}", "oci-archive:copied.tar:mine:2")
    assert alice("load", "-i", "copied.tar").lines == ["Loaded image: mine:2"]
    assert alice("inspect", "--json", "mine:2").json()["digest"] == digest
    assert alice("inspect", "--json", f"{target}-archived").json()["digest"] == digest


def test_what_is_not_here_is_said_not_to_be(alice: Terminal, peer: Peer) -> None:
    assert "does not exist locally with the tag: nothing:latest" in alice("push", "nothing", code=4).err
    assert "does not exist locally" in alice("tag", "nothing", "x", code=4).err
    assert "does not exist locally" in alice("rmi", "nothing", code=4).err
    assert "no local image has the ID" in alice("save", "-o", "x", f"sha256:{'0' * 64}", code=4).err
    assert "there is no file missing.tar" in alice("load", "-i", "missing.tar", code=1).err
    assert "invalid repository name" in alice("pull", f"{peer.host}/UPPER", code=2).err
    assert "no file nowhere.pem" in alice("pull", "--ca", "nowhere.pem", f"{peer.host}/alice/x", code=2).err
    assert alice("images").lines == ["REPOSITORY   TAG   IMAGE ID   CREATED   SIZE"]


def test_a_registry_that_is_not_there(stranger: Terminal) -> None:
    refused = stranger("pull", "127.0.0.1:1/alice/x", code=6)
    assert refused.err == (
        "havre: cannot reach 127.0.0.1:1: Connection refused; check the name and the port,"
        " and that the registry is running\n"
    )


def test_at_a_terminal_passwords_are_asked_for_and_bars_are_drawn(
    peer: Peer, tmp_path: Path, stranger: Terminal
) -> None:
    said: list[str] = []

    def answer(shown: str) -> str:
        for question, reply in (("Username: ", "alice\r"), ("Password: ", f"{PASSWORD}\r")):
            if shown.endswith(question) and question not in said:
                said.append(question)
                return reply
        return ""

    code, shown = stranger.on_screen("login", peer.host, answer=answer)
    assert (code, said) == (0, ["Username: ", "Password: "])
    assert "Login Succeeded" in shown
    assert PASSWORD not in shown
    image = small(f"bars-{next(_numbers)}", size=300_000)
    stranger("load", "-i", image.archive(tmp_path))
    stranger("tag", image.name, f"{peer.host}/alice/{image.name}")
    code, shown = stranger.on_screen("push", f"{peer.host}/alice/{image.name}")
    assert code == 0
    assert re.search(r"[0-9a-f]{12}: Pushed.*━", shown)
    assert "latest: digest: sha256:" in shown
