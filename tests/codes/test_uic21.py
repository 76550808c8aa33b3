"""Building codes: segments, check digits, and what is said about bad ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimkit.codes.uic21 import (
    SERIAL_MAX,
    mint,
    mint_all,
    parse,
    valid_all,
    validate,
    with_check,
)
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
        (
            "42100299010000100012",
            "20 of 21 digits: a spreadsheet drops leading zeros",
        ),
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


rows = st.tuples(digits(6), digits(6), digits(3), st.integers(1, SERIAL_MAX))


@given(st.lists(rows, min_size=1, max_size=8))
def test_many_codes_are_minted_as_one(segments: Any):
    expected = [mint(*row) for row in segments]
    assert mint_all(*zip(*segments, strict=True)).tolist() == expected
    county, class_code, _, serial = segments[0]
    assert mint_all(county, class_code, "001", [serial, 1]).tolist() == [
        mint(county, class_code, "001", serial),
        mint(county, class_code, "001", 1),
    ]
    assert valid_all(expected).all()


@given(
    st.lists(
        st.one_of(
            st.text(st.sampled_from("0123456789-０１－ O"), max_size=26),
            st.builds(lambda row: with_check(mint(*row)), rows),
            st.builds(lambda row, k: with_check(mint(*row))[:k], rows, st.integers(15, 24)),
            st.builds(lambda row: f" {mint(*row)}　", rows),
            st.text(max_size=25),
        ),
        max_size=6,
    )
)
def test_many_codes_are_validated_as_one(codes: list[str]):
    assert valid_all(codes).tolist() == [not validate(code) for code in codes]


def test_no_codes():
    assert mint_all("421002", "990100", "001", []).shape == (0,)
    assert valid_all([]).shape == (0,)


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        (
            (["421002", "42100"], "990100", "001", [1, 2]),
            "county: row 1: 6 digits, not '42100'",
        ),
        (("421002", ["99010a"], "001", [1]), "class_code: row 0: 6 digits"),
        (("421002", "990100", ["001", "００１"], [1, 2]), "township: row 1: 3 digits"),
        (("421002", "990100", "001", [1, 0]), "serial: row 1: 1 to 999,999, not 0"),
        (("421002", "990100", "001", [SERIAL_MAX + 1]), "serial: row 0"),
    ],
)
def test_the_first_bad_row_is_named(segments: Any, message: str):
    with pytest.raises(ParameterError, match=message):
        mint_all(*segments)


def test_segments_of_another_number_of_rows_are_refused():
    with pytest.raises(ParameterError, match="township: 3 rows for 2 serials"):
        mint_all("421002", "990100", ["001"] * 3, np.array([1, 2]))
