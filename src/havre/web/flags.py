"""Avatars: each name has a flag of its own, in the manner of the flags by which ships speak."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

Shape = tuple[str, str]
"""An outline in a square of 8 by 8, and the colour it is filled with."""

_LIGHT = ("#f7f5ef", "#f2c14e", "#9fd8df", "#ffb08c")
_DARK = ("#b9402b", "#1f5f9e", "#12404e", "#2f6b45", "#7a4b9c")

_GROUND = "M0 0h8v8H0z"
_FIGURES: tuple[tuple[str, ...], ...] = (
    ("M4 0h4v8H4z",),
    ("M0 3h8v2H0z",),
    ("M3 0h2v8H3z",),
    ("M3 0h2v3h3v2H5v3H3V5H0V3h3z",),
    ("M0 0h1.500L4 2.500 6.500 0H8v1.500L5.500 4 8 6.500V8H6.500L4 5.500 1.500 8H0V6.500L2.500 4 0 1.500z",),
    ("M4 0h4v4H4zM0 4h4v4H0z",),
    ("M4 1.500a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z",),
    ("M4 0l4 4-4 4-4-4z",),
    ("M2 2h4v4H2z",),
    ("M0 0l8 8H0z",),
    ("M0 0l5 4-5 4z",),
    ("M0 0h2v2H0zM4 0h2v2H4zM2 2h2v2H2zM6 2h2v2H6zM0 4h2v2H0zM4 4h2v2H4zM2 6h2v2H2zM6 6h2v2H6z",),
    ("M0 0h8v2.700H0z", "M0 5.300h8V8H0z"),
    ("M1.500 1.500h5v5h-5z", "M3 3h2v2H3z"),
    ("M0 0l4 4-4 4z", "M8 0 4 4l4 4z"),
    ("M0 0h3v3H0z", "M5 5h3v3H5z"),
)


def flag(name: str) -> Sequence[Shape]:
    """The flag of a name, to be drawn in this order; always the same one."""
    seed = hashlib.sha256(name.encode()).digest()
    first, second = _LIGHT[seed[0] % len(_LIGHT)], _DARK[seed[1] % len(_DARK)]
    third = _LIGHT[(seed[0] + 1 + seed[2] % (len(_LIGHT) - 1)) % len(_LIGHT)]
    if seed[3] % 2:
        others = [colour for colour in _DARK if colour != second]
        first, second, third = second, first, others[seed[2] % len(others)]
    figure = _FIGURES[seed[4] % len(_FIGURES)]
    return [(_GROUND, first), *zip(figure, (second, third), strict=False)]
