"""Logs: one line per event and request, as text for people or JSON for machines, with the request id in each.

No line ever holds a query, a header or a body: that is where secrets travel.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import orjson

_STANDARD = frozenset(vars(logging.makeLogRecord({})))


def configure(style: str, level: str) -> None:
    """Send every log line to standard error; ``style`` is ``text`` or ``json``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JSON() if style == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of each of its plugins


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD and key != "message"}


def _time(record: logging.LogRecord) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"


class _JSON(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {"time": _time(record), "level": record.levelname.lower(), "logger": record.name}
        line |= {"message": record.getMessage(), **_extra(record)}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        extra = "".join(f" {key}={_plain(value)}" for key, value in _extra(record).items())
        text = f"{_time(record)} {record.levelname.lower():7} {_plain(record.getMessage())}{extra}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def _plain(value: object) -> str:
    """Without the control characters by which a value from outside could forge a line or move the cursor."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in str(value))
