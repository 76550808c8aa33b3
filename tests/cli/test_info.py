"""``cimkit info``: easy to read for people, valid JSON for machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import cimkit


@pytest.fixture
def files(sample, built) -> list[Path]:
    """A file of each kind."""
    folder = sample.parent
    cloud = next((folder / "points").iterdir())
    return [folder / "footprints.shp", folder / "addresses.csv", cloud, built]


def test_people_read_what_each_file_is(run, files) -> None:
    said = run("info", *files)
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [str(f) for f in files]
    facts = {" ".join(line.split()) for line in lines}
    assert facts >= {
        "kind vector",
        "text encoding gb18030",
        "as footprints building id: 编号, height: none, floors: 层数, label: 名称",
        "note: text of footprints.shp read as gb18030: none was declared",
        "kind table",
        "as addresses address id: 地址编码, address text: 标准地址, building: none, x: x, y: y",
        "kind point cloud",
        "format LAZ 1.4, point format 6",
        "kind city",
        "crs EPSG:4546+5737",
    }


def test_machines_read_the_same(run, files, built) -> None:
    said = run("info", "--json", *files)
    assert (said.code, said.err) == (0, "")
    assert said.out.isascii()
    outlines, table, cloud, city = json.loads(said.out)
    assert [fact["path"] for fact in (outlines, table, cloud, city)] == [str(f) for f in files]
    assert outlines["layers"][0]["features"] == 12
    assert outlines["layers"][0]["as_footprints"]["floors"] == "层数"
    assert table["rows"] == 33
    assert cloud["crs"] == "EPSG:4546+5737"
    assert city["counts"] == cimkit.open_city(built).counts


def test_one_damaged_file_does_not_hide_the_others(run, files, tmp_path) -> None:
    broken, missing = tmp_path / "broken.laz", tmp_path / "missing.csv"
    broken.write_bytes(files[2].read_bytes()[:1000])
    said = run("info", broken, files[1], missing, files[3])
    assert said.code == 3
    first, second = said.err.splitlines()
    assert first.startswith(f"cimkit: FormatError: {broken}")
    assert second.startswith(f"cimkit: InputError: {missing}: does not exist")
    assert [line for line in said.out.splitlines() if not line.startswith(" ")] == [
        str(files[1]),
        str(files[3]),
    ]
    said = run("info", "--json", broken, files[1])
    assert said.code == 3
    damaged, table = json.loads(said.out)
    assert damaged["path"] == str(broken)
    assert "error" in damaged
    assert table["rows"] == 33


def test_text_of_a_file_cannot_act_on_the_terminal(run, tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("address,\x1b[2J\x07,x,y\nA,b,1,2\n")
    said = run("info", path)
    assert r"address, \x1b[2J\x07, x, y" in said.out
    assert "\x1b" not in said.out
