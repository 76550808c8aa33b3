from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from cimkit.kernels.roof_deviation import roof_deviations
from cimkit.steps.detail import measure_detail
from cimkit.tables import Models
from tests.extruded import extrude


def compare(first: Models, second: Models) -> float:
    """Deviation of two tables of one solid each."""
    both = Models.concatenate([first, replace(second, building_id=["y"])])
    corners, face = both.triangles()
    starts = np.searchsorted(both.solid_of_face[face], [0, 1, 2])
    one = np.array([0]), np.array([1])
    return float(roof_deviations(both.vertices, corners, starts, *one)[0])


def block(shape, height, ground=10.0):
    return extrude([shape], height, ground=ground, ids=["x"]).models


def gable(width, depth, eaves, ridge, east=0.0):
    """A house with its ridge along x, as plain triangles and quads."""
    x0, x1, y0, ym, y1 = east, east + width, 0.0, depth / 2, depth
    vertices = np.array(
        [
            *([x0, y0, 10], [x1, y0, 10], [x1, y1, 10], [x0, y1, 10]),
            *([x0, y0, eaves], [x1, y0, eaves], [x1, y1, eaves], [x0, y1, eaves]),
            *([x0, ym, ridge], [x1, ym, ridge]),
        ]
    )
    faces = [
        *([3, 2, 1, 0], [0, 1, 5, 4], [2, 3, 7, 6]),
        *([1, 2, 6, 9, 5], [3, 0, 4, 8, 7], [4, 5, 9, 8], [6, 7, 8, 9]),
    ]
    ends = np.cumsum([0, *map(len, faces)])
    ones = np.arange(len(faces) + 1)
    kind = np.array([0, 1, 1, 1, 1, 2, 2], dtype=np.uint8)
    used = np.concatenate(faces)
    return Models(["x"], "2.2", vertices, [0, 10], used, ends, ones, [0, 7], kind)


def by_geos(first, second):
    """Slow oracle: every pair of triangles, overlaid by GEOS."""
    worst = 0.0
    lists = []
    for models in (first, second):
        corners, _ = models.triangles()
        abc = models.vertices[corners]
        normal = np.cross(abc[:, 1] - abc[:, 0], abc[:, 2] - abc[:, 0])
        lists.append([(t, n) for t, n in zip(abc, normal, strict=True) if abs(n[2]) > 1e-6])
    for t, n in lists[0]:
        for u, m in lists[1]:
            if n[2] * m[2] < 0:
                continue
            common = shapely.Polygon(t[:, :2]) & shapely.Polygon(u[:, :2])
            if common.area < 1e-9:
                continue
            for x, y in shapely.get_coordinates(common):
                z = t[0, 2] - (n[0] * (x - t[0, 0]) + n[1] * (y - t[0, 1])) / n[2]
                w = u[0, 2] - (m[0] * (x - u[0, 0]) + m[1] * (y - u[0, 1])) / m[2]
                worst = max(worst, abs(z - w))
    return worst


def test_blocks_of_two_heights():
    shape = shapely.box(0, 0, 8, 6)
    assert compare(block(shape, 5.0), block(shape, 9.0)) == pytest.approx(4.0)
    assert compare(block(shape, 5.0), block(shape, 5.0)) == 0.0


def test_a_bottom_that_lies_deeper():
    shape = shapely.box(0, 0, 8, 6)
    assert compare(block(shape, 5.0), block(shape, 7.5, ground=7.5)) == pytest.approx(2.5)


def test_an_outline_that_differs():
    wide, narrow = shapely.box(0, 0, 10, 6), shapely.box(0, 0, 8, 6)
    assert compare(block(wide, 5.0), block(narrow, 5.0)) == pytest.approx(2.0)
    assert compare(block(narrow, 5.0), block(wide, 6.0)) == pytest.approx(3.0)


def test_solids_apart_have_no_bound():
    far = shapely.box(100, 0, 108, 6)
    assert compare(block(shapely.box(0, 0, 8, 6), 5.0), block(far, 5.0)) == np.inf


heights = st.floats(11, 40, allow_nan=False, width=32)


@given(heights, heights, st.floats(10.5, 60, width=32), st.sampled_from([0.0, 4e7]))
def test_a_gable_against_a_block_and_against_the_overlay_of_geos(eaves, ridge, top, east):
    house = gable(12, 8, eaves, ridge, east)
    flat = extrude([shapely.box(east, 0, east + 12, 8)], top - 10, ids=["x"]).models
    expected = max(abs(eaves - top), abs(ridge - top))
    assert compare(flat, house) == pytest.approx(expected, abs=1e-3)
    if not east:
        assert compare(flat, house) == pytest.approx(by_geos(flat, house), abs=1e-6)


def sample(models, step=0.1):
    """Points all over the surface of a solid."""
    corners, _ = models.triangles()
    points = []
    for a, b, c in models.vertices[corners]:
        n = int(max(np.linalg.norm(b - a), np.linalg.norm(c - a), 1) / step) + 1
        u, v = np.meshgrid(np.linspace(0, 1, n), np.linspace(0, 1, n))
        inside = u + v <= 1
        points.append(a + u[inside, None] * (b - a) + v[inside, None] * (c - a))
    return np.concatenate(points)


@pytest.mark.parametrize(("eaves", "ridge", "top"), [(13, 17, 15), (13, 17, 11), (20, 12, 14)])
def test_it_bounds_the_hausdorff_distance_that_points_show(eaves, ridge, top):
    house, flat = gable(6, 4, eaves, ridge), block(shapely.box(0, 0, 6, 4), top - 10)
    one, other = sample(house), sample(flat)
    apart = [cKDTree(b).query(a)[0].max() for a, b in ((one, other), (other, one))]
    assert max(apart) <= compare(flat, house) + 0.15


def test_levels_of_a_building_are_measured_against_its_best():
    house, flat = gable(12, 8, 13, 17), block(shapely.box(0, 0, 12, 8), 5.0)
    detail = measure_detail(Models.concatenate([flat, house]), house.building_id)
    assert detail.deviation[0, 1] == pytest.approx(2.0)
    assert detail.deviation[0, [0, 2, 3]].tolist() == [np.inf, np.inf, 0.0]
    assert detail.corners.tolist() == [[0, 24, 0, 30]]
    assert detail.triangles.tolist() == [[0, 12, 0, 16]]
    assert len(house.triangles()[0]) == 16
