"""Building codes: segments, check digits, and what is said about bad ones."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimkit.codes.uic21 import SERIAL_MAX, mint, parse, validate, with_check
from cimkit.errors import ParameterError

SAMPLE = "421002990100001000123"


def digits(n: int):
    return st.from_regex(rf"[0-9]{{{n}}}", fullmatch=True)


@given(digits(6), digits(6), digits(3), st.integers(1, SERIAL_MAX))
def test_round_trip(county: str, class_code: str, township: str, serial: int):
    code = mint(county, class_code, township, serial)
    assert len(code) == 21
    assert parse(code) == (county, class_code, township, serial)
    assert parse(with_check(code)) == (county, class_code, township, serial)
    assert validate(code) == validate(with_check(code)) == []


def test_example_of_the_plate():
    assert with_check(SAMPLE) == f"{SAMPLE}-65"


def test_full_width_digits_are_read():
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in SAMPLE)
    assert parse(f" {wide}－６５ ") == parse(SAMPLE)
    assert with_check(wide) == f"{SAMPLE}-65"


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("4210O2990100001000123", "position 5 is 'O', not a digit"),
        ("42100２99①100001000123", "position 9 is '①', not a digit"),
        ("42100299010000100012", "21 digits expected, not 20"),
        (SAMPLE + "4", "21 digits expected, not 22"),
        ("", "21 digits expected, not 0"),
        ("421002990100001000000", "serial 000000 is never given out"),
        (f"{SAMPLE}-66", "check digits are 66, not 65"),
        (f"{SAMPLE}-", "check digits are , not 65"),
        (421002990100001000123, "text expected, not int"),
        (4.21002990100001e20, "text expected, not float"),
    ],
)
def test_bad_codes_are_explained(code: Any, fault: str):
    assert any(reason.startswith(fault) for reason in validate(code))
    with pytest.raises(ParameterError, match=r"^code"):
        parse(code)


@pytest.mark.parametrize(
    ("segments", "name"),
    [
        (("42100", "990100", "001", 1), "county"),
        (("４21002", "990100", "001", 1), "county"),
        (("421002", "99010a", "001", 1), "class_code"),
        (("421002", "990100", "001\n", 1), "township"),
        (("421002", "990100", "001", 0), "serial"),
        (("421002", "990100", "001", SERIAL_MAX + 1), "serial"),
    ],
)
def test_bad_segments_are_refused(segments: Any, name: str):
    with pytest.raises(ParameterError, match=f"^{name}: "):
        mint(*segments)
