"""Spans as messages of OTLP, in the binary form of protocol buffers.

The few messages that traces need have not changed since 2021 and never will: fields of protocol buffers keep their
numbers. Written by hand they are these lines; the libraries that write them would be the largest part of a worker.
See opentelemetry/proto/trace/v1/trace.proto for the numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from havre.server.tracing.tracer import Span

_ERROR = 2


def request(spans: Iterable[Span], resource: Mapping[str, str | int], version: str) -> bytes:
    """An ExportTraceServiceRequest."""
    scope = _text(1, "havre") + _text(2, version)
    scoped = _part(1, scope) + b"".join(_part(2, _span(one)) for one in spans)
    return _part(1, _part(1, _attributes(1, resource)) + _part(2, scoped))


def _span(span: Span) -> bytes:
    status = _text(2, span.failure) + _number(3, _ERROR)
    return b"".join((
        _part(1, bytes.fromhex(span.trace_id)),
        _part(2, bytes.fromhex(span.span_id)),
        _text(3, span.state),
        _part(4, bytes.fromhex(span.parent_id)) if span.parent_id else b"",
        _text(5, span.name),
        _number(6, span.kind),
        _fixed(7, span.start),
        _fixed(8, span.end),
        _attributes(9, span.attributes),
        _part(15, status) if span.failure else b"",
    ))  # fmt: skip


def _attributes(field: int, values: Mapping[str, str | int]) -> bytes:
    found = []
    for key, value in values.items():
        # A field of a oneof is written even if it is empty or 0.
        inner = _number(3, value) if isinstance(value, int) else _part(1, value.encode(errors="replace"))
        found.append(_part(field, _text(1, key) + _part(2, inner)))
    return b"".join(found)


def _part(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _text(field: int, text: str) -> bytes:
    return _part(field, text.encode(errors="replace")) if text else b""


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _fixed(field: int, value: int) -> bytes:
    return _varint(field << 3 | 1) + value.to_bytes(8, "little")


def _varint(value: int) -> bytes:
    # Negative numbers are those of 64 bits.
    value &= (1 << 64) - 1
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)
