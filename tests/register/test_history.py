"""Every change of a register is a row, and no history of builds gives a code twice."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from cimkit.errors import StoreError
from cimkit.register import (
    open_register,
    read_descent,
    read_history,
    read_register,
    read_register_reviews,
    register_crs,
    reserve,
    save_reviews,
)
from cimkit.tables.coderecords import CodeRecords
from tests.register.registers import (
    CRS,
    build,
    decided,
    held,
    replayed,
    row_of_houses,
    states,
    tables,
)


def test_each_change_says_what_was_and_why(place):
    all_there, one_gone = [(0, 1), (2, 3), (5, 6)], [(0, 1), (5, 6)]
    build(place, row_of_houses(all_there), data_set="1.shp sha256 0a", as_of="2026-01-01")
    build(place, row_of_houses(one_gone), data_set="2.shp sha256 0b")
    build(place, row_of_houses(all_there))
    changes = read_history(place)
    assert [c.number for c in changes] == list(range(1, len(changes) + 1))
    second = [c for c in changes if c.code.endswith("2")]
    assert [c.change for c in second] == ["reserved", "activated", "retired", "revived"]
    assert json.loads(second[2].before) == {"state": "active"}
    assert json.loads(second[2].after) == {"state": "retired"}
    assert second[0].as_of == "2026-01-01"
    assert (second[2].as_of, second[2].data_set) == ("", "2.shp sha256 0b")
    assert {c.cause for c in changes} == {"build"}


def test_a_build_without_news_adds_nothing(place):
    build(place, row_of_houses([(0, 2), (3, 4)]))
    before = read_history(place)
    build(place, row_of_houses([(0, 2), (3, 4)]))
    assert read_history(place) == before


def test_splits_and_merges_are_told(place):
    first = build(place, row_of_houses([(0, 3), (4, 5), (5, 6)])).codes.tolist()
    made = build(place, row_of_houses([(0, 1), (1, 3), (4, 6)]))
    assert made.codes[1] == first[0]
    assert made.codes[2] in first[1:]
    lost = next(code for code in first[1:] if code != made.codes[2])
    found = set(zip(*(column.tolist() for column in read_descent(place)), strict=True))
    assert found == {(made.codes[0], first[0], "split"), (made.codes[2], lost, "merged")}
    told = [c for c in read_history(place) if c.change in ("split", "merged")]
    assert {json.loads(c.after)["supersedes"] for c in told} == {first[0], lost}


def test_one_house_in_three_parts_keeps_its_code(place):
    """No part has half of it: intersection over union alone would lose the code."""
    (code,) = build(place, row_of_houses([(0, 6)])).codes.tolist()
    made = build(place, row_of_houses([(0, 2), (2, 3), (3, 6)]))
    assert made.codes[2] == code
    assert made.retired.tolist() == []
    assert made.lineage.kind.tolist() == ["split", "split"]


def test_a_register_from_before_history_is_carried_on(tmp_path):
    place = tmp_path / "r.gpkg"
    codes = build(place, row_of_houses([(0, 1), (2, 3), (5, 6)])).codes.tolist()
    with closing(sqlite3.connect(place)) as connection:
        for table in ("history", "reviews", "lineage", "register_format"):
            connection.execute(f"DROP TABLE {table}")
            connection.execute("DELETE FROM gpkg_contents WHERE table_name = ?", (table,))
        connection.commit()
    assert read_history(place) == []
    assert len(read_descent(place).code) == 0
    made = build(place, row_of_houses([(0, 1), (4, 5), (5, 6)]))
    assert made.codes[[0, 2]].tolist() == codes[::2]
    assert [c.change for c in read_history(place)] == ["reserved", "retired", "activated"]


def test_a_register_of_a_newer_version_is_left_as_it_was(place):
    build(place, row_of_houses([(0, 1)]))
    with open_register(place).session(write=True) as session:
        session.change("UPDATE register_format SET version = 99")
    before = tables(place)
    nothing = CodeRecords.empty(CRS)
    for act in (
        lambda: read_register(place, CRS),
        lambda: reserve(place, nothing),
        lambda: read_history(place),
    ):
        with pytest.raises(StoreError, match="register of format 99, this cimkit knows 4"):
            act()
    back = "UPDATE register_format SET version = 4"
    with open_register(place).session(write=True) as session:
        session.change(back)
    assert tables(place) == before


@pytest.mark.parametrize("read", [read_history, read_descent, register_crs])
def test_a_register_that_is_not_there_is_not_made(place, read):
    for _ in range(2):
        with pytest.raises(StoreError, match="does not exist"):
            read(place)
    assert not open_register(place).is_there()


def test_the_last_decision_of_each_person_is_kept_and_those_before_in_the_history(
    new_place, place
):
    city = row_of_houses([(0, 1)])
    made = build(place, city)
    code = str(made.codes[0])
    assert len(read_register_reviews(place)) == 0
    first = decided(("1", code, "accepted", "", "李"), ("1", code, "rejected", "", "王"))
    save_reviews(place, first)
    save_reviews(place, first)
    second = decided(("1", code, "edited", "x", "李"))
    save_reviews(place, second)
    kept = read_register_reviews(place)
    assert list(zip(kept.reviewer.tolist(), kept.decision.tolist(), strict=True)) == [
        ("李", "edited"),
        ("王", "rejected"),
    ]
    told = [c for c in read_history(place) if c.change == "reviewed"]
    assert len(told) == 3
    assert json.loads(told[2].before)["decision"] == "accepted"
    assert json.loads(told[2].after)["new_building"] == "x"
    assert len(read_register_reviews(new_place())) == 0


def test_the_history_alone_tells_the_register(place):
    for pieces in ([(0, 3), (4, 5), (5, 6)], [(0, 1), (1, 3), (4, 6)], [(0, 3), (5, 6)]):
        build(place, row_of_houses(pieces))
        assert replayed(place) == held(place)
    assert set(states(place).values()) == {"active", "retired"}


def test_the_right_building_is_named_by_code_once_it_has_one(place):
    code = str(build(place, row_of_houses([(0, 1)])).codes[0])
    save_reviews(place, decided(("1", code, "edited", "3-4", "李")))
    build(place, row_of_houses([(0, 1), (5, 6)]))
    assert read_register_reviews(place).new_building.tolist() == ["3-4"]
    made = build(place, row_of_houses([(0, 1), (3, 4)]))
    assert read_register_reviews(place).new_building.tolist() == [made.codes[1]]
    build(place, row_of_houses([(0, 1), (3, 4)]))
    told = [c for c in read_history(place) if c.change == "reviewed"]
    assert [json.loads(c.after)["new_building"] for c in told] == ["3-4", made.codes[1]]
