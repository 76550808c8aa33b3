"""Footprint files: what is found in good ones, and what is said about bad ones."""

from __future__ import annotations

import json
import struct
import warnings
from typing import Any

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely
from shapely import Point, box

from cimkit.errors import CrsError, EncodingError, FormatError, InputError
from cimkit.read.crs import check_overlap, horizontal_part, reproject, working_crs
from cimkit.read.footprints import read_footprints
from cimkit.steps.clean import clean
from cimkit.tables import Issue, count_issues
from cimkit.tables.rawfootprints import RawFootprints

CRS = "EPSG:4547+5737"
EAST, NORTH = 500_000.0, 3_380_000.0
TOWN = [box(EAST + 20 * i, NORTH, EAST + 20 * i + 10, NORTH + 10) for i in range(3)]


def town(**columns: Any) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(columns, geometry=TOWN, crs="EPSG:4547")


def write(frame: gpd.GeoDataFrame, path: Any, **options: Any) -> str:
    with warnings.catch_warnings(action="ignore"):
        pyogrio.write_dataframe(frame, path, **options)
    return str(path)


def read(path: str, **options: str) -> tuple[RawFootprints, list[Issue]]:
    return read_footprints(path, **{"crs": CRS, **options})


def codes(issues: list[Issue]) -> list[tuple[str, str]]:
    return [(issue.severity, issue.code) for issue in issues]


@pytest.fixture
def gbk(tmp_path):
    """A Shapefile in GBK that does not say so."""
    frame = town(编号=["甲1", "乙2", "丙3"], 层数=[3, 6, 18], 名称=["中山路", "解放路", "a"])
    path = write(frame, tmp_path / "楼.shp", encoding="GBK")
    (tmp_path / "楼.cpg").unlink()
    return path


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson"])
def test_formats_agree(tmp_path, suffix):
    frame = town(bid=["007", "b", "c"], Height=[9.5, 12.0, 30.0], Floor=[3, 4, 10])
    if suffix == ".geojson":
        frame = frame.to_crs("EPSG:4326")
    raw, _ = read(write(frame, tmp_path / f"town{suffix}"))
    assert raw.feature_id.tolist() == ["007", "b", "c"]
    assert raw.height.tolist() == [9.5, 12, 30]
    assert raw.floors.tolist() == [3, 4, 10]
    assert raw.source_row.tolist() == [0, 1, 2]
    assert raw.has_ids
    assert raw.crs == CRS
    assert shapely.area(shapely.symmetric_difference(raw.geometry, TOWN)).max() < 0.1


def test_same_crs_keeps_every_bit(real_data):
    path = str(real_data / "delft_centre/bgt.gpkg")
    raw, issues = read_footprints(path, layer="pand", id_field="gml_id", crs="EPSG:7415")
    truth = pyogrio.read_dataframe(path, layer="pand")
    assert len(raw) == 160
    assert raw.feature_id.tolist() == truth.gml_id.tolist()
    assert shapely.equals_identical(raw.geometry, truth.geometry.to_numpy()).all()
    assert issues == []


def test_esri_text_of_the_same_crs_keeps_every_bit(tmp_path):
    xy = np.random.default_rng(0).uniform(0, 1e5, (50, 2)) + np.array([EAST, NORTH])
    esri = working_crs(CRS).from_wkt(working_crs(CRS).to_wkt("WKT1_ESRI"))
    assert reproject(xy, esri, working_crs(CRS)) is xy


def test_reprojection_agrees_with_geopandas(real_data):
    path = str(real_data / "china_buildings/wuhan_osm_buildings.geojson")
    raw, issues = read(path)
    with warnings.catch_warnings(action="ignore"):
        truth = pyogrio.read_dataframe(path).to_crs("EPSG:4547").geometry.to_numpy()
    assert shapely.equals_exact(raw.geometry, truth, tolerance=1e-6).all()
    assert ("INFO", "REPROJECTED") in codes(issues)


def test_suzhou(real_data):
    path = str(real_data / "china_buildings/suzhou_buildings_floor.geojson")
    raw, issues = read(path, crs="EPSG:4549+5737")
    assert len(raw) == 3076
    assert not raw.has_ids
    assert np.array_equal(raw.height, 3 * raw.floors)
    assert codes(issues) == [("INFO", "ID_UNUSABLE"), ("INFO", "REPROJECTED")]
    floors_only, _ = read(path, crs="EPSG:4549+5737", height_field="")
    assert np.isnan(floors_only.height).all()
    assert np.array_equal(floors_only.floors, raw.floors)


def test_the_column_that_is_filled_serves(real_data):
    raw, _ = read_footprints(
        str(real_data / "helsinki_osm/helsinki_osm.gpkg"), crs="EPSG:3067+3900"
    )
    assert (raw.feature_id != "").sum() == 426


def test_shapefile_in_gbk_without_declaration(gbk):
    raw, issues = read(gbk)
    assert raw.feature_id.tolist() == ["甲1", "乙2", "丙3"]
    assert raw.floors.tolist() == [3, 6, 18]
    assert codes(issues) == [("INFO", "ENCODING_GUESSED")]
    assert "gb18030" in issues[0].message


def test_language_byte_is_a_declaration(gbk):
    dbf = gbk.replace(".shp", ".dbf")
    with open(dbf, "r+b") as file:
        file.seek(29)
        file.write(b"\x4d")
    raw, issues = read(gbk)
    assert raw.floors.tolist() == [3, 6, 18]
    assert codes(issues) == [("INFO", "ENCODING_DECLARED")]


@pytest.mark.parametrize("declared", ["UTF-8", "65001", "big5hkscs-nonsense"])
def test_declaration_that_lies(gbk, declared):
    with open(gbk.replace(".shp", ".cpg"), "w") as file:
        file.write(declared)
    raw, issues = read(gbk)
    assert raw.floors.tolist() == [3, 6, 18]
    assert codes(issues) == [("INFO", "ENCODING_GUESSED")]


@pytest.mark.parametrize("declared", ["GBK", "936", "ANSI 936", "gb2312", "GB18030"])
def test_declarations_of_gbk(gbk, declared):
    with open(gbk.replace(".shp", ".cpg"), "w") as file:
        file.write(declared)
    raw, issues = read(gbk)
    assert raw.floors.tolist() == [3, 6, 18]
    assert codes(issues) == [("INFO", "ENCODING_DECLARED")]


def test_character_cut_in_two_by_the_width_of_the_column(gbk):
    dbf = gbk.replace(".shp", ".dbf")
    with open(dbf, "rb") as file:
        table = bytearray(file.read())
    start = struct.unpack_from("<H", table, 8)[0]
    table[start + 1 : start + 81] = ("x" + "甲" * 40).encode("gbk")[:80]
    with open(dbf, "wb") as file:
        file.write(table)
    raw, issues = read(gbk)
    assert raw.feature_id.tolist() == ["x" + "甲" * 39, "乙2", "丙3"]
    assert codes(issues) == [("INFO", "ENCODING_GUESSED")]


def test_text_that_nothing_reads(gbk):
    dbf = gbk.replace(".shp", ".dbf")
    with open(dbf, "rb") as file:
        table = bytearray(file.read())
    start = struct.unpack_from("<H", table, 8)[0]
    table[start + 1 : start + 5] = b"\xff\xff\xff "
    with open(dbf, "wb") as file:
        file.write(table)
    with pytest.raises(EncodingError, match=r"utf-8, gb18030.*[.]cpg"):
        read(gbk)


def test_plain_shapefile_needs_no_guess(tmp_path):
    path = write(town(bid=["a", "b", "c"]), tmp_path / "town.shp")
    (tmp_path / "town.cpg").unlink()
    assert read(path)[1] == []


@pytest.mark.parametrize("part", [".shx", ".dbf"])
def test_missing_part(gbk, part):
    import os

    os.remove(gbk.replace(".shp", part))
    with pytest.raises(FormatError, match=rf"{part} part is missing.*copy them all"):
        read(gbk)


@pytest.mark.parametrize(
    ("part", "keep"), [(".shp", 0.5), (".shp", 0.9), (".shx", 0.9), (".dbf", 0.6)]
)
def test_truncated_part(gbk, part, keep):
    path = gbk.replace(".shp", part)
    with open(path, "rb") as file:
        whole = file.read()
    with open(path, "wb") as file:
        file.write(whole[: int(len(whole) * keep)])
    with pytest.raises(FormatError, match="cut off"):
        read(gbk)


def test_index_that_lies(gbk):
    with open(gbk.replace(".shp", ".shx"), "r+b") as file:
        file.seek(-4, 2)
        file.write(struct.pack(">i", 10_000))
    with pytest.raises(FormatError, match="index promises 3 records"):
        read(gbk)


def test_null_geometry_of_a_shapefile_is_a_feature(tmp_path):
    frame = gpd.GeoDataFrame({"bid": ["a", "b"]}, geometry=[TOWN[0], None], crs="EPSG:4547")
    raw, _ = read(write(frame, tmp_path / "town.shp"))
    assert raw.geometry[1] is None
    assert raw.feature_id.tolist() == ["a", "b"]


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
def test_truncated_geopackage_and_geojson(tmp_path, keep):
    for name in ("town.gpkg", "town.geojson"):
        frame = town(bid=["a", "b", "c"]).to_crs("EPSG:4326")
        path = write(frame, tmp_path / name)
        with open(path, "rb") as file:
            whole = file.read()
        with open(path, "wb") as file:
            file.write(whole[: int(len(whole) * keep)])
        with pytest.raises(FormatError, match=name):
            read(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.vrt", b"<OGRVRTDataSource/>"),
        ("a.geojson", b'<OGRVRTDataSource><OGRVRTLayer name="b"/></OGRVRTDataSource>'),
        ("a.shp", b"<OGRVRTDataSource/>"),
        ("a.gpkg", b""),
        ("a.geojson", b""),
        ("a.geojson", b'{"type":"FeatureCollection","features":' + b"[" * 100_000),
        ("a.json", b'{"geometryType":"esriGeometryPolygon","fields":[],"features":[]}'),
        ("a.zip", b"PK\x03\x04"),
        ("a", b"{}"),
    ],
)
def test_refused_formats(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FormatError, match=name):
        read(str(path))


@pytest.mark.parametrize(
    "path",
    ["/vsicurl/http://localhost/a.gpkg", "/vsizip/a.zip", "http://localhost/a.geojson", "."],
)
def test_only_plain_local_files(path):
    with pytest.raises(FormatError):
        read(path)


def test_file_that_does_not_exist(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read(str(tmp_path / "none.gpkg"))
    with pytest.raises(InputError, match="does not exist"):
        read("PG:dbname=city")


def test_geojson_with_other_text(tmp_path):
    path = write(town(bid=["甲", "b", "c"]).to_crs(4326), tmp_path / "a.geojson")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="gbk") as file:
        file.write(text)
    with pytest.raises(EncodingError, match="not UTF-8"):
        read(path)
    with open(path, "w", encoding="utf-8-sig") as file:
        file.write(text)
    assert read(path)[0].feature_id[0] == "甲"


def test_choice_of_layer(tmp_path):
    path = write(town(bid=["a", "b", "c"]), tmp_path / "two.gpkg", layer="houses")
    points = gpd.GeoDataFrame(geometry=[Point(EAST, NORTH)], crs="EPSG:4547")
    write(points, path, layer="trees", append=True)
    assert len(read(path)[0]) == 3
    write(town(bid=["x", "y", "z"]), path, layer="sheds", append=True)
    with pytest.raises(InputError, match=r"several layers.*houses \(Polygon\).*sheds"):
        read(path)
    assert read(path, layer="sheds")[0].feature_id[0] == "x"
    with pytest.raises(InputError, match=r"no layer 'barns'.*houses"):
        read(path, layer="barns")
    with pytest.raises(InputError, match="no layer holds Polygon"):
        read(write(points, tmp_path / "points.gpkg"))


def test_empty_layer(tmp_path):
    path = write(
        town(bid=["a", "b", "c"]).iloc[:0], tmp_path / "none.gpkg", geometry_type="Polygon"
    )
    with pytest.raises(InputError, match="empty"):
        read(path)


def test_columns_by_name(tmp_path):
    path = write(town(key=["a", "b", "c"], H=[3, 4, 5], 高度=[6, 7, 8]), tmp_path / "a.gpkg")
    raw, issues = read(path)
    assert raw.height.tolist() == [6, 7, 8]
    assert codes(issues) == [("INFO", "ID_UNUSABLE")]
    raw, issues = read(path, id_field="key", height_field="H")
    assert raw.height.tolist() == [3, 4, 5]
    assert issues == []
    with pytest.raises(
        InputError, match=r"no column 'Key' .* mean key[?] Columns: key, H, 高度"
    ):
        read(path, id_field="Key")
    assert read(path, id_field="fid")[0].feature_id.tolist() == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("columns", "options", "labels"),
    [
        ({"名称": ["锦绣苑1幢", None, " 3 "]}, {}, ["锦绣苑1幢", "", "3"]),
        ({"名称": ["a", "b", "c"], "幢号": [1.0, np.nan, 3.0]}, {}, ["1", "", "3"]),
        ({"备注": ["a", "b", "c"]}, {}, [""] * 3),
        ({"备注": ["a", "b", "c"]}, {"label_field": "备注"}, ["a", "b", "c"]),
        ({"名称": ["a", "b", "c"]}, {"label_field": ""}, [""] * 3),
    ],
)
def test_labels(tmp_path, columns, options, labels):
    raw, _ = read(write(town(bid=["x", "y", "z"], **columns), tmp_path / "a.gpkg"), **options)
    assert raw.label.tolist() == labels
    footprints, _ = clean(raw)
    assert footprints.label.tolist() == labels
    again, _ = clean(RawFootprints.from_geopandas(raw.to_geopandas()))
    assert again.label.tolist() == labels


def test_heights_as_people_write_them(tmp_path):
    heights = ["12.5", "9 m", "none", "-3", "0", "", None, "9999"]
    frame = gpd.GeoDataFrame({"height": heights}, geometry=[TOWN[0]] * 8, crs="EPSG:4547")
    raw, issues = read(write(frame, tmp_path / "a.gpkg"))
    assert raw.height[:2].tolist() == [12.5, 9]
    assert np.isnan(raw.height[2:]).all()
    unusable = [issue.message for issue in issues if issue.code == "VALUE_UNUSABLE"]
    assert len(unusable) == 1
    assert "4 of 8" in unusable[0]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([503100000031313.0, 2.0, np.nan], ["503100000031313", "2", ""]),
        ([1, 2, 3], ["1", "2", "3"]),
        ([" 0042 ", "42", ""], ["0042", "42", ""]),
        (["e\u0301", "b", "x" * 10_001], ["\u00e9", "b", ""]),
        (["a\nb", "c", "d"], ["", "c", "d"]),
        (["a\u202eb", "c", "d"], ["", "c", "d"]),
        ([2.0**60, 1.5, 3.0], ["", "1.5", "3"]),
    ],
)
def test_identifiers(tmp_path, ids, expected):
    raw, _ = read(write(town(bid=ids), tmp_path / "a.gpkg"))
    assert raw.feature_id.tolist() == expected


def test_file_without_crs(tmp_path):
    frame = town(bid=["a", "b", "c"])
    path = write(frame.set_crs(None, allow_override=True), tmp_path / "a.shp")
    with pytest.raises(CrsError, match=r"states no CRS.*footprints_crs"):
        read(path)
    assert len(read(path, source_crs="EPSG:4547")[0]) == 3
    degrees = frame.to_crs("EPSG:4490").set_crs(None, allow_override=True)
    with pytest.raises(CrsError, match=r"looks like degrees.*EPSG:4490"):
        read(write(degrees, tmp_path / "b.shp"))


def test_wrong_crs(tmp_path):
    frame = town(bid=["a", "b", "c"])
    degrees = frame.to_crs("EPSG:4490").set_crs("EPSG:4547", allow_override=True)
    path = write(degrees, tmp_path / "degrees.gpkg")
    with pytest.raises(CrsError, match=r"3 of 3 rows.*looks like degrees"):
        read(path)
    raw, issues = read(path, source_crs="EPSG:4490")
    assert shapely.bounds(raw.geometry)[0] == pytest.approx(TOWN[0].bounds, abs=1e-3)
    assert codes(issues)[0] == ("WARNING", "CRS_OVERRIDDEN")
    with pytest.raises(CrsError, match=r"EPSG:4547 .*CM 114E"):
        read(write(frame.to_crs("EPSG:4490"), tmp_path / "b.gpkg"), crs="EPSG:4549")
    metres = frame.set_crs("EPSG:4490", allow_override=True)
    with pytest.raises(CrsError, match="looks like metres"):
        read(write(metres, tmp_path / "metres.gpkg"))
    swapped = frame.set_geometry(
        shapely.transform(TOWN, lambda xy: xy[:, ::-1]), crs="EPSG:4547"
    )
    with pytest.raises(CrsError, match="swapped axes"):
        read(write(swapped, tmp_path / "swapped.gpkg"))
    prefixed = frame.set_geometry(
        shapely.transform(TOWN, lambda xy: xy + np.array([38e6, 0])), crs=4547
    )
    with pytest.raises(CrsError, match=r"zone number 38.*EPSG:4526"):
        read(write(prefixed, tmp_path / "prefixed.gpkg"))
    huge = frame.set_geometry(
        shapely.transform(TOWN, lambda xy: xy + np.array([2e8, 0])), crs=4547
    )
    with pytest.raises(CrsError, match="no map coordinate"):
        read(write(huge, tmp_path / "huge.gpkg"))


def test_one_feature_far_away_is_set_aside(tmp_path):
    frame = town(bid=["a", "b", "c"])
    frame.loc[1, "geometry"] = box(0, 0, 10, 10)
    raw, issues = read(write(frame, tmp_path / "a.gpkg"))
    assert raw.feature_id.tolist() == ["a", "c"]
    assert raw.source_row.tolist() == [0, 2]
    assert [(i.severity, i.code, i.id) for i in issues] == [("ERROR", "COORD_OUTSIDE", "b")]


@pytest.mark.parametrize("corner", [0, 1])
def test_nan_vertex_comes_through(tmp_path, corner):
    place = struct.pack("<2d", *shapely.get_coordinates(TOWN[1])[corner])
    nowhere = struct.pack("<2d", np.nan, np.nan)
    wkb = [shapely.to_wkb(shape, byte_order=1).replace(place, nowhere) for shape in TOWN]
    path = str(tmp_path / "a.gpkg")
    ids = [np.array(["a", "b", "c"], dtype=object)]
    pyogrio.raw.write(
        path, np.array(wkb), ids, ["bid"], geometry_type="Polygon", crs="EPSG:4547"
    )
    for crs in ("EPSG:4547", "EPSG:32650"):
        raw, _ = read(path, crs=crs)
        footprints, issues = clean(raw)
        assert footprints.building_id.tolist() == ["a", "c"]
        assert [(i.code, i.id) for i in issues] == [("COORD_NOT_FINITE", "b")]


def test_rings_that_are_open_or_too_short(tmp_path):
    x, y = 114.0, 30.5
    rings = [
        [[x, y], [x + 1e-3, y], [x + 1e-3, y + 1e-3]],
        [[x, y], [x + 1e-3, y]],
    ]
    features = [
        {
            "type": "Feature",
            "properties": {},
            "geometry": {"type": "Polygon", "coordinates": [r]},
        }
        for r in rings
    ]
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    raw, issues = read(str(path))
    assert len(raw) == 2
    assert raw.geometry[0].area > 1000
    assert count_issues(issues)["READER_REMARK"] == 1


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("EPSG:4490", "not projected"),
        ("EPSG:2263", "not in metres"),
        ("EPSG:26910+6360", "not in metres"),
        ("EPSG:3857", "Web Mercator"),
        ("EPSG:99999999", "no coordinate reference system"),
        ("Beijing", "no coordinate reference system"),
    ],
)
def test_working_crs_refused(text, match):
    with pytest.raises(CrsError, match=match):
        working_crs(text)


def test_horizontal_parts():
    assert horizontal_part("EPSG:7415").equals(horizontal_part("EPSG:28992"))
    assert working_crs("EPSG:4546+5737").to_epsg() == 4546


@pytest.mark.parametrize(
    ("theirs", "match"),
    [
        ((114.0, 30.5, 114.1, 30.6), "point cloud look like degrees"),
        ((38_500_000, 3_380_000, 38_502_000, 3_382_000), "zone number in its eastings"),
        ((212_000, 3_380_000, 214_000, 3_382_000), "shifted by one zone"),
        ((3_380_000, 500_000, 3_382_000, 502_000), "axes of the point cloud look swapped"),
        ((501_500, 3_381_500, 503_500, 3_383_500), "8 % of the smaller"),
    ],
)
def test_extents_that_lie_apart(theirs, match):
    with pytest.raises(CrsError, match=match):
        check_overlap((500_000, 3_380_000, 502_000, 3_382_000), theirs, "point cloud")


@pytest.mark.parametrize(
    "theirs",
    [(0, 0, 10, 10), (-90, -90, 200, 200), (5, 5, 5, 5), (0, 3, 10, 3), (-4, 0, 6, 10)],
)
def test_extents_that_belong_together(theirs):
    check_overlap((0, 0, 10, 10), theirs, "addresses")
