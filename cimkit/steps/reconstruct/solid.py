"""Closed, outward solids: prisms, and roofs from points."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cimkit.kernels.roof_model import BOX, ROOFED, STEPPED, RoofRules, SolidStore, model_roofs
from cimkit.tables import Footprints, Models
from cimkit.tables._columns import TEXT, ByteArray, FloatArray, IntArray
from cimkit.tables.models import GROUND_SURFACE, ROOF_SURFACE, WALL_SURFACE


class RoofSolids(NamedTuple):
    """Solids of buildings at all levels, and how they were made.

    Attributes
    ----------
    models : Models
        LoD1.2 of each building, LoD1.3 and LoD2.2 of those that reached it; building by
        building.
    notes : int32 array, shape (n,)
        Bits `CAPPED` and the like of `cimkit.kernels.roof_model`.
    n_planes : int32 array, shape (n,)
        Roof planes found in the points.
    """

    models: Models
    notes: IntArray
    n_planes: IntArray


def make_solids(
    footprints: Footprints,
    xyz: tuple[FloatArray, FloatArray, FloatArray],
    rows: IntArray,
    borders: IntArray,
    z_ground: FloatArray,
    z_roof: FloatArray,
    rules: RoofRules,
) -> RoofSolids:
    """Make the solids of buildings from their roof points.

    Parameters
    ----------
    footprints : Footprints
        Coordinates in whole millimetres, rings that do not touch.
    xyz : tuple of three float64 arrays, shape (n_points,)
    rows : int64 array
        Rows of the roof points, building by building.
    borders : int64 array, shape (n + 1,)
        Borders of the buildings in `rows`.
    z_ground, z_roof : float64 array, shape (n,)
        Metres; the roof is that of LoD1.2.
    rules : RoofRules

    Returns
    -------
    RoofSolids
        A building whose outline cannot be partitioned has the prism of `extrude` at LoD1.2.
    """
    ring_mm = np.rint(footprints.xy * 1000.0).astype(np.int64)
    found = model_roofs(
        *xyz,
        rows,
        borders,
        ring_mm,
        footprints.ring_offsets,
        footprints.polygon_offsets,
        footprints.area,
        z_ground,
        z_roof,
        rules,
    )
    first = footprints.ring_offsets[footprints.polygon_offsets[:-1]]
    corner = np.minimum.reduceat(ring_mm, first, axis=0) if len(first) else ring_mm
    lost = np.flatnonzero(found.reached & BOX == 0)
    prisms = extrude(footprints.take(lost), z_ground[lost], z_roof[lost])
    parts, row, level = [prisms], [lost], [np.zeros(len(lost))]
    for number, (store, bit, lod) in enumerate(
        (
            (found.box, BOX, "1.2"),
            (found.stepped, STEPPED, "1.3"),
            (found.roofed, ROOFED, "2.2"),
        )
    ):
        made = np.flatnonzero(found.reached & bit)
        parts.append(_models_of(store, footprints, corner, lod).take(made))
        row.append(made)
        level.append(np.full(len(made), number))
    order = np.lexsort((np.concatenate(level), np.concatenate(row)))
    return RoofSolids(
        Models.concatenate(parts).take(order),
        found.notes.astype(np.int64),
        found.n_planes.astype(np.int64),
    )


def _models_of(store: SolidStore, footprints: Footprints, corner: IntArray, lod: str) -> Models:
    """Solids of a kernel in the coordinates of the city, whole tenths of a millimetre."""
    units = np.rint(store.vertices * 10_000.0)
    units[:, :2] += 10.0 * np.repeat(corner, np.diff(store.vertex_offsets), axis=0)
    return Models(
        footprints.building_id,
        np.full(len(footprints), lod, dtype=TEXT),
        units / 10_000.0,
        store.vertex_offsets,
        store.ring_vertex,
        store.ring_offsets,
        store.face_offsets,
        store.solid_offsets,
        store.semantics,
        footprints.crs,
    )


def extrude(footprints: Footprints, z_ground: FloatArray, z_roof: FloatArray) -> Models:
    """Raise each footprint from its ground to its roof: LoD1.2.

    Parameters
    ----------
    footprints : Footprints
        Coordinates in whole millimetres, rings that do not touch.
    z_ground, z_roof : float64 array, shape (n,)
        Metres; roof above ground.

    Returns
    -------
    Models
        For each building one ground face, one wall for each edge, one roof face. Every edge is
        used once in each direction, so that the solid is closed without comparing coordinates.

    Examples
    --------
    >>> import shapely
    >>> footprints = Footprints.from_polygons(["a"], [shapely.box(0, 0, 2, 1)])
    >>> extrude(footprints, np.array([0.0]), np.array([3.0])).to_trimesh(0).volume
    np.float64(6.0)
    """
    n_rings = np.diff(footprints.polygon_offsets)
    ring_size = np.diff(footprints.ring_offsets)
    start = footprints.ring_offsets[footprints.polygon_offsets]
    m, n = np.diff(start), len(footprints)
    building = np.repeat(np.arange(n), m)
    local = np.arange(len(footprints.xy)) - start[building]
    following, mirrored = _ring_walk(footprints)
    bottom = start[building] + np.arange(len(footprints.xy))  # 2 m vertices a building
    top = bottom + m[building]

    vertices = np.empty((2 * len(footprints.xy), 3))
    vertices[bottom, :2] = vertices[top, :2] = np.round(footprints.xy, 3)
    vertices[bottom, 2] = np.round(z_ground, 3)[building]
    vertices[top, 2] = np.round(z_roof, 3)[building]

    ring_vertex = np.empty(6 * len(footprints.xy), dtype=np.int64)
    first = 6 * start[building]
    ring_vertex[first + local] = bottom[mirrored]
    walls = np.stack([bottom, bottom[following], top[following], top], axis=1)
    ring_vertex[(first + m[building] + 4 * local)[:, None] + np.arange(4)] = walls
    ring_vertex[first + 5 * m[building] + local] = top

    ring_sizes, face_rings, semantics = _sizes(
        n_rings, ring_size, m, footprints.polygon_offsets
    )
    return Models(
        footprints.building_id,
        np.full(len(footprints), "1.2", dtype=TEXT),
        vertices,
        2 * start,
        ring_vertex,
        np.concatenate([[0], np.cumsum(ring_sizes)]),
        np.concatenate([[0], np.cumsum(face_rings)]),
        np.concatenate([[0], np.cumsum(m + 2)]),
        semantics,
        footprints.crs,
    )


def _ring_walk(footprints: Footprints) -> tuple[IntArray, IntArray]:
    """For each vertex the next one of its ring, and the one at the same place from the end."""
    first, last = footprints.ring_offsets[:-1], footprints.ring_offsets[1:] - 1
    following = np.arange(1, len(footprints.xy) + 1)
    following[last] = first
    mirrored = np.repeat(first + last, last - first + 1) - np.arange(len(footprints.xy))
    return following, mirrored


def _sizes(
    n_rings: IntArray, ring_size: IntArray, m: IntArray, polygon_offsets: IntArray
) -> tuple[IntArray, IntArray, ByteArray]:
    """Ring sizes, rings of each face and semantics, in the order ground, walls, roof."""
    n = len(m)
    ring_start = np.concatenate([[0], np.cumsum(2 * n_rings + m)]).astype(np.int64)
    ring_sizes = np.full(ring_start[-1], 4, dtype=np.int64)
    building = np.repeat(np.arange(n), n_rings)
    at = ring_start[building] + np.arange(len(ring_size)) - polygon_offsets[building]
    ring_sizes[at] = ring_sizes[at + (n_rings + m)[building]] = ring_size
    ends = np.cumsum(m + 2)
    face_rings = np.ones(int(ends[-1]) if n else 0, dtype=np.int64)
    face_rings[ends - m - 2] = face_rings[ends - 1] = n_rings
    semantics = np.full(len(face_rings), WALL_SURFACE, dtype=np.uint8)
    semantics[ends - m - 2], semantics[ends - 1] = GROUND_SURFACE, ROOF_SURFACE
    return ring_sizes, face_rings, semantics
