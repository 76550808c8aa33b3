from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cimkit.errors import ParameterError
from cimkit.kernels.footprint_grid import build_grid
from cimkit.kernels.nearest_footprint import nearest_footprints, values_near_footprints
from tests.kernels.shapes import (
    FAR,
    POLYGONS,
    footprints_of,
    lattice_polygons,
    star_polygons,
    telling_points,
)

GREY = 1e-7
"""At this distance from the limit, rounding may decide."""


def check_nearest(polygons: Any, points: Any, radius: float, cell: float) -> None:
    grid = build_grid(footprints_of(polygons), cell=cell)
    rows, distance, offsets = nearest_footprints(points[:, 0], points[:, 1], grid, radius)
    point = np.repeat(np.arange(len(points)), np.diff(offsets))
    expected = shapely.distance(np.array(polygons)[:, None], shapely.points(points)[None])
    np.testing.assert_allclose(distance, expected[rows, point], rtol=0, atol=2e-8)
    found = np.zeros(expected.shape, bool)
    found[rows, point] = True
    assert found.sum() == len(rows)
    assert (expected[found] <= radius + GREY).all()
    assert found[expected <= radius - GREY].all()
    assert sorted(zip(point, distance, rows, strict=True)) == list(
        zip(point, distance, rows, strict=True)
    )


def check_values(polygons: Any, points: Any, radius: float) -> None:
    rows, offsets = values_near_footprints(
        points[:, 0], points[:, 1], footprints_of(polygons), radius
    )
    footprint = np.repeat(np.arange(len(polygons)), np.diff(offsets))
    expected = shapely.distance(np.array(polygons)[:, None], shapely.points(points)[None])
    found = np.zeros(expected.shape, bool)
    found[footprint, rows] = True
    assert found.sum() == len(rows)
    assert (expected[found] <= radius + GREY).all()
    assert found[expected <= radius - GREY].all()
    assert found[
        shapely.covers(np.array(polygons)[:, None], shapely.points(points)[None])
    ].all()


@pytest.mark.parametrize("name", POLYGONS)
@pytest.mark.parametrize(
    ("origin", "radius"), [((0.0, 0.0), 0.0), (FAR, 1.5), ((0.0, 0.0), 6.0)]
)
def test_zoo_agrees_with_shapely(name, origin, radius):
    polygons = [shapely.transform(p, lambda xy: xy + origin) for p in POLYGONS[name]]
    points = telling_points(polygons, np.random.default_rng(3), 20)
    check_nearest(polygons, points, radius, 2.0)
    if name != "far apart":
        check_values(polygons, points, radius)


@settings(max_examples=15, deadline=None)
@given(st.one_of(lattice_polygons(), star_polygons()), st.sampled_from([0.5, 2.0, 9.0]))
def test_any_shape_agrees_with_shapely(polygons, radius):
    points = telling_points(polygons, np.random.default_rng(4), 10)
    check_nearest(polygons, points, radius, 1.3)
    check_values(polygons, points, radius)


@settings(max_examples=10, deadline=None)
@given(lattice_polygons(), st.integers(0, 9))
def test_order_of_points_changes_nothing_but_order(polygons, seed):
    rng = np.random.default_rng(seed)
    points = telling_points(polygons, rng, 10)
    mixed = rng.permutation(len(points))
    rows, offsets = values_near_footprints(
        points[:, 0], points[:, 1], footprints_of(polygons), 1.0
    )
    again, ends = values_near_footprints(
        points[mixed, 0], points[mixed, 1], footprints_of(polygons), 1.0
    )
    assert offsets.tolist() == ends.tolist()
    for a, b in itertools.pairwise(offsets):
        assert sorted(mixed[again[a:b]]) == sorted(rows[a:b])


def test_limit_counts_as_near():
    footprints = footprints_of(POLYGONS["square"])
    x, y = np.array([-4.0, 8.0, 2.0, 2.0, 8.01]), np.array([2.0, 2.0, -4.0, 8.0, 2.0])
    assert sorted(values_near_footprints(x, y, footprints, 4.0)[0]) == [0, 1, 2, 3]
    offsets = nearest_footprints(x, y, build_grid(footprints), 4.0)[2]
    assert np.diff(offsets).tolist() == [1, 1, 1, 1, 0]


def test_nothing_near_nothing():
    none, some = footprints_of([]), footprints_of(POLYGONS["l"])
    assert values_near_footprints([1.0], [1.0], none, 4.0)[1].tolist() == [0]
    assert values_near_footprints([], [], some, 4.0)[1].tolist() == [0, 0]
    assert nearest_footprints([1.0], [1.0], build_grid(none), 4.0)[2].tolist() == [0, 0]


@pytest.mark.parametrize("radius", [-1.0, np.nan, np.inf])
def test_wrong_radius_is_refused(radius):
    footprints = footprints_of(POLYGONS["l"])
    with pytest.raises(ParameterError, match="radius"):
        values_near_footprints([0.0], [0.0], footprints, radius)
    with pytest.raises(ParameterError, match="radius"):
        nearest_footprints([0.0], [0.0], build_grid(footprints), radius)
