"""Every change of a register is a row, and no history of builds gives a code twice."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cimkit.errors import StoreError
from cimkit.register.geopackage import (
    activate,
    read_descent,
    read_history,
    read_register,
    read_register_reviews,
    register_crs,
    reserve,
)
from cimkit.steps.encode import encode
from cimkit.tables import Footprints
from cimkit.tables.changes import Origin
from cimkit.tables.coderecords import CodeRecords
from cimkit.tables.reviews import Reviews

CRS = "EPSG:4546+5737"
X, Y = 500_000, 3_300_000
SLOTS = 6


def row_of_houses(pieces: list[tuple[int, int]]) -> Footprints:
    """Houses in a row of `SLOTS` plots of 10 m, each from one plot to another."""
    shapes = [shapely.box(X + 10 * a, Y, X + 10 * b, Y + 8) for a, b in pieces]
    return Footprints.from_polygons([f"{a}-{b}" for a, b in pieces], shapes, crs=CRS)


def build(path: Path, city: Footprints, *, dies: bool = False, **origin: str) -> Any:
    """One build: read, encode, reserve, activate."""
    made = encode(city, read_register(path, CRS))
    why = Origin(**origin)
    reserve(path, made.fresh, origin=why)
    if not dies:
        activate(path, made.codes, city, made.retired, lineage=made.lineage, origin=why)
    return made


def replayed(path: Path) -> dict[str, dict[str, Any]]:
    """The register as its history alone tells it."""
    state: dict[str, dict[str, Any]] = {}
    for change in read_history(path):
        before, after = json.loads(change.before), json.loads(change.after)
        if change.change == "reviewed" or "supersedes" in after:
            continue
        own = state.setdefault(change.code, {})
        assert {name: own[name] for name in before} == before
        own |= after
    return state


def held(path: Path) -> dict[str, dict[str, Any]]:
    """The register as its table of codes holds it."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT code, state, building_id, geom FROM codes").fetchall()
    return {c: {"state": s, "building_id": b, "outline": g.hex()} for c, s, b, g in rows}


def test_each_change_says_what_was_and_why(tmp_path):
    path = tmp_path / "r.gpkg"
    all_there, one_gone = [(0, 1), (2, 3), (5, 6)], [(0, 1), (5, 6)]
    build(path, row_of_houses(all_there), data_set="1.shp sha256 0a", as_of="2026-01-01")
    build(path, row_of_houses(one_gone), data_set="2.shp sha256 0b")
    build(path, row_of_houses(all_there))
    changes = read_history(path)
    assert [c.number for c in changes] == list(range(1, len(changes) + 1))
    second = [c for c in changes if c.code.endswith("2")]
    assert [c.change for c in second] == ["reserved", "activated", "retired", "revived"]
    assert json.loads(second[2].before) == {"state": "active"}
    assert json.loads(second[2].after) == {"state": "retired"}
    assert second[0].as_of == "2026-01-01"
    assert (second[2].as_of, second[2].data_set) == ("", "2.shp sha256 0b")
    assert {c.cause for c in changes} == {"build"}


def test_a_build_without_news_adds_nothing(tmp_path):
    path = tmp_path / "r.gpkg"
    build(path, row_of_houses([(0, 2), (3, 4)]))
    before = read_history(path)
    build(path, row_of_houses([(0, 2), (3, 4)]))
    assert read_history(path) == before


def test_splits_and_merges_are_told(tmp_path):
    path = tmp_path / "r.gpkg"
    first = build(path, row_of_houses([(0, 3), (4, 5), (5, 6)])).codes.tolist()
    made = build(path, row_of_houses([(0, 1), (1, 3), (4, 6)]))
    assert made.codes[1] == first[0]
    assert made.codes[2] in first[1:]
    lost = next(code for code in first[1:] if code != made.codes[2])
    found = set(zip(*(column.tolist() for column in read_descent(path)), strict=True))
    assert found == {(made.codes[0], first[0], "split"), (made.codes[2], lost, "merged")}
    told = [c for c in read_history(path) if c.change in ("split", "merged")]
    assert {json.loads(c.after)["supersedes"] for c in told} == {first[0], lost}


def test_one_house_in_three_parts_keeps_its_code(tmp_path):
    """No part has half of it: intersection over union alone would lose the code."""
    path = tmp_path / "r.gpkg"
    (code,) = build(path, row_of_houses([(0, 6)])).codes.tolist()
    made = build(path, row_of_houses([(0, 2), (2, 3), (3, 6)]))
    assert made.codes[2] == code
    assert made.retired.tolist() == []
    assert made.lineage.kind.tolist() == ["split", "split"]


def test_a_register_from_before_history_is_carried_on(tmp_path):
    path = tmp_path / "r.gpkg"
    codes = build(path, row_of_houses([(0, 1), (2, 3), (5, 6)])).codes.tolist()
    with closing(sqlite3.connect(path)) as connection:
        for table in ("history", "reviews", "lineage", "register_format"):
            connection.execute(f"DROP TABLE {table}")
            connection.execute("DELETE FROM gpkg_contents WHERE table_name = ?", (table,))
        connection.commit()
    assert read_history(path) == []
    assert len(read_descent(path).code) == 0
    made = build(path, row_of_houses([(0, 1), (4, 5), (5, 6)]))
    assert made.codes[[0, 2]].tolist() == codes[::2]
    assert [c.change for c in read_history(path)] == ["reserved", "retired", "activated"]


def test_a_register_of_a_newer_version_is_left_as_it_was(tmp_path):
    path = tmp_path / "r.gpkg"
    build(path, row_of_houses([(0, 1)]))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE register_format SET version = 99")
        connection.commit()
    before = path.read_bytes()
    nothing = CodeRecords.empty(CRS)
    for act in (
        lambda: read_register(path, CRS),
        lambda: reserve(path, nothing),
        lambda: read_history(path),
    ):
        with pytest.raises(StoreError, match="register of format 99, this cimkit knows 2"):
            act()
    assert path.read_bytes() == before


@pytest.mark.parametrize("read", [read_history, read_descent, register_crs])
def test_a_register_that_is_not_there_is_not_made(tmp_path, read):
    with pytest.raises(StoreError, match="does not exist"):
        read(tmp_path / "r.gpkg")
    assert not (tmp_path / "r.gpkg").exists()


def decided(*rows: tuple[str, ...]) -> Reviews:
    """Rows of address, code, decision, new building, reviewer."""
    return Reviews(*map(list, zip(*((*row, "", "s.csv") for row in rows), strict=True)))


def test_the_last_decision_of_each_person_is_kept_and_those_before_in_the_history(tmp_path):
    path, city = tmp_path / "r.gpkg", row_of_houses([(0, 1)])
    made = build(path, city)
    code = str(made.codes[0])
    assert len(read_register_reviews(path)) == 0
    first = decided(("1", code, "accepted", "", "李"), ("1", code, "rejected", "", "王"))
    activate(path, made.codes, city, made.retired, reviews=first)
    activate(path, made.codes, city, made.retired, reviews=first)
    second = decided(("1", code, "edited", "x", "李"))
    activate(path, made.codes, city, made.retired, reviews=second)
    kept = read_register_reviews(path)
    assert list(zip(kept.reviewer.tolist(), kept.decision.tolist(), strict=True)) == [
        ("李", "edited"),
        ("王", "rejected"),
    ]
    told = [c for c in read_history(path) if c.change == "reviewed"]
    assert len(told) == 3
    assert json.loads(told[2].before)["decision"] == "accepted"
    assert json.loads(told[2].after)["new_building"] == "x"
    assert read_register_reviews(tmp_path / "absent.gpkg").rows() == []


@st.composite
def cities(draw):
    """A row of houses: each plot is empty, or belongs to a house of one or more plots."""
    pieces, at = [], 0
    while at < SLOTS:
        length = draw(st.integers(1, 3))
        if draw(st.booleans()):
            pieces.append((at, min(at + length, SLOTS)))
        at += length
    return pieces or [(0, 1)]


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(cities(), st.sampled_from(["", "dies", "rival"])), max_size=7))
def test_no_history_gives_a_code_twice(tmp_path_factory, steps):
    """Builds, deaths between reserve and activate, and rivals that read before and write after.

    The model: codes once given out stay with their first building; what still stands as it was
    keeps its code; the history alone tells the register.
    """
    folder = tmp_path_factory.mktemp("r")
    path = folder / "r.gpkg"
    born: dict[str, int] = {}
    standing: dict[str, str] = {}
    for number, (pieces, fate) in enumerate(steps):
        city = row_of_houses(pieces)
        rival = encode(row_of_houses([(0, SLOTS)]), read_register(path, CRS))
        made = build(path, city, dies=fate == "dies")
        for code in made.fresh.code.tolist():
            assert code not in born
            born[code] = number
        names = city.building_id.tolist()
        for name, code in zip(names, made.codes.tolist(), strict=True):
            assert standing.get(name, code) == code
        if fate != "dies":
            standing = dict(zip(names, made.codes.tolist(), strict=True))
        if fate == "rival" and set(rival.fresh.code.tolist()) & set(made.fresh.code.tolist()):
            before = path.read_bytes()
            with pytest.raises(StoreError, match="another build took the same codes"):
                reserve(path, rival.fresh)
            assert path.read_bytes() == before
    if steps:
        assert replayed(path) == held(path)
        active = {c: v["building_id"] for c, v in held(path).items() if v["state"] == "active"}
        inside = {code: name for name, code in standing.items()}
        assert inside.items() <= active.items()
    shutil.rmtree(folder)
