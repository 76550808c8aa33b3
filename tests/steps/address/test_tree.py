"""Addresses that stand wrongly in the tree."""

from __future__ import annotations

from typing import Any

import shapely
from hypothesis import given
from hypothesis import strategies as st

from cimkit.steps.address.tree import check_tree
from cimkit.steps.link import link
from cimkit.tables import Addresses, Footprints
from cimkit.tables.elements import Elements

HOUSES = Footprints.from_polygons(["a", "b"], [shapely.box(x, 0, x + 8, 8) for x in (0, 20)])


def told(parents: list[str], kinds: list[str], x: list[float]) -> dict[str, str]:
    names = [str(k) for k in range(len(parents))]
    parts = Elements.of(len(names), parent_id=parents, kind=kinds)
    y = [4.0 + 0.0 * east for east in x]
    rows = Addresses(names, [f"甲{k}" for k in names], x, y, elements=parts)
    issues = check_tree(rows, link(rows, HOUSES)[0])
    assert {issue.code for issue in issues} <= {"ADDRESS_TREE"}
    return {issue.id: issue.message for issue in issues}


def test_a_sound_tree():
    kinds = ["院落", "建筑物", "单元", "楼层", "户室", "建筑物"]
    assert not told(["", "0", "1", "2", "3", ""], kinds, [4.0] * 5 + [24.0])


def test_the_address_above_is_missing():
    assert told(["9"], [""], [4.0]) == {"0": "the address above it (9) is not in the list"}


def test_a_kind_that_cannot_be_below():
    found = told(["", "0"], ["户室", "建筑物"], [4.0, 4.0])
    assert found == {"1": "is a 建筑物 below a 户室: one of the kinds is wrong"}


def test_branches_that_cross():
    found = told(["", "0"], ["建筑物", "单元"], [4.0, 24.0])
    assert found == {"1": "is in building b, the address above it in a: they cross"}


@given(st.data())
def test_circles_are_found_and_nothing_else(data: Any):
    """A row is on a circle if it comes back to itself."""
    n = data.draw(st.integers(1, 9))
    up = data.draw(st.lists(st.integers(-1, n - 1), min_size=n, max_size=n))
    parents = [str(k) if k >= 0 else "" for k in up]
    on_circle = set()
    for start in range(n):
        at = up[start]
        for _ in range(n):
            if at == start:
                on_circle.add(str(start))
            at = up[at] if at >= 0 else -1
    found = told(parents, [""] * n, [float("nan")] * n)
    assert {row for row, text in found.items() if "below itself" in text} == on_circle
