"""Party walls: what neighbours have in common, from whichever block it is asked."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import Polygon, affinity, box

from cimkit.steps.party_walls import (
    GAP_MAX,
    Neighbours,
    find_neighbours,
    join_neighbours,
    share_walls,
)
from cimkit.steps.reconstruct.quality import measure_quality
from cimkit.steps.reconstruct.solid import extrude
from cimkit.tables import Footprints
from tests.steps.reconstruct.houses import buildings_of


def footprints_of(*shapes):
    return Footprints.from_polygons([f"b{k}" for k in range(len(shapes))], list(shapes))


def lengths(*shapes):
    found = find_neighbours(footprints_of(*shapes))
    pairs = zip(found.building.tolist(), found.neighbour.tolist(), strict=True)
    return dict(zip(pairs, found.length.tolist(), strict=True))


def test_a_row_of_houses_has_walls_on_both_sides():
    row = [box(5 * k, k, 5 * k + 5, 9) for k in range(3)]
    assert lengths(*row) == {(0, 1): 8, (1, 0): 8, (1, 2): 7, (2, 1): 7}


@pytest.mark.parametrize(("gap", "length"), [(0.0, 9), (0.09, 9), (0.11, None), (-0.05, 9)])
def test_a_gap_as_wide_as_the_map_is_off_does_not_part_houses(gap, length):
    assert lengths(box(0, 0, 5, 9), box(5 + gap, 0, 9, 9)).get((0, 1)) == length


def test_a_house_in_a_yard_shares_the_walls_of_the_yard():
    yard = box(0, 0, 20, 20).difference(box(5, 5, 15, 15))
    assert lengths(yard, box(5, 5, 15, 12)) == {(0, 1): 24, (1, 0): 24}


def test_a_corner_is_no_wall():
    assert lengths(box(0, 0, 5, 5), box(5, 5, 9, 9)) == {}


def test_a_wall_that_turns_away_is_none():
    wedge = Polygon([(5, 0), (9, 0), (9, 9), (6.8, 9)])  # 11 degrees
    assert lengths(box(0, 0, 5, 9), wedge) == {}
    bent = Polygon([(5, 0), (9, 0), (9, 9), (5.09, 9)])  # within the gap all along
    assert lengths(box(0, 0, 5, 9), bent)[0, 1] == pytest.approx(9, abs=0.01)


def test_the_same_outline_twice_is_an_overlap_and_no_wall():
    found = find_neighbours(footprints_of(box(0, 0, 5, 9), box(0, 0, 5, 9)))
    assert found.length.tolist() == [0, 0]
    assert found.overlap.tolist() == [45, 45]


def test_a_tower_on_its_podium_covers_it():
    found = find_neighbours(footprints_of(box(0, 0, 30, 30), box(0, 0, 10, 10)))
    assert found.overlap.tolist() == [100, 100]


def houses():
    """Cells of a grid with jagged borders, in whole decimetres; some are left out."""

    def draw(numbers):
        rng = np.random.default_rng(numbers)
        xs = np.cumsum(rng.integers(20, 90, 5)) / 10
        ys = np.cumsum(rng.integers(20, 90, 4)) / 10
        cells = [box(xs[i], ys[j], xs[i + 1], ys[j + 1]) for i in range(4) for j in range(3)]
        return [cell for cell in cells if rng.random() < 0.8] or cells

    return st.integers(0, 10**6).map(draw)


@given(houses(), st.integers(0, 359), st.integers(1, 5))
def test_neighbours_are_the_same_from_all_blocks_and_sides(shapes, angle, n_blocks):
    turned = [
        shapely.set_precision(affinity.rotate(shape, angle, (0, 0)), 0.001) for shape in shapes
    ]
    footprints = footprints_of(*turned)
    whole = find_neighbours(footprints)
    block = np.arange(len(footprints)) % n_blocks
    parts, rows = [], []
    for number in range(n_blocks):
        own = block == number
        seen = np.isin(np.arange(len(own)), whole.neighbour[own[whole.building]]) | own
        rows.append(np.flatnonzero(seen))
        parts.append(find_neighbours(footprints.take(seen), own[seen]))
    joined = join_neighbours(parts, rows)
    for name in Neighbours._fields:
        assert getattr(joined, name).tobytes() == getattr(whole, name).tobytes(), name
    back = np.lexsort((whole.building, whole.neighbour))
    np.testing.assert_allclose(whole.length, whole.length[back], atol=0.0011)
    edges = shapely.boundary(shapes)
    common = shapely.intersection(edges[whole.building], edges[whole.neighbour])
    walls = whole.length > 0
    np.testing.assert_allclose(whole.length[walls], shapely.length(common)[walls], atol=0.01)


def test_common_walls_reach_from_the_higher_ground_to_the_lower_roof():
    footprints = footprints_of(box(0, 0, 5, 9), box(5, 0, 9, 9), box(30, 0, 34, 4))
    ground, height = np.array([0.0, 1.0, 0.0]), np.array([6.0, 8.0, 3.0])
    models = extrude(footprints, ground, ground + height)
    quality = measure_quality(
        models, footprints, None, np.empty(0, np.int64), np.zeros(4, np.int64)
    )
    buildings = buildings_of(footprints, h_ground=ground, height=height)
    shared = share_walls(quality, buildings, find_neighbours(footprints))
    assert shared.area_party_wall.tolist() == [9 * 5, 9 * 5, 0]
    assert shared.area_wall.tolist() == [28 * 6 - 45, 26 * 8 - 45, 16 * 3]
    assert shared.area_overlap.tolist() == [0, 0, 0]


def test_a_roof_below_the_neighbours_ground_shares_no_wall():
    footprints = footprints_of(box(0, 0, 5, 9), box(5, 0, 9, 9))
    ground, height = np.array([0.0, 10.0]), np.array([6.0, 6.0])
    models = extrude(footprints, ground, ground + height)
    quality = measure_quality(
        models, footprints, None, np.empty(0, np.int64), np.zeros(3, np.int64)
    )
    buildings = buildings_of(footprints, h_ground=ground, height=height)
    shared = share_walls(quality, buildings, find_neighbours(footprints))
    assert shared.area_party_wall.tolist() == [0, 0]


def test_party_walls_never_exceed_the_walls():
    """Two footprints on one place both stand against the third."""
    footprints = footprints_of(box(0, 0, 5, 9), *[box(5, 0, 9, 9)] * 9)
    models = extrude(footprints, np.zeros(10), np.full(10, 3.0))
    quality = measure_quality(
        models, footprints, None, np.empty(0, np.int64), np.zeros(11, np.int64)
    )
    shared = share_walls(quality, buildings_of(footprints, 3.0), find_neighbours(footprints))
    assert shared.area_party_wall[0] == 28 * 3
    assert shared.area_wall[0] == 0


def test_no_footprints_have_no_neighbours():
    found = find_neighbours(Footprints.from_polygons([], []))
    assert [len(column) for column in found] == [0, 0, 0, 0]
    assert GAP_MAX == 0.1
