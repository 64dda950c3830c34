"""Credentials where docker and podman keep them, and helper programs that keep them better."""

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from havre.client.auth import Credential
from havre.client.keychain import Keychain
from havre.errors import ConfigError

pytestmark = pytest.mark.anyio

ALICE = Credential("alice", "correct: horse 9")
AUTH = base64.b64encode(b"alice:correct: horse 9").decode()


def written(path: Path, document: Any) -> Keychain:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return Keychain([path])


def read(path: Path) -> Any:
    return json.loads(path.read_text())


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ({"auth": AUTH}, ALICE),
        ({"username": "alice", "password": "correct: horse 9"}, ALICE),
        ({"auth": base64.b64encode(b"alice:").decode(), "identitytoken": "t"}, Credential("alice", "", "t")),
        ({"identitytoken": "t"}, Credential("", "", "t")),
        ({"auth": base64.b64encode(b"alice:pw\x00\x00").decode()}, Credential("alice", "pw")),
        ({}, None),
        ("nonsense", None),
    ],
)
async def test_every_form_of_an_entry_is_read(tmp_path: Path, entry: object, found: Credential | None) -> None:
    keychain = written(tmp_path / "config.json", {"auths": {"hub.test": entry}})
    assert await keychain.get("hub.test") == found
    assert await keychain.get("other.test") is None


@pytest.mark.parametrize(
    ("key", "registry"),
    [
        ("https://index.docker.io/v1/", "docker.io"),
        ("index.docker.io", "docker.io"),
        ("https://hub.test/v2/", "hub.test"),
        ("http://localhost:5000", "localhost:5000"),
    ],
)
async def test_old_spellings_of_a_registry_are_understood(tmp_path: Path, key: str, registry: str) -> None:
    assert await written(tmp_path / "c", {"auths": {key: {"auth": AUTH}}}).get(registry) == ALICE


async def test_a_login_keeps_everything_else_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    before = {"psFormat": "table", "auths": {"other.test": {"auth": "eDp5"}}, "proxies": {"default": {"é": 1}}}
    keychain = written(path, before)
    stored = await keychain.store("hub.test", ALICE)
    assert read(path) == {**before, "auths": {"other.test": {"auth": "eDp5"}, "hub.test": {"auth": AUTH}}}
    assert str(path) in stored.warning
    assert "unencrypted" in stored.warning
    assert (await keychain.store("hub.test", ALICE)).warning == ""
    assert await keychain.erase("hub.test")
    assert read(path) == before
    assert not await keychain.erase("hub.test")


async def test_files_are_private_whole_and_links_stay_links(tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles" / "config.json", tmp_path / "home" / ".docker" / "config.json"
    written(real, {})
    real.chmod(0o644)
    link.parent.mkdir(parents=True)
    link.symlink_to(real)
    await Keychain([link]).store("hub.test", ALICE)
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert await Keychain([real]).get("hub.test") == ALICE
    assert [path.name for path in real.parent.iterdir()] == ["config.json"]


async def test_a_first_login_makes_the_folder(tmp_path: Path) -> None:
    path = tmp_path / "home" / ".docker" / "config.json"
    await Keychain([path]).store("docker.io", ALICE)
    assert read(path) == {"auths": {"https://index.docker.io/v1/": {"auth": AUTH}}}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_an_identity_token_replaces_the_password(tmp_path: Path) -> None:
    path = tmp_path / "c"
    await Keychain([path]).store("hub.test", Credential("alice", "secret", "token"))
    assert read(path)["auths"]["hub.test"] == {"auth": base64.b64encode(b"alice:").decode(), "identitytoken": "token"}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HOME": "/h"}, ["/h/.docker/config.json"]),
        ({"HOME": "/h", "DOCKER_CONFIG": "/d"}, ["/d/config.json"]),
        ({"HOME": "/h", "XDG_RUNTIME_DIR": "/run/1"}, ["/h/.docker/config.json", "/run/1/containers/auth.json"]),
        ({"HOME": "/h", "XDG_RUNTIME_DIR": "/run/1", "REGISTRY_AUTH_FILE": "/a.json"}, ["/a.json"]),
    ],
)
def test_the_files_that_the_environment_names(environ: dict[str, str], expected: list[str]) -> None:
    assert [str(path) for path in Keychain.from_environment(environ).paths] == expected


async def test_podmans_file_is_read_after_dockers(tmp_path: Path) -> None:
    docker, podman = tmp_path / "config.json", tmp_path / "auth.json"
    written(docker, {"auths": {"a.test": {"auth": AUTH}}})
    written(podman, {"auths": {"a.test": {"auth": "eDp5"}, "b.test": {"auth": "eDp5"}}})
    keychain = Keychain([docker, podman])
    assert await keychain.get("a.test") == ALICE
    assert await keychain.get("b.test") == Credential("x", "y")
    assert await keychain.erase("a.test")
    assert await keychain.get("a.test") is None


@pytest.mark.parametrize("content", ["{", "[]", '"x"', "[" * 100_000, '{"auths": {"hub.test": {"auth": "%%%"}}}'])
async def test_a_broken_file_is_named(tmp_path: Path, content: str) -> None:
    with pytest.raises(ConfigError, match=str(tmp_path / "c")):
        await written(tmp_path / "c", content).get("hub.test")


async def test_an_empty_file_and_odd_sections_hold_nothing(tmp_path: Path) -> None:
    assert await written(tmp_path / "a", "").get("hub.test") is None
    assert await written(tmp_path / "b", {"auths": [], "credHelpers": 5, "credsStore": None}).get("hub.test") is None


HELPER = """#!/bin/sh
# Keeps one secret per registry in a folder, as the real helpers do in a keyring.
folder="{folder}"
case $1 in
  store) document=$(cat); key=$(echo "$document" | sed 's/.*"ServerURL": "\\([^"]*\\)".*/\\1/'); echo "$document" > "$folder/$(echo "$key" | tr / _)";;
  get) file="$folder/$(tr / _)"; [ -e "$file" ] && cat "$file" || {{ echo 'credentials not found in native keychain'; exit 1; }};;
  erase) rm "$folder/$(tr / _)";;
esac
"""


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the helper ``docker-credential-vault`` keeps secrets."""
    programs, folder = tmp_path / "bin", tmp_path / "vault"
    programs.mkdir()
    folder.mkdir()
    for name, text in (
        ("vault", HELPER.format(folder=folder)),
        ("broken", "#!/bin/sh\necho 'the keyring is locked' >&2\nexit 3\n"),
        ("babbling", "#!/bin/sh\necho hello\n"),
    ):
        program = programs / f"docker-credential-{name}"
        program.write_text(text)
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    return folder


def kept(vault: Path) -> list[str]:
    return [path.name for path in vault.iterdir()]


@pytest.mark.parametrize("setting", [{"credsStore": "vault"}, {"credHelpers": {"hub.test": "vault"}}])
async def test_a_helper_keeps_the_secret(tmp_path: Path, vault: Path, setting: dict[str, Any]) -> None:
    path = tmp_path / "config.json"
    keychain = written(path, setting)
    assert await keychain.get("hub.test") is None
    stored = await keychain.store("hub.test", ALICE)
    assert stored.warning == ""
    assert read(path) == {**setting, "auths": {"hub.test": {}}}
    assert len(kept(vault)) == 1
    assert await keychain.get("hub.test") == ALICE
    assert await keychain.erase("hub.test")
    assert not kept(vault)
    assert read(path) == {**setting, "auths": {}}
    assert not await keychain.erase("hub.test")


async def test_a_helper_keeps_identity_tokens_and_docker_hubs_old_name(tmp_path: Path, vault: Path) -> None:
    keychain = written(tmp_path / "config.json", {"credsStore": "vault"})
    await keychain.store("docker.io", Credential("alice", "", "token"))
    assert await keychain.get("docker.io") == Credential("", "", "token")
    assert kept(vault) == ["https:__index.docker.io_v1_"]


@pytest.mark.parametrize(
    ("helper", "said"),
    [
        ("broken", "the keyring is locked"),
        ("babbling", "no credentials that can be read"),
        ("missing", "install it"),
        ("../sh", "install it"),
    ],
)
async def test_a_helper_that_fails_is_named(tmp_path: Path, vault: Path, helper: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        await written(tmp_path / "config.json", {"credsStore": helper}).get("hub.test")
