"""oras for Python: files that are no images, pushed and pulled; and what refers to what."""

import os
from pathlib import Path

import pytest
from oras.client import OrasClient
from oras.oci import Subject

from tests.support.hub import ALICE, BOBBY, Hub, Person

pytestmark = pytest.mark.clients

LARGE = 3_000_000
BACKENDS = ("token", "basic")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that files are pushed from; logins are looked for below it, too."""
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "notes.txt").write_text("notes")
    (folder / "model.bin").write_bytes(os.urandom(LARGE))
    monkeypatch.chdir(folder)
    return folder


def oras(hub: Hub, folder: Path, person: Person | None = None, backend: str = "token") -> OrasClient:
    client = OrasClient(hostname=hub.host, insecure=True, auth_backend=backend)
    if person:
        logins = folder.parent / f"{person.name}.json"
        client.login(username=person.name, password=person.password, hostname=hub.host, config_path=str(logins))
    return client


def push(client: OrasClient, target: str, **more: object) -> str:
    """Push both files; returns the digest."""
    reply = client.push(target=target, files=["notes.txt", "model.bin"], quiet=True, **more)
    assert reply.status_code == 201
    return str(reply.headers["Docker-Content-Digest"])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("chunks", [False, True])
def test_files_come_back_as_they_were(quiet_hub: Hub, files: Path, tmp_path: Path, backend: str, chunks: bool) -> None:
    target = f"{quiet_hub.host}/alice/oras-{backend}-{chunks}:1".lower()
    push(oras(quiet_hub, files, ALICE, backend), target, do_chunked=chunks, chunk_size=1_000_000)
    pulled = oras(quiet_hub, files).pull(target=target, outdir=str(tmp_path / "pulled"))
    assert {Path(one).name: Path(one).read_bytes() for one in pulled} == {
        one.name: one.read_bytes() for one in files.iterdir()
    }


def test_tags_are_listed_and_deleted(quiet_hub: Hub, files: Path) -> None:
    client = oras(quiet_hub, files, ALICE)
    for tag in ("one", "two"):
        push(client, f"{quiet_hub.host}/alice/oras-tags:{tag}", manifest_annotations={"tag": tag})
    repository = f"{quiet_hub.host}/alice/oras-tags"
    assert client.get_tags(repository) == ["one", "two"]
    assert oras(quiet_hub, files, ALICE).delete_tags(repository, ["one"]) == ["one"]
    assert client.get_tags(repository) == ["two"]


def test_what_refers_to_an_artifact_is_listed(quiet_hub: Hub, files: Path) -> None:
    client = oras(quiet_hub, files, ALICE)
    target = f"{quiet_hub.host}/alice/oras-referred"
    digest = push(client, f"{target}:model")
    subject = Subject.from_manifest(client.get_manifest(f"{target}:model"))
    assert subject.digest == digest, "it came back byte for byte"
    signed = push(client, f"{target}:signature", subject=subject)
    listed = client.do_request(f"http://{quiet_hub.host}/v2/alice/oras-referred/referrers/{digest}").json()
    assert [one["digest"] for one in listed["manifests"]] == [signed]


def test_private_files_are_there_for_their_owner_alone(quiet_hub: Hub, files: Path, tmp_path: Path) -> None:
    target = f"{quiet_hub.host}/alice/oras-private:1"
    push(oras(quiet_hub, files, ALICE), target)
    quiet_hub.make_private(ALICE, "oras-private")
    for person in (None, BOBBY):
        with pytest.raises(ValueError, match="Issue with"):
            oras(quiet_hub, files, person).pull(target=target, outdir=str(tmp_path / "none"))
    assert len(oras(quiet_hub, files, ALICE).pull(target=target, outdir=str(tmp_path / "hers"))) == 2
