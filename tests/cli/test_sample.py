"""``cimkit sample`` and ``cimkit demo``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
