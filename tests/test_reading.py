"""Whole builds from every kind of input: the same city, whatever it was delivered as."""

from __future__ import annotations

import warnings

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import rasterio
from affine import Affine
from shapely import box

import cimkit
from cimkit.errors import CrsError
from cimkit.write.points import write_points
from tests.read.copc_files import write_copc

CRS = "EPSG:4546+5737"
EAST, NORTH = 500_000.0, 3_350_000.0
LOW, HIGH = (-150, -150), (300, 250)
SHAPES = [
    box(EAST + a, NORTH + b, EAST + c, NORTH + d)
    for a, b, c, d in ((0, 0, 10, 8), (10, 0, 20, 8), (40, 5, 60, 25))
]
ROOF = 20.0
ADDRESSES = {
    "id": ["01", "02"],
    "address": ["向阳路1号", "向阳路3号"],
    "x": [EAST + 5, EAST + 15],
    "y": [NORTH + 4, NORTH + 4],
}


def slope(x, y):
    """Ground height of the place."""
    return 5.0 + 0.01 * (x - EAST) + 0.02 * (y - NORTH)


def make_points(n=40_000, seed=0):
    """Points of a sloping place with three flat roofs, far around them too."""
    rng = np.random.default_rng(seed)
    x = np.round(EAST + rng.uniform(LOW[0], HIGH[0], n), 3)
    y = np.round(NORTH + rng.uniform(LOW[1], HIGH[1], n), 3)
    inside = np.zeros(n, bool)
    for west, south, east, north in (shape.bounds for shape in SHAPES):
        inside |= (x >= west) & (x <= east) & (y >= south) & (y <= north)
    z = np.round(np.where(inside, ROOF, slope(x, y)), 3)
    return np.column_stack([x, y, z]), np.where(inside, 6, 2).astype(np.uint8)


def footprints():
    return gpd.GeoDataFrame(
        {"bid": ["a", "b", "c"], "floors": [3, 4, 6]}, geometry=SHAPES, crs="EPSG:4546"
    )


@pytest.fixture
def job(tmp_path):
    path = tmp_path / "footprints.gpkg"
    footprints().to_file(path, layer="footprints")
    return {"footprints": str(path), "crs": CRS, "undulation": -15.0, "workers": 1}


def models(city):
    return (city.path / "models.city.jsonl").read_bytes()


def balance(city, name):
    (found,) = [b for b in city.manifest["balances"] if b["name"] == name]
    return found["parts"]


def test_the_city_is_the_same_whatever_it_was_delivered_as(tmp_path, job):
    """GeoPackage, LAZ and CSV; geodatabase, COPC and workbook."""
    xyz, classes = make_points()
    plain, cloud = tmp_path / "plain.laz", tmp_path / "a.copc.laz"
    write_points(plain, xyz, classes, crs=CRS)
    write_copc(cloud, xyz, classes, node_points=500)
    addresses = pd.DataFrame(ADDRESSES)
    addresses.to_csv(tmp_path / "a.csv", index=False)
    pyogrio.write_dataframe(addresses, tmp_path / "a.xlsx", driver="XLSX")
    with warnings.catch_warnings(action="ignore"):
        pyogrio.write_dataframe(footprints(), tmp_path / "town.gdb", driver="OpenFileGDB")
    other = {"footprints": str(tmp_path / "town.gdb"), "addresses": str(tmp_path / "a.xlsx")}
    one = cimkit.build(
        tmp_path / "one", points=[str(plain)], **job, addresses=str(tmp_path / "a.csv")
    )
    two = cimkit.build(tmp_path / "two", points=[str(cloud)], **job | other)
    assert models(two) == models(one)
    sums = [city.manifest["files"] for city in (one, two)]
    tiles = [{n: s for n, s in each.items() if n.startswith("tiles/")} for each in sums]
    assert tiles[0] == tiles[1]
    assert sums[0]["terrain.tif"] == sums[1]["terrain.tif"]
    assert two.addresses.address_id.tolist() == ["01", "02"]
    assert balance(two, "points") == balance(one, "points")
    assert balance(two, "points")["outside the city"] > 10_000
    assert sum(balance(two, "points").values()) == len(xyz)
    kinds = {file["name"]: file["kind"] for file in two.manifest["inputs"]}
    assert kinds["a.xlsx"] == "addresses"
    assert kinds["a00000001.gdbtable"] == "footprints"


def write_dem(path, shift=0.0, west=-200.0):
    """The sloping ground as a GeoTIFF of 4 m cells, from `west` of the origin to 400 m east."""
    cell, rows, columns = 4.0, 150, int((400 - west) / 4)
    x0, y0 = EAST + west, NORTH - 200
    x = x0 + (np.arange(columns) + 0.5) * cell
    y = y0 + (rows - np.arange(rows) - 0.5) * cell
    z = (slope(*np.meshgrid(x, y)) + shift).astype("float32")
    with rasterio.open(
        path, "w", driver="GTiff", width=columns, height=rows, count=1, dtype="float32",
        crs="EPSG:4546", transform=Affine(cell, 0, x0, 0, -cell, y0 + rows * cell),
    ) as file:  # fmt: skip
        file.write(z, 1)
    return str(path)


def test_ground_from_an_elevation_model_alone(tmp_path, job):
    """No cloud; one building outside of the model."""
    city = cimkit.build(
        tmp_path / "city", **job, dem=write_dem(tmp_path / "dem.tif", west=26.0)
    )
    assert city.buildings.ground_source.tolist() == ["guess", "guess", "dem"]
    np.testing.assert_allclose(
        city.buildings.h_ground[2], slope(EAST + 50, NORTH + 15), atol=0.01
    )
    np.testing.assert_allclose(city.buildings.height, [9, 12, 18])
    codes = {issue.code: issue for issue in city.issues}
    assert codes["DEM_PARTIAL"].message.startswith("2 of 3 footprints")
    assert {"DEM_USED", "GROUND_NOT_MEASURED"} <= set(codes)
    assert "elevation model" in codes["GROUND_NOT_MEASURED"].message
    assert (city.path / "terrain.tif").exists()
    assert "terrain" in {file["kind"] for file in city.manifest["inputs"]}


def test_measured_ground_wins_over_an_elevation_model(tmp_path, job):
    """The cloud has ground in the west only; the model is in another datum."""
    xyz, classes = make_points(20_000)
    kept = (classes == 6) | (xyz[:, 0] < EAST + 15)
    write_points(tmp_path / "a.laz", xyz[kept], classes[kept], crs=CRS)
    dem = write_dem(tmp_path / "dem.tif", shift=-8.0)
    city = cimkit.build(tmp_path / "city", **job, dem=dem, points=[str(tmp_path / "a.laz")])
    assert city.buildings.ground_source.tolist() == ["points", "points", "dem"]
    np.testing.assert_allclose(city.buildings.h_ground[0], slope(EAST, NORTH), atol=0.3)
    low = slope(EAST + 50, NORTH + 15) - 8
    np.testing.assert_allclose(city.buildings.h_ground[2], low, atol=0.01)
    np.testing.assert_allclose(city.buildings.height[2], ROOF - low, atol=0.01)
    (offset,) = [issue for issue in city.issues if issue.code == "DEM_OFFSET"]
    assert "-8.0 m" in offset.message


def test_an_elevation_model_of_another_place_stops(tmp_path, job):
    dem = write_dem(tmp_path / "dem.tif", west=300.0)
    with pytest.raises(CrsError, match="elevation model"):
        cimkit.build(tmp_path / "city", **job, dem=dem)


def test_flight_strips_are_used_together(tmp_path, job):
    """Two strips of other points over the same place, and a part of one delivered again."""
    strips = [make_points(8_000, seed) for seed in (1, 2)]
    paths = [tmp_path / f"strip_{k}.laz" for k in range(3)]
    for path, (xyz, classes) in zip(paths, strips, strict=False):
        write_points(path, xyz, classes, crs=CRS)
    xyz, classes = strips[0]
    again = xyz[:, 0] < EAST + 15
    write_points(paths[2], xyz[again], classes[again], crs=CRS)
    city = cimkit.build(tmp_path / "city", **job, points=[str(path) for path in paths])
    for shape, n in zip(SHAPES, city.buildings.n_points.tolist(), strict=True):
        west, south, east, north = shape.bounds
        on_it = sum(
            int(((p[:, 0] >= west) & (p[:, 0] <= east) & (p[:, 1] >= south)
                 & (p[:, 1] <= north)).sum())
            for p, _ in strips
        )  # fmt: skip
        assert abs(n - on_it) <= 2  # a point on the wall that two share
    assert balance(city, "points")["repeated in another file"] > 0
    total = sum(len(p) for p, _ in strips) + int(again.sum())
    assert sum(balance(city, "points").values()) == total
    np.testing.assert_allclose(city.buildings.h_ground[0], slope(EAST, NORTH), atol=0.3)
