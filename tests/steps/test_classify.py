"""Roofs found among points of which no class is known."""

from __future__ import annotations

import numpy as np
import pytest

from cimkit.read.points import read_points
from cimkit.steps.classify import Classes, classify_points, free_class
from cimkit.steps.ground import ground
from cimkit.steps.vegetation import is_vegetation, look_around
from cimkit.tables import PointCloud, Terrain

FLAT = Terrain(np.zeros((40, 40)), np.ones((40, 40), bool), 0.0, 0.0, 1.0)
UNKNOWN = Classes(2, 6, (2,), (0, 1), (0, 1, 5))


def house(rng, n=4000, height=6.0):
    """A gabled roof of 20 m by 10 m, its southern wall, and the ground around it."""
    x, y = rng.uniform(0, 40, n), rng.uniform(0, 30, n)
    inside = (x > 10) & (x < 30) & (y > 10) & (y < 20)
    z = np.where(inside, height + 0.6 * (5 - np.abs(y - 15)), 0.0)
    wall = rng.uniform([10, 9.98, 0.5], [30, 10.02, height], (n, 3))
    xyz = np.vstack([np.column_stack([x, y, z]), wall])
    kind = np.concatenate([np.where(inside, 6, 2), np.full(n, 1)])
    xyz[:, 2] += rng.normal(0, 0.02, len(xyz))
    once = np.ones(len(xyz), dtype=np.uint8)
    return xyz, kind, once, once


def crown(rng, middle, radius, n=3000):
    """A tree: pulses of three returns, from all depths."""
    away = rng.normal(0, 1, (n, 3))
    away *= (radius * rng.uniform(0, 1, n) ** (1 / 3) / np.linalg.norm(away, axis=1))[:, None]
    return np.asarray(middle) + away, np.arange(n) % 3 + 1, np.full(n, 3)


def cloud_of(*parts, number=None, total=None):
    """A cloud of points of shape (n, 3), without classes."""
    x, y, z = np.vstack(parts).T
    return PointCloud(x, y, z, np.zeros(len(x)), "", number, total)


def owner_of(cloud):
    inside = (cloud.x >= 10) & (cloud.x <= 30) & (cloud.y >= 9.98) & (cloud.y <= 20)
    return np.where(inside, 0, -1)


def classified(cloud, classes=UNKNOWN, terrain=FLAT, everywhere=True):
    may = np.full(len(cloud), everywhere)
    return classify_points(cloud, may, owner_of(cloud), terrain, classes)


def test_a_house_by_a_tree_is_told_into_roof_ground_and_the_rest():
    rng = np.random.default_rng(0)
    xyz, kind, number, total = house(rng)
    tree, tree_number, tree_total = crown(rng, (20, 9.5, 11), 2.5)
    cloud = cloud_of(
        xyz,
        tree,
        number=np.append(number, tree_number),
        total=np.append(total, tree_total),
    )
    found, counts = classified(cloud)
    kind = np.append(kind, np.full(len(tree), 5))
    roof, mine = found == 6, owner_of(cloud) == 0
    assert roof[kind == 6].mean() > 0.96
    assert roof[(kind == 5) & mine].mean() < 0.02
    assert roof[(kind == 1) & mine].mean() < 0.06  # below the eaves
    assert (found[kind == 2] == 2).all()
    np.testing.assert_array_equal(counts, roof | (found == 2))


def test_ground_is_looked_for_only_where_none_is_stated():
    cloud = PointCloud([1, 2], [1, 1], [0.0, 0.1], [0, 0])
    found, counts = classified(cloud, everywhere=False)
    assert found.tolist() == [0, 0]
    assert not counts.any()
    found, _ = classified(cloud)
    assert found.tolist() == [2, 2]


def test_stated_buildings_stay_and_no_others_are_made():
    stated = Classes(2, 6, (2, 6), (1,), ())
    cloud = PointCloud([15, 16, 17, 18], [15] * 4, [9.0, 9.1, 9.0, 0.1], [6, 1, 1, 1])
    found, counts = classified(cloud, stated)
    assert found.tolist() == [6, 1, 1, 2]
    assert counts.tolist() == [True, False, False, True]


def test_a_low_shed_keeps_its_points_and_without_terrain_all_are_high():
    x = np.linspace(12, 28, 40)
    cloud = PointCloud(x, np.full(40, 15.0) + np.sin(9 * x), np.full(40, 1.4), np.ones(40))
    assert (classified(cloud)[0] == 6).all()
    assert (classified(cloud, terrain=None)[0] == 6).all()


def test_no_order_of_the_points_changes_what_they_are():
    rng = np.random.default_rng(1)
    xyz, _, number, total = house(rng, 1500)
    cloud = cloud_of(xyz, number=number, total=total)
    order = rng.permutation(len(cloud))
    np.testing.assert_array_equal(classified(cloud)[0][order], classified(cloud.take(order))[0])


def test_the_lower_side_of_a_crown_is_no_roof():
    """Last returns only, among first returns above them: alone they look like a sloped roof."""
    rng = np.random.default_rng(5)
    tree, number, total = crown(rng, (5, 5, 9), 2, n=1500)
    low = tree[:, 2] < 8
    number[low], total[low] = 2, 2
    found = is_vegetation(cloud_of(tree, number=number, total=total))
    assert found[low].mean() > 0.9


def test_a_bird_is_no_roof_and_a_chimney_is():
    rng = np.random.default_rng(2)
    xyz, *_ = house(rng, 6000)
    things = np.array(
        [[20.0, 15.0, 25.0], *rng.uniform([14, 14, 9.5], [15, 15, 10.5], (12, 3))]
    )
    cloud = cloud_of(xyz, things)
    found = is_vegetation(cloud, np.arange(len(xyz), len(xyz) + 13))
    assert found.tolist() == [True] + [False] * 12


@pytest.mark.parametrize("returns", [None, 0, 1])
def test_without_returns_nothing_is_a_plant(returns):
    rng = np.random.default_rng(3)
    tree, *_ = crown(rng, (5, 5, 9), 2)
    column = None if returns is None else np.full(len(tree), returns)
    cloud = cloud_of(tree, number=column, total=column)
    assert not is_vegetation(cloud).any()


def test_a_steep_roof_is_no_wall():
    rng = np.random.default_rng(4)
    x, y = rng.uniform(0, 5, (2, 2000))
    for east, up, wall in ((y, 0 * y, False), (y, 2.7 * y, False), (0.05 * y, y, True)):
        assert (look_around(PointCloud(x, east, up, 0 * x)).is_wall == wall).all()


def test_nothing_at_all():
    empty = PointCloud([], [], [], [])
    found, counts = classified(empty)
    assert len(found) == len(counts) == 0


@pytest.mark.parametrize(
    ("taken", "free"), [((2,), 6), ((2, 6), 0), ((0, 1, 6), 2), ((6, *range(255)), 255)]
)
def test_the_class_of_found_roofs_is_not_among_those_of_the_ground(taken, free):
    assert free_class(taken) == free


@pytest.mark.parametrize(
    ("name", "lost", "plants"),
    [("misc_las/delft_ahn4_small.laz", 0.001, 0.44),
     ("delft_manual_classes/delft_manual.laz", 0.002, 0.97)],
)  # fmt: skip
def test_real_roofs_are_kept_and_real_trees_found(real_data, name, lost, plants):
    cloud = read_points(real_data / name)
    terrain, _ = ground(cloud)
    assert terrain is not None
    standing = cloud.take(cloud.classification != 2)
    found = is_vegetation(standing)
    high = standing.z - terrain.sample(standing.x, standing.y) > 2
    assert found[standing.classification == 6].mean() < lost
    assert found[(standing.classification == 1) & high].mean() > plants


def test_where_ground_is_doubtful_points_on_footprints_are_not_of_it():
    x = np.linspace(12, 28, 60)
    cloud = PointCloud(np.append(x, x), [15.0] * 60 + [25.0] * 60, np.full(120, 0.1), [1] * 120)
    doubted = Terrain(
        FLAT.z, FLAT.measured, 0.0, 0.0, 1.0, found=np.full((40, 40), 2, dtype=np.uint8)
    )
    found, _ = classified(cloud, terrain=doubted)
    assert (found[:60] == 6).all()
    assert (found[60:] == 2).all()
    found, _ = classified(cloud)
    assert (found == 2).all()


@pytest.mark.parametrize(("n_low", "kept"), [(20, False), (70, True)])
def test_low_points_count_only_where_most_are_low(n_low, kept):
    x = np.linspace(11, 29, 100)
    z = np.where(np.arange(100) < n_low, 1.2, 5.0)
    cloud = PointCloud(x, 15 + 2 * np.sin(9 * x), z, np.ones(100))
    found, _ = classified(cloud)
    assert (found[n_low:] == 6).mean() > 0.9
    assert ((found[:n_low] == 6).mean() > 0.9) == kept
