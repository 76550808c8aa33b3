"""Hostile files on the command line: an exit code, a sentence, no traceback, no output."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import cimkit
from cimkit.cli import main
from tests.hostile import clouds
from tests.hostile.footprints import CORPUS, CRS
from tests.zoo import ZOO

WORKING_CRS = f"{CRS}+5737"


@pytest.fixture
def run(monkeypatch, capsys):
    """Call the command line in this process: its exit code and what it said."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["cimkit", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        return left.value.code or 0, said.out + said.err

    return call


USABLE, UNUSABLE = ["zero_area.gpkg"], [
    "deep.geojson", "huge_number.geojson", "cut.geojson", "vrt_disguised.geojson",
    "not_utf8.geojson", "nan_vertex.geojson", "shp_cut.shp", "gpkg_of_zeros.gpkg",
]  # fmt: skip


@pytest.mark.parametrize("name", [*USABLE, *UNUSABLE])
def test_footprints(run, tmp_path, name):
    path = CORPUS[name](tmp_path / name)
    code, said = run(
        "build", tmp_path / "city", "--footprints", path, "--crs", WORKING_CRS, "--dry-run"
    )
    assert code == (0 if name in USABLE else 3)
    assert "Traceback" not in said
    assert len(said) < 1500
    assert not (tmp_path / "city").exists()


@pytest.mark.parametrize(
    "name",
    ["count_doubled.laz", "chunk_table_of_2_32.laz", "records_2_31.las", "empty_file.las"],
)
@pytest.mark.parametrize("command", ["info", "build"])
def test_clouds(run, tmp_path, name, command):
    cloud = tmp_path / name
    cloud.write_bytes(clouds.corpus()[name])
    footprints = CORPUS["shared_wall.gpkg"](tmp_path / "footprints.gpkg")
    build = ("build", tmp_path / "city", "--footprints", footprints, "--points", cloud)
    arguments = ("info", cloud) if command == "info" else (*build, "--crs", WORKING_CRS)
    code, said = run(*arguments)
    assert code == 3
    assert name in said
    assert "Traceback" not in said
    assert not (tmp_path / "city").exists()


def test_a_city_of_the_whole_zoo(run, tmp_path):
    """What can be repaired is built, what cannot is listed, and the sums are true."""
    path, out = CORPUS["whole_zoo.gpkg"](tmp_path / "zoo.gpkg"), tmp_path / "city"
    code, said = run(
        *("build", out, "--footprints", path, "--crs", WORKING_CRS, "--undulation", "0"),
        *("--workers", "1"),
    )
    assert code == 1
    assert "Traceback" not in said
    city = cimkit.open_city(out)
    expected = [case.areas for name, case in ZOO.items() if name not in _FAR]
    assert len(city.buildings) == sum(map(len, expected))
    assert np.sort(city.footprints.area) == pytest.approx(
        np.sort(np.concatenate(expected)), abs=0.05
    )
    balance = city.manifest["balances"][0]
    assert balance["in_count"] == sum(balance["parts"].values())
    code, said = run("check", out)
    assert code in (0, 1)
    assert "Traceback" not in said


_FAR = ("beyond_all_maps", "far_origin")
