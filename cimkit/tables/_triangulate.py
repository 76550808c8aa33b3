"""Triangles of the faces of `Models`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mapbox_earcut
import numpy as np

from cimkit.tables._columns import FloatArray, IntArray

if TYPE_CHECKING:
    from cimkit.tables.models import Models


def newell_normals(models: Models) -> FloatArray:
    """Normals of the outlines of all faces, length = twice the area, shape (n_faces, 3)."""
    outline = models.face_offsets[:-1]
    starts, ends = models.ring_offsets[outline], models.ring_offsets[outline + 1]
    sizes = ends - starts
    first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    index = np.arange(first[-1]) + np.repeat(starts - first[:-1], sizes)
    following = index + 1
    following[first[1:] - 1] = starts
    # Relative to one vertex of the face: products of 4e7 would lose the small areas.
    base = models.vertices[models.ring_vertex[np.repeat(starts, sizes)]]
    a = models.vertices[models.ring_vertex[index]] - base
    b = models.vertices[models.ring_vertex[following]] - base
    if not len(outline):
        return np.empty((0, 3))
    return np.asarray(np.add.reduceat(np.cross(a, b), first[:-1], axis=0))


def triangulate_faces(models: Models) -> tuple[IntArray, IntArray]:
    """See `Models.triangles`."""
    normals = newell_normals(models)
    drop = np.argmax(np.abs(normals), axis=1)
    corners: list[IntArray] = []
    counts = np.zeros(len(normals), dtype=np.int64)
    for face, (normal, axis) in enumerate(zip(normals, drop.tolist(), strict=True)):
        first, last = models.face_offsets[face], models.face_offsets[face + 1]
        start, end = models.ring_offsets[first], models.ring_offsets[last]
        rows = models.ring_vertex[start:end]
        if end - start == 3:
            part = rows[None]
        else:
            xyz = models.vertices[rows] - models.vertices[rows[0]]
            plane = np.delete(xyz, axis, axis=1)
            ends = (models.ring_offsets[first + 1 : last + 1] - start).astype(np.uint32)
            found = mapbox_earcut.triangulate_float64(plane, ends).astype(np.int64).reshape(-1, 3)
            # Earcut turns triangles its own way; turn them along the normal again.
            p, q, r = (xyz[found[:, k]] for k in range(3))
            back = np.cross(q - p, r - p) @ normal < 0
            found[back] = found[back][:, ::-1]
            part = rows[found]
        corners.append(part)
        counts[face] = len(part)
    stacked = np.concatenate(corners) if corners else np.empty((0, 3), dtype=np.int64)
    return stacked, np.repeat(np.arange(len(normals)), counts)
