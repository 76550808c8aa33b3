"""Who uses a building, as counts only: doors, rooms, households, people, organisations."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cimkit.sample.buildings import LATER, Building
from cimkit.sample.streams import stream

USES = {
    "slab": "住宅", "tower": "住宅", "self-built": "住宅", "podium": "商住", "stepped": "商业",
    "factory": "工业", "warehouse": "仓储", "office": "办公", "gatehouse": "办公",
    "U-shape": "教育", "L-shape": "教育", "courtyard": "教育", "hall": "教育",
    "canteen": "教育", "pavilion": "公共",
}  # fmt: skip
"""Use (用途) by kind of building."""

_BELOW = {"tower": (1, 3), "podium": (1, 4), "stepped": (0, 2)}
_YEARS = {"slab": (1988, 2005), "tower": (2006, 2022), "podium": (2010, 2023)}
_SEATS = {"stepped": 1, "U-shape": 1, "office": 1}
"""Organisations that have a whole building, or the premises it stands on."""

_OCCUPIED = 0.85
"""Share of the rooms in which a household lives."""


class Door(NamedTuple):
    """An entrance (单元, 号座) with the rooms above it, or a whole house (name "")."""

    name: str
    first_floor: int
    last_floor: int
    rooms_per_floor: int
    households: int
    """实有户数."""
    population: int
    """实有人口, a count."""

    @property
    def rooms(self) -> int:
        """户室 behind this door."""
        return (self.last_floor - self.first_floor + 1) * self.rooms_per_floor


class Occupancy(NamedTuple):
    """What stands in the lists of an office about one building."""

    use: str
    floors_below: int
    year: int
    doors: tuple[Door, ...]
    organisations: int

    @property
    def rooms(self) -> int:
        """户室 of the building."""
        return sum(door.rooms for door in self.doors)

    @property
    def households(self) -> int:
        """实有户数 of the building."""
        return sum(door.households for door in self.doors)

    @property
    def population(self) -> int:
        """实有人口 of the building."""
        return sum(door.population for door in self.doors)


def occupancy(building: Building, seed: int) -> Occupancy:
    """Counts of one building.

    Examples
    --------
    >>> from cimkit.sample.blocks import build_block
    >>> from cimkit.sample.layout import Block
    >>> slab = build_block(Block(0, 0, 0, "slabs", 0, 1), seed=7)[0]
    >>> [door.name for door in occupancy(slab, seed=7).doors]
    ['1单元', '2单元', '3单元']
    """
    rng = stream(seed, "occupancy", building.number)
    kind = building.kind
    below = int(rng.integers(*_BELOW[kind])) if kind in _BELOW else 0
    year = int(rng.integers(*_YEARS.get(kind, (1985, 2020))))
    if building.number >= LATER:
        year = int(rng.integers(2024, 2029))
    organisations = _SEATS.get(kind, 0)
    if kind == "podium":
        organisations = int(rng.integers(8, 25))
    elif kind in ("slab", "self-built"):
        organisations = int(rng.random() < 0.12)
    doors = tuple(
        Door(name, first, last, per_floor, *_people(rng, (last - first + 1) * per_floor, kind))
        for name, first, last, per_floor in _doors(building)
    )
    return Occupancy(USES[kind], below, year, doors, organisations)


def _doors(building: Building) -> list[tuple[str, int, int, int]]:
    """Name, first and last floor, rooms on each; a whole house counts as one room."""
    floors = building.draft.floors
    if building.kind in ("slab", "tower"):
        units = 3 if building.kind == "slab" else 2
        if building.outline.area < _HALF_SLAB:
            units = 1
        return [(f"{unit + 1}单元", 1, floors, 2) for unit in range(units)]
    if building.kind == "podium":
        lowest = floors - max(level.floors for level in building.draft.levels)
        return [
            (f"{'ABCD'[k]}座", lowest + 1, lowest + level.floors, 4)
            for k, level in enumerate(building.draft.levels)
        ]
    return [("", 1, 1, 1)] if building.kind == "self-built" else []


_HALF_SLAB = 350.0
"""Square metres; a slab cut in two has one entrance in each part."""


def _people(rng: np.random.Generator, rooms: int, kind: str) -> tuple[int, int]:
    """Households, and people in them: one to five each."""
    households = rooms if kind == "self-built" else int(rng.binomial(rooms, _OCCUPIED))
    return households, households + int(rng.binomial(4 * households, 0.45))
