"""Standard addresses (标准地址) of the neighbourhood, and to which building each belongs.

All names of places and streets are invented.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from cimkit.sample.buildings import Building
from cimkit.sample.layout import CYCLE, Block, to_map
from cimkit.sample.streams import stream
from cimkit.tables._columns import FloatArray

DISTRICT = "示范市云泽区滨河街道"
STREETS = ("向阳路", "望江路", "长堤路", "柳林路", "荷塘路", "橘香路")
LANES = ("柳絮巷", "石井巷", "竹篮巷", "麻线巷", "豆腐巷", "酒坊巷", "渔网巷", "银杏巷")

LOST_SHARE = 0.04
"""Addresses whose coordinates nobody entered."""


class Address(NamedTuple):
    """An address; x and y are NaN without coordinates, building_id is "" without a building."""

    text: str
    x: float
    y: float
    building_id: str


def block_addresses(block: Block, buildings: Sequence[Building], seed: int) -> list[Address]:
    """Addresses of one block, in the order of its buildings.

    Examples
    --------
    >>> block_addresses(Block(0, 0, 0, "park", 0, 0), [], seed=7)[0].text
    '示范市云泽区滨河街道向阳路1号云泽公园'
    """
    street = _numbered(STREETS, block.row)
    number = 1 + 6 * block.column
    found = []
    for k, building in enumerate(buildings):
        rng = stream(seed, "address", building.number)
        place = f"{DISTRICT}{street}{number}号"
        if building.kind == "self-built":
            lane = _numbered(LANES, 4 * (block.number // len(CYCLE)) + k // 8)
            place = f"{DISTRICT}{lane}{1 + 2 * (k % 8)}号"
        for text, share, outward in _doors(building, place, rng):
            x, y = _before(building.front, share, outward)
            if rng.random() < LOST_SHARE:
                x = y = float("nan")
            found.append(Address(text, x, y, building.building_id))
    return [*found, *_without_building(block, f"{DISTRICT}{street}", number)]


def _doors(
    building: Building, place: str, rng: np.random.Generator
) -> Iterator[tuple[str, float, float]]:
    """Addresses of a building: text, share along its front, metres outward (inward below 0)."""
    units = {"slab": 3, "tower": 2}.get(building.kind, 0)
    if building.kind == "self-built":
        at_door = rng.random() < 0.25
        outward = rng.uniform(0.0, 2.0) if at_door else rng.uniform(-5.0, -2.0)
        yield place, rng.uniform(0.3, 0.7), outward
        if rng.random() < 0.15:
            yield f"{place}附1号", rng.uniform(0.2, 0.8), 0.0
        return
    yield place + building.label, rng.uniform(0.3, 0.7), rng.uniform(-5.0, -2.0)
    for unit in range(units):
        outward = rng.choice([0.0, rng.uniform(1.0, 2.0)])
        yield f"{place}{building.label}{unit + 1}单元", (unit + 0.5) / units, float(outward)


def _without_building(block: Block, street: str, number: int) -> Iterator[Address]:
    """Park and kiosks, which have an address but no footprint."""
    u, v = block.centre
    places = [(f"{street}{number + 2}号便民亭", u - 56.0, v - 45.0)]
    if block.kind == "park":
        places = [
            (f"{street}{number}号云泽公园", u, v),
            (f"{street}{number}号云泽公园游客中心", u + 20.0, v - 15.0),
        ]
    for text, east, north in places:
        x, y = to_map(east, north).round(3)
        yield Address(text, float(x), float(y), "")


def _before(front: FloatArray, share: float, outward: float) -> tuple[float, float]:
    """Find a point along a wall, moved outward from it; kept to the millimetre."""
    along = front[1] - front[0]
    normal = np.array([along[1], -along[0]]) / np.hypot(*along)
    x, y = (front[0] + share * along + outward * normal).round(3)
    return float(x), float(y)


def _numbered(names: Sequence[str], number: int) -> str:
    """Name for a number; once the list is used up, a figure goes before the last character."""
    name, again = names[number % len(names)], number // len(names)
    return f"{name[:-1]}{again + 1}{name[-1]}" if again else name
