"""How people read sizes, numbers, times and digests, in the visitor's language."""

from __future__ import annotations

from datetime import UTC, datetime

from havre.registry.records import Instant
from havre.web.languages import POINT, UNITS, Catalogue

_SECOND = 1000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_MONTH = 30 * _DAY
_YEAR = 365 * _DAY

_GROUP = {"en": ",", "fr": "\u202f"}


def size(count: int, language: str) -> str:
    """``count`` bytes in decimal units of at most three significant digits, such as ``12.3 MB``."""
    value, units = float(count), UNITS[language]
    step = 0
    while value >= 999.5 and step < len(units) - 1:
        value /= 1000
        step += 1
    digits = 0 if step == 0 or value >= 99.95 else 1 if value >= 9.995 else 2
    text = f"{value:.{digits}f}"
    text = text.rstrip("0").rstrip(".") if digits else text
    return f"{text.replace('.', POINT[language])}\u00a0{units[step]}"


def number(count: int, language: str) -> str:
    """``count`` with its thousands apart."""
    return f"{count:,}".replace(",", _GROUP[language])


def compact(count: int, language: str) -> str:
    """``count`` in little room: ``999``, ``1.2k``, ``35k``, ``4.1M``."""
    if count < 1000:
        return str(count)
    value, suffix = (count / 1000, "k") if count < 999_500 else (count / 1_000_000, "M")
    text = f"{value:.1f}" if value < 9.95 else f"{value:.0f}"
    return text.removesuffix(".0").replace(".", POINT[language]) + suffix


_BUILDERS = (
    ("RUN /bin/sh -c #(nop) ", ""),
    ("/bin/sh -c #(nop) ", ""),
    ("RUN /bin/sh -c ", "RUN "),
    ("/bin/sh -c ", "RUN "),
)
"""What builders put before an instruction, and what stands there in the file they read."""


def as_written(instruction: str) -> str:
    """An instruction as one would write it: the classic builder keeps them as calls of a shell that does nothing."""
    text = instruction.removesuffix(" # buildkit").strip()
    for beginning, instead in _BUILDERS:
        if text.startswith(beginning):
            return instead + text.removeprefix(beginning).strip()
    return text


def exact(at: Instant) -> str:
    """The moment to the minute, the same in every language: ``2026-11-23 13:16 UTC``."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def machine(at: Instant) -> str:
    """The moment for the ``datetime`` attribute (RFC 3339)."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ago(at: Instant, now: Instant, speech: Catalogue) -> str:
    """How long before ``now`` that was; a clock ahead of ours counts as just now."""
    passed = now - at
    if passed < 45 * _SECOND:
        return speech.text("just now")
    if passed < _HOUR:
        return speech.plural("%(num)s minute ago", "%(num)s minutes ago", max(1, passed // _MINUTE))
    if passed < _DAY:
        return speech.plural("%(num)s hour ago", "%(num)s hours ago", passed // _HOUR)
    if passed < _MONTH:
        return speech.plural("%(num)s day ago", "%(num)s days ago", passed // _DAY)
    if passed < _YEAR:
        return speech.plural("%(num)s month ago", "%(num)s months ago", passed // _MONTH)
    return speech.plural("%(num)s year ago", "%(num)s years ago", passed // _YEAR)


def until(at: Instant, now: Instant, speech: Catalogue) -> str:
    """How long after ``now`` that will be."""
    left = at - now
    if left <= 0:
        return speech.text("expired")
    if left < _DAY:
        return speech.plural("in %(num)s hour", "in %(num)s hours", max(1, left // _HOUR))
    return speech.plural("in %(num)s day", "in %(num)s days", round(left / _DAY))
