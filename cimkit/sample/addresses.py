"""Standard addresses (标准地址): buildings, units, floors, rooms, and where each belongs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from cimkit.sample.buildings import LATER, Building
from cimkit.sample.divisions import Community, community_of
from cimkit.sample.layout import Block, to_map
from cimkit.sample.names import (
    CITY,
    PROVINCE,
    estate_name,
    house_number,
    lane_name,
    park_name,
    street_name,
)
from cimkit.sample.occupancy import Door, Occupancy
from cimkit.sample.streams import stream
from cimkit.tables._columns import FloatArray
from cimkit.tables.elements import BUILDING, COMPOUND, FLOOR, ROOM, UNIT


class Address(NamedTuple):
    """An address; x and y are NaN without coordinates, building_id is "" without a building."""

    address_id: str
    parent_id: str
    kind: str
    community: Community
    street: str
    number: str
    estate: str = ""
    building: str = ""
    door: str = ""
    floor: str = ""
    room: str = ""
    x: float = np.nan
    y: float = np.nan
    building_id: str = ""

    @property
    def text(self) -> str:
        """The whole address; a room is written without its floor."""
        place = f"{PROVINCE}{CITY}{self.community.county}{self.community.township}"
        tail = self.room or self.floor
        return f"{place}{self.street}{self.number}{self.estate}{self.building}{self.door}{tail}"


class Entry(NamedTuple):
    """An address that stands in the plain list, and what is behind its door."""

    address: Address
    door: Door | None


def block_addresses(
    block: Block, buildings: Sequence[Building], uses: Sequence[Occupancy], seed: int
) -> list[Entry]:
    """Addresses of buildings and units of one block, in the order of its buildings.

    Examples
    --------
    >>> block_addresses(Block(0, 0, 0, "park", 0, 0), [], [], seed=7)[0].address.text
    '湖北省荆州市沙市区云溪街道向阳路1号云溪公园'
    """
    community, number = community_of(block), house_number(block)
    estate = estate_name(block)
    found: list[Entry] = []
    for building, use in zip(buildings, uses, strict=True):
        street, house = street_name(block.row), f"{number}号"
        k = building.number % LATER - block.first
        if building.kind == "self-built":
            street, house = lane_name(block, k // 8), f"{1 + 2 * (k % 8)}号"
        own = estate if building.label.startswith(estate) else ""
        label = building.label.removeprefix(own) if building.kind != "self-built" else ""
        whole = Address(
            f"A{building.number + 1:06d}00",
            _estate_id(block) if own else "",
            BUILDING,
            community,
            street,
            house,
            own,
            label,
            building_id=building.building_id,
        )
        found += _doors(whole, building, use, seed)
    return [*found, *_without_building(block, community)]


def _doors(whole: Address, building: Building, use: Occupancy, seed: int) -> Iterator[Entry]:
    """Address of a building, then of its units, or of its second door."""
    rng = stream(seed, "address", building.number)
    house = building.kind == "self-built"
    outward = rng.uniform(-5.0, -2.0)
    if house and rng.random() < 0.25:
        outward = rng.uniform(0.0, 2.0)
    whole = _at(whole, building.front, rng.uniform(0.3, 0.7), outward)
    units = [door for door in use.doors if door.name]
    yield Entry(whole, None if units or not use.doors else use.doors[0])
    if house and rng.random() < 0.15:
        second = whole._replace(
            address_id=f"{whole.address_id[:-2]}01", number=f"{whole.number}附1号"
        )
        yield Entry(_at(second, building.front, rng.uniform(0.2, 0.8), 0.0), None)
    for k, door in enumerate(units):
        unit = whole._replace(
            address_id=f"{whole.address_id[:-2]}{k + 1:02d}",
            parent_id=whole.address_id,
            kind=UNIT,
            door=door.name,
        )
        outward = float(rng.choice([0.0, rng.uniform(1.0, 2.0)]))
        yield Entry(_at(unit, building.front, (k + 0.5) / len(units), outward), door)


def rooms_behind(entry: Entry) -> Iterator[Address]:
    """Floors behind the door of a unit, each followed by its rooms; all at the door."""
    unit, door = entry
    if door is None or unit.kind != UNIT:
        return
    stem = unit.address_id
    for floor in range(door.first_floor, door.last_floor + 1):
        storey = unit._replace(
            address_id=f"{stem}-{floor:02d}", parent_id=stem, kind=FLOOR, floor=f"{floor}层"
        )
        yield storey
        for room in range(1, door.rooms_per_floor + 1):
            yield storey._replace(
                address_id=f"{stem}-{floor:02d}{room:02d}",
                parent_id=storey.address_id,
                kind=ROOM,
                room=f"{floor}{room:02d}室",
            )


def estate_of(block: Block) -> Address | None:
    """Address of the premises that take up a block; None where houses stand for themselves."""
    estate = estate_name(block)
    if not estate:
        return None
    x, y = to_map(*block.centre).round(3)
    place = street_name(block.row), f"{house_number(block)}号"
    name, here = _estate_id(block), community_of(block)
    return Address(name, "", COMPOUND, here, *place, estate, x=float(x), y=float(y))


def _estate_id(block: Block) -> str:
    return f"E{block.number + 1:06d}"


def _without_building(block: Block, community: Community) -> Iterator[Entry]:
    """Park and kiosks, which have an address but no footprint."""
    u, v = block.centre
    number, street = house_number(block), street_name(block.row)
    places = [(f"{number + 2}号", "便民亭", BUILDING, u - 56.0, v - 45.0)]
    if block.kind == "park":
        park = park_name(block)
        places = [
            (f"{number}号", park, COMPOUND, u, v),
            (f"{number}号", f"{park}游客中心", BUILDING, u + 20.0, v - 15.0),
        ]
    for k, (house, name, kind, east, north) in enumerate(places):
        x, y = to_map(east, north).round(3)
        stem = f"P{block.number + 1:06d}{k:02d}"
        alone = Address(stem, "", kind, community, street, house, building=name)
        yield Entry(alone._replace(x=float(x), y=float(y)), None)


def _at(address: Address, front: FloatArray, share: float, outward: float) -> Address:
    """Put an address at a point along a wall, moved outward from it; to the millimetre."""
    along = front[1] - front[0]
    normal = np.array([along[1], -along[0]]) / np.hypot(*along)
    x, y = (front[0] + share * along + outward * normal).round(3)
    return address._replace(x=float(x), y=float(y))
