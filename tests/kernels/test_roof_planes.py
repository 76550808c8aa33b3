"""Roof planes: neighbours, normals, fits, growing, joining."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from cimkit.kernels.plane_sums import SUMS, add_to_sums, fit_sums, rms_off
from cimkit.kernels.planes_afloat import drop_planes_afloat
from cimkit.kernels.point_normals import nearest_points, normals_of
from cimkit.kernels.roof_planes import (
    PlaneRules,
    find_roof_planes,
    grow_planes,
    join_planes,
    largest_planes,
    refit_planes,
    swap_points,
)
from tests.roof_oracles import (
    columns_of,
    fit,
    gable_points,
    neighbours_by_pairs,
    normals_by_lapack,
    off,
    planes_by_numpy,
    sorted_points,
)

RULES = PlaneRules()


def patch(a, b, c, n=100, at=(0.0, 0.0), side=4.0, noise=0.0, seed=0):
    """Points on a plane over a square."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, side, (2, n)) + np.array(at)[:, None]
    return np.column_stack([x, y, a * x + b * y + c + rng.normal(0, noise, n)])


def summed(xyz):
    sums = np.zeros(SUMS)
    for x, y, z in xyz:
        add_to_sums(sums, x, y, z, 1.0)
    return sums


@pytest.mark.parametrize(("n", "density"), [(1, 1.0), (5, 0.1), (200, 3.0), (200, 50.0)])
def test_neighbours_are_those_of_all_pairs(n, density):
    x, y, z = sorted_points(np.random.default_rng(n).uniform(0, 5, (n, 3)).round(1))
    found = nearest_points(x, y, z, density, 8)
    np.testing.assert_array_equal(found, neighbours_by_pairs(x, y, z, density, 8))


def test_neighbours_within_a_cell_are_the_true_nearest():
    x, y, z = sorted_points(gable_points(np.random.default_rng(1), 600))
    xyz, k = np.column_stack([x, y, z]), 9
    distance, true = cKDTree(xyz).query(xyz, k)
    sure = distance[:, -1] < np.sqrt(k / (np.pi * 600 / 96))
    assert sure.mean() > 0.4
    found = nearest_points(x, y, z, 600 / 96, k)
    np.testing.assert_array_equal(np.sort(found[sure], axis=1), np.sort(true[sure], axis=1))


def test_a_point_comes_first_among_its_doubles():
    x, y, z = np.zeros(6), np.zeros(6), np.zeros(6)
    found = nearest_points(x, y, z, 10.0, 4)
    assert found[:, 0].tolist() == list(range(6))
    assert found[4].tolist() == [4, 0, 1, 2]


def test_normals_are_principal_axes():
    x, y, z = sorted_points(gable_points(np.random.default_rng(2), 200))
    near = nearest_points(x, y, z, 2.0, 9)
    normal, flatness = normals_of(x, y, z, near)
    expected, variance = normals_by_lapack(np.column_stack([x, y, z]), near)
    aligned = np.abs((normal * expected).sum(axis=1))
    np.testing.assert_allclose(aligned, 1.0, atol=1e-6)
    np.testing.assert_allclose(flatness, variance, atol=1e-9)
    assert (normal[:, 2] >= 0).all()


def test_points_without_a_plane_have_no_normal():
    three = np.array([[0, 1, 2, -1], [1, 0, 2, -1], [2, 1, 0, -1]], dtype=np.int32)
    _, flatness = normals_of(*(*np.eye(3), three))
    assert np.isinf(flatness).all()
    four = np.tile(np.arange(4, dtype=np.int32), (4, 1))
    normal, flatness = normals_of(*(*np.ones((3, 4)), four))
    assert np.isinf(flatness).all()
    assert (normal == 0.0).all()


@given(st.integers(0, 10_000), st.integers(3, 40))
def test_fits_are_least_squares(seed, n):
    rng = np.random.default_rng(seed)
    xyz = rng.uniform(0, 9, (n, 3))
    a, b, c, sure = fit_sums(summed(xyz))
    expected = fit(xyz)
    assert sure == (expected is not None)
    if sure:
        np.testing.assert_allclose([a, b, c], expected, atol=1e-6, rtol=1e-6)
        rms = np.sqrt((off(expected, xyz) ** 2).mean())
        assert rms_off(summed(xyz), a, b, c) == pytest.approx(rms, abs=1e-6)


def test_a_point_taken_out_was_never_there():
    xyz = patch(0.2, 0.1, 3, n=10)
    sums = summed(xyz)
    add_to_sums(sums, 1.0, 2.0, 3.0, 1.0)
    add_to_sums(sums, 1.0, 2.0, 3.0, -1.0)
    np.testing.assert_allclose(sums, summed(xyz), atol=1e-9)


@pytest.mark.parametrize(
    "xyz",
    [
        np.zeros((0, 3)),
        np.ones((2, 3)),
        np.ones((9, 3)),
        np.outer(np.arange(9.0), [1, 2, 1]),
        np.column_stack([np.arange(9.0), np.arange(9) % 2 * 0.01, np.ones(9)]),
    ],
    ids=["none", "two", "equal", "line", "strip of 1 cm"],
)
def test_points_that_span_no_plane_are_not_fitted(xyz):
    assert not fit_sums(summed(xyz))[3]


@pytest.mark.parametrize("seed", range(4))
def test_a_gable_has_two_planes(seed):
    x, y, z = sorted_points(gable_points(np.random.default_rng(seed), 900))
    planes, owner = find_roof_planes(x, y, z, 96.0, RULES)
    assert len(planes) == 2
    by_slope = planes[planes[:, 1].argsort()]
    np.testing.assert_allclose(by_slope[:, :2], [[0, -0.6], [0, 0.6]], atol=0.01)
    assert (owner >= 0).mean() > 0.97
    south = owner == planes[:, 1].argmax()
    assert (south[y < 3.8].all(), south[y > 4.2].any()) == (True, False)


@pytest.mark.parametrize("seed", range(3))
def test_planes_in_thin_clouds_are_those_of_the_oracle(seed):
    x, y, z = sorted_points(gable_points(np.random.default_rng(seed), 180, noise=0.05))
    planes, owner = find_roof_planes(x, y, z, 96.0, RULES)
    slow, slow_owner = planes_by_numpy(x, y, z, 96.0, RULES)
    np.testing.assert_array_equal(owner, slow_owner)
    np.testing.assert_allclose(planes, slow, atol=1e-6)


def wall(seed=0):
    rng = np.random.default_rng(seed)
    n = 200
    return np.column_stack([rng.uniform(0, 8, n), rng.normal(0, 0.02, n), rng.uniform(0, 6, n)])


@pytest.mark.parametrize(
    "xyz",
    [
        wall(),
        np.outer(np.arange(50.0), [0.1, 0.05, 0.02]),
        np.tile([1.0, 2.0, 3.0], (20, 1)),
        np.zeros((3, 3)),
    ],
    ids=["wall", "line", "one place", "three points"],
)
def test_what_is_no_roof_has_no_plane(xyz):
    planes, owner = find_roof_planes(*sorted_points(xyz), 36.0, RULES)
    assert len(planes) == 0
    assert (owner == -1).all()


def test_a_wall_beside_a_roof_belongs_to_none():
    xyz = np.concatenate([patch(0, 0, 6, n=600, side=8, noise=0.02), wall()])
    x, y, z = sorted_points(xyz)
    planes, owner = find_roof_planes(x, y, z, 64.0, RULES)
    np.testing.assert_allclose(planes[0], [0, 0, 6], atol=0.02)
    assert (owner[z < 5.5] != 0).all()
    assert (owner[z < 5.5] >= 0).mean() < 0.2


def test_a_heap_of_points_has_hardly_a_plane():
    xyz = np.random.default_rng(0).uniform(0, 6, (150, 3))
    _, owner = find_roof_planes(*sorted_points(xyz), 36.0, RULES)
    assert (owner >= 0).mean() < 0.1


def test_parts_of_one_plane_are_joined_others_not():
    parts = [patch(0.1, 0, 5), patch(0.1, 0, 5, at=(9, 0)), patch(0.1, 0, 5.5, at=(0, 9))]
    xyz = np.concatenate([*parts, wall()])
    owner = np.repeat([0, 1, 2, -1], [100, 100, 100, 200]).astype(np.int32)
    planes = np.array([[0.1, 0, 5.0], [0.1, 0, 5.0], [0.1, 0, 5.5]])
    left = join_planes(*columns_of(xyz), owner, planes, 0.06)
    np.testing.assert_allclose(left, [[0.1, 0, 5], [0.1, 0, 5.5]], atol=1e-9)
    assert owner.tolist() == [0] * 200 + [1] * 100 + [-1] * 200


def test_planes_on_lines_keep_what_they_were():
    line = np.column_stack([np.arange(5.0), np.zeros(5), np.full(5, 3.0)])
    xyz = np.concatenate([line, line + np.array([10, 0, 1])])
    owner = np.repeat([0, 1], 5).astype(np.int32)
    planes = np.array([[0.0, 0.5, 3.0], [0.0, 0.5, 4.0]])
    columns = columns_of(xyz)
    left = join_planes(*columns, owner, planes, 0.01)
    np.testing.assert_array_equal(left, planes)
    np.testing.assert_array_equal(refit_planes(*columns, owner, planes, 4), planes)
    empty = np.full(10, -1, np.int32)
    assert len(refit_planes(*columns, empty, planes, 4)) == 0


def test_planes_without_points_join_nothing():
    xyz = patch(0.0, 0.0, 5.0)
    owner = np.zeros(100, np.int32)
    planes = np.array([[0.0, 0, 5.0], [0.0, 0, 5.0]])
    assert len(join_planes(*columns_of(xyz), owner, planes, 0.06)) == 2


def test_points_go_to_the_nearer_plane_or_to_none():
    x, y, z = np.zeros(5), np.zeros(5), np.array([0.0, 0.02, 0.05, 0.09, 3.0])
    near = np.tile(np.arange(5, dtype=np.int32), (5, 1))
    near[:, -1] = -1
    owner = np.array([0, 0, 1, 1, 1], dtype=np.int32)
    planes = np.array([[0.0, 0, 0.0], [0.0, 0, 0.1]])
    swap_points(x, y, z, near, owner, planes, 0.13)
    assert owner.tolist() == [0, 0, 0, 1, -1]


def test_of_planes_equally_near_the_earlier_is_taken():
    near = np.array([[0, 1, 2], [1, 0, 2], [2, 0, 1]], dtype=np.int32)
    planes = np.array([[0.0, 0, 1.0], [0.0, 0, -1.0]])
    for own in ([1, 0, -1], [0, 1, -1]):
        owner = np.array(own, dtype=np.int32)
        swap_points(np.zeros(3), np.zeros(3), np.zeros(3), near, owner, planes, 2.0)
        assert owner.tolist() == [0, 0, 0]


def test_steep_regions_are_given_up():
    """A seed that looks up may grow into a wall: the fit says so."""
    n = 40
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 0.5, n), rng.uniform(0, 4, n)
    z = 4.0 * x
    near = np.argsort(np.hypot(x[:, None] - x, y[:, None] - y), axis=1)[:, :9].astype(np.int32)
    normal = np.tile([-0.9, 0.0, 0.436], (n, 1))  # of a slope of 64 degrees
    owner, planes = grow_planes(x, y, z, near, normal, np.zeros(n), 0.5, 0.8, 4)
    assert len(planes) == 0
    assert (owner == -1).all()


def test_the_order_of_the_columns_is_of_the_sorted_points():
    """Shuffled points, sorted again, give the same bits."""
    rng = np.random.default_rng(3)
    xyz = gable_points(rng, 300)
    first = find_roof_planes(*sorted_points(xyz), 96.0, RULES)
    second = find_roof_planes(*sorted_points(rng.permutation(xyz)), 96.0, RULES)
    assert first[0].tobytes() == second[0].tobytes()
    assert first[1].tobytes() == second[1].tobytes()


def test_the_planes_with_the_most_points_are_kept():
    planes = np.arange(15.0).reshape(5, 3)
    owner = np.array([0, 1, 1, 2, 2, 2, 3, 3, 3, 3, -1, 4], dtype=np.int32)
    left, numbers = largest_planes(planes, owner, 2)
    np.testing.assert_array_equal(left, planes[[2, 3]])
    assert numbers.tolist() == [-1, -1, -1, 0, 0, 0, 1, 1, 1, 1, -1, -1]


def jib(length, width, height):
    """A flat roof of 12 x 12 m at 5 m, and a strip above its middle."""
    low = patch(0, 0, 5, n=1440, side=12)
    spread = np.random.default_rng(1).uniform(-0.5, 0.5, (int(10 * length * width), 2))
    high = np.column_stack([6 + spread * (length, width), np.full(len(spread), 5.0 + height)])
    return low, high


def kept(high, low, owner_of_low=1):
    """Heights of the planes that are left, and the planes of the points."""
    owner = np.repeat([0, owner_of_low], [len(high), len(low)]).astype(np.int32)
    planes = np.array([[0, 0, high[0, 2]], [0, 0, 5.0], [0, 0, 5.0]])[: max(owner.max(), 1) + 1]
    both = columns_of(np.concatenate([high, low]))
    left = drop_planes_afloat(*both, owner, planes, 10.0)
    return left[:, 2].tolist(), owner


@pytest.mark.parametrize("turned", [False, True])
def test_slim_planes_that_others_are_seen_through_are_dropped(turned):
    low, high = jib(9.0, 1.5, 10.0)
    high = high[:, [1, 0, 2]] if turned else high
    left, owner = kept(high, low)
    assert left == [5.0]
    assert owner.tolist() == [-1] * len(high) + [0] * len(low)


@pytest.mark.parametrize(
    ("length", "width", "height"), [(9.0, 1.5, 5.0), (12.0, 3.8, 10.0), (4.0, 2.5, 10.0)]
)
def test_low_large_and_compact_planes_stay(length, width, height):
    low, high = jib(length, width, height)
    assert kept(high, low)[0] == [5 + height, 5.0]


def test_a_tower_stays_whose_roof_hides_what_is_below():
    low, high = jib(9.0, 1.5, 10.0)
    hidden = (np.abs(low[:, :2] - 6) < (4.5, 0.6)).all(axis=1)  # 15 cm are seen from the side
    seen = low[~hidden]
    assert kept(high, seen)[0] == [15.0, 5.0]
    assert kept(high, low, owner_of_low=-1)[0] == [15.0, 5.0]  # points of no plane: its facade
    assert kept(high, seen, owner_of_low=2)[0] == [15.0, 5.0, 5.0]  # a plane without points


def test_no_planes_none_dropped():
    none = np.empty(0)
    owner = np.empty(0, np.int32)
    assert drop_planes_afloat(none, none, none, owner, np.empty((0, 3)), 1.0).shape == (0, 3)


def test_a_face_of_a_kilometre_is_a_plane():
    """Narrow as seen from its length, but not narrow."""
    x, y = np.random.default_rng(0).uniform((0, 0), (1000, 6), (3000, 2)).T
    a, b, c, sure = fit_sums(summed(np.column_stack([x, y, 0.5 * y + 3])))
    assert sure
    np.testing.assert_allclose([a, b, c], [0, 0.5, 3], atol=1e-6)
    assert not fit_sums(summed(np.column_stack([x, y / 10, y])))[3]


def test_a_large_steep_region_is_grown_once():
    """Its points are seeds no more: else each would grow all of it again."""
    n = 600
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 3, n), rng.uniform(0, 8, n)
    near = np.argsort(np.hypot(x[:, None] - x, y[:, None] - y), axis=1)[:, :9].astype(np.int32)
    normal = np.tile([-0.9, 0.0, 0.436], (n, 1))
    owner, planes = grow_planes(x, y, 4.0 * x, near, normal, np.zeros(n), 5.0, 0.8, 4)
    assert len(planes) == 0
    assert (owner == -1).all()


def test_of_very_many_planes_the_largest_are_polished(monkeypatch):
    from cimkit.kernels import roof_planes
    from cimkit.kernels._jit import JIT

    if JIT:
        pytest.skip("constants of compiled kernels cannot be changed")
    monkeypatch.setattr(roof_planes, "GROWN_MAX", 1)
    x, y, z = sorted_points(gable_points(np.random.default_rng(0), 400))
    planes, owner = find_roof_planes(x, y, z, 96.0, RULES)
    assert len(planes) == 1
    assert (owner >= 0).mean() < 0.6
