"""What of a set of solids can be seen in parallel projection, and the shadow they cast.

Faces that look away are left out, and from every other face the parts that lie behind another
one are cut off. The picture therefore does not depend on an order of drawing, and interlocking
L-shapes and courtyards come out right, where no order of whole buildings exists.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cimkit.tables import Models
    from cimkit.tables._columns import FloatArray, IntArray

EDGE_ON = 0.01
"""Cosine below which a face is seen as a line, and left out."""
SPECK = 1e-3
"""Square metres below which an overlap or a visible part is left out: rounding, no shape."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A viewer infinitely far away.

    Parameters
    ----------
    axes : float64 array, shape (3, 3)
        Orthonormal rows: right, up, and away from the viewer.
    sun : float64 array, shape (3,)
        Unit vector to the sun.
    origin : float64 array, shape (3,)
        Place of which the projection is (0, 0, 0).
    """

    axes: FloatArray
    sun: FloatArray
    origin: FloatArray

    def project(self, xyz: FloatArray) -> FloatArray:
        """Return right, up and depth of points in metres, shape (n, 3)."""
        return np.asarray((xyz - self.origin) @ self.axes.T)


def place_camera(
    azimuth: float,
    elevation: float,
    sun_azimuth: float,
    sun_elevation: float,
    origin: FloatArray,
) -> Camera:
    """Put up a camera; all angles in degrees, azimuths clockwise from north.

    Examples
    --------
    >>> camera = place_camera(180.0, 0.0, 180.0, 45.0, np.zeros(3))
    >>> camera.project(np.array([[1.0, 2.0, 3.0]])).round(9).tolist()
    [[1.0, 3.0, 2.0]]
    """
    away = -_direction(azimuth, elevation)
    right = _direction(azimuth - 90.0, 0.0)
    return Camera(
        np.array([right, np.cross(right, away), away]),
        _direction(sun_azimuth, sun_elevation),
        origin,
    )


def visible_faces(models: Models, camera: Camera) -> tuple[NDArray[Any], IntArray]:
    """Cut every face down to the parts that can be seen.

    Parameters
    ----------
    models : Models
        Solids that do not cross each other.
    camera : Camera

    Returns
    -------
    parts : object array of shapely Polygon, shape (n_parts,)
        In the plane of the picture (right, up), metres.
    face_of_part : int64 array, shape (n_parts,)
        Rising; a face that is hidden does not occur, one that is cut in two occurs twice.

    Notes
    -----
    Two faces that do not cross keep their order in depth all over each connected piece of the
    area in which they overlap in the picture, so one point of each piece tells which to cut.
    """
    normals = face_normals(models)
    front = np.flatnonzero(normals @ camera.axes[2] < -EDGE_ON)
    seen = camera.project(models.vertices)
    shapes = _polygons(models, seen[:, :2], front)
    slope, offset = _depth_planes(models, seen, normals @ camera.axes.T, front)
    one, other = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    once = one < other
    one, other = one[once], other[once]
    pieces, pair = shapely.get_parts(
        shapely.intersection(shapes[one], shapes[other]), return_index=True
    )
    keep = shapely.area(pieces) > SPECK
    pieces, one, other = pieces[keep], one[pair[keep]], other[pair[keep]]
    spot = shapely.get_coordinates(shapely.point_on_surface(pieces))
    gap = ((slope[one] - slope[other]) * spot).sum(1) + offset[one] - offset[other]
    _cut(shapes, np.where(gap > 0, one, other), pieces)
    parts, row = shapely.get_parts(shapes, return_index=True)
    keep = shapely.area(parts) > SPECK
    return parts[keep], front[row[keep]]


def cast_shadow(models: Models, camera: Camera) -> NDArray[Any]:
    """Shadow on the ground, each building's on its own ground height, as parts of the picture.

    Returns
    -------
    object array of shapely Polygon
        Not overlapping, in the plane of the picture (right, up), metres.
    """
    if not len(models):
        return np.empty(0, dtype=object)
    base = np.minimum.reduceat(models.vertices[:, 2], models.vertex_offsets[:-1])
    rise = models.vertices[:, 2] - np.repeat(base, np.diff(models.vertex_offsets))
    fallen = models.vertices - rise[:, None] * camera.sun / camera.sun[2]
    lit = np.flatnonzero(face_normals(models) @ camera.sun > EDGE_ON)
    shapes = _polygons(models, camera.project(fallen)[:, :2], lit)
    return np.asarray(shapely.get_parts(shapely.union_all(shapes)))


def face_normals(models: Models) -> FloatArray:
    """Outward unit normals by Newell's method, shape (n_faces, 3)."""
    if not len(models.semantics):
        return np.empty((0, 3))
    corner = models.vertices[models.ring_vertex] - models.vertices[0]
    following = np.arange(1, len(corner) + 1)
    following[models.ring_offsets[1:] - 1] = models.ring_offsets[:-1]
    doubled = np.add.reduceat(np.cross(corner, corner[following]), models.ring_offsets[:-1])
    normals = np.add.reduceat(doubled, models.face_offsets[:-1])
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.asarray(normals / np.maximum(length, np.finfo(np.float64).tiny))


def _direction(azimuth: float, elevation: float) -> FloatArray:
    """Return the unit vector towards a place in the sky."""
    turn, rise = math.radians(azimuth), math.radians(elevation)
    return np.array(
        [math.sin(turn) * math.cos(rise), math.cos(turn) * math.cos(rise), math.sin(rise)]
    )


def _polygons(models: Models, xy: FloatArray, faces: IntArray) -> NDArray[Any]:
    """Build polygons of chosen faces from flattened vertices; repair what rounding crossed."""
    wanted = np.zeros(len(models.semantics), dtype=np.int64)
    wanted[faces] = 1
    face_of_ring = models.face_of_ring
    ring_of_use = np.repeat(np.arange(len(face_of_ring)), np.diff(models.ring_offsets))
    chosen = wanted[face_of_ring].astype(bool)
    use = chosen[ring_of_use]
    new_ring = np.cumsum(chosen) - 1
    new_face = np.cumsum(wanted) - 1
    if not len(faces):
        return np.empty(0, dtype=object)
    rings = shapely.linearrings(xy[models.ring_vertex[use]], indices=new_ring[ring_of_use[use]])
    shapes = np.asarray(shapely.polygons(rings, indices=new_face[face_of_ring[chosen]]))
    crossed = ~shapely.is_valid(shapes)
    shapes[crossed] = shapely.make_valid(
        shapes[crossed], method="structure", keep_collapsed=False
    )
    return shapes


def _depth_planes(
    models: Models, seen: FloatArray, normals: FloatArray, faces: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Depth of each face as slope (n, 2) and offset (n,) over the plane of the picture."""
    slope = -normals[faces, :2] / normals[faces, 2:]
    first = seen[models.ring_vertex[models.ring_offsets[models.face_offsets[faces]]]]
    return slope, first[:, 2] - (slope * first[:, :2]).sum(1)


def _cut(shapes: NDArray[Any], hidden: IntArray, pieces: NDArray[Any]) -> None:
    """Take from each shape the pieces that are hidden."""
    order = np.argsort(hidden, kind="stable")
    rows, starts = np.unique(hidden[order], return_index=True)
    cover = [shapely.union_all(group) for group in np.split(pieces[order], starts[1:])]
    if len(rows):
        shapes[rows] = shapely.difference(shapes[rows], cover)
