"""The files of the sample: the same bytes for the same arguments, in the forms of offices."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import geopandas as gpd
import laspy
import pyogrio
import pyproj
import pytest
from stdnum.cn import ric

import cimkit.sample
from cimkit.errors import LimitError, ParameterError
from cimkit.job import Job
from cimkit.sample import make_sample
from cimkit.sample.layout import plan
from tests.conftest import ROOT

COMMITTED = ROOT / "data-samples"


def sums(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.name != "README.md"
    }


def test_committed_sample_is_what_the_command_makes(tmp_path):
    make_sample(tmp_path, buildings=11, seed=7)
    assert sums(tmp_path) == sums(COMMITTED)
    assert sum(path.stat().st_size for path in COMMITTED.rglob("*")) < 1_000_000


def test_the_seed_decides_every_file_but_the_constant_ones(tmp_path):
    first, again, other = (
        sums(make_sample(tmp_path / name, buildings=7, seed=seed, rooms=True).job.parent)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == again
    assert {name for name in first if first[name] == other[name]} == {
        "city.toml",
        "divisions.gpkg",
        "footprints.prj",
        "truth_links.csv",  # Every slab has the same three units.
    }


def test_a_larger_city_begins_with_the_smaller_one(paths, tmp_path):
    assert next(plan(120, seed=7)) == next(plan(5000, seed=7))  # what is scanned for a tile
    flags = {"rooms": True, "second_epoch": True, "cloud": "none"}
    small = make_sample(tmp_path, buildings=120, seed=7, **flags)
    for few, many in ((small, paths), (small.second_epoch, paths.second_epoch)):
        for less, more in zip(few.tables, many.tables, strict=True):
            assert more.read_bytes().startswith(less.read_bytes()), more.name
        assert len(many.truth_links.read_bytes()) > len(few.truth_links.read_bytes())


@pytest.mark.parametrize("cloud", ["none", "unclassified"])
def test_the_kind_of_cloud_changes_nothing_else(tmp_path, cloud):
    plain = sums(make_sample(tmp_path / "a", buildings=1).job.parent)
    other = sums(make_sample(tmp_path / "b", buildings=1, cloud=cloud).job.parent)
    differ = {name for name in plain if plain[name] != other.get(name)}
    assert differ <= {"points/sample_00_00.laz", "city.toml"}
    assert "points/sample_00_00.laz" in differ


def test_any_number_of_buildings(tmp_path):
    for n in (1, 5, 6, 7, 119, 120, 300):
        made = make_sample(tmp_path / str(n), buildings=n, seed=3, cloud="none")
        assert len(gpd.read_file(made.footprints, encoding="GBK")) == n


def test_many_footprints_come_as_a_geopackage(tmp_path, monkeypatch):
    monkeypatch.setattr(cimkit.sample, "SHAPEFILE_MAX", 99)
    monkeypatch.setattr("cimkit.write.inputs.FootprintFile.ROWS_AT_ONCE", 120)
    first, again = (make_sample(tmp_path / name, buildings=250, cloud="none") for name in "ab")
    assert first.footprints.name == "footprints.gpkg"
    assert pyogrio.read_info(first.footprints)["features"] == 250
    assert "footprints.gpkg" in first.job.read_text(encoding="utf-8")
    assert sums(first.job.parent) == sums(again.job.parent)


def test_files_of_an_earlier_sample_go_and_those_of_the_user_stay(tmp_path):
    make_sample(tmp_path, buildings=8, rooms=True, second_epoch=True)
    (tmp_path / "notes.txt").write_text("mine")
    make_sample(tmp_path, buildings=2, cloud="none")
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert "notes.txt" in left
    assert not {name for name in left if "epoch2" in name or "full" in name or "laz" in name}


@pytest.mark.parametrize(
    "wrong",
    [
        {"buildings": 0},
        {"seed": -1},
        {"cloud": "mesh"},
        {"jitter": -1.0},
        {"wrong_township": 1.5},
        {"typing_variants": float("nan")},
    ],
)
def test_nonsense_is_refused_before_anything_is_written(tmp_path, wrong):
    with pytest.raises(ParameterError, match="make_sample"):
        make_sample(tmp_path / "none", **wrong)
    with pytest.raises(LimitError, match="1,000,000"):
        make_sample(tmp_path / "none", buildings=1_000_001)
    assert not (tmp_path / "none").exists()


def test_job_files_name_the_inputs(paths):
    for made in (paths, paths.second_epoch):
        job = Job.from_mapping(tomllib.loads(made.job.read_text(encoding="utf-8")))
        folder = made.job.parent
        assert (folder / job.footprints) == made.footprints
        assert [folder / name for name in job.points] == [made.points]
        assert (folder / job.addresses) == made.addresses
        assert pyproj.CRS(job.crs).is_compound
        assert job.undulation is not None


def test_footprints_are_gbk_and_nothing_says_so(paths, city):
    assert not paths.footprints.with_suffix(".cpg").exists()
    assert paths.footprints.with_suffix(".dbf").read_bytes()[29] == 0
    assert "编号" not in gpd.read_file(paths.footprints).columns
    assert city.footprints.crs.to_epsg() == 4546


def test_no_clock_stands_in_a_point_file(paths):
    for path in sorted(paths.points.iterdir()):
        with laspy.open(path) as reader:
            header = reader.header
            assert header.creation_date.isoformat() == "2024-01-01"
            assert header.generating_software.rstrip("\x00") == "cimkit"
            assert header.uuid.int == 0


def test_no_table_holds_an_identity_number_or_a_phone(paths):
    for made in (paths, paths.second_epoch):
        for path in made.tables:
            text = path.read_text(encoding="utf-8-sig")
            for found in re.findall(r"(?<![\dA-Z.])\d{17}[\dX](?![\dA-Z])", text):
                assert not ric.is_valid(found), f"{path.name}: {found}"
            assert not re.search(r"(?<!\d)1[3-9]\d{9}(?!\d)", text), path.name
            for word in ("姓名", "身份证", "电话", "户主"):
                assert word not in text
