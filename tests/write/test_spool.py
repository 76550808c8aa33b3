"""What one worker leaves for another comes back as it was."""

from __future__ import annotations

import numpy as np
import pytest

from cimkit.tables import PointCloud, Terrain
from cimkit.tables.groundsums import LowestCells
from cimkit.write.spool import (
    append_points,
    load_lowest,
    load_points,
    load_terrain_window,
    save_lowest,
    save_terrain,
)

COLUMNS = ("x", "y", "z", "classification", "return_number", "number_of_returns")


def test_points_come_back_with_their_returns(tmp_path):
    rng = np.random.default_rng(0)
    x, y, z = rng.uniform(-1e6, 1e6, (3, 50))
    small = rng.integers(0, 256, (3, 50)).astype(np.uint8)
    cloud = PointCloud(x, y, z, small[0], "EPSG:7415", small[1], small[2])
    append_points(tmp_path / "a", cloud.take(np.arange(20)))
    append_points(tmp_path / "a", cloud.take(np.arange(20, 50)))
    append_points(tmp_path / "b", PointCloud(x, y, z, small[0]))
    found, source = load_points([(str(tmp_path / "a"), 3), (str(tmp_path / "b"), 9)], "EPSG:1")
    assert source.tolist() == [3] * 50 + [9] * 50
    assert found.crs == "EPSG:1"
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(found, name)[:50], getattr(cloud, name))
    assert found.number_of_returns is not None
    assert not found.number_of_returns[50:].any()  # unknown


@pytest.mark.parametrize("layers", [(), ("found",), ("from_dem",), ("found", "from_dem")])
def test_a_window_of_a_terrain_comes_back_with_its_layers(layers, tmp_path):
    rng = np.random.default_rng(1)
    shape = 30, 40
    given = {
        "found": rng.integers(0, 3, shape).astype(np.uint8),
        "from_dem": rng.random(shape) < 0.5,
    }
    more = {name: given[name] for name in layers}
    terrain = Terrain(rng.normal(0, 1, shape), rng.random(shape) < 0.5, 100, 200, 2.0, **more)
    save_terrain(tmp_path / "t", terrain)
    bounds = 120.0, 210.0, 150.0, 230.0
    kept, expected = load_terrain_window(tmp_path / "t", bounds, ""), terrain.window(bounds)
    x, y = rng.uniform(120, 150, 99), rng.uniform(210, 230, 99)
    assert kept.sample(x, y).tobytes() == terrain.sample(x, y).tobytes()
    np.testing.assert_array_equal(kept.found_at(x, y), terrain.found_at(x, y))
    np.testing.assert_array_equal(kept.is_from_dem(x, y), terrain.is_from_dem(x, y))
    assert kept.z.shape == expected.z.shape
    save_terrain(tmp_path / "t", Terrain(terrain.z, terrain.measured, 100, 200, 2.0))
    again = load_terrain_window(tmp_path / "t", bounds, "")
    assert again.found is None
    assert again.from_dem is None


def test_lowest_heights_come_back(tmp_path):
    low = np.arange(6, dtype=np.int32).reshape(2, 3)
    save_lowest(tmp_path / "a.npz", LowestCells(-5, 9, 0.5, low))
    (found,) = load_lowest([tmp_path / "a.npz"])
    assert found[:3] == (-5, 9, 0.5)
    np.testing.assert_array_equal(found.low, low)
