"""Which solids are closed and look outward, as those that tiles show must."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cimkit.tables import Models
from cimkit.tables._columns import BoolArray, FloatArray, IntArray

JOIN_M = 0.001
"""Metres. Corners that agree to this are one."""


def are_closed(models: Models) -> BoolArray:
    """Whether each edge of a solid is used as often in one direction as in the other.

    Parameters
    ----------
    models : Models, n rows

    Returns
    -------
    bool array, shape (n,)

    Examples
    --------
    >>> import shapely
    >>> import cimkit
    >>> footprints = cimkit.Footprints.from_polygons(["a"], [shapely.box(0, 0, 9, 9)])
    >>> _, models, _ = cimkit.reconstruct(footprints)
    >>> are_closed(models), volumes(models).tolist()
    (array([ True]), [243.0])
    """
    point, owner = _points(models), _solid_of_corner(models)
    start = point[models.ring_vertex]
    end = start[_following(models)]
    low, high = np.minimum(start, end), np.maximum(start, end)
    _, first, number = np.unique(
        low * (len(models.vertices) + 1) + high, return_index=True, return_inverse=True
    )
    balance = np.bincount(number, np.sign(end - start), len(first))
    open_ones = owner[first[balance != 0]]
    faces = np.diff(models.solid_offsets) >= 4
    return np.asarray((np.bincount(open_ones, minlength=len(models)) == 0) & faces)


def volumes(models: Models) -> FloatArray:
    """Volume of each solid (divergence theorem), cubic metres; below 0 if it looks inward."""
    owner, first = _solid_of_corner(models), models.vertex_offsets[:-1]
    n = len(models)
    if not n:
        return np.empty(0)
    base = models.vertices[np.minimum(first, max(len(models.vertices) - 1, 0))]
    ring = np.repeat(np.arange(len(models.ring_offsets) - 1), np.diff(models.ring_offsets))
    origin = models.vertices[models.ring_vertex[models.ring_offsets[:-1]]][ring]
    a = models.vertices[models.ring_vertex] - origin
    b = a[_following(models)]
    volume = (np.cross(a, b) * (origin - base[owner])).sum(axis=1) / 6
    return np.asarray(np.bincount(owner, volume, n), dtype=np.float64)


def turned(models: Models, rows: BoolArray) -> Models:
    """Models of which some look the other way: all their rings run backwards."""
    size = np.diff(models.ring_offsets)
    ring = np.repeat(np.arange(len(size)), size)
    place = np.arange(len(models.ring_vertex))
    back = models.ring_offsets[ring] + models.ring_offsets[ring + 1] - 1 - place
    chosen = np.where(rows[_solid_of_corner(models)], back, place)
    return replace(models, ring_vertex=models.ring_vertex[chosen])


def _following(models: Models) -> IntArray:
    """The next corner of its ring, for each corner."""
    following = np.arange(1, len(models.ring_vertex) + 1)
    sizes = np.diff(models.ring_offsets)
    following[models.ring_offsets[1:][sizes > 0] - 1] = models.ring_offsets[:-1][sizes > 0]
    return following


def _solid_of_corner(models: Models) -> IntArray:
    """Solid of each corner of a ring."""
    ends = models.ring_offsets[models.face_offsets[models.solid_offsets]]
    return np.repeat(np.arange(len(models)), np.diff(ends))


def _points(models: Models) -> IntArray:
    """Number of the point of each vertex; vertices of one solid at one place share it."""
    grid = np.rint(models.vertices / JOIN_M).astype(np.int64)
    owner = np.repeat(np.arange(len(models)), np.diff(models.vertex_offsets))
    order = np.lexsort([grid[:, 0], grid[:, 1], grid[:, 2], owner])
    apart = (np.diff(grid[order], axis=0) != 0).any(axis=1) | (np.diff(owner[order]) != 0)
    point = np.empty(len(order), dtype=np.int64)
    point[order] = np.concatenate([[0], np.cumsum(apart)])[: len(order)]
    return point
