"""Every format that is read gives the same features; nothing else is opened."""

from __future__ import annotations

import json
import shutil
import sys
import warnings
import zipfile

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from shapely import Point, box

from cimkit.errors import FormatError, InputError, LimitError, ParameterError
from cimkit.read import spreadsheet
from cimkit.read.addresses import read_addresses
from cimkit.read.describe import describe
from cimkit.read.footprints import read_footprints

CRS = "EPSG:4547+5737"
EAST, NORTH = 500_000.0, 3_380_000.0
TOWN = [box(EAST + 20 * i, NORTH, EAST + 20 * i + 10, NORTH + 10) for i in range(3)]
DOORS = [Point(EAST + 20 * i, NORTH) for i in range(3)]
FORMATS = {"town.fgb": "FlatGeobuf", "town.gdb": "OpenFileGDB", "town.parquet": "Parquet"}


def frame(geometry=TOWN, **columns):
    return gpd.GeoDataFrame(columns, geometry=geometry, crs="EPSG:4547")


def write(table, path):
    with warnings.catch_warnings(action="ignore"):
        if path.suffix == ".parquet":
            table.to_parquet(path)
        elif path.suffix == ".fgb":  # its index would sort the features
            pyogrio.write_dataframe(table, path, SPATIAL_INDEX="NO")
        else:
            pyogrio.write_dataframe(table, path, driver="OpenFileGDB")
    return str(path)


def write_sheet(path, table, layer="地址"):
    pyogrio.write_dataframe(table, path, driver="XLSX", layer=layer, append=path.exists())
    return str(path)


@pytest.fixture(params=FORMATS)
def town(request, tmp_path):
    """Three houses in a format, with a text key, heights with a gap, and storeys."""
    table = frame(bid=["007", "b", "丙"], Height=[9.5, None, 30.0], Floor=[3, 4, 10])
    return write(table, tmp_path / request.param)


def test_formats_agree(town):
    raw, issues = read_footprints(town, crs=CRS)
    assert raw.feature_id.tolist() == ["007", "b", "丙"]
    np.testing.assert_array_equal(raw.height, [9.5, np.nan, 30])
    assert raw.floors.tolist() == [3, 4, 10]
    assert shapely.area(shapely.symmetric_difference(raw.geometry, TOWN)).max() == 0
    assert issues == []


def test_formats_are_described(town):
    facts = describe(town)
    json.dumps(facts, allow_nan=False)
    (layer,) = facts["layers"]
    assert facts["format"] == FORMATS[town.rsplit("/", 1)[1]]
    assert (layer["layer"], layer["features"], layer["crs"]) == ("town", 3, "EPSG:4547")
    assert layer["as_footprints"] == {
        "building id": "bid",
        "height": "Height",
        "floors": "Floor",
        "label": None,
    }


def test_points_of_a_format_are_addresses(tmp_path):
    table = frame(DOORS, address=["向阳路1号", None, "向阳路5号"], id=["01", "02", "03"])
    for name in FORMATS:
        addresses, _ = read_addresses(write(table, tmp_path / name), crs=CRS)
        assert addresses.address_id.tolist() == ["01", "02", "03"]
        assert addresses.address_text.tolist() == ["向阳路1号", "", "向阳路5号"]
        assert addresses.x.tolist() == [EAST, EAST + 20, EAST + 40]


@pytest.mark.parametrize("name", ["town.fgb", "town.parquet"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.7, 0.95])
def test_a_truncated_file_is_refused(tmp_path, name, share):
    path = tmp_path / name
    write(frame([TOWN[0]] * 500, bid=[str(i) for i in range(500)]), path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(FormatError, match=name):
        read_footprints(str(path), crs=CRS)


def test_a_geodatabase_without_its_tables_is_refused(tmp_path):
    folder = tmp_path / "town.gdb"
    write(frame(bid=["a", "b", "c"]), folder)
    tables = sorted(folder.glob("*.gdbtable"), key=lambda part: part.stat().st_size)
    tables[-1].write_bytes(tables[-1].read_bytes()[:60])
    with pytest.raises(FormatError):
        read_footprints(str(folder), crs=CRS)
    (folder / "a00000001.gdbtable").unlink()
    with pytest.raises(FormatError, match=r"holds no a00000001.gdbtable"):
        read_footprints(str(folder), crs=CRS)


@pytest.mark.parametrize("inside", ["a folder", "a link"])
def test_a_geodatabase_is_plain_files(tmp_path, inside):
    folder = tmp_path / "town.gdb"
    write(frame(bid=["a", "b", "c"]), folder)
    if inside == "a link":
        (tmp_path / "x").write_text("x")
        (folder / "a0000000a.gdbtable").symlink_to(tmp_path / "x")
    else:
        (folder / "b").mkdir()
    with pytest.raises(FormatError, match="no plain file"):
        read_footprints(str(folder), crs=CRS)


VRT = b'<OGRVRTDataSource><OGRVRTLayer name="a"></OGRVRTLayer></OGRVRTDataSource>'


@pytest.mark.parametrize("name", ["a.fgb", "a.parquet", "a.xlsx", "a.gpkg", "a.geojson"])
def test_a_disguise_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(VRT)
    with pytest.raises(FormatError, match="does not begin like"):
        read_addresses(str(tmp_path / name), crs=CRS)


def test_a_folder_in_disguise_is_refused(tmp_path):
    (tmp_path / "a.gdb").mkdir()
    (tmp_path / "a.gdb/a00000001.gdbtable").write_bytes(VRT)
    with pytest.raises(FormatError, match="does not begin like OpenFileGDB"):
        read_footprints(str(tmp_path / "a.gdb"), crs=CRS)
    shutil.copy(tmp_path / "a.gdb/a00000001.gdbtable", tmp_path / "b.gdb")
    with pytest.raises(FormatError, match="no file geodatabase"):
        read_footprints(str(tmp_path / "b.gdb"), crs=CRS)


def test_an_encoding_is_told_only_where_a_format_has_none(town):
    with pytest.raises(ParameterError, match="is in UTF-8"):
        read_footprints(town, crs=CRS, encoding="gbk")


def test_parquet_says_what_it_needs(tmp_path, monkeypatch):
    path = write(frame(bid=["a", "b", "c"]), tmp_path / "town.parquet")
    for name in [name for name in sys.modules if name.split(".")[0] == "pyarrow"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=r"cimkit\[parquet\]"):
        read_footprints(path, crs=CRS)


def test_parquet_without_geometry_is_refused(tmp_path):
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(FormatError, match="without the metadata of GeoParquet"):
        read_footprints(str(tmp_path / "a.parquet"), crs=CRS)
    frame(bid=["a", "b", "c"]).to_parquet(tmp_path / "b.parquet", geometry_encoding="geoarrow")
    with pytest.raises(FormatError, match="is polygon, not WKB"):
        read_footprints(str(tmp_path / "b.parquet"), crs=CRS)


def test_parquet_keeps_whole_numbers_beside_gaps(tmp_path):
    ids = pd.array([9_007_199_254_740_993, 9_007_199_254_740_994, None], dtype="Int64")
    path = write(frame(bid=ids), tmp_path / "town.parquet")
    raw, _ = read_footprints(path, crs=CRS)
    assert raw.feature_id.tolist() == ["9007199254740993", "9007199254740994", ""]


def test_parquet_with_lists_beside(tmp_path):
    table = frame(bid=["a", "b", "c"], many=[[1], [2, 3], []], sort=pd.Categorical(["x"] * 3))
    path = write(table, tmp_path / "town.parquet")
    assert describe(path)["layers"][0]["columns"] == ["bid", "sort"]


def test_cells_are_text(tmp_path):
    table = pd.DataFrame(
        {
            "地址编码": ["0042", "0043", " "],
            "标准地址": ["学院路1号", "学院路2号", "学院路3号"],
            "x": [EAST + 0.125, EAST, None],
            "y": [NORTH, NORTH, None],
            "bid": [7, 123456789012345, 9],
        }
    )
    path = write_sheet(tmp_path / "a.xlsx", table)
    addresses, issues = read_addresses(path, crs=CRS, building_field="bid")
    assert addresses.address_id.tolist() == ["0042", "0043", "2"]
    assert addresses.building_ref.tolist() == ["7", "123456789012345", "9"]
    assert addresses.x.tolist()[:2] == [EAST + 0.125, EAST]
    assert [issue.code for issue in issues] == ["ID_INVALID"]
    facts = describe(path)
    assert facts["kind"] == "workbook"
    assert facts["layers"][0]["as_addresses"]["address id"] == "地址编码"
    assert facts["layers"][0]["rows"] == 3


def test_the_sheet_is_chosen(tmp_path):
    path = tmp_path / "a.xlsx"
    table = pd.DataFrame({"id": ["1"], "address": ["a"]})
    write_sheet(path, table, "one")
    write_sheet(path, table.assign(address="b"), "two")
    with pytest.raises(InputError, match=r"several sheets.*address_layer.*one, two"):
        read_addresses(str(path), crs=CRS)
    addresses, _ = read_addresses(str(path), crs=CRS, layer="two")
    assert addresses.address_text.tolist() == ["b"]
    with pytest.raises(InputError, match="no sheet 'three'"):
        read_addresses(str(path), crs=CRS, layer="three")


def test_numbers_that_a_spreadsheet_has_cut(tmp_path):
    path = write_sheet(
        tmp_path / "a.xlsx", pd.DataFrame({"id": ["1", "2", "3"], "address": list("abc")})
    )
    with zipfile.ZipFile(path) as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"].decode()
    cell = sheet[sheet.index('<c r="A3"') : sheet.index("</c>", sheet.index('<c r="A3"')) + 4]
    cut = '<c r="A3"><v>4.2050200000000003E+17</v></c>'
    parts["xl/worksheets/sheet1.xml"] = sheet.replace(cell, cut).encode()
    with zipfile.ZipFile(path, "w") as packed:
        for name, data in parts.items():
            packed.writestr(name, data)
    addresses, issues = read_addresses(path, crs=CRS)
    assert addresses.address_id.tolist() == ["1", "1~2", "3"]  # the number of its row serves
    assert "NUMBER_CUT" in [issue.code for issue in issues]


def test_a_workbook_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    path = write_sheet(tmp_path / "a.xlsx", pd.DataFrame({"id": ["1"], "address": ["a"]}))
    monkeypatch.setattr(spreadsheet, "XLSX_BYTES_MAX", 1000)
    with pytest.raises(LimitError, match="Save it as CSV"):
        read_addresses(path, crs=CRS)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_workbook_is_refused(tmp_path, share):
    path = tmp_path / "a.xlsx"
    write_sheet(path, pd.DataFrame({"id": ["1"], "address": ["a"]}))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(FormatError):
        read_addresses(str(path), crs=CRS)


@pytest.mark.parametrize("first", ["type", "CityObjects"])
def test_a_city_model_is_named_as_one(tmp_path, first):
    model = {"type": "CityJSON", "version": "2.0", "CityObjects": {}}
    path = tmp_path / "a.city.json"
    path.write_text(json.dumps({first: model[first], **model}), "utf-8")
    with pytest.raises(FormatError, match="is a city model"):
        read_footprints(str(path), crs=CRS)
