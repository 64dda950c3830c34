"""The drill: a registry under load is backed up, destroyed, and restored; every tag is pulled and compared."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Self

import pytest

from tests.support import documents
from tests.support.pulled import pull_all, push_image, session
from tests.support.server import HavreProcess
from tests.upkeep.conftest import ENGINES, New

REPOSITORIES = ("alice/load0", "alice/load1", "alice/load2")


class Load:
    """Pushes one image after the other, and knows which were acknowledged."""

    def __init__(self, havre: HavreProcess) -> None:
        self._havre = havre
        self.acknowledged: dict[str, str] = {}
        self._stop = threading.Event()
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        number = 0
        with session(self._havre, "alice", *REPOSITORIES) as client:
            while not self._stop.is_set():
                image = documents.image(f"load {number}")
                repository, tag = REPOSITORIES[number % 3], f"v{number}"
                push_image(client, repository, tag, image)
                self.acknowledged[f"{repository}:{tag}"] = image.digest
                number += 1
                if number >= 6:
                    self._enough.set()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._enough.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.mark.parametrize("target", ENGINES)
@pytest.mark.parametrize("source", ENGINES)
def test_a_registry_under_load_comes_back(new: New, tmp_path: Path, source: str, target: str) -> None:
    shelf = tmp_path / "shelf"
    with new(source, people=True) as lost:
        with Load(lost) as load:
            before = dict(load.acknowledged)
            first = lost.command("backup", str(shelf), "--verify")
            second = lost.command("backup", str(shelf), "--verify")
        assert ": 0 damaged" in first
        assert ", 0 there already" in first
        assert ", 0 there already" not in second
        lost.kill()
        shutil.rmtree(lost.data)
    restored = new(target)
    assert "every byte compared" in restored.command("restore", str(shelf))
    with restored:
        pulled = pull_all(restored, "alice", *REPOSITORIES)
        assert pulled.broken == []
        assert before.items() <= pulled.tags.items() <= load.acknowledged.items()
        # It is a registry like any other: what is pushed now is there afterwards.
        with session(restored, "alice", "alice/load0") as client:
            push_image(client, "alice/load0", "after", documents.image("after"))
        assert "alice/load0:after" in pull_all(restored, "alice", "alice/load0").tags
