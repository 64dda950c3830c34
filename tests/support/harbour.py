"""A harbour with ships in it: repositories as people keep them, pushed to a running Havre over HTTP.

Images have real layers with files, several platforms, histories and labels, READMEs and a signature, so that every
page has something to show. Sizes grow with ``weight``: tests take 1, screenshots more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import httpx

from tests.support import documents
from tests.support.images import Layer, layer, noise
from tests.support.server import HavreProcess

SIGNATURE = "application/vnd.dev.cosign.artifact.sig.v1+json"
SBOM = "application/spdx+json"

README = """\
# Lighthouse

Watches the services of a harbour and **lights up** when one goes dark. One container, one YAML file, no database.

## Start

```sh
docker run -d -p 8080:8080 -v ./lighthouse.yml:/etc/lighthouse.yml {host}/{owner}/lighthouse
```

## Settings

| variable | meaning | default |
|---|---|---|
| `LIGHT_INTERVAL` | seconds between two looks | `30` |
| `LIGHT_COLOUR` | of the lamp | `amber` |
| `LIGHT_LISTEN` | address of the page | `:8080` |

> The lamp needs no more than 40 MB of memory.

1. Write down what should answer.
2. Start it.
3. Sleep well.
"""


@dataclass(frozen=True)
class Crew:
    """Who has accounts, all with one password: an owner, someone else, and an administrator."""

    owner: str = "alice"
    other: str = "bobby"
    keeper: str = "carol"
    password: str = "correct horse 9"
    host: str = ""
    """As the overviews name this registry; empty: as it is."""


@dataclass(frozen=True)
class Build:
    """An image to be: its instructions, each with the layer that it makes (or none), and how it starts."""

    steps: Sequence[tuple[str, Layer | None]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    architecture: str = "amd64"
    created: str = "2026-11-20T08:00:00Z"

    @property
    def layers(self) -> list[Layer]:
        """From the lowest."""
        return [made for _, made in self.steps if made is not None]

    def image(self) -> documents.Image:
        """The manifest and the blobs that it needs."""
        config = documents.encoded({
            "created": self.created,
            "architecture": self.architecture,
            "os": "linux",
            "config": dict(self.settings),
            "rootfs": {"type": "layers", "diff_ids": [made.diff_id for made in self.layers]},
            "history": [
                {"created": self.created, "created_by": words, **({} if made else {"empty_layer": True})}
                for words, made in self.steps
            ],
        })  # fmt: skip
        blobs = [made.gz for made in self.layers]
        described = [documents.descriptor(blob, documents.OCI_LAYER) for blob in blobs]
        manifest = documents.manifest(documents.descriptor(config, documents.OCI_CONFIG), described)
        return documents.Image(manifest, (config, *blobs))


def base(weight: int, architecture: str = "amd64") -> tuple[str, Layer]:
    """What all of them stand on: a small Debian."""
    files = {
        "etc/os-release": b'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\nVERSION_ID="13"\n',
        "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n",
        "usr/bin/sh": noise(f"sh {architecture}", 120_000 * weight),
        "usr/lib/libc.so.6": noise(f"libc {architecture}", 180_000 * weight),
        "usr/share/doc/base/copyright": b"Many people hold it.\n" * 40,
    }
    return "RUN /bin/sh -c #(nop) ADD file:5f1c in /", layer(files, links={"bin": "usr/bin", "lib": "usr/lib"})


def lighthouse(version: str, weight: int, owner: str, architecture: str = "amd64") -> Build:
    """A service in Python, one version of it."""
    application = {
        "app/main.py": f'"""Lighthouse {version}."""\n\nVERSION = "{version}"\n\nprint("light", VERSION)\n'.encode(),
        "app/lamp.bin": noise(f"lamp {version}", 30_000 * weight),
        "app/static/lamp.svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>\n',
    }
    if version >= "2.1":
        application["app/colours.py"] = b'AMBER, WHITE = "amber", "white"\n'
    else:
        application["app/legacy.py"] = b"import main\n"
    python = {
        "usr/local/bin/python3": noise(f"python {architecture}", 90_000 * weight),
        "usr/local/lib/python3.13/asyncio/__init__.py": b"from .base_events import *\n",
        "usr/local/lib/python3.13/json/__init__.py": b"from .decoder import JSONDecoder\n",
    }
    source = f"https://example.org/{owner}/lighthouse"
    settings = {
        "User": "keeper",
        "Env": ["PATH=/usr/local/bin:/usr/bin", "LIGHT_INTERVAL=30", f"LIGHT_VERSION={version}"],
        "Entrypoint": ["python3", "/app/main.py"],
        "Cmd": ["--watch", "/etc/lighthouse.yml"],
        "ExposedPorts": {"8080/tcp": {}},
        "Volumes": {"/var/lib/lighthouse": {}},
        "WorkingDir": "/app",
        "Labels": {
            "org.opencontainers.image.title": "Lighthouse",
            "org.opencontainers.image.version": version,
            "org.opencontainers.image.source": source,
            "org.opencontainers.image.documentation": f"{source}/wiki",
            "org.opencontainers.image.licenses": "Apache-2.0",
        },
    }
    steps = [
        base(weight, architecture),
        ('CMD ["sh"]', None),
        ("ENV PATH=/usr/local/bin:/usr/bin", None),
        ("RUN /bin/sh -c set -eux; ./configure --enable-optimizations && make install # buildkit", layer(python)),
        ("WORKDIR /app", None),
        ("COPY . /app # buildkit", layer(application)),
        ("EXPOSE 8080/tcp", None),
        ('ENTRYPOINT ["python3" "/app/main.py"]', None),
    ]
    return Build(steps, settings, architecture, f"2026-11-{18 + int(version[-1])}T08:00:00Z")


def small(name: str, weight: int, command: str) -> Build:
    """One program on the same base."""
    program = layer({f"usr/local/bin/{name}": noise(name, 45_000 * weight)})
    steps = [base(weight), (f"COPY {name} /usr/local/bin/ # buildkit", program), (f'CMD ["{command}"]', None)]
    return Build(steps, {"Cmd": [command], "Env": ["PATH=/usr/local/bin:/usr/bin"], "WorkingDir": "/"})


class Crane:
    """One account at work: it pushes, pulls and fills in the forms of the pages."""

    def __init__(self, havre: HavreProcess, name: str, password: str) -> None:
        self._havre, self._name, self._password = havre, name, password
        self._tokens: dict[str, str] = {}
        self._http = httpx.Client(base_url=havre.url, trust_env=False, timeout=60, headers={"Origin": havre.url})

    def __enter__(self) -> Self:
        self.send("/login", name=self._name, password=self._password)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def send(self, path: str, **fields: str) -> httpx.Response:
        """Send a form. Raises unless the page takes it."""
        reply = self._http.post(path, data=fields)
        if reply.status_code not in {200, 303}:
            raise RuntimeError(f"{path} with {fields} answered {reply.status_code}")
        return reply

    def read(self, path: str) -> str:
        """A page as HTML."""
        return self._http.get(path).raise_for_status().text

    def _token(self, repository: str) -> dict[str, str]:
        if repository not in self._tokens:
            scope = urlencode({"service": self._havre.host, "scope": f"repository:{repository}:pull,push"})
            reply = self._http.get(f"/auth/token?{scope}", auth=(self._name, self._password)).raise_for_status()
            self._tokens[repository] = reply.json()["token"]
        return {"Authorization": f"Bearer {self._tokens[repository]}"}

    def push(
        self, repository: str, image: documents.Image, *references: str, kind: str = documents.OCI_MANIFEST
    ) -> str:
        """Push what is not there yet, under these tags (its digest, if none); returns its digest."""
        headers = self._token(repository)
        for blob in image.blobs:
            digest = documents.digest_of(blob)
            if self._http.head(f"/v2/{repository}/blobs/{digest}", headers=headers).status_code == 404:
                address = f"/v2/{repository}/blobs/uploads/?digest={digest}"
                typed = headers | {"Content-Type": "application/octet-stream"}
                self._http.post(address, content=blob, headers=typed).raise_for_status()
        for reference in references or (image.digest,):
            address = f"/v2/{repository}/manifests/{reference}"
            self._http.put(address, content=image.content, headers=headers | {"Content-Type": kind}).raise_for_status()
        return image.digest

    def push_index(self, repository: str, builds: Iterable[Build], *tags: str) -> str:
        """Push one image per platform under one list; returns the list's digest."""
        entries = []
        for build in builds:
            image = build.image()
            self.push(repository, image)
            platform = {"os": "linux", "architecture": build.architecture}
            entries.append(documents.descriptor(image.content, documents.OCI_MANIFEST, platform=platform))
        return self.push(repository, documents.Image(documents.index(entries), ()), *tags, kind=documents.OCI_INDEX)

    def attach(self, repository: str, subject: dict[str, Any], kind: str, content: bytes) -> str:
        """Push an artifact, such as a signature, that is about another manifest."""
        config = documents.descriptor(documents.EMPTY, documents.OCI_EMPTY)
        described = [documents.descriptor(content, kind)]
        manifest = documents.manifest(config, described, artifactType=kind, subject=subject)
        return self.push(repository, documents.Image(manifest, (documents.EMPTY, content)))

    def pull(self, repository: str, tag: str, times: int = 1) -> None:
        """Read a manifest, as a client that pulls does."""
        headers = self._token(repository) | {"Accept": f"{documents.OCI_INDEX}, {documents.OCI_MANIFEST}"}
        for _ in range(times):
            self._http.get(f"/v2/{repository}/manifests/{tag}", headers=headers).raise_for_status()

    def describe(self, repository: str, description: str, readme: str = "") -> None:
        """Write the line and the overview of a repository."""
        namespace, _, leaf = repository.rpartition("/")
        page = f"/repository/docker/{namespace or 'library'}/{leaf}"
        self.send(page, form="about", description=description)
        if readme:
            self.send(page, form="overview", readme=readme)

    def hide(self, repository: str) -> None:
        """Make it private."""
        self.send(f"/repository/docker/{repository}", form="visibility", visibility="private")


def stock(havre: HavreProcess, crew: Crew | None = None, weight: int = 1) -> None:
    """Fill a server on which the crew has accounts. ``OWNER/lighthouse`` has the most to show."""
    crew = crew or Crew()
    owner = crew.owner
    with Crane(havre, owner, crew.password) as crane:
        name = f"{owner}/lighthouse"
        for version in ("1.9", "2.0", "2.1"):
            crane.push(name, lighthouse(version, weight, owner).image(), version)
        pair = [lighthouse("2.1", weight, owner, architecture) for architecture in ("amd64", "arm64")]
        index = crane.push_index(name, pair, "latest", "2.1.0")
        crane.push(name, lighthouse("2.2", weight, owner).image(), "edge")
        first = pair[0].image()
        subject = documents.descriptor(first.content, documents.OCI_MANIFEST)
        crane.attach(name, subject, SIGNATURE, b'{"critical":{"type":"cosign container image signature"}}')
        crane.attach(name, subject, SBOM, json.dumps({"spdxVersion": "SPDX-2.3", "about": index}).encode())
        crane.describe(
            name, "Lights up when a service goes dark", README.format(host=crew.host or havre.host, owner=owner)
        )
        crane.pull(name, "latest", 7)
        crane.push(f"{owner}/tide-tables", small("tides", weight, "tides").image(), "latest", "2026")
        crane.describe(f"{owner}/tide-tables", "High and low water for every harbour of the coast")
        crane.push(f"{owner}/logbook", small("logbook", weight, "logbook").image(), "latest")
        crane.describe(f"{owner}/logbook", "What happened on board; not for everyone")
        crane.hide(f"{owner}/logbook")
    with Crane(havre, crew.other, crew.password) as crane:
        name = f"{crew.other}/harbour-bell"
        crane.push(name, small("bell", weight, "bell").image(), "latest", "0.3")
        crane.describe(name, "Rings when a deployment has arrived")
    with Crane(havre, crew.keeper, crew.password) as crane:
        for name, words in (
            ("python", "An interpreted, interactive, object-oriented programming language"),
            ("postgres", "The object-relational database with a reputation for keeping data whole"),
        ):
            crane.push(name, small(name, weight, name).image(), "latest", "1.0")
            crane.describe(name, words, f"# {name}\n\n{words}.\n")
            crane.pull(name, "latest", 3)
