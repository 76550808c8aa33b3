"""New codes are counted above all that were ever used, in any layout that says how."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimkit.codes import uic21
from cimkit.codes.layout import layout_of, valid_all
from cimkit.codes.numbering import building_numbering, next_codes, numbering_of
from cimkit.codes.schemes import layout
from cimkit.errors import LimitError, ParameterError
from cimkit.read.schemes import find_numbering

OURS = """
check = "mod_37_36"
segments = [
    { name = "county", length = 6, division = [1, 6] },
    { name = "number", length = 4, serial = true, least = 100 },
    { name = "kind", length = 1, symbols = "RCI", value = "R" },
    { name = "community", length = 3, division = [10, 12] },
    { name = "room", length = 4, optional = true },
]
"""

DIVISIONS = st.sampled_from(["", "421002", "421002001", "421002002", "421002001007"])


@given(st.lists(DIVISIONS, max_size=8), st.lists(DIVISIONS, max_size=8))
def test_codes_of_buildings_are_those_of_uic21(first, then):
    """Against the module that spells this scheme out."""
    numbering, last = building_numbering("110203"), dict[str, int]()
    expected = []
    for division in first + then:
        padded = division.ljust(9, "0")
        last[padded[:9]] = number = last.get(padded[:9], 0) + 1
        expected.append(uic21.mint(padded[:6], "110203", padded[6:9], number))
    made = next_codes(numbering, [], first).tolist()
    assert made + next_codes(numbering, made, then).tolist() == expected


@given(st.lists(DIVISIONS, min_size=1, max_size=12))
def test_in_a_layout_with_a_check_and_a_tail(divisions):
    rule = layout_of("ours", OURS)
    numbering = numbering_of(rule)
    made = next_codes(numbering, [], divisions)
    assert valid_all(rule, made).all()
    assert len(set(made.tolist())) == len(divisions)
    assert [code[10] for code in made.tolist()] == ["R"] * len(divisions)
    assert {code[6:10] for code in made.tolist()} <= {f"{n:04d}" for n in range(100, 112)}
    again = next_codes(numbering, made.tolist(), divisions)
    assert not set(made.tolist()) & set(again.tolist())


def test_codes_of_another_scheme_do_not_count():
    numbering = numbering_of(layout_of("ours", OURS))
    known = ["421002990100001000777", "4210020150R001", "嗯", ""]
    (code,) = next_codes(numbering, known, ["421002001001"]).tolist()
    assert code[:14] == "4210020100R001"
    (higher,) = next_codes(numbering, [code], ["421002001001"]).tolist()
    assert higher[:14] == "4210020101R001"


def test_used_up():
    numbering = numbering_of(layout_of("ours", OURS))
    (last,) = next_codes(numbering, ["4210029998R001*"], ["421002001001"]).tolist()
    assert last[:10] == "4210029999"
    with pytest.raises(LimitError, match="4 digits of number behind '421002' are used up"):
        next_codes(numbering, [last], ["421002001001"])


@pytest.mark.parametrize(
    ("segment", "words"),
    [
        ("{name = 'n', length = 3}", "n does not say where it comes from"),
        ("{name = 'n', length = 3, value = '001'}", "one segment counts"),
        ("{name = 'n', length = 3, value = '1'}", "value: 3 characters"),
        ("{name = 'n', length = 3, value = 'abc'}", "value: 3 characters"),
        ("{name = 'n', length = 3, division = [1, 2]}", "division: 3 digits"),
        ("{name = 'n', length = 3, division = [11, 13]}", "first and last digit"),
        ("{name = 'n', length = 3, division = ['1', '3']}", "first and last digit"),
        ("{name = 'n', length = 3, serial = true, value = '001'}", "either serial or value"),
        ("{name = 'n', length = 3, serial = true, symbols = 'ABC'}", "symbols: digits"),
        ("{name = 'n', length = 3, serial = 1}", "serial: bool expected"),
    ],
)
def test_layouts_that_cannot_be_counted(segment, words):
    with pytest.raises(ParameterError, match=words):
        numbering_of(layout_of("ours", f"segments = [{segment}]"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sz25", "code_scheme: sz25: segment grid does not say"),
        ("bdc28", "code_scheme: bdc28 is given out by the land registry"),
        ("bdgrid32", "code_scheme: uic21 or a layout file"),
        ("ours", "code_scheme: uic21 or a layout file"),
    ],
)
def test_schemes_that_give_no_codes_to_buildings(name, words):
    with pytest.raises(ParameterError, match=words):
        find_numbering(name, "990100")


def test_shenzhen_is_one_line_from_use():
    """Its file says all but the grid, which no division tells."""
    silent = [s.name for s in layout("sz25").segments if not (s.division or s.is_serial)]
    assert silent == ["grid", "room"]
