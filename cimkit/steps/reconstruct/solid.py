"""Closed, outward solids: prisms, and roofs from points."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import shapely

from cimkit.kernels.roof_model import BOX, ROOFED, STEPPED, RoofRules, model_roof
from cimkit.kernels.roof_solid import Solid
from cimkit.tables import Footprints, Models
from cimkit.tables._columns import TEXT, ByteArray, FloatArray, IntArray
from cimkit.tables.models import GROUND_SURFACE, ROOF_SURFACE, WALL_SURFACE

NARROW = 0.005
"""Metres. The partition joins what is 4 mm apart; checks of solids snap at 1 mm."""


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
    ring, polygon = footprints.ring_offsets, footprints.polygon_offsets
    n = len(footprints)
    notes, n_planes = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    made: list[tuple[int, str, Solid]] = []
    lost = []
    for row in range(n):
        rings = ring[polygon[row] : polygon[row + 1] + 1]
        outline = ring_mm[rings[0] : rings[-1]]
        model = model_roof(
            *(*xyz, rows[borders[row] : borders[row + 1]], outline, rings - rings[0]),
            *(z_ground[row], z_roof[row], rules),
        )
        notes[row], n_planes[row] = model.notes, model.n_planes
        if not model.reached & BOX:
            lost.append(row)
        for bit, lod, solid in (
            (BOX, "1.2", model.box),
            (STEPPED, "1.3", model.stepped),
            (ROOFED, "2.2", model.roofed),
        ):
            if model.reached & bit:
                corner = (*outline.min(axis=0).tolist(), model.base * 1000.0)
                made.append((row, lod, _in_place(solid, corner)))
    prisms = extrude(
        footprints.take(np.array(lost, dtype=np.int64)), z_ground[lost], z_roof[lost]
    )
    solids = _join(footprints, made)
    order = np.argsort([*(row for row, _, _ in made), *lost], kind="stable")
    return RoofSolids(Models.concatenate([solids, prisms]).take(order), notes, n_planes)


def make_prisms(footprints: Footprints, z_ground: FloatArray, z_roof: FloatArray) -> Models:
    """Make the solids of buildings without points: LoD1.2.

    Outlines with parts nearer to each other than `NARROW` go through the partition, which joins
    what it cannot tell apart; their prisms would touch themselves where a reader snaps
    vertices. The others, 99 % of those of Delft, are extruded as they are.

    Parameters
    ----------
    footprints : Footprints
        Coordinates in whole millimetres, rings that do not touch.
    z_ground, z_roof : float64 array, shape (n,)
        Metres; roof above ground.

    Returns
    -------
    Models

    Examples
    --------
    >>> import shapely
    >>> slit = shapely.box(0, 0, 8, 6).difference(shapely.box(4, 0, 4.001, 5))
    >>> footprints = Footprints.from_polygons(["a"], [slit])
    >>> prism = make_prisms(footprints, np.array([0.0]), np.array([3.0]))
    >>> len(prism.semantics), len(extrude(footprints, np.zeros(1), np.full(1, 3.0)).semantics)
    (6, 10)
    """
    narrow = shapely.minimum_clearance(footprints.polygons()) < NARROW
    near, far = np.flatnonzero(narrow), np.flatnonzero(~narrow)
    prisms = extrude(footprints.take(far), z_ground[far], z_roof[far])
    nothing, no_rows = np.empty(0), np.empty(0, dtype=np.int64)
    xyz, borders = (nothing, nothing, nothing), np.zeros(len(near) + 1, dtype=np.int64)
    joined = make_solids(
        footprints.take(near), xyz, no_rows, borders, z_ground[near], z_roof[near], RoofRules()
    ).models
    order = np.argsort(np.concatenate([far, near]), kind="stable")
    return Models.concatenate([prisms, joined]).take(order)


def _in_place(solid: Solid, corner_mm: tuple[float, float, float]) -> Solid:
    """The solid in the coordinates of the city, in whole tenths of a millimetre."""
    units = np.rint(solid.vertices * 10_000.0) + np.rint(np.array(corner_mm) * 10.0)
    return solid._replace(vertices=units / 10_000.0)


def _join(footprints: Footprints, made: list[tuple[int, str, Solid]]) -> Models:
    """Solids one after the other."""

    def joined(name: str) -> IntArray:
        """Offsets, each part's counted on from the end of those before."""
        parts = [getattr(solid, name) for _, _, solid in made]
        starts = np.cumsum([0] + [part[-1] for part in parts])
        return np.concatenate([[0], *(p[1:] + s for p, s in zip(parts, starts, strict=False))])

    solids = [solid for _, _, solid in made]
    vertex_offsets = np.cumsum([0] + [len(solid.vertices) for solid in solids])
    return Models(
        footprints.building_id[[row for row, _, _ in made]],
        np.array([lod for _, lod, _ in made], dtype=TEXT),
        np.concatenate([np.empty((0, 3)), *(solid.vertices for solid in solids)]),
        vertex_offsets,
        np.concatenate(
            [
                np.empty(0, dtype=np.int64),
                *(s.ring_vertex + v for s, v in zip(solids, vertex_offsets, strict=False)),
            ]
        ),
        joined("ring_offsets"),
        joined("face_offsets"),
        np.cumsum([0] + [len(solid.semantics) for solid in solids]),
        np.concatenate([np.empty(0, dtype=np.uint8), *(s.semantics for s in solids)]),
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
