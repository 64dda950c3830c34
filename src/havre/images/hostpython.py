"""Host Python: this machine's own interpreter as the ground of an image, where no base image was chosen or is in reach.

The interpreter, its standard library and the shared libraries they are linked with are taken as they lie here, with the
few files that programs expect around them. Nothing is downloaded; what comes out runs on this machine's platform.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from havre.errors import InputInvalid
from havre.images.building import File

INTERPRETER = "/usr/bin/python3"
"""How the image calls it, wherever it lies."""

_LEFT_OUT = frozenset(
    {"__pycache__", "test", "tests", "idlelib", "idle_test", "tkinter", "turtledemo", "ensurepip", "site-packages"}
    | {"dist-packages", "lib2to3"}
)
_EXPECTED = (
    *("libgcc_s.so.1", "libstdc++.so.6", "libm.so.6", "libdl.so.2", "librt.so.1", "libpthread.so.0", "libutil.so.1"),
    *("libresolv.so.2", "libz.so.1", "libexpat.so.1"),
)
"""What compiled packages for ``manylinux`` find on every machine (PEP 600), as far as it is no graphics."""

_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


def version() -> str:
    """Such as 3.11."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def files() -> dict[str, File]:
    """All of it, by path in the image. Raises InputInvalid where the interpreter is not one that can be taken along."""
    program = Path(os.path.realpath(sys.executable))
    library = Path(sysconfig.get_path("stdlib"))
    if sys.platform != "linux" or not program.is_file() or not library.is_dir():
        raise InputInvalid(f"{program} can not be the ground of an image: name a base image with --base")
    found = {_inside(path): File(path, executable=path == program) for path in (program, *_modules(library))}
    compiled = [path for path in _modules(library) if path.suffix == ".so"]
    for path in _libraries([program, *compiled]):
        found[_inside(path)] = File(path.resolve(), executable=True)
    for name in (INTERPRETER, "/usr/bin/python"):
        if Path(name) != program:
            found[name.lstrip("/")] = File(link=str(program))
    found |= {
        "etc/passwd": File(b"root:x:0:0:root:/root:/usr/bin/python3\nnobody:x:65534:65534:nobody:/:/usr/bin/python3\n"),
        "etc/group": File(b"root:x:0:\nnogroup:x:65534:\n"),
        # An account without rights runs Python too, also where that lies in here.
        "root": File(mode=0o711 if program.is_relative_to("/root") else 0o700),
        "tmp": File(mode=0o1777),
    }
    if _AUTHORITIES.is_file():
        found[_inside(_AUTHORITIES)] = File(_AUTHORITIES.resolve())
    return found


def _modules(library: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(library):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT and not name.startswith("config-"))
        for name in sorted(names):
            path = Path(folder, name)
            if path.is_file() and path.suffix not in {".pyc", ".a"}:
                yield path


def _libraries(programs: list[Path]) -> list[Path]:
    """What they are linked with, the loader included, at the paths where it looks for them."""
    try:
        done = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True, timeout=120, check=False)  # noqa: S603, S607 - our own interpreter
    except (OSError, subprocess.SubprocessError) as error:
        raise InputInvalid(
            f"ldd is needed to take this machine's Python along: {error}; or name a base image with --base"
        ) from error
    words = {word for line in done.stdout.splitlines() if line.startswith("\t") for word in line.split()}
    found = {Path(word) for word in words if word.startswith("/") and Path(word).is_file()}
    for beside in {path.parent for path in found if path.name.startswith("libc.so.")}:
        found |= {path for name in _EXPECTED if (path := beside / name).is_file()}
    return sorted(found)


def _inside(path: Path) -> str:
    return str(path).lstrip("/")
