"""Nothing happens at import: no thread, process, socket, file or setting; and what is heavy waits until it is needed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rules.source import SRC, none_of, package

NOT_MODULES = {
    "havre.metadata.migrations.env",  # Alembic runs it, with its own context, to migrate
}
"""Files that are run, never imported."""

WHAT_STARTED = """
import importlib, json, os, sys, threading
before, broken = dict(os.environ), {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except BaseException as error:
        broken[name] = repr(error)
def links():
    for fd in os.listdir("/proc/self/fd"):
        try:
            yield os.readlink(f"/proc/self/fd/{fd}")
        except FileNotFoundError:
            pass
print(json.dumps({
    "broken": broken,
    "threads": [thread.name for thread in threading.enumerate()][1:],
    "native threads": len(os.listdir("/proc/self/task")) - 1,
    "children": open(f"/proc/self/task/{os.getpid()}/children").read().split(),
    "sockets": [link for link in links() if link.startswith(("socket:", "anon_inode:[event"))],
    "files": os.listdir("."),
    "environment": {k: v for k, v in os.environ.items() if before.get(k) != v},
}))
"""

HEAVY = {
    "fastapi",
    "pydantic",
    "jinja2",
    "alembic",
    "rich",
    "httpcore",
    "httpx",
    "markdown_it",
    "nh3",
    "argon2",
    "psycopg",
    "uvicorn",
    "webauthn",
    "segno",
    "smtplib",
}
"""Libraries that a push or a pull never needs: each worker would pay for them in memory, each command in time."""


def run(code: str, *arguments: str, folder: Path) -> str:
    """Run code in a fresh interpreter with an empty environment, in an empty folder."""
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", f"import sys; sys.path.insert(0, {str(SRC)!r})\n{code}", *arguments],
        env={}, cwd=folder, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    if done.returncode:
        pytest.fail(done.stderr, pytrace=False)
    return done.stdout


def importable() -> list[str]:
    """Every module except those that are run."""
    hidden = {name for name in package() if name.endswith("__main__") or ".migrations.versions." in name}
    return [name for name in package() if name not in NOT_MODULES | hidden]


def test_every_module_imports_without_environment_and_starts_nothing(tmp_path: Path) -> None:
    started = json.loads(run(WHAT_STARTED, *importable(), folder=tmp_path))
    none_of("nothing happens at import, but:", [f"{what}: {found}" for what, found in started.items() if found])


@pytest.mark.parametrize("name", ["havre.server.app", "havre.cli", "havre.config"])
def test_heavy_libraries_wait(name: str, tmp_path: Path) -> None:
    loaded = run("import sys, " + name + "; print(*sorted({m.split('.')[0] for m in sys.modules}))", folder=tmp_path)
    heavy = HEAVY & set(loaded.split())
    none_of(f"importing {name} loads what should wait until it is used:", sorted(heavy))
