"""Engine: images out of a docker engine and into it, over its own socket (Docker Engine API, "Images").

The engine keeps layers unpacked: an image's ID stays the same on this way, the digest of its manifest need not.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Self
from urllib.parse import quote

import httpx

from havre.errors import ConfigError, InputInvalid, ManifestUnknown, Unavailable

DEFAULT_SOCKET = "unix:///var/run/docker.sock"
PIECE = 1024 * 1024
MAX_MESSAGE = 1024 * 1024
"""Bytes of what the engine says about a load or a failure."""

_TIMEOUT = httpx.Timeout(600.0, connect=10.0)
"""Seconds; an engine is silent while it unpacks or gathers layers."""


class Engine:
    """One engine. Use it as an asynchronous context manager."""

    def __init__(self, address: str, certificates: Path | None = None) -> None:
        """``address`` is as in DOCKER_HOST; ``certificates`` a folder with ca.pem, cert.pem and key.pem.

        Raises ConfigError for an address of another kind than unix and tcp.
        """
        self.address = address
        scheme, _, rest = address.partition("://")
        if scheme == "unix" and rest:
            transport = httpx.AsyncHTTPTransport(uds=rest)
            base = "http://docker"
        elif scheme == "tcp" and rest:
            base = f"{'https' if certificates else 'http'}://{rest}"
            transport = httpx.AsyncHTTPTransport(verify=_tls(certificates) if certificates else False)
        else:
            raise ConfigError(
                f"DOCKER_HOST is {address!r}: only unix://PATH and tcp://HOST:PORT are known here;"
                " docker save and havre load do it by a file"
            )
        self._client = httpx.AsyncClient(transport=transport, base_url=base, timeout=_TIMEOUT, trust_env=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """The engine that docker's own command would use: DOCKER_HOST, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH."""
        certificates = None
        if environ.get("DOCKER_TLS_VERIFY"):
            home = Path(environ.get("HOME") or Path.home())
            certificates = Path(environ.get("DOCKER_CERT_PATH") or home / ".docker")
        return cls(environ.get("DOCKER_HOST") or DEFAULT_SOCKET, certificates)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def save(self, name: str, target: Path) -> None:
        """Write the image ``name`` (or its ID) to a file, as ``docker save`` does. Raises ManifestUnknown, Unavailable."""
        try:
            async with self._client.stream("GET", f"/images/{quote(name, safe='')}/get") as answer:
                if answer.status_code != 200:
                    raise await self._refusal(answer, name)
                with target.open("wb") as file:
                    async for piece in answer.aiter_raw(PIECE):
                        await asyncio.to_thread(file.write, piece)
        except httpx.TransportError as error:
            raise self._lost(error) from error

    async def load(self, source: Path) -> None:
        """Give the images of a file to the engine, as ``docker load`` does. Raises InputInvalid, Unavailable."""
        headers = {"content-type": "application/x-tar", "content-length": str(_size(source))}
        try:
            async with self._client.stream(
                "POST", "/images/load?quiet=1", content=_pieces(source), headers=headers
            ) as answer:
                if answer.status_code != 200:
                    raise await self._refusal(answer, source.name)
                said = await _bounded(answer)
        except httpx.TransportError as error:
            raise self._lost(error) from error
        # The status is sent before the work begins: what went wrong is told in the body.
        if found := re.search(r'"error":\s*("(?:[^"\\]|\\.)*")', said):
            raise InputInvalid(f"the docker engine at {self.address} does not take the image: {json.loads(found[1])}")

    async def _refusal(self, answer: httpx.Response, name: str) -> Exception:
        said = await _bounded(answer)
        try:
            message = str(json.loads(said)["message"])
        except (ValueError, KeyError, TypeError):
            message = said[:300]
        if answer.status_code == 404:
            return ManifestUnknown(f"the docker engine at {self.address} has no image {name}; docker images lists them")
        return Unavailable(f"the docker engine at {self.address} answered {answer.status_code}: {message}")

    def _lost(self, error: httpx.TransportError) -> Unavailable:
        cause = error.__cause__
        while cause is not None and not isinstance(cause, OSError):
            cause = cause.__cause__ or cause.__context__
        reason = (cause.strerror if cause else "") or str(error) or type(error).__name__
        return Unavailable(
            f"cannot reach the docker engine at {self.address}: {reason};"
            " check that it runs, that you may use it, and DOCKER_HOST"
        )


def _tls(folder: Path) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    except OSError as error:
        raise ConfigError(f"the certificates for the docker engine in {folder} can not be used: {error}") from error
    return context


def _size(path: Path) -> int:
    return path.stat().st_size


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece


async def _bounded(answer: httpx.Response) -> str:
    content = b""
    async for part in answer.aiter_raw():
        content += part
        if len(content) > MAX_MESSAGE:
            break
    return content.decode("utf-8", "replace")
