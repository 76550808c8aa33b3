from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cimkit.errors import TableError
from cimkit.kernels.footprint_grid import build_grid
from cimkit.kernels.point_in_footprint import assign_points, covering_footprints
from tests.kernels.shapes import (
    FAR,
    POLYGONS,
    footprints_of,
    lattice_polygons,
    star_polygons,
    telling_points,
)


def covers_by_shapely(polygons: Any, points: Any) -> Any:
    """Matrix of polygon by point."""
    return np.array([shapely.covers(p, shapely.points(points)) for p in polygons])


def check(polygons: Any, points: Any, cell: float) -> None:
    footprints = footprints_of(polygons)
    grid = build_grid(footprints, cell=cell)
    order = np.lexsort((np.arange(len(polygons)), footprints.area))
    covers = covers_by_shapely(polygons, points)[order]
    first = np.where(covers.any(0), order[covers.argmax(0)], -1)
    found = assign_points(points[:, 0], points[:, 1], grid)
    np.testing.assert_array_equal(found, first)
    rows, offsets = covering_footprints(points[:, 0], points[:, 1], grid)
    assert rows.tolist() == [int(row) for column in covers.T for row in order[column]]
    assert np.diff(offsets).tolist() == covers.sum(0).tolist()


@pytest.mark.parametrize("name", POLYGONS)
@pytest.mark.parametrize(
    ("origin", "cell"), [((0.0, 0.0), 0.6), (FAR, 5.0), ((-85_000.25, 3.5), 0.6)]
)
def test_zoo_agrees_with_shapely(name, origin, cell):
    polygons = [shapely.transform(p, lambda xy: xy + origin) for p in POLYGONS[name]]
    check(polygons, telling_points(polygons, np.random.default_rng(1)), cell)


@settings(max_examples=25, deadline=None)
@given(st.one_of(lattice_polygons(), star_polygons()), st.integers(0, 9))
def test_any_shape_agrees_with_shapely(polygons, seed):
    check(polygons, telling_points(polygons, np.random.default_rng(seed), 20), 1.0)


@settings(max_examples=15, deadline=None)
@given(lattice_polygons(), st.randoms(use_true_random=False))
def test_order_of_rows_changes_nothing_but_ties_and_order(polygons, random):
    points = telling_points(polygons, np.random.default_rng(0), 20)
    chosen = list(range(len(polygons)))
    random.shuffle(chosen)
    rows, offsets = covering_footprints(
        points[:, 0], points[:, 1], build_grid(footprints_of(polygons))
    )
    again, ends = covering_footprints(
        points[::-1, 0],
        points[::-1, 1],
        build_grid(footprints_of([polygons[k] for k in chosen])),
    )
    for i in range(len(points)):
        j = len(points) - 1 - i
        here = {chosen[row] for row in again[ends[j] : ends[j + 1]]}
        assert here == set(rows[offsets[i] : offsets[i + 1]])


def test_nothing_in_nothing():
    grid = build_grid(footprints_of([]))
    assert assign_points([0.0, 1e9], [0.0, 1.0], grid).tolist() == [-1, -1]
    assert covering_footprints([], [], build_grid(footprints_of(POLYGONS["l"])))[
        1
    ].tolist() == [0]


def test_wrong_columns_are_refused():
    grid = build_grid(footprints_of(POLYGONS["l"]))
    with pytest.raises(TableError, match="y: 2 rows expected"):
        assign_points([0.0, 1.0], [0.0], grid)
    with pytest.raises(TableError, match="x: row 1 is not a finite number"):
        covering_footprints([0.0, np.nan], [0.0, 0.0], grid)
