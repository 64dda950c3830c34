"""Helpers: the programs ``docker-credential-…`` that keep secrets in a keyring (docker-credential-helpers' protocol).

Each is called with ``get``, ``store`` or ``erase``; the registry or a JSON document goes to its standard input.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil

from havre.client.auth import Credential
from havre.errors import ConfigError

_TIME_LIMIT = 60
"""Seconds: a keyring may first ask the person to unlock it."""

_MAX_OUTPUT = 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}", re.ASCII)
_TOKEN_USER = "<token>"  # noqa: S105 - the protocol's word for: the secret is an identity token
_MISSING = "credentials not found"


async def get(name: str, key: str) -> Credential | None:
    """What the helper keeps under ``key``; None for nothing. Raises ConfigError when it fails."""
    code, output = await _run(name, "get", key)
    if code != 0:
        if _MISSING in output.lower():
            return None
        raise ConfigError(f"docker-credential-{name} could not give the credentials of {key}: {_first_line(output)}")
    try:
        document = json.loads(output)
        username, secret = document["Username"], document["Secret"]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"docker-credential-{name} gave no credentials that can be read for {key}") from error
    if username == _TOKEN_USER:
        return Credential("", "", str(secret))
    return Credential(str(username), str(secret)) if secret else None


async def store(name: str, key: str, credential: Credential) -> None:
    """Hand a credential to the helper. Raises ConfigError when it refuses."""
    token = credential.identity_token
    document = {
        "ServerURL": key,
        "Username": _TOKEN_USER if token else credential.username,
        "Secret": token or credential.password,
    }
    code, output = await _run(name, "store", json.dumps(document))
    if code != 0:
        raise ConfigError(f"docker-credential-{name} could not keep the credentials of {key}: {_first_line(output)}")


async def erase(name: str, key: str) -> bool:
    """Let the helper forget ``key``; False when it knew nothing. Raises ConfigError when it fails."""
    if await get(name, key) is None:
        return False
    code, output = await _run(name, "erase", key)
    if code != 0:
        raise ConfigError(f"docker-credential-{name} could not forget the credentials of {key}: {_first_line(output)}")
    return True


async def _run(name: str, action: str, text: str) -> tuple[int, str]:
    program = shutil.which(f"docker-credential-{name}") if _NAME.fullmatch(name) else None
    if program is None:
        raise ConfigError(
            f"the credential file names the helper {name!r}, but there is no program docker-credential-{name}:"
            " install it, or remove that setting"
        )
    process = await asyncio.create_subprocess_exec(
        program, action, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(_TIME_LIMIT):
            output, errors = await process.communicate(text.encode())
    except TimeoutError as error:
        process.kill()
        await process.wait()
        raise ConfigError(f"docker-credential-{name} did not answer within {_TIME_LIMIT} seconds") from error
    # The protocol prints failures on standard output; some helpers use the other one.
    said = output if output.strip() or process.returncode == 0 else errors
    return process.returncode or 0, said[:_MAX_OUTPUT].decode("utf-8", "replace")


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[0][:300]
