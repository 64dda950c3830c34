"""Keychain: credentials exactly where docker and podman keep them.

Read, in this order: ``$REGISTRY_AUTH_FILE`` alone if it is set; else docker's ``config.json`` (in ``$DOCKER_CONFIG`` or
``~/.docker``) and podman's ``${XDG_RUNTIME_DIR}/containers/auth.json``. A login is written to the first of these.
``credHelpers`` and ``credsStore`` of a file name programs ``docker-credential-…`` that keep secrets elsewhere.

Files are replaced in one step, readable by their owner alone, and every key that is not ours stays as it is.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from havre.client import helpers
from havre.client.auth import Credential
from havre.client.references import credential_key, registry_name
from havre.errors import ConfigError, NameInvalid

MAX_FILE = 4 * 1024 * 1024
"""Bytes of a credential file."""

PLAIN_WARNING = """\
WARNING! Your credentials are stored unencrypted in '{path}'.
Configure a credential helper to remove this warning: set "credsStore" in that file to one of the
docker-credential-… programs on this machine. See https://docs.docker.com/go/credential-store/"""


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a login went. ``warning`` is for the person, when the secret is in a plain file for the first time."""

    path: Path
    warning: str = ""


class Keychain:
    """Finds, keeps and forgets the credentials of registries. Files are read at each call: they are other programs' too."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Keychain:
        """The files that the environment names."""
        if chosen := environ.get("REGISTRY_AUTH_FILE"):
            return cls([Path(chosen)])
        home = Path(environ.get("HOME") or Path.home())
        docker = Path(environ.get("DOCKER_CONFIG") or home / ".docker") / "config.json"
        runtime = environ.get("XDG_RUNTIME_DIR")
        return cls([docker, Path(runtime) / "containers" / "auth.json"] if runtime else [docker])

    async def get(self, registry: str) -> Credential | None:
        """The credentials for ``registry``. Raises ConfigError for a broken file or helper program."""
        for path in self.paths:
            document = _read(path)
            found = None
            if helper := _helper(document, registry):
                found = await helpers.get(helper, credential_key(registry))
            if found or (found := _plain(document, registry, path)):
                return found
        return None

    async def store(self, registry: str, credential: Credential) -> Stored:
        """Keep ``credential``. Raises ConfigError when the file can not be written or the helper program refuses."""
        path, key = self.paths[0], credential_key(registry)
        document = _read(path)
        auths = _auths(document)
        if helper := _helper(document, registry):
            await helpers.store(helper, key, credential)
            entry: dict[str, str] = {}
            warning = ""
        else:
            entry = _entry(credential)
            known = any(_same(name, registry) and _has_secret(value) for name, value in auths.items())
            warning = "" if known else PLAIN_WARNING.format(path=path)
        if auths.get(key) != entry:
            auths = {name: value for name, value in auths.items() if not _same(name, registry)}
            _write(path, {**document, "auths": {**auths, key: entry}})
        return Stored(path, warning)

    async def erase(self, registry: str) -> bool:
        """Forget the credentials for ``registry`` everywhere; False when there were none."""
        found = False
        for path in self.paths:
            document = _read(path)
            if helper := _helper(document, registry):
                found = await helpers.erase(helper, credential_key(registry)) or found
            auths = _auths(document)
            kept = {name: value for name, value in auths.items() if not _same(name, registry)}
            if len(kept) < len(auths):
                found = True
                _write(path, {**document, "auths": kept})
        return found


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"cannot read the credentials in {path}: {error.strerror}") from error
    if len(content) > MAX_FILE:
        raise ConfigError(f"{path} is larger than {MAX_FILE} bytes: that is no credential file")
    if not content.strip():
        return {}
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not valid JSON ({error}); repair or remove it") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{path} does not hold a JSON object; repair or remove it")
    return document


def _write(path: Path, document: Mapping[str, Any]) -> None:
    """Replace the file in one step. A link is followed: people keep such files in a repository of their own."""
    target = path.resolve()
    content = json.dumps(document, indent="\t", ensure_ascii=False) + "\n"
    temporary = ""
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)  # made with mode 0600
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except OSError as error:
        with suppress(OSError):
            Path(temporary).unlink()
        raise ConfigError(f"cannot write the credentials to {path}: {error.strerror}") from error


def _auths(document: Mapping[str, Any]) -> dict[str, Any]:
    auths = document.get("auths")
    return auths if isinstance(auths, dict) else {}


def _helper(document: Mapping[str, Any], registry: str) -> str:
    """The helper program that keeps this registry's secrets; empty for none."""
    by_registry = document.get("credHelpers")
    if isinstance(by_registry, dict):
        for name, helper in by_registry.items():
            if isinstance(helper, str) and _same(name, registry):
                return helper
    store = document.get("credsStore")
    return store if isinstance(store, str) else ""


def _same(key: str, registry: str) -> bool:
    """Does an entry's name mean this registry? Old files hold whole addresses, as in ``https://host/v1/``."""
    try:
        return registry_name(key) == registry
    except NameInvalid:
        return False


def _plain(document: Mapping[str, Any], registry: str, path: Path) -> Credential | None:
    auths = _auths(document)
    # The exact name first: a file may hold several spellings.
    names = sorted((name for name in auths if _same(name, registry)), key=lambda name: name != credential_key(registry))
    for name in names:
        if found := _credential(auths[name], name, path):
            return found
    return None


def _credential(entry: object, name: str, path: Path) -> Credential | None:
    if not _has_secret(entry):
        return None
    assert isinstance(entry, dict)
    username, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    if entry.get("auth"):
        try:
            pair = base64.b64decode(str(entry["auth"]), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise ConfigError(f"the entry {name!r} in {path} can not be read; log in again: havre login") from error
        username, _, password = pair.partition(":")
        password = password.strip("\x00")
    return Credential(username, password, str(entry.get("identitytoken") or ""))


def _has_secret(entry: object) -> bool:
    return isinstance(entry, dict) and any(entry.get(key) for key in ("auth", "identitytoken", "password"))


def _entry(credential: Credential) -> dict[str, str]:
    password = "" if credential.identity_token else credential.password
    pair = base64.b64encode(f"{credential.username}:{password}".encode()).decode("ascii")
    token = {"identitytoken": credential.identity_token} if credential.identity_token else {}
    return {"auth": pair, **token}
