"""Triangles and normals of the faces of solids, all at once.

A face is laid into the plane of the two axes that its normal (Newell's method, from one of its
own corners) leans away from most. Convex faces are cut as fans, others of one ring by
`ring_triangles`, both here; faces with holes, and rings that are not simple, are left to GEOS.
`Models.triangles` covers the same faces in NumPy and GEOS alone, and is what this is tested
against; it takes five times as long for 5,588 buildings of Delft (2026-11).
"""

from __future__ import annotations

import numpy as np

from cimkit.kernels._jit import helper, kernel
from cimkit.kernels.ring_triangles import cut_ears, turn_edges
from cimkit.tables import Models
from cimkit.tables._columns import BoolArray, FloatArray, IntArray
from cimkit.tables._triangulate import TURN_MIN, triangulate_some


def solid_triangles(models: Models) -> tuple[IntArray, IntArray, FloatArray]:
    """Triangulate all faces of solids.

    Parameters
    ----------
    models : Models

    Returns
    -------
    corners : int64 array, shape (n_triangles, 3)
        Rows of `models.ring_vertex`, counter-clockwise seen from outside, face by face: so each
        corner belongs to one face.
    face_of_triangle : int64 array, shape (n_triangles,)
    normals : float64 array, shape (n_faces, 3)
        Newell's normal of each outline; its length is twice the area.
    """
    triangle, starts, done, normals = cut_faces(
        models.vertices, models.ring_vertex, models.ring_offsets, models.face_offsets
    )
    face = np.repeat(np.arange(len(done)), np.diff(starts))
    if not done.all():
        left = np.flatnonzero(~done)
        rest, its_face = triangulate_some(models, left)
        order = np.argsort(its_face, kind="stable")
        free = np.flatnonzero(~done[face])
        if np.array_equal(face[free], its_face[order]):  # as many as the corners ask for
            triangle[free] = rest[order]
        else:
            kept = done[face]
            face = np.concatenate([face[kept], its_face])
            order = np.argsort(face, kind="stable")
            triangle, face = np.concatenate([triangle[kept], rest])[order], face[order]
    return triangle, face, normals


@helper
def _normal(xyz: FloatArray, rows: IntArray, start: int, end: int, out: FloatArray) -> None:
    """Newell's normal of a ring, from its first corner."""
    o = rows[start]
    out[:] = 0.0
    for i in range(start + 1, end - 1):
        a, b = rows[i], rows[i + 1]
        ax, ay, az = xyz[a, 0] - xyz[o, 0], xyz[a, 1] - xyz[o, 1], xyz[a, 2] - xyz[o, 2]
        bx, by, bz = xyz[b, 0] - xyz[o, 0], xyz[b, 1] - xyz[o, 1], xyz[b, 2] - xyz[o, 2]
        out[0] += ay * bz - az * by
        out[1] += az * bx - ax * bz
        out[2] += ax * by - ay * bx


@helper
def _flatten(
    xyz: FloatArray, rows: IntArray, start: int, end: int, normal: FloatArray, uv: FloatArray
) -> None:
    """Lay a ring into the plane of two axes, in which it turns counter-clockwise."""
    x, y, z = abs(normal[0]), abs(normal[1]), abs(normal[2])
    axis = 0 if x >= y and x >= z else 1 if y >= z else 2
    u, v = (axis + 1) % 3, (axis + 2) % 3
    if normal[axis] < 0.0:
        u, v = v, u
    for i in range(start, end):
        uv[i - start, 0] = xyz[rows[i], u] - xyz[rows[start], u]
        uv[i - start, 1] = xyz[rows[i], v] - xyz[rows[start], v]


@helper
def _is_convex(uv: FloatArray, n: int) -> bool:
    """Whether a ring turns left at every corner: then the first sees all others."""
    for i in range(n):
        j, k = (i + 1) % n, (i + 2) % n
        x, y = uv[j, 0] - uv[i, 0], uv[j, 1] - uv[i, 1]
        s, t = uv[k, 0] - uv[j, 0], uv[k, 1] - uv[j, 1]
        if x * t - y * s <= TURN_MIN * (abs(x) + abs(y) + abs(s) + abs(t)):
            return False
    return True


@kernel
def cut_faces(
    xyz: FloatArray, ring_vertex: IntArray, ring_offsets: IntArray, face_offsets: IntArray
) -> tuple[IntArray, IntArray, BoolArray, FloatArray]:
    """Cut all faces of one ring.

    Parameters
    ----------
    xyz : float64 array, shape (n_vertices, 3)
    ring_vertex, ring_offsets, face_offsets : int64 arrays
        As in `cimkit.tables.Models`.

    Returns
    -------
    triangle : int64 array, shape (n_triangles, 3)
        Rows of `ring_vertex`; -1 in faces that are not done.
    starts : int64 array, shape (n_faces + 1,)
        Borders of the faces in `triangle`.
    done : bool array, shape (n_faces,)
        Off for faces with holes and rings that are not simple.
    normals : float64 array, shape (n_faces, 3)
    """
    n_faces = len(face_offsets) - 1
    starts = np.zeros(n_faces + 1, dtype=np.int64)
    longest = 0
    for face in range(n_faces):
        first, last = ring_offsets[face_offsets[face]], ring_offsets[face_offsets[face + 1]]
        holes = face_offsets[face + 1] - face_offsets[face] - 1
        starts[face + 1] = starts[face] + max(0, last - first - 2 + 2 * holes)
        longest = max(longest, last - first)
    triangle = np.full((starts[n_faces], 3), -1, dtype=np.int64)
    done = np.zeros(n_faces, dtype=np.bool_)
    normals = np.empty((n_faces, 3))
    plane = np.empty((longest, 2))
    parts, neighbours = np.empty((longest, 3), np.int64), np.empty((longest, 3), np.int64)
    for face in range(n_faces):
        ring = face_offsets[face]
        start, end = ring_offsets[ring], ring_offsets[ring + 1]
        n = end - start
        _normal(xyz, ring_vertex, start, end, normals[face])
        if face_offsets[face + 1] > ring + 1 or n < 3:
            continue
        uv = plane[:n]
        _flatten(xyz, ring_vertex, start, end, normals[face], uv)
        if n == 3 or _is_convex(uv, n):
            for i in range(n - 2):
                triangle[starts[face] + i, 0] = end - 1
                triangle[starts[face] + i, 1] = start + i
                triangle[starts[face] + i, 2] = start + i + 1
            done[face] = True
            continue
        part, beside = parts[: n - 2], neighbours[: n - 2]
        beside[:] = -1
        if not cut_ears(uv, part, beside):
            continue
        turn_edges(uv, part, beside)
        for i in range(n - 2):
            for k in range(3):
                triangle[starts[face] + i, k] = start + part[i, k]
        done[face] = True
    return triangle, starts, done, normals
