"""All buildings of a block."""

from __future__ import annotations

from collections.abc import Iterator

from cimkit.sample.buildings import Building, Draft, erect
from cimkit.sample.layout import Block
from cimkit.sample.public import centre, school, works
from cimkit.sample.residential import self_built, slabs, towers

_DRAFTS = {
    "slabs": slabs,
    "self-built": self_built,
    "towers": towers,
    "school": school,
    "centre": centre,
    "works": works,
}


def draft_block(block: Block, seed: int) -> Iterator[Draft]:
    """Draw the buildings of a block, before they are set on the ground."""
    if block.n:
        drafts = _DRAFTS[block.kind](block, seed)
        yield from (draft for _, draft in zip(range(block.n), drafts, strict=False))


def build_block(block: Block, seed: int) -> list[Building]:
    """Set all buildings of a block on the ground.

    Examples
    --------
    >>> house = build_block(Block(0, 0, 0, "self-built", 0, 1), seed=7)[0]
    >>> house.building_id, house.label
    ('B0001', '自建房')
    """
    return [erect(block.first + k, draft) for k, draft in enumerate(draft_block(block, seed))]
