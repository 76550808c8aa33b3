"""Whether a cloud lies beside the footprints, on houses of which it is known."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from shapely import affinity, box

from cimkit.kernels.edge_profiles import DIRECTIONS, DISTANCES
from cimkit.steps.align import (
    PLACE,
    POINTS_MIN,
    REPORTED_M,
    add_counts,
    edge_counts,
    find_shift,
    shift_issues,
)
from cimkit.tables import Footprints


def village(shift=(0.0, 0.0), eaves=0.0, *, turn=15.0, seed=0, n=25, rows=None):
    """Counts across the edges of free houses whose roofs are moved and overhang the walls."""
    rng = np.random.default_rng(seed)
    shapes = []
    for k in range(n):
        a, b = rng.uniform(8, 14, 2)
        house = affinity.rotate(box(0, 0, a, b), turn * (k % 5), origin=(0, 0))
        shapes.append(
            shapely.set_precision(affinity.translate(house, 30 * (k % 5), 30 * (k // 5)), 1e-3)
        )
    roofs = shapely.union_all([s.buffer(eaves, join_style="mitre") for s in shapes])
    roofs = affinity.translate(roofs, *shift)
    west, south, east, north = roofs.bounds
    x, y = rng.uniform(west, east, 150_000), rng.uniform(south, north, 150_000)
    on = shapely.contains_xy(roofs, x, y)
    footprints = Footprints.from_polygons([f"h{k}" for k in range(n)], shapes)
    rows = np.arange(n) if rows is None else rows
    return edge_counts(footprints, rows, x[on], y[on])


def whole(counts):
    return sum(counts.values(), np.zeros((DIRECTIONS, DISTANCES), np.int64))


@pytest.mark.parametrize("eaves", [0.0, 0.3, 0.6])
@pytest.mark.parametrize("shift", [(0, 0), (0.5, 0), (-0.35, 0.8), (1.2, 1.2), (0, -2.2)])
def test_a_shift_is_found_whatever_the_eaves(shift, eaves):
    found = find_shift(whole(village(shift, eaves)))
    assert found is not None
    assert (found.dx, found.dy) == pytest.approx(shift, abs=0.08)
    assert found.contrast > 0.5


def test_a_shift_out_of_reach_is_not_found():
    assert find_shift(whole(village((4.0, 0.0)))) is None


def test_trees_and_few_points_say_nothing():
    rng = np.random.default_rng(0)
    assert find_shift(np.full((DIRECTIONS, DISTANCES), 40)) is None  # as many outside as inside
    few = village((1.0, 0.0), n=25)
    thin = rng.binomial(whole(few), 0.5 * POINTS_MIN / whole(few).sum())
    assert find_shift(thin) is None


def test_edges_of_one_direction_say_nothing():
    counts = np.zeros((DIRECTIONS, DISTANCES), np.int64)
    counts[[0, DIRECTIONS // 2], : DISTANCES // 2] = 100
    assert find_shift(counts) is None


def test_party_walls_do_not_count():
    row = [box(10 * k, 0, 10 * k + 10, 9) for k in range(8)]
    footprints = Footprints.from_polygons([f"r{k}" for k in range(8)], row)
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 80, 20_000), rng.uniform(0, 9, 20_000)
    counts = whole(edge_counts(footprints, np.arange(8), x, y))
    seen = np.flatnonzero(counts.any(axis=1))
    assert seen.tolist() == [0, DIRECTIONS // 4, DIRECTIONS // 2, 3 * DIRECTIONS // 4]
    ends = counts[[0, DIRECTIONS // 2]].sum()
    assert ends < 0.2 * counts.sum()  # two walls of nine metres, not sixteen


def test_short_edges_do_not_count():
    shape = shapely.Polygon([(0, 0), (10, 0), (10, 8), (1.2, 8), (0, 7)])
    footprints = Footprints.from_polygons(["a"], [shape])
    x, y = np.random.default_rng(0).uniform(0, 10, (2, 2000))
    counts = whole(edge_counts(footprints, np.array([0]), x, y))
    assert np.flatnonzero(counts.any(axis=1)).tolist() == [0, 18, 36, 54]


def test_blocks_add_up_to_the_whole():
    rows = np.arange(25)
    parts = [village((0.5, 0.2), rows=part) for part in (rows[:9], rows[9:])]
    arrays = [(np.array(list(p), dtype=np.int64), np.array(list(p.values()))) for p in parts]
    whole_counts = add_counts([(np.array(list(c)), np.array(list(c.values())))
                               for c in [village((0.5, 0.2))]])  # fmt: skip
    for order in (arrays, arrays[::-1]):
        together = add_counts(order)
        assert list(together) == list(whole_counts)
        for square, counts in together.items():
            np.testing.assert_array_equal(counts, whole_counts[square])


def test_issues_name_the_square_and_the_way_back():
    counts = village((0.8, -0.4))
    issues = shift_issues(counts)
    assert {issue.code for issue in issues} == {"CLOUD_SHIFTED"}
    square, city = issues
    assert (square.table, square.id) == ("points", "0_0")
    assert city.table == "city"
    dx, dy = map(float, city.message.split("[")[1].rstrip("]").split(", "))
    assert (dx, dy) == pytest.approx((-0.8, 0.4), abs=0.08)


def test_a_small_shift_or_none_is_not_reported():
    assert shift_issues(village((REPORTED_M / 2, 0.0))) == []
    assert shift_issues({}) == []


def test_squares_lie_on_a_fixed_grid():
    counts = village()
    assert set(counts) == {(0, 0)}
    far = Footprints.from_polygons(["a"], [box(PLACE + 5, -20, PLACE + 15, -10)])
    x, y = np.array([PLACE + 10.0]), np.array([-15.0])
    assert set(edge_counts(far, np.array([0]), x, y)) == {(1, -1)}
