"""Rules of rings and polygons: 101, 102, 104 and 201 to 208, face by face."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import numpy as np
import shapely

from cimkit.kernels.flat_faces import judge_faces
from cimkit.kernels.near_points import merge_near_points
from cimkit.kernels.ring_triangles import triangulate_rings

if TYPE_CHECKING:
    from cimkit.tables._columns import BoolArray, FloatArray, IntArray
    from cimkit.tables.boundaries import Boundaries

SNAP_M = 0.001
"""Metres. Points of one shell that are not farther apart are one."""

PLANARITY_M = 0.01
"""Metres that a point may lie off the plane of its face."""

NORMALS_DEG = 20.0
"""Degrees between the normals of the triangles of one face."""

NODE_M = 1e-8
"""Metres. A point of a ring nearer to an edge of another ring lies on it."""

GEOS_REASONS = (
    ("Self-intersection", 201),
    ("Interior is disconnected", 205),
    ("Hole lies outside shell", 206),
    ("Holes are nested", 207),
)
"""What GEOS says of polygons whose rings are simple, and the number for it."""


@dataclass(frozen=True, slots=True)
class Faces:
    """Verdict on every face of `Boundaries`, and the triangles of shells without fault.

    Attributes
    ----------
    xyz : float64 array, shape (n_corners, 3)
        Corners, relative to the first one of their shell, merged within `SNAP_M`.
    start : float64 array, shape (n_shells, 3)
        What is to be added for the coordinates of `Boundaries`.
    point : int64 array, shape (n_corners,)
        Corner that stands for each corner.
    fault, corner : int64 arrays, shape (n_faces,)
        Number of the fault, 0 for none; corner where it is, -1 for none.
    size : float64 array, shape (n_faces,)
        Metres off the plane (203), or degrees between normals (204).
    triangle : int64 array, shape (n_triangles, 3)
        Rows of `point` that stand for themselves; face by face.
    face_of_triangle : int64 array, shape (n_triangles,)
    """

    xyz: FloatArray
    start: FloatArray
    point: IntArray
    fault: IntArray
    corner: IntArray
    size: FloatArray
    triangle: IntArray
    face_of_triangle: IntArray


def check_faces(
    boundaries: Boundaries,
    *,
    snap: float = SNAP_M,
    planarity: float = PLANARITY_M,
    normals: float = NORMALS_DEG,
) -> Faces:
    """Check every face by itself.

    Parameters
    ----------
    boundaries : Boundaries
    snap, planarity : float
        Metres.
    normals : float
        Degrees.

    Returns
    -------
    Faces
        Triangles only of the shells of which no face has a fault; 204 is asked only there.

    Notes
    -----
    204 compares the triangles of the constrained Delaunay triangulation with the largest of
    them, so that the order of points does not matter; val3dity takes the first. No size is too
    small to count.
    """
    borders = boundaries.shell_corners
    sizes = np.diff(borders)
    xyz = boundaries.vertices[boundaries.ring_vertex]
    start = np.zeros((len(sizes), 3))
    start[sizes > 0] = xyz[borders[:-1][sizes > 0]]
    xyz = xyz - np.repeat(start, sizes, axis=0)
    point = merge_near_points(xyz, borders, snap)
    xyz = np.ascontiguousarray(xyz[point])
    offsets = boundaries.ring_offsets, boundaries.face_offsets
    fault, corner, size, uv = judge_faces(xyz, point, *offsets, planarity)
    _check_holes(boundaries, point, uv, fault, corner)
    whole = _without_fault(fault, boundaries.shell_of_face, len(sizes))
    rows = np.flatnonzero(whole[boundaries.shell_of_face])
    triangle, face = _triangles(boundaries, uv, rows, fault)
    triangle = point[triangle]
    _check_normals(xyz, triangle, face, normals, fault, corner, size)
    return Faces(xyz, start, point, fault, corner, size, triangle, face)


def _without_fault(fault: IntArray, owner: IntArray, n: int) -> BoolArray:
    """Owners none of whose faces has a fault."""
    return np.asarray(np.bincount(owner[fault != 0], minlength=n) == 0)


def _check_holes(
    boundaries: Boundaries, point: IntArray, uv: FloatArray, fault: IntArray, corner: IntArray
) -> None:
    """Judge how the rings of faces with holes lie to each other, as GEOS sees it."""
    rows = np.flatnonzero((fault == 0) & (np.diff(boundaries.face_offsets) > 1))
    for row in rows.tolist():
        first, last = boundaries.face_offsets[row : row + 2]
        borders = boundaries.ring_offsets[first : last + 1]
        rings = [uv[a:b] for a, b in pairwise(borders)]
        names = [frozenset(point[a:b].tolist()) for a, b in pairwise(borders)]
        number = 202 if len(set(names)) < len(names) else _relation(rings)
        if number:
            fault[row], corner[row] = number, borders[1]


def _relation(rings: list[FloatArray]) -> int:
    """Number of the fault of a polygon whose rings are simple, 0 for none."""
    polygon = shapely.Polygon(rings[0], rings[1:])
    number = 0 if polygon.is_valid else _reason(polygon)
    if number not in (0, 201):
        return number
    lines = shapely.linearrings(rings[0]), *map(shapely.linearrings, rings[1:])
    if all(shapely.distance(a, b) > NODE_M for a, b in combinations(lines, 2)):
        return number
    # A point on an edge may have been moved off it by rounding: make it a point of both.
    noded = _with_nodes(rings)
    polygon = shapely.Polygon(noded[0], noded[1:])
    return 0 if polygon.is_valid else _reason(polygon)


def _reason(polygon: shapely.Polygon) -> int:
    """Number for what GEOS says of an invalid polygon."""
    text = shapely.is_valid_reason(polygon)
    return next(
        (number for words, number in GEOS_REASONS if words.lower() in text.lower()), 999
    )


def _with_nodes(rings: list[FloatArray]) -> list[FloatArray]:
    """Rings with the points of the others that lie on their edges; columns u, v, and more."""
    result = []
    for k, ring in enumerate(rings):
        points = np.concatenate(rings[:k] + rings[k + 1 :])
        parts = []
        for a, b in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            edge, gaps = (b - a)[:2], (points - a)[:, :2]
            along = gaps @ edge / (edge @ edge)
            off = np.linalg.norm(gaps - along[:, None] * edge, axis=1)
            on = np.flatnonzero((off <= NODE_M) & (along > 0) & (along < 1))
            on = on[np.argsort(along[on])]
            from_a = np.linalg.norm(gaps[on], axis=1)
            from_b = np.linalg.norm(gaps[on] - edge, axis=1)
            parts += [a[None], points[on[np.minimum(from_a, from_b) > NODE_M]]]
        result.append(np.concatenate(parts))
    return result


def _triangles(
    boundaries: Boundaries, uv: FloatArray, rows: IntArray, fault: IntArray
) -> tuple[IntArray, IntArray]:
    """Triangles of chosen faces as corners, and their faces, in the order of the faces."""
    n_rings = np.diff(boundaries.face_offsets)[rows]
    plain, holed = rows[n_rings == 1], rows[n_rings > 1]
    ring = boundaries.face_offsets[plain]
    starts, ends = boundaries.ring_offsets[ring], boundaries.ring_offsets[ring + 1]
    triangle, done = triangulate_rings(uv, starts, ends)
    face = np.repeat(plain, ends - starts - 2)
    if not done.all():
        fault[plain[done == 0]] = 104
        triangle, face = triangle[triangle[:, 0] >= 0], face[triangle[:, 0] >= 0]
    if len(holed):
        more, its_face = _holed_or_fault(boundaries, uv, holed, fault)
        triangle, face = np.concatenate([triangle, more]), np.concatenate([face, its_face])
        order = np.argsort(face, kind="stable")
        triangle, face = triangle[order], face[order]
    return triangle, face


def _holed_or_fault(
    boundaries: Boundaries, uv: FloatArray, faces: IntArray, fault: IntArray
) -> tuple[IntArray, IntArray]:
    """Triangles of faces with holes; 999 for a face that GEOS cannot cut."""
    rings = [
        [
            np.column_stack([uv[a:b], np.arange(a, b)])
            for a, b in pairwise(boundaries.ring_offsets[first : last + 1])
        ]
        for first, last in zip(
            boundaries.face_offsets[faces], boundaries.face_offsets[faces + 1], strict=True
        )
    ]
    try:
        return _holed_triangles(rings, faces)
    except shapely.GEOSException:
        found = [_one_by_one(rings[k], faces[k], fault) for k in range(len(faces))]
    triangles, owners = zip(*found, strict=True)
    return np.concatenate(triangles), np.concatenate(owners)


def _one_by_one(
    rings: list[FloatArray], face: int, fault: IntArray
) -> tuple[IntArray, IntArray]:
    """Triangles of one face with holes, as it is or with points where rings touch."""
    for noded in (False, True):
        try:
            return _holed_triangles([_with_nodes(rings) if noded else rings], np.array([face]))
        except shapely.GEOSException:
            continue
    fault[face] = 999
    return np.empty((0, 3), dtype=np.int64), np.empty(0, dtype=np.int64)


def _holed_triangles(
    rings: list[list[FloatArray]], faces: IntArray
) -> tuple[IntArray, IntArray]:
    """Triangles of faces with holes, by GEOS; the corner travels as z."""
    polygons = [shapely.Polygon(of_face[0], of_face[1:]) for of_face in rings]
    pieces = shapely.constrained_delaunay_triangles(polygons)
    parts, number = shapely.get_parts(pieces, return_index=True)
    found = shapely.get_coordinates(parts, include_z=True).reshape(-1, 4, 3)[:, :3]
    a, b, c = found[:, 0, :2], found[:, 1, :2], found[:, 2, :2]
    turn = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    triangle = found[:, :, 2].astype(np.int64)
    triangle[turn < 0] = triangle[turn < 0][:, ::-1]
    return triangle, faces[number]


def _check_normals(
    xyz: FloatArray,
    triangle: IntArray,
    face: IntArray,
    tolerance: float,
    fault: IntArray,
    corner: IntArray,
    size: FloatArray,
) -> None:
    """Compare the normals of the triangles of each face with that of the largest one."""
    if not len(face):
        return
    a, b, c = (xyz[triangle[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    area = np.linalg.norm(normal, axis=1)
    first = np.flatnonzero(np.diff(face, prepend=-1))
    count = np.diff(np.append(first, len(face)))
    greatest = np.repeat(np.maximum.reduceat(area, first), count)
    # Rows of the largest, backwards: of equal ones the first is written last.
    largest = np.zeros(len(first), dtype=np.int64)
    group = np.repeat(np.arange(len(first)), count)
    rows = np.flatnonzero(area == greatest)[::-1]
    largest[group[rows]] = rows
    other = normal[largest[group]]
    across = np.linalg.norm(np.cross(normal, other), axis=1)
    angle = np.degrees(np.arctan2(across, (normal * other).sum(axis=1)))
    bad = np.flatnonzero(angle > tolerance)
    if len(bad):
        np.maximum.at(size, face[bad], angle[bad])
        worst = bad[np.argsort(angle[bad], kind="stable")]
        fault[face[worst]] = 204
        corner[face[worst]] = triangle[worst, 0]
