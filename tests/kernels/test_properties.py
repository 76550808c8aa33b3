"""What must hold for any footprints and any points."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cimkit.kernels.footprint_distance import depth_in_footprint
from cimkit.kernels.footprint_grid import build_grid
from cimkit.kernels.grouping import group_rows
from cimkit.kernels.nearest_footprint import nearest_footprints, values_near_footprints
from cimkit.kernels.point_in_footprint import assign_points, covering_footprints
from cimkit.tables import Footprints
from tests.oracles import assign_by_shapely, covering_by_shapely
from tests.strategies import clouds, footprint_tables, lattices, places, subdivisions


@st.composite
def scenes(draw: st.DrawFn) -> Any:
    """Footprints, and points among which some lie on their corners and edges."""
    footprints = draw(footprint_tables())
    return footprints, draw(clouds(on=footprints))


@settings(max_examples=40)
@given(scenes(), st.sampled_from([0.5, 1.0, 7.0]))
def test_points_lie_where_shapely_says_whatever_the_cell(scene, cell):
    footprints, cloud = scene
    grid = build_grid(footprints, cell=cell)
    rows, offsets = covering_footprints(cloud.x, cloud.y, grid)
    expected, borders = covering_by_shapely(cloud.x, cloud.y, footprints)
    assert rows.tolist() == expected.tolist()
    assert offsets.tolist() == borders.tolist()
    assigned = assign_points(cloud.x, cloud.y, grid)
    assert assigned.tolist() == assign_by_shapely(cloud.x, cloud.y, footprints).tolist()


@settings(max_examples=25)
@given(scenes(), st.randoms(use_true_random=False))
def test_order_of_points_changes_nothing_but_order(scene, random):
    footprints, cloud = scene
    order = list(range(len(cloud)))
    random.shuffle(order)
    mixed = cloud.take(np.array(order, dtype=np.int64))
    grid = build_grid(footprints)
    found = assign_points(cloud.x, cloud.y, grid)
    assert assign_points(mixed.x, mixed.y, grid).tolist() == found[order].tolist()


@settings(max_examples=25)
@given(lattices(), places(), st.integers(0, 9))
def test_a_move_changes_no_answer(polygons, place, seed):
    # In 1/1024 m no coordinate loses a bit when it is moved by whole metres.
    x, y = np.random.default_rng(seed).integers(-1024, 6 * 1024, (2, 80)) / 1024
    x[:20], y[20:40] = np.round(x[:20]), np.round(y[20:40])
    names = [f"b{k}" for k in range(len(polygons))]
    moved = [shapely.transform(p, lambda xy: xy + place) for p in polygons]
    here = build_grid(Footprints.from_polygons(names, polygons))
    there = build_grid(Footprints.from_polygons(names, moved))
    moved_x, moved_y = x + place[0], y + place[1]
    found = assign_points(x, y, here)
    assert assign_points(moved_x, moved_y, there).tolist() == found.tolist()
    near, again = (
        nearest_footprints(x, y, here, 1.5),
        nearest_footprints(moved_x, moved_y, there, 1.5),
    )
    for one, other in zip(near, again, strict=True):
        assert one.tolist() == other.tolist()


@settings(max_examples=25)
@given(subdivisions(), st.integers(0, 9))
def test_neighbours_leave_no_gap_and_share_no_point_but_their_wall(polygons, seed):
    footprints = Footprints.from_polygons([f"b{k}" for k in range(len(polygons))], polygons)
    outline = shapely.union_all(polygons)
    low, high = footprints.xy.min(0), footprints.xy.max(0)
    x, y = np.random.default_rng(seed).uniform(low, high, (80, 2)).T
    inside = shapely.contains_xy(outline.buffer(-0.01), x, y)
    grid = build_grid(footprints)
    assert (assign_points(x, y, grid)[inside] >= 0).all()
    rows, offsets = covering_footprints(x, y, grid)
    point = np.repeat(np.arange(len(x)), np.diff(offsets))
    doubled = np.isin(point, np.flatnonzero(np.diff(offsets) > 1))
    assert (depth_in_footprint(x[point], y[point], rows, grid)[doubled] < 1e-6).all()


@settings(max_examples=25)
@given(scenes())
def test_every_point_of_a_footprint_is_near_it_and_nearest_at_no_distance(scene):
    footprints, cloud = scene
    rows, offsets = covering_footprints(cloud.x, cloud.y, build_grid(footprints))
    point = np.repeat(np.arange(len(cloud)), np.diff(offsets))
    near, borders = values_near_footprints(cloud.x, cloud.y, footprints, 0.5)
    footprint = np.repeat(np.arange(len(footprints)), np.diff(borders))
    assert set(zip(rows, point, strict=True)) <= set(zip(footprint, near, strict=True))
    found, distance, ends = nearest_footprints(
        cloud.x, cloud.y, build_grid(footprints, cell=2.0), 0.5
    )
    at = np.repeat(np.arange(len(cloud)), np.diff(ends))
    covering = set(zip(point, rows, strict=True))
    assert {(p, f) for p, f, d in zip(at, found, distance, strict=True) if d == 0} >= covering


@settings(max_examples=25)
@given(scenes())
def test_each_point_is_in_one_group_at_most(scene):
    footprints, cloud = scene
    owner = assign_points(cloud.x, cloud.y, build_grid(footprints))
    rows, borders = group_rows(owner, len(footprints))
    assert len(set(rows.tolist())) == len(rows) == np.count_nonzero(owner >= 0)
    assert (
        owner[rows].tolist() == np.repeat(np.arange(len(footprints)), np.diff(borders)).tolist()
    )
