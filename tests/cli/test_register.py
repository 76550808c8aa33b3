"""``cimkit register``: log, diff and export."""

from __future__ import annotations

import io
import json
import shutil

import pandas as pd
import pyogrio
import pytest

from tests.register.registers import build, row_of_houses


@pytest.fixture
def register(tmp_path):
    path = tmp_path / "r.gpkg"
    build(path, row_of_houses([(0, 3), (4, 5), (5, 6)]), data_set="a.shp sha256 00")
    shutil.copy(path, tmp_path / "old.gpkg")
    build(path, row_of_houses([(0, 1), (1, 3), (5, 6)]), data_set="b.shp sha256 11")
    return path


def test_log(run, register):
    lines = run("register", "log", register).out.splitlines()
    assert len(lines) == 11
    assert lines[0].split()[1:3] == ["000000990100000000001", "reserved"]
    assert "[build, a.shp sha256 00]" in lines[0]
    code = "000000990100000000004"
    own = run("register", "log", register, "--code", code, "--json").out
    assert [row["change"] for row in json.loads(own)] == ["reserved", "activated", "split"]
    assert len(run("register", "log", register, "--since", 10).out.splitlines()) == 1


def test_diff(run, register, tmp_path):
    said = run("register", "diff", tmp_path / "old.gpkg", register)
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[-1] == "3 of 4 codes differ"
    assert any("state: active -> retired" in line for line in lines)
    assert any(line.endswith(" added") for line in lines)
    assert run("register", "diff", register, register).out == "0 of 4 codes differ\n"
    lost = run("register", "diff", register, tmp_path / "old.gpkg", "--json")
    assert lost.code == 1
    assert "lost" in {row["change"] for row in json.loads(lost.out)}


def test_log_as_csv(run, register):
    said = run("register", "log", register, "--csv").out
    table = pd.read_csv(io.StringIO(said), dtype=str, keep_default_na=False)
    rows = json.loads(run("register", "log", register, "--json").out)
    rows = [{name: str(value) for name, value in row.items()} for row in rows]
    assert table.to_dict("records") == rows
    assert run("register", "log", register, "--csv", "--json").code == 2


def test_diff_since_a_number_is_that_from_the_register_of_then(run, register, tmp_path):
    then = len(run("register", "log", tmp_path / "old.gpkg").out.splitlines())
    since = run("register", "diff", register, "--since", then, "--json").out
    between = run("register", "diff", tmp_path / "old.gpkg", register, "--json").out
    assert json.loads(since) == json.loads(between) != []
    assert run("register", "diff", register, "--since", 99).out == "0 codes differ\n"
    rows = json.loads(run("register", "diff", register, "--since", 0, "--json").out)
    assert {row["change"] for row in rows} == {"added"}
    assert run("register", "diff", register).code == 2
    assert run("register", "diff", register, register, "--since", 1).code == 2


def test_move(run, register, tmp_path):
    said = run("register", "move", register, tmp_path / "new.gpkg").out.splitlines()
    assert said[0] == f"{tmp_path / 'new.gpkg'}: 4 codes, 11 changes, 0 decisions"
    assert "is closed" in said[1]
    assert run("register", "move", register, tmp_path / "third.gpkg").code == 4
    assert run("register", "diff", register, tmp_path / "new.gpkg").code == 0


def test_export(run, register, tmp_path):
    assert run("register", "export", register, tmp_path / "c.csv").code == 0
    table = pd.read_csv(tmp_path / "c.csv", dtype=str, keep_default_na=False)
    assert table.columns.tolist() == ["code", "building_id", "state", "supersedes"]
    assert table["supersedes"].tolist() == ["", "", "", "000000990100000000001"]
    assert run("register", "export", register, tmp_path / "c.gpkg").code == 0
    assert len(pyogrio.read_dataframe(tmp_path / "c.gpkg")) == 4
    assert run("register", "export", register, tmp_path / "c.csv").code == 4
    assert run("register", "export", register, tmp_path / "c.txt").code == 2
    assert run("register", "log", tmp_path / "absent.gpkg").code == 4
