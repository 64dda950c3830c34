"""The clients of a benchmark: wrk and ab for request rates, curl for large bodies, a small raw client for many small layers."""

from __future__ import annotations

import asyncio
import hashlib
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Rate:
    """What wrk saw: requests per second, and how long the middle and the slowest hundredth took, in milliseconds."""

    per_second: float
    p50: float
    p99: float


def rate(url: str, headers: list[str], *, method: str = "GET", connections: int = 16, seconds: int = 3) -> Rate:
    """Ask for one address over and over; raises RuntimeError if any answer is an error."""
    # wrk waits for the body that an answer to HEAD announces and never sends; ab knows better.
    command = ["ab", "-qkit", str(seconds), "-n", "10000000"] if method == "HEAD" else ["wrk", "-t1", f"-d{seconds}"]
    command += ["-c", str(connections)] if method == "HEAD" else [f"-c{connections}", "--latency"]
    for header in headers:
        command += ["-H", header]
    done = subprocess.run([*command, url], capture_output=True, text=True, check=False)
    text = done.stdout
    found = re.search(r"Requests(?:/sec| per second):\s+([\d.]+)", text)
    if done.returncode or not found or "Non-2xx" in text or "Socket errors" in text or float(found[1]) == 0:
        raise RuntimeError(f"{method} {url} fails:\n{text}{done.stderr}")
    return Rate(float(found[1]), _latency(text, "50%"), _latency(text, "99%"))


def _latency(text: str, which: str) -> float:
    found = re.search(rf"{which}\s+([\d.]+)(us|ms|s|)\s", text)
    # ab writes whole milliseconds without a unit.
    return float(found[1]) * {"us": 0.001, "ms": 1, "s": 1000, "": 1}[found[2]] if found else 0.0


def download(url: str, headers: list[str], streams: int = 1) -> float:
    """Seconds until ``streams`` downloads of the same address, begun together, are all complete."""
    command = ["curl", "-skf", "-o", "/dev/null"]
    for header in headers:
        command += ["-H", header]
    started = time.perf_counter()
    running = [subprocess.Popen([*command, url]) for _ in range(streams)]
    if any(one.wait(300) for one in running):
        raise RuntimeError(f"download of {url} fails")
    return time.perf_counter() - started


def push_layer(
    url: str, headers: list[str], name: str, file: Path, digest: str, *, known_length: bool = False
) -> float:
    """Seconds of a push: begin, one PATCH, close. Docker streams it without saying how long it is, others say so."""
    base = ["curl", "-skf", "-D", "-", "-o", "/dev/null"]
    for header in [*headers, "Expect:"]:
        base += ["-H", header]
    started = time.perf_counter()
    begun = _location([*base, "-X", "POST", f"{url}/v2/{name}/blobs/uploads/"], url)
    chunked = [] if known_length else ["-H", "Transfer-Encoding: chunked"]
    sent = _location([*base, *chunked, "-X", "PATCH", "-T", str(file), begun], url)
    mark = "&" if "?" in sent else "?"
    _location([*base, "-X", "PUT", f"{sent}{mark}digest={digest}"], url)
    return time.perf_counter() - started


def _location(command: list[str], url: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    found = re.search(r"^location:\s*(\S+)", done.stdout, re.MULTILINE | re.IGNORECASE)
    if done.returncode or not found:
        raise RuntimeError(f"{' '.join(command[-3:])} fails: {done.stdout[:500]}")
    place = found[1]
    return place if "://" in place else url + place


def digest_of(content: bytes) -> str:
    """The sha256 digest, computed without any of Havre's code."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def push_many(url: str, headers: list[str], name: str, blobs: list[bytes], at_once: int) -> tuple[float, list[float]]:
    """Seconds until all blobs are pushed, ``at_once`` at a time over kept connections; and the time of each, sorted."""
    return asyncio.run(_push_many(url, headers, name, blobs, at_once))


async def _push_many(
    url: str, headers: list[str], name: str, blobs: list[bytes], at_once: int
) -> tuple[float, list[float]]:
    waiting = list(blobs)
    times: list[float] = []
    place = urlsplit(url)

    async def work() -> None:
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        client = _Raw(reader, writer, place.netloc, headers)
        while waiting:
            blob = waiting.pop()
            digest = digest_of(blob)
            started = time.perf_counter()
            begun = await client.call("POST", f"/v2/{name}/blobs/uploads/", b"", 202)
            sent = await client.call("PATCH", begun, blob, 202)
            await client.call("PUT", f"{sent}{'&' if '?' in sent else '?'}digest={digest}", b"", 201)
            times.append(time.perf_counter() - started)
        writer.close()

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(work())
    return time.perf_counter() - started, sorted(times)


class _Raw:
    """HTTP/1.1 in a few lines, so that the client costs little beside the server it measures."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, headers: list[str]
    ) -> None:
        self._reader, self._writer = reader, writer
        self._head = "".join(f"{line}\r\n" for line in [f"Host: {host}", *headers])

    async def call(self, method: str, target: str, body: bytes, expected: int) -> str:
        """Send a request, and return where the answer's Location leads, as a path."""
        if "://" in target:
            parts = urlsplit(target)
            target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        head = f"{method} {target} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = re.search(r"^content-length:\s*(\d+)", answer, re.MULTILINE | re.IGNORECASE)
        content = await self._reader.readexactly(int(length[1]) if length else 0)
        if not answer.startswith(f"HTTP/1.1 {expected}"):
            raise RuntimeError(f"{method} {target} answers {answer.splitlines()[0]}: {content[:300]!r}")
        place = re.search(r"^location:\s*(\S+)", answer, re.MULTILINE | re.IGNORECASE)
        return place[1] if place else ""
