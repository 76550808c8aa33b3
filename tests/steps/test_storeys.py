"""Floors and rooms: what is on a floor, what is on none, and why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

import cimkit
from cimkit.check.solids import check_solids
from cimkit.errors import ParameterError, TableError
from cimkit.interiors import make_slabs
from cimkit.steps.storeys import (
    STOREY_MIN,
    find_rooms,
    room_balance,
    stack_storeys,
    storey_tops,
)
from cimkit.tables import Addresses, Footprints, Links
from cimkit.tables.elements import Elements
from cimkit.tables.storeys import Rooms
from cimkit.tables.surfaces import solid_volumes
from tests.strategies import footprint_tables

NO_LINKS = Links(*([np.empty(0)] * 10))


def linked(pairs, confidence=None, unlinked=()):
    """Links of (building, address), each as sure as said."""
    n = len(pairs)
    return Links(
        [building for building, _ in pairs],
        [address for _, address in pairs],
        ["R1"] * n,
        np.full(n, 0.9) if confidence is None else confidence,
        np.zeros(n),
        np.ones(n, bool),
        np.ones(n, int),
        np.zeros(n, bool),
        [name for name, _ in unlinked],
        [reason for _, reason in unlinked],
    )


def addresses(rows):
    """Addresses of (id, text) or (id, text, elements)."""
    columns = {
        name: [(row[2] if len(row) > 2 else {}).get(name, "") for row in rows]
        for name in ("kind", "parent_id", "unit", "floor", "room")
    }
    nothing = np.full(len(rows), np.nan)
    return Addresses(
        [row[0] for row in rows],
        [row[1] for row in rows],
        nothing,
        nothing,
        elements=Elements.of(len(rows), **columns),
    )


def houses(floors, size=8.0):
    """Squares in a row."""
    shapes = [shapely.box(20 * k, 0, 20 * k + size, size) for k in range(len(floors))]
    names = [chr(ord("a") + k) for k in range(len(floors))]
    return Footprints.from_polygons(names, shapes, floors=floors)


def rooms_on(*floors, building="a"):
    n = len(floors)
    texts = [""] * n
    return Rooms([f"r{k}" for k in range(n)], [building] * n, floors, texts, texts, texts)


# Rooms.


def test_columns_go_before_the_text_and_the_text_serves_where_there_are_none():
    table = addresses(
        [
            ("1", "3幢301室", {"kind": "户室", "floor": "5层", "room": "501"}),
            ("2", "3幢", {"room": "1203", "unit": "2单元"}),
            ("3", "3幢1单元402室"),
            ("4", "3幢1单元", {"kind": "户室"}),
            ("5", "3幢5层", {"kind": "楼层", "floor": "5层"}),
            ("6", "3幢601室", {"kind": "建筑物"}),
            ("7", "中山路5号"),
        ]
    )
    rooms = find_rooms(table, linked([("a", str(k)) for k in range(1, 8)]))
    assert rooms.address_id.tolist() == ["1", "2", "3", "4"]
    assert rooms.floor.tolist() == [5, 12, 4, 0]
    assert rooms.room.tolist() == ["501", "1203", "402室", ""]
    assert rooms.unit.tolist() == ["", "2单元", "1单元", ""]


def test_the_surest_link_binds_a_room():
    pairs = [("b", "1"), ("a", "1"), ("c", "2"), ("b", "2")]
    rooms = find_rooms(
        addresses([("1", "301室"), ("2", "302室")]), linked(pairs, [0.95, 0.6, 0.8, 0.8])
    )
    assert rooms.building_id.tolist() == ["b", "b"]


def test_a_link_to_a_whole_compound_binds_no_room():
    links = linked([("a", "1"), ("b", "1"), ("a", "2"), ("b", "2")], [0.6, 0.6, 0.6, 0.9])
    links = replace(links, rule=["R6", "R6", "R6", "R1"])
    rooms = find_rooms(addresses([("1", "锦绣苑301室"), ("2", "锦绣苑302室")]), links)
    assert rooms.building_id.tolist() == ["b"]
    assert rooms.unbound_reason.tolist() == ["COMPOUND"]


def test_a_room_without_a_link_is_listed_with_the_reason():
    table = addresses([("1", "301室"), ("2", "302室"), ("3", "3幢")])
    rooms = find_rooms(table, linked([], unlinked=[("1", "TOO_FAR"), ("3", "TOO_FAR")]))
    assert len(rooms) == 0
    assert rooms.unbound_id.tolist() == ["1", "2"]
    assert rooms.unbound_reason.tolist() == ["TOO_FAR", "UNLINKED"]
    storeys, _ = stack_storeys(houses([3]), [0.0], [9.0], rooms)
    balance = room_balance(storeys, rooms)
    assert balance.adds_up
    assert balance.parts == {"TOO_FAR": 1, "UNLINKED": 1}


def test_the_address_of_the_building_is_found_above_the_room():
    table = addresses(
        [
            ("A", "3幢", {"kind": "建筑物", "parent_id": "E"}),
            ("U", "3幢1单元", {"kind": "单元", "parent_id": "A"}),
            ("F", "3幢1单元3层", {"kind": "楼层", "parent_id": "U"}),
            ("R", "3幢1单元301室", {"kind": "户室", "parent_id": "F", "room": "301室"}),
            ("X", "301室", {"kind": "户室", "parent_id": "Y", "room": "301室"}),
            ("Y", "301室", {"kind": "户室", "parent_id": "X", "room": "301室"}),
            ("Z", "301室", {"kind": "户室", "parent_id": "lost", "room": "301室"}),
        ]
    )
    rooms = find_rooms(table, linked([("a", name) for name in "RXYZ"]))
    found = dict(zip(rooms.address_id.tolist(), rooms.building_address.tolist(), strict=True))
    assert found == {"R": "A", "X": "", "Y": "", "Z": ""}


def test_no_addresses_no_rooms():
    assert len(find_rooms(Addresses.empty(), NO_LINKS)) == 0


# Storeys.


def test_the_count_comes_from_the_best_source():
    storeys, issues = stack_storeys(
        houses([2.0, np.nan, np.nan]), np.zeros(3), [9.0] * 3, rooms_on(1, 4, building="b")
    )
    count = {name: int((storeys.building_id == name).sum()) for name in "abc"}
    assert count == {"a": 2, "b": 4, "c": 3}
    sources = dict(zip(storeys.building_id.tolist(), storeys.source.tolist(), strict=True))
    assert sources == {"a": "floors", "b": "rooms", "c": "height"}
    assert issues == []
    low = stack_storeys(houses([np.nan]), [0.0], [9.0], Rooms.empty(), storey_height=4.5)[0]
    assert low.number.tolist() == [1, 2]


def test_floor_99_in_a_house_of_six_storeys():
    rooms = rooms_on(1, 6, 99)
    storeys, issues = stack_storeys(houses([6]), [10.0], [28.0], rooms)
    assert storeys.number.max() == 6
    assert [(i.severity, i.code, i.table, i.id) for i in issues] == [
        ("WARNING", "FLOOR_BEYOND_BUILDING", "addresses", "r2")
    ]
    assert room_balance(storeys, rooms).parts == {"on a storey": 2, "beyond the building": 1}
    assert room_balance(storeys, rooms).adds_up


def test_floor_99_does_not_make_a_house_of_unknown_storeys_a_tower():
    storeys, issues = stack_storeys(houses([np.nan]), [0.0], [18.0], rooms_on(1, 6, 99))
    assert storeys.number.max() == 6
    assert set(storeys.source.tolist()) == {"rooms"}
    assert [issue.id for issue in issues] == ["r2"]


def test_rooms_without_floor_and_below_the_ground_are_kept():
    rooms = rooms_on(0, -1, 2)
    storeys, issues = stack_storeys(houses([2]), [0.0], [6.0], rooms)
    assert issues == []
    balance = room_balance(storeys, rooms)
    assert balance.adds_up
    assert balance.parts == {
        "on a storey": 1,
        "on an unknown floor": 1,
        "under the ground": 1,
    }


def test_more_storeys_than_the_height_has_room_for_are_reported():
    storeys, issues = stack_storeys(houses([6, 1]), [0.0, 0.0], [4.0, 1.5], Rooms.empty())
    assert storeys.number.tolist() == [1, 2, 3, 4, 5, 6, 1]
    assert [(issue.code, issue.id) for issue in issues] == [("STOREYS_LOW", "a")]
    assert "6 storeys in 4.0 m would be 0.7 m each" in issues[0].message


@pytest.mark.parametrize("floors", [0.0, -3.0, 0.2, 1e9, 300.0])
def test_numbers_that_no_building_has_do_no_harm(floors):
    storeys, _ = stack_storeys(houses([floors]), [0.0], [9.0], Rooms.empty())
    assert 1 <= len(storeys) <= 300
    assert check_solids(make_slabs(houses([floors]), storeys)) == []


def test_a_storey_height_below_any_building_is_refused():
    with pytest.raises(ParameterError, match="storey_height"):
        stack_storeys(houses([1]), [0.0], [3.0], Rooms.empty(), storey_height=0.0)


def test_no_buildings_no_storeys():
    storeys, issues = stack_storeys(Footprints.from_polygons([], []), [], [], Rooms.empty())
    assert len(storeys) == 0
    assert issues == []


@given(
    footprint_tables(),
    st.lists(st.tuples(st.integers(0, 40), st.floats(0.5, 90)), min_size=8, max_size=8),
    st.lists(st.integers(-3, 50), max_size=6),
)
def test_slabs_fill_the_building_whatever_its_floors(footprints, kinds, floors):
    """Each a valid solid; together as large as footprint times height."""
    n = len(footprints)
    stated = np.array([kinds[row % 8][0] or np.nan for row in range(n)], dtype=float)
    footprints = replace(footprints, floors=stated)
    bottom = np.round(np.arange(n) * 1.5 - 7.0, 3)
    top = np.round(bottom + [kinds[row % 8][1] for row in range(n)], 3)
    name = str(footprints.building_id[0]) if n else "a"
    rooms = rooms_on(*floors, building=name)
    storeys, _ = stack_storeys(footprints, bottom, top, rooms)
    slabs = make_slabs(footprints, storeys)
    assert check_solids(slabs) == []
    row = np.unique(storeys.building_id, return_inverse=True)[1]
    volume, names = np.bincount(row, solid_volumes(slabs)), np.unique(storeys.building_id)
    whole = dict(
        zip(footprints.building_id.tolist(), footprints.area * (top - bottom), strict=True)
    )
    expected = [whole[name] for name in names.tolist()]
    np.testing.assert_allclose(volume, expected, rtol=1e-3)
    assert room_balance(storeys, rooms).adds_up


# Where storeys end.


def gable(height=6.0, ridge=10.0, chimney=False):
    """A reconstructed house with a gable roof, and perhaps a chimney stack."""
    x, y = (c.ravel() for c in np.meshgrid(np.arange(0.2, 16, 0.4), np.arange(0.2, 10, 0.4)))
    z = height + (ridge - height) * (1 - np.abs(y - 5) / 5)
    if chimney:
        on = (np.abs(x - 8) < 1) & (np.abs(y - 5) < 1)
        z = np.where(on, 14.0, z)
    ground = np.column_stack([x - 20, y, np.zeros(len(x)), np.full(len(x), 2)])
    points = np.vstack([np.column_stack([x, y, z, np.full(len(x), 6)]), ground])
    footprints = Footprints.from_polygons(["a"], [shapely.box(0, 0, 16, 10)])
    of = np.where(points[:, 3] == 6, 0, -1)
    terrain = cimkit.ground(points)[0]
    return cimkit.reconstruct(footprints, points, building_of_point=of, terrain=terrain)


@pytest.mark.parametrize("chimney", [False, True])
def test_the_top_storey_ends_at_the_eave(chimney):
    buildings, models, _ = gable(chimney=chimney)
    assert models.best().lod.tolist() == ["2.2"]
    top = storey_tops(buildings, models.best())
    assert top[0] == pytest.approx(6.0, abs=0.3)
    assert top[0] < buildings.h_ground[0] + buildings.height[0]


def flat(*parts):
    """One footprint with flat parts of (west, east, height), as a solid of LoD1.3."""
    x, y = (c.ravel() for c in np.meshgrid(np.arange(0.2, 40, 0.4), np.arange(0.2, 10, 0.4)))
    z = np.zeros(len(x))
    for west, east, height in parts:
        z[(x >= west) & (x < east)] = height
    points = np.column_stack([x, y, z, np.full(len(x), 6)])
    footprints = Footprints.from_polygons(["a"], [shapely.box(0, 0, 40, 10)], floors=[10])
    return cimkit.reconstruct(footprints, points, building_of_point=np.zeros(len(x), int))


def test_a_tower_on_its_podium_counts_and_a_lift_on_the_roof_does_not():
    buildings, models, _ = flat((0, 28, 9.0), (28, 40, 30.0))
    assert buildings.height[0] < 15.0
    assert storey_tops(buildings, models.best())[0] == pytest.approx(30.0, abs=0.1)
    buildings, models, _ = flat((0, 37, 9.0), (37, 40, 14.0))
    assert storey_tops(buildings, models.best())[0] == pytest.approx(9.0, abs=0.1)
    buildings, models, _ = flat((0, 32, 9.0), (32, 40, 12.5))  # a fifth: a stair house
    assert storey_tops(buildings, models.best())[0] == pytest.approx(9.0, abs=0.1)
    buildings, models, _ = flat((0, 32, 9.0), (32, 40, 14.5))  # the same, too high to be one
    assert storey_tops(buildings, models.best())[0] == pytest.approx(14.5, abs=0.1)
    buildings, models, _ = flat((0, 20, 9.0), (20, 40, 12.5))  # half: a storey set back
    assert storey_tops(buildings, models.best())[0] == pytest.approx(12.5, abs=0.1)


def test_a_roof_down_to_the_ground_has_storeys_all_the_same():
    buildings, models, _ = gable(height=0.0, ridge=7.0)
    top = storey_tops(buildings, models.best())[0]
    assert top - buildings.h_ground[0] > STOREY_MIN


def test_rows_that_do_not_belong_together_are_refused():
    buildings, models, _ = gable()
    with pytest.raises(TableError, match="same rows"):
        storey_tops(buildings, models)
    walls = replace(models.best(), semantics=np.ones(len(models.best().semantics), np.uint8))
    with pytest.raises(TableError, match="no roof"):
        storey_tops(buildings, walls)
