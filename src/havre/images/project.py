"""Project: a folder that becomes an image: which files count, and what a Python project says about itself.

Left out is what ``.dockerignore`` (or ``.containerignore``) names, and what no image needs: version control, virtual
environments, caches. Labels come from ``pyproject.toml``, in the words of the OCI image specification (annotations.md).
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from havre.errors import InputInvalid, SizeInvalid
from havre.images.building import File
from havre.images.tarindex import normal

MAX_FILES = 200_000
MAX_TEXT = 4 * 1024 * 1024
"""Bytes of ``pyproject.toml`` and the like."""

_IGNORE_FILES = (".containerignore", ".dockerignore")
_NEVER = frozenset(
    {
        *(".git", ".hg", ".svn", ".venv", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox", ".nox"),
        *(".hypothesis", ".DS_Store", *_IGNORE_FILES),
    }
)
_NEVER_ENDING = (".pyc", ".pyo", ".egg-info")
TITLES = "org.opencontainers.image."
"""How labels begin that the OCI image specification names."""
_URLS = {
    "homepage": "url", "home": "url", "website": "url",
    "source": "source", "repository": "source", "sourcecode": "source", "github": "source", "code": "source",
    "documentation": "documentation", "docs": "documentation",
}  # fmt: skip
_INSTALLED = frozenset({"scripts", "gui-scripts", "entry-points"})
_LEFT_BY_BUILDS = re.compile(r"build/(?:lib|bdist\.|temp\.)")
"""What setuptools leaves beside a project, and would take for a part of it the next time."""

_BUILD_FILES = ("pyproject.toml", "setup.py", "setup.cfg")
_OBJECT = re.compile(r"([A-Za-z_][\w.]*):([A-Za-z_][\w.]*)")


@dataclass(frozen=True, slots=True)
class Project:
    """What is known of a folder."""

    folder: Path
    about: Mapping[str, Any]
    """The table ``[project]``; empty without one."""
    is_python: bool
    is_built: bool = False
    """Does it name a build backend (PEP 517), or what only an installed project has: programs and entry points?"""

    @classmethod
    def read(cls, folder: Path) -> Project:
        """Raises InputInvalid for what is no folder, or a ``pyproject.toml`` that can not be read."""
        if not folder.is_dir():
            raise InputInvalid(f"{folder} is no folder: name the one that holds the files of the image")
        path = folder / "pyproject.toml"
        document: dict[str, Any] = {}
        if path.is_file():
            if path.stat().st_size > MAX_TEXT:
                raise InputInvalid(f"{path} is larger than {MAX_TEXT} bytes")
            try:
                document = tomllib.loads(path.read_text("utf-8"))
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise InputInvalid(f"{path} can not be read: {error}") from error
        python = path.is_file() or (folder / "requirements.txt").is_file() or any(folder.glob("*.py"))
        table = document.get("project")
        about: dict[str, Any] = table if isinstance(table, dict) else {}
        return cls(folder, about, python, "build-system" in document or not _INSTALLED.isdisjoint(about))

    @property
    def labels(self) -> dict[str, str]:
        """Labels from the project's metadata."""
        found = {
            "title": self.about.get("name"),
            "version": self.about.get("version"),
            "description": self.about.get("description"),
            "licenses": _license(self.about.get("license")),
            "authors": _people(self.about.get("authors")),
        }
        urls = self.about.get("urls")
        for name, address in (urls if isinstance(urls, dict) else {}).items():
            if label := label_of_url(str(name)):
                found.setdefault(label, address)
        return {f"{TITLES}{key}": text for key, text in found.items() if isinstance(text, str) and text}

    @property
    def requirements(self) -> Path | None:
        """``requirements.txt``, which goes before the dependencies of ``pyproject.toml``: its versions are chosen."""
        path = self.folder / "requirements.txt"
        return path if path.is_file() else None

    @property
    def dependencies(self) -> tuple[str, ...]:
        """What ``pyproject.toml`` asks for. Raises InputInvalid."""
        wanted = self.about.get("dependencies", [])
        if not isinstance(wanted, list) or not all(isinstance(one, str) and not one.startswith("-") for one in wanted):
            raise InputInvalid(f"{self.folder}/pyproject.toml: project.dependencies is not a list of requirements")
        return tuple(wanted)

    @property
    def search_path(self) -> tuple[str, ...]:
        """Where Python finds the project's modules, within the folder."""
        return ("src", "") if (self.folder / "src").is_dir() else ("",)

    def start(self, python: str) -> tuple[str, ...]:
        """The command that starts it: its script, its ``__main__``, or its one obvious file; empty for none of them."""
        if not self.is_python:
            return ()
        scripts = self.about.get("scripts")
        name = str(self.about.get("name") or "")
        if isinstance(scripts, dict) and scripts:
            target = scripts.get(name) or next(iter(scripts.values()))
            if found := _OBJECT.fullmatch(str(target)):
                first = found[2].partition(".")[0]
                code = f"import sys; from {found[1]} import {first}; sys.exit({found[2]}())"
                return (python, "-c", code)
        module = re.sub(r"[-.]+", "_", name).lower()
        for place in self.search_path:
            if module and (self.folder / place / module / "__main__.py").is_file():
                return (python, "-m", module)
        files = sorted(path.name for path in self.folder.glob("*.py"))
        for candidate in ("__main__.py", "app.py", "main.py", f"{module}.py", *(files if len(files) == 1 else ())):
            if candidate in files:
                return (python, candidate)
        return ()

    def files(self) -> dict[str, File]:
        """Everything that goes into the image, by its path within the folder. Raises InputInvalid, SizeInvalid."""
        ignored = _Ignored.read(self.folder)
        found: dict[str, File] = {}
        for path, entry in _walk(self.folder, ignored):
            if len(found) >= MAX_FILES:
                raise SizeInvalid(
                    f"{self.folder} holds more than {MAX_FILES} files; leave some out with a file .dockerignore"
                )
            found[path] = _file(entry)
        return found

    def sources(self) -> dict[str, File]:
        """What the project is built from: its files, and those that say how even if no image should hold them."""
        readme = self.about.get("readme")
        named = readme.get("file") if isinstance(readme, dict) else readme
        found = {path: file for path, file in self.files().items() if not _LEFT_BY_BUILDS.match(path)}
        for name in (*_BUILD_FILES, named):
            if isinstance(name, str) and normal(name) == name and (self.folder / name).is_file():
                found.setdefault(name, File(self.folder / name))
        return found

    @property
    def is_versioned_elsewhere(self) -> bool:
        """Does the backend find out the version, perhaps from the history?"""
        dynamic = self.about.get("dynamic")
        return isinstance(dynamic, list) and "version" in dynamic


def label_of_url(name: str) -> str:
    """The label for an address that a project calls so (PyPA specification, "Well-known Project URLs"); else empty."""
    return _URLS.get(re.sub("[^a-z]", "", name.lower()), "")


class _Ignored:
    """The rules of an ignore file: the last one that fits decides, ``!`` takes back."""

    def __init__(self, lines: list[str]) -> None:
        rules = [line.strip() for line in lines]
        self._rules = [
            (not rule.startswith("!"), _pattern(rule.removeprefix("!").strip().strip("/")))
            for rule in rules
            if rule and not rule.startswith("#")
        ]
        self.takes_back = any(not leaves_out for leaves_out, _ in self._rules)

    @classmethod
    def read(cls, folder: Path) -> _Ignored:
        for name in _IGNORE_FILES:
            path = folder / name
            if path.is_file():
                return cls(path.read_text("utf-8", "replace")[:MAX_TEXT].splitlines())
        return cls([])

    def leaves_out(self, path: str) -> bool:
        decided = False
        for leaves_out, pattern in self._rules:
            if pattern.fullmatch(path):
                decided = leaves_out
        return decided


def _pattern(rule: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", rule.removeprefix("./"))
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(words.get(part) or re.escape(part) for part in parts) + "(?:/.*)?", re.DOTALL)


def _walk(folder: Path, ignored: _Ignored) -> Iterator[tuple[str, os.DirEntry[str]]]:
    pending = [""]
    while pending:
        place = pending.pop()
        with os.scandir(folder / place) as entries:
            for entry in sorted(entries, key=lambda one: one.name):
                path = f"{place}{entry.name}"
                if entry.name in _NEVER or entry.name.endswith(_NEVER_ENDING):
                    continue
                left_out = ignored.leaves_out(path)
                if entry.is_dir(follow_symlinks=False):
                    if Path(entry.path, "pyvenv.cfg").exists() or (left_out and not ignored.takes_back):
                        continue
                    pending.append(f"{path}/")
                if not left_out:
                    yield path, entry


def _file(entry: os.DirEntry[str]) -> File:
    if entry.is_symlink():
        return File(link=str(Path(entry.path).readlink()))
    status = entry.stat(follow_symlinks=False)
    if stat.S_ISDIR(status.st_mode):
        return File()
    if not stat.S_ISREG(status.st_mode):
        raise InputInvalid(f"{entry.path} is neither file, folder nor link; leave it out with a file .dockerignore")
    return File(Path(entry.path), executable=bool(status.st_mode & 0o111))


def _license(value: object) -> str:
    if isinstance(value, str):
        return value
    text = value.get("text") if isinstance(value, dict) else None
    return text if isinstance(text, str) and len(text) < 100 else ""


def _people(value: object) -> str:
    people = [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
    names = [
        f"{one['name']} <{one['email']}>"
        if one.get("name") and one.get("email")
        else one.get("name") or one.get("email")
        for one in people
    ]
    return ", ".join(name for name in names if isinstance(name, str))
