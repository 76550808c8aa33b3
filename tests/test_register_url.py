"""Whole builds whose register is a database."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pandas as pd
import pytest

import cimkit
from cimkit import pipeline
from cimkit.errors import StoreError
from cimkit.products import write_products
from cimkit.read.job import read_job
from cimkit.register import activating
from tests.postgres import running_server
from tests.register.registers import dying_after_the_commit, numbers, tables
from tests.test_pipeline import CRS, build, small_inputs, tree_of
from tests.test_resume import codes_of, houses, rebuild

FOOTPRINTS = ("footprints", "crs", "undulation", "workers")


@pytest.fixture
def url(postgres):
    return postgres.url(f"city{next(numbers)}").replace("cim@", "cim:geheim@")


def test_the_city_is_the_same_whatever_keeps_its_codes(tmp_path, url):
    keys = small_inputs(tmp_path / "in")
    file = build(tmp_path / "file" / "city", keys)
    database = build(tmp_path / "database" / "city", keys, register=url)
    assert tree_of(file.path) == tree_of(database.path)
    assert tables(tmp_path / "file" / "city.register.gpkg") == tables(url)
    assert [p.name for p in (tmp_path / "database").iterdir()] == ["city"]
    for path in (tmp_path / "database").rglob("*"):
        assert not path.is_file() or b"geheim" not in path.read_bytes()


def test_a_database_that_goes_away_in_mid_run_costs_nothing(tmp_path, monkeypatch):
    keys = small_inputs(tmp_path / "in")
    with running_server() as server:
        keys["register"] = server.url()

        def write_and_stop(*args):
            write_products(*args)
            server.stop()

        with monkeypatch.context() as patch:
            patch.setattr(pipeline, "write_products", write_and_stop)
            with pytest.raises(StoreError, match=r"cannot be reached.*run again") as caught:
                build(tmp_path / "city", keys)
        assert caught.value.__notes__[0].startswith("4 finished parts are kept")
        assert not (tmp_path / "city").exists()
        server.start()
        city = build(tmp_path / "city", keys)
        assert city.run["parts"]["clouds"]["reused"] == 2
        calm = build(tmp_path / "calm" / "city", {**keys, "register": ""})
        assert tree_of(city.path) == tree_of(calm.path)


def test_a_database_that_goes_away_after_the_commit(tmp_path, monkeypatch):
    """The city stands; its codes are activated by the next build of it."""
    keys = small_inputs(tmp_path / "in")
    with running_server() as server:
        keys["register"] = server.url()

        @contextmanager
        def stopping(*args, **options):
            with activating(*args, **options):
                yield
                server.stop()

        with monkeypatch.context() as patch:
            patch.setattr(pipeline, "activating", stopping)
            with pytest.raises(StoreError, match="cannot be reached"):
                build(tmp_path / "city", keys)
        codes = cimkit.open_city(tmp_path / "city").buildings.code.tolist()
        server.start()
        assert {row[2] for row in tables(keys["register"])["codes"]} == {"reserved"}
        job = cimkit.Job.from_mapping(keys)
        again = cimkit.build(tmp_path / "city", job, overwrite=True)
        assert again.buildings.code.tolist() == codes
        assert {row[2] for row in tables(keys["register"])["codes"]} == {"active"}


def test_decisions_are_kept_though_the_build_dies_after_its_commit(tmp_path, monkeypatch):
    keys = {**small_inputs(tmp_path / "in"), "register": str(tmp_path / "r.gpkg")}
    first = build(tmp_path / "one", keys)
    codes = dict(
        zip(first.buildings.building_id.tolist(), first.buildings.code.tolist(), strict=True)
    )
    sheet = tmp_path / "sheet.csv"
    row = {"address_id": "1", "building_code": codes["a"], "decision": "reject"}
    row |= {"new_building": "", "reviewer": "李", "note": ""}
    pd.DataFrame([row]).to_csv(sheet, index=False)

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "activating", dying_after_the_commit)
        with pytest.raises(KeyboardInterrupt):
            build(tmp_path / "two", keys, reviews=[str(sheet)])
    assert [row[3] for row in tables(keys["register"])["reviews"]] == ["rejected"]


def test_a_build_passes_on_no_older_decision(tmp_path, monkeypatch):
    """What it has read may be older than what another build has written since."""
    keys = {**small_inputs(tmp_path / "in"), "register": str(tmp_path / "r.gpkg")}
    code = build(tmp_path / "one", keys).buildings.code.tolist()[0]

    def sheet(name, decision):
        row = {"address_id": "1", "building_code": code, "decision": decision}
        row |= {"new_building": "", "reviewer": "李", "note": ""}
        pd.DataFrame([row]).to_csv(tmp_path / name, index=False)
        return [str(tmp_path / name)]

    build(tmp_path / "two", keys, reviews=sheet("old.csv", "accept"))

    def let_another_build_pass(*args):
        patch.setattr(pipeline, "write_products", write_products)
        build(tmp_path / "four", keys, reviews=sheet("new.csv", "reject"))
        write_products(*args)

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "write_products", let_another_build_pass)
        build(tmp_path / "three", keys)
    assert [row[3] for row in tables(keys["register"])["reviews"]] == ["rejected"]


def test_two_builds_that_keep_the_same_code_do_not_both_go_through(tmp_path, monkeypatch):
    """Each keeps it for its half of a house that was split: nothing new is minted."""
    keys = {"register": str(tmp_path / "r.gpkg")}
    whole = codes_of(
        rebuild(tmp_path / "old", houses(tmp_path / "0", [(4, 6), (8, 9)]), **keys)
    )
    one = houses(tmp_path / "1", [(5, 6), (8, 9)])
    two = houses(tmp_path / "2", [(4, 5), (8, 9)])

    def let_another_build_pass(*args):
        patch.setattr(pipeline, "write_products", write_products)
        rebuild(tmp_path / "one", one, **keys)
        write_products(*args)

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "write_products", let_another_build_pass)
        with pytest.raises(StoreError, match=r"another build has changed 1 .*Run again"):
            rebuild(tmp_path / "two", two, **keys)
    assert not (tmp_path / "two").exists()
    assert codes_of(cimkit.open_city(tmp_path / "one"))["5-6"] == whole["4-6"]
    again = codes_of(rebuild(tmp_path / "two", two, **keys))
    assert again["4-5"] not in whole.values()


def test_a_job_file_names_a_database(tmp_path):
    job = tmp_path / "city.toml"
    job.write_text('footprints = "a.gpkg"\nregister = "postgresql://h/db"\n')
    assert read_job(job)["register"] == "postgresql://h/db"
    job.write_text('register = "codes.gpkg"\n')
    assert read_job(job)["register"] == str(tmp_path / "codes.gpkg")


def test_the_command_line(tmp_path, url, monkeypatch, capsys):
    from cimkit.cli.main import main

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["cimkit", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        assert "geheim" not in said.out + said.err
        return left.value.code or 0, said.out

    keys = small_inputs(tmp_path / "in")
    given = ("--footprints", keys["footprints"], "--crs", CRS, "--undulation", "0")
    code, out = run("build", tmp_path / "city", *given, "--register", url, "--workers", 1)
    assert code == 0
    assert out.splitlines()[-1].startswith("keep postgresql://cim@")
    code, out = run("register", "log", url, "--json")
    assert [row["change"] for row in json.loads(out)] == ["reserved"] * 3 + ["activated"] * 3
    assert run("register", "export", url, tmp_path / "codes.csv")[0] == 0
    code, out = run("register", "move", url, tmp_path / "moved.gpkg")
    assert (code, out.splitlines()[0]) == (
        0,
        f"{tmp_path}/moved.gpkg: 3 codes, 6 changes, 0 decisions",
    )
    assert run("register", "diff", url, tmp_path / "moved.gpkg")[1] == "0 of 3 codes differ\n"
    code, _ = run("build", tmp_path / "other", *given, "--register", url, "--workers", 1)
    assert code == 4
    assert run("register", "log", url.replace("cim:", "cim:x@"))[0] == 2
