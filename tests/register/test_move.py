"""A register moves between back ends without loss, and never serves from two places."""

from __future__ import annotations

import pytest

import cimkit.register.move as move
from cimkit.errors import StoreError
from cimkit.register import (
    move_register,
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
    city,
    decided,
    numbers,
    row_of_houses,
    states,
    tables,
)

LOCAL = "+proj=tmerc +lon_0=112.25 +x_0=500000 +ellps=GRS80 +units=m"


@pytest.fixture
def other(request, tmp_path, new_place):
    """A place on the other back end."""
    if new_place().startswith("postgresql"):
        return str(tmp_path / "moved.gpkg")
    return request.getfixturevalue("postgres").url(f"moved{next(numbers)}")


@pytest.fixture
def full(place):
    """A register in which everything has happened."""
    made = build(place, row_of_houses([(0, 3), (4, 5), (5, 6)]), as_of="2026-01-01")
    build(place, row_of_houses([(0, 1), (1, 3), (4, 6)]), data_set="b.shp sha256 11")
    build(place, row_of_houses([(0, 3), (9, 10)]), dies=True)
    code = str(made.codes[0])
    rows = [("1", code, "accepted", "", "李"), ("1", code, "edited", "x'%?", "王")]
    save_reviews(place, decided(*rows))
    return place


def test_there_and_back_all_tables_are_equal(full, other, new_place):
    before = tables(full)
    assert min(map(len, before.values())) > 0
    moved = move_register(full, other)
    assert moved[:4] == tuple(len(before[name]) for name in moved._fields[:4])
    assert moved[4:] == (0, 0, 0)
    assert tables(other) == before
    assert register_crs(other) == register_crs(full) == "EPSG:4546"
    back = new_place()
    move_register(other, back)
    assert tables(back) == before
    pieces = [(0, 1), (1, 3), (4, 6), (7, 8)]
    made = build(back, row_of_houses(pieces))
    assert len(made.fresh) == 1
    assert not set(made.fresh.code.tolist()) & {row[1] for row in before["codes"]}
    assert [row[0] for row in tables(back)["history"]][-1] == len(tables(back)["history"])


def test_a_crs_without_a_number_moves_too(place, other, new_place):
    codes = build(place, city([0, 1], LOCAL)).codes.tolist()
    move_register(place, other)
    back = new_place()
    move_register(other, back)
    assert register_crs(back) == register_crs(other) == register_crs(place)
    assert build(back, city([0, 1], LOCAL)).codes.tolist() == codes


def test_the_old_one_can_be_read_but_gives_no_codes(full, other):
    before = tables(full)
    move_register(full, other)
    acts = [
        lambda: read_register(full, CRS),
        lambda: reserve(full, CodeRecords.empty(CRS)),
        lambda: save_reviews(full, decided(("1", "c", "accepted", "", "李"))),
        lambda: move_register(full, f"{other}2"),
    ]
    for act in acts:
        with pytest.raises(StoreError, match=r"was moved to .*where the codes live now"):
            act()
    assert tables(full) == before
    assert read_history(full) == read_history(other)
    assert len(read_register(full, CRS, also_moved=True)) == len(before["codes"])
    assert len(read_register_reviews(full)) == 2
    assert len(read_descent(full).code) == len(before["lineage"])


def test_a_move_that_died_is_finished_by_the_same_move(full, other, monkeypatch):
    before = tables(full)

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(type_of_session(full), "create_table", die)
        with pytest.raises(KeyboardInterrupt):
            move_register(full, other)
    assert tables(full) == before
    assert states(full)
    move_register(full, other)
    assert tables(other) == before
    with pytest.raises(StoreError, match="was moved"):
        states(full)


def test_a_move_that_dies_while_copying_leaves_nothing(full, other, monkeypatch):
    before = tables(full)

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(move, "_rows", die)
        with pytest.raises(KeyboardInterrupt):
            move_register(full, other)
    assert tables(full) == before
    assert register_is_absent(other)
    move_register(full, other)
    assert tables(other) == before


def test_a_target_that_holds_another_register_is_refused(full, other):
    build(other, city([0]))
    before = tables(full), tables(other)
    with pytest.raises(StoreError, match="holds another register"):
        move_register(full, other)
    assert (tables(full), tables(other)) == before
    assert states(full)


def test_a_register_does_not_move_onto_itself(full):
    with pytest.raises(StoreError, match="is the register itself"):
        move_register(full, full)
    assert states(full)


def test_a_register_that_is_not_there_does_not_move(place, other):
    with pytest.raises(StoreError, match="does not exist"):
        move_register(place, other)
    assert register_is_absent(other)


def type_of_session(place):
    with open_register(place).session(write=False) as session:
        return type(session)


def register_is_absent(place):
    backend = open_register(place)
    if not backend.is_there():
        return True
    with backend.session(write=False) as session:  # SQLite leaves an empty file
        return not session.crs()
