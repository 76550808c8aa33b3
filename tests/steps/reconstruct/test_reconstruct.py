"""Heights and LoD1.2 solids."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import Polygon, box

from cimkit.check.solids import check_solids
from cimkit.steps.reconstruct import reconstruct
from cimkit.steps.reconstruct.solid import extrude
from cimkit.steps.singulate import singulate
from cimkit.tables import Footprints, PointCloud, Terrain
from cimkit.tables.models import GROUND_SURFACE, ROOF_SURFACE, WALL_SURFACE

COURTYARD = box(0, 0, 20, 20).difference(box(5, 5, 15, 15))
TWO_YARDS = box(0, 0, 30, 20).difference(box(2, 2, 10, 8)).difference(box(15, 5, 25, 15))
L_SHAPE = Polygon([(0, 0), (12, 0), (12, 4), (4, 4), (4, 10), (0, 10)])
SHAPES = {"square": box(0, 0, 8, 8), "L": L_SHAPE, "yard": COURTYARD, "two yards": TWO_YARDS}


def footprints_of(*shapes, **columns):
    return Footprints.from_polygons(
        [f"b{i}" for i in range(len(shapes))], list(shapes), **columns
    )


def roof_cloud(level, roof_class=6, n=400, ground=None):
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 8, n), rng.uniform(0, 8, n)
    z, classes = np.full(n, level), np.full(n, roof_class)
    if ground is not None:
        ring = rng.uniform(9, 11, 100)
        x, y = np.r_[x, ring], np.r_[y, rng.uniform(0, 8, 100)]
        z, classes = np.r_[z, np.full(100, ground)], np.r_[classes, np.full(100, 2)]
    owner = np.where(x < 8.5, 0, -1)
    return PointCloud(x, y, z, classes), owner


@pytest.mark.parametrize("shift", [0.0, 4e7])
@pytest.mark.parametrize("name", SHAPES)
def test_solids_are_closed_outward_and_of_the_right_volume(name, shift):
    shape = shapely.transform(SHAPES[name], lambda xy: xy + shift)
    models = extrude(footprints_of(shape), np.array([12.5]), np.array([30.75]))
    assert check_solids(models) == []
    mesh = models.to_trimesh(0)
    mesh.vertices -= mesh.vertices[0]
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(SHAPES[name].area * 18.25, rel=1e-9)


def test_every_face_says_what_it_is():
    models = extrude(footprints_of(TWO_YARDS), np.array([0.0]), np.array([3.0]))
    counts = np.bincount(models.semantics, minlength=3)
    assert counts[[GROUND_SURFACE, WALL_SURFACE, ROOF_SURFACE]].tolist() == [1, 12, 1]
    roof = models.face_rings(int(np.flatnonzero(models.semantics == ROOF_SURFACE)[0]))
    assert len(roof) == 3
    assert shapely.Polygon(roof[0], roof[1:]).equals(TWO_YARDS)


def test_many_at_once_are_the_same_as_one_by_one():
    shapes = list(SHAPES.values())
    low = np.array([0.0, 1.0, 2.0, 3.0])
    high = low + 10.0
    together = extrude(footprints_of(*shapes), low, high)
    for row, shape in enumerate(shapes):
        alone = extrude(footprints_of(shape), low[row : row + 1], high[row : row + 1])
        one = together.take(np.array([row]))
        np.testing.assert_array_equal(one.vertices, alone.vertices)
        np.testing.assert_array_equal(one.ring_vertex, alone.ring_vertex)
        np.testing.assert_array_equal(one.ring_offsets, alone.ring_offsets)


@given(st.lists(st.tuples(st.integers(3, 12), st.floats(0.5, 40)), min_size=1, max_size=5))
def test_any_star_gives_a_closed_solid(stars):
    shapes = []
    for corners, radius in stars:
        turn = np.linspace(0, 2 * np.pi, 2 * corners, endpoint=False)
        reach = np.where(np.arange(2 * corners) % 2, radius, radius / 2)
        xy = np.round(np.column_stack([reach * np.cos(turn), reach * np.sin(turn)]), 3)
        shapes.append(Polygon(xy))
    n = len(shapes)
    assert check_solids(extrude(footprints_of(*shapes), np.zeros(n), np.full(n, 9.0))) == []


def test_roof_and_ground_from_points():
    cloud, owner = roof_cloud(21.0, ground=3.0)
    buildings, models, issues = reconstruct(
        footprints_of(box(0, 0, 8, 8)), cloud, building_of_point=owner
    )
    assert (buildings.h_ground[0], buildings.height[0]) == (3.0, 18.0)
    assert buildings.ground_source.tolist() == buildings.height_source.tolist() == ["points"]
    assert models.vertices[:, 2].min() == 3.0
    assert models.vertices[:, 2].max() == 21.0
    assert not issues


def test_terrain_serves_where_no_ground_point_is_near():
    cloud, owner = roof_cloud(21.0)
    terrain = Terrain(np.full((20, 20), 5.0), np.zeros((20, 20), bool), 0.0, 0.0, 1.0)
    buildings, _, issues = reconstruct(
        footprints_of(box(0, 0, 8, 8)), cloud, building_of_point=owner, terrain=terrain
    )
    assert (buildings.h_ground[0], buildings.ground_source[0]) == (5.0, "terrain")
    assert not issues


def test_ground_that_nobody_measured_is_flagged():
    cloud, owner = roof_cloud(21.0)
    buildings, models, issues = reconstruct(
        footprints_of(box(0, 0, 8, 8)), cloud, building_of_point=owner
    )
    assert buildings.ground_source[0] == "guess"
    assert buildings.height[0] >= 3.0
    assert [issue.code for issue in issues] == ["GROUND_NOT_MEASURED"]
    assert check_solids(models) == []


@pytest.mark.parametrize(
    ("height", "floors", "expected", "source"),
    [
        (10.0, 6, 10.0, "attribute"),
        (np.nan, 6, 18.0, "floors"),
        (np.nan, np.nan, 3.0, "default"),
        (0.0, 2, 6.0, "floors"),
        (-9999.0, np.nan, 3.0, "default"),
    ],
)
def test_without_points_the_attributes_speak(height, floors, expected, source):
    one = footprints_of(box(0, 0, 8, 8), height=[height], floors=[floors])
    buildings, models, issues = reconstruct(one)
    assert (buildings.height[0], buildings.height_source[0]) == (expected, source)
    assert ("HEIGHT_DEFAULT" in {issue.code for issue in issues}) == (source == "default")
    assert check_solids(models) == []


def test_every_footprint_gets_a_solid_and_its_reason():
    cloud, owner = roof_cloud(21.0, ground=3.0)
    far, low = box(100, 100, 110, 110), box(0, 0, 8, 8)
    two = footprints_of(low, far, floors=[np.nan, 4])
    buildings, models, issues = reconstruct(two, cloud, building_of_point=owner)
    assert len(models.best()) == 2
    assert buildings.reason.tolist() == ["", "NO_ROOF_POINTS"]
    assert buildings.height_source.tolist() == ["points", "floors"]
    assert {(issue.code, issue.id) for issue in issues} == {
        ("NO_ROOF_POINTS", "b1"),
        ("GROUND_NOT_MEASURED", "b1"),
    }


def test_a_roof_at_its_own_foot_is_not_believed():
    cloud, owner = roof_cloud(3.1, ground=3.0)
    one = footprints_of(box(0, 0, 8, 8), floors=[2])
    buildings, _, issues = reconstruct(one, cloud, building_of_point=owner)
    assert (buildings.height[0], buildings.reason[0]) == (6.0, "ROOF_BELOW_GROUND")
    assert [issue.code for issue in issues] == ["ROOF_BELOW_GROUND"]


def test_a_cloud_without_building_class_uses_what_is_not_ground():
    cloud, owner = roof_cloud(21.0, roof_class=1, ground=3.0)
    buildings, _, _ = reconstruct(
        footprints_of(box(0, 0, 8, 8)), cloud, building_of_point=owner
    )
    assert buildings.height_source[0] == "points"
    assert buildings.height[0] == 18.0


def test_the_order_of_points_changes_no_bit():
    cloud, owner = roof_cloud(21.0, ground=3.0)
    rng = np.random.default_rng(5)
    noisy = PointCloud(
        cloud.x, cloud.y, cloud.z + rng.normal(0, 1, len(cloud)), cloud.classification
    )
    order = rng.permutation(len(cloud))
    one = footprints_of(box(0, 0, 8, 8))
    first, _, _ = reconstruct(one, noisy, building_of_point=owner)
    second, _, _ = reconstruct(one, noisy.take(order), building_of_point=owner[order])
    assert first.to_pandas().equals(second.to_pandas())


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("other", [box(0, 0, 8, 8), box(-0.5, -0.5, 8.5, 8.5)])
def test_a_footprint_covered_by_another_keeps_its_roof(other, swapped):
    cloud, _ = roof_cloud(21.0, ground=3.0)
    shapes = [other, box(0, 0, 8, 8)] if swapped else [box(0, 0, 8, 8), other]
    both = footprints_of(*shapes)
    buildings, models, issues = reconstruct(
        both, cloud, building_of_point=singulate(cloud, both)
    )
    assert buildings.height.tolist() == [18.0, 18.0]
    assert buildings.h_roof_50p.tolist() == [21.0, 21.0]
    assert buildings.height_source.tolist() == ["points", "points"]
    assert sorted(buildings.n_points.tolist()) == [0, 400]  # each point counts once
    owned = buildings.n_points == 0
    assert (buildings.reason[owned].tolist(), buildings.reason[~owned].tolist()) == (
        ["OVERLAPPED"],
        [""],
    )
    loser = buildings.building_id[owned][0]
    assert [(issue.code, issue.id) for issue in issues] == [("FOOTPRINT_OVERLAP", loser)]
    assert check_solids(models) == []


def test_shared_points_must_be_enough_and_above_the_ground():
    cloud, _ = roof_cloud(3.1, ground=3.0)
    low = footprints_of(box(0, 0, 8, 8), box(0, 0, 8, 8))
    buildings, _, _ = reconstruct(low, cloud, building_of_point=singulate(cloud, low))
    assert buildings.reason.tolist() == ["ROOF_BELOW_GROUND"] * 2
    assert buildings.height_source.tolist() == ["default"] * 2

    two_points = PointCloud([4.0, 5.0], [4.0, 5.0], [21.0, 21.0], [6, 6])
    buildings, _, issues = reconstruct(
        low, two_points, building_of_point=singulate(two_points, low)
    )
    assert buildings.reason.tolist() == ["FEW_ROOF_POINTS"] * 2
    assert "FOOTPRINT_OVERLAP" not in {issue.code for issue in issues}


def plateau(level=1900.0):
    z = level + np.arange(400, dtype=np.float32).reshape(20, 20)
    return Terrain(z, np.ones((20, 20), bool), 0.0, 0.0, 1.0)


def test_a_building_outside_the_cloud_stands_on_the_nearest_ground():
    cloud, owner = roof_cloud(2500.0)
    far = box(500, 5, 510, 6)
    two = footprints_of(box(0, 0, 8, 8), far, floors=[np.nan, 4])
    terrain = plateau()
    buildings, models, issues = reconstruct(
        two, cloud, building_of_point=owner, terrain=terrain
    )
    assert buildings.ground_source.tolist() == ["terrain", "guess"]
    assert buildings.h_ground[1] == terrain.z[5, 19]
    assert buildings.height[1] == 12.0
    flagged = [issue for issue in issues if issue.code == "GROUND_NOT_MEASURED"]
    assert [issue.id for issue in flagged] == ["b1"]
    assert "outside the cloud" in flagged[0].message
    assert check_solids(models) == []

    alone, _, _ = reconstruct(
        two.take(np.array([1])),
        cloud,
        building_of_point=owner - 1,
        terrain=terrain.window(far.bounds),
    )
    assert alone.h_ground[0] == buildings.h_ground[1]


def test_the_nearest_ground_does_not_bury_a_measured_roof():
    cloud, owner = roof_cloud(21.0)
    hill = Terrain(np.full((2, 2), 90.0), np.ones((2, 2), bool), 50.0, 50.0, 1.0)
    buildings, models, issues = reconstruct(
        footprints_of(box(0, 0, 8, 8)), cloud, building_of_point=owner, terrain=hill
    )
    assert (buildings.height_source[0], buildings.ground_source[0]) == ("points", "guess")
    assert (buildings.h_ground[0], buildings.height[0]) == (18.0, 3.0)
    assert check_solids(models) == []
    assert [issue.code for issue in issues] == ["GROUND_NOT_MEASURED"]
