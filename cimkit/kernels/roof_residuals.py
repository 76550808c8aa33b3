"""Heights of points above the roofs of models: how well a model fits its points.

A point is compared with the highest roof face at its place. Faces are planar, so that no
triangulation is needed: whether a face covers the place is decided in plan by the even-odd rule
over all its rings, its height there by its plane (Newell's normal, through the mean corner).

Points near the outline are left out: they may be from a wall or from the neighbour. Differences
are rounded to millimetres and summed as whole numbers, so that neither the order of the points
nor the place on the map changes a bit.

Time: O(points x (corners of the outline + roof faces + corners of the faces near the place)).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cimkit.kernels._jit import helper, kernel
from cimkit.kernels.roof_cover import depth_in_rings, local_rings
from cimkit.tables.models import ROOF_SURFACE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cimkit.tables._columns import FloatArray, IntArray

INSET = 0.3
"""Metres from the outline within which points are left out: scan and map disagree by it."""

STEEPEST = 0.087
"""Least z of the unit normal of a roof face: 85 degrees. A steeper one is a wall."""

FAR = 1_000_000
"""Millimetres; no difference counts for more, so that the sums of squares fit into 64 bits."""


class Solids(NamedTuple):
    """The arrays of `cimkit.tables.Models` that kernels read."""

    vertices: FloatArray
    ring_vertex: IntArray
    ring_offsets: IntArray
    face_offsets: IntArray
    solid_offsets: IntArray
    semantics: NDArray[np.uint8]


class Residuals(NamedTuple):
    """Sums over the points of each building, for each level.

    Attributes
    ----------
    compared : int64 array, shape (n, k)
        Points that were compared.
    squares : int64 array, shape (n, k)
        Sum of the squared differences, mm².
    near : int64 array, shape (n, k)
        Points that lie within the given distance of the roof.
    """

    compared: IntArray
    squares: IntArray
    near: IntArray


class _Faces(NamedTuple):
    """Roof faces of one solid, in metres from the corner of its building.

    `box` is (xmin, ymin, xmax, ymax), `plane` (a, b, c) of z = a x + b y + c, `edges` are
    (x, y, x, y) from `starts[f]` to `starts[f + 1]` - 1.
    """

    box: FloatArray
    plane: FloatArray
    edges: FloatArray
    starts: IntArray


@helper
def _roof_faces(solids: Solids, solid: int, x0: int, y0: int) -> _Faces:
    """Roof faces of a solid that are no walls."""
    first, last = solids.solid_offsets[solid], solids.solid_offsets[solid + 1]
    low = solids.ring_offsets[solids.face_offsets[first]]
    high = solids.ring_offsets[solids.face_offsets[last]]
    box, plane = np.empty((last - first, 4)), np.empty((last - first, 3))
    edges, starts = np.empty((high - low, 4)), np.zeros(last - first + 1, np.int64)
    count, used = 0, 0
    for f in range(first, last):
        if solids.semantics[f] != ROOF_SURFACE:
            continue
        nx, ny, nz, mx, my, mz = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        box[count, 0] = box[count, 1] = np.inf
        box[count, 2] = box[count, 3] = -np.inf
        here = used
        for r in range(solids.face_offsets[f], solids.face_offsets[f + 1]):
            start, end = solids.ring_offsets[r], solids.ring_offsets[r + 1]
            v = solids.ring_vertex[end - 1]
            ax = (np.rint(solids.vertices[v, 0] * 1e4) - 10.0 * x0) / 1e4
            ay = (np.rint(solids.vertices[v, 1] * 1e4) - 10.0 * y0) / 1e4
            az = solids.vertices[v, 2]
            for i in range(start, end):
                v = solids.ring_vertex[i]
                bx = (np.rint(solids.vertices[v, 0] * 1e4) - 10.0 * x0) / 1e4
                by = (np.rint(solids.vertices[v, 1] * 1e4) - 10.0 * y0) / 1e4
                bz = solids.vertices[v, 2]
                nx += (ay - by) * (az + bz)
                ny += (az - bz) * (ax + bx)
                nz += (ax - bx) * (ay + by)
                mx, my, mz = mx + bx, my + by, mz + bz
                edges[used, 0], edges[used, 1], edges[used, 2], edges[used, 3] = ax, ay, bx, by
                box[count, 0], box[count, 1] = min(box[count, 0], bx), min(box[count, 1], by)
                box[count, 2], box[count, 3] = max(box[count, 2], bx), max(box[count, 3], by)
                used += 1
                ax, ay, az = bx, by, bz
        if nz <= STEEPEST * math.sqrt(nx * nx + ny * ny + nz * nz):
            used = here
            continue
        size = used - here
        plane[count, 0], plane[count, 1] = -nx / nz, -ny / nz
        plane[count, 2] = (mz + (nx * mx + ny * my) / nz) / size
        count += 1
        starts[count] = used
    return _Faces(box[:count], plane[:count], edges, starts)


@helper
def _roof_height(x: float, y: float, faces: _Faces) -> float:
    """Height of the highest face that covers a place, -inf for none."""
    height = -np.inf
    for f in range(len(faces.box)):
        if (
            x < faces.box[f, 0]
            or y < faces.box[f, 1]
            or x > faces.box[f, 2]
            or y > faces.box[f, 3]
        ):
            continue
        here = faces.plane[f, 0] * x + faces.plane[f, 1] * y + faces.plane[f, 2]
        if here <= height:
            continue
        inside = False
        for e in range(faces.starts[f], faces.starts[f + 1]):
            ay, by = faces.edges[e, 1] - y, faces.edges[e, 3] - y
            if (ay > 0.0) != (by > 0.0):
                ax, bx = faces.edges[e, 0] - x, faces.edges[e, 2] - x
                if (ax * by - ay * bx > 0.0) == (by > ay):
                    inside = not inside
        if inside:
            height = here
    return height


@kernel
def roof_residuals(
    x: FloatArray,
    y: FloatArray,
    z: FloatArray,
    rows: IntArray,
    borders: IntArray,
    ring_mm: IntArray,
    ring_offsets: IntArray,
    polygon_offsets: IntArray,
    solids: Solids,
    solid_of: IntArray,
    near: float,
) -> Residuals:
    """Compare the points of each building with its roofs.

    Parameters
    ----------
    x, y, z : float64 array, shape (n_points,)
        Metres.
    rows, borders : int64 array
        Rows of the roof points, building by building, and their borders.
    ring_mm : int64 array, shape (n_vertices, 2)
        Outlines in whole millimetres.
    ring_offsets, polygon_offsets : int64 array
        As in `cimkit.tables.Footprints`.
    solids : Solids
    solid_of : int64 array, shape (n, k)
        Solid of each building at each level, -1 for none.
    near : float
        Metres.

    Returns
    -------
    Residuals
    """
    n, k = solid_of.shape
    count = np.zeros((n, k), np.int64)
    squares, close = np.zeros((n, k), np.int64), np.zeros((n, k), np.int64)
    near_mm = np.rint(near * 1000.0)
    for b in range(n):
        xy, offsets, x0, y0 = local_rings(
            ring_mm, ring_offsets, polygon_offsets[b], polygon_offsets[b + 1]
        )
        size = borders[b + 1] - borders[b]
        px, py, pz = np.empty(size), np.empty(size), np.empty(size)
        used = 0
        for m in range(borders[b], borders[b + 1]):
            i = rows[m]
            px[used] = (np.rint(x[i] * 1000.0) - x0) / 1000.0
            py[used] = (np.rint(y[i] * 1000.0) - y0) / 1000.0
            pz[used] = z[i]
            used += 1 if depth_in_rings(px[used], py[used], xy, offsets) >= INSET else 0
        for level in range(k):
            if solid_of[b, level] < 0:
                continue
            faces = _roof_faces(solids, solid_of[b, level], x0, y0)
            for i in range(used):
                height = _roof_height(px[i], py[i], faces)
                if height == -np.inf:
                    continue
                apart = int(min(abs(np.rint((pz[i] - height) * 1000.0)), FAR))
                count[b, level] += 1
                squares[b, level] += apart * apart
                close[b, level] += 1 if apart <= near_mm else 0
    return Residuals(count, squares, close)
