"""Divisions of buildings, against the sample's truth and a plain search."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cimkit.errors import CrsError, TableError
from cimkit.steps.divide import BORDER_M, divide
from cimkit.steps.encode import encode
from cimkit.tables import Footprints
from cimkit.tables.coderecords import ACTIVE, CodeRecords
from cimkit.tables.divisions import Divisions

CRS = "EPSG:4546"
X, Y = 500_000, 3_300_000


def grid(codes, size=100.0, crs=""):
    """Divisions side by side, from west to east, a row for each length."""
    shapes, seen = [], {6: 0, 9: 0, 12: 0}
    for code in codes:
        width = size * {6: 4, 9: 2, 12: 1}[len(code)]
        k = seen[len(code)]
        shapes.append(shapely.box(X + k * width, Y, X + (k + 1) * width, Y + size))
        seen[len(code)] += 1
    return Divisions(codes, [f"n{c}" for c in codes], np.array(shapes, object), crs)


def houses(places, crs=""):
    shapes = [shapely.box(X + x, Y + y, X + x + 4, Y + y + 4) for x, y in places]
    return Footprints.from_polygons([f"b{k}" for k in range(len(shapes))], shapes, crs=crs)


TREE = grid(["421002", "421002001", "421002002", "421002001001", "421002001002"])


def test_the_smallest_division_is_taken():
    codes, issues = divide(houses([(10, 9), (150, 9), (250, 9)]), TREE)
    assert codes.tolist() == ["421002001001", "421002001002", "421002002"]
    assert issues == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-90, 480), st.integers(-90, 190)), min_size=1, max_size=9),
    st.permutations(range(5)),
)
def test_as_a_plain_search_says_in_any_order(places, order):
    city = houses(places)
    codes, issues = divide(city, TREE.take(np.array(order)))
    noted = {issue.id: issue.code for issue in issues}
    for name, polygon, code in zip(
        city.building_id.tolist(), city.polygons(), codes.tolist(), strict=True
    ):
        point = polygon.point_on_surface()
        inside = [
            c for c, p in zip(TREE.code, TREE.polygons, strict=True) if p.intersects(point)
        ]
        longest = max(map(len, inside), default=0)
        if inside:
            assert code == min(c for c in inside if len(c) == longest)
            continue
        gaps = {
            str(c): p.distance(point)
            for c, p in zip(TREE.code, TREE.polygons, strict=True)
            if len(c) == 12
        }
        near = min(gaps.values()) <= BORDER_M
        assert noted[name] == "DIVISION_OUTSIDE"
        assert code == (min(gaps, key=lambda c: (round(gaps[c], 3), c)) if near else "")


def test_an_l_shaped_building_is_where_its_surface_is():
    bend = shapely.box(X + 90, Y, X + 190, Y + 9).union(shapely.box(X + 90, Y, X + 99, Y + 99))
    city = Footprints.from_polygons(["a"], [bend])
    codes, _ = divide(city, TREE)
    place = shapely.point_on_surface(bend)
    assert shapely.intersects(TREE.polygons[TREE.code == codes[0]], place).all()


def test_divisions_that_contradict_each_other_are_shown():
    twins = Divisions(
        ["421002", "421003001", "421003002"],
        ["", "", ""],
        np.array([shapely.box(X, Y, X + 99, Y + 99)] * 3, object),
    )
    codes, issues = divide(houses([(9, 9)]), twins)
    assert codes.tolist() == ["421003001"]
    assert [issue.code for issue in issues] == ["DIVISION_OVERLAP", "DIVISION_CROSSED"]


def test_two_crs_are_refused():
    with pytest.raises(CrsError):
        divide(houses([(9, 9)], CRS), grid(["421002"], crs="EPSG:4547"))


@pytest.mark.parametrize("code", ["4210", "42100A", "", "４２１００２"])
def test_a_code_that_is_none(code):
    with pytest.raises(TableError):
        Divisions([code], [""], np.array([shapely.box(0, 0, 1, 1)], object))


def test_a_border_that_moves_re_codes_nothing():
    """The second year: the townships are renumbered, one building is new."""
    city = houses([(10, 9), (150, 9), (250, 9)], CRS)
    codes, _ = divide(city, grid(["421002001", "421002002"]))
    first = encode(city, CodeRecords.empty(), division=codes)
    assert first.codes.tolist() == [
        "421002990100001000001",
        "421002990100001000002",
        "421002990100002000001",
    ]
    known = CodeRecords(
        first.codes, city.building_id, np.full(3, ACTIVE, object), city.polygons(), CRS
    )
    later = houses([(10, 9), (150, 9), (250, 9), (20, 9)], CRS)
    codes, _ = divide(later, grid(["421002002", "421002003"]))
    second = encode(later, known, division=codes)
    assert second.codes[:3].tolist() == first.codes.tolist()
    assert second.codes[3] == "421002990100002000002"
    assert second.fresh.code.tolist() == ["421002990100002000002"]


def test_serials_go_on_in_each_township_by_itself():
    city = houses([(10 * k, 9) for k in range(6)], CRS)
    towns = np.array(["421002001", "421002002"] * 3, np.dtypes.StringDType())
    made = encode(city, CodeRecords.empty(), division=towns)
    for name in ("001", "002"):
        own = sorted(c for c in made.codes.tolist() if c[12:15] == name)
        assert [int(code[15:]) for code in own] == [1, 2, 3]
    assert made.fresh.code.tolist() == sorted(made.codes.tolist())
