"""Wheels made from nothing, for what installs or unpacks them; they are found without any package index."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from importlib.metadata import distribution
from pathlib import Path


def wheel(folder: Path, name: str, files: Mapping[str, str], *, version: str = "1.0", tag: str = "py3-none-any", requires: str = "") -> Path:  # fmt: skip
    """Write a wheel with ``files`` (path → text) and the metadata that pip reads; returns it."""
    about = f"{name}-{version}.dist-info"
    wanted = f"Requires-Dist: {requires}\n" if requires else ""
    contents = {
        **files,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{wanted}",
        f"{about}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    contents[f"{about}/RECORD"] = "".join(f"{path},,\n" for path in [*contents, f"{about}/RECORD"])
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in contents.items():
            archive.writestr(zipfile.ZipInfo(member), text)
    return path


def installed(folder: Path, *names: str) -> None:
    """Wheels made anew of libraries that these tests run with, so that a build finds them without any package index."""
    folder.mkdir(exist_ok=True)
    for name in names:
        found = distribution(name)
        tag = next(
            line.removeprefix("Tag: ") for line in found.read_text("WHEEL").splitlines() if line.startswith("Tag:")
        )
        plain = re.sub(r"[-_.]+", "_", found.metadata["Name"])
        with zipfile.ZipFile(folder / f"{plain}-{found.version}-{tag}.whl", "w", zipfile.ZIP_DEFLATED) as archive:
            for file in found.files or ():
                inside = not file.parts[0].startswith("..") and "__pycache__" not in file.parts
                if inside and file.name not in {"INSTALLER", "REQUESTED", "direct_url.json"}:
                    archive.write(str(file.locate()), str(file))


def backends(folder: Path) -> None:
    """What builds projects, with all that it needs."""
    needed = [re.split(r"[^\w.-]", one)[0] for one in distribution("hatchling").requires or () if ";" not in one]
    installed(folder, "setuptools", "hatchling", *needed)
    # Older pips ask for it beside setuptools, which no longer uses it.
    wheel(folder, "wheel", {})
