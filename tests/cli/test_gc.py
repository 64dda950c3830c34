"""``havre gc`` as a process of its own, alone and beside a serving one that is pushed to."""

import base64
import hashlib
import json
import os
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.support.documents import OCI_EMPTY, OCI_LAYER, OCI_MANIFEST, descriptor, manifest
from tests.support.server import HAVRE, HavreProcess

PASSWORD = "correct horse 9"


def gc(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ.get("PATH", os.defpath), "HAVRE_DATA": str(data), "HAVRE_GC_PACE": "0"}
    return subprocess.run([*HAVRE, "gc", *words], env=environ, capture_output=True, text=True, check=False, timeout=120)


class Pusher:
    """Pushes images over the wire, as little as that takes."""

    def __init__(self, havre: HavreProcess) -> None:
        environ = {"PATH": os.environ.get("PATH", os.defpath), "HAVRE_DATA": str(havre.data)}
        words = ["user", "add", "alice", "--email", "alice@example.org", "--password-stdin"]
        subprocess.run([*HAVRE, *words], env=environ, input=PASSWORD, text=True, check=True, capture_output=True)
        self.url, self.token = havre.url, ""

    def sign_in(self) -> None:
        scope = "repository:alice/app:pull,push,delete"
        request = urllib.request.Request(f"{self.url}/auth/token?service=x&scope={scope}")
        request.add_header("Authorization", "Basic " + base64.b64encode(f"alice:{PASSWORD}".encode()).decode())
        with urllib.request.urlopen(request, timeout=30) as reply:
            self.token = json.load(reply)["token"]

    def call(self, method: str, path: str, body: bytes | None = None, kind: str = "application/octet-stream") -> bytes:
        request = urllib.request.Request(self.url + path, data=body, method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        request.add_header("Content-Type", kind)
        with urllib.request.urlopen(request, timeout=60) as reply:
            content: bytes = reply.read()
            return content

    def blob(self, content: bytes) -> None:
        digest = hashlib.sha256(content).hexdigest()
        self.call("POST", f"/v2/alice/app/blobs/uploads/?digest=sha256:{digest}", content)

    def image(self, seed: str, tag: str) -> bytes:
        layer, config = f"layer of {seed}".encode() * 50, b"{}"
        self.blob(config)
        self.blob(layer)
        document = manifest(descriptor(config, OCI_EMPTY), [descriptor(layer, OCI_LAYER)])
        self.call("PUT", f"/v2/alice/app/manifests/{tag}", document, OCI_MANIFEST)
        return document

    def pull(self, tag: str) -> None:
        document = json.loads(self.call("GET", f"/v2/alice/app/manifests/{tag}"))
        for one in (document["config"], *document["layers"]):
            content = self.call("GET", f"/v2/alice/app/blobs/{one['digest']}")
            assert f"sha256:{hashlib.sha256(content).hexdigest()}" == one["digest"]


def test_content_is_freed_beside_a_server(start_havre: Callable[..., HavreProcess]) -> None:
    havre = start_havre()
    pusher = Pusher(havre)
    pusher.sign_in()
    pusher.image("kept", "latest")
    pusher.blob(b"unneeded" * 1000)
    digest = hashlib.sha256(b"unneeded" * 1000).hexdigest()
    dry = gc(havre.data, "--dry-run", "--grace", "0")
    assert dry.returncode == 0, dry.stderr
    assert "would free 0B now" in dry.stdout
    said = gc(havre.data, "--why", f"sha256:{digest}").stdout
    assert said.splitlines()[0].startswith(f"sha256:{digest}: content, ")
    assert "no manifest there names it (yet)" in said
    reports = [json.loads(gc(havre.data, "--grace", "0", "--json").stdout) for _ in range(3)]
    assert [one["stages"]["links"]["condemned"] for one in reports] == [1, 0, 0]
    assert [one["freed"] for one in reports] == [0, 0, 8000]
    pusher.pull("latest")
    refused = gc(havre.data, "--why", f"sha256:{digest}")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "nothing here has the digest" in refused.stderr
    wrong = gc(havre.data, "--why", "sha256:xyz")
    assert wrong.returncode == 1


def test_images_are_whole_while_collections_run_in_a_loop(start_havre: Callable[..., HavreProcess]) -> None:
    """The grace is some seconds, longer than any push here takes, so that content comes and goes all the time."""
    havre = start_havre()
    pusher = Pusher(havre)
    stop = threading.Event()
    failures: list[str] = []
    condemned: list[int] = []

    def collect() -> None:
        while not stop.is_set():
            done = gc(havre.data, "--grace", str(5 / 3600), "--json")
            if done.returncode:
                failures.append(done.stderr)
            else:
                condemned.append(json.loads(done.stdout)["stages"]["links"]["condemned"])

    collecting = threading.Thread(target=collect)
    collecting.start()
    try:
        until = time.monotonic() + 12
        turn = 0
        while time.monotonic() < until:
            turn += 1
            pusher.sign_in()
            # The same few contents lose their last name and get it back.
            for tag in ("one", "three"):
                pusher.image(f"{turn % 2} {tag}", tag)
                pusher.pull(tag)
            # By digest, so that nothing names its layer for a while.
            two = pusher.image(f"{turn // 8 % 2} two", "two")
            pusher.call("DELETE", f"/v2/alice/app/manifests/sha256:{hashlib.sha256(two).hexdigest()}")
    finally:
        stop.set()
        collecting.join()
    assert failures == []
    assert turn > 3
    assert sum(condemned) > 0
    for tag in ("one", "three"):
        pusher.pull(tag)
