"""The works that are measured, one function each; the goal of each stands beside it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import load
from bench.figures import Row, alternate, compare
from bench.servers import ACCOUNT, MANIFEST, PASSWORD, Distribution, Havre, Nginx, Server, certificate

LARGE = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Bench:
    """What the works share: both registries with the same content, and how long to measure."""

    havre: Havre
    peer: Distribution
    folder: Path
    seconds: int
    rounds: int

    @property
    def registries(self) -> tuple[Server, Server]:
        """Havre and its peer."""
        return self.havre, self.peer


def scope(name: str) -> str:
    """What a token for pushing and pulling is asked with."""
    return f"repository:{name}:pull,push"


def request(server: Server, method: str, path: str, body: bytes | None = None, *headers: str) -> tuple[int, bytes]:
    """One request, for preparing."""
    fields = dict(line.split(": ", 1) for line in headers)
    asked = urllib.request.Request(server.url + path, data=body, method=method, headers=fields)
    with urllib.request.urlopen(asked, timeout=60) as reply:
        return reply.status, reply.read()


def prepare_image(server: Server, name: str) -> tuple[str, str]:
    """Push an image of a config and eight made-up layers; returns its manifest's and first layer's digests."""
    headers = server.headers(scope(name))
    blobs = [f"blob {number} of {name}".encode() * 100 for number in range(9)]
    load.push_many(server.url, headers, name, blobs, 2)
    entries = [
        {"mediaType": "application/vnd.oci.image.layer.v1.tar", "size": len(blob), "digest": load.digest_of(blob)}
        for blob in blobs
    ]
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": entries[0], "layers": entries[1:]}
    content = json.dumps(document).encode()
    request(server, "PUT", f"/v2/{name}/manifests/latest", content, f"Content-Type: {MANIFEST}", *headers)
    return load.digest_of(content), entries[1]["digest"]


def rates(bench: Bench) -> list[Row]:
    """Small answers, sixteen connections."""
    name = f"{ACCOUNT}/rates"
    found = [prepare_image(server, name) for server in bench.registries]
    manifest, layer = found[0]
    rows = []
    for work, method, path, goal in (
        ("manifest GET by tag", "GET", "manifests/latest", 8),
        ("manifest GET by digest", "GET", f"manifests/{manifest}", 8),
        ("manifest HEAD by tag", "HEAD", "manifests/latest", 8),
        ("manifest HEAD by digest", "HEAD", f"manifests/{manifest}", 8),
        ("blob HEAD", "HEAD", f"blobs/{layer}", 4),
    ):
        measures = {
            server.name: _rate(server, f"/v2/{name}/{path}", method, scope(name), bench.seconds)
            for server in bench.registries
        }
        rows.append(compare(work, "requests/s", alternate(bench.rounds, measures), {"distribution": goal}))
    return rows


def _rate(server: Server, path: str, method: str, asked: str, seconds: int) -> Callable[[], float]:
    def measure() -> float:
        headers = [*server.headers(asked), f"Accept: {MANIFEST}"]
        return load.rate(server.url + path, headers, method=method, seconds=seconds).per_second

    return measure


def tokens(bench: Bench) -> list[Row]:
    """Token requests with a password that was checked a moment ago."""
    import base64

    basic = base64.b64encode(f"{ACCOUNT}:{PASSWORD}".encode()).decode()
    url = f"{bench.havre.url}/auth/token?service=bench&scope={scope(f'{ACCOUNT}/rates')}"

    def measure() -> float:
        return load.rate(url, [f"Authorization: Basic {basic}"], seconds=bench.seconds).per_second

    measure()
    found = alternate(bench.rounds, {"Havre": measure, "1,000/s": lambda: 1000.0})
    return [compare("token request, credential known", "requests/s", found, {"1,000/s": 1})]


def downloads(bench: Bench) -> list[Row]:
    """One large blob, one stream and eight, plain and over TLS."""
    name, file = f"{ACCOUNT}/large", _large(bench.folder)
    digest = _file_digest(file)
    for server in bench.registries:
        load.push_layer(server.url, server.headers(scope(name)), name, file, digest)
    rows = []
    with Nginx(bench.folder / "nginx", bench.folder) as nginx:
        places = {server.name: (server, f"/v2/{name}/blobs/{digest}") for server in bench.registries}
        places[nginx.name] = (nginx, f"/{file.name}")
        for streams in (1, 8):
            measures = {one: _download(server, path, name, streams) for one, (server, path) in places.items()}
            found = alternate(max(5, bench.rounds), measures)
            work = f"blob GET 256 MB, {streams} stream{'s' if streams > 1 else ''}"
            rows.append(compare(work, "s", found, {"distribution": 1, "nginx": 0.8}, less_is_better=True))
    return [*rows, _tls(bench, name, file, digest)]


def _download(server: Server, path: str, name: str, streams: int) -> Callable[[], float]:
    def measure() -> float:
        return load.download(server.url + path, server.headers(scope(name)), streams)

    return measure


def _tls(bench: Bench, name: str, file: Path, digest: str) -> Row:
    keys = certificate(bench.folder)
    with (
        Havre(bench.folder / "havre-tls", 2, keys) as havre,
        Distribution(bench.folder / "peer-tls", keys) as peer,
        Nginx(bench.folder / "nginx-tls", bench.folder, keys) as nginx,
    ):
        measures: dict[str, Callable[[], float]] = {}
        for server in (havre, peer):
            load.push_layer(server.url, server.headers(scope(name)), name, file, digest)
            measures[server.name] = _download(server, f"/v2/{name}/blobs/{digest}", name, 1)
        measures[nginx.name] = _download(nginx, f"/{file.name}", name, 1)
        found = alternate(max(5, bench.rounds), measures)
    return compare("blob GET 256 MB over TLS", "s", found, {"distribution": 1}, less_is_better=True)


def _large(folder: Path) -> Path:
    file = folder / "large.bin"
    if not file.exists():
        with file.open("wb") as stream:
            for _ in range(LARGE // (1 << 20)):
                stream.write(os.urandom(1 << 20))
    return file


def _file_digest(file: Path) -> str:
    with file.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def pushes(bench: Bench) -> list[Row]:
    """One large layer, acknowledged durable, against the disk itself; and two hundred small ones."""
    file = _large(bench.folder)
    digest = _file_digest(file)
    target = bench.folder / "dd.bin"
    turn = iter(range(1_000_000))

    def push(server: Server, known_length: bool) -> Callable[[], float]:
        def measure() -> float:
            name = f"{ACCOUNT}/push{next(turn)}"
            headers = server.headers(scope(name))
            return _fresh(
                server,
                lambda: load.push_layer(server.url, headers, name, file, digest, known_length=known_length),
            )

        return measure

    def disk() -> float:
        target.unlink(missing_ok=True)
        started = time.perf_counter()
        subprocess.run(["dd", f"if={file}", f"of={target}", "bs=1M", "conv=fdatasync"], check=True, capture_output=True)
        return time.perf_counter() - started

    def hashing() -> float:
        started = time.perf_counter()
        subprocess.run(["openssl", "dgst", "-sha256", str(file)], check=True, capture_output=True)
        return time.perf_counter() - started

    goals = {"distribution": 1.5, "dd": 0.7}
    rows = []
    for form, known_length in (("streamed, as docker", False), ("length known, as podman", True)):
        measures = {one.name: push(one, known_length) for one in bench.registries}
        found = alternate(max(9, bench.rounds), measures | {"dd": disk, "openssl dgst": hashing})
        rows.append(compare(f"push of a 256 MB layer, {form}", "s", found, goals, less_is_better=True))

    def many(server: Server) -> Callable[[], float]:
        def measure() -> float:
            name = f"{ACCOUNT}/many{next(turn)}"
            blobs = [os.urandom(100_000) for _ in range(200)]
            return load.push_many(server.url, server.headers(scope(name)), name, blobs, 8)[0]

        return measure

    found = alternate(bench.rounds, {one.name: many(one) for one in bench.registries})
    work = "push of 200 layers of 100 KB, 8 at a time"
    return [*rows, compare(work, "s", found, {"distribution": 2}, less_is_better=True)]


def _fresh(server: Server, push: Callable[[], float]) -> float:
    """Push, then make the server forget the bytes, so that the next push stores them again."""
    taken = push()
    if isinstance(server, Havre):
        subprocess.run(["find", str(server.data / "blobs"), "-size", "+100M", "-delete"], check=True)
    elif isinstance(server, Distribution):
        # Links of the repository and the content itself.
        subprocess.run(["find", str(server.data), "-size", "+100M", "-delete"], check=True)
    return taken


def images(bench: Bench) -> list[Row]:
    """A whole image with skopeo: ten layers, 500 MB in all."""
    source = _image_folder(bench.folder)
    turn = iter(range(1_000_000))
    home = bench.folder / "skopeo-home"
    home.mkdir(exist_ok=True)

    def copy(*arguments: str) -> float:
        started = time.perf_counter()
        environ = {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(bench.folder)}
        done = subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", *arguments], env=environ, check=False)
        if done.returncode:
            raise RuntimeError(f"skopeo copy {' '.join(arguments)} fails")
        return time.perf_counter() - started

    def place(server: Server, name: str) -> str:
        return f"docker://{server.url.partition('//')[2]}/{ACCOUNT}/{name}:latest"

    def push(server: Server) -> Callable[[], float]:
        def measure() -> float:
            # skopeo remembers what it pushed where, and would mount instead.
            shutil.rmtree("/var/lib/containers/cache", ignore_errors=True)
            forget(server)
            to = place(server, f"image{next(turn)}")
            return copy("--dest-tls-verify=false", *_credentials(server, "dest"), f"dir:{source}", to)

        return measure

    def pull(server: Server) -> Callable[[], float]:
        to = place(server, "pulled")
        if not isinstance(server, Nginx):
            copy("--dest-tls-verify=false", *_credentials(server, "dest"), f"dir:{source}", to)

        def measure() -> float:
            target = bench.folder / "pulled"
            shutil.rmtree(target, ignore_errors=True)
            return copy("--src-tls-verify=false", *_credentials(server, "src"), to, f"dir:{target}")

        return measure

    rounds = max(5, bench.rounds)
    pushes = alternate(rounds, {one.name: push(one) for one in bench.registries})
    # nginx answers with the same files at no cost to speak of: what is left is skopeo's own time.
    with Nginx(bench.folder / "nginx-image", _as_addresses(bench.folder, source)) as nginx:
        pulls = alternate(rounds, {one.name: pull(one) for one in (*bench.registries, nginx)})
    goal = {"distribution": 1.25}
    return [
        compare("skopeo push, 10 layers, 500 MB", "s", pushes, goal, less_is_better=True),
        compare("skopeo pull, 10 layers, 500 MB", "s", pulls, goal, less_is_better=True),
    ]


def _as_addresses(folder: Path, image: Path) -> Path:
    """The image's files where a client asks a registry for them."""
    root = folder / "addresses"
    repository = root / "v2" / ACCOUNT / "pulled"
    for name in ("manifests", "blobs"):
        (repository / name).mkdir(parents=True)
    (root / "v2" / "index.html").write_text("{}")
    for file in image.iterdir():
        manifest = file.name == "manifest.json"
        os.link(file, repository / ("manifests/latest" if manifest else f"blobs/sha256:{file.name}"))
    return root


def _credentials(server: Server, side: str) -> list[str]:
    return [f"--{side}-creds={ACCOUNT}:{PASSWORD}"] if isinstance(server, Havre) else []


def forget(server: Server) -> None:
    """Make a server forget the large blobs it has, so that the next push stores them again."""
    folder = server.data / "blobs" if isinstance(server, Havre) else getattr(server, "data", None)
    if folder and folder.exists():
        subprocess.run(["find", str(folder), "-size", "+30M", "-delete"], check=True)


def _image_folder(folder: Path) -> Path:
    """An image as skopeo's ``dir:`` keeps it."""
    source = folder / "image"
    if source.exists():
        return source
    source.mkdir()
    layers = []
    for _ in range(10):
        content = b"".join(os.urandom(1 << 20) for _ in range(50))
        digest = load.digest_of(content)
        (source / digest.partition(":")[2]).write_bytes(content)
        layers.append(
            {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "size": len(content), "digest": digest}
        )
    diffs = [one["digest"] for one in layers]
    config = json.dumps(
        {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": diffs}}
    ).encode()
    (source / load.digest_of(config).partition(":")[2]).write_bytes(config)
    about = {
        "mediaType": "application/vnd.oci.image.config.v1+json",
        "size": len(config),
        "digest": load.digest_of(config),
    }
    (source / "manifest.json").write_text(
        json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": about, "layers": layers})
    )
    (source / "version").write_text("Directory Transport Version: 1.1\n")
    return source
