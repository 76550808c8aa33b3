"""Three-dimensional BeiDou codes: place and height interleaved, and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimkit.codes.beidou import beidou_code, beidou_corner
from cimkit.codes.beidou_3d import LENGTHS_3D, beidou_code_3d, beidou_corner_3d, split_code
from cimkit.codes.beidou_cells import LENGTHS, UNITS
from cimkit.codes.beidou_height import HEIGHT_LENGTHS, height_code, height_faces
from cimkit.errors import ParameterError

SAMPLE = "N036J0093000780B3010010520430140"

places = st.tuples(st.floats(-179, 179), st.floats(-87, 87), st.floats(-500, 9000))
levels = st.integers(1, 10)


def interleaved(plane: str, height: str) -> str:
    """As figure and text have it: each level its place, then its height."""
    code = plane[0] + height[0]
    for level in range(1, 11):
        code += plane[LENGTHS[level - 1] : LENGTHS[level]]
        code += height[HEIGHT_LENGTHS[level - 1] : HEIGHT_LENGTHS[level]]
    return code


def test_sample_of_the_standard():
    lon, lat, low, _ = beidou_corner_3d(SAMPLE)
    assert low.item() == 0.0
    assert beidou_code_3d(lon, lat, low).item() == SAMPLE
    assert interleaved("N36J93078B3101524314", "0" * 12) == SAMPLE


@given(places, levels)
def test_a_code_is_both_codes_in_turn(place, level: int):
    lon, lat, height = place
    plane, upward = beidou_code(lon, lat).item(), height_code(height).item()
    code = beidou_code_3d(lon, lat, height).item()
    assert code == interleaved(plane, upward)
    assert split_code(code) == (plane, upward)
    coarse = beidou_code_3d(lon, lat, height, level).item()
    assert code.startswith(coarse)
    assert len(coarse) == LENGTHS_3D[level]
    assert split_code(coarse) == (
        beidou_code(lon, lat, level).item(),
        height_code(height, level).item(),
    )


@given(
    st.integers(1 - 180 * UNITS, 180 * UNITS - 1).filter(bool),
    st.integers(1 - 88 * UNITS, 88 * UNITS - 1).filter(bool),
    st.floats(-400, 8000),
    levels,
)
def test_corners_come_back(east: int, north: int, height: float, level: int):
    code = beidou_code_3d(east / UNITS, north / UNITS, height, level).item()
    lon, lat, low, high = beidou_corner_3d(code)
    assert low.item() <= height < high.item()
    if lon.item() and lat.item():
        assert beidou_code_3d(lon, lat, low).item()[: len(code)] == code
    plane, upward = split_code(code)
    assert [lon.item(), lat.item()] == [axis.item() for axis in beidou_corner(plane)]
    assert [low.item(), high.item()] == [axis.item() for axis in height_faces(upward)]


def test_one_place_and_many_heights():
    codes = beidou_code_3d(112.2553, 30.3159, [0.0, 3.0, 6.0])
    assert [split_code(code)[1] for code in codes.tolist()] == height_code([0, 3, 6]).tolist()
    assert len({split_code(code)[0] for code in codes.tolist()}) == 1


def test_the_order_of_codes_is_an_order_in_space():
    rng = np.random.default_rng(3)
    codes = beidou_code_3d(*rng.uniform((112, 30, 0), (113, 31, 90), (200, 3)).T).tolist()
    parents = [code[: LENGTHS_3D[4]] for code in sorted(codes)]
    blocks = [a for a, b in zip(parents, [*parents[1:], ""], strict=True) if a != b]
    assert len(blocks) == len(set(blocks))


def test_corner_of_mixed_levels():
    code = beidou_code_3d(112.2553, 30.3159, 40.0).item()
    lon, lat, low, high = beidou_corner_3d([code[: LENGTHS_3D[k]] for k in (1, 5, 10)])
    assert (np.diff(lon) >= 0).all()
    assert (np.diff(lat) >= 0).all()
    assert (np.diff(low) >= 0).all()
    assert (np.diff(high) <= 0).all()


@pytest.mark.parametrize(
    ("code", "position"),
    [
        ("X036J00", 1),
        ("N236J00", 2),
        ("N061J00", 3),
        ("N036W00", 5),
        ("N036J64", 6),
        ("N036J00C00", 8),
        ("N036J00938", 10),
        (SAMPLE[:-1] + "8", 32),
    ],
)
def test_bad_codes_name_the_position(code: str, position: int):
    with pytest.raises(ParameterError, match=f"'{code}': position {position} "):
        beidou_corner_3d([SAMPLE, code])


@pytest.mark.parametrize("code", ["", "N0", SAMPLE[:-1], SAMPLE + "0", "N036J0０"])
def test_other_lengths_are_refused(code: str):
    with pytest.raises(ParameterError, match="characters"):
        beidou_corner_3d(code)


def test_no_codes():
    assert beidou_code_3d([], [], []).shape == (0,)
    assert beidou_corner_3d([])[3].shape == (0,)
