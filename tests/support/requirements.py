"""Real components that a test drives: present, or the test is skipped, or, where everything must be present, it fails."""

import importlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

SEARCHED = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
"""Daemons live in /usr/sbin, which is not on everyone's path."""


def strict() -> bool:
    """Whether a missing component fails the run: in continuous integration, or when asked for."""
    return os.environ.get("CI", "").lower() in {"1", "true"} or os.environ.get("HAVRE_TEST_STRICT") == "1"


def absent(what: str) -> None:
    """End the test, because ``what`` is not here: a skip for a person at work, a failure where all must be present."""
    reason = f"{what}; scripts/install-test-packages installs what the tests need"
    if strict():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def require(program: str) -> Path:
    """Find a program by name, or by a pattern below /usr for those that are on nobody's path. The last match wins."""
    if "/" in program:
        found = [str(path) for path in sorted(Path("/").glob(program.lstrip("/")))]
    else:
        found = [path] if (path := shutil.which(program, path=SEARCHED)) else []
    if not found:
        absent(f"{program} is not installed")
    return Path(found[-1])


def require_root() -> None:
    """Ask for the rights of root, which the container engines need to mount file systems."""
    if os.geteuid() != 0:
        absent("this test needs root")


def library(name: str) -> Any:
    """Import what has no wheel for every machine; without it the whole module of tests is left out, or fails."""
    try:
        return importlib.import_module(name)
    except ImportError:
        if strict():
            raise
        pytest.skip(f"{name} is not installed", allow_module_level=True)
