"""Sheets out and in again, through what people and spreadsheets do to them."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely

import cimkit
from cimkit.errors import InputError, ParameterError, StoreError
from cimkit.read.review import read_reviews
from cimkit.tables import Addresses, Footprints
from cimkit.write.review import review_sheet, write_review

CODE = "421002990100001000001"


@pytest.fixture(scope="module")
def sheet():
    """Two doubtful links and an address without one; identifiers that look like formulas."""
    shapes = [shapely.box(0, 0, 10, 10), shapely.box(13, 0, 20, 10)]
    footprints = Footprints.from_polygons(["=1+1", "b"], shapes, crs="EPSG:4546")
    buildings, *_ = cimkit.reconstruct(footprints)
    codes = np.array([CODE, CODE[:-1] + "2"], np.dtypes.StringDType())
    buildings = buildings.replace(code=codes)
    addresses = Addresses(
        ["1", "2", "3", "4"], ["一号", "二号", "三号", "四号"],
        [5.0, 10.5, 21.0, 90.0], [5.0, 5.0, 5.0, 5.0], crs="EPSG:4546",
    )  # fmt: skip
    links, _ = cimkit.link(addresses, footprints)
    return review_sheet(links, addresses, buildings, footprints)


def test_a_sheet_shows_what_is_doubtful_and_why(sheet):
    assert sheet["address_id"].tolist() == ["2", "3", "4"]
    assert sheet["building_id"].tolist() == ["=1+1", "b", ""]
    assert sheet["building_code"].tolist() == [CODE, CODE[:-1] + "2", ""]
    assert sheet["why"].tolist()[0] == "building b came second"
    assert (
        sheet["why"].tolist()[2] == "without a building: its point lies outside all footprints"
    )
    assert (sheet[["decision", "new_building", "reviewer", "note"]] == "").all(axis=None)
    assert sheet.geometry.iloc[0].coords[0] == (10.5, 5.0)


def filled(path, **columns):
    """The sheet at a path, filled in by a person, and saved again."""
    if path.suffix == ".csv":
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        table.assign(**columns).to_csv(path, index=False, encoding="gb18030")
    elif path.suffix == ".gpkg":
        table = gpd.read_file(path, layer="review").assign(**columns)
        path.unlink()
        table.to_file(path, layer="review")
    else:
        table = pyogrio.read_dataframe(path, layer="review", read_geometry=False).assign(
            **columns
        )
        path.unlink()
        pyogrio.write_dataframe(table, path, driver="XLSX", layer="review")


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".gpkg"])
def test_what_is_filled_in_comes_back(tmp_path, sheet, suffix):
    path = tmp_path / f"s{suffix}"
    write_review(path, sheet)
    filled(
        path,
        decision=["接受", "Reject", "edit"],
        new_building=["", "", "=1+1" if suffix == ".gpkg" else "'=1+1"],
        reviewer=["李", "王", "李"],
    )
    reviews, issues = read_reviews(str(path))
    assert [i for i in issues if i.severity == "ERROR"] == []
    assert reviews.address_id.tolist() == ["2", "3", "4"]
    assert reviews.decision.tolist() == ["accepted", "rejected", "edited"]
    assert reviews.building_code.tolist() == [CODE, CODE[:-1] + "2", ""]
    assert reviews.new_building.tolist() == ["", "", "=1+1"]
    assert reviews.reviewer.tolist() == ["李", "王", "李"]
    assert set(reviews.data_set.tolist()) == {path.name}


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_no_cell_is_a_formula(tmp_path, sheet, suffix):
    path = tmp_path / f"s{suffix}"
    write_review(path, sheet)
    if suffix == ".csv":
        cells = pd.read_csv(path, dtype=str, keep_default_na=False)["building_id"]
    else:
        cells = pyogrio.read_dataframe(path, layer="review", read_geometry=False)["building_id"]
    assert cells.tolist()[0] == "'=1+1"


def test_rows_that_are_not_decided_are_counted(tmp_path, sheet):
    write_review(tmp_path / "s.csv", sheet)
    reviews, issues = read_reviews(str(tmp_path / "s.csv"))
    assert len(reviews) == 0
    assert [(i.code, i.message) for i in issues] == [
        ("REVIEW_OPEN", "3 of 3 rows of s.csv are not decided yet")
    ]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("1", "4.21003E+20", "accept", ""), "a spreadsheet made a number of it"),
        (("1", CODE, "vielleicht", ""), "one of accept, reject, edit"),
        (("1", CODE, "edit", ""), "edit without new_building"),
        (("1", CODE, "accept", "b"), "write edit"),
        (("1", "", "reject", ""), "nothing to reject"),
        (("", CODE, "accept", ""), "no address_id"),
    ],
)
def test_what_cannot_be_understood_is_never_guessed(tmp_path, row, words):
    names = ["address_id", "building_code", "decision", "new_building"]
    good = ("2", CODE, "接受", "")
    pd.DataFrame([row, good], columns=names).to_csv(tmp_path / "s.csv", index=False)
    reviews, issues = read_reviews(str(tmp_path / "s.csv"))
    assert reviews.address_id.tolist() == ["2"]
    (issue,) = issues
    assert (issue.severity, issue.code) == ("ERROR", "REVIEW_UNUSABLE")
    assert words in issue.message
    assert "row 1 of s.csv" in issue.message


def test_files_that_are_no_sheets(tmp_path, sheet):
    (tmp_path / "a.csv").write_text("address_id,decision\n1,accept\n", encoding="utf-8")
    with pytest.raises(InputError, match="no column 'building_code'"):
        read_reviews(str(tmp_path / "a.csv"))
    with pytest.raises(ParameterError, match=r"s\.txt"):
        write_review(tmp_path / "s.txt", sheet)
    with pytest.raises(StoreError, match="exists already"):
        write_review(tmp_path / "a.csv", sheet)
