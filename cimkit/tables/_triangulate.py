"""Triangles of the faces of `Models`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import shapely

from cimkit.errors import TableError
from cimkit.tables._columns import BoolArray, FloatArray, IntArray, ragged_index

if TYPE_CHECKING:
    from cimkit.tables.models import Models

TURN_MIN = 1e-6
"""Metres, about: a vertex that stands out less is taken as lying on the line of its neighbours.
Coordinates of 4e7 m are exact to 4e-9 m, those of `Models` are multiples of 1e-3 m."""


def newell_normals(models: Models | _Faces) -> FloatArray:
    """Compute normals of all outlines, length = twice the area, shape (n_faces, 3)."""
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
    starts = models.ring_offsets[models.face_offsets]
    if len(starts) == 1:
        return np.empty((0, 3), dtype=np.int64), np.empty(0, dtype=np.int64)
    plane = _flatten(models, starts)
    is_fan = _is_fan(models, plane, starts)
    fans, fan_face = _fans(starts, np.flatnonzero(is_fan))
    try:
        rest, rest_face = _delaunay(models, plane, np.flatnonzero(~is_fan))
    except _CrossingError as error:
        raise _crossed(models, error.faces) from error
    face = np.concatenate([fan_face, rest_face])
    order = np.argsort(face, kind="stable")
    return models.ring_vertex[np.concatenate([fans, rest])[order]], face[order]


class _Faces(NamedTuple):
    """Some faces of models, by the names that these use."""

    vertices: FloatArray
    ring_vertex: IntArray
    ring_offsets: IntArray
    face_offsets: IntArray


def triangulate_some(models: Models, faces: IntArray) -> tuple[IntArray, IntArray]:
    """Triangles of chosen faces, as rows of `models.ring_vertex`, and their face; by GEOS."""
    ring, face_offsets = ragged_index(models.face_offsets, faces)
    row, ring_offsets = ragged_index(models.ring_offsets, ring)
    some = _Faces(models.vertices, models.ring_vertex[row], ring_offsets, face_offsets)
    plane = _flatten(some, ring_offsets[face_offsets])
    try:
        rows, number = _delaunay(some, plane, np.arange(len(faces)))
    except _CrossingError as error:
        raise _crossed(models, faces[error.faces]) from error
    return row[rows], faces[number]


def crossing_faces(models: Models, faces: IntArray) -> IntArray:
    """Those of some faces whose rings cross, so that no triangles cover them."""
    ring, face_offsets = ragged_index(models.face_offsets, faces)
    row, ring_offsets = ragged_index(models.ring_offsets, ring)
    some = _Faces(models.vertices, models.ring_vertex[row], ring_offsets, face_offsets)
    plane = _flatten(some, ring_offsets[face_offsets])
    polygons = _polygons(some, plane, np.arange(len(faces)))
    return np.asarray(faces[~shapely.is_valid(polygons)])


def _fans(starts: IntArray, faces: IntArray) -> tuple[IntArray, IntArray]:
    """Triangles from the first vertex of faces, as rows of `ring_vertex`, and their face."""
    counts = np.diff(starts)[faces] - 2
    face = np.repeat(faces, counts)
    step = np.arange(len(face)) - np.repeat(np.cumsum(counts) - counts, counts)
    first = starts[face]
    return np.column_stack([first, first + step + 1, first + step + 2]), face


class _CrossingError(Exception):
    """Faces that GEOS cannot cut."""

    def __init__(self, faces: IntArray) -> None:
        super().__init__()
        self.faces = faces


def _crossed(models: Models, faces: IntArray) -> TableError:
    """Say which buildings have faces that cross themselves."""
    names = ", ".join(models.building_id[np.unique(models.solid_of_face[faces])[:5]].tolist())
    return TableError(f"Models: a face crosses itself: {names}")


def _polygons(models: Models | _Faces, plane: FloatArray, faces: IntArray) -> Any:
    """Faces in their plane as polygons of GEOS; z is the row of `ring_vertex`."""
    ring, face_ends = ragged_index(models.face_offsets, faces)
    row, ring_ends = ragged_index(models.ring_offsets, ring)
    # The row travels as z, so that each corner is known again.
    corners = np.column_stack([plane[row], row])
    rings = shapely.linearrings(
        corners, indices=np.repeat(np.arange(len(ring)), np.diff(ring_ends))
    )
    return shapely.polygons(rings, indices=np.repeat(np.arange(len(faces)), np.diff(face_ends)))


def _delaunay(
    models: Models | _Faces, plane: FloatArray, faces: IntArray
) -> tuple[IntArray, IntArray]:
    """Triangles of any faces, as rows of `ring_vertex`, and their face."""
    polygons = _polygons(models, plane, faces)
    try:
        pieces = shapely.constrained_delaunay_triangles(polygons)
    except shapely.GEOSException as error:
        raise _CrossingError(faces[~shapely.is_valid(polygons)]) from error
    parts, number = shapely.get_parts(pieces, return_index=True)
    found = shapely.get_coordinates(parts, include_z=True).reshape(-1, 4, 3)[:, :3]
    a, b, c = found[:, 0, :2], found[:, 1, :2], found[:, 2, :2]
    turn = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    triangles = found[:, :, 2].astype(np.int64)
    triangles[turn < 0] = triangles[turn < 0][:, ::-1]
    return triangles, faces[number]


def _flatten(models: Models | _Faces, starts: IntArray) -> FloatArray:
    """All ring vertices in a plane where the outline of their face runs counter-clockwise."""
    normals = newell_normals(models)
    sizes = np.diff(starts)
    axis = np.argmax(np.abs(normals), axis=1)
    down = normals[np.arange(len(axis)), axis] < 0
    u, v = (axis + 1) % 3, (axis + 2) % 3
    axes = np.where(down[:, None], np.column_stack([v, u]), np.column_stack([u, v]))
    xyz = models.vertices[models.ring_vertex]
    xyz = xyz - np.repeat(xyz[starts[:-1]], sizes, axis=0)
    return np.take_along_axis(xyz, np.repeat(axes, sizes, axis=0), axis=1)


def _is_fan(models: Models, plane: FloatArray, starts: IntArray) -> BoolArray:
    """Faces of one ring that turns left at every vertex: any vertex sees all others."""
    sizes = np.diff(starts)
    following = np.arange(1, len(plane) + 1)
    following[starts[1:] - 1] = starts[:-1]
    edge = plane[following] - plane
    ahead = edge[following]
    turn = edge[:, 0] * ahead[:, 1] - edge[:, 1] * ahead[:, 0]
    left = turn > TURN_MIN * (np.abs(edge).sum(axis=1) + np.abs(ahead).sum(axis=1))
    one_ring = np.diff(models.face_offsets) == 1
    convex = np.logical_and.reduceat(left, starts[:-1]) | (sizes == 3)
    return np.asarray(one_ring & convex)
