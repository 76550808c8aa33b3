"""Partition of one footprint into roof faces, for a look at how a roof comes about."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import shapely

from cimkit.kernels.roof_labels import LabelRules
from cimkit.kernels.roof_lines import LineRules, find_roof_lines
from cimkit.kernels.roof_model import EPS, label_roof
from cimkit.steps.reconstruct.planes import RoofPlanes, find_planes
from cimkit.tables._columns import FloatArray, IntArray


class RoofPartition(NamedTuple):
    """A footprint cut into faces (屋面分区).

    Attributes
    ----------
    planes : RoofPlanes
        What the points said.
    lines : float64 array, shape (n_lines, 4)
        x, y of both ends of the lines along which planes meet or step, in the CRS.
    cells : object array of Polygon
        Convex cells between the lines and the outline.
    faces : object array of Polygon
        Cells of one plane, joined.
    plane_of_face : int64 array
        Row of each face in `coefficients`.
    coefficients : float64 array, shape (n, 3)
        a, b, c of the planes, relative to the origin of `planes`; after those found there may
        be a horizontal one that caps the roof.
    """

    planes: RoofPlanes
    lines: FloatArray
    cells: np.ndarray
    faces: np.ndarray
    plane_of_face: IntArray
    coefficients: FloatArray


def partition_roof(
    xyz: FloatArray,
    polygon: shapely.Polygon,
    *,
    z_ground: float = -np.inf,
    complexity: float = 1.0,
) -> RoofPartition:
    """Cut the footprint of one building into the faces of its roof.

    Parameters
    ----------
    xyz : float64 array, shape (n, 3)
        Points on the building, metres.
    polygon : shapely Polygon
        Its footprint, in the same CRS; vertices are rounded to whole millimetres.
    z_ground : float, optional
        No roof lies lower than 0.5 m above it.
    complexity : float, default 1.0
        2 halves the price of a face, 0.5 doubles it.

    Returns
    -------
    RoofPartition
        Without faces if the points form no plane.

    Notes
    -----
    The same kernels as in `cimkit.reconstruct`: `cimkit.kernels.roof_lines` finds the lines,
    `cimkit.kernels.cell_complex` cuts, `cimkit.kernels.roof_labels` gives each cell its plane.

    Examples
    --------
    >>> x, y = (
    ...     axis.ravel() for axis in np.meshgrid(np.arange(0.2, 6, 0.4), np.arange(0.2, 4, 0.4))
    ... )
    >>> gable = np.column_stack([x, y, 5 - np.abs(y - 2)])
    >>> roof = partition_roof(gable, shapely.box(0, 0, 6, 4))
    >>> [round(face.area, 2) for face in roof.faces]
    [12.0, 12.0]
    >>> roof.lines.round(2).tolist()[0][1::2]
    [2.0, 2.0]
    """
    polygon = shapely.orient_polygons(polygon)
    planes = find_planes(xyz, polygon)
    none = np.empty(0, dtype=object)
    if not len(planes.planes):
        nothing = np.empty(0, dtype=np.int64)
        return RoofPartition(planes, np.empty((0, 4)), none, none, nothing, planes.planes)
    rings = [polygon.exterior, *polygon.interiors]
    parts = [shapely.get_coordinates(ring)[:-1] for ring in rings]
    offsets = np.cumsum([0, *map(len, parts)]).astype(np.int64)
    corner = np.array(planes.origin[:2])
    ring_xy = (np.rint(np.concatenate(parts) * 1000.0) - np.rint(corner * 1000.0)) / 1000.0
    x, y, z = (np.ascontiguousarray(planes.xyz[:, axis]) for axis in range(3))
    density = len(x) / planes.area
    lines = find_roof_lines(
        x, y, z, planes.plane_of_point, planes.planes, ring_xy, offsets, density, LineRules()
    )
    rules = LabelRules()
    rules = rules._replace(border=rules.border / complexity, region=rules.region / complexity)
    roof = label_roof(
        *(ring_xy, offsets, x, y, z, planes.plane_of_point, planes.planes, lines, density),
        *(max(z_ground, -1e6), EPS, 1.0, rules),
    )
    cells, label = [], []
    for cell in np.flatnonzero(roof.label >= 0).tolist():
        cells.append(shapely.Polygon(roof.cx.xy[_corners(roof.cx, cell)] + corner))
        label.append(int(roof.label[cell]))
    faces, plane_of_face = [], []
    for plane in sorted(set(label)):
        chosen = [cell for cell, own in zip(cells, label, strict=True) if own == plane]
        for face in shapely.get_parts(shapely.union_all(chosen)).tolist():
            faces.append(face)
            plane_of_face.append(plane)
    return RoofPartition(
        planes,
        lines[:, :4] + np.tile(corner, 2),
        np.array(cells, dtype=object),
        np.array(faces, dtype=object),
        np.array(plane_of_face, dtype=np.int64),
        roof.planes,
    )


def _corners(cx: object, cell: int) -> list[int]:
    """Vertices of one cell, counter-clockwise."""
    start = int(cx.first[cell])  # type: ignore[attr-defined]
    found, h = [], start
    while True:
        found.append(int(cx.origin[h]))  # type: ignore[attr-defined]
        h = int(cx.following[h])  # type: ignore[attr-defined]
        if h == start:
            return found
