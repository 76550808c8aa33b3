"""GCJ-02 and BD-09: vectors in wide use, exact inverses, nothing outside of China."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import box

from cimkit.read.china_offsets import (
    bd09_to_gcj02,
    bd09_to_wgs84,
    gcj02_to_bd09,
    gcj02_to_wgs84,
    looks_shifted,
    wgs84_to_bd09,
    wgs84_to_gcj02,
)
from cimkit.read.crs import parse_crs, reproject

CHINA = st.tuples(st.floats(73.5, 135.1), st.floats(3.5, 53.6))


def test_vectors_of_other_programs():
    """One of coordtransform, three of eviltransform, whose ellipsoid is another."""
    place = np.array([[116.404, 39.915]])
    expected = [[116.41024449916938, 39.91640428150164]]
    np.testing.assert_allclose(wgs84_to_gcj02(place), expected, rtol=0, atol=1e-12)
    expected = [[116.41036949371029, 39.92133699351021]]
    np.testing.assert_allclose(gcj02_to_bd09(place), expected, rtol=0, atol=1e-12)
    expected = [[116.39762729119315, 39.90865673957631]]  # one step, not the inverse
    np.testing.assert_allclose(bd09_to_gcj02(place), expected, rtol=0, atol=1e-5)
    cities = np.array(
        [[121.5272106, 31.1774276], [113.912316, 22.543847], [116.377817, 39.911954]]
    )
    expected = [
        [121.531541859215, 31.17530398364597],
        [113.9171764808363, 22.540796131694766],
        [116.38404722455657, 39.91334545536069],
    ]
    np.testing.assert_allclose(wgs84_to_gcj02(cities), expected, rtol=0, atol=1e-5)


@given(CHINA)
def test_there_and_back(place):
    xy = np.array([place])
    for forth, back in (
        (wgs84_to_gcj02, gcj02_to_wgs84),
        (gcj02_to_bd09, bd09_to_gcj02),
        (wgs84_to_bd09, bd09_to_wgs84),
    ):
        np.testing.assert_allclose(back(forth(xy)), xy, rtol=0, atol=1e-9)
        np.testing.assert_allclose(forth(back(xy)), xy, rtol=0, atol=1e-9)


@given(CHINA)
def test_the_shift_is_of_the_known_size(place):
    xy = np.array([place])
    scale = np.array([np.cos(np.radians(place[1])), 1.0]) * 111_320
    assert 20 < np.hypot(*((wgs84_to_gcj02(xy) - xy) * scale)[0]) < 1000


@pytest.mark.parametrize("place", [(2.35, 48.85), (-122.4, 37.8), (139.7, 35.7), (100, -20)])
def test_nothing_moves_outside_of_china(place):
    xy = np.array([place], dtype=float)
    assert wgs84_to_gcj02(xy).tolist() == gcj02_to_wgs84(xy).tolist() == xy.tolist()


def test_no_place_stays_none():
    xy = np.array([[np.nan, np.nan], [116.0, 39.0]])
    assert np.isnan(bd09_to_wgs84(xy)).tolist() == [[True, True], [False, False]]


@pytest.mark.parametrize(
    ("forth", "expected"), [(None, ""), (wgs84_to_gcj02, "GCJ-02"), (wgs84_to_bd09, "BD-09")]
)
def test_a_shift_that_explains_the_misses_is_noticed(forth, expected):
    """Scattered houses with a door each; and doors that are simply elsewhere."""
    crs, degrees = parse_crs("EPSG:4547"), parse_crs("EPSG:4326")
    rng = np.random.default_rng(2)
    low = np.array([500_000.0, 3_380_000.0]) + rng.uniform(0, 5000, (300, 2))
    houses = np.array([box(x, y, x + 12, y + 10) for x, y in low])
    xy = low + 5
    if forth is not None:
        xy = reproject(forth(reproject(xy, crs, degrees)), degrees, crs)
    assert looks_shifted(xy, houses, "EPSG:4547") == expected
    assert looks_shifted(xy + 300.0, houses, "EPSG:4547") == ""
    assert looks_shifted(xy[:5], houses, "EPSG:4547") == ""
