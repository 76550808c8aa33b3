"""``cimkit review``: a sheet out of a city."""

from __future__ import annotations

import pandas as pd


def test_a_sheet_of_a_city(run, sample, tmp_path) -> None:
    assert run("build", tmp_path / "city", "--job", sample, "--lod", "1.2").code in (0, 1)
    said = run("review", tmp_path / "city", tmp_path / "s.csv")
    assert said.code == 0
    table = pd.read_csv(tmp_path / "s.csv", dtype=str, keep_default_na=False)
    n_open = int((table["building_id"] == "").sum())
    assert said.out.endswith(
        f"s.csv: {len(table) - n_open:,} doubtful links, {n_open:,} addresses without one\n"
    )
    assert n_open
    assert run("review", tmp_path / "city", tmp_path / "s.csv").code == 4
    assert run("review", tmp_path / "city", tmp_path / "s.doc").code == 2
    assert run("review", tmp_path / "absent", tmp_path / "t.csv").code == 3
