"""What must be on the machine before the real clients can run, said plainly when it is not."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

# Programs, with the Debian 12 package that brings each. Daemons live in /usr/sbin, which may not be on the path.
PACKAGES = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "podman": "podman",
    "buildah": "buildah",
    "skopeo": "skopeo",
    "runc": "runc",
    "conmon": "conmon",
    "setpriv": "util-linux",
}
FILES = {
    "/usr/lib/podman/netavark": "netavark",
    "/usr/bin/python3": "python3",
}
SEARCHED = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


def program(name: str) -> str:
    """The full path of an installed program."""
    found = shutil.which(name, path=SEARCHED)
    assert found, f"{name} is not installed; Debian's package is {PACKAGES.get(name, name)}"
    return found


def require_clients() -> None:
    """Skips the calling test when a client is missing; fails it when the whole run must be complete."""
    missing = sorted({package for name, package in PACKAGES.items() if not shutil.which(name, path=SEARCHED)})
    missing += sorted(package for path, package in FILES.items() if not Path(path).exists())
    reason = ""
    if missing:
        reason = f"real container clients are missing: apt-get install {' '.join(missing)}"
    elif os.geteuid() != 0:
        reason = "the real container clients need root: dockerd mounts file systems"
    if not reason:
        return
    if must_be_complete():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def must_be_complete() -> bool:
    """Whether a missing component fails the run: in continuous integration, or when asked for."""
    return os.environ.get("CI", "").lower() in {"1", "true"} or os.environ.get("HAVRE_TEST_STRICT") == "1"
