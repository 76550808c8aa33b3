from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pyproj
import pytest

from cimkit.errors import CrsError
from cimkit.write.placement import Placement

DELFT = Placement("EPSG:7415", 43.0, (84_500.0, 447_500.0, 0.0))
CHINA = Placement("EPSG:4546+5737", -20.0, (500_000.0, 3_400_000.0, 30.0))
RADII = np.array([6_378_137.0, 6_356_752.314245179])
"""Semi-axes of WGS 84 in metres (NGA.STND.0036)."""


def city(placement, n=2000):
    rng = np.random.default_rng(0)
    return np.array(placement.origin) + rng.uniform([-5e3, -5e3, 0], [5e3, 5e3, 300], (n, 3))


def closed_formula(lon, lat, height):
    """Geodetic to geocentric, EPSG method 9602, in plain NumPy."""
    lon, lat = np.radians(lon), np.radians(lat)
    a, b = RADII
    e2 = 1 - (b / a) ** 2
    nu = a / np.sqrt(1 - e2 * np.sin(lat) ** 2)
    across = (nu + height) * np.cos(lat)
    up = (nu * (1 - e2) + height) * np.sin(lat)
    return np.column_stack([across * np.cos(lon), across * np.sin(lon), up])


def test_the_published_place_of_amersfoort():
    """RD (155 000, 463 000) lies at 52.155172 N 5.387206 E (ETRS89); NAP 0 is 43.3 m up."""
    placement = Placement("EPSG:7415", 43.3, (155_000.0, 463_000.0, 0.0))
    expected = closed_formula(5.38720621, 52.15517440, 43.3)
    # 1 m: the accuracy of EPSG operation 4 between Amersfoort and WGS 84.
    np.testing.assert_allclose(
        placement.to_ecef(np.array([placement.origin])), expected, atol=1
    )


@pytest.mark.parametrize(
    ("placement", "horizontal"),
    [
        pytest.param(DELFT, "EPSG:28992", id="delft"),
        pytest.param(CHINA, "EPSG:4546", id="china"),
    ],
)
def test_a_city_of_10_km_agrees_with_proj_to_a_millimetre(placement, horizontal):
    xyz = city(placement)
    geodetic = pyproj.Transformer.from_crs(horizontal, "EPSG:4326", always_xy=True)
    lon, lat = geodetic.transform(xyz[:, 0], xyz[:, 1])
    expected = closed_formula(lon, lat, xyz[:, 2] + placement.undulation)
    np.testing.assert_allclose(placement.to_ecef(xyz), expected, rtol=0, atol=1e-6)
    transform = np.array(placement.root_transform).reshape(4, 4).T
    root = placement.to_root(xyz)
    back = root @ transform[:3, :3].T + transform[:3, 3]
    np.testing.assert_allclose(back, expected, rtol=0, atol=1e-6)


def test_cgcs2000_agrees_with_proj_in_three_dimensions():
    """CGCS2000 and WGS 84 are the same to PROJ, so it can go all the way at once."""
    xyz = city(CHINA)
    direct = pyproj.Transformer.from_crs(
        pyproj.CRS("EPSG:4546").to_3d(), "EPSG:4978", always_xy=True
    )
    x, y, z = xyz.T
    expected = np.column_stack(direct.transform(x, y, z + CHINA.undulation))
    np.testing.assert_allclose(CHINA.to_ecef(xyz), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("placement", [DELFT, CHINA], ids=["delft", "china"])
def test_root_frame_is_east_north_up(placement):
    transform = np.array(placement.root_transform).reshape(4, 4).T
    axes = transform[:3, :3]
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) == pytest.approx(1)
    steps = np.array(placement.origin) + np.vstack([np.zeros(3), np.diag([100.0, 100.0, 10.0])])
    root = placement.to_root(steps)
    np.testing.assert_allclose(root[0], 0, atol=1e-6)
    # Grid north turns away from true north, the scale differs by 1e-4.
    np.testing.assert_allclose(root[1:], np.diag([100.0, 100.0, 10.0]), atol=2)
    np.testing.assert_allclose(root[3], [0, 0, 10], atol=1e-6)


def test_a_flat_city_would_be_wrong_by_metres():
    (x, y, z), d = CHINA.origin, 10_000.0
    fall = CHINA.to_root(np.array([[x + d, y, z]]))[0, 2]
    assert fall == pytest.approx(-(d**2) / (2 * 6_371_000), rel=0.01)


def test_zone_prefixed_eastings():
    plain, zoned = (500_000.0, 3_400_000.0, 30.0), (37_500_000.0, 3_400_000.0, 30.0)
    np.testing.assert_allclose(
        Placement("EPSG:4546", -20.0, plain).to_ecef(np.array([plain])),
        Placement("EPSG:4525", -20.0, zoned).to_ecef(np.array([zoned])),
        atol=1e-6,
    )


def test_no_vertices():
    assert DELFT.to_root(np.empty((0, 3))).shape == (0, 3)


def test_it_travels_to_worker_processes():
    xyz = city(DELFT, 5)
    again = pickle.loads(pickle.dumps(DELFT))
    assert again == DELFT
    np.testing.assert_array_equal(again.to_root(xyz), DELFT.to_root(xyz))


@pytest.mark.parametrize(
    ("crs", "origin", "message"),
    [
        ("EPSG:4490", (111.0, 30.0, 0.0), "projected CRS in metres"),
        ("EPSG:2263", (0.0, 0.0, 0.0), "projected CRS in metres"),
        ("nonsense", (0.0, 0.0, 0.0), "no known CRS"),
        ("EPSG:4546", (1e12, 1e12, 0.0), "outside"),
    ],
    ids=["degrees", "feet", "nonsense", "far"],
)
def test_what_cannot_be_placed_is_refused(crs, origin, message):
    with pytest.raises(CrsError, match=message):
        Placement(crs, 0.0, origin)


def test_vertices_that_no_map_holds_are_refused():
    with pytest.raises(CrsError, match="outside"):
        CHINA.to_ecef(np.array([[1e12, 1e12, 0.0], [500_000.0, 3_400_000.0, 0.0]]))


def test_the_network_setting_of_the_user_is_left_alone():
    network: Any = pyproj.network
    before = network.is_network_enabled()
    Placement("EPSG:4549", 0.0, (500_000.0, 3_400_000.0, 0.0))
    assert network.is_network_enabled() == before


@pytest.mark.parametrize("placement", [DELFT, CHINA], ids=["Delft", "China"])
@pytest.mark.parametrize("metres", [300, 3_000, 30_000, 60_000])
def test_many_places_are_taken_fast_and_as_exactly(placement, metres):
    rng = np.random.default_rng(metres)
    away = rng.uniform([-0.5, -0.5, 0], [0.5, 0.5, 0], (3000, 3)) * metres
    xyz = np.array(placement.origin) + away + rng.uniform(0, [0, 0, 900], (3000, 3))
    found = placement.to_root_fast(xyz)
    assert np.abs(found - placement.to_root(xyz)).max() <= 1e-4


def test_twenty_kilometres_away_a_place_is_where_pyproj_has_it():
    """The way of a client: the root transform on what is in the frame, in double precision."""
    away = np.array([[20_000.0, 0, 50], [0, -20_000.0, 0], [14_000, 14_000, 9]])
    xyz = np.array(DELFT.origin) + away
    lon, lat = pyproj.Transformer.from_crs("EPSG:28992", "EPSG:4979", always_xy=True).transform(
        xyz[:, 0], xyz[:, 1]
    )
    expected = closed_formula(np.array(lon), np.array(lat), xyz[:, 2] + DELFT.undulation)
    matrix = np.array(DELFT.root_transform).reshape(4, 4).T
    many = np.concatenate([xyz, np.repeat(xyz, 400, axis=0)])
    earth = DELFT.to_root_fast(many)[:3] @ matrix[:3, :3].T + matrix[:3, 3]
    assert np.linalg.norm(earth - expected, axis=1).max() < 0.001


def test_degrees_come_back():
    lon, lat, height = DELFT.to_geodetic(np.array([[155_000.0, 463_000.0, 1.0]]))[0]
    assert (lon, lat) == pytest.approx((5.387206, 52.155172), abs=1e-5)
    assert height == 44.0
