"""``cimkit sample`` and ``cimkit demo``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import cimkit


def test_the_same_seed_gives_the_same_files(run, sample, tmp_path) -> None:
    said = run("sample", tmp_path / "again", "--buildings", 12, "--seed", 3)
    assert (said.code, said.err) == (0, "")
    assert f"cimkit build city --job {tmp_path / 'again' / 'city.toml'}" in said.out
    files = sorted(path.relative_to(sample.parent) for path in sample.parent.rglob("*.*"))
    assert len(files) >= 9
    for name in files:
        assert (tmp_path / "again" / name).read_bytes() == (sample.parent / name).read_bytes()


def test_a_sample_without_buildings_is_refused(run, tmp_path) -> None:
    assert run("sample", tmp_path / "none", "--buildings", 0).code == 2
    assert run("sample", tmp_path / "none", "--seed", -1).code == 2
    assert not (tmp_path / "none").exists()


def test_every_flag_reaches_the_city(run, tmp_path) -> None:
    flags = "--cloud none --rooms --second-epoch --jitter 2 --wrong-township 0.1"
    more = "--without-coordinates 1 --typing-variants 0.5"
    said = run("sample", tmp_path, "--buildings", 3, *flags.split(), *more.split())
    assert said.code == 0
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert {"addresses_full.csv", "epoch2/truth_changes.csv", "divisions.gpkg"} <= names
    assert not any(name.endswith(".laz") for name in names)
    rows = (tmp_path / "addresses.csv").read_text(encoding="utf-8-sig").splitlines()
    assert all(row.split(",")[2:4] == ["", ""] for row in rows[1:])


@pytest.mark.parametrize("wrong", ["--cloud mesh", "--jitter -1", "--wrong-township 1.5"])
def test_flags_out_of_range_are_refused(run, tmp_path, wrong) -> None:
    assert run("sample", tmp_path / "none", *wrong.split()).code == 2
    assert not (tmp_path / "none").exists()


def test_a_demo_is_a_sample_and_its_city(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cimkit", "demo"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "open cimkit-demo/city/report.html in a browser" in done.stdout
    city = cimkit.open_city(tmp_path / "cimkit-demo/city")
    assert city.counts["buildings"] == 120


def test_a_demo_does_not_replace_an_earlier_one(run, tmp_path) -> None:
    (tmp_path / "city").mkdir()
    said = run("demo", tmp_path)
    assert said.code == 4
    assert "--overwrite" in said.err
    assert not (tmp_path / "sample").exists()
