"""Kernels of the check of solids against exact and slow ones."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cimkit.errors import TableError
from cimkit.kernels.flat_faces import judge_faces
from cimkit.kernels.near_points import merge_near_points
from cimkit.kernels.ring_triangles import triangulate_rings
from cimkit.kernels.shell_edges import judge_shells
from cimkit.kernels.solid_angles import winding_numbers
from cimkit.kernels.triangle_contacts import first_contacts
from tests.solid_oracles import merge_slowly


def star(rng, n, *, radius=10.0):
    """A simple ring round the origin."""
    angle = np.sort(rng.uniform(0, 2 * np.pi, n)) + np.arange(n) * 1e-6
    reach = rng.uniform(0.2, 1.0, n) * radius
    return np.column_stack([np.cos(angle), np.sin(angle)]) * reach[:, None]


def triangles_of(uv):
    return triangulate_rings(np.asarray(uv, float), np.array([0]), np.array([len(uv)]))


def area(uv, triangle):
    a, b, c = (uv[triangle[:, k]] for k in range(3))
    return ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 100_000), st.integers(3, 40))
def test_triangles_are_those_of_geos(seed, n):
    uv = star(np.random.default_rng(seed), n)
    polygon = shapely.Polygon(uv)
    if not polygon.is_valid or not polygon.exterior.is_ccw:
        return
    triangle, done = triangles_of(uv)
    assert done.all()
    assert len(triangle) == n - 2
    assert (area(uv, triangle) > 0).all()
    assert area(uv, triangle).sum() == pytest.approx(polygon.area, rel=1e-9)
    pieces = shapely.get_parts(shapely.constrained_delaunay_triangles(polygon))
    theirs = {frozenset(map(tuple, shapely.get_coordinates(p)[:3].tolist())) for p in pieces}
    ours = {frozenset(map(tuple, uv[t].tolist())) for t in triangle}
    assert ours == theirs


def test_points_on_a_line_make_no_slivers():
    side = np.linspace(0, 10, 6)[:-1]
    zero, ten = np.zeros(5), np.full(5, 10.0)
    uv = np.concatenate(
        [
            np.column_stack([side, zero]),
            np.column_stack([ten, side]),
            np.column_stack([10 - side, ten]),
            np.column_stack([zero, 10 - side]),
        ]
    )
    for turn in (0.0, 0.3, 1.1):
        c, s = np.cos(turn), np.sin(turn)
        turned = uv @ np.array([[c, s], [-s, c]])
        triangle, done = triangles_of(turned)
        assert done.all()
        assert area(turned, triangle).min() > 0.5
        assert area(turned, triangle).sum() == pytest.approx(100)


def test_a_ring_without_ears_is_said_to_have_none():
    bow_tie = np.array([[0.0, 0], [4, 4], [4, 0], [0, 4], [-9, 2], [2, -9]])
    clockwise = star(np.random.default_rng(3), 8)[::-1]
    for ring in (bow_tie[[0, 2, 1, 3]][::-1], clockwise):
        triangle, done = triangles_of(ring)
        assert done.tolist() == [0]
        assert (triangle == -1).all()
    flat = np.column_stack([np.arange(5.0), np.zeros(5)])
    assert len(triangles_of(flat)[0]) == 3  # of no area, but as many as there must be


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 100_000), st.integers(4, 14))
def test_rings_meet_themselves_where_shapely_says(seed, n):
    rng = np.random.default_rng(seed)
    uv = rng.integers(0, 6, (n, 2)).astype(float)
    if (np.diff(uv, axis=0, append=uv[:1]) == 0).all(axis=1).any():
        return
    xyz = np.column_stack([uv, np.zeros(n)])
    point = np.unique(uv, axis=0, return_inverse=True)[1]
    fault = judge_faces(xyz, point, np.array([0, n]), np.array([0, 1]), 0.01)[0]
    assert (fault[0] == 0) == shapely.LinearRing(uv).is_simple


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 100_000), st.integers(33, 90), st.booleans())
def test_long_rings_meet_themselves_where_shapely_says(seed, n, spoilt):
    rng = np.random.default_rng(seed)
    uv = star(rng, n)
    if spoilt:
        uv[rng.integers(n)] = rng.uniform(uv.min(0), uv.max(0))
    xyz = np.column_stack([uv, np.zeros(n)])
    fault, corner, *_ = judge_faces(xyz, np.arange(n), np.array([0, n]), np.array([0, 1]), 0.01)
    assert (fault[0] == 0) == shapely.LinearRing(uv).is_simple
    if fault[0]:  # the edge that is named does meet another one
        edges = shapely.linestrings(np.stack([uv, np.roll(uv, -1, axis=0)], axis=1))
        others = np.delete(edges, [(corner[0] + k) % n for k in (-1, 0, 1)])
        assert shapely.distance(edges[corner[0]], others).min() < 1e-8


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 100_000), st.integers(4, 30), st.floats(0, 0.02))
def test_the_plane_is_that_of_least_squares(seed, n, noise):
    rng = np.random.default_rng(seed)
    uv = star(rng, n)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    xyz = np.column_stack([uv, rng.uniform(-noise, noise, n)]) @ turn + rng.uniform(-9, 9, 3)
    fault, corner, off, flat = judge_faces(
        xyz, np.arange(n), np.array([0, n]), np.array([0, 1]), 0.01
    )
    centred = xyz - xyz.mean(axis=0)
    normal = np.linalg.svd(centred)[2][2]
    gaps = np.abs(centred @ normal)
    assert off[0] == pytest.approx(gaps.max(), abs=1e-9)
    assert (fault[0] == 203) == (gaps.max() > 0.01)
    if fault[0] == 203:
        assert gaps[corner[0]] == pytest.approx(gaps.max(), abs=1e-9)
    else:
        lengths = np.linalg.norm(flat[:, None] - flat[None], axis=2)
        flattened = centred - np.outer(centred @ normal, normal)
        assert np.allclose(
            lengths, np.linalg.norm(flattened[:, None] - flattened[None], axis=2), atol=1e-6
        )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 100_000), st.integers(0, 60), st.sampled_from([1e-3, 0.5, 3.0]))
def test_near_points_join_the_first_one(seed, n, tolerance):
    rng = np.random.default_rng(seed)
    xyz = rng.integers(-3, 4, (n, 3)) * 0.0007 + rng.integers(-1, 2, (n, 1)) * 2.0
    borders = np.array([0, n // 2, n])
    found = merge_near_points(xyz, borders, tolerance)
    np.testing.assert_array_equal(found, merge_slowly(xyz, borders, tolerance))


def test_near_points_refuse_what_is_no_tolerance():
    with pytest.raises(TableError, match="above 0"):
        merge_near_points(np.zeros((1, 3)), np.array([0, 1]), 0.0)


def contact(first, second):
    """Whether two triangles meet, with their common points as one."""
    points = np.array([*first, *second], float)
    distinct, number = np.unique(points, axis=0, return_inverse=True)
    found = first_contacts(
        distinct,
        np.ascontiguousarray(number.reshape(2, 3)),
        np.array([0, 1]),
        np.array([0, 2]),
        np.array([True]),
    )
    return found[0, 0] >= 0


def det(a, b, c, d):
    u, v, w = ([Fraction(p[k]) - Fraction(a[k]) for k in range(3)] for p in (b, c, d))
    value = (
        u[0] * (v[1] * w[2] - v[2] * w[1])
        - u[1] * (v[0] * w[2] - v[2] * w[0])
        + u[2] * (v[0] * w[1] - v[1] * w[0])
    )
    return (value > 0) - (value < 0)


def proper_crossing(first, second):
    """Whether an edge of one goes through the inside of the other, exactly."""
    for one, other in ((first, second), (second, first)):
        a, b, c = other
        for p, q in combinations(one, 2):
            if det(a, b, c, p) * det(a, b, c, q) < 0:
                sides = {det(p, q, other[k], other[(k + 1) % 3]) for k in range(3)}
                if len(sides) == 1 and 0 not in sides:
                    return True
    return False


coordinates = st.tuples(*[st.integers(-4, 4).map(float)] * 3)
triangle = st.tuples(coordinates, coordinates, coordinates).filter(
    lambda t: np.linalg.norm(np.cross(np.subtract(t[1], t[0]), np.subtract(t[2], t[0]))) > 0
)


@settings(max_examples=300, deadline=None)
@given(triangle, triangle)
def test_triangles_that_cross_are_found(first, second):
    """Crossing ones always; those with a gap between their planes or boxes never."""
    if proper_crossing(first, second):
        assert contact(first, second)
    a, b, c = first
    one_side = {det(a, b, c, p) for p in second}
    if len(one_side) == 1 and 0 not in one_side:
        assert not contact(first, second)


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ([(1, 1, 0), (9, 9, 1), (9, 8, 1)], True),  # a corner on the face
        ([(1, 1, 1e-4), (9, 9, 1), (9, 8, 1)], False),
        ([(2, 0, 0), (2, -4, 0), (3, -4, 0)], True),  # in the plane, a corner on an edge
        ([(2, -1e-4, 0), (2, -4, 0), (3, -4, 0)], False),
        ([(1, 1, 0), (2, 1, 0), (1, 2, 0)], True),  # in the plane, inside
        ([(-1, -1, 0), (9, -1, 0), (-1, 9, 0)], True),  # in the plane, around
        ([(-1, 1, 0), (9, 1, 0), (9, 2, 0)], True),  # in the plane, across
        ([(4, 0, 0), (0, 0, 0), (2, -3, 0)], False),  # an edge in common, other side
        ([(4, 0, 0), (0, 0, 0), (2, 1, 0)], True),  # an edge in common, same side
        ([(4, 0, 0), (0, 0, 0), (2, 1, 0.01)], False),  # an edge in common, a wedge
        ([(0, 4, 0), (4, 0, 0), (0, 0, 0)], True),  # the same triangle
        ([(0, 0, 0), (-2, 0, 0), (-2, -2, 0)], False),  # a corner in common, in the plane
        ([(0, 0, 0), (2, 2, 0), (-2, 9, 0)], True),  # a corner in common, over the far edge
        ([(0, 0, 0), (2, 0, 0), (2, -2, 0)], True),  # a corner in common, along an edge
        ([(0, 0, 0), (-3, 0, 0), (-3, 0, 1)], False),
        ([(0, 0, 0), (3, 3, 1), (3, 3, -1)], True),  # the far edge of the first goes through it
        ([(0, 0, 0), (-3, -3, 1), (-3, -3, -1)], False),
    ],
)
def test_triangles_that_touch(second, expected):
    first = [(0, 0, 0), (4, 0, 0), (0, 4, 0)]
    for turn in range(3):
        assert contact(first[turn:] + first[:turn], second) == expected
        assert contact(second, first[turn:] + first[:turn]) == expected


def test_flat_triangles_are_left_out():
    first = [(0, 0, 0), (4, 0, 0), (0, 4, 0)]
    assert not contact(first, [(1, 1, -1), (1, 1, 1), (1, 1, 0)])
    assert not contact([(1, 1, -1), (1, 1, 1), (1, 1, 0)], first)


@pytest.mark.parametrize("crossed", [False, True])
def test_contacts_are_found_in_large_shells(crossed):
    """A floor of many triangles, and one far above it, or through it."""
    n = 12
    corner = np.array([(i, j, 0.0) for i in range(n + 1) for j in range(n + 1)])
    rows = []
    for i in range(n):
        for j in range(n):
            a, b = i * (n + 1) + j, (i + 1) * (n + 1) + j
            rows += [(a, b, b + 1), (a, b + 1, a + 1)]
    low = -0.5 if crossed else 0.5
    xyz = np.concatenate([corner, [(5.3, 5.2, low), (5.4, 5.3, 2.0), (5.1, 5.6, 2.0)]])
    triangle = np.array([*rows, (len(corner), len(corner) + 1, len(corner) + 2)])
    found = first_contacts(
        xyz, triangle, np.arange(len(triangle)), np.array([0, len(triangle)]), np.array([True])
    )
    assert (found[0, 1] == len(rows)) == crossed
    unasked = first_contacts(
        xyz, triangle, np.arange(len(triangle)), np.array([0, len(triangle)]), np.array([False])
    )
    assert unasked.tolist() == [[-1, -1]]


def shell(*triangles, may_be_open=False):
    rows = np.array(triangles, dtype=np.int64).reshape(-1, 3)
    high = int(rows.max()) + 1 if len(rows) else 0
    offsets = np.array([0, len(rows)])
    number, corner = judge_shells(rows, offsets, np.array([0, high]), np.array([may_be_open]))
    return int(number[0]), int(corner[0])


CLOSED = [(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)]


def test_edges_of_small_shells():
    assert shell(*CLOSED) == (0, -1)
    assert shell() == (0, -1)
    assert shell(*CLOSED[:3])[0] == 302
    assert shell(*CLOSED[:3], may_be_open=True)[0] == 0
    assert shell(*CLOSED[:3], CLOSED[3][::-1]) == (307, 9)
    assert shell(CLOSED[0][::-1], *CLOSED[1:]) == (307, 0)
    assert shell(*CLOSED, (0, 2, 1))[0] == 303
    apart = [tuple(v + 4 for v in t) for t in CLOSED]
    assert shell(*CLOSED, *apart)[0] == 305
    joined = [tuple(3 if v == 4 else v for v in t) for t in apart]
    assert shell(*CLOSED, *joined)[0] == 303
    assert shell((0, 1, 2), (0, 3, 4))[0] == 305
    assert shell((0, 1, 2), (0, 3, 4), may_be_open=True)[0] == 305


def test_winding_numbers_agree_with_trimesh():
    import trimesh

    rng = np.random.default_rng(5)
    mesh = trimesh.creation.annulus(1.0, 2.0, 1.0, sections=12)
    points = rng.uniform(-2.5, 2.5, (60, 3))
    found = winding_numbers(points, np.ascontiguousarray(mesh.triangles, dtype=np.float64))
    radius = np.linalg.norm(points[:, :2], axis=1)
    inside = (radius > 1.0) & (radius < 2.0 * np.cos(np.pi / 12)) & (abs(points[:, 2]) < 0.5)
    outside = (radius < np.cos(np.pi / 12)) | (radius > 2.0) | (abs(points[:, 2]) > 0.5)
    assert np.allclose(found[inside], 1.0)
    assert np.allclose(found[outside], 0.0)
