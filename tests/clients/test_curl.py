"""The registry by hand: curl, a token and a few requests, as in scripts and bug reports."""

import json
import re
from pathlib import Path

import pytest

from tests.support.documents import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, descriptor, digest_of, manifest
from tests.support.engines.command import run
from tests.support.engines.needs import SEARCHED, program
from tests.support.hub import ALICE, Hub

pytestmark = pytest.mark.clients

LARGE = 3_000_000
CONFIG = b'{"architecture":"amd64","os":"linux"}'
OCTETS = ("--header", "Content-Type: application/octet-stream")


class Curl:
    """curl with a token for one repository of alice's, in a folder of its own."""

    def __init__(self, hub: Hub, folder: Path, repository: str) -> None:
        self.hub, self.folder = hub, folder
        self.url = f"{hub.url}/v2/alice/{repository}"
        scope = f"scope=repository:alice/{repository}:pull,push,delete"
        signed_in = ("--user", f"{ALICE.name}:{ALICE.password}", "--get", "--data-urlencode", scope)
        self.token = json.loads(self(*signed_in, f"{hub.url}/auth/token"))["token"]

    def __call__(self, *arguments: str) -> str:
        """What curl prints of the answer, whatever its status."""
        proof = ("--oauth2-bearer", self.token) if hasattr(self, "token") else ()
        command = [program("curl"), "--silent", "--show-error", *proof, *arguments]
        return run(command, {"PATH": SEARCHED, "HOME": str(self.folder)}).ok()

    def status(self, *arguments: str) -> str:
        return self("--output", str(self.folder / "answer"), "--write-out", "%{http_code}", *arguments)

    def location(self, *arguments: str) -> str:
        """Where an answer's Location leads to."""
        head = self("--dump-header", "-", "--output", str(self.folder / "answer"), *arguments)
        found = re.search(r"^location: (\S+)", head, re.MULTILINE | re.IGNORECASE)
        assert found, head
        return self.hub.url + found[1]


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    path = tmp_path / "layer"
    path.write_bytes(bytes(range(256)) * (LARGE // 256))
    return path


def push(curl: Curl, path: Path) -> str:
    """A blob in one request; returns its digest."""
    digest = digest_of(path.read_bytes())
    # --upload-file would add its name to an address that ends in a slash.
    data = ("--data-binary", f"@{path}")
    assert curl.status(*data, *OCTETS, f"{curl.url}/blobs/uploads/?digest={digest}") == "201"
    return digest


def test_an_image_by_hand(quiet_hub: Hub, tmp_path: Path, layer: Path):
    curl = Curl(quiet_hub, tmp_path, "by-hand")
    (tmp_path / "config").write_bytes(CONFIG)
    push(curl, layer)
    push(curl, tmp_path / "config")
    image = manifest(descriptor(CONFIG, OCI_CONFIG), [descriptor(layer.read_bytes(), OCI_LAYER)])
    (tmp_path / "manifest").write_bytes(image)
    sent = ("--upload-file", str(tmp_path / "manifest"), "--header", f"Content-Type: {OCI_MANIFEST}")
    assert curl.status(*sent, f"{curl.url}/manifests/latest") == "201"
    assert curl(f"{curl.url}/manifests/latest").encode() == image
    assert json.loads(curl(f"{curl.url}/tags/list"))["tags"] == ["latest"]


def test_a_body_of_unknown_length_waits_for_nothing(quiet_hub: Hub, tmp_path: Path, layer: Path):
    curl = Curl(quiet_hub, tmp_path, "piped")
    upload = curl.location("--request", "POST", f"{curl.url}/blobs/uploads/")
    # curl asks for leave first ("Expect: 100-continue") and then sends in chunks.
    piped = ("--request", "PATCH", "--header", "Transfer-Encoding: chunked", "--header", "Expect: 100-continue")
    after = curl.location(*piped, "--upload-file", str(layer), upload)
    digest = digest_of(layer.read_bytes())
    assert curl.status("--request", "PUT", f"{after}?digest={digest}") == "201"


def test_an_upload_in_two_pieces_with_a_look_between(quiet_hub: Hub, tmp_path: Path, layer: Path):
    curl = Curl(quiet_hub, tmp_path, "pieces")
    content = layer.read_bytes()
    first, second = content[:1_000_000], content[1_000_000:]
    (tmp_path / "first").write_bytes(first)
    (tmp_path / "second").write_bytes(second)
    upload = curl.location("--request", "POST", f"{curl.url}/blobs/uploads/")
    chunk = ("--request", "PATCH", "--upload-file", str(tmp_path / "first"))
    upload = curl.location(*chunk, "--header", f"Content-Range: 0-{len(first) - 1}", upload)
    assert f"range: 0-{len(first) - 1}" in curl("--include", upload).lower()
    last = ("--upload-file", str(tmp_path / "second"), "--header", f"Content-Range: {len(first)}-{len(content) - 1}")
    assert curl.status(*last, f"{upload}?digest={digest_of(content)}") == "201"


def test_a_download_that_broke_goes_on(quiet_hub: Hub, tmp_path: Path, layer: Path):
    curl = Curl(quiet_hub, tmp_path, "resumed")
    digest = push(curl, layer)
    part = tmp_path / "part"
    part.write_bytes(layer.read_bytes()[:1_234_567])
    curl("--continue-at", "-", "--output", str(part), f"{curl.url}/blobs/{digest}")
    assert part.read_bytes() == layer.read_bytes()


def test_a_download_that_is_known_is_not_repeated(quiet_hub: Hub, tmp_path: Path, layer: Path):
    curl = Curl(quiet_hub, tmp_path, "known")
    blob = f"{curl.url}/blobs/{push(curl, layer)}"
    etag = str(tmp_path / "etag")
    assert curl.status("--etag-save", etag, blob) == "200"
    assert curl.status("--etag-compare", etag, blob) == "304"


def test_the_password_itself_will_do(quiet_hub: Hub, tmp_path: Path, layer: Path):
    curl = Curl(quiet_hub, tmp_path, "password")
    digest = push(curl, layer)
    del curl.token
    signed_in = ("--user", f"{ALICE.name}:{ALICE.password}")
    assert curl.status(*signed_in, "--head", f"{curl.url}/blobs/{digest}") == "200"
    assert curl.status(*signed_in, "--request", "DELETE", f"{curl.url}/blobs/{digest}") == "202"
    assert curl.status(*signed_in, "--head", f"{curl.url}/blobs/{digest}") == "404"


def test_a_refusal_says_why(quiet_hub: Hub, tmp_path: Path):
    curl = Curl(quiet_hub, tmp_path, "refused")
    told = json.loads(curl(f"{curl.url}/manifests/none"))
    assert told["errors"][0]["code"] == "NAME_UNKNOWN"
    assert "alice/refused" in told["errors"][0]["message"]
