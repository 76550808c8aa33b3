"""Oracles of the kernels that judge solids; `tests/oracles.py` lists them with the others."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import shapely

from cimkit.kernels.flat_faces import judge_faces
from cimkit.kernels.near_points import merge_near_points
from cimkit.kernels.ring_triangles import triangulate_rings
from cimkit.kernels.shell_edges import judge_shells
from cimkit.kernels.solid_angles import winding_numbers
from cimkit.kernels.triangle_contacts import first_contacts

SHELL = 6
"""Triangles of one heap of them."""

CUBE = np.array(
    [
        [0, 2, 1], [0, 3, 2], [4, 5, 6], [4, 6, 7], [0, 1, 5], [0, 5, 4],
        [1, 2, 6], [1, 6, 5], [2, 3, 7], [2, 7, 6], [3, 0, 4], [3, 4, 7],
    ]
)  # fmt: skip


def star(rng: np.random.Generator, n: int) -> Any:
    """A simple ring round the origin that turns counter-clockwise."""
    m = max(4, n)
    angle = 2 * np.pi * (np.arange(m) + rng.uniform(0, 0.9)) / m
    return rng.uniform(4, 12, (m, 1)) * np.column_stack([np.cos(angle), np.sin(angle)])


def _heap(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    xyz = rng.integers(0, 3, (n, 3)) * 0.7 + rng.integers(0, 2, (n, 3)) * 0.0004
    return xyz, np.array([0, n // 3, n]), 0.001


def merge_slowly(xyz: Any, borders: Any, tolerance: float) -> Any:
    """First kept point in reach, by all distances."""
    kept = np.arange(len(xyz))
    for first, last in pairwise(borders.tolist()):
        own: list[int] = []
        for row in range(first, last):
            gaps = np.linalg.norm(xyz[own] - xyz[row], axis=1)
            near = np.flatnonzero(gaps <= tolerance + 1e-8)
            kept[row] = own[near[0]] if len(near) else row
            if not len(near):
                own.append(row)
    return kept


def _faces(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    """Rings in tilted planes, some with tangled corners, some not flat."""
    rings = []
    for k in range(n):
        ring = star(rng, int(rng.integers(4, 12)))
        if k % 3 == 1:
            ring = rng.permutation(ring)
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        rough = rng.uniform(-1, 1, len(ring)) * (0.05 if k % 5 == 2 else 0.001)
        rings.append(np.column_stack([ring, rough]) @ turn)
    xyz = np.concatenate(rings)
    offsets = np.cumsum([0, *(len(ring) for ring in rings)])
    return xyz, np.arange(len(xyz)), offsets, np.arange(n + 1), 0.01


def judge_by_numpy(xyz: Any, _: Any, ring_offsets: Any, __: Any, tolerance: float) -> Any:
    """Number and distance from the plane, by singular values and shapely."""
    faults, offs = [], []
    for first, last in pairwise(ring_offsets.tolist()):
        centred = xyz[first:last] - xyz[first:last].mean(axis=0)
        axes = np.linalg.svd(centred)[2]
        off = np.abs(centred @ axes[2]).max()
        simple = shapely.LinearRing(centred @ axes[:2].T).is_simple
        faults.append(203 if off > tolerance else 0 if simple else 104)
        offs.append(off)
    return np.array(faults), np.array(offs)


def _one_ring(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    ring = star(rng, n)
    return ring, np.array([0]), np.array([len(ring)])


def _in_order(triangle: Any) -> Any:
    triangle = np.sort(triangle, axis=1)
    return triangle[np.lexsort(triangle.T)]


def triangles_by_geos(uv: Any, _: Any, __: Any) -> Any:
    """Constrained Delaunay triangles, as sorted rows."""
    pieces = shapely.constrained_delaunay_triangles(shapely.Polygon(uv))
    corners = shapely.get_coordinates(shapely.get_parts(pieces)).reshape(-1, 4, 2)[:, :3]
    row = {tuple(point): i for i, point in enumerate(uv.tolist())}
    return _in_order(np.array([[row[tuple(p)] for p in t] for t in corners.tolist()]))


def _cubes(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    """Cubes, some with a triangle missing, turned or doubled."""
    rows, counts = [], []
    for k in range(n):
        cube, at = CUBE + 8 * k, int(rng.integers(12))
        fault = rng.integers(4)
        if fault == 1:
            cube = np.delete(cube, at, axis=0)
        if fault == 2:
            cube[at] = cube[at][::-1]
        if fault == 3:
            cube = np.insert(cube, at, cube[at], axis=0)
        rows.append(cube)
        counts.append(len(cube))
    offsets = np.cumsum([0, *counts])
    return np.concatenate(rows), offsets, 8 * np.arange(n + 1), np.zeros(n, dtype=np.bool_)


def shells_by_counting(triangle: Any, offsets: Any, _: Any, __: Any) -> Any:
    """Number of each cube, from how often its edges occur."""
    result = []
    for first, last in pairwise(offsets.tolist()):
        edges = Counter(
            (t[k], t[(k + 1) % 3]) for t in triangle[first:last].tolist() for k in range(3)
        )
        both = {edge: edges[edge] + edges[edge[::-1]] for edge in edges}
        turned = any(count > 1 for count in edges.values())
        number = 302 if min(both.values()) < 2 else 0
        result.append(303 if max(both.values()) > 2 else 307 if turned else number)
    return np.array(result)


def _heaps(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    shells = max(1, n // SHELL)
    centre = rng.uniform(0, 3, (shells * SHELL, 1, 3))
    xyz = (centre + rng.uniform(-1, 1, (shells * SHELL, 3, 3))).reshape(-1, 3)
    triangle = np.arange(len(xyz)).reshape(-1, 3)
    offsets = SHELL * np.arange(shells + 1)
    return xyz, triangle, np.arange(len(triangle)), offsets, np.ones(shells, dtype=np.bool_)


def _volume(a: Any, b: Any, c: Any, d: Any) -> float:
    return float(np.dot(np.cross(b - a, c - a), d - a))


def _pierces(first: Any, second: Any) -> bool:
    """Whether an edge of the first triangle goes through the second."""
    for p, q in combinations(first, 2):
        a, b, c = second
        if _volume(a, b, c, p) * _volume(a, b, c, q) < 0:
            sides = [_volume(p, q, second[k], second[(k + 1) % 3]) for k in range(3)]
            if min(sides) > 0 or max(sides) < 0:
                return True
    return False


def contacts_by_pairs(xyz: Any, triangle: Any, _: Any, offsets: Any, __: Any) -> Any:
    """First pair of each heap in which one goes through the other; nothing lies in a plane."""
    result = np.full((len(offsets) - 1, 2), -1)
    corners = xyz[triangle]
    for s, (first, last) in enumerate(pairwise(offsets.tolist())):
        for i, j in combinations(range(first, last), 2):
            if _pierces(corners[i], corners[j]) or _pierces(corners[j], corners[i]):
                result[s] = i, j
                break
    return result


def _round_octahedron(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    tips = np.concatenate([np.eye(3), -np.eye(3)])
    faces = [
        (0, 1, 2),
        (1, 3, 2),
        (3, 4, 2),
        (4, 0, 2),
        (1, 0, 5),
        (3, 1, 5),
        (4, 3, 5),
        (0, 4, 5),
    ]
    return rng.uniform(-1, 1, (n, 3)), tips[np.array(faces)]


SOLID_ORACLES = {
    "merge_near_points": (merge_near_points, merge_slowly, _heap, merge_near_points, 0.0),
    "judge_faces": (
        lambda *given: judge_faces(*given)[::2][:2],
        judge_by_numpy,
        _faces,
        judge_faces,
        1e-7,
    ),
    "triangulate_rings": (
        lambda *given: _in_order(triangulate_rings(*given)[0]),
        triangles_by_geos,
        _one_ring,
        triangulate_rings,
        0.0,
    ),
    "judge_shells": (
        lambda *given: judge_shells(*given)[0],
        shells_by_counting,
        _cubes,
        judge_shells,
        0.0,
    ),
    "first_contacts": (first_contacts, contacts_by_pairs, _heaps, first_contacts, 0.0),
    "winding_numbers": (
        winding_numbers,
        lambda points, _: (np.abs(points).sum(axis=1) < 1).astype(float),
        _round_octahedron,
        winding_numbers,
        1e-9,
    ),
}
"""Name, then the fields of `tests.oracles.Oracle`."""
