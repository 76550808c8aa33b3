"""The point clouds: strips, densities, classes, and how near the points lie to the truth."""

from __future__ import annotations

from collections import Counter

import laspy
import numpy as np
import pandas as pd
import pytest
import shapely
from scipy.spatial import cKDTree

from cimkit.sample import make_sample
from cimkit.sample.ground import DIKE_AXIS, DIKE_CROWN, ground_height
from cimkit.sample.layout import to_grid, to_line
from tests.sample.conftest import heights


def on_roofs(there):
    """Class 6 points with the face below each: points, faces, residuals."""
    x, y, z = there.cloud.xyz[there.cloud.classes == 6].T
    point, face = shapely.STRtree(there.roofs.geometry).query(
        shapely.points(x, y), predicate="intersects"
    )
    found, first = np.unique(point, return_index=True)
    face = face[first]
    residual = z[found] - heights(there.roofs.iloc[face], x[found], y[found])
    return len(x), found, face, residual


@pytest.mark.parametrize("epoch", ["city", "later"])
def test_roof_points_lie_on_the_true_planes(request, epoch):
    there = request.getfixturevalue(epoch)
    n, found, _, residual = on_roofs(there)
    assert len(found) > 0.999 * n  # places are kept to the centimetre: some fall off the edge
    assert (np.abs(residual) < 0.12).mean() > 0.997
    assert np.median(np.abs(residual)) < 0.02


def test_each_roof_has_8_to_15_points_on_a_square_metre(city):
    _, _, face, _ = on_roofs(city)
    owner = city.roofs["building_id"].to_numpy()[face]
    density = pd.Series(owner).value_counts() / city.truth["area_m2"]
    assert density.between(7.5, 15.5).all()
    assert density.min() < 8.5  # one strip
    assert density.max() > 14.0  # two


def test_strips_overlap_and_look_aslant(city):
    cloud = city.cloud
    _, across = to_line(cloud.xyz[:, 0], cloud.xyz[:, 1])
    assert set(cloud.strip.tolist()) == {101, 102, 103}
    for number in (101, 102, 103):
        here = across[(cloud.strip == number) & (cloud.classes != 1)]  # walls go on a bit
        west, east = (number - 102) * 200.0 - 25.0, (number - 101) * 200.0 + 25.0
        assert here.min() > west - 0.5
        assert here.max() < east + 0.5
    double = np.abs((across + 100.0) % 200.0 - 100.0) < 24.0
    both = double & (across > 100.0)
    assert 0.35 < cloud.overlap[both].mean() < 0.55
    middle = (cloud.strip - 101.5) * 200.0
    assert np.abs(cloud.angle - np.rad2deg(np.arctan((across - middle) / 700.0))).max() < 0.6


def test_times_grow_along_each_strip(city):
    cloud = city.cloud
    for number in (101, 102, 103):
        times = cloud.time[cloud.strip == number]
        along, _ = to_line(*cloud.xyz[cloud.strip == number][:, :2].T)
        slope = np.polyfit(times - times.mean(), along, 1)[0]
        assert abs(abs(slope) - 60.0) < 0.5
    assert 3.8e8 < cloud.time.min() < cloud.time.max() < 4.0e8


def test_returns_are_plausible(city):
    cloud = city.cloud
    assert (cloud.number >= 1).all()
    assert (cloud.number <= cloud.of).all()
    assert set(cloud.of[cloud.classes == 6].tolist()) == {1}
    assert set(cloud.of[cloud.classes == 5].tolist()) == {1, 2, 3}
    assert 0.0 < (cloud.of[cloud.classes == 2] == 2).mean() < 0.2


def test_classes(city):
    classes = city.cloud.classes
    share = {int(k): n / len(classes) for k, n in Counter(classes.tolist()).items()}
    assert set(share) == {1, 2, 3, 5, 6, 7, 9, 18}
    assert min(share[2], share[5], share[6]) > 0.08
    assert 0.0 < share[7] + share[18] < 0.002
    z = city.cloud.xyz[:, 2] - ground_height(*city.cloud.xyz[:, :2].T)
    assert z[classes == 7].max() < -1.5
    assert z[classes == 18].min() > 100.0


def test_ground_and_river_lie_where_they_are(city):
    ground = city.cloud.xyz[city.cloud.classes == 2]
    off = ground[:, 2] - ground_height(*ground[:, :2].T)
    assert np.median(np.abs(off)) < 0.02
    assert np.abs(off).max() < 0.2
    water = city.cloud.xyz[city.cloud.classes == 9]
    assert np.abs(water[:, 2] - 30.0).max() < 0.2
    _, v = to_grid(*ground[:, :2].T)
    crown = ground[np.abs(v - DIKE_AXIS) < 3.0, 2]
    assert abs(np.median(crown) - DIKE_CROWN) < 0.02
    assert to_grid(*water[:, :2].T)[1].max() < v.min() + 0.1


def test_ground_points_stop_at_the_walls(city):
    ground = city.cloud.xyz[city.cloud.classes == 2]
    tree = shapely.STRtree(shapely.points(ground[:, :2]))
    shapes = city.footprints.geometry.to_numpy()
    inside = np.array([shape.buffer(-0.02) for shape in shapes])
    assert tree.query(inside, predicate="contains").size == 0
    building, near = tree.query(shapes, predicate="dwithin", distance=4.0)
    lowest = pd.Series(ground[near, 2]).groupby(building).min()
    assert len(lowest) == len(city.truth)
    assert np.abs(lowest.to_numpy() - city.truth["h_ground"].to_numpy()).max() < 0.6


def test_an_unclassified_scan_is_whole_and_of_one_class(tmp_path):
    some, whole = (
        laspy.read(make_sample(tmp_path / c, buildings=6, cloud=c).points / "sample_00_00.laz")
        for c in ("classified", "unclassified")
    )
    assert set(np.asarray(whole.classification).tolist()) == {1}
    assert len(whole.points) > 2 * len(some.points)
    assert whole.header.point_format.id == 6


def test_a_photogrammetric_cloud_is_smooth_coloured_and_hides_the_ground(tmp_path):
    made = make_sample(tmp_path, buildings=6, cloud="photogrammetric")
    las = laspy.read(made.points / "sample_00_00.laz")
    assert las.header.point_format.id == 7
    assert set(np.asarray(las.classification).tolist()) == {0}
    assert set(np.asarray(las.number_of_returns).tolist()) == {1}
    colours = np.stack([las.red, las.green, las.blue], axis=1)
    assert colours.max() > 20_000
    x, y, z = np.asarray(las.xyz).T
    above = z - ground_height(x, y)
    scan = laspy.read(make_sample(tmp_path / "scan", buildings=6).points / "sample_00_00.laz")
    trees, ground = (np.asarray(scan.xyz)[np.asarray(scan.classification) == k] for k in (5, 2))
    crowns = cKDTree(trees[:, :2])
    under = crowns.query(np.column_stack([x, y]))[0] < 0.15
    assert (above[under] > 1.0).mean() > 0.97  # nothing under a tree
    assert (crowns.query(ground[:, :2])[0] < 0.15).sum() > 200  # where a laser finds ground
    roofs = pd.read_csv(made.truth_roofs)
    walls = shapely.union_all(shapely.from_wkt(roofs["wkt"])).boundary
    near = shapely.dwithin(walls, shapely.points(x, y), 0.3)
    assert (near & (above > 3.0) & (above < 12.0)).sum() > 5000  # facades
