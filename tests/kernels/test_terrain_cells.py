"""Sums and hole filling against plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from cimkit.kernels.terrain_cells import empty_sums, fill_holes, halve, sum_cells


def test_sums_are_those_of_a_histogram():
    rng = np.random.default_rng(3)
    x, y = rng.uniform(-7, 13, 500), rng.uniform(40_000_000, 40_000_020, 500)
    z = np.round(rng.normal(30, 5, 500), 3)
    total, count = empty_sums(8, 9)
    used = sum_cells(x, y, z, 2.0, -3, 20_000_001, total, count)
    edges = 40_000_002 + 2.0 * np.arange(9), -6 + 2.0 * np.arange(10)
    expected, *_ = np.histogram2d(y, x, edges)
    heights, *_ = np.histogram2d(y, x, edges, weights=z)
    np.testing.assert_array_equal(count, expected)
    np.testing.assert_allclose(total / 1000, heights, atol=1e-9)
    assert used == count.sum() < len(x)


def test_known_cells_keep_their_height_and_holes_lie_between_their_neighbours():
    rng = np.random.default_rng(4)
    z = rng.normal(20, 3, (37, 21)).astype(np.float32)
    hole = rng.random(z.shape) < 0.6
    filled = np.where(hole, np.nan, z).astype(np.float32)
    fill_holes(filled)
    assert np.isfinite(filled).all()
    np.testing.assert_array_equal(filled[~hole], z[~hole])
    assert z[~hole].min() <= filled.min() <= filled.max() <= z[~hole].max()


def test_a_plane_with_a_building_hole_is_filled_like_a_plane():
    row, column = np.mgrid[0:64, 0:64]
    plane = (100 + 0.02 * row + 0.05 * column).astype(np.float32)
    z = plane.copy()
    z[20:32, 16:48] = np.nan
    fill_holes(z)
    assert np.abs(z - plane).max() < 0.35


def test_without_any_known_cell_nothing_is_invented():
    z = np.full((5, 3), np.nan, dtype=np.float32)
    fill_holes(z)
    assert np.isnan(z).all()


def test_halving_is_the_mean_of_known_cells():
    z = np.array([[1, 3, np.nan], [np.nan, 5, np.nan], [7, np.nan, 9]], dtype=np.float32)
    np.testing.assert_array_equal(halve(z, 0, 0), [[3, np.nan], [7, 9]])
    np.testing.assert_array_equal(halve(z, 1, 1), [[1, 3], [7, 7]])


@pytest.mark.parametrize("grown", [1, 2, 3, 5, 8])
def test_a_city_that_grows_at_its_edge_keeps_its_heights_elsewhere(grown):
    """A hole far from the edge is filled alike, whatever cell the grid begins with."""
    rng = np.random.default_rng(8)
    whole = rng.normal(20, 3, (96, 80)).astype(np.float32)
    whole[40:60, 30:52] = np.nan
    small = whole[grown:, grown:].copy()
    fill_holes(whole, 100, 300)
    fill_holes(small, 100 + grown, 300 + grown)
    np.testing.assert_array_equal(small[16:, 16:], whole[16 + grown :, 16 + grown :])


@pytest.mark.parametrize("first", [-1, -7, 0, 7, 40_000_001])
def test_any_place_in_the_world_is_filled(first):
    z = np.array([[1, np.nan], [np.nan, np.nan]], dtype=np.float32)
    fill_holes(z, first, first)
    np.testing.assert_array_equal(z, np.ones((2, 2)))
