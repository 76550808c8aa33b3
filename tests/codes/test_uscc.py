"""Unified social credit codes: what is said about bad ones."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimkit.codes.modulus import SYSTEMS, check_characters
from cimkit.codes.uscc import LOOK_ALIKES, parse, validate
from cimkit.errors import ParameterError

CODE = "91110000600037341L"
ALPHABET = SYSTEMS["gb32100"].alphabet


@given(
    st.sampled_from(ALPHABET),
    st.sampled_from(ALPHABET),
    st.from_regex("[0-9]{6}", fullmatch=True),
    st.text(ALPHABET, min_size=9, max_size=9),
)
def test_every_code_with_the_right_check_is_valid(authority, kind, region, organisation):
    body = authority + kind + region + organisation
    check = check_characters("gb32100", body)
    assert validate(body + check) == []
    assert parse(body + check) == (authority, kind, region, organisation, check)


@given(st.text(ALPHABET, min_size=18, max_size=18))
def test_agrees_with_stdnum_where_that_applies(code: str):
    uscc = pytest.importorskip("stdnum.cn.uscc")
    if code[:8].isdigit():  # it asks for digits in the first two characters, too
        assert (validate(code) == []) == uscc.is_valid(code)


def test_published_code():
    assert parse(CODE) == ("9", "1", "110000", "600037341", "L")


def test_codes_of_agencies_begin_with_letters():
    body = "A1420000" + "600037341"
    assert validate(body + check_characters("gb32100", body)) == []


def test_full_width_small_and_blanks_are_read():
    wide = "".join(chr(ord(symbol) + 0xFEE0) for symbol in CODE.lower())
    assert parse(f"　{wide} ") == parse(CODE)


@pytest.mark.parametrize("letter", LOOK_ALIKES)
def test_look_alikes_are_named(letter: str):
    assert letter not in ALPHABET
    faults = validate(CODE[:10] + letter + CODE[11:])
    assert faults == [f"position 11 is {letter!r}, which no code has: {LOOK_ALIKES[letter]}?"]


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (CODE[:-1] + "M", "check is M, not L"),
        (CODE[:-1], "18 characters expected, not 17"),
        (CODE + "1", "18 characters expected, not 19"),
        ("", "18 characters expected, not 0"),
        ("91A10000600037341L", "position 3 is 'A', not a digit of the region"),
        ("91110000-60037341L", "position 9 is '-', neither a digit"),
        (91110000600037341, "text expected, not int"),
        (None, "text expected, not NoneType"),
    ],
)
def test_bad_codes_are_explained(code: Any, fault: str):
    assert any(reason.startswith(fault) for reason in validate(code))
    with pytest.raises(ParameterError, match=r"^code"):
        parse(code)
