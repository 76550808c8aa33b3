"""Elevation models: the height of a place, whatever the file is in."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import Transformer
from rasterio.warp import Resampling, reproject

from cimkit.errors import CrsError, FormatError, InputError
from cimkit.read.describe import describe
from cimkit.read.terrain import probe_dem, read_terrain
from cimkit.steps.ground import add_ground, dem_offset, empty_ground, fill_terrain
from cimkit.tables import PointCloud, Terrain

CRS = "EPSG:4546+5737"
EAST, NORTH = 500_000.0, 3_350_000.0
BOUNDS = EAST + 20, NORTH + 20, EAST + 80, NORTH + 60


def height(x, y):
    return 30 + 0.05 * (x - EAST) - 0.02 * (y - NORTH)


def write_dem(path, *, crs="EPSG:4546", cell=5.0, dtype="float32", place=None, z=None, **more):
    """A slope of 40 x 30 cells whose south-west corner is the origin."""
    rows, columns = 30, 40
    x0, y0 = place or (EAST, NORTH)
    if z is None:
        x = x0 + (np.arange(columns) + 0.5) * cell
        y = y0 + (rows - np.arange(rows) - 0.5) * cell
        z = height(*np.meshgrid(x, y))
    profile = {
        "driver": "GTiff", "width": columns, "height": rows, "count": 1, "dtype": dtype,
        "crs": crs, "transform": Affine(cell, 0, x0, 0, -cell, y0 + rows * cell),
    } | more  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        for band in range(profile["count"]):
            file.write(z.astype(dtype), band + 1)
    return str(path)


def centres(terrain):
    rows, columns = terrain.z.shape
    x = terrain.x0 + (np.arange(columns) + 0.5) * terrain.cell
    y = terrain.y0 + (np.arange(rows) + 0.5) * terrain.cell
    return np.meshgrid(x, y)


@pytest.mark.parametrize("cell", [1.0, 2.5, 5.0])
def test_heights_are_those_of_the_slope(tmp_path, cell):
    path = write_dem(tmp_path / "dem.tif")
    terrain = read_terrain(path, crs=CRS, bounds=BOUNDS, cell=cell)
    np.testing.assert_allclose(terrain.z, height(*centres(terrain)), atol=1e-3)
    assert terrain.from_dem is not None
    assert terrain.from_dem.all()
    assert not terrain.measured.any()
    assert terrain.crs == CRS


def test_another_crs_is_brought_in(tmp_path):
    """The same slope, in degrees, to within the curvature of a cell."""
    write_dem(tmp_path / "metres.tif")
    to_degrees = Transformer.from_crs("EPSG:4546", "EPSG:4490", always_xy=True)
    west, south = to_degrees.transform(EAST, NORTH)
    place, step = Affine(5e-5, 0, west, 0, -5e-5, south + 30 * 5e-5), 5e-5
    z = np.full((30, 40), np.nan, dtype="float32")
    with rasterio.open(tmp_path / "metres.tif") as file:
        reproject(
            rasterio.band(file, 1), z, dst_transform=place, dst_crs="EPSG:4490",
            dst_nodata=np.nan, resampling=Resampling.bilinear,
        )  # fmt: skip
    path = write_dem(
        tmp_path / "degrees.tif", crs="EPSG:4490", cell=step, place=(west, south), z=z
    )
    terrain = read_terrain(path, crs=CRS, bounds=BOUNDS)
    known = np.isfinite(terrain.z)
    assert known.mean() > 0.9
    np.testing.assert_allclose(terrain.z[known], height(*centres(terrain))[known], atol=0.02)
    bounds = probe_dem(path, CRS).bounds
    np.testing.assert_allclose(bounds[:2], (EAST, NORTH), atol=1.0)


@pytest.mark.parametrize("nodata", [-9999.0, None, -12.5, float("nan")])
def test_unknown_cells_do_not_mix_into_heights(tmp_path, nodata):
    x, y = np.meshgrid(EAST + 5 * np.arange(40) + 2.5, NORTH + 150 - 5 * np.arange(30) - 2.5)
    z = height(x, y)
    z[18:22, 8:12] = -9999.0 if nodata is None else nodata
    path = write_dem(tmp_path / "dem.tif", z=z, nodata=nodata)
    terrain = read_terrain(path, crs=CRS, bounds=BOUNDS)
    known = np.isfinite(terrain.z)
    assert 0.05 < (~known).mean() < 0.5
    np.testing.assert_allclose(terrain.z[known], height(*centres(terrain))[known], atol=0.2)


def test_integers_with_a_scale(tmp_path):
    z = np.full((30, 40), 1234)
    path = write_dem(tmp_path / "dem.tif", dtype="int16", z=z)
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = (0.01,), (10.0,)
    terrain = read_terrain(path, crs=CRS, bounds=BOUNDS)
    np.testing.assert_allclose(terrain.z, 22.34, atol=1e-5)


def test_a_growing_city_keeps_its_heights(tmp_path):
    path = write_dem(tmp_path / "dem.tif", crs="EPSG:4547", place=(213_000.0, 3_355_000.0))
    west, south, east, north = probe_dem(path, CRS).bounds
    small = read_terrain(path, crs=CRS, bounds=(west + 60, south + 60, west + 90, south + 90))
    large = read_terrain(path, crs=CRS, bounds=(west, south, east, north))
    row, column = int(small.y0 - large.y0), int(small.x0 - large.x0)
    rows, columns = small.z.shape
    part = large.z[row : row + rows, column : column + columns]
    np.testing.assert_array_equal(part, small.z)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"crs": None}, CrsError, "states no CRS"),
        ({"count": 3}, FormatError, "holds 3 bands"),
        ({"dtype": "uint8", "z": np.zeros((30, 40))}, FormatError, "no heights"),
        ({"transform": Affine(1, 0.5, EAST, 0, -1, NORTH)}, FormatError, "north up"),
        ({"transform": Affine(1, 0, EAST, 0, 1, NORTH)}, FormatError, "north up"),
    ],
)
def test_no_elevation_model(tmp_path, options, error, words):
    path = write_dem(tmp_path / "dem.tif", **options)
    with pytest.raises(error, match=words):
        probe_dem(path, CRS)


def test_feet_are_refused(tmp_path):
    path = write_dem(tmp_path / "dem.tif")
    with rasterio.open(path, "r+") as file:
        file.units = ("foot",)
    with pytest.raises(FormatError, match="heights are in foot"):
        probe_dem(path, CRS)


def test_heights_of_a_map_in_feet_must_state_their_unit(tmp_path):
    place = {"crs": "EPSG:2992", "place": (640_000.0, 850_000.0)}  # Oregon Lambert, feet
    path = write_dem(tmp_path / "dem.tif", **place)
    with pytest.raises(FormatError, match="places are in units of foot, and it does not say"):
        probe_dem(path, "EPSG:2991")
    with rasterio.open(path, "r+") as file:
        file.units = ("metre",)
    assert probe_dem(path, "EPSG:2991").bounds[0] == pytest.approx(640_000 * 0.3048, abs=0.1)


@pytest.mark.parametrize("name", ["a.tif", "a.vrt", "a.png"])
def test_nothing_else_is_opened(tmp_path, name):
    (tmp_path / name).write_text("<VRTDataset></VRTDataset>")
    with pytest.raises(FormatError, match="no GeoTIFF"):
        probe_dem(str(tmp_path / name), CRS)
    with pytest.raises(FormatError, match="plain local file"):
        probe_dem("/vsicurl/http://a/b.tif", CRS)


@pytest.mark.parametrize("share", [0.001, 0.05, 0.5, 0.9])
def test_a_truncated_file_is_refused(tmp_path, share):
    path = tmp_path / "dem.tif"
    write_dem(path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(InputError, match=r"dem\.tif"):
        read_terrain(str(path), crs=CRS, bounds=BOUNDS)


def test_measured_ground_wins_and_the_rest_is_filled():
    bounds = (0.0, 0.0, 3.5, 0.5)
    sums = empty_ground(bounds, 1.0)
    add_ground(sums, PointCloud([0.5], [0.5], [7.0], [2]), (2,))
    dem = Terrain([[5.0, 6.0, np.nan, 8.0]], np.zeros((1, 4), bool), 0, 0, 1)
    terrain = fill_terrain([sums], bounds, 1.0, "", dem)
    assert terrain is not None
    assert terrain.from_dem is not None
    assert terrain.z[0, [0, 1, 3]].tolist() == [7, 6, 8]
    assert 6 <= terrain.z[0, 2] <= 8
    assert terrain.from_dem.tolist() == [[False, True, False, True]]
    assert terrain.measured.tolist() == [[True, False, False, False]]
    assert dem_offset(dem, terrain) == -2
    x = np.array([0.5, 1.5, 99.0])
    assert terrain.is_from_dem(x, np.full(3, 0.5)).tolist() == [False, True, True]
    assert terrain.window((1.0, 0, 4, 1)).is_from_dem(x[1:2], np.array([0.5])).tolist() == [
        True
    ]
    alone = fill_terrain([], bounds, 1.0, "", dem)
    assert alone is not None
    assert alone.z[0, [0, 1, 3]].tolist() == [5, 6, 8]
    nothing = Terrain(np.full((1, 4), np.nan), np.zeros((1, 4), bool), 0, 0, 1)
    assert fill_terrain([], bounds, 1.0, "", nothing) is None


def test_it_is_described(tmp_path):
    facts = describe(write_dem(tmp_path / "dem.tif"))
    json.dumps(facts, allow_nan=False)
    assert (facts["kind"], facts["crs"]) == ("elevation model", "EPSG:4546")
    assert (facts["cells"], facts["cell_size"]) == ([40, 30], [5.0, 5.0])
    assert facts["bounds"] == [EAST, NORTH, EAST + 200, NORTH + 150]
