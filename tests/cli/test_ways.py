"""Ways to and from images: whole repositories, packed archives, proxies, what refers to an image, and shells."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import zstandard

from tests.support.images import OCI_MANIFEST, Image, digest_of, everywhere, small
from tests.support.peers import PASSWORD, Peer
from tests.support.requirements import require
from tests.support.terminal import Terminal

_numbers = itertools.count()


@pytest.fixture
def image() -> Image:
    return small(f"ways-{next(_numbers)}")


def test_a_whole_repository_goes_to_another_and_to_a_folder_and_back(
    alice: Terminal, peer: Peer, tmp_path: Path
) -> None:
    index, plain = everywhere(f"whole-{next(_numbers)}"), small(f"whole-{next(_numbers)}")
    source, target = f"{peer.host}/alice/{index.name}", f"{peer.host}/alice/{index.name}-too"
    alice("copy", f"oci:{index.layout(tmp_path)}", f"{source}:all")
    alice("copy", f"oci:{plain.layout(tmp_path)}", f"{source}:one")
    copied = alice("copy", "--all-tags", "-q", source, target).lines
    assert sorted(copied) == [f"all {index.digest}", f"one {plain.digest}"]
    assert sorted(alice("tags", target).lines) == ["all", "one"]
    assert len(alice("copy", "-a", "--json", target, "oci:folder").json()) == 2
    back = f"{target}-back"
    alice("copy", "-a", "oci:folder", back)
    assert alice("inspect", "--json", f"{back}:all").json()["digest"] == index.digest
    arm = alice("copy", "-a", "-q", "--platform", "linux/arm64", source, f"{target}-arm").lines
    assert f"all {index.images[1].digest}" in arm
    assert "leave its tag out" in alice("copy", "-a", f"{source}:one", target, code=2).err
    assert "copies between repositories and layouts" in alice("copy", "-a", "local:x", target, code=1).err
    alice("copy", "-a", f"{peer.host}/alice/nothing-{index.name}", target, code=4)


def test_an_archive_packed_with_zstd(alice: Terminal, image: Image, tmp_path: Path) -> None:
    plain = image.archive(tmp_path)
    packed = tmp_path / "packed.tar.zst"
    packed.write_bytes(zstandard.compress(plain.read_bytes()))
    assert alice("load", "-i", packed).out == f"Loaded image: {image.name}:latest\n"
    packed.write_bytes(packed.read_bytes()[:-10])
    assert "packed.tar.zst" in alice("load", "-i", packed, code=1).err


def artifact(subject: Image, kind: str) -> bytes:
    about = {"mediaType": OCI_MANIFEST, "digest": subject.digest, "size": len(subject.manifest)}
    empty = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest_of(b"{}"), "size": 2}
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": kind, "config": empty, "layers": [empty],
                "subject": about, "annotations": {"made.by": "a test"}}  # fmt: skip
    return json.dumps(document).encode()


def test_what_refers_to_an_image(alice: Terminal, peer: Peer, image: Image, tmp_path: Path) -> None:
    target = f"{peer.host}/alice/{image.name}"
    alice("copy", f"oci:{image.layout(tmp_path)}", f"{target}:1")
    assert alice("referrers", f"{target}:1").out == f"Nothing refers to {target}@{image.digest}\n"
    digests = {}
    for kind in ("application/vnd.example.signature", "application/vnd.example.sbom"):
        content = artifact(image, kind)
        folder = tmp_path / kind.rpartition(".")[2]
        (folder / "blobs/sha256").mkdir(parents=True)
        for blob in (content, b"{}"):
            (folder / "blobs/sha256" / digest_of(blob)[7:]).write_bytes(blob)
        entry = {"mediaType": OCI_MANIFEST, "digest": digest_of(content), "size": len(content)}
        (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        digests[kind] = digest_of(content)
        alice("copy", f"oci:{folder}", f"{target}@{digest_of(content)}")
    assert set(alice("referrers", "-q", f"{target}:1").lines) == set(digests.values())
    [sbom] = alice("referrers", "--json", "--artifact-type", "application/vnd.example.sbom", f"{target}:1").json()[
        "referrers"
    ]
    assert sbom["digest"] == digests["application/vnd.example.sbom"]
    shown = alice("referrers", f"{target}:1").out
    assert re.search(r"application/vnd.example.signature\s+sha256:\w+\s+\d+B\s+made.by=a test", shown)


class Proxy:
    """A proxy for HTTP and, by CONNECT, for anything: it remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError, ValueError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(65536)
            method, target, _ = head.split(b" ", 2)
            self.asked.append(f"{method.decode()} {target.decode()}")
            host = (target if method == b"CONNECT" else target.split(b"/", 3)[2]).decode()
            name, _, port = host.partition(":")
            with socket.create_connection((name, int(port or "80")), timeout=20) as server:
                if method == b"CONNECT":
                    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                else:
                    server.sendall(head.replace(target, b"/" + target.split(b"/", 3)[3], 1))
                threading.Thread(target=self._pump, args=(client, server), daemon=True).start()
                self._pump(server, client)

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(65536):
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    proxy = Proxy()
    yield proxy
    proxy.close()


def test_a_proxy_is_used_unless_it_is_not_to_be(
    stranger: Terminal, peer: Peer, proxy: Proxy, image: Image, tmp_path: Path
) -> None:
    host = peer.host.replace("127.0.0.1", "0.0.0.0")  # an address of this machine that does not look like it
    stranger.environ |= {"HTTP_PROXY": proxy.url, "HTTPS_PROXY": proxy.url, "HAVRE_INSECURE_REGISTRIES": host}
    stranger("login", host, "-u", "alice", "--password-stdin", typed=PASSWORD)
    stranger("copy", f"oci:{image.layout(tmp_path)}", f"{host}/alice/{image.name}:1")
    assert f"CONNECT {host}" in proxy.asked
    assert any(f" http://{host}/v2/" in one for one in proxy.asked)
    before = len(proxy.asked)
    stranger("tags", f"{peer.host}/alice/{image.name}", code=0 if peer.is_havre else 3)
    stranger.environ["NO_PROXY"] = "0.0.0.0"
    stranger("tags", f"{host}/alice/{image.name}")
    assert len(proxy.asked) == before


def completed(terminal: Terminal, line: str) -> list[str]:
    """What bash offers after ``line``."""
    program = f"""
        havre() {{ command {sys.executable} -m havre "$@"; }}
        eval "$(havre completion bash)"
        COMP_LINE={line!r} COMP_POINT={len(line)}
        _havre_completion
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        [require("bash"), "-c", program], env=terminal.environ, capture_output=True, text=True, check=True, timeout=60
    )
    assert not done.stderr
    return done.stdout.split()


def test_bash_completes_commands_options_and_images(tmp_path: Path, image: Image) -> None:
    marin = Terminal(tmp_path / "marin")
    marin("load", "-i", image.archive(tmp_path))
    marin("tag", image.name, f"localhost:5000/marin/{image.name}:1")
    assert completed(marin, "havre pu") == ["push", "pull"]
    assert completed(marin, "havre push --al") == ["--all-tags"]
    assert completed(marin, "havre push ") == [f"localhost:5000/marin/{image.name}:1", f"{image.name}:latest"]
    assert completed(marin, "havre push localhost:5000/ma") == [f"5000/marin/{image.name}:1"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_scripts_of_their_own(tmp_path: Path, shell: str) -> None:
    script = Terminal(tmp_path)("completion", shell).out
    assert "_HAVRE_COMPLETE" in script
    if found := shutil.which(shell):
        subprocess.run([found, "-n"], input=script, text=True, check=True, timeout=60)


def quickest(command: list[str]) -> float:
    """Seconds of CPU, of the quickest of five: others may use this machine too."""

    def once() -> float:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={"PATH": os.defpath})
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = status
        assert status == 0
        return used.ru_utime + used.ru_stime

    return min(once() for _ in range(5))


@pytest.mark.parametrize("words", [["--help"], ["push", "--help"], ["pack", "--help"]], ids=" ".join)
def test_help_is_there_at_once(words: list[str]) -> None:
    bare = quickest([sys.executable, "-c", "pass"])
    took = quickest([sys.executable, "-m", "havre", *words])
    assert took < 0.3
    assert took < 20 * bare + 0.1
