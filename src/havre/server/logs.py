"""Logs: one line per event and request, as text for people or JSON for machines, with the request id in each.

No line ever holds a query, a header or a body: that is where secrets travel.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import orjson

Render = Callable[[float, str, str, Mapping[str, Any]], str]
"""Turns a time in seconds, a level, a message and its fields into a line."""

_STANDARD = frozenset(vars(logging.makeLogRecord({})))
_access: Render | None = None
_trace: Callable[[], str] | None = None


def configure(style: str, level: str) -> None:
    """Send every log line to standard error; ``style`` is ``text`` or ``json``."""
    global _access  # noqa: PLW0603 - like the logging library's own, this is a setting of the process
    render = _json if style == "json" else _text
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(render))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of each of its plugins
    _access = render if root.isEnabledFor(logging.INFO) else None


def tell_traces(current: Callable[[], str]) -> None:
    """Let each line that is logged within a trace name it; ``current`` knows the id of the one that runs, or nothing."""
    global _trace  # noqa: PLW0603 - as above
    _trace = current


def access(method: str, path: str, **fields: str | float) -> None:
    """The line of one request. Written past the logging library, which takes five times as long as the rest of it."""
    if _access is not None:
        sys.stderr.write(_access(time.time(), "info", f"{method} {path}", fields) + "\n")
        sys.stderr.flush()


class _Formatter(logging.Formatter):
    """What the rest of the program logs, in the same form."""

    def __init__(self, render: Render) -> None:
        super().__init__()
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        fields = {key: value for key, value in vars(record).items() if key not in _STANDARD and key != "message"}
        if _trace is not None and (found := _trace()):
            fields["trace_id"] = found
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        if trace and self._render is _json:
            fields["trace"] = trace
        line = self._render(record.created, record.levelname.lower(), record.getMessage(), fields)
        return f"{line}\n{trace}" if trace and self._render is _text else line


def _json(at: float, level: str, message: str, fields: Mapping[str, Any]) -> str:
    return orjson.dumps({"time": _moment(at), "level": level, "message": message, **fields}, default=str).decode()


def _text(at: float, level: str, message: str, fields: Mapping[str, Any]) -> str:
    line = f"{_moment(at)} {level:7} {message}{''.join([f' {key}={value}' for key, value in fields.items()])}"
    # Without the control characters by which a value from outside could forge a line or move the cursor.
    return line if line.isprintable() else "".join(one if one.isprintable() else repr(one)[1:-1] for one in line)


def _moment(at: float) -> str:
    return f"{_second(int(at))}.{int(at % 1 * 1000):03d}Z"


@lru_cache(maxsize=4)
def _second(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))
