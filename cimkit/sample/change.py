"""The city five years later (第二期): what was pulled down, built, raised, cut.

Every footprint is drawn anew, some centimetres beside the first drawing, under another
identifier and in another order of rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import shapely

from cimkit.sample.buildings import LATER, Building, Draft, Roof, erect
from cimkit.sample.layout import Block, Quarter, place
from cimkit.sample.names import park_name
from cimkit.sample.shapes import Strip, strip
from cimkit.sample.streams import stream
from cimkit.tables._columns import FloatArray

YEARS = 5
"""Years between the epochs."""

REDRAWN = 0.03
"""Standard deviation of a corner that is drawn again, metres; at most three times as much."""

EXTENSION = 4.0
"""Metres by which a slab gets longer."""

_FATES = {
    "self-built": (("kept", 0.76), ("raised", 0.08), ("merged", 0.06), ("demolished", 0.05),
                   ("rebuilt", 0.05)),
    "slab": (("kept", 0.6), ("extended", 0.15), ("split", 0.15), ("demolished", 0.1)),
    "U-shape": (("kept", 0.6), ("raised", 0.4)),
    "office": (("kept", 0.6), ("raised", 0.4)),
}  # fmt: skip
_USUAL = (("kept", 0.9), ("demolished", 0.1))

_PAVILION_SHARE = 0.6
"""Share of the parks that get a pavilion."""


class Change(NamedTuple):
    """One old and one new building that have to do with each other; "" where there is none.

    A building that is split, or merged with others, has a row for each of the others.
    """

    old_id: str
    new_id: str
    change: str
    """kept, demolished, new, extended, raised, split, merged."""


class Epoch(NamedTuple):
    """Buildings of a quarter by block, the order of their rows, and what has changed."""

    blocks: list[list[Building]]
    order: list[Building]
    changes: list[Change]


def next_epoch(quarter: Quarter, first: Sequence[Sequence[Building]], seed: int) -> Epoch:
    """Let five years pass over a quarter.

    Parameters
    ----------
    quarter : Quarter
    first : sequence of sequences of Building
        The buildings of each block in the first epoch.
    seed : int

    Returns
    -------
    Epoch
    """
    fates = [
        list(_pass_years(block, there, seed))
        for block, there in zip(quarter.blocks, first, strict=True)
    ]
    numbered: dict[int, str] = {}
    new = [b for fate in fates for _, b, _ in fate if b is not None]
    distinct = list({b.number: b for b in new}.values())
    shuffled = stream(seed, "order", quarter.number).permutation(len(distinct))
    for row, k in enumerate(shuffled.tolist()):
        numbered[distinct[k].number] = f"F{200 * quarter.number + row + 1:06d}"
    blocks = []
    for block, fate in zip(quarter.blocks, fates, strict=True):
        there = list({b.number: b for _, b, _ in fate if b is not None}.values())
        there = [b._replace(building_id=numbered[b.number]) for b in there]
        blocks.append(_redraw(there, seed, block.number))
    changes = [
        Change(old.building_id if old else "", numbered[now.number] if now else "", change)
        for fate in fates
        for old, now, change in fate
    ]
    order = sorted((b for there in blocks for b in there), key=lambda b: b.building_id)
    return Epoch(blocks, order, changes)


Fate = tuple[Building | None, Building | None, str]


def _pass_years(block: Block, first: Sequence[Building], seed: int) -> Iterator[Fate]:
    """Decide about each building of a block: what it was, what it is, and what happened."""
    rng = stream(seed, "change", block.number)
    if block.kind == "park" and rng.random() < _PAVILION_SHARE:
        yield None, _pavilion(block), "new"
    joined = -1
    for k, old in enumerate(first):
        kinds, odds = zip(*_FATES.get(old.kind, _USUAL), strict=True)
        fate = str(rng.choice(kinds, p=odds))
        storeys = int(rng.integers(1, 3))
        if k == joined:
            continue
        if fate == "merged" and (k % 8 == 7 or k + 1 == len(first)):
            fate = "kept"  # the last house of a row has no neighbour to join
        if fate == "split" and old.draft.roof.kind == "hip":
            fate = "kept"  # a hip does not end at a wall
        if fate == "merged":
            joined = k + 1
            both = _merge(old, first[joined])
            yield old, both, "merged"
            yield first[joined], both, "merged"
        else:
            yield from _become(old, fate, storeys, block)


def _become(old: Building, fate: str, storeys: int, block: Block) -> Iterator[Fate]:
    """What one building turns into."""
    draft, number = old.draft, old.number
    if fate == "kept":
        yield old, old, "kept"
    elif fate == "raised":
        yield old, erect(number, draft._replace(floors=draft.floors + storeys)), "raised"
    elif fate == "extended":
        yield (
            old,
            erect(number, _extend(draft, west=(number - block.first) % 2 == 0)),
            "extended",
        )
    elif fate == "split":
        for part, half in enumerate(_split(draft), start=1):
            yield old, erect(part * LATER + number, half), "split"
    else:
        yield old, None, "demolished"
        if fate == "rebuilt":
            house = draft._replace(floors=storeys + 2, storey=3.0, roof=Roof("flat"))
            yield None, erect(LATER + number, house), "new"


def _strip_of(draft: Draft) -> Strip:
    """Body of a building that can change its plan."""
    if not isinstance(draft.body, Strip):
        raise TypeError(f"a {draft.kind} cannot change its plan")
    return draft.body


def _merge(one: Building, other: Building) -> Building:
    """Build one house where two neighbours of a row stood."""
    left, right = _strip_of(one.draft), _strip_of(other.draft)
    body = Strip(
        np.concatenate([left.spine, right.spine[1:]]),
        np.concatenate([left.left, right.left[1:]]),
        np.concatenate([left.right, right.right[1:]]),
    )
    floors = max(one.draft.floors, other.draft.floors)
    draft = one.draft._replace(body=body, floors=floors, storey=3.0, roof=Roof("flat"))
    return erect(LATER + one.number, draft)


def _extend(draft: Draft, *, west: bool) -> Draft:
    """Lengthen a slab at the end where no other slab stands."""
    body = _strip_of(draft)
    start, end = body.spine
    ahead = (end - start) / np.hypot(*(end - start)) * EXTENSION
    longer = [start - ahead, end] if west else [start, end + ahead]
    width = float(np.hypot(*(body.left[0] - body.right[0])))
    return draft._replace(body=strip(longer, width))


def _split(draft: Draft) -> tuple[Draft, Draft]:
    """Cut a slab across its middle; both parts share the wall to the last bit."""
    body = _strip_of(draft)
    spine, left, right = (
        np.stack([line[0], (line[0] + line[1]) / 2.0, line[1]]).round(3) for line in body[:3]
    )
    halves = []
    for k, part in enumerate(Strip(spine, left, right).cut()):
        houses = tuple(h for h in draft.roof.stair_houses if part.outline.contains(h))
        label = draft.label.removesuffix("幢") + f"-{k + 1}幢"
        roof = draft.roof._replace(stair_houses=houses)
        halves.append(draft._replace(label=label, body=part, roof=roof))
    return halves[0], halves[1]


def _pavilion(block: Block) -> Building:
    """Put a pavilion into a park."""
    u, v = block.centre
    body = strip(place([(-8.0, 0.0), (8.0, 0.0)], u - 20.0, v + 15.0), 9.0)
    draft = Draft("pavilion", f"{park_name(block)}茶室", "木", 1, 3.6, body, Roof("hip", 0.5))
    return erect(LATER + 1_000_000 + block.number, draft)


def _redraw(buildings: Sequence[Building], seed: int, number: int) -> list[Building]:
    """Draw outlines again; corners that buildings share move together."""
    if not buildings:
        return []
    corners = shapely.get_coordinates([b.outline for b in buildings])
    places, which = np.unique(corners, axis=0, return_inverse=True)
    rng = stream(seed, "redraw", number)
    reach = 3.0 * REDRAWN
    moved = np.clip(rng.normal(0.0, REDRAWN, places.shape), -reach, reach)
    drawn: FloatArray = (places + moved)[which.ravel()].round(3)
    # The last corner of a ring is its first, so rings stay closed.
    outlines = shapely.set_coordinates(np.array([b.outline for b in buildings]), drawn)
    return [b._replace(drawn=shape) for b, shape in zip(buildings, outlines, strict=True)]
