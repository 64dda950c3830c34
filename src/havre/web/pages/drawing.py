"""Drawing: the layers of two images as stacks side by side, with bands between those that both have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from havre.oci.digest import Digest
from havre.registry.images import LayerView
from havre.web.contexts.compare import Block, Drawing
from havre.web.formats import as_written

HEIGHT = 150.0
_LEAST = 5.0
_GAP = 1.5


def draw(before: Sequence[LayerView], after: Sequence[LayerView], size: Mapping[Digest, str]) -> Drawing:
    """Both stacks; ``size`` says each layer's size in words. Beyond what can be told apart, layers get thinner."""
    largest = max(1, *(sum(one.size for one in side) for side in (before, after)))
    least = min(_LEAST, HEIGHT / (2 * max(len(before), len(after), 1)))
    stacks = [[(one, max(least, HEIGHT * one.size / largest)) for one in side] for side in (before, after)]
    whole = max(sum(high + _GAP for _, high in stack) for stack in stacks)
    places: list[dict[Digest, float]] = [{}, {}]
    for place, stack in zip(places, stacks, strict=True):
        foot = whole
        for one, high in stack:
            foot -= high + _GAP
            place.setdefault(one.digest, round(foot, 1))
    blocks = []
    for number, stack in enumerate(stacks):
        mine, others = places[number], places[1 - number]
        for one, high in stack:
            kind = "both" if one.digest in others else ("only-before", "only-after")[number]
            title = f"{as_written(one.instruction)[:80] or one.digest.short} · {size[one.digest]}"
            other = others.get(one.digest) if not number else None
            blocks.append(Block(kind, title, mine[one.digest], round(high, 1), bool(number), other))
    return Drawing(round(whole, 1), blocks)
