"""Havre behind nginx, with the configuration that ``examples/nginx.conf`` shows."""

import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from havre.oci.digest import Digest
from tests.conftest import PASSWORD
from tests.support.requirements import require
from tests.support.server import HavreProcess, free_port

EXAMPLE = Path(__file__).parents[2] / "examples" / "nginx.conf"
NAME = "hub.example.org"


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    require("openssl")
    pem, key = tmp_path / "hub.pem", tmp_path / "hub.key"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "1",
            "-subj",
            f"/CN={NAME}",
            "-addext",
            f"subjectAltName=DNS:{NAME},IP:127.0.0.1",
            "-out",
            str(pem),
            "-keyout",
            str(key),
        ],
        check=True,
        capture_output=True,
    )
    return pem, key


@pytest.fixture
def proxy(
    tmp_path: Path, certificate: tuple[Path, Path], start_havre: Callable[..., HavreProcess]
) -> Iterator[tuple[int, HavreProcess]]:
    """The port on which nginx serves TLS, and the server behind it."""
    require("nginx")
    pem, key = certificate
    port = free_port()
    server = start_havre(external_url=f"https://127.0.0.1:{port}", trusted_proxies="127.0.0.1/32", log_format="json")
    server.add_user("alice", PASSWORD)
    site = EXAMPLE.read_text()
    for old, new in (
        ("127.0.0.1:5000;", f"{server.host};"),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        (f"/etc/ssl/{NAME}.pem", str(pem)),
        (f"/etc/ssl/{NAME}.key", str(key)),
    ):
        assert old in site, f"{EXAMPLE.name} no longer says {old!r}"
        site = site.replace(old, new)
    (tmp_path / "havre.conf").write_text(site)
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; pid {tmp_path}/nginx.pid; error_log {tmp_path}/error.log;\n"
        f"events {{}}\nhttp {{ access_log off; client_body_temp_path {tmp_path}/body; proxy_temp_path {tmp_path}/proxy;"
        f" fastcgi_temp_path {tmp_path}/f; uwsgi_temp_path {tmp_path}/u; scgi_temp_path {tmp_path}/s;"
        f" include {tmp_path}/havre.conf; }}\n"
    )
    tmp_path.chmod(0o755)
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin") or "nginx"
    process = subprocess.Popen([nginx, "-e", f"{tmp_path}/error.log", "-c", f"{tmp_path}/nginx.conf"])
    try:
        yield port, server
    finally:
        process.terminate()
        process.wait(10)


def test_a_client_pushes_and_pulls_through_nginx(
    proxy: tuple[int, HavreProcess], certificate: tuple[Path, Path]
) -> None:
    port, server = proxy
    # Connecting is tried again: nginx takes a moment to listen.
    transport = httpx.HTTPTransport(retries=8, verify=ssl.create_default_context(cafile=str(certificate[0])))
    with httpx.Client(base_url=f"https://127.0.0.1:{port}", transport=transport, timeout=30) as client:
        challenge = client.get("/v2/").headers["www-authenticate"]
        assert f'realm="https://127.0.0.1:{port}/auth/token"' in challenge
        granted = client.get(
            "/auth/token", params={"scope": "repository:alice/app:pull,push"}, auth=("alice", PASSWORD)
        )
        client.headers["authorization"] = f"Bearer {granted.json()['token']}"
        layer = b"a layer that is larger than one megabyte, nginx's own limit. " * 50_000
        upload = client.post("/v2/alice/app/blobs/uploads/")
        assert upload.status_code == 202
        # A generator has no length: the body goes out chunked, as docker sends a layer.
        sent = client.patch(
            upload.headers["location"], content=(layer[at : at + 65536] for at in range(0, len(layer), 65536))
        )
        assert (sent.status_code, sent.headers["range"]) == (202, f"0-{len(layer) - 1}")
        name = Digest.of(layer)
        assert client.put(sent.headers["location"], params={"digest": name}).status_code == 201
        assert client.get(f"/v2/alice/app/blobs/{name}").content == layer
        client.get("/v2/alice/app/tags/list", headers={"x-forwarded-for": "198.51.100.9"})
    server.stop()  # the line of a request is written after its answer
    assert '"client":"198.51.100.9"' in server.log.read_text(), "what a trusted proxy forwards is believed"


def test_a_push_is_seen_as_it_happens_through_nginx(
    proxy: tuple[int, HavreProcess], certificate: tuple[Path, Path]
) -> None:
    port, _ = proxy
    origin = f"https://127.0.0.1:{port}"
    transport = httpx.HTTPTransport(retries=8, verify=ssl.create_default_context(cafile=str(certificate[0])))
    with httpx.Client(base_url=origin, transport=transport, timeout=15) as client:
        granted = client.get(
            "/auth/token", params={"scope": "repository:alice/app:pull,push"}, auth=("alice", PASSWORD)
        )
        bearer = {"authorization": f"Bearer {granted.json()['token']}"}
        index = b'{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}'
        kind = {"content-type": "application/vnd.oci.image.index.v1+json", **bearer}
        assert client.put("/v2/alice/app/manifests/first", content=index, headers=kind).status_code == 201
        signed_in = client.post("/login", data={"name": "alice", "password": PASSWORD}, headers={"origin": origin})
        assert signed_in.status_code == 303
        with client.stream("GET", "/r/alice/app/-/events") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            lines = stream.iter_lines()
            # The answer's beginning is here before anything happened: nothing on the way keeps it back.
            assert next(lines) == "retry: 3000"
            assert client.put("/v2/alice/app/manifests/second", content=index, headers=kind).status_code == 201
            assert any(line == "data: second has arrived." for line in lines)
