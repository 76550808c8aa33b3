from __future__ import annotations

import numpy as np
import pytest
import shapely
from shapely import affinity

from cimkit.kernels.outline_rectangles import outline_rectangles

FAR = np.array([38_500_000.0, 3_400_000.0])


def rectangles(*outlines):
    xy = np.concatenate([np.asarray(outline, dtype=np.float64) for outline in outlines])
    return outline_rectangles(xy, np.cumsum([0, *map(len, outlines)]))


def outline(rng):
    """A star around a place: simple, of any number of corners."""
    angle = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 14)))
    reach = rng.uniform(2, 30, len(angle))
    return np.column_stack([np.cos(angle), np.sin(angle)]) * reach[:, None]


def smallest_along_an_edge(corners):
    """By Shapely: every edge is laid along the axis, and the box read off."""
    areas = []
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        angle = np.degrees(np.arctan2(*(b - a)[::-1]))
        turned = affinity.rotate(shapely.MultiPoint(corners), -angle, origin=(0, 0))
        areas.append(shapely.box(*turned.bounds).area)
    return min(areas)


@pytest.mark.parametrize("seed", range(30))
def test_the_smallest_that_stands_along_an_edge(seed):
    corners = outline(np.random.default_rng(seed))
    around = shapely.Polygon(rectangles(corners)[0])
    assert around.area == pytest.approx(smallest_along_an_edge(corners), rel=1e-9)
    assert around.exterior.is_ccw
    assert around.buffer(1e-9).covers(shapely.MultiPoint(corners))
    sides = np.diff(shapely.get_coordinates(around), axis=0)
    assert np.abs((sides[:-1] * sides[1:]).sum(axis=1)).max() < 1e-9  # right angles


def test_an_angle_gets_a_rectangle_along_its_walls():
    corners = np.array([(0, 0), (10, 0), (10, 2), (2, 2), (2, 10), (0, 10)]) @ [
        [0.8, 0.6],
        [-0.6, 0.8],
    ]
    around = shapely.Polygon(rectangles(corners)[0])
    assert around.area == pytest.approx(100)
    assert around.equals_exact(shapely.Polygon([(0, 0), (8, 6), (2, 14), (-6, 8)]), 1e-9)


def test_far_from_the_origin_to_a_tenth_of_a_millimetre():
    corners = outline(np.random.default_rng(1))
    here, there = rectangles(corners)[0], rectangles(corners + FAR)[0]
    np.testing.assert_allclose(there - FAR, here, atol=1e-4)


def test_each_outline_has_its_own():
    outlines = [outline(np.random.default_rng(seed)) for seed in range(5)]
    together = rectangles(*outlines)
    alone = [rectangles(one)[0] for one in outlines]
    np.testing.assert_array_equal(together, alone)


def test_outlines_without_an_area():
    line, place = [(0, 0), (4, 0), (1, 0)], [(3, 3), (3, 3), (3, 3)]
    flat, point = rectangles(line, place)
    assert np.ptp(flat[:, 1]) == 0
    assert (np.ptp(flat[:, 0]), point.tolist()) == (4.0, [[3.0, 3.0]] * 4)


def test_of_equal_ones_the_first_whatever_the_last_bits():
    square = np.array([(0, 0), (7, 0), (7, 7), (0, 7)]) @ [[0.6, 0.8], [-0.8, 0.6]]
    moved = square + np.random.default_rng(0).uniform(-1e-11, 1e-11, square.shape)
    np.testing.assert_allclose(rectangles(square)[0], rectangles(moved)[0], atol=1e-9)
    np.testing.assert_allclose(rectangles(square)[0], square, atol=1e-9)
