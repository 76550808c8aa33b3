"""What speaks against links is shown, kind by kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely

from cimkit.steps.link import link
from cimkit.steps.link_conflicts import mark_conflicts, said_divisions
from cimkit.tables import Addresses, Footprints
from cimkit.tables._columns import texts
from cimkit.tables.divisions import Divisions
from cimkit.tables.elements import Elements

TOWNS = Divisions(
    ["421002001", "421002002"],
    ["中山街道", "崇文街道"],
    [shapely.box(-50, -50, 500, 500), shapely.box(500, -50, 1200, 500)],
)


def houses(east: list[float]) -> Footprints:
    boxes = [shapely.box(x, 0, x + 8, 8) for x in east]
    return Footprints.from_polygons([f"h{k}" for k in range(len(east))], boxes)


def shown(
    written: list[str], x: list[float], east: list[float], **options: Any
) -> dict[str, set[str]]:
    """Kinds of conflicts of each address, from the issues; those of links must agree."""
    parts = options.pop("parts", {})
    names = [f"a{k}" for k in range(len(written))]
    here = Addresses(names, written, x, [4.0] * len(x), elements=Elements.of(len(x), **parts))
    links, _ = link(here, houses(east))
    links, issues = mark_conflicts(links, here, houses(east), **options)
    found: dict[str, set[str]] = {}
    for issue in issues:
        assert issue.code == "LINK_CONFLICT"
        found.setdefault(issue.id, set()).add(issue.message.split(":")[0])
    for name, kinds in zip(links.address_id.tolist(), links.conflicts.tolist(), strict=True):
        assert set(filter(None, kinds.split(";"))) <= found.get(name, set())
    return found


def test_a_calm_street_has_none():
    east = [0.0, 10, 20, 30]
    street = [f"中山街道向阳路{n}号" for n in (1, 3, 5, 7)]
    places = [x + 4 for x in east]
    division = texts("division", ["421002001"] * 4)
    codes = texts("codes", list("abcd"))
    assert not shown(
        *(street, places, east),
        codes=codes,
        division=division,
        divisions=TOWNS,
        as_of="2026-01-01",
    )


def test_one_code_for_two_buildings():
    found = shown(["甲1号"], [4.0], [0.0, 20], codes=texts("codes", ["c", "c"]))
    assert found == {"h1": {"DUPLICATE_CODE"}}


def test_one_address_on_two_buildings_far_apart():
    far = shown(["向阳路1号便民店"] * 2, [4.0, 204.0], [0.0, 200])
    assert far == {"a0": {"ADDRESS_TWICE"}, "a1": {"ADDRESS_TWICE"}}
    assert not shown(["向阳路1号便民店"] * 2, [4.0, 14.0], [0.0, 10])


def test_two_addresses_that_claim_one_building():
    found = shown(["向阳路1号", "望江路9号"], [3.0, 5.0], [0.0])
    assert found == {"a1": {"TWO_PRIMARIES"}}
    assert not shown(["向阳路1号", "向阳路1号附1号"], [3.0, 5.0], [0.0])


def test_a_township_in_which_the_building_does_not_stand():
    division = texts("division", ["421002001", "421002002001"])
    written = ["崇文街道向阳路1号", "崇文街道向阳路101号"]
    found = shown(written, [4.0, 604.0], [0.0, 600], division=division, divisions=TOWNS)
    assert found == {"a0": {"DIVISION_DIFFERS", "OUTSIDE_TOWNSHIP"}}
    parts = {"division": ["421002002", "421002002"]}
    found = shown(["甲", "乙"], [4.0, 604.0], [0.0, 600], division=division, parts=parts)
    assert found == {"a0": {"DIVISION_DIFFERS"}}


def test_a_point_outside_its_township_is_shown_without_a_link_too():
    found = shown(["崇文街道向阳路1号"], [100.0], [0.0], divisions=TOWNS)
    assert found == {"a0": {"OUTSIDE_TOWNSHIP"}}
    assert not shown(["崇文街道向阳路1号"], [470.0], [0.0], divisions=TOWNS)  # at the border


def test_a_number_out_of_order():
    east = [0.0, 10, 300, 30, 40]
    street = [f"向阳路{n}号" for n in (1, 3, 5, 7, 9)]
    assert shown(street, [x + 4 for x in east], east) == {"a2": {"OUT_OF_ORDER"}}
    even = [*street[:2], "向阳路4号", *street[3:]]
    assert not shown(even, [x + 4 for x in east], east)


def test_a_floor_that_the_building_does_not_have():
    boxes = [shapely.box(0, 0, 8, 8)]
    house = Footprints.from_polygons(["h0"], boxes, floors=[6])
    parts = Elements.of(4, floor=["6层", "7层", "", ""], room=["", "", "701室", "601室"])
    here = Addresses(list("abcd"), list("甲乙丙丁"), [4.0] * 4, [4.0] * 4, elements=parts)
    links, _ = link(here, house)
    links, issues = mark_conflicts(links, here, house)
    assert links.conflicts.tolist() == ["", "FLOOR_BEYOND", "FLOOR_BEYOND", ""]
    assert issues[0].message == "FLOOR_BEYOND: is on floor 7, but h0 has 6"


def test_an_address_out_of_force():
    parts = {"valid_to": ["2025-12-31", ""]}
    written, x, east = ["甲", "乙"], [4.0, 24.0], [0.0, 20]
    assert shown(written, x, east, parts=parts, as_of="2026-01-01") == {"a0": {"STALE"}}
    assert not shown(written, x, east, parts=parts, as_of="2025-06-30")
    assert not shown(written, x, east, parts=parts)


def test_a_column_goes_before_the_text_and_a_name_of_two_towns_says_nothing():
    parts = Elements.of(2, division=["421002001", ""])
    here = Addresses(
        ["1", "2"], ["崇文街道", "崇文街道"], [np.nan] * 2, [np.nan] * 2, elements=parts
    )
    assert said_divisions(here, TOWNS).tolist() == ["421002001", "421002002"]
    twins = Divisions(TOWNS.code, ["崇文街道"] * 2, TOWNS.polygons)
    assert said_divisions(here, twins).tolist() == ["421002001", ""]
