"""Mounts: whether overlay works here, and an end to those a client leaves behind."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

MOUNT_POINT = 1  # the field of /proc/mounts


def overlay_works(folder: Path) -> bool:
    """Tries an overlay mount below `folder`; inside a container on overlay it may be refused."""
    probe = folder / "overlay-probe"
    parts = {name: probe / name for name in ("lower", "upper", "work", "merged")}
    for part in parts.values():
        part.mkdir(parents=True)
    options = f"lowerdir={parts['lower']},upperdir={parts['upper']},workdir={parts['work']}"
    mounted = subprocess.run(
        ["mount", "-t", "overlay", "overlay", "-o", options, str(parts["merged"])], capture_output=True, check=False
    )
    if mounted.returncode == 0:
        subprocess.run(["umount", str(parts["merged"])], check=True)
    shutil.rmtree(probe)
    return mounted.returncode == 0


def unmount_below(folder: Path) -> None:
    """Unmounts what is still mounted below `folder`, innermost first."""
    points = [line.split()[MOUNT_POINT] for line in Path("/proc/mounts").read_text().splitlines()]
    for point in sorted((p for p in points if p.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "--lazy", point], capture_output=True, check=False)
