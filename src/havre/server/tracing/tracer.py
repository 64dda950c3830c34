"""Spans of one worker: begun by requests, nested by context, kept until the exporter takes them."""

from __future__ import annotations

import random
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import IntEnum

MAX_WAITING = 8192
"""Spans that wait for the collector; more are dropped and counted."""

_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_STATE = re.compile(r"[\x20-\x7e]{1,512}", re.ASCII)
_SAMPLED = 1


class Kind(IntEnum):
    """What a span is to the others, in the protocol's numbers."""

    INTERNAL = 1
    SERVER = 2
    CLIENT = 3


@dataclass(slots=True, eq=False)
class Span:
    """One step. Times are nanoseconds since 1970, UTC; ``end`` is 0 until it ended."""

    trace_id: str
    span_id: str
    parent_id: str
    sampled: bool
    name: str = ""
    kind: Kind = Kind.INTERNAL
    state: str = ""
    """What other systems of the trace want passed on (``tracestate``)."""
    start: int = field(default_factory=time.time_ns)
    end: int = 0
    attributes: dict[str, str | int] = field(default_factory=dict)
    failure: str = ""
    """The kind of error that it ended with."""

    @property
    def headers(self) -> dict[str, str]:
        """What tells another server of it (W3C Trace Context)."""
        found = {"traceparent": f"00-{self.trace_id}-{self.span_id}-{int(self.sampled):02x}"}
        return found | ({"tracestate": self.state} if self.state else {})


_current: ContextVar[Span | None] = ContextVar("havre_span", default=None)


def current_trace() -> str:
    """The id of the trace that runs, for log lines; empty outside of one."""
    span = _current.get()
    return span.trace_id if span else ""


def outgoing() -> Mapping[str, str]:
    """Headers for a request to another server; none outside of a trace that is kept."""
    span = _current.get()
    return span.headers if span and span.sampled else {}


class Tracer:
    """Begins spans and keeps those that ended. ``percent`` of the traces that begin here are kept; of those that a caller
    began, those that the caller keeps.
    """

    def __init__(self, percent: int) -> None:
        self._percent = percent
        self.ended: list[Span] = []
        self.dropped = 0

    def begin(self, traceparent: str | None, tracestate: str | None) -> Span | None:
        """The span of a request; None if nobody would ever hear of it."""
        found = _PARENT.fullmatch(traceparent or "")
        if (
            found
            and found[1] != "ff"
            and int(found[2], 16)
            and int(found[3], 16)
            and (found[1] != "00" or not found[5])
        ):
            state = tracestate if tracestate and _STATE.fullmatch(tracestate) else ""
            sampled = bool(int(found[4], 16) & _SAMPLED)
            return Span(found[2], _id(8), found[3], sampled, kind=Kind.SERVER, state=state)
        if random.random() * 100 >= self._percent:  # noqa: S311 - chance, no secret
            return None
        return Span(_id(16), _id(8), "", sampled=True, kind=Kind.SERVER)

    @contextmanager
    def within(self, span: Span) -> Iterator[None]:
        """Whatever begins meanwhile is part of ``span``."""
        token = _current.set(span)
        try:
            yield
        finally:
            _current.reset(token)

    @contextmanager
    def step(self, name: str, kind: Kind = Kind.INTERNAL) -> Iterator[Span | None]:
        """A span within the one that runs; nothing outside of a trace that is kept."""
        span = self.open(name, kind)
        if span is None:
            yield None
            return
        try:
            with self.within(span):
                yield span
        except BaseException as error:
            span.failure = type(error).__name__
            raise
        finally:
            self.close(span)

    def open(self, name: str, kind: Kind = Kind.INTERNAL) -> Span | None:
        """As ``step``, for what does not run at one stretch; ``close`` ends it."""
        parent = _current.get()
        if parent is None or not parent.sampled:
            return None
        return Span(parent.trace_id, _id(8), parent.span_id, sampled=True, name=name, kind=kind, state=parent.state)

    def close(self, span: Span) -> None:
        """It ended."""
        span.end = time.time_ns()
        if not span.sampled:
            return
        if len(self.ended) >= MAX_WAITING:
            self.dropped += 1
            return
        self.ended.append(span)


def _id(size: int) -> str:
    return secrets.token_hex(size)
