"""Areas, slopes and volumes of the faces of solids, all at once.

One pass over the corners of all rings. Coordinates are taken relative to a vertex of the solid:
products of eastings near 4e7 would lose small faces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cimkit.tables.models import ROOF_SURFACE

if TYPE_CHECKING:
    from cimkit.tables._columns import FloatArray
    from cimkit.tables.models import Models

FLAT_DEG = 0.5
"""Degrees. The direction of a flatter face is noise: 9 mm on a metre."""


def face_vectors(models: Models) -> FloatArray:
    """Area vector of each face: its outward normal, as long as its area.

    Parameters
    ----------
    models : Models

    Returns
    -------
    float64 array, shape (n_faces, 3)
        In m². Holes are taken off; the sum over the faces of a closed solid is 0.

    Notes
    -----
    Half the sum of the cross products of successive corners (Newell's method). O(corners).

    Examples
    --------
    >>> import shapely
    >>> import cimkit
    >>> footprints = cimkit.Footprints.from_polygons(
    ...     ["a"], [shapely.box(0, 0, 3, 2)], floors=[1]
    ... )
    >>> _, models, _ = cimkit.reconstruct(footprints)
    >>> face_vectors(models.at("1.2"))[-1].tolist()
    [0.0, 0.0, 6.0]
    """
    return _measure(models)[0]


def solid_volumes(models: Models) -> FloatArray:
    """Volume of each solid in m³, shape (n,), by the divergence theorem.

    Examples
    --------
    >>> import shapely
    >>> import cimkit
    >>> footprints = cimkit.Footprints.from_polygons(
    ...     ["a"], [shapely.box(0, 0, 3, 2)], floors=[1]
    ... )
    >>> _, models, _ = cimkit.reconstruct(footprints)
    >>> solid_volumes(models.at("1.2"))
    array([18.])
    """
    vectors, mean = _measure(models)
    pyramids = (vectors * mean).sum(axis=1) / 3.0
    return np.asarray(np.bincount(models.solid_of_face, pyramids, len(models)), np.float64)


def face_slopes(models: Models) -> tuple[FloatArray, FloatArray]:
    """Slope (坡度) and azimuth (坡向) of each roof face.

    Parameters
    ----------
    models : Models

    Returns
    -------
    slope : float64 array, shape (n_faces,)
        Degrees from the horizontal, in hundredths; NaN for ground and wall faces.
    azimuth : float64 array, shape (n_faces,)
        Degrees clockwise from north (the y axis) of the direction in which water runs off, in
        hundredths, in [0, 360); NaN also where the slope is below `FLAT_DEG`.

    Examples
    --------
    >>> import shapely
    >>> import cimkit
    >>> footprints = cimkit.Footprints.from_polygons(["a"], [shapely.box(0, 0, 3, 2)])
    >>> _, models, _ = cimkit.reconstruct(footprints)
    >>> slope, azimuth = face_slopes(models.at("1.2"))
    >>> slope[-1], azimuth[-1], slope[0]
    (np.float64(0.0), np.float64(nan), np.float64(nan))
    """
    x, y, z = face_vectors(models).T
    roof = models.semantics == ROOF_SURFACE
    slope = np.where(roof, np.round(np.degrees(np.arctan2(np.hypot(x, y), z)), 2), np.nan)
    azimuth = np.round(np.degrees(np.arctan2(x, y)) % 360.0, 2) % 360.0  # 359.999 is 0
    return slope, np.where(slope >= FLAT_DEG, azimuth, np.nan)


def _measure(models: Models) -> tuple[FloatArray, FloatArray]:
    """Area vector and mean corner of each face, relative to a vertex of its solid."""
    n_faces = len(models.semantics)
    corners = len(models.ring_vertex)
    first, size = models.ring_offsets[:-1], np.diff(models.ring_offsets)
    following = np.arange(1, corners + 1)
    following[models.ring_offsets[1:][size > 0] - 1] = first[size > 0]
    face = np.repeat(models.face_of_ring, size)
    origin = models.vertex_offsets[:-1][models.solid_of_face][face]
    xyz = models.vertices[models.ring_vertex] - models.vertices[origin]
    x, y, z = xyz.T
    u, v, w = xyz[following].T
    cross = y * w - z * v, z * u - x * w, x * v - y * u
    vectors, mean = np.empty((n_faces, 3)), np.empty((n_faces, 3))
    count = np.maximum(np.bincount(face, minlength=n_faces), 1)
    for axis in range(3):
        vectors[:, axis] = np.bincount(face, cross[axis], n_faces) / 2.0
        mean[:, axis] = np.bincount(face, xyz[:, axis], n_faces) / count
    return vectors, mean
