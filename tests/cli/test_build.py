"""``cimkit build``: what is told to the library, and what is told to the person."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import cimkit
from cimkit.cli.progress import Lines
from cimkit.read.job import read_job


@pytest.fixture
def told(monkeypatch, built) -> dict[str, Any]:
    """What the command hands to the library, which does not build here."""
    told: dict[str, Any] = {}

    def build(out, job, *, overwrite, progress):
        told.update(out=out, job=job, overwrite=overwrite)
        return cimkit.open_city(built)

    monkeypatch.setattr("cimkit.pipeline.build", build)
    return told


def test_from_end_to_end(sample: Path, built: Path, tmp_path: Path) -> None:
    """A process of its own makes, from a job, the city that the library makes."""
    out = tmp_path / "city"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "cimkit",
            "build",
            "city",
            "--job",
            str(sample),
            "--workers",
            "1",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].startswith("city: addresses 33, buildings 12")
    for name in ("report.html", "city.gpkg", "tiles/tileset.json"):
        assert any(line.startswith(f"open city/{name}") for line in done.stdout.splitlines())
    assert (out / "manifest.json").read_bytes() == (built / "manifest.json").read_bytes()


def test_what_is_printed_is_what_the_city_says(run, told, sample, built) -> None:
    said = run("build", "out", "--job", sample)
    city = cimkit.open_city(built)
    lines = [line.split(maxsplit=3) for line in said.out.splitlines()]
    rows = {parts[1]: parts for parts in lines if parts[0] in ("ERROR", "WARNING", "INFO")}
    assert {code: int(parts[2]) for code, parts in rows.items()} == city.manifest["issues"]
    for issue in city.issues:
        assert rows[issue.code][0] == issue.severity
    assert "codes: kept 0, new 12, retired 0" in said.out


def test_options_win_over_the_job(run, told, sample) -> None:
    said = run(
        *("build", "out", "--job", sample, "--overwrite", "--crs", "EPSG:4547+5737"),
        *("--points", "a.laz", "--points", "b", "--undulation", "-3", "--lod", "1.2"),
        *("--workers", "2", "--footprint-id", "名称"),
    )
    assert said.code == 0
    job, of_file = told["job"], read_job(sample)
    assert job.footprints == of_file["footprints"] == str(sample.parent / "footprints.shp")
    assert (job.crs, job.points, job.undulation) == ("EPSG:4547+5737", ("a.laz", "b"), -3.0)
    assert (job.workers, job.footprint_id, job.lod) == (2, "名称", ("1.2",))
    assert told["out"] == Path("out")
    assert told["overwrite"] is True


def test_without_options_the_job_and_the_defaults_hold(run, told, sample) -> None:
    assert run("build", "out", "--job", sample).code == 0
    assert told["job"] == cimkit.Job.from_mapping(read_job(sample))
    assert told["overwrite"] is False


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--lod", "2.1"], "lod: of 1.2, 1.3, 2.2, not 2.1"),
        (["--lod", "1.2,3"], "lod: of 1.2, 1.3, 2.2, not 3"),
        (["--ellipsoidal"], "undulation and ellipsoidal exclude each other"),
        (["--workers", "-1"], "workers: must lie in [0, 256], not -1"),
        (["--division", "4210"], "division: 6 or 9 digits, or a file, not '4210'"),
    ],
)
def test_a_wrong_value_is_refused(run, sample, tmp_path, options, message) -> None:
    said = run("build", tmp_path / "out", "--job", sample, *options)
    assert said.code == 2
    assert said.err.startswith(f"cimkit: ParameterError: {message}")
    assert not (tmp_path / "out").exists()


def test_an_unknown_key_of_the_job_is_refused_with_the_nearest(run, tmp_path) -> None:
    job = tmp_path / "city.toml"
    job.write_text('footprints = "a.shp"\ncrs = "EPSG:7415"\nheigth_field = "h"\n')
    said = run("build", tmp_path / "out", "--job", job)
    assert said.code == 2
    assert "heigth_field: unknown key; did you mean height_field?" in said.err


@pytest.mark.parametrize("text", [None, "crs = \n"], ids=["missing", "no TOML"])
def test_a_job_that_cannot_be_read_is_3(run, tmp_path, text) -> None:
    job = tmp_path / "city.toml"
    if text is not None:
        job.write_text(text)
    said = run("build", tmp_path / "out", "--job", job)
    assert said.code == 3
    assert said.err.startswith(f"cimkit: FormatError: {job}: ")


def test_a_standing_city_is_refused_before_anything_is_read(run, city) -> None:
    before = {path: path.read_bytes() for path in city.rglob("*") if path.is_file()}
    said = run("build", city, "--footprints", "nowhere.shp", "--crs", "EPSG:7415")
    assert said.code == 4
    assert "--overwrite" in said.err
    assert {path: path.read_bytes() for path in city.rglob("*") if path.is_file()} == before


def test_a_folder_that_is_no_city_is_never_replaced(run, tmp_path) -> None:
    (tmp_path / "thesis.doc").write_text("years of work")
    said = run("build", tmp_path, "--footprints", "a.shp", "--crs", "EPSG:7415", "--overwrite")
    assert said.code == 4
    assert (tmp_path / "thesis.doc").read_text() == "years of work"


def test_a_dry_run_prints_the_plan_and_writes_nothing(run, sample, tmp_path) -> None:
    said = run("build", tmp_path / "out", "--job", sample, "--dry-run")
    plan = json.loads(said.out)
    assert (said.code, said.err) == (0, "")
    assert (plan["footprints"], plan["addresses"], plan["cloud_files"]) == (12, 33, 1)
    assert os.listdir(tmp_path) == []


def test_a_dry_run_of_a_damaged_file_is_3(run, sample, tmp_path) -> None:
    (tmp_path / "a.geojson").write_text("{")
    said = run(
        *("build", tmp_path / "out", "--job", sample, "--dry-run"),
        *("--footprints", tmp_path / "a.geojson"),
    )
    assert (said.code, said.out) == (3, "")
    assert "a.geojson" in said.err


def test_a_city_with_errors_is_written_and_leaves_1(run, sample, tmp_path) -> None:
    """Floors alone, and no word on the geoid: the tiles stand at a wrong height."""
    said = run(
        *("build", tmp_path / "out", "--footprints", sample.parent / "footprints.shp"),
        *("--crs", "EPSG:4546+5737", "--workers", "1"),
    )
    assert said.code == 1
    assert said.err == ""
    line = next(line for line in said.out.splitlines() if line.startswith("ERROR"))
    assert "VERTICAL_DATUM_UNRESOLVED" in line
    assert "--undulation" in line
    assert len(cimkit.open_city(tmp_path / "out").buildings) == 12


def test_progress_is_shown_to_a_terminal_only(capsys, monkeypatch) -> None:
    Lines()("decode", 0, 2)
    Lines()("decode", 1, 2)
    assert capsys.readouterr() == ("", "")
    Lines()("compile", 0, 1)  # minutes: also a log says so
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("compiling the kernels, once")
    assert said.err.count("\n") == 1
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    lines = Lines()
    lines("decode", 1, 2)
    lines("decode", 2, 2)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\r") == 2
    assert said.err.endswith("\n")
