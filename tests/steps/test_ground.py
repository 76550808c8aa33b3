"""Terrain grids."""

from __future__ import annotations

import numpy as np
import pytest

from cimkit.steps.ground import add_ground, empty_ground, fill_terrain, fitting_cell, ground
from cimkit.tables import PointCloud, Terrain


def slope(n=20_000, seed=0):
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(1000, 1080, n), rng.uniform(2000, 2060, n)
    return PointCloud(x, y, 30 + 0.05 * (x - 1000), np.full(n, 2))


def test_a_slope_is_found_also_under_a_building():
    cloud = slope()
    under = (abs(cloud.x - 1040) < 10) & (abs(cloud.y - 2030) < 10)
    terrain, issues = ground(cloud.take(~under))
    assert terrain is not None
    assert not issues
    height = terrain.sample(np.array([1040.0, 1070.0]), np.array([2030.0, 2010.0]))
    assert height[0] == pytest.approx(32.0, abs=0.3)  # filled
    assert height[1] == pytest.approx(33.5, abs=0.05)
    assert not terrain.measured[30, 40]
    assert terrain.measured[10, 70]


def test_without_ground_points_there_is_no_terrain_but_an_issue():
    terrain, issues = ground([[0, 0, 5, 6], [1, 1, 6, 6]])
    assert terrain is None
    assert [issue.code for issue in issues] == ["GROUND_NOT_MEASURED"]


def summed(cloud):
    sums = empty_ground(cloud.bounds, 1.0)
    assert add_ground(sums, cloud, (2,)) == len(cloud)
    return sums


def test_parts_in_any_order_give_the_bits_of_the_whole():
    cloud = slope()
    bounds = cloud.bounds
    assert bounds is not None
    pieces = [cloud.take(np.arange(k, len(cloud), 3)) for k in range(3)]
    sums = [summed(piece) for piece in pieces]
    whole = fill_terrain([summed(cloud)], bounds, 1.0, "")
    for parts in (sums, sums[::-1]):
        found = fill_terrain(parts, bounds, 1.0, "")
        assert found is not None
        assert whole is not None
        assert found.z.tobytes() == whole.z.tobytes()


def test_a_window_gives_the_heights_of_the_whole_bit_by_bit():
    terrain, _ = ground(slope())
    assert terrain is not None
    window = terrain.window((1020.3, 2011.2, 1031.7, 2025.0))
    assert window.z.size < terrain.z.size
    rng = np.random.default_rng(1)
    x, y = rng.uniform(1020.3, 1031.7, 100), rng.uniform(2011.2, 2025.0, 100)
    assert window.sample(x, y).tobytes() == terrain.sample(x, y).tobytes()


BOXES = [(1020.3, 2011.2, 1031.7, 2025.0), (990, 1990, 1001, 2001), (3000, 2010, 3010, 2020)]


@pytest.mark.parametrize("bounds", [*BOXES, (900, 900, 910, 910), (1010, 9000, 1020, 9010)])
@pytest.mark.parametrize("cell", [0.1, 1.0, 2.5])
def test_the_nearest_height_is_the_same_in_a_window(bounds, cell):
    terrain, _ = ground(slope(2000), cell=cell)
    assert terrain is not None
    rng = np.random.default_rng(2)
    x, y = rng.uniform(bounds[0], bounds[2], 200), rng.uniform(bounds[1], bounds[3], 200)
    x, y = np.r_[x, bounds[0], bounds[2]], np.r_[y, bounds[1], bounds[3]]
    found = terrain.nearest(x, y)
    assert np.isfinite(found).all()
    window = terrain.window(bounds)
    assert 0 < window.z.size < terrain.z.size
    assert window.nearest(x, y).tobytes() == found.tobytes()


def test_the_nearest_cell_is_the_one_of_least_distance():
    terrain = Terrain(np.arange(6.0).reshape(2, 3), np.ones((2, 3), bool), 10.0, 20.0, 10.0)
    x, y = np.random.default_rng(3).uniform(-30, 90, (2, 500))
    row, column = np.divmod(np.arange(6), 3)
    gap = np.hypot(x[:, None] - (15 + 10 * column), y[:, None] - (25 + 10 * row))
    assert terrain.nearest(x, y).tolist() == gap.argmin(axis=1).tolist()
    empty = Terrain(np.empty((0, 3)), np.empty((0, 3), bool), 0.0, 0.0, 1.0)
    assert np.isnan(empty.window((0, 0, 5, 5)).nearest(x, y)).all()


@pytest.mark.parametrize("cell", [0.5, 1.0])
def test_cells_grow_with_the_city(cell):
    assert fitting_cell((0, 0, 1000, 1000), cell) == (cell, [])
    coarse, issues = fitting_cell((0, 0, 18_000, 18_000), cell)
    assert coarse == 4.0
    assert [issue.code for issue in issues] == ["TERRAIN_COARSENED"]
