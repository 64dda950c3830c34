"""Python projects are built as every installer builds them, by real backends, and what comes out is run by an engine."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.engines import Machine, require_clients
from tests.support.images import Image, Index, layer
from tests.support.terminal import Terminal
from tests.support.wheels import backends, wheel

SETUPTOOLS = """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"
[project]
name = "greeter-app"
dynamic = ["version", "dependencies"]
description = "Greets whoever runs it"
license = "MIT"
authors = [{name = "Marin", email = "marin@example.org"}]
urls = {Source = "https://example.org/code"}
[project.scripts]
other = "greeter.main:other"
greeter-app = "greeter.main:main"
[tool.setuptools.dynamic]
version = {attr = "greeter.VERSION"}
dependencies = {file = ["needs.txt"]}
[tool.setuptools.package-data]
greeter = ["words/*.txt"]
"""
HATCHLING = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "greeter-app"
version = "2.0"
readme = "README.md"
dependencies = ["wording==1.0", "never; extra == 'more'"]
[project.optional-dependencies]
more = ["never"]
[project.scripts]
greeter-app = "greeter.main:main"
[tool.hatch.build.targets.wheel]
packages = ["src/greeter"]
"""
MAIN = """\
from importlib import metadata, resources
import wording

def main():
    word = resources.files("greeter").joinpath("words/greeting.txt").read_text().strip()
    print(word, wording.WHOM, "from", metadata.version("greeter-app"))

def other():
    raise SystemExit("not this one")
"""
FILES = {
    "src/greeter/__init__.py": "VERSION = '2.0'\n",
    "src/greeter/main.py": MAIN,
    "src/greeter/words/greeting.txt": "Hello,\n",
    "needs.txt": "wording==1.0\n",
    "README.md": "# A greeter\n",
    "notes/private.txt": "no image needs this\n",
}
GREETING = "Hello, world! from 2.0"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one place from which pip takes anything."""
    folder = tmp_path_factory.mktemp("wheels")
    backends(folder)
    wheel(folder, "wording", {"wording.py": "WHOM = 'world!'\n"})
    return folder


@pytest.fixture
def marin(tmp_path: Path, wheels: Path) -> Terminal:
    terminal = Terminal(tmp_path / "marin")
    terminal.environ |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    return terminal


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    require_clients()
    with Machine() as machine:
        yield machine


def project(folder: Path, about: str, more: Mapping[str, str] | None = None) -> Path:
    for name, text in {**FILES, "pyproject.toml": about, **(more or {})}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def files_of(marin: Terminal, image: str) -> set[str]:
    marin("export", "-o", "files.tar", image)
    with tarfile.open(marin.home / "files.tar") as tar:
        return {one.name for one in tar if one.isfile()}


def config_of(marin: Terminal, image: str) -> Any:
    return marin("inspect", "--config", image).json()["config"]


@pytest.mark.clients
@pytest.mark.parametrize("about", [SETUPTOOLS, HATCHLING], ids=["setuptools", "hatchling"])
def test_a_built_project_greets_in_podman(machine: Machine, marin: Terminal, tmp_path: Path, about: str) -> None:
    folder = project(tmp_path / "p", about)
    before = sorted(folder.rglob("*"))
    layers = marin("pack", "--json", folder, "-t", "greeter:2").json()["layers"]
    assert [one["for"].removeprefix("havre pack: ") for one in layers] == [
        "this machine's Python", "dependencies (1 packages)", "greeter-app 2.0",
    ]  # fmt: skip
    assert sorted(folder.rglob("*")) == before, "building leaves nothing beside the project"
    marin("save", "-o", "greeter.tar", "greeter:2")
    machine.podman("load", "--input", str(marin.home / "greeter.tar")).ok()
    assert GREETING in machine.podman.start("docker.io/library/greeter:2").ok()


def test_what_lies_in_the_image(marin: Terminal, tmp_path: Path) -> None:
    marin("pack", project(tmp_path / "p", SETUPTOOLS), "-t", "greeter", "--base", base(tmp_path), "--python", "3.11")
    found = {name.removeprefix("opt/packages/") for name in files_of(marin, "greeter")}
    assert {"bin/greeter-app", "bin/other", "greeter/main.py", "greeter/words/greeting.txt", "wording.py"} <= found
    assert not any("private" in name or name.startswith(("app/", "src/")) for name in found)
    config = config_of(marin, "greeter")
    assert config["Entrypoint"] == ["python3", "/opt/packages/bin/greeter-app"]
    assert "PYTHONPATH=/opt/packages" in config["Env"]
    titles = "org.opencontainers.image."
    labels = {key.removeprefix(titles): text for key, text in config["Labels"].items() if "base" not in key}
    assert labels == {
        "title": "greeter-app",
        "version": "2.0",  # from the backend: pyproject.toml does not say it
        "description": "Greets whoever runs it",
        "licenses": "MIT",
        "authors": "Marin <marin@example.org>",
        "source": "https://example.org/code",
    }


def base(tmp_path: Path) -> str:
    images = tuple(
        Image("base", (layer({f"lib/{name}": b"x"}),), ("/base",), "/base", name) for name in ("amd64", "arm64")
    )
    return f"oci:{Index('base', images).layout(tmp_path)}"


@pytest.mark.parametrize("about", [SETUPTOOLS, HATCHLING], ids=["setuptools", "hatchling"])
def test_the_same_project_gives_the_same_digest_and_a_change_one_layer(
    marin: Terminal, tmp_path: Path, about: str
) -> None:
    on = ("--base", base(tmp_path), "--python", "3.11")
    packed = []
    for number, leftovers in enumerate(
        ({}, {"build/lib/greeter/stale.py": "", "src/greeter_app.egg-info/SOURCES.txt": "x"})
    ):
        folder = project(tmp_path / f"somewhere-{number}", about, leftovers)
        if number:
            (folder / "src/greeter/main.py").chmod(0o600)
        packed.append(marin("pack", "--json", folder, "-t", "x", *on).json())
    assert packed[0] == packed[1]
    (folder / "src/greeter/words/greeting.txt").write_text("Salut\n")
    changed = marin("pack", "--json", folder, "-t", "x", *on).json()
    same = [one == other for one, other in zip(packed[0]["layers"], changed["layers"], strict=True)]
    assert same == [True, False], "dependencies stay, the project is new"


def test_one_wheel_serves_all_platforms(marin: Terminal, tmp_path: Path) -> None:
    folder = project(tmp_path / "p", HATCHLING)
    both = ("--platform", "linux/amd64", "--platform", "linux/arm64")
    marin("pack", folder, "-t", "x", "--base", base(tmp_path), "--python", "3.12", *both)
    layers = [
        [one["digest"] for one in marin("inspect", "--json", "--platform", name, "x").json()["layers"]]
        for name in both[1::2]
    ]
    assert layers[0][1:] == layers[1][1:]
    assert layers[0][0] != layers[1][0]


def test_a_project_that_another_python_is_needed_for_is_refused(marin: Terminal, tmp_path: Path) -> None:
    about = HATCHLING.replace('version = "2.0"', 'version = "2.0"\nrequires-python = ">=3.11"')
    refused = marin(
        "pack", project(tmp_path / "p", about), "-t", "x", "--base", base(tmp_path), "--python", "3.9", code=1
    )
    assert "requires a different Python: 3.9" in refused.err


def test_what_was_compiled_here_stays_here(marin: Terminal, tmp_path: Path) -> None:
    """A wheel with a tag of this platform, as a compiler's would have."""
    hook = "def build_wheel(folder, settings=None, about=None):\n    import pathlib, base64\n"
    made = wheel(tmp_path / "made", "fast", {"fast.py": "print('fast')\n"}, tag="cp311-cp311-linux_x86_64")
    hook += f"    name = {made.name!r}\n    pathlib.Path(folder, name).write_bytes(pathlib.Path({str(made)!r}).read_bytes())\n    return name\n"
    about = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(about)
    (folder / "backend.py").write_text(hook)
    refused = marin("pack", folder, "-t", "x", "--base", base(tmp_path), "--python", "3.7", code=1)
    assert "was built for this machine and its Python" in refused.err


def test_a_project_without_a_backend_but_with_scripts_is_built_by_setuptools(marin: Terminal, tmp_path: Path) -> None:
    folder = project(tmp_path / "p", '[project]\nname = "a"\nversion = "1"\nscripts = {hi = "greeter.main:main"}\n')
    marin("pack", folder, "-t", "x", "--base", base(tmp_path), "--python", "3.11")
    assert config_of(marin, "x")["Entrypoint"] == ["python3", "/opt/packages/bin/hi"]


@pytest.mark.parametrize(
    "about", ["", '[project]\nname = "a"\nversion = "1"\n', "[tool.ruff]\n"], ids=["none", "named", "tools"]
)
def test_a_folder_that_no_backend_is_named_for_is_copied(marin: Terminal, tmp_path: Path, about: str) -> None:
    folder = project(tmp_path / "p", about, {"app.py": "print(1)\n"})
    if not about:
        (folder / "pyproject.toml").unlink()
    marin("pack", folder, "-t", "x", "--base", base(tmp_path), "--python", "3.11")
    assert {"app/app.py", "app/src/greeter/main.py"} <= files_of(marin, "x")
    assert config_of(marin, "x")["Entrypoint"] == ["python3", "app.py"]


def test_what_can_not_be_built_says_why(marin: Terminal, tmp_path: Path) -> None:
    wrong = HATCHLING.replace('packages = ["src/greeter"]', "").replace("greeter-app", "elsewhere")
    refused = marin("pack", project(tmp_path / "p", wrong), "-t", "x", code=1).err
    assert "the project can not be built: ValueError: Unable to determine which files to ship" in refused
    unknown = HATCHLING.replace('"hatchling"]', '"hatchling==99"]')
    refused = marin("pack", project(tmp_path / "q", unknown), "-t", "x", code=1).err
    assert "No matching distribution found for hatchling==99" in refused
    assert "--no-build copies the files as they are" in refused
    marin("pack", "--no-build", tmp_path / "q", "-t", "x", "--no-dependencies", "--base", base(tmp_path))
    assert "app/notes/private.txt" in files_of(marin, "x")


def test_what_images_shall_not_hold_is_not_built_in(marin: Terminal, tmp_path: Path) -> None:
    rules = {".dockerignore": "**/secret.txt\nREADME.md\npyproject.toml\n", "src/greeter/secret.txt": "s"}
    marin("pack", project(tmp_path / "p", HATCHLING, rules), "-t", "x", "--base", base(tmp_path), "--python", "3.11")
    found = files_of(marin, "x")
    assert "opt/packages/greeter/main.py" in found
    assert not any("secret" in name for name in found)


def test_uv_builds_where_there_is_no_pip(marin: Terminal, tmp_path: Path, wheels: Path) -> None:
    folder = project(tmp_path / "p", HATCHLING)
    environ = marin.environ | {
        "PATH": f"{Path(sys.executable).parent}:{marin.environ['PATH']}",
        "UV_NO_INDEX": "1",
        "UV_FIND_LINKS": str(wheels),
        "UV_OFFLINE": "1",
    }
    without_pip = "import sys; sys.modules['pip'] = None; from havre.cli import main; main()"
    words = ("pack", str(folder), "-t", "x", "--base", base(tmp_path), "--no-dependencies")
    subprocess.run([sys.executable, "-c", without_pip, *words], env=environ, cwd=marin.home, check=True, timeout=60)
    assert "opt/packages/bin/greeter-app" in files_of(marin, "x")
