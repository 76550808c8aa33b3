from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from shapely import Polygon, box

from cimkit.kernels.roof_solid import CORNER_CUT, make_solid
from cimkit.kernels.solid_check import (
    CHECK_CLOSE,
    CHECK_EDGES,
    CHECK_PLANE,
    CHECK_RING,
    CHECK_SHELL,
    CHECK_SIMPLE,
    CHECK_SLIVER,
    CHECK_VOLUME,
    check_solid,
)
from tests.kernels.buildings import labelled, rings_of, started


def prism(polygon: Any, height: float = 5.0) -> Any:
    cx = started(polygon)
    planes = np.array([[0.0, 0.0, height]])
    solid = make_solid(cx, labelled(cx, lambda *_: 0), planes, 0.0, CORNER_CUT)
    assert solid.status == 0
    return [*solid[:4], solid.volume]


def extruded(ring: list[tuple[float, float]], height: float = 5.0) -> Any:
    """Prism made by hand: floor, roof, one wall for each edge."""
    n = len(ring)
    xy = np.array(ring)
    vertices = np.vstack([np.c_[xy, np.zeros(n)], np.c_[xy, np.full(n, height)]])
    faces = [list(range(n))[::-1], list(range(n, 2 * n))]
    faces += [[k, (k + 1) % n, n + (k + 1) % n, n + k] for k in range(n)]
    offsets = np.cumsum([0] + [len(f) for f in faces])
    area = abs(
        sum(x * v - y * u for (x, y), (u, v) in zip(ring, ring[1:] + ring[:1], strict=True)) / 2
    )
    return [vertices, np.concatenate(faces), offsets, np.arange(len(faces) + 1), area * height]


def checked(parts: list[Any], room: int) -> tuple[int, float, int]:
    vertices, ring_vertex, ring_offsets, face_offsets, volume = parts
    slivers = np.empty((room, 3), np.int64)
    return check_solid(vertices, ring_vertex, ring_offsets, face_offsets, volume, slivers)


def bits(parts: Any) -> int:
    return checked(parts, 8)[0]


SQUARE = [(0.0, 0.0), (10.0, 0.0), (10.0, 8.0), (0.0, 8.0)]


@pytest.mark.parametrize(
    "ring",
    [SQUARE, [(0.0, 0.0), (10.0, 0.0), (10.0, 4.0), (4.0, 4.0), (4.0, 10.0), (0.0, 10.0)]],
)
def test_a_prism_is_valid(ring):
    parts = extruded(ring)
    status, volume, n_slivers = checked(parts, 8)
    assert (status, n_slivers) == (0, 0)
    assert volume == pytest.approx(parts[4])


def test_many_edges_are_swept():
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    ring = np.round(np.column_stack([10 * np.cos(angle), 10 * np.sin(angle)]), 4)
    assert bits(extruded([(x, y) for x, y in ring.tolist()])) == 0
    ring[[10, 40]] = ring[[40, 10]]
    assert bits(extruded([(x, y) for x, y in ring.tolist()])) & CHECK_SIMPLE


def test_a_missing_face_leaves_edges_open():
    parts = extruded(SQUARE)
    parts[1], parts[2], parts[3] = parts[1][:-4], parts[2][:-1], parts[3][:-1]
    assert bits(parts) & CHECK_EDGES


def test_an_odd_number_of_edges_cannot_pair():
    parts = extruded([(0.0, 0.0), (10.0, 0.0), (0.0, 8.0)])
    parts[1], parts[2], parts[3] = parts[1][3:], parts[2][1:] - 3, parts[3][:-1]
    assert bits(parts) & CHECK_EDGES


def test_a_face_turned_over_is_found():
    parts = extruded(SQUARE)
    parts[1] = parts[1].copy()
    parts[1][:4] = parts[1][:4][::-1]
    assert bits(parts) & CHECK_EDGES


def test_an_edge_of_four_faces_is_found():
    # Two boxes that share a vertical edge, and its vertices.
    one, two = extruded(SQUARE), extruded([(x + 10, y + 8) for x, y in SQUARE])
    place = {4 * k + 0: 4 * k + 2 for k in range(2)}
    second = np.array([place.get(int(v), int(v) + 8) for v in two[1]])
    parts = [
        np.vstack([one[0], two[0]]),
        np.concatenate([one[1], second]),
        np.concatenate([one[2], two[2][1:] + len(one[1])]),
        np.arange(13),
        one[4] + two[4],
    ]
    parts[0][[8, 12]] = [[50, 50, 0], [50, 50, 5]]  # no longer used
    assert bits(parts) & CHECK_EDGES


def test_two_shells_are_found():
    one, two = extruded(SQUARE), extruded([(x + 20, y) for x, y in SQUARE])
    parts = [
        np.vstack([one[0], two[0]]),
        np.concatenate([one[1], two[1] + 8]),
        np.concatenate([one[2], two[2][1:] + len(one[1])]),
        np.arange(13),
        one[4] + two[4],
    ]
    assert bits(parts) == CHECK_SHELL


def test_rings_that_meet_a_vertex_twice_or_have_two_are_found():
    parts = extruded(SQUARE)
    parts[1] = parts[1].copy()
    parts[1][2] = parts[1][0]
    assert bits(parts) & CHECK_RING
    parts = extruded(SQUARE)
    parts[2] = np.sort(np.append(parts[2], 2))
    parts[3] = np.append(parts[3], 7)
    assert bits(parts) & CHECK_RING


def test_a_vertex_off_its_plane_is_found():
    parts = extruded(SQUARE)
    parts[0][6, 2] += 0.02
    assert bits(parts) & CHECK_PLANE
    parts = extruded([(0.0, 0.0), (10.0, 0.0), (5.0, 0.0)])
    assert bits(parts) & CHECK_PLANE  # no area


@pytest.mark.parametrize(
    "ring",
    [
        [(0.0, 0.0), (10.0, 8.0), (10.0, 0.0), (0.0, 5.0)],
        [(0.0, 0.0), (10.0, 0.0), (10.0, 8.0), (4.0, 8.0), (4.0, 0.0), (3.0, 8.0), (0.0, 8.0)],
        [(0.0, 0.0), (10.0, 0.0), (10.0, 8.0), (14.0, 8.0), (0.0, 8.0)],  # a spike
        [(0.0, 0.0), (10.0, 0.0), (10.0, 8.0), (5.0, 8.0), (7.0, 8.0), (0.0, 8.0)],
    ],
)
def test_rings_that_cross_or_overlap_are_found(ring):
    assert bits(extruded(ring)) & CHECK_SIMPLE


def test_vertices_that_validators_would_join_are_found():
    ring = [*SQUARE[:2], (10.0, 7.9992), *SQUARE[2:]]
    assert bits(extruded(ring)) & CHECK_CLOSE
    ring = [*SQUARE[:2], (10.0, 7.9985), *SQUARE[2:]]
    assert not bits(extruded(ring)) & CHECK_CLOSE


def test_another_volume_is_found():
    parts = extruded(SQUARE)
    parts[4] += 1.0
    assert bits(parts) == CHECK_VOLUME
    parts = extruded(SQUARE)
    parts[1] = parts[1][::-1].copy()
    parts[2] = parts[2][-1] - parts[2][::-1]
    assert bits(parts) & CHECK_VOLUME  # inside out


@pytest.mark.parametrize(("near", "is_bad"), [(0.02, True), (5.0, False)])
def test_slivers_are_found_where_vertices_are_close(near, is_bad):
    # A vertex 0.1 mm out of the edge, 0.1 mm above the roof: its triangle stands on end. With
    # distant neighbours no Delaunay triangulation uses it.
    ring = [
        (0.0, 0.0),
        (10.0, 0.0),
        (10.0, 8.0),
        (5 + near, 8.0),
        (5.0, 8.0001),
        (5 - near, 8.0),
    ]
    parts = extruded([*ring, (0.0, 8.0)])
    parts[0][7 + 4, 2] += 0.0001
    assert bool(bits(parts) & CHECK_SLIVER) == is_bad


def test_slivers_beyond_the_room_for_them_are_counted_no_more():
    ring = [(0.0, 0.0), (10.0, 0.0), (10.0, 8.0), (5.02, 8.0), (5.0, 8.0001), (4.98, 8.0)]
    parts = extruded([*ring, (0.0, 8.0)])
    parts[0][7 + 4, 2] += 0.0001
    status, _, n = checked(parts, 0)
    assert status & CHECK_SLIVER
    assert n == 0


def test_a_prism_with_a_courtyard_is_valid():
    court = Polygon(box(0, 0, 10, 8).exterior, [[(2, 2), (2, 4), (4, 4), (4, 2)]])
    parts = prism(court)
    assert len(rings_of(court)[1]) == 3
    assert bits(parts) == 0
