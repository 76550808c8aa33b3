"""What a file is said to hold, against what the reader makes of it."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import geopandas as gpd
import laspy
import numpy as np
import pandas as pd
import pyogrio
import pytest
from shapely import LineString, Point, Polygon, box

from cimkit.errors import InputError
from cimkit.read.describe import describe
from cimkit.read.footprints import read_footprints
from cimkit.write.points import write_points

EAST, NORTH = 500_000.0, 3_380_000.0
TOWN = [box(EAST + 20 * i, NORTH, EAST + 20 * i + 10, NORTH + 10) for i in range(3)]
DOORS = [Point(EAST + 20 * i, NORTH) for i in range(3)]


def write(
    path: Path, geometry: list[Any], crs: str | None = "EPSG:4547", **columns: Any
) -> str:
    frame = gpd.GeoDataFrame(columns, geometry=geometry, crs=crs)
    layer = columns and {"layer": path.stem} if path.suffix == ".gpkg" else {}
    with warnings.catch_warnings(action="ignore"):
        pyogrio.write_dataframe(frame, path, **layer)
    return str(path)


def one_layer(path: str) -> dict[str, Any]:
    facts = describe(path)
    json.dumps(facts, allow_nan=False)
    (layer,) = facts["layers"]
    return dict(layer)


def test_each_layer_of_a_geopackage(tmp_path) -> None:
    path = tmp_path / "town.gpkg"
    crs = "EPSG:4547"
    houses = gpd.GeoDataFrame(
        {"bid": ["a", "b", "c"], "Floor": [1, 2, 3]}, geometry=TOWN, crs=crs
    )
    doors = gpd.GeoDataFrame({"地址": ["1", "2", "3"]}, geometry=DOORS, crs=crs)
    roads = gpd.GeoDataFrame({"id": [1]}, geometry=[LineString([DOORS[0], DOORS[2]])], crs=crs)
    for layer, frame in (
        ("houses", houses),
        ("doors", doors),
        ("roads", roads),
        ("nothing", houses[:0]),
        ("owners", pd.DataFrame({"id": [1, 2]})),
    ):
        with warnings.catch_warnings(action="ignore"):
            pyogrio.write_dataframe(frame, path, layer=layer, append=path.exists())
    facts = describe(path)
    found = {layer.pop("layer"): layer for layer in facts["layers"]}
    assert (facts["path"], facts["kind"], facts["format"]) == (str(path), "vector", "GPKG")
    assert found["houses"] == {
        "features": 3,
        "geometry": {"Polygon": 3},
        "crs": crs,
        "crs_name": "CGCS2000 / 3-degree Gauss-Kruger CM 114E",
        "bounds": houses.total_bounds.tolist(),
        "text_encoding": "utf-8",
        "columns": ["bid", "Floor"],
        "as_footprints": {
            "building id": "bid",
            "height": None,
            "floors": "Floor",
            "label": None,
        },
    }
    assert found["doors"]["as_addresses"] == {
        "address id": None,
        "address text": "地址",
        "building": None,
    }
    assert "as_footprints" not in found["doors"]
    assert not {"as_footprints", "as_addresses"} & set(found["roads"])
    assert found["nothing"] == {"features": 0, "geometry": {}}
    assert found["owners"] == {"features": 2, "geometry": {}}


def test_a_shapefile_in_gbk(tmp_path) -> None:
    path = tmp_path / "楼.shp"
    frame = gpd.GeoDataFrame({"编号": ["甲", "乙", "丙"]}, geometry=TOWN, crs="EPSG:4547")
    pyogrio.write_dataframe(frame, path, encoding="GBK")
    (tmp_path / "楼.cpg").unlink()
    facts = describe(path)
    (layer,) = facts["layers"]
    assert (layer["text_encoding"], layer["columns"]) == ("gb18030", ["编号"])
    assert facts["notes"] == ["text of 楼.shp read as gb18030: none was declared"]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"bid": [7, 8, 9], "id": [1, 2, 3]}, "bid"),
        ({"id": [1, 2, 3], "bid": [0, 0, 0]}, "id"),
        ({"id": [0, 0, 0]}, None),
        ({"name": ["a", "b", "c"]}, None),
        ({"bid": ["a", None, None], "id": [1, 2, 3]}, "id"),
    ],
)
def test_the_identifier_is_that_which_the_reader_takes(tmp_path, columns, expected) -> None:
    path = write(tmp_path / "town.gpkg", TOWN, **columns)
    assert one_layer(path)["as_footprints"]["building id"] == expected
    raw, _ = read_footprints(path, crs="EPSG:4547")
    assert raw.has_ids == (expected is not None)
    if expected:
        assert raw.feature_id.tolist() == [str(value) for value in columns[expected]]


def test_geometry_that_has_no_extent(tmp_path) -> None:
    spoilt = Polygon([(EAST, NORTH), (EAST + 1, np.inf), (EAST + 1, NORTH), (EAST, NORTH)])
    layer = one_layer(write(tmp_path / "town.gpkg", [TOWN[1], None, spoilt], a=[1, 2, 3]))
    assert layer["geometry"] == {"Polygon": 2, "none": 1}
    assert layer["bounds"] == list(TOWN[1].bounds)
    layer = one_layer(write(tmp_path / "none.gpkg", [spoilt], a=[1]))
    assert layer["bounds"] is None


def test_a_file_without_crs(tmp_path) -> None:
    layer = one_layer(write(tmp_path / "town.shp", TOWN, crs=None, a=[1, 2, 3]))
    assert (layer["crs"], layer["crs_name"]) == (None, None)


@pytest.mark.parametrize(
    ("encoding", "delimiter"), [("utf-8-sig", ","), ("utf-8-sig", ";"), ("gb18030", "\t")]
)
def test_a_table(tmp_path, encoding, delimiter) -> None:
    path = tmp_path / "doors.csv"
    rows = [
        "编号,详细地址,经度,纬度",
        "1,学院路1号,114.1,30.5",
        "2,学院路2号,114.2,30.6",
        "3,x",
        "",
    ]
    path.write_text("\n".join(rows).replace(",", delimiter), encoding=encoding)
    facts = describe(path)
    assert facts["kind"] == "table"
    assert (facts["text_encoding"], facts["delimiter"]) == (encoding, delimiter)
    assert (facts["rows"], facts["bounds"]) == (2, [114.1, 30.5, 114.2, 30.6])
    assert facts["columns"] == ["编号", "详细地址", "经度", "纬度"]
    assert facts["as_addresses"] == {
        "address id": "编号",
        "address text": "详细地址",
        "building": None,
        "x": "经度",
        "y": "纬度",
    }
    notes = " ".join(facts["notes"])
    assert "look like degrees" in notes
    assert "line 4 has 2 cells" in notes


def test_a_table_without_places(tmp_path) -> None:
    path = tmp_path / "doors.csv"
    path.write_text("name\na\n")
    facts = describe(path)
    assert (facts["rows"], facts["bounds"]) == (1, None)
    assert set(facts["as_addresses"].values()) == {None}


def test_a_cloud(tmp_path) -> None:
    path = tmp_path / "a.laz"
    xyz = np.array([[EAST, NORTH, 1.5], [EAST + 10, NORTH + 5, 9.25], [EAST, NORTH, 3]])
    write_points(path, xyz, np.full(3, 6, np.uint8), crs="EPSG:4547+5737")
    with laspy.open(path) as file:
        header = file.header
    facts = describe(path)
    assert facts == {
        "path": str(path),
        "kind": "point cloud",
        "format": f"LAZ {header.version}, point format {header.point_format.id}",
        "points": 3,
        "points_per_m2": 0.06,
        "crs": "EPSG:4547+5737",
        "crs_name": facts["crs_name"],
        "units": ["metre", "metre"],
        "bounds": [EAST, NORTH, EAST + 10, NORTH + 5],
        "heights": [1.5, 9.25],
    }
    assert facts["crs_name"].startswith("CGCS2000")


def test_an_empty_cloud_has_no_extent(tmp_path) -> None:
    path = tmp_path / "a.laz"
    write_points(path, np.empty((0, 3)), np.empty(0, np.uint8), crs="EPSG:4547+5737")
    facts = describe(path)
    assert (facts["points"], facts["bounds"], facts["points_per_m2"]) == (0, None, None)


def test_real_files(real_data) -> None:
    suzhou = one_layer(str(real_data / "china_buildings/suzhou_buildings_floor.geojson"))
    assert suzhou["geometry"] == {"Polygon": 3075, "MultiPolygon": 1}
    assert suzhou["as_footprints"] == {
        "building id": None,
        "height": "height",
        "floors": "Floor",
        "label": None,
    }
    assert "as_addresses" not in suzhou
    delft = describe(real_data / "delft_centre/bgt.gpkg")["layers"]
    pand = next(layer for layer in delft if layer["layer"] == "pand")
    assert (pand["features"], pand["crs"]) == (160, "EPSG:28992")
    assert pand["as_footprints"]["building id"] == "gml_id"


@pytest.mark.parametrize("name", ["town.shp", "town.gpkg", "town.geojson", "cloud.laz"])
@pytest.mark.parametrize("share", [0, 0.1, 0.6, 0.95])
def test_a_cut_file_is_refused(tmp_path, name, share) -> None:
    path = tmp_path / name
    if name == "cloud.laz":
        xyz = np.random.default_rng(1).random((500, 3))
        write_points(path, xyz, np.zeros(500, np.uint8), crs="EPSG:4547+5737")
    else:
        crs = "EPSG:4326" if name == "town.geojson" else "EPSG:4547"
        shapes = [Point(i / 1e4, i / 1e4).buffer(1e-5) for i in range(200)]
        write(path, shapes, crs, bid=list(range(200)))
    os.truncate(path, int(share * path.stat().st_size))
    with pytest.raises(InputError, match=name):
        describe(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("doors.csv", b"a,b\n\x00\x01"),
        ("doors.csv", b""),
        ("doors.csv", b'a,b\n"1,2\n'),
        ("town.dwg", b"AC1032"),
        ("models.city.jsonl", b'{"type": "CityJSON"}\n'),
        ("models.city.json", b'{"type": "CityJSON", "CityObjects": {}}'),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, name, content) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=name):
        describe(path)


@pytest.mark.parametrize("name", ["", "nowhere.csv", "nowhere.laz", "nowhere.gpkg", "nowhere"])
def test_what_is_not_there_is_refused(tmp_path, name) -> None:
    with pytest.raises(InputError, match=str(tmp_path)):
        describe(tmp_path / name)
