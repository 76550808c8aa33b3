"""Counts by building and cell: nothing lost, no small count of persons to be read off."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cimkit.steps.link import link
from cimkit.steps.occupancy import CELL, occupy
from cimkit.tables import Addresses, Footprints, Links
from cimkit.tables.occupancy import MEASURES, Occupancy


def city(n: int, spacing: float) -> tuple[Addresses, Footprints, Any]:
    """Houses in a row with two addresses each."""
    boxes = [shapely.box(spacing * k, 0, spacing * k + 8, 8) for k in range(n)]
    houses = Footprints.from_polygons([f"h{k:03d}" for k in range(n)], boxes)
    x = np.repeat(spacing * np.arange(n) + 4.0, 2)
    names = [f"a{k:03d}" for k in range(2 * n)]
    here = Addresses(names, [f"甲{k}楼" for k in range(2 * n)], x, np.full(2 * n, 4.0))
    return here, houses, link(here, houses)[0]


COUNT = st.sampled_from([-1, 0, 1, 2, 4, 5, 6, 9, 30])


@settings(max_examples=200, deadline=None)
@given(st.lists(COUNT, min_size=2, max_size=24), st.sampled_from([10.0, 40.0, 300.0]))
def test_no_hidden_count_can_be_told_by_subtraction(counts, spacing):
    n = (len(counts) + 1) // 2
    here, houses, links = city(n, spacing)
    counts = [*counts, -1][: 2 * n]
    column = np.array(counts, np.int64)
    blank = np.full(2 * n, -1)
    found = occupy(Occupancy(here.address_id, blank, blank, column, blank), here, houses, links)
    own = np.repeat(np.arange(n), 2)
    cell = np.floor((spacing * np.arange(n) + 4.0) / CELL).astype(int)
    cell = np.unique(cell, return_inverse=True)[1]
    true = [np.maximum(column, 0)]
    true.append(np.bincount(own, true[0], n).astype(int))
    true.append(np.bincount(cell, true[1]).astype(int))
    levels = (found.addresses, found.buildings, found.cells)
    for level, values in zip(levels, true, strict=True):
        shown, hidden = level.value["population"], level.hidden["population"]
        assert (shown[hidden] == -1).all()
        assert ((shown == values) | hidden | (shown == -1)).all()
        assert not (((shown > 0) & (shown < 5)).any())
        assert (values[hidden] > 0).all()
    for below, group, above in ((0, own, 1), (1, cell, 2)):
        lost = levels[below].hidden["population"]
        alone = np.bincount(group[lost], minlength=len(true[above])) == 1
        assert levels[above].hidden["population"][alone].all()
    for k in np.flatnonzero(found.buildings.hidden["population"]).tolist():
        of = (own == k) & (true[0] > 0)
        assert found.addresses.hidden["population"][of].all()


def test_everything_is_in_a_building_or_listed():
    here, houses, links = city(3, 40.0)
    far = Addresses(
        [*here.address_id.tolist(), "far"], [""] * 7, [*here.x, 900.0], [*here.y, 4.0]
    )
    links, _ = link(far, houses)
    counts = Occupancy(["a000", "a005", "far", "gone"], [1, 2, 3, 4], *([[9, 8, 7, 6]] * 3))
    found = occupy(counts, far, houses, links)
    assert found.buildings.value["rooms"].tolist() == [1, -1, 2]
    assert [b.name for b in found.balances] == list(MEASURES)
    for balance in found.balances:
        assert balance.adds_up
    assert found.balances[0].parts == {
        "in buildings": 3,
        "not placed: TOO_FAR": 3,
        "not placed: UNKNOWN_ADDRESS": 4,
    }
    assert [(i.code, i.id) for i in found.issues] == [
        ("OCCUPANCY_UNPLACED", "far"),
        ("OCCUPANCY_UNPLACED", "gone"),
    ]


def test_rooms_and_organisations_are_no_persons():
    here, houses, links = city(1, 40.0)
    counts = Occupancy(["a000"], [2], [2], [3], [1])
    found = occupy(counts, here, houses, links)
    assert {n: int(found.buildings.value[n][0]) for n in MEASURES} == {
        "rooms": 2,
        "households": -1,
        "population": -1,
        "organisations": 1,
    }


def test_the_surest_link_decides():
    here, houses, links = city(2, 9.0)
    row = int(np.flatnonzero(links.address_id == "a000")[0])
    other = replace(links.take([row]), building_id=["h001"], confidence=[0.99])
    columns = {n: np.concatenate([getattr(links, n), getattr(other, n)]) for n in _PAIR}
    both = replace(links, **columns)
    found = occupy(Occupancy(["a000"], [7], [-1], [-1], [-1]), here, houses, both)
    assert found.buildings.value["rooms"].tolist() == [-1, 7]


_PAIR = [name for name in Links.__dataclass_fields__ if not name.startswith("unlinked")]
