"""Wheels: a Python project and its dependencies as files of an image.

``pip`` chooses and fetches dependencies as wheels for the image's platform; all wheels are unpacked here (PyPA specification, "Binary
distribution format"), so that nothing of them runs on this machine and the same wheels always give the same files.
"""

from __future__ import annotations

import asyncio
import configparser
import posixpath
import shutil
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from havre.errors import ConfigError, InputInvalid, SizeInvalid
from havre.images.building import File
from havre.images.tarindex import normal
from havre.oci.descriptor import Platform

FOLDER = "opt/packages"
"""Where what was in wheels lies in an image; programs among it in its ``bin``."""

MAX_UNPACKED = 8 * 1024 * 1024 * 1024
"""Bytes of what is unpacked together."""

MAX_PROGRAM = 4 * 1024 * 1024
"""Bytes of a program that is written in Python, and of a list of programs."""

_TIME_LIMIT = 1800
"""Seconds for pip."""

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "386": "i686", "ppc64le": "ppc64le", "s390x": "s390x"}
_ARM = {"v7": "armv7l", "v6": "armv6l", "": "armv7l"}
_OLDEST, _NEWEST = 17, 36
"""Minor versions of glibc 2 whose wheels are taken: from what all of today's systems have to that of Debian 12."""


async def fetch(
    wanted: Sequence[str], platform: Platform, python: str, target: Path, *, build: bool = False
) -> list[Path]:
    """Let pip fetch wheels into ``target``; gives them sorted. ``wanted`` are requirements or ``-r FILE``.

    ``python`` is a version such as ``3.12``. ``build`` lets pip build what has no wheel, with the backend that it names:
    that code runs here, and for this machine. Raises InputInvalid with pip's reason, ConfigError without pip.
    """
    machine = _ARM.get(platform.variant) if platform.architecture == "arm" else _MACHINES.get(platform.architecture)
    if platform.os != "linux" or machine is None:
        raise InputInvalid(f"there are no wheels for {platform}; leave the dependencies out with --no-dependencies")
    kinds = [f"manylinux_2_{minor}_{machine}" for minor in range(_NEWEST, _OLDEST - 1, -1)]
    kinds += [f"manylinux2014_{machine}", f"linux_{machine}"]
    options = ("--quiet", "--disable-pip-version-check", "--no-input")
    if build:
        command = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(target), *wanted]
    else:
        command = [
            *(sys.executable, "-m", "pip", "download", *options),
            *("--only-binary=:all:", "--dest", str(target), "--python-version", python, "--implementation", "cp"),
            *(word for kind in kinds for word in ("--platform", kind)),
            *wanted,
        ]
    code, said = await run(command)
    if code:
        raise _refusal(said)
    return await asyncio.to_thread(lambda: sorted(target.glob("*.whl")))


async def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run pip or the like; gives its code and what it said of errors, which are read later."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    try:
        async with asyncio.timeout(_TIME_LIMIT):
            _, errors = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return process.returncode, errors.decode("utf-8", "replace")


def unpack(wheels: Sequence[Path], interpreter: str, folder: Path) -> dict[str, File]:
    """The files of wheels, by path in the image; their content is kept in ``folder``, under numbers.

    ``interpreter`` stands in the first line of their programs. Raises InputInvalid for a wheel that is none,
    SizeInvalid for too much.
    """
    folder.mkdir()
    found: dict[str, File] = {}
    left = MAX_UNPACKED
    for wheel in wheels:
        try:
            with zipfile.ZipFile(wheel) as archive:
                for info in archive.infolist():
                    left -= info.file_size
                    if left < 0:
                        raise SizeInvalid(f"the wheels take more than {MAX_UNPACKED} bytes")
                    target = folder / str(len(found))
                    for path, file in _files(archive, info, wheel.name, interpreter, target):
                        found[f"{FOLDER}/{path}"] = file
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            raise InputInvalid(f"{wheel.name} is no wheel that can be read: {error}") from error
    return found


def _files(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, shown: str, interpreter: str, target: Path
) -> Iterator[tuple[str, File]]:
    """What becomes of one member of a wheel: mostly one file, none of what is left out, several programs."""
    if info.is_dir():
        return
    if normal(info.filename) != info.filename or "\\" in info.filename:
        raise InputInvalid(f"{shown} holds a file with the name {info.filename[:200]!r}, which wheels may not have")
    path, is_program = _place(info.filename)
    if not path:
        return
    if is_program and info.file_size <= MAX_PROGRAM and (content := archive.read(info)).startswith(b"#!python"):
        _, newline, rest = content.partition(b"\n")
        yield path, File(f"#!{interpreter}".encode() + newline + rest, executable=True)
        return
    # The library stops at the announced size, and checks the content.
    with archive.open(info) as source, target.open("xb") as kept:
        shutil.copyfileobj(source, kept, 1024 * 1024)
    yield path, File(target, executable=is_program or bool(info.external_attr >> 16 & 0o111))
    if path.endswith(".dist-info/entry_points.txt") and info.file_size <= MAX_PROGRAM:
        yield from _programs(archive.read(info), interpreter)


def _place(name: str) -> tuple[str, bool]:
    """Where a file of a wheel goes, and whether it is a program; an empty path for what is left out."""
    head, _, rest = name.partition("/")
    if not head.endswith(".data"):
        return name, False
    scheme, _, rest = rest.partition("/")
    if scheme == "scripts":
        return posixpath.join("bin", rest), True
    return (rest, False) if scheme in {"purelib", "platlib", "data"} else ("", False)


def console_scripts(content: bytes) -> dict[str, str]:
    """From ``entry_points.txt``: the names of programs and what they call, as ``module:attribute``; no odd ones."""
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(content.decode("utf-8", "replace"))
    except configparser.Error:
        return {}
    found = {}
    for name, target in parser["console_scripts"].items() if parser.has_section("console_scripts") else ():
        module, colon, attribute = (part.strip() for part in target.partition("[")[0].partition(":"))
        if colon and "/" not in name and all(part.isidentifier() for part in f"{module}.{attribute}".split(".")):
            found[name] = f"{module}:{attribute}"
    return found


def _programs(content: bytes, interpreter: str) -> Iterator[tuple[str, File]]:
    """The programs that an installer makes of ``console_scripts``."""
    for name, target in console_scripts(content).items():
        module, _, attribute = target.partition(":")
        first = attribute.partition(".")[0]
        # Guarded: processes that such a program starts may import it again.
        text = (
            f"#!{interpreter}\nimport sys\nfrom {module} import {first}\n"
            f'if __name__ == "__main__":\n    sys.exit({attribute}())\n'
        )
        yield f"bin/{name}", File(text.encode(), executable=True)


def _refusal(said: str) -> Exception:
    if "No module named pip" in said:
        return ConfigError(
            f"dependencies are fetched by pip, which {sys.executable} does not have: install python3-pip"
        )
    lines = [line.removeprefix("ERROR: ") for line in said.splitlines() if line.startswith("ERROR: ")]
    reason = (lines or said.strip().splitlines() or ["it said nothing"])[-1][:500]
    return InputInvalid(
        f"the dependencies can not be fetched: {reason}. Only wheels are taken, unless --build-sources lets pip"
        " build the others; pip's own settings say from where (PIP_INDEX_URL, PIP_FIND_LINKS)"
    )
