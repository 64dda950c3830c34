"""Whole repositories take along what refers to their images, wherever a registry lists it: by its API or by tags."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.images import OCI_INDEX, OCI_MANIFEST, digest_of, everywhere
from tests.support.peers import PASSWORD, DockerRegistry, Peer, havre_peer
from tests.support.server import HavreProcess
from tests.support.terminal import Terminal


def described(content: bytes, media_type: str = OCI_MANIFEST) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def refers(folder: Path, to: dict[str, object], kind: str) -> bytes:
    """An artifact about ``to``, in a layout of its own; gives its manifest."""
    empty = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest_of(b"{}"), "size": 2}
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": kind, "config": empty, "layers": [empty],
                "subject": to}  # fmt: skip
    content = json.dumps(document).encode()
    (folder / "blobs/sha256").mkdir(parents=True)
    for blob in (content, b"{}"):
        (folder / "blobs/sha256" / digest_of(blob)[7:]).write_bytes(blob)
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [described(content)]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return content


@pytest.fixture
def other(peer: Peer, havre_registry: HavreProcess, docker_registry: DockerRegistry) -> Peer:
    """The registry that ``peer`` is not."""
    if peer.host == havre_registry.host:
        return Peer("docker-registry", docker_registry.host)
    return havre_peer(havre_registry)


def test_what_refers_comes_along(alice: Terminal, peer: Peer, other: Peer, tmp_path: Path) -> None:
    index = everywhere("with-signatures")
    source = f"{peer.host}/alice/{index.name}"
    alice("login", other.host, "-u", "alice", "--password-stdin", typed=PASSWORD)
    alice("copy", f"oci:{index.layout(tmp_path)}", f"{source}:1")
    child = index.images[0]
    signature = refers(tmp_path / "a", described(index.manifest, OCI_INDEX), "application/vnd.example.signature")
    sbom = refers(tmp_path / "b", described(child.manifest), "application/vnd.example.sbom")
    above = refers(tmp_path / "c", described(sbom), "application/vnd.example.signature")
    for folder, content in (("a", signature), ("b", sbom), ("c", above)):
        alice("copy", f"oci:{tmp_path / folder}", f"{source}@{digest_of(content)}")
    expected = {index.digest: signature, child.digest: sbom, digest_of(sbom): above}

    def arrived(repository: str) -> None:
        for subject, content in expected.items():
            assert alice("referrers", "-q", f"{repository}@{subject}").lines == [digest_of(content)]
            alice("inspect", "--json", f"{repository}@{digest_of(content)}")

    target = f"{other.host}/alice/{index.name}-copied"
    said = alice("copy", "-a", "--json", source, target).json()
    [document] = [one for one in said if one["tag"] == "1"]
    assert set(document["referrers"]) == {digest_of(content) for content in expected.values()}
    arrived(target)
    alice("copy", "-a", source, "oci:folder")
    back = f"{peer.host}/alice/{index.name}-back"
    assert alice("copy", "-a", "oci:folder", back).out.count("1: referrer: sha256:") == 3
    arrived(back)


def test_a_list_of_referrers_at_the_target_is_added_to(
    stranger: Terminal, docker_registry: DockerRegistry, tmp_path: Path
) -> None:
    stranger("login", docker_registry.host, "-u", "alice", "--password-stdin", typed=PASSWORD)
    index = everywhere("added-to")
    places = [f"{docker_registry.host}/alice/{index.name}-{number}" for number in (1, 2)]
    kinds = []
    for number, place in enumerate(places):
        stranger("copy", f"oci:{index.layout(tmp_path)}", f"{place}:1")
        content = refers(tmp_path / str(number), described(index.manifest, OCI_INDEX), f"application/vnd.test.{number}")
        stranger("copy", f"oci:{tmp_path / str(number)}", f"{place}@{digest_of(content)}")
        kinds.append(digest_of(content))
    stranger("copy", "-a", *places)
    assert set(stranger("referrers", "-q", f"{places[1]}:1").lines) == set(kinds)
