"""``havre import`` of OCI layouts: in a folder, in a tar, and a tree of them as zot keeps."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from havre.adopt.layouts import split_name
from tests.adopt.test_distribution import report, run
from tests.support import documents
from tests.support.foreign import Wire, needed_blobs
from tests.support.images import Image, everywhere, small
from tests.support.server import HavreProcess

MakeHavre = Callable[[], HavreProcess]
NAME = "org.opencontainers.image.ref.name"


def write(layout: Path, *contents: bytes) -> None:
    for content in contents:
        (layout / "blobs/sha256" / documents.digest_of(content)[7:]).write_bytes(content)


def name(layout: Path, *entries: dict[str, Any]) -> None:
    """Rewrite the index of a layout."""
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))


def entry(content: bytes, tag: str = "", media_type: str = documents.OCI_MANIFEST) -> dict[str, Any]:
    return documents.descriptor(content, media_type) | ({"annotations": {NAME: tag}} if tag else {})


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """An index with both its images, what signs it, and an image, all in one layout."""
    many, one = everywhere("many"), small("one")
    path = many.layout(tmp_path)
    shutil.copytree(one.layout(tmp_path) / "blobs", path / "blobs", dirs_exist_ok=True)
    signature = documents.artifact(
        subject=documents.descriptor(many.manifest, documents.OCI_INDEX), artifactType="application/vnd.example.sig"
    )
    write(path, signature, documents.EMPTY)
    name(path, entry(many.manifest, "1", documents.OCI_INDEX), entry(one.manifest, "one"), entry(signature))
    return path


def assert_came(ours: Wire, repository: str, layout: Path, tags: list[str]) -> None:
    assert ours.tags(repository) == tags
    index = json.loads((layout / "index.json").read_text())["manifests"]
    children = json.loads(everywhere("many").manifest)["manifests"]
    for one in [*index, *children]:
        answer = ours.manifest(repository, one["digest"])
        assert (answer.status, answer.media_type) == (200, one["mediaType"])
        assert answer.body == (layout / "blobs/sha256" / one["digest"][7:]).read_bytes()
        for blob in needed_blobs(answer.body):
            kept = (layout / "blobs/sha256" / blob[7:]).read_bytes()
            assert ours.get(f"{repository}/blobs/{blob}").body == kept
    [signature] = ours.referrers(repository, index[0]["digest"])
    assert signature["artifactType"] == "application/vnd.example.sig"


@pytest.mark.parametrize("packed", [False, True])
def test_one_layout_becomes_one_repository(layout: Path, havre: MakeHavre, tmp_path: Path, packed: bool) -> None:
    source = layout
    if packed:
        source = tmp_path / "app.tar"
        with tarfile.open(source, "w") as tar:
            tar.add(layout, ".")
    with havre() as server:
        done = report(server, source, "--into", "alice/app")
        assert (done["brought"]["repositories"], done["brought"]["tags"], done["brought"]["manifests"]) == (1, 2, 5)
        assert_came(Wire(server.host), "alice/app", layout, ["1", "one"])
        again = report(server, source, "--into", "alice/app")
        assert (again["brought"]["manifests"], again["brought"]["tags"], again["present"]["tags"]) == (0, 0, 2)


def test_a_layout_without_a_name_is_called_as_its_folder(layout: Path, havre: MakeHavre) -> None:
    with havre() as server:
        report(server, layout, "--into", "alice")
        assert_came(Wire(server.host), "alice/many.oci", layout, ["1", "one"])


def test_whole_names_in_a_layout_are_repositories(layout: Path, havre: MakeHavre) -> None:
    index = json.loads((layout / "index.json").read_text())["manifests"]
    index[0]["annotations"][NAME] = "docker.io/alice/many:1"
    index[1]["annotations"] = {"io.containerd.image.name": "localhost:5000/team/one:one", NAME: "one"}
    name(layout, *index)
    with havre() as server:
        report(server, layout, "--into", "bobby")
        ours = Wire(server.host)
        assert (ours.tags("alice/many"), ours.tags("bobby/team/one")) == (["1"], ["one"])
        assert ours.referrers("alice/many", index[0]["digest"]), "it went with its subject"


def test_a_tree_of_layouts_keeps_its_paths(layout: Path, havre: MakeHavre, tmp_path: Path) -> None:
    tree = tmp_path / "zot"
    shutil.copytree(layout, tree / "alice/many")
    shutil.copytree(layout, tree / "team/deep/many")
    with havre() as server:
        done = report(server, tree, "--into", "bobby")
        assert done["brought"]["repositories"] == 2
        for repository in ("alice/many", "bobby/team/deep/many"):
            assert_came(Wire(server.host), repository, layout, ["1", "one"])


def test_what_is_missing_in_a_layout_is_named(layout: Path, havre: MakeHavre) -> None:
    one = small("one")
    (layout / "blobs/sha256" / documents.digest_of(one.layers[0].gz)[7:]).unlink()
    told = report(havre(), layout, "--into", "alice/app", code=1)
    assert [(left["kind"], left["why"]) for left in told["damaged"]] == [("blob", "missing in the source")]
    assert {left["what"] for left in told["skipped"]} == {one.digest, "one"}
    assert told["brought"]["manifests"] == 4


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1.0", ("", "1.0")),
        ("app:1.0", ("app", "1.0")),
        ("docker.io/library/app:1.0", ("library/app", "1.0")),
        ("localhost:5000/team/app", ("team/app", "latest")),
        ("team/app:1@sha256:00", ("team/app", "1")),
    ],
)
def test_names_in_an_index(text: str, found: tuple[str, str]) -> None:
    assert split_name(text) == found


def plain(tmp_path: Path, tag: str = "latest") -> Path:
    image = Image("plain", small("plain").layers)
    path = image.layout(tmp_path)
    name(path, entry(image.manifest, tag))
    return path


@pytest.mark.parametrize(
    ("there", "flags", "told"),
    [
        ("alice/Team_/app", ["--into", "bobby"], "--rename alice/Team_/app=alice/team/app"),
        ("nobody/app", [], "say --into NAMESPACE; or --rename nobody/app=NAMESPACE/nobody/app"),
        ("app", [], "say --into NAMESPACE, which is library for official images"),
        ("alice/app/tags", [], "--rename alice/app/tags=alice/app/tags-images"),
    ],
)
def test_a_name_that_can_not_be_is_told_with_a_remedy(
    havre: MakeHavre, tmp_path: Path, there: str, flags: list[str], told: str
) -> None:
    shutil.copytree(plain(tmp_path), tmp_path / "tree" / there)
    server = havre()
    [left] = report(server, tmp_path / "tree", *flags, code=1)["skipped"]
    assert (left["kind"], left["where"]) == ("repository", there)
    assert told in left["why"]
    renamed = report(server, tmp_path / "tree", "--rename", f"{there}=bobby/another")
    assert renamed["brought"]["repositories"] == 1


def test_a_tag_that_can_not_be_stays_and_its_image_comes(havre: MakeHavre, tmp_path: Path) -> None:
    told = report(havre(), plain(tmp_path, "1.0+build"), "--into", "alice/app", code=1)
    [left] = told["skipped"]
    assert "tag it there as '1.0-build'" in left["why"]
    assert (told["brought"]["manifests"], told["brought"]["tags"]) == (1, 0)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--into", "No Such"], "is no namespace"),
        (["--visibility", "hidden"], "neither public nor private"),
        (["--rename", "nothing"], "write NAME_THERE=NAME_HERE"),
        (["--repository", "zzz/*"], "holds no repository that fits zzz/*"),
    ],
)
def test_a_slip_is_told_in_one_line(havre: MakeHavre, tmp_path: Path, flags: list[str], sentence: str) -> None:
    done = run(havre(), plain(tmp_path), *flags)
    assert done.returncode == 1
    assert done.stderr.startswith("havre: ")
    assert sentence in done.stderr


@pytest.mark.parametrize("what", ["nowhere", "empty", "text"])
def test_what_is_no_tree_is_refused(havre: MakeHavre, tmp_path: Path, what: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_bytes(b"x" * 2000)
    done = run(havre(), tmp_path / what)
    assert done.returncode == 1
    assert done.stderr.startswith("havre: ")
    assert done.stderr.count("\n") == 1


def test_plans_and_default_visibility(havre: MakeHavre, tmp_path: Path) -> None:
    server = havre()
    server.command("plan", "set", "free", "--private", "0", "--storage", "1kB")
    report(server, plain(tmp_path), "--into", "alice/app", "--visibility", "private")
    with server:
        assert Wire(server.host).manifest("alice/app", "latest").status in {401, 404}
        assert Wire(server.host, "alice:correct horse 9").manifest("alice/app", "latest").status == 200
