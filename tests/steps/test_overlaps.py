"""Footprints that lie on each other: one rule, and the points follow it."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapely import Polygon, box

from cimkit.errors import LimitError
from cimkit.steps import overlaps
from cimkit.steps.clean import clean
from cimkit.steps.overlaps import EDGE_SHARE, SAME_SHARE, settle_overlaps
from cimkit.steps.singulate import singulate
from cimkit.tables import PointCloud
from tests import strategies as make
from tests.steps.test_clean import raw

HOUSE = box(0, 0, 10, 10)


def settle(*shapes, names=None):
    names = names or [chr(ord("a") + k) for k in range(len(shapes))]
    polygons = np.array([*shapes, None], dtype=object)[:-1]
    issues = settle_overlaps(polygons, names)
    return [(i.severity, i.code, i.id) for i in issues], polygons


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (HOUSE, ("ERROR", "FOOTPRINT_DUPLICATE", "b")),
        (Polygon([(10, 10), (0, 10), (0, 0), (10, 0)]), ("ERROR", "FOOTPRINT_DUPLICATE", "b")),
        (box(0, 0, 10, 10.9), ("ERROR", "FOOTPRINT_DUPLICATE", "b")),
        (box(1.1, 0, 10.5, 10), ("WARNING", "FOOTPRINT_OVERLAP", "a")),
        (box(0, 0, 10, 8.9), ("INFO", "FOOTPRINT_NESTED", "b")),
        (box(-5, -5, 25, 25), ("INFO", "FOOTPRINT_NESTED", "a")),
        (box(2, 2, 4, 4), ("INFO", "FOOTPRINT_NESTED", "b")),
        (box(9.9, 0, 20, 10), ("WARNING", "FOOTPRINT_OVERLAP", "b")),
        (box(9.9, 0, 12, 5), ("WARNING", "FOOTPRINT_OVERLAP", "a")),
        (box(5, 0, 15, 10), ("WARNING", "FOOTPRINT_OVERLAP", "b")),
        (box(9.995, 0, 20, 10), None),
        (box(10, 0, 20, 10), None),
        (box(10, 10, 20, 20), None),
        (box(11, 0, 20, 10), None),
        (None, None),
    ],
)
def test_two(other, found):
    rows, polygons = settle(HOUSE, other)
    assert rows == ([found] if found else [])
    assert (polygons[1] is None) == (other is None or (rows != [] and rows[0][0] == "ERROR"))


def test_which_one_stays_knows_no_order():
    ids = ["b31e", "bad_same_again", "a9"]
    for turn in range(3):
        names = [*ids[turn:], *ids[:turn]]
        rows, polygons = settle(HOUSE, HOUSE, HOUSE, names=names)
        assert [row[2] for row in rows] == ["b31e", "bad_same_again"]
        kept = [name for name, polygon in zip(names, polygons, strict=True) if polygon]
        assert kept == ["a9"]


def test_a_chain_of_copies_ends_where_they_differ_enough():
    """c repeats b, but b is gone; c and a are two buildings that overlap."""
    shapes = [box(0.7 * k, 0, 10 + 0.7 * k, 10) for k in range(3)]
    rows, _ = settle(*shapes)
    assert rows == [
        ("ERROR", "FOOTPRINT_DUPLICATE", "b"),
        ("WARNING", "FOOTPRINT_OVERLAP", "c"),
    ]


def test_one_row_names_all_partners():
    towers = [box(12 * k, 1, 12 * k + 3, 4) for k in range(5)]
    polygons = np.array([box(-1, 0, 70, 3), *towers])
    issues = settle_overlaps(polygons, ["podium", "t5", "t4", "t3", "t2", "t1"])
    assert [issue.id for issue in issues] == ["podium"]
    assert "30.00 m2" in issues[0].message
    assert "'t1', 't2', 't3' and 2 more" in issues[0].message


def test_a_tower_on_its_podium_keeps_its_points():
    footprints, issues = clean(raw(box(0, 0, 30, 30), box(5, 5, 15, 15), ids=["p", "t"]))
    cloud = PointCloud([10.0, 20.0, 5.0], [10.0, 20.0, 5.0], [60.0, 12.0, 60.0], [6, 6, 6])
    assert footprints.building_id[singulate(cloud, footprints)].tolist() == ["t", "p", "t"]
    assert [issue[:2] for issue in issues] == [("INFO", "FOOTPRINT_NESTED")]


@settings(max_examples=60)
@given(st.lists(make.polygons(), min_size=2, max_size=5), st.data())
def test_rows_are_what_areas_say_and_points_follow(shapes, data):
    moves = [(data.draw(st.integers(-9, 9)), data.draw(st.integers(-9, 9))) for _ in shapes]
    moved = [
        shapely.transform(s, lambda xy, d=d: np.round(xy + d, 3))
        for s, d in zip(shapes, moves, strict=True)
    ]
    names = data.draw(st.permutations([f"b{k}" for k in range(len(moved))]))
    footprints, issues = clean(raw(*moved, ids=names))
    assume(len(set(footprints.area.round(6))) == len(footprints))  # who is smaller is clear
    polygons = dict(zip(footprints.building_id.tolist(), footprints.polygons(), strict=True))
    rows = {(issue.code, issue.id) for issue in issues}
    assert len(polygons) + sum(code == "FOOTPRINT_DUPLICATE" for code, _ in rows) == len(moved)
    for name, one in polygons.items():
        smaller = [p for other, p in polygons.items() if p.area < one.area and other != name]
        larger = [p for other, p in polygons.items() if p.area > one.area and other != name]
        cut = [p.intersection(one).area / p.area for p in smaller]
        within = [p.intersection(one).area / one.area for p in larger]
        assert all(p.intersection(one).area <= SAME_SHARE * p.area for p in larger)
        is_overlap = any(EDGE_SHARE < share < 1 - EDGE_SHARE for share in cut)
        assert (("FOOTPRINT_OVERLAP", name) in rows) == is_overlap
        assert (("FOOTPRINT_NESTED", name) in rows) == any(s >= 1 - EDGE_SHARE for s in within)
    xy = np.random.default_rng(0).uniform(-30, 30, (200, 2))
    owner = singulate(PointCloud(xy[:, 0], xy[:, 1], 0 * xy[:, 0], [6] * 200), footprints)
    covered = np.array([shapely.covers(p, shapely.points(xy)) for p in footprints.polygons()])
    least = np.where(covered, footprints.area[:, None], np.inf).argmin(axis=0)
    assert owner.tolist() == np.where(covered.any(axis=0), least, -1).tolist()


def test_copies_by_the_thousand_are_cheap_and_others_a_limit(monkeypatch):
    rows, _ = settle(*[HOUSE] * 3000, names=[f"{k:04d}" for k in range(3000)])
    assert len(rows) == 2999
    monkeypatch.setattr(overlaps, "_PAIRS_SPARE", 100)
    near = [shapely.transform(HOUSE, lambda xy, k=k: xy + k / 1000) for k in range(300)]
    with pytest.raises(LimitError, match="OVERLAP_PAIRS_MAX"):
        settle(*near, names=[str(k) for k in range(300)])
