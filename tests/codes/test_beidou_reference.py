"""BeiDou reference codes: offsets to a cell nearby and back, also across every meridian."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cimkit.codes.beidou import beidou_code
from cimkit.codes.beidou_reference import code_of_reference, reference_code
from cimkit.errors import ParameterError

SECOND = 1 / 3600


@given(
    st.sampled_from([0.0, 116.3, -74.0, 179.9999, -179.9999]),
    st.sampled_from([0.0, 39.99, -33.9]),
    st.floats(-29, 29),
    st.floats(-29, 29),
    st.integers(5, 7),
    st.integers(5, 10),
)
def test_there_and_back(lon, lat, east: float, north: float, level: int, deep: int):
    assume(deep >= level)
    scale = {5: 1.0, 6: 0.5, 7: 1 / 16}[level] * SECOND
    reference = beidou_code(lon, lat, level).item()
    x = (lon + east * scale + 180) % 360 - 180
    target = beidou_code(x, lat + north * scale, deep).item()
    try:
        text = reference_code(target, reference)
    except ParameterError as error:
        assert "at most 7" in str(error)  # noqa: PT017
        assert max(abs(east), abs(north)) > 24
        return
    assert text.startswith(f"{reference}-")
    assert text.count("-") == deep - level + 1
    assert code_of_reference(text) == target


def test_offsets_are_true_directions_in_all_hemispheres():
    for lon, lat in (
        (116.3001, 40.0001),
        (-116.3001, 40.0001),
        (116.3001, -40.0001),
        (-116.3001, -40.0001),
    ):
        here = beidou_code(lon, lat, 5).item()
        there = beidou_code(lon + 8 * SECOND, lat + 12 * SECOND, 5).item()
        assert reference_code(there, here) == f"{here}-23"
        assert reference_code(here, there) == f"{there}-BC"


def test_deeper_pairs_are_letters_where_cells_count_the_other_way():
    assert reference_code("N50J475491E" + "355", "N50J475491E") == "N50J475491E-00-11-55"
    assert reference_code("S11J475491E" + "355", "S11J475491E") == "S11J475491E-00-AA-EE"


@pytest.mark.parametrize(
    ("code", "reference", "reason"),
    [
        ("N50J475491E", "N50J47549", "level 4, at least 5"),
        ("N50J475491E", "N50J475491E2", "coarser than the reference"),
        ("N50J475491E", "N50J475499E", "-8 cells east"),
        ("N50J475491E", "N50J475491X", "position 11"),
    ],
)
def test_what_cannot_be_referred_to(code: str, reference: str, reason: str):
    with pytest.raises(ParameterError, match=reason):
        reference_code(code, reference)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("N50J475491E", "pairs"),
        ("N50J475491E-", "pairs"),
        ("N50J475491E-80", "pairs"),
        ("N50J475491E-H0", "pairs"),
        ("N50J475491E-203", "pairs"),
        ("N50J47549-20", "levels 5 to 10"),
        ("N50J475491E-20" + "-00" * 6, "levels 5 to 10"),
        ("N50J475491E-20-20", "level 6 has no such cell"),
        ("N50J475491E-20-A0", "level 6 has no such cell"),
        ("N50V77549EE-07", "polar cap"),
    ],
)
def test_what_is_no_reference_code(text: str, reason: str):
    with pytest.raises(ParameterError, match=reason):
        code_of_reference(text)
