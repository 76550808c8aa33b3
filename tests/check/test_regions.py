"""Two solids against each other: boxes, whose relations are known from their corners."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimkit.check import regions
from cimkit.check.regions import has_ring_of_contact, relate
from cimkit.check.solids import check_boundaries
from tests.check.bodies import bipyramid, boundaries, box, solid, turned


def triangles(shell):
    """Fans of convex faces."""
    rings = [np.array(ring, float) for [ring] in shell]
    return np.array([[r[0], r[k], r[k + 1]] for r in rings for k in range(1, len(r) - 1)])


corners = st.tuples(*[st.integers(0, 4)] * 3)
sizes = st.tuples(*[st.integers(1, 3)] * 3)


@settings(max_examples=80, deadline=None)
@given(corners, sizes, corners, sizes, st.floats(0, 3))
def test_boxes_relate_as_their_corners_say(low, size, other_low, other_size, turn):
    a, b = np.array(low), np.array(other_low)
    a_high, b_high = a + size, b + other_size
    common = np.minimum(a_high, b_high) - np.maximum(a, b)
    c, s = np.cos(turn), np.sin(turn)
    matrix = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1.0]])
    said = relate(
        triangles(box(*low, by=size)) @ matrix,
        triangles(box(*other_low, by=other_size)) @ matrix,
    )
    overlap = bool((common > 0).all())
    inside = bool((a <= b).all() and (b_high <= a_high).all())
    assert said.overlap == overlap
    assert said.equal == bool((a == b).all() and (a_high == b_high).all())
    assert said.share_face == (
        not overlap and sorted(common > 0) == [False, True, True] and bool((common >= 0).all())
    )
    assert said.second_inside == inside
    assert said.second_on_face == (inside and bool(((a == b) | (a_high == b_high)).any()))
    apart = bool((common < 0).any())
    within = bool((a < b).all() and (b_high < a_high).all())
    around = bool((b < a).all() and (a_high < b_high).all())
    assert said.touch == (not (apart or within or around))


@pytest.mark.parametrize(("inset", "expected"), [(0.0, True), (0.0001, False), (0.5, False)])
def test_a_ring_of_contact(inset, expected):
    assert has_ring_of_contact(triangles(box()), triangles(bipyramid(inset))) == expected


def test_what_overlaps_by_less_than_a_step_does_not():
    one = triangles(box())
    assert not relate(one, triangles(box(4 - 5e-7, 0, 0, by=(1, 1, 1)))).overlap
    assert relate(one, triangles(box(4 - 5e-6, 0, 0, by=(1, 1, 1)))).overlap


def test_solids_too_large_to_compare_are_named(monkeypatch):
    monkeypatch.setattr(regions, "RELATED_TRIANGLES_MAX", 3)
    void = solid(box(), turned(box(1, 1, 1, by=(1, 1, 1))))
    both = boundaries("CompositeSolid", [[box()], [box(1, 1, 1, by=(1, 1, 1))]])
    parts = boundaries("Solid", [[box()]], [[box()]], feature_id=["a", "a"])
    apart = boundaries(
        "Solid", [[box()]], [[box(9, 9, 9, by=(1, 1, 1))]], feature_id=["a", "a"]
    )
    for table in (void, both, parts):
        assert [fault.number for fault in check_boundaries(table)] == [999]
    assert check_boundaries(apart) == []
