"""Units: processor time of one request of each kind, of Havre and of PostgreSQL; what ``bench.capacity`` reckons with.

    python -m bench.units

One worker, rows in PostgreSQL, bytes in a folder. Processor time hardly depends on what else the machine does.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.servers import ACCOUNT, MANIFEST, PASSWORD, session
from bench.works import prepare_image, scope
from tests.support.postgresql import Cluster
from tests.support.server import HavreProcess

NAME = f"{ACCOUNT}/units"
TURNS, WARMING = 400, 50
LARGE = 32


class Replica:
    """One server with its rows in PostgreSQL."""

    name = "Havre"

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self._cluster = cluster
        self.process = HavreProcess(folder, "--workers", "1", database_url=cluster.create())
        self.process.add_user(ACCOUNT, PASSWORD)
        self.process.start()
        self.url = self.process.url

    def processes(self) -> list[int]:
        """Those of Havre."""
        return session(self.process.pid)

    def headers(self, scope: str = "") -> list[str]:
        """With a token for this."""
        from bench.servers import Havre

        return [f"Authorization: Bearer {Havre.token(self, scope)}"]  # type: ignore[arg-type]

    _tls = None

    def spent(self) -> tuple[float, float]:
        """Microseconds of the processor so far: Havre's, PostgreSQL's."""
        # As it was started: by its socket's folder, which no other has.
        folder = str(self.process.environ["HAVRE_DATABASE_URL"]).partition("host=")[2]
        server = int((Path(folder) / "data/postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        return sum(map(_spent, self.processes())), sum(_spent(int(pid)) for pid in children)


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of one request."""

    havre: float
    postgresql: float


def main() -> int:
    """Measure and print."""
    folder = Path(tempfile.mkdtemp(prefix="havre-units-"))
    cluster = Cluster()
    replica = None
    try:
        cluster.start()
        replica = Replica(folder / "havre", cluster)
        for name, cost in measured(replica).items():
            print(f"| {name} | {cost.havre:,.0f} | {cost.postgresql:,.0f} |", flush=True)
    finally:
        if replica:
            replica.process.kill()
        cluster.remove()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def measured(replica: Replica) -> dict[str, Cost]:
    """Each kind of request, in the order that a pull and a push make them."""
    manifest, layer = prepare_image(replica, NAME)
    large = b"0123456789abcdef" * (LARGE * 65536)
    token = replica.headers(scope(NAME))[0].partition(": ")[2]
    with closing(http.client.HTTPConnection(urlsplit(replica.url).netloc, timeout=60)) as client:

        def ask(method: str, path: str, body: bytes | None = None, *, kind: str = "") -> tuple[int, str]:
            headers = {"Accept": MANIFEST} | ({"Content-Type": kind} if kind else {})
            if path.startswith("/v2/"):
                headers["Authorization"] = token
            client.request(method, path, body, headers)
            answer = client.getresponse()
            answer.read()
            assert answer.status < 300, f"{method} {path} answers {answer.status}"
            return answer.status, answer.headers.get("Location", "")

        def push(content: bytes) -> None:
            _, location = ask("POST", f"/v2/{NAME}/blobs/uploads/")
            digest = hashlib.sha256(content).hexdigest()
            place = urlsplit(location)
            query = f"{place.query}&" if place.query else ""
            ask("PUT", f"{place.path}?{query}digest=sha256:{digest}", content, kind="application/octet-stream")

        def put(turn: int) -> None:
            entry = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "size": len(large), "digest": first}
            document = {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": entry,
                "layers": [entry],
                "annotations": {"turn": str(turn)},
            }
            ask("PUT", f"/v2/{NAME}/manifests/v{turn}", json.dumps(document).encode(), kind=MANIFEST)

        push(large)
        first = f"sha256:{hashlib.sha256(large).hexdigest()}"
        works: dict[str, tuple[int, Callable[[int], object]]] = {
            "token, anonymous": (TURNS, lambda _: ask("GET", f"/auth/token?scope=repository:{NAME}:pull")),
            "manifest HEAD by tag": (TURNS, lambda _: ask("HEAD", f"/v2/{NAME}/manifests/latest")),
            "manifest GET by digest": (TURNS, lambda _: ask("GET", f"/v2/{NAME}/manifests/{manifest}")),
            "blob HEAD": (TURNS, lambda _: ask("HEAD", f"/v2/{NAME}/blobs/{layer}")),
            "blob GET, small": (TURNS, lambda _: ask("GET", f"/v2/{NAME}/blobs/{layer}")),
            f"blob GET, {LARGE} MiB": (20, lambda _: ask("GET", f"/v2/{NAME}/blobs/{first}")),
            "blob push, small": (TURNS // 4, lambda turn: push(f"small {turn}".encode())),
            f"blob push, {LARGE} MiB": (6, lambda turn: push(large[:-8] + f"{turn:08}".encode())),
            "manifest push": (TURNS // 4, put),
        }
        return {name: _cost(replica, turns, work) for name, (turns, work) in works.items()}


def _cost(replica: Replica, turns: int, work: Callable[[int], object]) -> Cost:
    for turn in range(min(WARMING, turns // 2)):
        work(-1 - turn)
    before = replica.spent()
    for turn in range(turns):
        work(turn)
    after = replica.spent()
    return Cost(*((late - early) / turns for early, late in zip(before, after, strict=True)))


def _spent(process: int) -> float:
    # Of all its threads.
    return sum(int(one.read_text().split()[0]) for one in Path(f"/proc/{process}/task").glob("*/schedstat")) / 1000


if __name__ == "__main__":
    sys.exit(main())
