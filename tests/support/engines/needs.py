"""What must be on the machine before the real clients can run."""

from __future__ import annotations

from tests.support.requirements import SEARCHED, require, require_root

PROGRAMS = ("dockerd", "docker", "podman", "buildah", "skopeo", "runc", "conmon", "setpriv")
FILES = ("/usr/lib/podman/netavark", "/usr/bin/python3")

__all__ = ["SEARCHED", "program", "require_clients"]


def program(name: str) -> str:
    """The full path of an installed program; the calling test ends when it is missing."""
    return str(require(name))


def require_clients() -> None:
    """Ends the calling test unless every client can run: a skip, or a failure where all must be present."""
    for each in (*PROGRAMS, *FILES):
        require(each)
    require_root()
