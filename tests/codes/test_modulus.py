"""MOD 97-10 against published vectors and what it promises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimkit.codes.modulus import mod_97_10
from cimkit.errors import ParameterError

bodies = st.from_regex(r"[0-9]{21}", fullmatch=True)


@pytest.mark.parametrize(
    ("digits", "check"),
    [
        ("99991234567890121414", "90"),
        ("4354111611551114", "31"),
        ("421002990100001000123", "65"),
        ("0", "98"),
    ],
)
def test_vectors(digits: str, check: str):
    assert mod_97_10(digits) == check


@given(bodies, st.data())
def test_every_slip_of_one_digit_or_two_neighbours_is_caught(body: str, data):
    place = data.draw(st.integers(0, len(body) - 2))
    other = data.draw(st.sampled_from("0123456789"))
    slip = body[:place] + other + body[place + 1 :]
    swap = body[:place] + body[place + 1] + body[place] + body[place + 2 :]
    for wrong in (slip, swap):
        assert (mod_97_10(wrong) == mod_97_10(body)) == (wrong == body)


@pytest.mark.parametrize("text", ["", "12a", "１２", "-1", "1.0"])
def test_other_characters_are_refused(text: str):
    with pytest.raises(ParameterError, match="only the digits"):
        mod_97_10(text)
