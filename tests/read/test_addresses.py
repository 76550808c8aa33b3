"""Address files: CSV in the encodings of offices, vector points, places that cannot be."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
from shapely import Point, box

from cimkit.errors import CrsError, EncodingError, FormatError, InputError, ParameterError
from cimkit.read.addresses import read_addresses
from cimkit.read.china_offsets import wgs84_to_bd09, wgs84_to_gcj02
from cimkit.tables import Addresses, Issue, count_issues

CRS = "EPSG:4547+5737"
X, Y = 500_000.0, 3_380_000.0
PLAIN = f"""地址编码,标准地址,X坐标,Y坐标,建筑编码,户主
007,中山路5号,{X},{Y},b1,甲
8,"解放路,6号",{X + 10},{Y},,乙
9,"两行
地址",{X + 20},{Y + 5},b2,丙
"""


def write(path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def read(path: str, **options: str) -> tuple[Addresses, list[Issue]]:
    return read_addresses(path, **{"crs": CRS, **options})


def codes(issues: list[Issue]) -> list[tuple[str, str, str]]:
    return [(issue.severity, issue.code, issue.id) for issue in issues]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_plain_table(tmp_path, encoding, delimiter):
    text = PLAIN.replace(",", delimiter)
    addresses, issues = read(write(tmp_path / "a.csv", text.encode(encoding)))
    assert addresses.address_id.tolist() == ["007", "8", "9"]
    assert addresses.address_text.tolist() == [
        "中山路5号",
        f"解放路{delimiter}6号",
        "两行\n地址",
    ]
    assert addresses.x.tolist() == [X, X + 10, X + 20]
    assert addresses.y.tolist() == [Y, Y, Y + 5]
    assert addresses.building_ref.tolist() == ["b1", "", "b2"]
    assert addresses.source_row.tolist() == [0, 1, 2]
    assert addresses.crs == CRS
    guessed = [("INFO", "ENCODING_GUESSED", "")] if encoding.startswith("gb") else []
    assert codes(issues) == guessed


def test_text_that_nothing_reads(tmp_path):
    with pytest.raises(EncodingError, match="Save it as UTF-8"):
        read(write(tmp_path / "a.csv", b"id,text,x,y\n1,\xff\xff\xff,0,0\n"))


def test_bad_byte_far_from_the_start(tmp_path):
    rows = b"".join(b"%d,a,500000,3380000\n" % i for i in range(100_000))
    with pytest.raises(EncodingError):
        read(write(tmp_path / "a.csv", b"id,text,x,y\n" + rows + b"1,\xff\xff,0,0\n"))


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"id,text,x,y\n1,a\0b,1,2\n", "NUL"),
        (b"", "no line of column names"),
        (b",,,\n", "no line of column names"),
        (b'id,text,x,y\n1,"a,1,2\n2,b,1,2\n', "line 3.*not closed"),
        (b"id,text,x,y\n1," + b"a" * 200_000 + b",1,2\n", "line 2.*no end"),
    ],
)
def test_no_table(tmp_path, content, match):
    with pytest.raises(FormatError, match=match):
        read(write(tmp_path / "a.csv", content))


def test_table_without_rows(tmp_path):
    with pytest.raises(InputError, match="holds no address"):
        read(write(tmp_path / "a.csv", "id,text,x,y\n"))


def test_ragged_and_blank_rows(tmp_path):
    text = f"id,text,x,y\n1,a,{X},{Y}\n\n2,b,{X}\n3,c,{X},{Y},9\n,,,\n4,d,{X},{Y}\n"
    addresses, issues = read(write(tmp_path / "a.csv", text))
    assert addresses.address_id.tolist() == ["1", "4"]
    assert addresses.source_row.tolist() == [0, 5]
    assert codes(issues) == [
        ("ERROR", "ROW_RAGGED", "2"),
        ("ERROR", "ROW_RAGGED", "3"),
        ("INFO", "ROWS_BLANK", ""),
    ]
    assert "line 4 has 3 cells" in issues[0].message


def test_places_that_cannot_be(tmp_path):
    places = [f"{X},{Y}", ",", "0,0", f"{X},n/a", f"{X},{Y + 1}", f"{X},10", f"nan,{Y}"]
    rows = "".join(f"{i},a,{place}\n" for i, place in enumerate(places))
    addresses, issues = read(write(tmp_path / "a.csv", "id,text,x,y\n" + rows))
    assert np.flatnonzero(addresses.located).tolist() == [0, 4]
    assert codes(issues) == [
        ("WARNING", "VALUE_UNUSABLE", ""),
        ("WARNING", "VALUE_UNUSABLE", ""),
        ("WARNING", "COORD_SUSPECT", "2"),
        ("WARNING", "COORD_SUSPECT", "5"),
    ]


def test_table_without_places(tmp_path):
    path = write(tmp_path / "a.csv", "id,address\n1,a\n2,b\n")
    addresses, issues = read(path)
    assert not addresses.located.any()
    assert count_issues(issues) == {"COORD_COLUMN_MISSING": 1}


def test_columns_of_places_that_have_unusual_names(tmp_path):
    path = write(tmp_path / "a.csv", "id,address,lng_84,lat_84\n1,a,114.01,30.5\n")
    proposed = 'address_x = "lng_84", address_y = "lat_84"'
    with pytest.raises(InputError, match=proposed):
        read(path, source_crs="EPSG:4490")
    addresses, issues = read(path)
    assert not addresses.located.any()
    assert proposed in issues[0].message
    addresses, _ = read(path, source_crs="EPSG:4490", x_field="lng_84", y_field="lat_84")
    assert addresses.located.all()
    addresses, issues = read(path, source_crs="EPSG:4490", x_field="", y_field="")
    assert count_issues(issues) == {"COORD_COLUMN_MISSING": 1}


def test_only_the_column_that_is_missing_is_asked_for(tmp_path):
    path = write(tmp_path / "a.csv", "id,address,经度,纬度_84,xiaoqu\n1,a,114.01,30.5,b\n")
    with pytest.raises(InputError, match=r'no column for y .*State address_y = "纬度_84" in'):
        read(path, source_crs="EPSG:4490")


@pytest.mark.parametrize("name", ["GCJ-02", "gcj02", "BD-09", "bd09"])
def test_offsets_of_web_maps_are_taken_back(tmp_path, name):
    true = np.array([[114.01, 30.5], [114.02, 30.51]])
    forth = wgs84_to_gcj02 if "gcj" in name.lower() else wgs84_to_bd09
    rows = "".join(f"{k},a,{x!r},{y!r}\n" for k, (x, y) in enumerate(forth(true).tolist()))
    path = write(tmp_path / "a.csv", f"id,address,lon,lat\n{rows}3,b,0,0\n4,c,,\n")
    addresses, issues = read(path, source_crs=name)
    truth = gpd.GeoSeries(gpd.points_from_xy(*true.T), crs=4326).to_crs(4547)
    assert addresses.x[:2] == pytest.approx(truth.x, abs=1e-3)
    assert addresses.y[:2] == pytest.approx(truth.y, abs=1e-3)
    assert addresses.located.tolist() == [True, True, False, False]
    assert count_issues(issues) == {"COORD_SUSPECT": 1, "OFFSET_REMOVED": 1, "REPROJECTED": 1}
    plain, _ = read(path, source_crs="EPSG:4326")
    away = np.hypot(plain.x[:2] - truth.x, plain.y[:2] - truth.y)
    assert ((away > 100) & (away < 1500)).all()


def test_offsets_of_metres_are_none(tmp_path):
    path = write(tmp_path / "a.csv", "id,address,x,y\n1,a,500000,3380000\n")
    with pytest.raises(CrsError, match="no degrees, as those of GCJ-02"):
        read(path, source_crs="GCJ-02")


@pytest.mark.parametrize("names", ["lon,lat", "经度,纬度", "x,y", "LNG,Lat"])
def test_degrees_are_never_guessed(tmp_path, names):
    path = write(tmp_path / "a.csv", f"id,text,{names}\n1,a,114.01,30.5\n2,b,114.02,30.5\n")
    with pytest.raises(CrsError, match=r"looks? like degrees.*--addresses-crs EPSG:4490"):
        read(path)
    addresses, issues = read(path, source_crs="EPSG:4490")
    assert codes(issues) == [("INFO", "REPROJECTED", "")]
    truth = gpd.GeoSeries(gpd.points_from_xy([114.01, 114.02], [30.5, 30.5]), crs=4490).to_crs(
        4547
    )
    assert addresses.x == pytest.approx(truth.x, abs=1e-6)
    assert addresses.y == pytest.approx(truth.y, abs=1e-6)


def test_swapped_degrees(tmp_path):
    path = write(tmp_path / "a.csv", "id,text,x,y\n1,a,30.5,114.01\n")
    with pytest.raises(CrsError, match="swapped axes"):
        read(path, source_crs="EPSG:4490")


def test_identifiers(tmp_path):
    rows = [("01", "b"), ("01", "a"), ("１2", "c"), ("", "d"), ("01", "a"), ("01~2", "e")]
    lines = [f"{name},{text},{X},{Y}\n" for name, text in rows]
    addresses, issues = read(write(tmp_path / "a.csv", "id,text,x,y\n" + "".join(lines)))
    assert addresses.address_id.tolist() == ["01~4", "01", "１2", "3", "01~3", "01~2"]
    assert codes(issues) == [
        ("WARNING", "ID_INVALID", "3"),
        ("WARNING", "ID_DUPLICATE", "01~4"),
        ("WARNING", "ID_DUPLICATE", "01~3"),
    ]
    mixed, _ = read(write(tmp_path / "b.csv", "id,text,x,y\n" + "".join(reversed(lines))))
    pairs = set(
        zip(addresses.address_id.tolist(), addresses.address_text.tolist(), strict=True)
    )
    assert pairs - {("3", "d")} == set(
        zip(mixed.address_id.tolist(), mixed.address_text.tolist(), strict=True)
    ) - {("2", "d")}


def test_columns_by_name(tmp_path):
    path = write(tmp_path / "a.csv", f"key,what,e,n,bld\n1,a,{X},{Y},b7\n")
    with pytest.raises(InputError, match=r"no column for the address text.*key, what"):
        read(path)
    fields = {"text_field": "what", "x_field": "e", "y_field": "n", "building_field": "bld"}
    addresses, issues = read(path, id_field="key", **fields)
    assert addresses.address_id.tolist() == ["1"]
    assert addresses.building_ref.tolist() == ["b7"]
    assert issues == []
    with pytest.raises(InputError, match=r"no column 'wha' for address text.*what"):
        read(path, text_field="wha")
    with pytest.raises(InputError, match="'a' stands there twice"):
        read(write(tmp_path / "b.csv", "id,a,a\n1,2,3\n"), text_field="a")


@pytest.mark.parametrize("east", ["500000,5", "111°17'", "east"])
def test_coordinates_that_are_no_numbers_are_reported(tmp_path, east):
    rows = f"1;a;{east};{Y}\n2;b;;{Y}\n3;c;{X};{Y}\n"
    addresses, issues = read(write(tmp_path / "a.csv", f"id;text;x;y\n{rows}"))
    assert np.isnan(addresses.x).tolist() == [True, True, False]
    (issue,) = issues
    assert (issue.severity, issue.code) == ("WARNING", "VALUE_UNUSABLE")
    assert "column x: 1 of 3 values" in issue.message
    assert repr(east) in issue.message


def test_other_columns_are_not_kept(tmp_path):
    addresses, _ = read(write(tmp_path / "a.csv", PLAIN))
    held = [getattr(addresses, name) for name in addresses.__slots__]
    assert not any("甲" in str(column) for column in held)


def test_identity_numbers_are_refused(tmp_path):
    body = ["11010519491231002", "44052418800101001"]
    valid = [body[0] + "X", body[1] + "4"]
    path = write(tmp_path / "a.csv", "id,text,身份证\n" + f"1,a,{valid[0]}\n2,b,{valid[1]}\n")
    assert len(read(path)[0]) == 2
    with pytest.raises(InputError, match="identity-card numbers"):
        read(path, id_field="身份证")
    other = write(tmp_path / "b.csv", f"id,text\n{body[0]}1,a\n{body[1]}5,b\n")
    assert len(read(other)[0]) == 2


def test_vector_points(real_data):
    path = str(real_data / "delft_centre/house_numbers.gpkg")
    addresses, issues = read_addresses(path, crs="EPSG:7415", building_field="bgt_pand_gml_id")
    truth = pyogrio.read_dataframe(path)
    assert addresses.address_text.tolist() == truth.housenumbers.tolist()
    assert addresses.building_ref.tolist() == truth.bgt_pand_gml_id.tolist()
    assert np.array_equal(addresses.x, truth.geometry.x)
    assert count_issues(issues) == {"ID_UNUSABLE": 1}


def test_vector_in_degrees_and_without_points(tmp_path):
    frame = gpd.GeoDataFrame(
        {"address_id": [1, 2, 3], "address": ["a", None, "c"]},
        geometry=[Point(114, 30.5), None, box(114, 30, 114.1, 30.1)],
        crs="EPSG:4490",
    )
    pyogrio.write_dataframe(frame, tmp_path / "a.gpkg", geometry_type="Unknown")
    addresses, issues = read(str(tmp_path / "a.gpkg"))
    assert addresses.address_id.tolist() == ["1", "2", "3"]
    assert addresses.address_text.tolist() == ["a", "", "c"]
    assert addresses.located.tolist() == [True, False, False]
    assert addresses.x[0] == pytest.approx(500_000, abs=1e-6)
    assert count_issues(issues) == {"GEOM_TYPE_SKIPPED": 2, "REPROJECTED": 1}
    with pytest.raises(ParameterError, match="geometry of a vector file"):
        read(str(tmp_path / "a.gpkg"), x_field="address")


def test_real_table_of_places(real_data):
    path = str(real_data / "shenzhen_poi/shenzhen_poi_gcj02.csv")
    fields = {"x_field": "lng_gcj02", "y_field": "lat_gcj02"}
    addresses, issues = read(path, source_crs="EPSG:4490", **fields)
    assert len(addresses) == 371
    assert addresses.located.all()
    assert addresses.address_id[0] == "9188958109687959942"
    with pytest.raises(CrsError, match="EPSG:4490"):
        read(path, **fields)
    true, _ = read(path, source_crs="GCJ-02", **fields)
    away = np.hypot(true.x - addresses.x, true.y - addresses.y)
    assert 300 < away.min() <= away.max() < 700
    assert not [issue for issue in issues if issue.severity == "ERROR"]


@pytest.mark.parametrize("path", ["none.csv", "/vsicurl/http://localhost/a.csv", "."])
def test_only_plain_local_files(path):
    with pytest.raises(InputError):
        read(path)
