"""Text encodings: who decides, what is said about it, what is noticed."""

from __future__ import annotations

import geopandas as gpd
import pyogrio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import box

from cimkit.errors import EncodingError, InputError, ParameterError
from cimkit.job import Job
from cimkit.read.addresses import read_addresses
from cimkit.read.columns import find_columns
from cimkit.read.encodings import is_mojibake
from cimkit.read.footprints import read_footprints

CRS = "EPSG:4547+5737"
CHINESE = st.text(
    st.sampled_from("学院路向阳中山公园号楼栋单元室一二三四五六七八九十"), min_size=2
)


def shapefile(folder, encoding, cpg, ids=("甲一", "乙二", "丙三")):
    """A Shapefile with text in one encoding that declares another, or none."""
    shapes = [box(5e5 + 20 * i, 3.38e6, 5e5 + 20 * i + 9, 3.38e6 + 9) for i in range(3)]
    table = gpd.GeoDataFrame({"编号": list(ids)}, geometry=shapes, crs="EPSG:4547")
    path = folder / "a.shp"
    pyogrio.write_dataframe(table, path, encoding=encoding)
    (folder / "a.cpg").unlink(missing_ok=True)
    if cpg:
        (folder / "a.cpg").write_text(cpg)
    # GDAL states a language byte of its own.
    with (folder / "a.dbf").open("r+b") as file:
        file.seek(29)
        file.write(b"\0")
    return str(path)


@pytest.mark.parametrize(
    ("encoding", "cpg", "told", "code", "words"),
    [
        ("GBK", "", "", "ENCODING_GUESSED", "read as gb18030: none was declared"),
        ("UTF-8", "", "", "ENCODING_GUESSED", "read as utf-8: none was declared"),
        ("GBK", "936", "", "ENCODING_DECLARED", "by its .cpg part"),
        ("UTF-8", "UTF-8", "", "ENCODING_DECLARED", "by its .cpg part"),
        ("GBK", "UTF-8", "", "ENCODING_GUESSED", "utf-8 was declared by its .cpg part but"),
        ("GBK", "ISO-8859-1", "", "ENCODING_GUESSED", "iso8859-1 was declared"),
        ("GBK", "UTF-8", "GBK", "ENCODING_GIVEN", "read as gb18030: as told"),
        ("UTF-8", "936", "utf8", "ENCODING_GIVEN", "read as utf-8: as told"),
    ],
)
def test_who_decides(tmp_path, encoding, cpg, told, code, words):
    raw, issues = read_footprints(
        shapefile(tmp_path, encoding, cpg), crs=CRS, id_field="编号", encoding=told
    )
    assert raw.feature_id.tolist() == ["甲一", "乙二", "丙三"]
    (issue,) = issues
    assert (issue.severity, issue.code) == ("INFO", code)
    assert words in issue.message


def test_what_is_told_holds_and_what_it_cannot_read_is_counted(tmp_path):
    path = shapefile(tmp_path, "GBK", "")
    table = (tmp_path / "a.dbf").read_bytes()
    (tmp_path / "a.dbf").write_bytes(table.replace("乙二".encode("gbk"), b"\xff\xd2\xd2\xff"))
    with pytest.raises(EncodingError, match="footprints_encoding"):
        read_footprints(path, crs=CRS)
    raw, issues = read_footprints(path, crs=CRS, id_field="编号", encoding="GB18030")
    assert raw.feature_id.tolist()[::2] == ["甲一", "丙三"]
    (lost,) = [issue for issue in issues if issue.code == "ENCODING_REPLACED"]
    assert lost.message.startswith("1 characters in 1 texts of a.shp mean nothing in gb18030")


def test_an_encoding_that_does_not_exist(tmp_path):
    for name in ("gbk2", "base64", ""):
        path = shapefile(tmp_path, "GBK", name)
        assert read_footprints(path, crs=CRS)[0].feature_id[0] == "甲一"
    with pytest.raises(ParameterError, match="'gbk2' is no text encoding"):
        read_footprints(shapefile(tmp_path, "GBK", ""), crs=CRS, encoding="gbk2")


def test_the_same_rule_for_csv(tmp_path):
    path = tmp_path / "a.csv"
    text = "id,address\n1,學院路1號\n2,向陽路2號\n"
    path.write_bytes(text.encode("big5"))
    addresses, issues = read_addresses(str(path), crs=CRS, encoding="big5")
    assert addresses.address_text.tolist() == ["學院路1號", "向陽路2號"]
    assert "ENCODING_GIVEN" in [issue.code for issue in issues]
    path.write_bytes(text.encode("big5") + b"3,\xff\xff\n")
    with pytest.raises(EncodingError, match="addresses_encoding"):
        read_addresses(str(path), crs=CRS)
    addresses, issues = read_addresses(str(path), crs=CRS, encoding="big5")
    assert len(addresses) == 3
    assert "ENCODING_REPLACED" in [issue.code for issue in issues]
    path.write_text("\ufeffid,address\n1,a\n", encoding="utf-8")
    assert read_addresses(str(path), crs=CRS, encoding="UTF-8")[0].address_id.tolist() == ["1"]


def test_text_that_was_spoilt_before_is_noticed(tmp_path):
    path = tmp_path / "a.csv"
    good = ["学院路1号", "向阳路2号", "Müller 3", "中山公园"]
    spoilt = [text.encode("gbk", "replace").decode("latin-1") for text in good]
    lines = ["id,address", *(f"{i},{text}" for i, text in enumerate(spoilt))]
    path.write_text("\n".join(lines), encoding="utf-8")
    _, issues = read_addresses(str(path), crs=CRS)
    assert "ENCODING_SUSPECT" in [issue.code for issue in issues]
    path.write_text("id,address\n1,Müllerstraße\n2,Œuvre\n3,学院路\n", encoding="utf-8")
    assert "ENCODING_SUSPECT" not in {i.code for i in read_addresses(str(path), crs=CRS)[1]}


@given(CHINESE)
def test_mojibake_of_any_chinese_text(text):
    assert is_mojibake(text.encode("gbk").decode("latin-1"))
    assert is_mojibake(text.encode("utf-8").decode("latin-1"))
    assert not is_mojibake(text)


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x24F), max_size=3))
def test_short_western_text_is_none(text):
    assert not is_mojibake(text) or any("\x80" <= letter <= "\x9f" for letter in text)


@pytest.mark.parametrize(
    ("column", "role"),
    [
        ("标准地址编", "address id"),  # 10 of 12 bytes in GBK
        ("地上层", "floors"),  # 9 of 12 bytes in UTF-8, and a byte of the next character
        ("楼栋编", "building id"),
        ("building_r", "building"),
        ("building_c", "building"),
    ],
)
def test_names_that_a_dbf_has_cut(column, role):
    assert find_columns([column], "auto", role, "") == [column]


@pytest.mark.parametrize(
    ("column", "role"),
    [("标准地", "address text"), ("标准地", "address id"), ("地上", "floors"), ("", "label")],
)
def test_what_may_be_left_of_several_names_is_none(column, role):
    assert find_columns([column], "auto", role, "") == []


def cut_names(path, table, names):
    """A Shapefile in UTF-8 with column names as GDAL cuts them; it complains of its own."""
    pyogrio.write_dataframe(table, path, encoding="UTF-8")
    with path.with_suffix(".dbf").open("r+b") as file:
        for place, name in enumerate(names):
            file.seek(32 * (place + 1))
            file.write(name.ljust(11, b"\0"))
    return str(path)


def test_columns_of_a_shapefile_in_utf_8(tmp_path):
    shapes = [box(5e5 + 20 * i, 3.38e6, 5e5 + 20 * i + 9, 3.38e6 + 9) for i in range(2)]
    columns = {"a": ["007", "008"], "b": [6, 7], "c": [18.5, 21.0]}
    table = gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:4547")
    names = [name.encode()[:10] for name in ("楼栋编号", "地上层数", "建筑高度")]
    raw, _ = read_footprints(cut_names(tmp_path / "a.shp", table, names), crs=CRS)
    assert raw.feature_id.tolist() == ["007", "008"]
    assert raw.floors.tolist() == [6, 7]
    assert raw.height.tolist() == [18.5, 21.0]


def test_names_that_gdal_numbers_within_a_character(tmp_path):
    doors = gpd.points_from_xy([5e5, 5.001e5], [3.38e6, 3.38e6])
    columns = {"a": ["007", "008"], "b": ["学院路1号", "学院路2号"]}
    table = gpd.GeoDataFrame(columns, geometry=doors, crs="EPSG:4547")
    first = "标准地址编码".encode()[:10]
    path = cut_names(tmp_path / "a.shp", table, [first, first[:8] + b"_1"])
    second = "标准\N{REPLACEMENT CHARACTER}_1"
    with pytest.raises(InputError, match=f"no column for the address text.*标准地, {second}"):
        read_addresses(path, crs=CRS)
    addresses, _ = read_addresses(path, crs=CRS, id_field="标准地", text_field=second)
    assert addresses.address_id.tolist() == ["007", "008"]
    assert addresses.address_text.tolist() == ["学院路1号", "学院路2号"]


def test_a_name_cut_in_mid_character(tmp_path):
    shapes = [box(5e5, 3.38e6, 5e5 + 9, 3.38e6 + 9)]
    table = gpd.GeoDataFrame({"x标准地址": [1]}, geometry=shapes, crs="EPSG:4547")
    path = tmp_path / "a.shp"
    pyogrio.write_dataframe(table, path, encoding="GBK")
    data = bytearray((tmp_path / "a.dbf").read_bytes())
    data[32:43] = "x标准地址号".encode("gbk")[:10] + b"\0"
    (tmp_path / "a.dbf").write_bytes(bytes(data))
    raw, _ = read_footprints(str(path), crs=CRS, height_field="x标准地址")
    assert raw.height.tolist() == [1.0]


def test_keys_of_the_job():
    job = Job(footprints="a", crs="b", footprints_encoding="gbk", addresses_encoding="big5")
    assert (job.footprints_encoding, job.addresses_encoding) == ("gbk", "big5")
