"""What people say about links goes before all rules, in any order, any number of times."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cimkit.errors import TableError
from cimkit.steps.link import link
from cimkit.steps.review import apply_reviews
from cimkit.tables import Addresses, Footprints
from cimkit.tables.reviews import Reviews

NAMES = ["a", "b", "c"]
CODES = np.array(["c1", "c2", "c3"], np.dtypes.StringDType())
SHAPES = [shapely.box(20 * k, 0, 20 * k + 10, 10) for k in range(3)]
CITY = Footprints.from_polygons(NAMES, SHAPES)
ADDRESSES = Addresses(
    ["1", "2", "3", "4"],
    ["1号", "2号", "3号", "4号"],
    [5.0, 25.0, 45.0, 500.0],
    [5.0, 5.0, 5.0, 500.0],
)
LINKS = link(ADDRESSES, CITY, codes=CODES)[0]


def reviews(*rows: tuple[str, ...]) -> Reviews:
    """Rows of address, code, decision, new building, reviewer."""
    whole = [(*row, *[""] * (5 - len(row)), "", "s.csv") for row in rows]
    return Reviews(*zip(*whole, strict=True)) if rows else Reviews.empty()


def applied(*rows: tuple[str, ...], links: Any = LINKS) -> tuple[Any, list[Any]]:
    return apply_reviews(links, reviews(*rows), ADDRESSES, CITY.building_id, CODES)


def told(links: Any) -> dict[tuple[str, str], tuple[str, str]]:
    columns = (links.address_id, links.building_id, links.rule, links.review_state)
    return {(a, b): (r, s) for a, b, r, s in zip(*(c.tolist() for c in columns), strict=True)}


BEFORE = {("1", "a"): ("R1", "auto"), ("2", "b"): ("R1", "auto"), ("3", "c"): ("R1", "auto")}


def test_nothing_said_changes_nothing():
    links, issues = applied()
    assert told(links) == told(LINKS) == BEFORE
    assert issues == []
    assert links.to_pandas().equals(LINKS.to_pandas())
    assert links.unlinked_id.tolist() == ["4"]


def test_accepted_rejected_edited():
    links, issues = applied(
        ("1", "c1", "accepted"), ("2", "c2", "rejected"), ("3", "c3", "edited", "a")
    )
    assert issues == []
    assert told(links) == {
        ("1", "a"): ("R1", "accepted"),
        ("3", "a"): ("REVIEW", "edited"),
    }
    assert links.unlinked_to_pandas().to_numpy().tolist() == [
        ["2", "REJECTED"],
        ["4", "TOO_FAR"],
    ]
    assert links.primary.tolist() == [False, True]  # both reviewed; the made one is surer
    assert links.confidence.tolist() == [0.95, 1.0]


def test_an_address_without_a_building_gets_one():
    links, _ = applied(("4", "", "edited", "c2"))
    assert told(links)["4", "b"] == ("REVIEW", "edited")
    assert len(links.unlinked_id) == 0
    assert links.primary[links.building_id == "b"].tolist() == [False, True]


def test_no_building_is_a_decision_too():
    """Accepted without a link, an address stays without, whatever the rules come to say."""
    links, _ = applied(("3", "", "accepted"))
    assert ("3", "c") not in told(links)
    assert "3" in links.unlinked_id.tolist()


def test_a_rule_that_changes_its_mind_does_not_overrule():
    """The first build linked 1 to a, a person accepted; now its point lies in b."""
    moved = Addresses(ADDRESSES.address_id, ADDRESSES.address_text, [25.0] * 4, [5.0] * 4)
    links, _ = link(moved, CITY, codes=CODES)
    assert ("1", "b") in told(links)
    after, _ = applied(("1", "c1", "accepted"), links=links)
    assert told(after)["1", "a"] == ("REVIEW", "accepted")
    assert ("1", "b") not in told(after)


@pytest.mark.parametrize(
    "rows",
    [
        [("1", "c1", "accepted", "", "李"), ("1", "c1", "rejected", "", "王")],
        [("1", "c1", "edited", "b", "李"), ("1", "c1", "edited", "c3", "王")],
        [("1", "c1", "edited", "b", "李"), ("1", "c1", "accepted", "", "王")],
        [("1", "c1", "edited", "b", "李"), ("1", "c2", "rejected", "", "王")],
        [("1", "", "accepted", "", "李"), ("1", "", "edited", "b", "王")],
    ],
)
def test_people_who_contradict_each_other_are_shown(rows):
    for order in (rows, rows[::-1]):
        links, issues = applied(*order)
        assert [(i.code, i.id) for i in issues] == [("REVIEW_CONFLICT", "1")]
        assert "李, 王 contradict" in issues[0].message or "王, 李" in issues[0].message
        assert told(links) == BEFORE
        conflict = links.conflicts[links.address_id == "1"].tolist()
        assert conflict == ["REVIEW_CONFLICT"]


def test_two_who_agree_are_no_conflict():
    links, issues = applied(
        ("1", "c1", "accepted", "", "李"), ("1", "c1", "accepted", "", "王")
    )
    assert issues == []
    assert told(links)["1", "a"] == ("R1", "accepted")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("9", "c1", "accepted", "", "李"), "the decision of 李 waits: no address 9"),
        (("1", "c9", "rejected"), "the decision of somebody waits: no building c9"),
        (("1", "c1", "edited", "x"), "no building x"),
    ],
)
def test_decisions_about_what_is_gone_wait(row, words):
    links, issues = applied(row)
    assert [issue.code for issue in issues] == ["REVIEW_STALE"]
    assert words in issues[0].message
    assert told(links) == BEFORE


@pytest.mark.parametrize(
    ("decision", "new"), [("maybe", ""), ("edited", ""), ("accepted", "b")]
)
def test_what_is_no_decision(decision, new):
    with pytest.raises(TableError):
        reviews(("1", "c1", decision, new))


ROWS = st.one_of(
    st.tuples(st.sampled_from("1234"), st.sampled_from(["c1", "c2", "c3"]),
              st.sampled_from(["accepted", "rejected"])),
    st.tuples(st.sampled_from("1234"), st.sampled_from(["c1", "c2", ""]), st.just("edited"),
              st.sampled_from(["a", "b", "c3"])),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(ROWS, max_size=6), st.randoms())
def test_any_order_and_any_number_of_times(rows, random):
    links, issues = applied(*rows)
    shuffled = [*rows, *rows]
    random.shuffle(shuffled)
    again, same = applied(*shuffled)
    assert again.to_pandas().equals(links.to_pandas())
    assert same == issues
    twice, _ = applied(*rows, links=links)
    assert told(twice).keys() == told(links).keys()
    disputed = {issue.id for issue in issues if issue.code == "REVIEW_CONFLICT"}
    name = dict(zip(CODES.tolist(), NAMES, strict=True)) | {n: n for n in NAMES}
    found = told(links)
    for row in rows:
        if row[0] in disputed:
            continue
        if row[2] == "accepted":
            assert found[row[0], name[row[1]]][1] in ("accepted", "edited")
        elif row[2] == "rejected":
            assert (row[0], name[row[1]]) not in found
        else:
            assert found[row[0], name[row[3]]][1] in ("edited", "accepted")
    linked = {a for a, _ in found}
    assert linked | set(links.unlinked_id.tolist()) == set("1234")
    for building in set(links.building_id.tolist()):
        assert links.primary[links.building_id == building].sum() == 1
