"""Files of divisions: the sample's, and broken ones."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from cimkit.errors import InputError
from cimkit.read.divisions import read_division_names, read_divisions
from cimkit.read.footprints import read_footprints
from cimkit.sample import make_sample
from cimkit.steps.clean import clean
from cimkit.steps.divide import divide

CRS = "EPSG:4546"
BOX = shapely.box(500_000, 3_300_000, 500_900, 3_300_900)


def layer(path, codes, shapes, **columns):
    frame = gpd.GeoDataFrame({"code": codes, **columns}, geometry=shapes, crs=CRS)
    frame.to_file(path, layer="d", driver="GPKG")
    return str(path)


def test_every_building_of_the_sample_stands_where_it_truly_does(tmp_path):
    paths = make_sample(tmp_path / "s", buildings=40, cloud="none")
    divisions, issues = read_divisions(str(paths.job.with_name("divisions.gpkg")), crs=CRS)
    assert [issue for issue in issues if issue.severity == "ERROR"] == []
    assert sorted({len(code) for code in divisions.code.tolist()}) == [6, 9, 12]
    footprints = clean(read_footprints(str(paths.footprints), crs=CRS)[0])[0]
    codes, doubts = divide(footprints, divisions)
    assert doubts == []
    truth = pd.read_csv(paths.job.with_name("truth_buildings.csv"), dtype=str)
    right = dict(zip(truth["building_id"], truth["community_code"], strict=True))
    assert codes.tolist() == [right[name] for name in footprints.building_id.tolist()]


def test_rows_that_are_no_divisions_are_left_out_with_a_reason(tmp_path):
    path = layer(
        tmp_path / "d.gpkg",
        ["421002", "4210", "4.21002E+11", "421002001", "421002001", None],
        [BOX, BOX, BOX, BOX, shapely.box(501_000, 3_300_000, 501_100, 3_300_100), BOX],
        name=["沙市区", "", "", "中山街道", "", ""],
    )
    divisions, issues = read_divisions(path, crs=CRS)
    assert divisions.code.tolist() == ["421002", "421002001"]
    assert divisions.name.tolist() == ["沙市区", "中山街道"]
    assert divisions.polygons[1].geom_type == "MultiPolygon"
    reasons = [i.message for i in issues if i.code == "DIVISION_UNUSABLE"]
    assert len(reasons) == 3
    assert any("a spreadsheet made a number of it" in reason for reason in reasons)


def test_codes_as_numbers_and_names_from_a_table(tmp_path):
    path = layer(tmp_path / "d.gpkg", np.array([421002, 421003]), [BOX, BOX.buffer(9)])
    table = tmp_path / "names.csv"
    table.write_text(
        "code,name,cityCode\n421002,沙市区,4210\n42,湖北省,\n42100,x,\n", "gb18030"
    )
    names, notes = read_division_names(str(table))
    assert names == {"421002": "沙市区", "42": "湖北省"}
    assert [note.code for note in notes] == ["DIVISION_UNUSABLE"]
    assert "drops leading zeros" in notes[0].message
    divisions, issues = read_divisions(path, crs=CRS, names=names)
    assert divisions.name.tolist() == ["沙市区", ""]
    assert [(i.code, i.id) for i in issues if i.code.startswith("DIV")] == [
        ("DIVISION_UNLISTED", "421003")
    ]


def test_no_column_of_codes_and_no_usable_row(tmp_path):
    with pytest.raises(InputError, match="no division in it"):
        read_divisions(layer(tmp_path / "a.gpkg", ["1"], [BOX]), crs=CRS)
    gpd.GeoDataFrame({"kind": ["a"]}, geometry=[BOX], crs=CRS).to_file(tmp_path / "b.gpkg")
    with pytest.raises(InputError, match="no column of division codes"):
        read_divisions(str(tmp_path / "b.gpkg"), crs=CRS)


def test_real_names(real_data):
    names, notes = read_division_names(str(real_data / "china_admin_codes/hubei_streets.csv"))
    assert notes == []
    assert names["420102002"] == "大智街道"
