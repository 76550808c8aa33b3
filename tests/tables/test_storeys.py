"""Storeys and rooms: tables that refuse what contradicts itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimkit.errors import TableError
from cimkit.tables.storeys import Rooms, Storeys


def storeys() -> Storeys:
    return Storeys(
        ["a", "a", "a", "b"],
        [-1, 1, 2, 1],
        [-3.0, 0.0, 3.0, 5.0],
        [0.0, 3.0, 6.0, 9.0],
        ["floors", "floors", "floors", "height"],
    )


def rooms() -> Rooms:
    texts = ["1单元", ""], ["101室", ""], ["A1", ""]
    return Rooms(["x", "y"], ["a", "b"], [1, 0], *texts, ["z"], ["TOO_FAR"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"number": [-1, 0, 2, 1]}, "a storey is 0"),
        ({"number": [-1, 2, 2, 1]}, "must rise"),
        ({"number": [2, 1, -1, 1]}, "must rise"),
        ({"z_top": [0.0, 3.0, 3.0, 9.0]}, "no higher than it begins"),
        ({"z_top": [0.0, 3.5, 6.0, 9.0]}, "begin where the one below"),
        ({"building_id": ["a", "b", "a", "b"]}, "follow each other"),
        ({"source": ["floors", "guess", "rooms", "rooms"]}, "'guess'"),
        ({"z_bottom": [-3.0, np.nan, 3.0, 5.0]}, "finite"),
        ({"number": [-1, 1, 2, 2**40]}, "none of a storey"),
        ({"z_top": [0.0]}, "4 rows"),
    ],
)
def test_storeys_that_contradict_themselves_are_refused(change, message):
    with pytest.raises(TableError, match=message):
        replace(storeys(), **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"address_id": ["x", "x"]}, "occurs twice"),
        ({"building_id": ["a", ""]}, "in no building"),
        ({"unbound_id": ["x"]}, "bound and unbound"),
        ({"unbound_reason": [""]}, "without a reason"),
        ({"floor": [1]}, "2 rows"),
    ],
)
def test_rooms_that_contradict_themselves_are_refused(change, message):
    with pytest.raises(TableError, match=message):
        replace(rooms(), **change)


def test_tables_come_back_from_pandas():
    again = Storeys.from_pandas(storeys().to_pandas())
    assert again.to_pandas().equals(storeys().to_pandas())
    back = Rooms.from_pandas(rooms().to_pandas(), rooms().unbound_to_pandas())
    assert back.to_pandas().equals(rooms().to_pandas())
    assert back.unbound_reason.tolist() == ["TOO_FAR"]
    assert not len(Rooms.from_pandas(rooms().to_pandas()).unbound_id)


def test_rows_are_found_by_building_and_number():
    table = storeys()
    assert table.rows_of(table.building_id, table.number).tolist() == [0, 1, 2, 3]
    assert table.rows_of(["b", "c", "a", "b", "a"], [2, 1, 2**62, -1, 0]).tolist() == [-1] * 5
    assert Storeys.empty().rows_of(["a"], [1]).tolist() == [-1]
    assert len(set(table.storey_id.tolist())) == 4
    assert table.take(np.array([1, 2])).number.tolist() == [1, 2]
    assert rooms().take(np.array([1])).unbound_id.tolist() == ["z"]


NUMBERS = st.lists(st.integers(-4, 9).filter(bool), max_size=5, unique=True).map(sorted)


@given(
    st.lists(NUMBERS, max_size=5),
    st.lists(st.tuples(st.integers(0, 6), st.integers(-5, 10)), max_size=9),
)
def test_rows_are_those_that_a_search_finds(buildings, asked):
    pairs = [(f"b{k}", number) for k, numbers in enumerate(buildings) for number in numbers]
    number = np.array([n for _, n in pairs], dtype=np.int64)
    steps = np.concatenate([np.arange(len(numbers)) for numbers in [*buildings, []]])
    names = [name for name, _ in pairs]
    table = Storeys(names, number, steps, steps + 1.0, ["rooms"] * len(pairs))
    wanted = [(f"b{k}", n) for k, n in asked]
    found = table.rows_of([name for name, _ in wanted], [n for _, n in wanted])
    assert found.tolist() == [pairs.index(p) if p in pairs else -1 for p in wanted]
