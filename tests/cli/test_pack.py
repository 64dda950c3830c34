"""From a folder to an image, with no engine: the same digest each time, in layers that are sent once."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from havre.images.project import Project
from tests.support.images import Image, Index, layer, this_architecture
from tests.support.peers import PASSWORD, Peer
from tests.support.requirements import require, require_root
from tests.support.terminal import Terminal
from tests.support.wheels import backends, wheel

PROJECT = """\
[project]
name = "python-hello-world"
version = "1.2"
description = "Greets whoever runs it"
license = {text = "MIT"}
authors = [{name = "Marin", email = "marin@example.org"}]
dependencies = ["greeting==1.0"]
[project.urls]
Homepage = "https://example.org"
Repository = "https://example.org/code"
[project.scripts]
python-hello-world = "hello:main"
"""
HELLO = "import sys, ssl, json\n\ndef main():\n    print('Hello, world! This is Python', sys.version.split()[0])\n"
AMD64, ARM64 = "linux/amd64", "linux/arm64"
PLAIN = "sha256:cac31ca953a9d8e126169de55986d171e4db7fc07e4ffdd53a6142a5732d5819"


@pytest.fixture
def marin(tmp_path: Path) -> Terminal:
    """Somebody without an engine, and without a package index: what pip needs lies in a folder."""
    terminal = Terminal(tmp_path / "marin")
    terminal.environ |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "wheels")}
    return terminal


def project(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def files_of(marin: Terminal, image: str) -> dict[str, tarfile.TarInfo]:
    marin("export", "-o", "files.tar", image)
    with tarfile.open(marin.home / "files.tar") as tar:
        return {one.name: one for one in tar}


def config_of(marin: Terminal, image: str, *more: str) -> Any:
    return marin("inspect", "--config", *more, image).json()


def test_from_a_folder_to_the_registry_in_three_commands(marin: Terminal, peer: Peer, tmp_path: Path) -> None:
    backends(tmp_path / "wheels")
    wheel(tmp_path / "wheels", "greeting", {"greeting.py": "WORD = 'Hello'\n"})
    folder = project(tmp_path / "python-hello-world", {"pyproject.toml": PROJECT, "src/hello.py": HELLO})
    target = f"{peer.host}/alice/packed"
    packed = marin("pack", folder, "-t", target).lines
    assert [line[14:].partition(" (")[0] for line in packed[1:4]] == [
        "havre pack: this machine's Python", "havre pack: dependencies", "havre pack: python-hello-world 1.2",
    ]  # fmt: skip
    marin("login", peer.host, "-u", "alice", "--password-stdin", typed=PASSWORD)
    assert packed[4].rpartition(" ")[2] in marin("push", target).lines[-1]
    labels = config_of(marin, target, "--remote")["config"]["Labels"]
    assert labels == {
        "org.opencontainers.image.title": "python-hello-world",
        "org.opencontainers.image.version": "1.2",
        "org.opencontainers.image.description": "Greets whoever runs it",
        "org.opencontainers.image.licenses": "MIT",
        "org.opencontainers.image.authors": "Marin <marin@example.org>",
        "org.opencontainers.image.url": "https://example.org",
        "org.opencontainers.image.source": "https://example.org/code",
    }


def test_the_image_greets_on_this_machines_own_python(marin: Terminal, tmp_path: Path) -> None:
    require_root()
    backends(tmp_path / "wheels")
    wheel(tmp_path / "wheels", "greeting", {"greeting.py": "WORD = 'Hello'\n"})
    folder = project(
        tmp_path / "p", {"pyproject.toml": PROJECT, "src/hello.py": f"import greeting, sqlite3, hashlib\n{HELLO}"}
    )
    marin("pack", folder, "-t", "hello")
    said = config_of(marin, "hello")["config"]
    root = tmp_path / "root"
    root.mkdir()
    marin("export", "-o", "files.tar", "hello")
    subprocess.run(["tar", "-xf", marin.home / "files.tar", "-C", root], check=True)
    environ = dict(variable.split("=", 1) for variable in said["Env"])
    done = subprocess.run(
        [require("chroot"), str(root), *said["Entrypoint"]], env={**os.environ, **environ}, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.stdout.startswith("Hello, world! This is Python"), done.stderr


def test_the_same_input_gives_the_same_digest(tmp_path: Path) -> None:
    files = {"app.py": "print(1)\n", "data/x.txt": "x", "empty/.keep": "", "run.sh": "#!/bin/sh\n"}
    digests = set()
    for number, umask in enumerate((0o022, 0o077)):
        before = os.umask(umask)
        try:
            folder = project(tmp_path / str(number), dict(sorted(files.items(), reverse=bool(number))))
        finally:
            os.umask(before)
        os.utime(folder / "app.py", (number, number))
        (folder / "run.sh").chmod(0o755 if number else 0o700)
        marin = Terminal(tmp_path / f"home{number}")
        digests.add(marin("pack", "-q", folder, "-t", "x", "--base", "scratch").out)
    assert len(digests) == 1
    (folder / "app.py").write_text("print(2)\n")
    assert marin("pack", "-q", folder, "-t", "x", "--base", "scratch").out not in digests


def test_the_date_is_that_of_the_source(marin: Terminal, tmp_path: Path) -> None:
    marin.environ["SOURCE_DATE_EPOCH"] = "1700000000"
    marin("pack", project(tmp_path / "p", {"x": "1"}), "-t", "x", "--entrypoint", "/x")
    assert config_of(marin, "x")["created"] == "2023-11-14T22:13:20Z"
    assert {one.mtime for one in files_of(marin, "x").values()} == {1_700_000_000}
    marin.environ["SOURCE_DATE_EPOCH"] = "yesterday"
    assert "number of seconds" in marin("pack", tmp_path / "p", "-t", "x", code=2).err


def test_what_is_left_out(marin: Terminal, tmp_path: Path) -> None:
    kept = {"keep.txt": "", "docs/keep.md": "", "a/b/deep.txt": "", "logs/important.log": ""}
    left_out = {".git/config": "", "x.pyc": "", "__pycache__/y": "", "env/pyvenv.cfg": "", "env/lib/z": "", "secret.env": "",
                "docs/draft.txt": "", "a/b/node_modules/m": "", "logs/trash.log": ""}  # fmt: skip
    rules = "# what stays here\n*.env\ndocs/*.txt\n**/node_modules\nlogs/*.log\n!logs/important.log\n"
    folder = project(tmp_path / "p", {**kept, **left_out, ".dockerignore": rules})
    marin("pack", folder, "-t", "x", "--entrypoint", "/x", "--workdir", "/srv/site")
    found = {name for name, one in files_of(marin, "x").items() if one.isfile()}
    assert found == {f"srv/site/{name}" for name in kept}


def test_links_stay_links_and_odd_files_are_refused(marin: Terminal, tmp_path: Path) -> None:
    folder = project(tmp_path / "p", {"x": "1"})
    (folder / "outside").symlink_to("/etc/passwd")
    marin("pack", folder, "-t", "x", "--entrypoint", "/x")
    assert files_of(marin, "x")["app/outside"].linkname == "/etc/passwd"
    os.mkfifo(folder / "pipe")
    assert "neither file, folder nor link" in marin("pack", folder, "-t", "x", code=1).err


def base_image(tmp_path: Path) -> str:
    """A made-up base for two platforms, with settings of its own, in an OCI layout."""
    images = tuple(
        Image("base", (layer({f"lib/{name}": name.encode()}),), ("/base",), "/base", name)
        for name in ("amd64", "arm64")
    )
    return f"oci:{Index('base', images).layout(tmp_path)}"


def test_several_platforms_on_a_base_share_what_they_can(marin: Terminal, tmp_path: Path) -> None:
    folder = project(tmp_path / "p", {"app.py": "print(1)\n", "requirements.txt": "speedy==1.0\n"})
    for kind in ("x86_64", "aarch64"):
        wheel(tmp_path / "wheels", "speedy", {"speedy.py": kind}, tag=f"cp311-cp311-manylinux_2_28_{kind}")
    packed = marin("pack", "--json", folder, "-t", "x", "--base", base_image(tmp_path), "--python", "3.11",
                   "--platform", AMD64, "--platform", ARM64, "--env", "A=1", "--cmd", '["-v"]', "--expose", "80").json()  # fmt: skip
    assert len(packed["layers"]) == 3
    document = marin("inspect", "--json", "x").json()
    assert [one["platform"]["architecture"] for one in document["platforms"]] == ["amd64", "arm64"]
    found = {}
    for platform in (AMD64, ARM64):
        image = marin("inspect", "--json", "--platform", platform, "x").json()
        found[platform] = [one["digest"] for one in image["layers"]]
        assert image["config"]["config"] == {
            "Entrypoint": ["python3", "app.py"],
            "Cmd": ["-v"],
            "WorkingDir": "/app",
            "Env": [
                "PATH=/opt/packages/bin:/usr/local/bin:/usr/bin:/bin",
                "PYTHONPATH=/app:/opt/packages",
                "PYTHONUNBUFFERED=1",
                "A=1",
            ],
            "ExposedPorts": {"80/tcp": {}},
            "Labels": image["config"]["config"]["Labels"],
        }
        marin("export", "-o", "files.tar", "--platform", platform, "x")
        with tarfile.open(marin.home / "files.tar") as tar:
            speedy = tar.extractfile("opt/packages/speedy.py")
            assert speedy
            assert speedy.read().decode() == {AMD64: "x86_64", ARM64: "aarch64"}[platform]
    assert found[AMD64][2] == found[ARM64][2]
    assert not set(found[AMD64][:2]) & set(found[ARM64][:2])


def test_a_change_of_the_program_leaves_the_layer_of_dependencies(marin: Terminal, tmp_path: Path) -> None:
    wheel(tmp_path / "wheels", "greeting", {"greeting.py": ""})
    folder = project(tmp_path / "p", {"main.py": "1", "requirements.txt": "greeting"})
    on = ("--base", base_image(tmp_path), "--python", "3.11")
    before = marin("pack", "--json", folder, "-t", "a:1", *on).json()["layers"]
    (folder / "main.py").write_text("2")
    after = marin("pack", "--json", folder, "-t", "a:2", *on).json()["layers"]
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, True]
    assert marin("diff", "-q", "a:1", "a:2").lines == ["app/main.py"]
    shown = marin("diff", "a:1", "a:2").out
    assert shown.count("\n  = ") == 2
    assert "  C app/main.py" in shown


def test_programs_of_dependencies_can_be_run(marin: Terminal, tmp_path: Path) -> None:
    wheel(tmp_path / "wheels", "tool", {
        "tool.py": "class App:\n    @staticmethod\n    def run(): print('ran')\n",
        "tool-1.0.dist-info/entry_points.txt": "[console_scripts]\ntool = tool:App.run\n../evil = tool:x\n[other]\nx = y\n",
        "tool-1.0.data/scripts/helper": "#!python\nprint('helped')\n",
        "tool-1.0.data/headers/tool.h": "",
    })  # fmt: skip
    folder = project(tmp_path / "p", {"app.py": "", "requirements.txt": "tool"})
    on = ("--base", base_image(tmp_path), "--python", "3.11")
    marin("pack", folder, "-t", "x", "--entrypoint", "tool --fast 'a b'", *on)
    assert config_of(marin, "x")["config"]["Entrypoint"] == ["tool", "--fast", "a b"]
    files = files_of(marin, "x")
    packages = {name.removeprefix("opt/packages/") for name in files if name.startswith("opt/packages/")}
    assert {"bin/tool", "bin/helper", "tool.py"} <= packages
    assert not any("evil" in name or "tool.h" in name for name in files)
    assert files["opt/packages/bin/tool"].mode == 0o755


def test_layers_are_plain_so_that_no_zlib_has_a_say(marin: Terminal, tmp_path: Path) -> None:
    folder = project(tmp_path / "p", {"data.txt": "x" * 100_000})
    words = (folder, "-t", "x", "--base", "scratch", "--entrypoint", "/x")
    plain = marin("pack", "--json", *words).json()
    assert plain["layers"][0]["size"] > 100_000
    assert config_of(marin, "x")["rootfs"]["diff_ids"] == [plain["layers"][0]["digest"]]
    # The digest of these very bytes, wherever this runs.
    assert plain["layers"][0]["digest"] == PLAIN
    packed = marin("pack", "--json", *words, "--compression", "gzip").json()
    assert packed["layers"][0]["size"] < 2000
    assert config_of(marin, "x")["rootfs"]["diff_ids"] == [PLAIN]
    assert "x" * 100 in (marin("export", "-o", "f.tar", "x"), (marin.home / "f.tar").read_text())[1]


BACKEND = """
import zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(f"{folder}/built-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("built.py", "WORD = 'built'")
        wheel.writestr("built-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: built\\nVersion: 1.0\\n")
        wheel.writestr("built-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("built-1.0.dist-info/RECORD", "")
    return "built-1.0-py3-none-any.whl"
"""
SOURCE = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def test_dependencies_without_a_wheel_are_built_when_asked(marin: Terminal, tmp_path: Path) -> None:
    source = project(tmp_path / "built-1.0", {
        "pyproject.toml": SOURCE, "backend.py": BACKEND, "PKG-INFO": "Metadata-Version: 2.1\nName: built\nVersion: 1.0\n",
    })  # fmt: skip
    (tmp_path / "wheels").mkdir()
    with tarfile.open(tmp_path / "wheels/built-1.0.tar.gz", "w:gz") as tar:
        tar.add(source, "built-1.0")
    folder = project(tmp_path / "p", {"app.py": "", "requirements.txt": "built==1.0\n"})
    base = ("--base", base_image(tmp_path))
    on = (*base, "--python", f"{sys.version_info.major}.{sys.version_info.minor}")
    assert "--build-sources lets pip build" in marin("pack", folder, "-t", "x", *on, code=1).err
    digests = {marin("pack", "-q", folder, "-t", "x", *on, "--build-sources").out for _ in range(2)}
    assert len(digests) == 1
    assert "opt/packages/built.py" in files_of(marin, "x")
    elsewhere = (*base, "--python", "3.7", "--build-sources")
    assert "builds for this machine" in marin("pack", folder, "-t", "y", *elsewhere, code=1).err


@pytest.mark.parametrize(
    ("files", "start"),
    [
        ({"pyproject.toml": '[project]\nname = "a-b"\n[project.scripts]\nx = "m:one"\na-b = "m.n:App.run"\n'},
         ("py", "-c", "import sys; from m.n import App; sys.exit(App.run())")),
        ({"pyproject.toml": '[project]\nname = "A-b"\n', "a_b/__main__.py": ""}, ("py", "-m", "a_b")),
        ({"pyproject.toml": '[project]\nname = "a"\n', "src/a/__main__.py": "", "main.py": ""}, ("py", "-m", "a")),
        ({"__main__.py": "", "app.py": ""}, ("py", "__main__.py")),
        ({"app.py": "", "other.py": ""}, ("py", "app.py")),
        ({"other.py": "", "main.py": ""}, ("py", "main.py")),
        ({"pyproject.toml": '[project]\nname = "tool"\n', "tool.py": "", "x.py": ""}, ("py", "tool.py")),
        ({"only.py": ""}, ("py", "only.py")),
        ({"one.py": "", "two.py": ""}, ()),
        ({"page.html": ""}, ()),
    ],
)  # fmt: skip
def test_what_is_started(files: dict[str, str], start: tuple[str, ...], tmp_path: Path) -> None:
    assert Project.read(project(tmp_path / "p", files)).start("py") == start


@pytest.mark.parametrize(
    ("more", "code", "sentence"),
    [
        (("--base", "oci:nowhere"), 4, "nowhere holds no image"),
        (("--platform", "linux/s390x"), 1, "name a base image that is there for all platforms"),
        (("--env", "A"), 1, "--env 'A' is not KEY=VALUE"),
        (("--expose", "99999"), 1, "is no port"),
        (("--entrypoint", "'x"), 1, "can not be read as words"),
        (("--entrypoint", "[1]"), 1, "no JSON list of words"),
        (("--workdir", "app"), 1, "is not a path from the root"),
    ],
)
def test_wishes_that_can_not_be(
    marin: Terminal, tmp_path: Path, more: tuple[str, ...], code: int, sentence: str
) -> None:
    folder = project(tmp_path / "p", {"app.py": ""})
    assert sentence in marin("pack", folder, "-t", "x", *more, code=code).err
    assert marin("images", "-q").out == ""


def test_what_can_not_be_packed_is_said(marin: Terminal, tmp_path: Path) -> None:
    assert "is no folder" in marin("pack", "nothing", "-t", "x", code=1).err
    missing = project(tmp_path / "p", {"app.py": "", "requirements.txt": "nowhere==3\n"})
    said = marin("pack", missing, "-t", "x", code=1).err
    assert "No matching distribution found for nowhere==3" in said
    assert "PIP_INDEX_URL" in said
    assert "add --entrypoint" in marin("pack", project(tmp_path / "q", {"page.html": ""}), "-t", "x").err
    broken = project(tmp_path / "r", {"pyproject.toml": "[project"})
    assert "pyproject.toml can not be read" in marin("pack", broken, "-t", "x", code=1).err
    assert this_architecture() in marin("inspect", "x").out
