"""Every benchmark runs at a tiny size, so that none rots; no figure is looked at."""

from __future__ import annotations

import math

from benchmarks.build_beside_decoding import PHASES, build_beside_decoding
from benchmarks.kernels_beside_oracles import kernels_beside_oracles
from benchmarks.measuring import Row, print_table
from benchmarks.points_in_footprints import addresses_beside_footprints, points_in_footprints
from benchmarks.steps_beside_decoding import steps_beside_decoding
from tests.oracles import ORACLES


def assert_measured(rows: list[Row]) -> None:
    assert rows
    assert all(math.isfinite(row.value) for row in rows)
    assert len({(row.group, row.name) for row in rows}) == len(rows)


def test_kernels():
    rows = kernels_beside_oracles(size=50, repeats=1)
    assert_measured(rows)
    assert [row.name for row in rows] == list(ORACLES)


def test_points_and_addresses(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.cities.has_real_block", lambda: False)
    monkeypatch.setattr("benchmarks.cities.BUILDINGS", 3)
    rows = points_in_footprints(tmp_path, repeats=1, peer_points=50)
    rows += addresses_beside_footprints(tmp_path, repeats=1, n=20)
    assert_measured(rows)


def test_steps(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.cities.has_real_block", lambda: False)
    monkeypatch.setattr("benchmarks.cities.BUILDINGS", 3)
    assert_measured(steps_beside_decoding(tmp_path, repeats=1))


def test_builds_and_the_table(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.cities.has_real_block", lambda: False)
    monkeypatch.setattr("benchmarks.cities.BUILDINGS", 1)
    rows = build_beside_decoding(tmp_path, (1, 2), compiled=True)
    assert_measured(rows)
    assert {row.name for row in rows} >= set(PHASES)
    print_table(rows)
    assert "Slope from 1 x 1 to 2 x 2" in capsys.readouterr().out
