"""Addresses in registers: what each says, where it hangs, and every change of it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from cimkit.register import activate, activating, move_register, open_register, read_holdings
from cimkit.register.history import FORMAT
from cimkit.steps.link import link
from cimkit.tables import Addresses
from cimkit.tables._columns import TEXT
from cimkit.tables.addressrecords import StandingAddresses
from cimkit.tables.changes import Origin
from cimkit.tables.elements import Elements
from tests.register.registers import CRS, build, city

NOBODY = np.empty(0, dtype=TEXT)


def settle(
    place: str, slots: list[int], rows: dict[str, tuple[str, float]], **parts: Any
) -> Any:
    """A build of houses on some plots, with addresses by text and place on the row of plots."""
    houses = city(slots)
    made = build(place, houses)
    x0, y0, _, y1 = houses.bounds[0] - [20.0 * slots[0], 0, 0, 0]
    names = list(rows)
    here = Addresses(
        names,
        [rows[name][0] for name in names],
        [x0 + rows[name][1] for name in names],
        [(y0 + y1) / 2] * len(names),
        crs=CRS,
        elements=Elements.of(len(names), **parts),
    )
    links, _ = link(here, houses)
    standing = StandingAddresses(here, links, houses.building_id, made.codes)
    origin = Origin("build", "addresses.csv sha256 1", "2026-01-01")
    with activating(place, made.codes, houses, NOBODY, addresses=standing, origin=origin):
        pass
    return made.codes.tolist()


def hung(place: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in read_holdings(place).links:
        found.setdefault(row["address_id"], []).append(row["building_code"])
    return found


def replayed(place: str) -> dict[str, dict[str, Any]]:
    """The addresses as their history alone tells them."""
    state: dict[str, dict[str, Any]] = {}
    for change in read_holdings(place).changes:
        name = change["address_id"]
        assert state.get(name, {}) == json.loads(change["before"])
        state[name] = json.loads(change["after"])
    return state


def test_what_is_said_stands_there_with_its_tree_and_links(place):
    rows = {"1": ("甲1号", 2.0), "2": ("甲1号2单元", 2.0), "3": ("公园", 900.0)}
    kinds = {"kind": ["建筑物", "单元", ""], "parent_id": ["", "1", ""]}
    (code, _) = settle(place, [0, 1], rows, **kinds)
    held = {row["address_id"]: row for row in read_holdings(place).addresses}
    assert [held[n]["address_text"] for n in "123"] == ["甲1号", "甲1号2单元", "公园"]
    assert (held["2"]["kind"], held["2"]["parent_id"]) == ("单元", "1")
    assert {row["state"] for row in held.values()} == {"active"}
    assert hung(place) == {"1": [code], "2": [code]}
    assert [c["change"] for c in read_holdings(place).changes] == ["added"] * 3


def test_each_change_is_a_row_and_nothing_else_is(place):
    first = {"1": ("甲", 2.0), "2": ("乙", 22.0)}
    settle(place, [0, 1], first)
    settle(place, [0, 1], first)
    assert len(read_holdings(place).changes) == 2
    codes = settle(place, [0, 1], {"1": ("甲甲", 2.0), "2": ("乙", 2.0)})
    changes = read_holdings(place).changes[2:]
    assert [(c["address_id"], c["change"]) for c in changes] == [
        ("1", "changed"),
        ("2", "changed"),
    ]
    assert json.loads(changes[0]["before"])["address_text"] == "甲"
    assert (changes[0]["cause"], changes[0]["as_of"]) == ("build", "2026-01-01")
    assert hung(place) == {"1": codes[:1], "2": codes[:1]}
    assert read_holdings(place, address_id="2").changes == [
        c for c in read_holdings(place).changes if c["address_id"] == "2"
    ]
    assert {n: len(s["links"]) for n, s in replayed(place).items()} == {"1": 1, "2": 1}


def test_an_address_that_is_gone_retires_and_may_come_back(place):
    rows = {"1": ("甲", 2.0), "2": ("乙", 22.0)}
    settle(place, [0, 1], rows)
    settle(place, [0, 1], {"1": ("甲", 2.0)})
    assert {r["address_id"]: r["state"] for r in read_holdings(place).addresses} == {
        "1": "active",
        "2": "retired",
    }
    assert list(hung(place)) == ["1"]
    settle(place, [0, 1], rows)
    told = [c["change"] for c in read_holdings(place, address_id="2").changes]
    assert told == ["added", "retired", "revived"]
    assert replayed(place)["2"]["address_text"] == "乙"


def test_the_addresses_of_another_city_stay(place):
    """Both share the register; neither has the other's buildings."""
    settle(place, [0, 1], {"1": ("甲", 2.0)})
    settle(place, [40, 41], {"9": ("乙", 802.0)})
    settle(place, [0, 1], {"1": ("甲", 2.0)})
    assert {r["address_id"]: r["state"] for r in read_holdings(place).addresses} == {
        "1": "active",
        "9": "active",
    }


def test_a_build_without_addresses_leaves_them(place):
    settle(place, [0, 1], {"1": ("甲", 2.0)})
    houses = city([0, 1])
    activate(place, build(place, houses).codes, houses, NOBODY)
    assert len(hung(place)) == 1


def test_a_register_from_before_gets_its_tables(place):
    houses = city([0])
    made = build(place, houses)
    with open_register(place).session(write=True) as session:
        for name in ("addresses", "links", "address_history"):
            session.change(f"DROP TABLE {name}")
            if session.has("gpkg_contents"):
                session.change("DELETE FROM gpkg_contents WHERE table_name = ?", [(name,)])
        session.change("UPDATE register_format SET version = 2")
    assert read_holdings(place).addresses == []
    settle(place, [0], {"1": ("甲", 2.0)})
    assert hung(place) == {"1": made.codes.tolist()}
    with open_register(place).session(write=False) as session:
        assert session.read("SELECT max(version) FROM register_format") == [(FORMAT,)]


def test_they_move_without_loss(new_place):
    here, there = new_place(), new_place()
    settle(here, [0, 1], {"1": ("甲", 2.0), "2": ("=乙", 22.0)})
    before = read_holdings(here)
    moved = move_register(here, there)
    assert read_holdings(there) == before
    assert (moved.addresses, moved.links, moved.address_history) == (2, 2, 2)


def test_nothing_is_written_if_the_city_is_not(place):
    settle(place, [0, 1], {"1": ("甲", 2.0)})
    houses = city([0, 1])
    made = build(place, houses)
    here = Addresses(
        ["7"], ["丙"], [houses.bounds[0, 0] + 1], [houses.bounds[0, 1] + 1], crs=CRS
    )
    standing = StandingAddresses(here, link(here, houses)[0], houses.building_id, made.codes)
    with (
        pytest.raises(RuntimeError),
        activating(place, made.codes, houses, NOBODY, addresses=standing),
    ):
        raise RuntimeError
    assert list(hung(place)) == ["1"]
