"""Kinds of values that a setting may have: each reads what was written, and raises ValueError with the rule."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Networks = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the table. ``read`` checks a value as it was written, and raises ValueError with the rule."""

    read: Callable[[Any], Any]
    help: str
    schema: Mapping[str, Any]
    secret: bool = False
    """May it hold a password? Then nothing ever prints it."""
    shown_default: str = ""
    """Where the default depends on other settings: how to say it."""


def string(value: object) -> str:
    if not isinstance(value, str) or len(value) > 4096 or not value.isprintable():
        raise ValueError("must be a string of printable characters")
    return value.strip()


def matching(rule: str, pattern: str) -> Callable[[Any], str]:
    compiled = re.compile(pattern, re.ASCII)

    def read(value: object) -> str:
        text = string(value)
        if text and not compiled.fullmatch(text):
            raise ValueError(rule)
        return text

    return read


def choice(*options: str) -> Callable[[Any], str]:
    def read(value: object) -> str:
        if value not in options:
            raise ValueError(f"must be one of {', '.join(options)}")
        return str(value)

    return read


def number(low: int, high: int) -> Callable[[Any], int]:
    def read(value: object) -> int:
        rule = f"must be a whole number from {low} to {high}"
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value.strip(), re.ASCII):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(rule)
        return value

    return read


def address(value: object) -> str:
    text = string(value)
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    valid = bool(colon and host) and port.isascii() and port.isdigit() and int(port[:6]) <= 65535
    if not valid or (":" in host and not bracketed):
        raise ValueError("must be HOST:PORT, such as 127.0.0.1:5000, 0.0.0.0:5000 or [::]:5000")
    return text


def web_address(value: object) -> str:
    text = string(value).rstrip("/")
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        plain = parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
        whole = plain and not parts.path and not parts.query and not parts.fragment and (parts.port or 1) > 0
    except ValueError:
        whole = False
    if not whole:
        raise ValueError("must be http:// or https:// with a host and perhaps a port, and no path: clients allow none")
    return text


def store_address(value: object) -> str:
    text = string(value).rstrip("/")
    parts = urlsplit(text)
    if text and (parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc or parts.query):
        raise ValueError("must be http:// or https:// with a host and perhaps a port, without a name or a password")
    return text


def redirecting(value: object) -> str:
    word, *rest = string(value).replace(",", " ").split() or [""]
    if word not in {"redirect", "stream"}:
        raise ValueError("must be redirect or stream, perhaps with networks behind it: stream 10.0.0.0/8")
    networks(rest)
    return " ".join([word, *rest])


def networks(value: object) -> Networks:
    given = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(given, list) or len(given) > 100:
        raise ValueError("must be a list of at most 100 networks, such as 127.0.0.1/32, 10.0.0.0/8")
    try:
        return tuple(ipaddress.ip_network(string(one)) for one in given)
    except ValueError as error:
        raise ValueError(f"must be networks such as 127.0.0.1/32 or 10.0.0.0/8: {error}") from error


SINK_SCHEMES = ("file", "syslog", "syslog+tcp", "http", "https")
"""Of the places that the audit trail can be told to."""


def sinks(value: object) -> str:
    found = string(value).split()
    rule = (
        "must be at most 8 addresses with spaces between them, each file:///PATH, syslog:///dev/log, syslog://HOST:514,"
        " syslog+tcp://HOST:601 or https://HOST/PATH"
    )
    for one in found:
        try:
            parts = urlsplit(one)
            local = parts.scheme in {"file", "syslog"} and not parts.netloc and len(parts.path) > 1
            remote = parts.scheme in SINK_SCHEMES[1:] and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            local = remote = False
        if not (local or remote) or parts.fragment or len(found) > 8:
            raise ValueError(rule)
    return " ".join(found)


def path(value: object) -> Path:
    text = string(value)
    if not text:
        raise ValueError("must be a path")
    return Path(text).expanduser().absolute()


def optional_path(value: object) -> Path | None:
    return path(value) if string(value) else None


def setting(
    default: Any,
    read: Callable[[Any], Any],
    text: str,
    schema: Mapping[str, Any] | None = None,
    *,
    secret: bool = False,
    shown_default: str = "",
) -> Any:
    line = Setting(read, text, schema or {"type": "string"}, secret, shown_default)
    return field(default=default, metadata={"setting": line})


def limit(default: int, low: int, high: int, text: str) -> Any:
    return setting(default, number(low, high), text, {"type": "integer", "minimum": low, "maximum": high})


def option(default: str, options: tuple[str, ...], text: str) -> Any:
    return setting(default, choice(*options), text, {"enum": list(options)})
