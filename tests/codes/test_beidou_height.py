"""Heights of the BeiDou grid against 80-digit arithmetic, above all at borders."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimkit.codes.beidou_height import (
    HEIGHT_LENGTHS,
    LAYER_MAX,
    LAYERS,
    RADIUS,
    height_code,
    height_faces,
)
from cimkit.errors import ParameterError


def pi() -> Decimal:
    """By Machin, 1706, to 80 digits."""

    def arctan_of_inverse(n: int) -> Fraction:
        return sum(
            (Fraction((-1) ** k, (2 * k + 1) * n ** (2 * k + 1)) for k in range(60)), Fraction()
        )

    value = 4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239))
    with localcontext(prec=80):
        return Decimal(value.numerator) / Decimal(value.denominator)


PI = pi()


def face(layer: int) -> Decimal:
    with localcontext(prec=80):
        return RADIUS * ((1 + PI / 180) ** (Decimal(layer) / LAYERS) - 1)


def literal_code(layer: int) -> str:
    """Bits of |n| from the lowest, as the standard lists them: a11 first."""
    bits = f"{abs(layer):031b}"
    ends = [31, 28, 25, 22, 19, 18, 14, 10, 9, 6]  # a11 to a3, then a1a2
    digits = [int(bits[low:high], 2) for high, low in pairwise(ends)]
    sheet = int(bits[:6], 2)
    return f"{int(layer < 0)}{sheet:02d}" + "".join(f"{d:X}" for d in reversed(digits))


def layers(magnitude: int = LAYER_MAX) -> st.SearchStrategy[int]:
    return st.integers(1 - magnitude, magnitude - 1)


@settings(deadline=None)
@given(st.one_of(layers(40_000), layers()))
def test_a_layer_holds_its_lower_border_and_not_its_upper(layer: int):
    at = float(face(layer))
    below = np.nextafter(at, -np.inf)
    assert height_code([at, below]).tolist() == [literal_code(layer), literal_code(layer - 1)]
    low, high = height_faces(literal_code(layer))
    assert (low.item(), high.item()) == (at, float(face(layer + 1)))


@settings(deadline=None)
@given(
    st.one_of(st.floats(-500, 9000), st.floats(-6.3e6, 9e8)).filter(lambda h: abs(h) > 1e-60)
)
def test_agrees_with_logarithms_of_80_digits(height: float):
    with localcontext(prec=80):
        ratio = (Decimal(height) + RADIUS) / RADIUS
        exact = ratio.ln() / (1 + PI / 180).ln() * LAYERS
        layer = int(exact.to_integral_value("ROUND_FLOOR"))
    if height == float(face(layer + 1)):  # the border itself is no float; this is the nearest
        layer += 1
    assert height_code(height).item() == literal_code(layer)


def test_borders_of_a_city_all_at_once():
    n = np.arange(-2000, 8000)
    low, high = height_faces([literal_code(k) for k in n.tolist() if k])
    assert height_code(low).tolist() == [literal_code(k) for k in n.tolist() if k]
    np.testing.assert_array_less(low, high)
    assert (high - low).min() > 0.0149


def test_check_values_of_the_standard():
    """C.13, in km: the faces of layers of one degree each. They were printed from floats."""
    for degrees, km in ((256, 528_680.1711252437), (255, 519_501.8341582395)):
        high = height_faces(literal_code(degrees * LAYERS - 1))[1]
        assert high.item() / 1000 == pytest.approx(km, rel=2e-14)
    low, _ = height_faces(literal_code(-256 * LAYERS))
    assert low.item() / 1000 == pytest.approx(-6302.106722602182, rel=1e-15)


@given(layers(), st.integers(1, 9))
def test_a_code_cut_off_names_the_layer_around(layer: int, level: int):
    low, high = height_faces([literal_code(layer), literal_code(layer)[: level + 2]])
    assert low[1] <= low[0] < high[0] <= high[1]
    assert height_code(low[0], level).item() == literal_code(layer)[: HEIGHT_LENGTHS[level]]
    assert height_code(low[1], level).item() == literal_code(layer)[: HEIGHT_LENGTHS[level]]


def test_layers_of_each_level_meet_without_gap():
    for level in range(1, 11):
        heights = np.linspace(-3000, 3000, 41)
        low, high = height_faces(height_code(heights, level))
        assert ((low <= heights) & (heights < high)).all()
        again, _ = height_faces(height_code(high, level))
        np.testing.assert_array_equal(again, high)


def test_the_digit_f_follows_the_formulas():
    """The text of the standard knows 0 to E; its formulas give F in 1,839.59 to 1,962.24 m."""
    low, high = height_faces("000000F")  # level 5
    assert low.round(2).item() == 1839.59
    assert high.round(2).item() == 1962.24
    below = height_code(np.linspace(0, np.nextafter(low.item(), 0), 5000))
    assert not any("F" in code for code in below.tolist())


def test_octal_digits_run_to_7():
    """C.5 carries above "1" in a8 to a11, a misprint: all eight digits occur."""
    codes = height_code(np.linspace(0, 200, 20_000)).tolist()
    for place in (8, 9, 10, 11):
        assert {code[place] for code in codes} == set("01234567")


def test_zero_lies_above_the_ellipsoid():
    tiny = np.nextafter(0, -1)
    assert height_code([0.0, -0.0, tiny]).tolist() == [*["0" * 12] * 2, "1" + "0" * 10 + "1"]
    with pytest.raises(ParameterError, match="position 1 "):
        height_faces("100000000000")


@pytest.mark.parametrize("height", [np.nan, np.inf, 1e9, -6.36e6, -np.inf])
def test_heights_without_a_layer_are_refused(height: float):
    with pytest.raises(ParameterError, match="height: row 1"):
        height_code([0.0, height])


@pytest.mark.parametrize(
    ("code", "position"),
    [
        ("200000000000", 1),
        ("0A0", 2),
        ("064", 2),
        ("0008", 4),
        ("00002", 5),
        ("00000G", 6),
        ("00000002", 8),
        ("000000008", 9),
        ("000000000008", 12),
    ],
)
def test_bad_codes_name_the_position(code: str, position: int):
    with pytest.raises(ParameterError, match=f"'{code}': position {position} "):
        height_faces(["000", code])


@pytest.mark.parametrize("code", ["", "0", "00", "0" * 13, "00０"])
def test_other_lengths_are_refused(code: str):
    with pytest.raises(ParameterError, match="characters"):
        height_faces(code)


@pytest.mark.parametrize("level", [0, 11])
def test_levels_are_1_to_10(level: int):
    with pytest.raises(ParameterError, match="level: 1 to 10"):
        height_code(0.0, level)
