"""Certificates for single registries, from the folders where docker and podman look, and certificates of people."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from havre.client.certificates import HostCertificates, find, folders
from havre.client.transport import Transport, TransportSettings
from havre.errors import ConfigError, Unavailable
from tests.support.scripted import Reply, Scripted

pytestmark = pytest.mark.anyio

HOST = "hub.example.org:5000"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of our own for 0.0.0.0, an address of this machine that does not look like it; and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hub")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("0.0.0.0"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "x.crt").write_bytes(made.public_bytes(encoding))
    (folder / "x.key").write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    return folder / "x.crt", folder / "x.key"


def server_side(pair: tuple[Path, Path], *, asks: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    # Where a client without a certificate learns of it already when it connects.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(*pair)
    if asks:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(pair[0])
    return context


def put(folder: Path, **files: Path) -> None:
    folder.mkdir(parents=True)
    for name, source in files.items():
        (folder / name.replace("_", ".")).write_bytes(source.read_bytes())


async def test_an_authority_for_one_registry(pair: tuple[Path, Path], tmp_path: Path) -> None:
    async with Scripted(lambda _: Reply(200, body=b"ok"), tls=server_side(pair)) as server:
        host = server.host.replace("127.0.0.1", "0.0.0.0")
        settings = TransportSettings(certificate_folders=(tmp_path,))
        async with Transport(settings) as web:
            with pytest.raises(Unavailable, match=rf"put it into ~/\.docker/certs\.d/{host}/ca\.crt"):
                await web.fetch("GET", f"https://{host}/", attempts=1)
        put(tmp_path / host, ca_crt=pair[0])
        async with Transport(settings) as web:
            assert (await web.fetch("GET", f"https://{host}/")).body == b"ok"


async def test_a_registry_that_asks_who_calls(pair: tuple[Path, Path], tmp_path: Path) -> None:
    async with Scripted(lambda _: Reply(200, body=b"ok"), tls=server_side(pair, asks=True)) as server:
        settings = TransportSettings(certificate_folders=(tmp_path,))
        async with Transport(settings) as web:
            with pytest.raises(Unavailable, match=server.host):
                await web.fetch("GET", server.url, attempts=1)
        put(tmp_path / server.host, client_cert=pair[0], client_key=pair[1])
        async with Transport(settings) as web:
            assert (await web.fetch("GET", server.url)).body == b"ok"
        async with Transport(TransportSettings(client_certificate=(str(pair[0]), str(pair[1])))) as web:
            assert (await web.fetch("GET", server.url)).body == b"ok"


def test_the_first_folder_counts(pair: tuple[Path, Path], tmp_path: Path) -> None:
    mine, everyones = tmp_path / "mine", tmp_path / "everyones"
    put(everyones / HOST, a_crt=pair[0], b_crt=pair[0], b_cert=pair[0], b_key=pair[1], readme_txt=pair[0])
    assert find(HOST, (mine, everyones)) == HostCertificates(
        (everyones / HOST / "a.crt", everyones / HOST / "b.crt"),
        (everyones / HOST / "b.cert", everyones / HOST / "b.key"),
    )
    put(mine / HOST)
    assert find(HOST, (mine, everyones)) == HostCertificates()
    assert find("other.example.org", (mine, everyones)) == HostCertificates()
    assert find("../everyones", (mine,)) == HostCertificates()


def test_broken_certificates_are_named(pair: tuple[Path, Path], tmp_path: Path) -> None:
    put(tmp_path / HOST, x_cert=pair[0])
    with pytest.raises(ConfigError, match=r"x\.cert has no key beside it"):
        find(HOST, (tmp_path,))
    broken = tmp_path / "broken.crt"
    broken.write_text("nothing")
    with pytest.raises(ConfigError, match=r"broken\.crt holds no certificate"):
        HostCertificates((broken,)).load_into(ssl.create_default_context())
    with pytest.raises(ConfigError, match="are no certificate and its key"):
        HostCertificates((), (pair[0], broken)).load_into(ssl.create_default_context())


def test_where_docker_and_podman_look(tmp_path: Path) -> None:
    found = folders({"HOME": str(tmp_path)})
    assert found[0] == tmp_path / ".docker/certs.d"
    assert Path("/etc/docker/certs.d") in found
    assert Path("/etc/containers/certs.d") in found
    assert folders({"HOME": "/h", "DOCKER_CONFIG": "/d", "XDG_CONFIG_HOME": "/c"})[:2] == (
        Path("/d/certs.d"),
        Path("/c/containers/certs.d"),
    )
