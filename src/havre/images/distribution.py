"""Distribution: a Python project built into a wheel, as every installer of Python does it (PEP 517), and what that tells.

The build backend that the project names runs here, in an environment that pip or uv makes for it alone, on a copy of the
project: it may leave what it likes beside it, and what lay beside it before has no say in what comes out.
"""

from __future__ import annotations

import asyncio
import email
import importlib.util
import os
import re
import shutil
import sys
import zipfile
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

from havre.errors import ConfigError, InputInvalid
from havre.images.project import TITLES, Project, label_of_url
from havre.images.wheels import FOLDER, MAX_PROGRAM, console_scripts, run

EARLIEST = 315_532_800
"""1980, before which no member of a wheel can be."""

MAX_METADATA = 16 * 1024 * 1024

_EXTRA = re.compile(r"\bextra\s*==")
_FAILURE = re.compile(r"ERROR: .+|[A-Za-z_][\w.]*(?:Error|Exception|Exit|Failed|Warning)\b.*:.+")


@dataclass(frozen=True, slots=True)
class Distribution:
    """A wheel of a project."""

    wheel: Path
    metadata: Message
    """Core metadata: PyPA specification of that name."""
    programs: tuple[str, ...]
    """The names of its console scripts, in their order."""
    modules: frozenset[str]
    """Packages that can be run with ``-m``, and modules at the top."""

    @property
    def is_pure(self) -> bool:
        """Does it suit every platform, and every Python 3 that the metadata allows?"""
        python, abi, platform = self.wheel.stem.rsplit("-", 3)[1:]
        return "py3" in python.split(".") and (abi, platform) == ("none", "any")

    @property
    def dependencies(self) -> tuple[str, ...]:
        """What it needs, without what only its extras need."""
        return tuple(one for one in self._all("Requires-Dist") if not _EXTRA.search(one))

    @property
    def labels(self) -> dict[str, str]:
        """Labels from the metadata of the wheel, wherever the backend had it from."""
        found = {
            "title": self._one("Name"),
            "version": self._one("Version"),
            "description": self._one("Summary"),
            "licenses": self._one("License-Expression") or self._one("License"),
            "authors": ", ".join(filter(None, (self._one("Author"), self._one("Author-email")))),
            "url": self._one("Home-page"),
        }
        for one in self._all("Project-URL"):
            name, _, address = one.partition(",")
            label = label_of_url(name)
            if label and not found.get(label):
                found[label] = address.strip()
        return {f"{TITLES}{key}": text for key, text in found.items() if text and len(text) < 1000 and "\n" not in text}

    def start(self, python: str) -> tuple[str, ...]:
        """The command that starts it: the program with its own name, else the first, else a module to run; or none."""
        own = _plain(self._one("Name"))
        for program in sorted(self.programs, key=lambda name: _plain(name) != own):
            # Not by its first line: that asks for programs which small images do not have.
            return (python, f"/{FOLDER}/bin/{program}")
        if own in self.modules:
            return (python, "-m", own)
        return (python, "-m", next(iter(self.modules))) if len(self.modules) == 1 else ()

    def _one(self, name: str) -> str:
        text = self.metadata.get(name)
        return "" if text is None or str(text) == "UNKNOWN" else str(text).strip()

    def _all(self, name: str) -> list[str]:
        return [str(one).strip() for one in self.metadata.get_all(name) or ()]


async def build(project: Project, scratch: Path, epoch: int) -> Distribution:
    """Build the project in ``scratch``, an empty folder. ``epoch`` is the date for backends that write one, in seconds.

    Raises InputInvalid with the backend's reason, ConfigError where nothing is installed that could build.
    """
    source, target = scratch / "source", scratch / "wheel"
    await asyncio.to_thread(_copy, project, source)
    target.mkdir()
    settled = {"SOURCE_DATE_EPOCH": str(max(epoch, EARLIEST)), "PYTHONHASHSEED": "0", "TZ": "UTC"}
    code, said = await run(_command(source, target), {**os.environ, **settled})
    found = sorted(target.glob("*.whl"))
    if code or len(found) != 1:
        raise InputInvalid(
            f"the project can not be built: {_reason(said)}. Its build backend and what that needs are taken from where"
            " the settings of pip say (PIP_INDEX_URL, PIP_FIND_LINKS); --no-build copies the files as they are"
        )
    return await asyncio.to_thread(read, found[0])


def read(wheel: Path) -> Distribution:
    """What a wheel says of itself. Raises InputInvalid for a file that is none."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
            about = next(name for name in names if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)).rpartition("/")[0]
            if archive.getinfo(f"{about}/METADATA").file_size > MAX_METADATA:
                raise InputInvalid(f"{wheel.name}: its metadata is larger than {MAX_METADATA} bytes")
            metadata = email.message_from_string(archive.read(f"{about}/METADATA").decode("utf-8", "replace"))
            entries = f"{about}/entry_points.txt"
            listed = entries in names and archive.getinfo(entries).file_size <= MAX_PROGRAM
            programs = console_scripts(archive.read(entries)) if listed else {}
    except (StopIteration, zipfile.BadZipFile, RuntimeError) as error:
        raise InputInvalid(f"{wheel.name} is no wheel that can be read: {error}") from error
    modules = {name.split("/")[0] for name in names if re.fullmatch(r"[^/.]+/__main__\.py", name)}
    modules |= {name.removesuffix(".py") for name in names if re.fullmatch(r"[^/.]+\.py", name)}
    return Distribution(wheel, metadata, tuple(programs), frozenset(modules))


def _copy(project: Project, target: Path) -> None:
    """What the backend sees: the files that an image may hold, and those that it is told by."""
    target.mkdir()
    for path, file in project.sources().items():
        place = target / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if file.link:
            place.symlink_to(file.link)
        elif isinstance(file.content, Path):
            shutil.copyfile(file.content, place)
            place.chmod(0o755 if file.executable else 0o644)
        else:
            place.mkdir(exist_ok=True)
    if project.is_versioned_elsewhere and (project.folder / ".git").exists():
        history = project.folder / ".git"
        (shutil.copytree if history.is_dir() else shutil.copyfile)(history, target / ".git")


def _command(source: Path, target: Path) -> list[str]:
    if importlib.util.find_spec("pip"):
        said = ("--quiet", "--disable-pip-version-check", "--no-input", "--no-deps")
        return [sys.executable, "-m", "pip", "wheel", *said, "--wheel-dir", str(target), str(source)]
    if uv := shutil.which("uv"):
        return [uv, "build", "--quiet", "--wheel", "--python", sys.executable, "--out-dir", str(target), str(source)]
    raise ConfigError(
        f"the project is built by pip or uv, and {sys.executable} has neither: install python3-pip, or copy the files as"
        " they are with --no-build"
    )


def _reason(said: str) -> str:
    """The sentence that tells most: what the backend ended with, else pip's own last word."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    failures = [line for line in lines if _FAILURE.fullmatch(line) and "Failed to build 'file:" not in line]
    shown = (failures or lines or ["it said nothing"])[-1]
    return shown.removeprefix("ERROR: ").removeprefix("error: ")[:500].rstrip(".")


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "_", name).lower()
