"""Packing: what ``havre pack`` does: from a person's wishes to layers in the local store."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from havre.cli import remote
from havre.cli.contents import place_of
from havre.cli.output import Output, size_text
from havre.errors import ConfigError, InputInvalid, NameInvalid

if TYPE_CHECKING:
    from havre.client import Client
    from havre.images.building import Base, Built, File, Settings
    from havre.images.distribution import Distribution
    from havre.images.layout import Layout
    from havre.images.project import Project
    from havre.oci.descriptor import Descriptor, Platform

SCRATCH = "scratch"
"""The base of nothing, as in build files."""

LARGEST_TIME = 253_402_300_799
"""The last second of the year 9999."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person asked for, as it was typed."""

    directory: Path
    tag: str
    base: str | None = None
    entrypoint: str | None = None
    command: str | None = None
    environment: Sequence[str] = ()
    labels: Sequence[str] = ()
    ports: Sequence[str] = ()
    user: str = ""
    working_directory: str = "/app"
    platforms: Sequence[str] = ()
    python: str = ""
    dependencies: bool = True
    compression: Literal["none", "gzip"] = "none"
    build_sources: bool = False
    build: bool = True


@dataclass(slots=True)
class _Ground:
    """What an image for one platform stands on."""

    base: Base
    own: list[Built] = field(default_factory=list)
    interpreter: str = "python3"
    shebang: str = "/usr/bin/env python3"
    python: str = ""
    labels: dict[str, str] = field(default_factory=dict)


async def packed(wish: Wish, output: Output, insecure: bool, ca: Path | None) -> None:
    """Pack, name and say so. Raises InputInvalid, NameInvalid, ConfigError, and what fetching the base raises."""
    from havre.images.project import Project

    image = remote.parse_image(wish.tag)
    if image.digest:
        raise NameInvalid(f"invalid tag {wish.tag!r}: a name with a digest can not be given, it follows from the image")
    project = Project.read(wish.directory)
    platforms = [remote.chosen_platform(text) for text in wish.platforms] or [remote.chosen_platform(None)]
    place = place_of(wish.base) if wish.base and wish.base != SCRATCH else None
    store = remote.local_store()
    async with (
        remote.connect(insecure, ca, *(place.registries if place else ())) as client,
        store.adding(),
    ):
        with tempfile.TemporaryDirectory(prefix=".havre-", dir=store.root.parent) as scratch:
            packing = _Packing(wish, project, store, client, output, Path(scratch))
            descriptor = await packing.all(platforms)
        store.put_name(str(image), replace(descriptor, platform=None))
    layers: list[dict[str, Any]] = [
        {"digest": str(one.descriptor.digest), "size": one.descriptor.size, "for": one.instruction}
        for one in packing.built
    ]
    for layer in layers:
        output.say(f"{layer['digest'][7:19]}: {layer['for']} ({size_text(layer['size'])})")
    output.say(f"Packed {image}: digest: {descriptor.digest}")
    output.result(str(descriptor.digest), {"name": str(image), "digest": str(descriptor.digest), "layers": layers})


class _Packing:
    def __init__(
        self, wish: Wish, project: Project, store: Layout, client: Client, output: Output, scratch: Path
    ) -> None:
        self._wish = wish
        self._project = project
        self._store = store
        self._client = client
        self._output = output
        self._scratch = scratch
        self._created = _epoch()
        self._distribution: Distribution | None = None
        self.built: list[Built] = []
        """Every layer that was made, in order."""

    async def all(self, platforms: Sequence[Platform]) -> Descriptor:
        """One image, or an index of several."""
        from havre.images.building import write_index

        if self._wish.build and self._project.is_built:
            await self._build()
        copied = None
        if self._distribution is None:
            copied = await self._layer(f"havre pack: files in {self._folder or '/'}", self._files())
        images = []
        for platform in platforms:
            ground = await self._ground(platform)
            dependencies = await self._dependencies(platform, ground)
            layers = [*ground.own, *dependencies, copied or await self._installed(platform, ground)]
            images.append(await self._image(platform, ground, layers))
        if len(images) == 1:
            return images[0]
        return await write_index(self._store, images, replace(self._settings(_no_ground()), entrypoint=()))

    @property
    def _folder(self) -> str:
        """Where the files go, without slashes around it."""
        from havre.images.tarindex import normal

        if not self._wish.working_directory.startswith("/"):
            raise InputInvalid(f"--workdir {self._wish.working_directory!r} is not a path from the root, such as /app")
        return normal(self._wish.working_directory)

    def _files(self) -> dict[str, File]:
        from havre.images.building import File

        prefix = f"{self._folder}/" if self._folder else ""
        found = {f"{prefix}{path}": file for path, file in self._project.files().items()}
        return found or {self._folder or "app": File()}

    async def _build(self) -> None:
        from havre.images import distribution

        folder = self._scratch / "project"
        folder.mkdir()
        self._output.say(f"Building {self._project.folder.resolve().name}")
        self._distribution = await distribution.build(self._project, folder, self._created)

    async def _installed(self, platform: Platform, ground: _Ground) -> Built:
        """The layer of the project as it is installed. What was compiled here suits this platform and Python alone."""
        from havre.images import hostpython, wheels
        from havre.images.building import File
        from havre.images.threads import in_thread

        built = self._distribution
        assert built is not None
        python = self._wish.python or ground.python or hostpython.version()
        if not built.is_pure and (platform, python) != (remote.chosen_platform(None), hostpython.version()):
            raise InputInvalid(
                f"{built.wheel.name} was built for this machine and its Python {hostpython.version()}, not for {platform}"
                f" with Python {python}: pack it there, or on a base that is alike"
            )
        with tempfile.TemporaryDirectory(dir=self._scratch) as name:
            files = await in_thread(wheels.unpack, [built.wheel], ground.shebang, Path(name, "files"))
            files = {self._folder or "app": File(), **files}
            label, version = built.metadata["Name"], built.metadata["Version"]
            return await self._layer(f"havre pack: {label} {version}", files)

    async def _ground(self, platform: Platform) -> _Ground:
        if self._wish.base and self._wish.base != SCRATCH:
            return await self._on_base(self._wish.base, platform)
        if self._wish.base == SCRATCH or not self._project.is_python:
            return _no_ground()
        from havre.images import hostpython

        here = remote.chosen_platform(None)
        if platform != here:
            raise InputInvalid(
                f"this machine's own Python runs on {here}, not on {platform}: name a base image that is there for"
                " all platforms, such as --base python:3.12-slim"
            )
        ground = _no_ground()
        ground.own.append(await self._layer("havre pack: this machine's Python", hostpython.files(), packed=True))
        ground.interpreter = ground.shebang = hostpython.INTERPRETER
        ground.python = hostpython.version()
        return ground

    async def _on_base(self, name: str, platform: Platform) -> _Ground:
        from havre.cli.places import opened_source
        from havre.client.copy import Options, copy
        from havre.client.details import details
        from havre.images.building import Base

        words = {"exists": "Already exists", "done": "Pull complete", "moving": "Downloading", "waiting": "Waiting"}
        async with opened_source(place_of(name), self._client) as (source, reference):
            found = await details(source, reference, platform)
            if found.image is None or found.config is None:
                raise InputInvalid(f"{name} is no image that another one can stand on")
            if source is not self._store:
                with self._output.progress(words) as watch:
                    await copy(source, self._store, found.image.digest, None, Options(watch=watch))
        python = next(
            (
                text
                for text in (found.config.get("config") or {}).get("Env") or ()
                if text.startswith("PYTHON_VERSION=")
            ),
            "",
        )
        version = re.match(r"3\.\d+", python.partition("=")[2])
        labels = {"org.opencontainers.image.base.digest": str(found.image.digest)}
        if place_of(name).kind in {"docker", "local"}:
            labels["org.opencontainers.image.base.name"] = str(remote.parse_image(name))
        return _Ground(
            Base(tuple(layer.descriptor for layer in found.layers), found.config),
            python=version[0] if version else "",
            labels=labels,
        )

    async def _dependencies(self, platform: Platform, ground: _Ground) -> list[Built]:
        from havre.images import hostpython, wheels
        from havre.images.threads import in_thread

        requirements, built = self._project.requirements, self._distribution
        needed = built.dependencies if built else self._project.dependencies
        if not (requirements or needed) or not self._wish.dependencies:
            return []
        # A wheel stands for what it needs, in the words of its own metadata.
        wanted = ["-r", str(requirements)] if requirements else [str(built.wheel)] if built else list(needed)
        if not requirements and any("==" not in one for one in needed):
            self._warn(
                "dependencies without exact versions: the digest changes when newer ones appear; a requirements.txt"
                " with chosen versions keeps it"
            )
        python = self._wish.python or ground.python or hostpython.version()
        build = self._wish.build_sources
        if build and (platform, python) != (remote.chosen_platform(None), hostpython.version()):
            raise InputInvalid(
                f"--build-sources builds for this machine and its Python {hostpython.version()}, not for {platform} with"
                f" Python {python}: give wheels for those, or pack there"
            )
        with tempfile.TemporaryDirectory(dir=self._scratch) as name:
            found = await wheels.fetch(wanted, platform, python, Path(name, "wheels"), build=build)
            chosen = [one for one in found if built is None or one.name != built.wheel.name]
            files = await in_thread(wheels.unpack, chosen, ground.shebang, Path(name, "files"))
            return [await self._layer(f"havre pack: dependencies ({len(chosen)} packages)", files)] if files else []

    async def _layer(self, instruction: str, files: dict[str, File], *, packed: bool = False) -> Built:
        """``packed`` is for what no other machine could make again anyway."""
        from havre.images.building import NewLayer, write_layer
        from havre.images.threads import in_thread

        new = NewLayer(instruction, files, packed or self._wish.compression == "gzip")
        with self._output.bar(instruction.removeprefix("havre pack: ")) as advance:
            layer = await in_thread(write_layer, self._store, new, self._created, advance)
        self.built.append(layer)
        return layer

    async def _image(self, platform: Platform, ground: _Ground, layers: Sequence[Built]) -> Descriptor:
        from havre.images.building import write_image

        settings = self._settings(ground)
        below = ground.base.config.get("config") or {}
        if not (settings.entrypoint or settings.command or below.get("Entrypoint") or below.get("Cmd")):
            self._warn("nothing says what this image runs: add --entrypoint")
        return await write_image(self._store, ground.base, layers, settings, platform)

    def _settings(self, ground: _Ground) -> Settings:
        from havre.images.building import Settings
        from havre.images.wheels import FOLDER

        wish, project, built = self._wish, self._project, self._distribution
        environment: dict[str, str] = {}
        if project.is_python:
            folder = f"/{self._folder}".rstrip("/")
            search_path = () if built else project.search_path
            places = [f"{folder}/{place}".rstrip("/") or "/" for place in search_path]
            environment = {
                "PATH": f"/{FOLDER}/bin:$PATH" if ground.base.config else f"/{FOLDER}/bin:/usr/local/bin:/usr/bin:/bin",
                "PYTHONPATH": ":".join([*places, f"/{FOLDER}", "$PYTHONPATH"]),
                "PYTHONUNBUFFERED": "1",
            }
        started = (built or project).start(ground.interpreter)
        return Settings(
            entrypoint=started if wish.entrypoint is None else _words(wish.entrypoint, "--entrypoint"),
            command=_words(wish.command, "--cmd") if wish.command is not None else (),
            environment=environment | _pairs(wish.environment, "--env"),
            labels=(built.labels if built else {}) | project.labels | ground.labels | _pairs(wish.labels, "--label"),
            working_directory=f"/{self._folder}",
            user=wish.user,
            ports=tuple(_port(text) for text in wish.ports),
            created=self._created,
        )

    def _warn(self, text: str) -> None:
        if not self._output.quiet and not self._output.as_json:
            print(f"havre: {text}", file=sys.stderr)


def _no_ground() -> _Ground:
    from havre.images.building import Base

    return _Ground(Base())


def _words(text: str, option: str) -> tuple[str, ...]:
    if text.lstrip().startswith("["):
        try:
            words: Any = json.loads(text)
        except ValueError as error:
            raise InputInvalid(f"{option} {text!r} is no JSON list: {error}") from error
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise InputInvalid(f"{option} {text!r} is no JSON list of words")
        return tuple(words)
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise InputInvalid(f"{option} {text!r} can not be read as words: {error}") from error


def _pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise InputInvalid(f"{option} {text!r} is not KEY=VALUE")
        pairs[key] = value
    return pairs


def _port(text: str) -> str:
    found = re.fullmatch(r"(\d{1,5})(?:/(tcp|udp|sctp))?", text)
    if not found or not 0 < int(found[1]) < 65536:
        raise InputInvalid(f"--expose {text!r} is no port: write 8000 or 53/udp")
    return f"{found[1]}/{found[2] or 'tcp'}"


def _epoch() -> int:
    """The date of all that is made: SOURCE_DATE_EPOCH, else none, which is 1970."""
    text = os.environ.get("SOURCE_DATE_EPOCH", "0")
    if not (text.isascii() and text.isdigit() and int(text) <= LARGEST_TIME):
        raise ConfigError(f"SOURCE_DATE_EPOCH is {text!r}: it must be a number of seconds since 1970")
    return int(text)
