"""BeiDou grid codes against the vectors of GB/T 39409-2020 and exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimkit.codes.beidou import beidou_code, beidou_corner
from cimkit.codes.beidou_cells import LENGTHS, UNITS
from cimkit.errors import ParameterError

SAMPLE = "N50J47539B8255346152"
SAMPLE_LON = 116 + 18 / 60 + 45.37 / 3600
SAMPLE_LAT = 39 + 59 / 60 + 35.38 / 3600

CUTS = [(12, 8), (2, 3), (15, 10), (15, 15), (2, 2), (8, 8), (8, 8), (8, 8), (8, 8)]


def slow_code(lon: Fraction, lat: Fraction, level: int) -> str:
    """The standard word by word, from the sheet down, in fractions."""
    column = lon // 6 + 31 if lon >= 0 else 30 - -lon // 6
    code = f"{'N' if lat >= 0 else 'S'}{column:02d}{chr(ord('A') + abs(lat) // 4)}"
    width, height = Fraction(6), Fraction(4)
    x, y = abs(lon) % width, abs(lat) % height
    for cut, (east, north) in enumerate(CUTS[: level - 1], start=2):
        width, height = width / east, height / north
        a, b = x // width, y // height
        x, y = x % width, y % height
        code += f"{2 * b + a}" if cut in (3, 6) else f"{a:X}{b:X}"
    return code


@pytest.mark.parametrize(
    ("level", "code"),
    [
        (1, "N50J"),
        (2, "N50J47"),
        (3, "N50J475"),
        (4, "N50J47539"),
        (5, "N50J47539B8"),
        (6, "N50J47539B82"),
        (7, "N50J47539B8255"),
        (8, "N50J47539B825534"),
        (10, SAMPLE),
    ],
)
def test_worked_example_of_the_standard(level: int, code: str):
    assert beidou_code(SAMPLE_LON, SAMPLE_LAT, level).tolist() == [code]


@pytest.mark.parametrize(
    ("lat", "lon", "level", "code"),
    [
        ((39, 59, 56.1444), (116, 19, 14.3184), 5, "N50J475493E"),
        ((39, 59, 59.7012), (116, 19, 5.9808), 5, "N50J475491E"),
        ((39, 59, 56.5260), (116, 19, 9.3540), 5, "N50J475492E"),
        ((30.3159, 0, 0), (112.2553, 0, 0), 8, "N49H843084E14427"),
        ((30.7092, 0, 0), (111.2905, 0, 0), 8, "N49H653226807413"),
    ],
)
def test_other_published_places(
    lat: tuple[float, ...], lon: tuple[float, ...], level: int, code: str
):
    x, y = (d + m / 60 + s / 3600 for d, m, s in (lon, lat))
    assert beidou_code(x, y, level).tolist() == [code]


def test_hemispheres_are_mirrored():
    x, y = SAMPLE_LON, SAMPLE_LAT
    codes = beidou_code([x, -x, x, -x], [y, y, -y, -y]).tolist()
    assert codes == [head + SAMPLE[3:] for head in ("N50", "N11", "S50", "S11")]


def test_equator_and_prime_meridian_count_as_north_and_east():
    assert beidou_code([0.0, -0.0], [0.0, -0.0], 2).tolist() == ["N31A00", "N31A00"]
    tiny = np.nextafter(0, -1)
    assert beidou_code(tiny, tiny, 2).tolist() == ["S30A00"]


def test_date_line_belongs_to_the_last_cells():
    east, west = beidou_code([180.0, -180.0], 0.0).tolist()
    assert east == beidou_code(np.nextafter(180, 0), 0.0).item()
    assert (east[:3], west[:3]) == ("N60", "N01")


def test_decimal_degrees_on_an_edge_lie_in_the_cell_beyond():
    # 116.1 and 39.9 are whole minutes, but their floats are a hair off.
    assert beidou_code(116.1, 39.9, 4).item() == slow_code(
        Fraction("116.1"), Fraction("39.9"), 4
    )
    below = np.nextafter(116.1, 0)
    assert beidou_code(below, 39.9, 4).item() == slow_code(
        Fraction("116.0999"), Fraction("39.9"), 4
    )


longitudes = st.decimals(-179, 179, allow_nan=False, places=9)
latitudes = st.decimals(-87, 87, allow_nan=False, places=9)


@given(longitudes, latitudes, st.integers(1, 10))
def test_agrees_with_fractions(lon, lat, level):
    expected = slow_code(Fraction(lon), Fraction(lat), level)
    assert beidou_code(float(lon), float(lat), level).item() == expected


@given(
    st.integers(1 - 180 * UNITS, 180 * UNITS - 1).filter(bool),
    st.integers(1 - 88 * UNITS, 88 * UNITS - 1).filter(bool),
    st.integers(1, 10),
)
def test_corners_come_back(east: int, north: int, level: int):
    lon, lat = east / UNITS, north / UNITS
    code = beidou_code(lon, lat).item()
    assert code == slow_code(Fraction(east, UNITS), Fraction(north, UNITS), 10)
    assert [axis.item() for axis in beidou_corner(code)] == [lon, lat]
    parent = beidou_code(lon, lat, level).item()
    assert code.startswith(parent)
    assert len(parent) == LENGTHS[level]
    x, y = (axis.item() for axis in beidou_corner(parent))
    assert abs(x) <= abs(lon)
    assert abs(y) <= abs(lat)
    if x and y:
        assert beidou_code(x, y, level).item() == parent


def test_corner_of_mixed_levels():
    lon, lat = beidou_corner(["N50J", "S11J47", SAMPLE])
    np.testing.assert_allclose(lon, [114, -116, SAMPLE_LON], atol=1 / UNITS)
    np.testing.assert_allclose(lat, [36, -39.5, SAMPLE_LAT], atol=1 / UNITS)


def test_no_codes():
    assert beidou_code([], []).shape == (0,)
    assert beidou_corner([])[0].shape == (0,)


@pytest.mark.parametrize("lat", [88.0, -88.0, 90.0, np.nan, np.inf])
def test_polar_caps_are_refused(lat: float):
    with pytest.raises(ParameterError, match=r"lat: row 1 .*polar caps"):
        beidou_code([0.0, 0.0], [0.0, lat])


@pytest.mark.parametrize("lon", [180.1, -181.0, np.nan])
def test_longitudes_off_the_globe_are_refused(lon: float):
    with pytest.raises(ParameterError, match="lon: row 0"):
        beidou_code(lon, 0.0)


@pytest.mark.parametrize("level", [0, 11])
def test_levels_are_1_to_10(level: int):
    with pytest.raises(ParameterError, match="level: 1 to 10"):
        beidou_code(0.0, 0.0, level)


@pytest.mark.parametrize(
    ("code", "position"),
    [
        ("X50J", 1),
        ("N61J", 2),
        ("N00J", 2),
        ("N5AJ", 3),
        ("N50W", 4),
        ("N50JC0", 5),
        ("N50J48", 6),
        ("N50J476", 7),
        ("N50J475F9", 8),
        ("N50J4753A", 9),
        ("N50J47539F0", 10),
        ("N50J47539B84", 12),
        ("N50J47539B8285", 13),
        ("n50J", 1),
    ],
)
def test_bad_codes_name_the_position(code: str, position: int):
    with pytest.raises(ParameterError, match=f"'{code}': position {position} "):
        beidou_corner([SAMPLE, code])


@pytest.mark.parametrize("code", ["", "N", "N50", "N50J4", SAMPLE + "00", "N50J475３9"])
def test_other_lengths_and_signs_are_refused(code: str):
    with pytest.raises(ParameterError, match="characters"):
        beidou_corner(code)
