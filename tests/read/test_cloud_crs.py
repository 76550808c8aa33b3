"""Clouds in feet: metres come out, and the projection stays what it was."""

from __future__ import annotations

import laspy
import numpy as np
import pyproj
import pytest

from cimkit.errors import CrsError
from cimkit.read.cloud_crs import check_cloud_crs, cloud_units, open_cloud
from cimkit.read.copc import iterate_nodes, read_octree
from cimkit.read.describe import describe
from cimkit.read.las_header import probe_las
from cimkit.read.points import iterate_points, read_points
from tests.read.copc_files import write_copc

FOOT, SURVEY = 0.3048, 1200 / 3937
FEET, METRES = "EPSG:2994", "EPSG:2993"  # NAD83(HARN) / Oregon LCC
X, Y, Z = np.array([636_000.0, 637_000]), np.array([848_900.0, 849_500]), np.array([400.0, 500])


def write(path, crs):
    header = laspy.LasHeader(version="1.4", point_format=6)
    header.scales, header.offsets = [0.01] * 3, [600_000, 800_000, 0]
    header.add_crs(pyproj.CRS(crs))
    cloud = laspy.LasData(header)
    cloud.x, cloud.y, cloud.z = X, Y, Z
    cloud.write(str(path))
    return path


@pytest.mark.parametrize(
    ("crs", "xy", "z"),
    [
        ("EPSG:2994", FOOT, FOOT),
        ("EPSG:2994+6360", FOOT, SURVEY),
        ("EPSG:2994+5703", FOOT, 1.0),
        ("EPSG:2993+6360", 1.0, SURVEY),
        ("EPSG:2993", 1.0, 1.0),
        ("EPSG:2225", SURVEY, SURVEY),
    ],
)
def test_units_follow_the_crs(tmp_path, crs, xy, z):
    path = write(tmp_path / "a.laz", crs)
    cloud = read_points(path)
    np.testing.assert_allclose(cloud.x, X * xy, rtol=1e-12)
    np.testing.assert_allclose(cloud.y, Y * xy, rtol=1e-12)
    np.testing.assert_allclose(cloud.z, Z * z, rtol=1e-12)
    header = open_cloud(path)
    np.testing.assert_allclose(header.bounds, (X[0] * xy, Y[0] * xy, X[1] * xy, Y[1] * xy))
    raw = np.concatenate([part.x for part in iterate_points(probe_las(path))])
    np.testing.assert_array_equal(raw, X)


def test_feet_fit_the_same_projection_in_metres_and_no_other(tmp_path):
    header = open_cloud(write(tmp_path / "a.laz", FEET))
    check_cloud_crs(header, METRES)
    check_cloud_crs(header, f"{METRES}+5703")
    for other in ("EPSG:2991", "EPSG:2992", "EPSG:26910", "EPSG:7415"):
        with pytest.raises(CrsError, match="in units of foot: work in the same projection"):
            check_cloud_crs(header, other)
    cloud = read_points(tmp_path / "a.laz", crs=METRES)
    truth = pyproj.Transformer.from_crs(FEET, METRES, always_xy=True).transform(X, Y)
    np.testing.assert_allclose(np.column_stack([cloud.x, cloud.y]).T, truth, atol=1e-4)


def test_copc_in_feet(tmp_path):
    path = tmp_path / "a.copc.laz"
    rng = np.random.default_rng(0)
    xyz = np.round(rng.uniform((6e5, 8e5, 0), (601_000, 800_900, 200), (9000, 3)), 3)
    wkt = pyproj.CRS(FEET).to_wkt("WKT1_GDAL")
    write_copc(path, xyz, np.full(9000, 2), crs=wkt, node_points=500)
    header = open_cloud(path)
    octree = read_octree(header)
    cloud = list(iterate_nodes(octree, octree.meeting(header.bounds), ""))
    assert sum(map(len, cloud)) == 9000
    found = np.sort(np.concatenate([part.x for part in cloud]))
    np.testing.assert_allclose(found, np.sort(xyz[:, 0]) * FOOT, rtol=1e-12)
    west, south, _, _ = header.bounds
    part = list(iterate_points(header, box=(west, south, west + 30, south + 30)))
    assert 0 < sum(map(len, part)) < 6000


def test_a_real_cloud_in_feet(real_data):
    path = real_data / "misc_las" / "autzen_trim.laz"
    assert cloud_units(probe_las(path))[:2] == ("foot", "foot")
    cloud = read_points(path)
    assert len(cloud) == 110_000
    assert 123 < cloud.z.min() < cloud.z.max() < 159  # 406 to 521 feet
    west, south, east, north = cloud.bounds or (0, 0, 0, 0)
    assert east - west == pytest.approx(358.9, abs=0.1)
    facts = describe(path)
    assert facts["units"] == ["foot", "foot"]
    assert facts["bounds"][0] == pytest.approx(636_001.76)
    area = (east - west) * (north - south)
    assert facts["points_per_m2"] == pytest.approx(110_000 / area, abs=0.01)
    lonlat = pyproj.Transformer.from_crs(METRES, "EPSG:4326", always_xy=True)
    lon, lat = lonlat.transform(west, south)
    assert (lon, lat) == pytest.approx((-123.07, 44.05), abs=0.01)  # Eugene, Oregon
    read_points(path, crs=METRES)
