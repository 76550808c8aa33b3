"""One closed solid from convex cells with a plane each: LoD1.2, 1.3 and 2.2 alike.

A building is the space between its floor and the planes of its cells: heights come only from
the plane at a vertex. The surface is closed by construction (`roof_heights`, `roof_faces`), and
checked all the same (`solid_check`), because rounding, slivers and left-out vertices can spoil
it.

Tolerance: coordinates are multiples of 0.1 mm; roof faces lie within about 0.6 mm of their
planes.

Time: about linear in the edges of the complex; 0.03 to 0.05 ms for a building of 15 cells.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cimkit.kernels._jit import kernel
from cimkit.kernels.cell_contraction import absorb_thin_cells, flag_thin_cells
from cimkit.kernels.half_edges import CellComplex, rounded
from cimkit.kernels.roof_faces import (
    FaceList,
    add_ground_face,
    add_inner_walls,
    add_outer_walls,
    add_roof_faces,
    keep_floor_vertices,
    keep_roof_vertices,
)
from cimkit.kernels.roof_heights import Roof, copy_complex, number_regions, settle_heights
from cimkit.kernels.solid_check import check_solid
from cimkit.tables._columns import FloatArray, WholeArray

SOLID_OK = 0
SOLID_EMPTY = 1
"""No cell has a label."""
SOLID_APART = 2
"""The inside is not connected by edges."""
SOLID_LOW = 4
"""A roof lies below the floor, or less than `ROOF_LEAST` above it."""
SOLID_UNSETTLED = 8
"""Crossings or touching corners could not be resolved: contract short edges, or other lines."""
SOLID_FLAW = 16
"""A face came apart: a region has no outline, or a ring no area."""

ROOF_LEAST = 0.05
"""Metres: least height of a roof above the floor."""

CORNER_CUT = 0.12
"""Metres: usual size of the corners that are cut where roofs would touch in an edge."""


THIN = 0.01
"""Metres: cells thinner than this take the label of a neighbour."""

SLIVER_PUSH = 2.5e-4
"""Metres beyond the line of its neighbours. Twice that changes the order of heights."""

SLIVER_ROUNDS = 3
"""Attempts to be rid of slivers."""


class Solid(NamedTuple):
    """One solid; the layout is that of one building of `cimkit.tables.Models`.

    Parameters
    ----------
    vertices : float64 array, shape (n, 3)
        Local metres, multiples of 0.1 mm.
    ring_vertex : int64 array
        Rows of `vertices`; outlines run counter-clockwise seen from outside, holes clockwise.
    ring_offsets, face_offsets : int64 array
        Borders of the rings in `ring_vertex`, of the faces among the rings.
    semantics : uint8 array, shape (n_faces,)
        Codes of `cimkit.tables.models`.
    plane : int32 array, shape (n_faces,)
        Label of a roof face, -1 for ground and walls.
    status : int
        Sum of SOLID_* and CHECK_* bits; 0 is a valid solid.
    volume : float
        Cubic metres.
    """

    vertices: FloatArray
    ring_vertex: WholeArray
    ring_offsets: WholeArray
    face_offsets: WholeArray
    semantics: WholeArray
    plane: WholeArray
    status: int
    volume: float


@kernel
def prism_volume(
    cx: CellComplex, label: WholeArray, planes: FloatArray, z_ground: float
) -> float:
    """Volume between the floor and the planes of the cells: an oracle for the solid's volume.

    A plane over a triangle has the volume of its height at the centre times the area.
    """
    total = 0.0
    for c in range(cx.size[2]):
        if label[c] < 0:
            continue
        p = label[c]
        first = cx.first[c]
        o = cx.origin[first]
        x0, y0 = cx.xy[o, 0], cx.xy[o, 1]
        h = cx.following[first]
        while cx.following[h] != first:
            a = cx.origin[h]
            h = cx.following[h]
            b = cx.origin[h]
            ax, ay = cx.xy[a, 0] - x0, cx.xy[a, 1] - y0
            bx, by = cx.xy[b, 0] - x0, cx.xy[b, 1] - y0
            z = planes[p, 0] * (x0 + (ax + bx) / 3.0) + planes[p, 1] * (y0 + (ay + by) / 3.0)
            total += 0.5 * (ax * by - ay * bx) * (z + planes[p, 2] - z_ground)
    return total


@kernel
def no_solid(status: int) -> Solid:
    """Make a solid without faces."""
    return Solid(
        np.empty((0, 3), np.float64),
        np.empty(0, np.int64),
        np.zeros(1, np.int64),
        np.zeros(1, np.int64),
        np.empty(0, np.uint8),
        np.empty(0, np.int32),
        status,
        0.0,
    )


@kernel
def _push_slivers(
    cx: CellComplex, vertices: FloatArray, plan: WholeArray, slivers: WholeArray, n: int
) -> bool:
    """Move vertices that stand out of a straight border into the face: it has no sliver then.

    Returns whether one was moved; walls cannot be mended so.
    """
    moved = False
    for k in range(n):
        a, b, c = slivers[k, 0], slivers[k, 1], slivers[k, 2]
        if plan[a] == plan[b] or plan[b] == plan[c] or plan[a] == plan[c]:
            continue
        ux, uy = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1]
        length = np.hypot(ux, uy)
        ux, uy = ux / length, uy / length
        off = ux * (vertices[b, 1] - vertices[a, 1]) - uy * (vertices[b, 0] - vertices[a, 0])
        v = plan[b]
        if cx.xy[v, 0] != vertices[b, 0] or cx.xy[v, 1] != vertices[b, 1]:
            continue  # moved already
        step = SLIVER_PUSH - off
        x, y = rounded(vertices[b, 0] - uy * step), rounded(vertices[b, 1] + ux * step)
        moved = moved or x != cx.xy[v, 0] or y != cx.xy[v, 1]
        cx.xy[v, 0], cx.xy[v, 1] = x, y
    return moved


@kernel
def _assemble(
    work: CellComplex,
    roof: Roof,
    planes: FloatArray,
    n_regions: int,
    z_ground: float,
    slivers: WholeArray,
) -> tuple[Solid, WholeArray, int]:
    """Faces and check of a settled roof, the plan vertex of each vertex, and slivers."""
    region_plane = np.full(n_regions, -1, np.int64)
    for c in range(work.size[2]):
        if roof.region[c] >= 0:
            region_plane[roof.region[c]] = roof.label[c]
    floor = np.zeros(work.size[0], np.bool_)
    keep = np.zeros(work.size[0], np.bool_)
    keep_floor_vertices(work, roof.region, floor)
    keep_roof_vertices(work, roof, floor, keep)
    # Solid vertices: for each kept plan vertex the floor, then its heights upwards.
    base = np.empty(work.size[0], np.int64)
    n, room = 0, 0
    for v in range(work.size[0]):
        if keep[v]:
            base[v] = n + floor[v]
            n += floor[v] + roof.levels[v]
    z_floor = rounded(z_ground)
    vertices = np.full((n, 3), z_floor)
    plan = np.empty(n, np.int64)
    for v in range(work.size[0]):
        if keep[v]:
            for s in range(base[v] - floor[v], base[v] + roof.levels[v]):
                vertices[s, 0], vertices[s, 1], plan[s] = work.xy[v, 0], work.xy[v, 1], v
    status = 0
    for h in range(work.size[1]):
        v = work.origin[h]
        if keep[v] and work.cell[h] >= 0 and roof.region[work.cell[h]] >= 0:
            vertices[base[v] + roof.level[h], 2] = roof.height[h]
            if roof.height[h] < z_floor + ROOF_LEAST:
                status |= SOLID_LOW
            room += 6 + 2 * roof.levels[v]
    faces = FaceList(
        np.empty(room, np.int64),
        np.zeros(room + 1, np.int64),
        np.zeros(room + 1, np.int64),
        np.empty(room, np.uint8),
        np.empty(room, np.int32),
        np.zeros(4, np.int64),
    )
    add_ground_face(work, roof, floor, base, plan, faces)
    add_roof_faces(work, roof, keep, base, plan, region_plane, faces)
    add_outer_walls(work, roof, keep, floor, base, faces)
    add_inner_walls(work, roof, keep, base, faces)
    if faces.size[3] > 0:
        status |= SOLID_FLAW
    ring_vertex = faces.ring_vertex[: faces.size[0]].copy()
    ring_offsets = faces.ring_offsets[: faces.size[1] + 1].copy()
    face_offsets = faces.face_offsets[: faces.size[2] + 1].copy()
    semantics = faces.semantics[: faces.size[2]].copy()
    plane = faces.plane[: faces.size[2]].copy()
    bits, volume, n_slivers = check_solid(
        vertices,
        ring_vertex,
        ring_offsets,
        face_offsets,
        prism_volume(work, roof.label, planes, z_floor),
        slivers,
    )
    solid = Solid(
        vertices,
        ring_vertex,
        ring_offsets,
        face_offsets,
        semantics,
        plane,
        status | bits,
        volume,
    )
    return solid, plan, n_slivers


@kernel
def make_solid(
    cx: CellComplex, label: WholeArray, planes: FloatArray, z_ground: float, corner_cut: float
) -> Solid:
    """Solid of a footprint whose cells have planes.

    Parameters
    ----------
    cx : CellComplex
        Not changed.
    label : int32 array, shape (n_cells,)
        Plane of each cell, -1 outside.
    planes : float64 array, shape (n_planes, 3)
        z = a x + b y + c in local metres; a = b = 0 for LoD1.
    z_ground : float
        Height of the floor.
    corner_cut : float
        Metres: size of the corners cut where roofs would touch in an edge; `CORNER_CUT` as a
        rule, 0.2 on a second attempt.

    Returns
    -------
    Solid
        With faces even where the checks failed, so that the failure can be looked at.

    Examples
    --------
    >>> from cimkit.kernels.cell_outline import start_complex
    >>> from cimkit.kernels.half_edges import new_complex
    >>> cx = new_complex(100)
    >>> square = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 8.0], [0.0, 8.0]])
    >>> start_complex(cx, square, np.array([0, 4]))
    0
    >>> label = np.where(cx.inside[: cx.size[2]], 0, -1).astype(np.int32)
    >>> solid = make_solid(cx, label, np.array([[0.0, 0.0, 6.0]]), 1.0, CORNER_CUT)
    >>> solid.status, round(solid.volume), solid.semantics.tolist()
    (0, 400, [0, 2, 1, 1, 1, 1])
    >>> make_solid(cx, label, np.array([[0.0, 0.0, 6.0]]), 9.0, CORNER_CUT).status & SOLID_LOW
    4
    """
    n_edges = cx.size[1] // 2
    work = copy_complex(cx, cx.size[0] + n_edges // 2 + 48)
    n_cells = len(work.first)
    n_half_edges, n_vertices = len(work.origin), len(work.xy)
    roof = Roof(
        np.full(n_cells, -1, np.int32),
        np.full(n_cells, -1, np.int32),
        np.zeros(n_half_edges, np.int32),
        np.zeros(n_half_edges, np.float64),
        np.zeros(n_vertices, np.float64),
        np.zeros(n_vertices, np.int32),
        np.zeros(n_vertices, np.bool_),
    )
    roof.label[: cx.size[2]] = label[: cx.size[2]]
    parts = number_regions(work, roof.label, roof.region, False)
    if parts != 1:
        return no_solid(SOLID_EMPTY if parts == 0 else SOLID_APART)
    if flag_thin_cells(work, THIN) > 0:
        absorb_thin_cells(work, roof.label)
    n_regions = number_regions(work, roof.label, roof.region, True)
    slivers = np.empty((16, 3), np.int64)
    for attempt in range(SLIVER_ROUNDS):
        if not settle_heights(work, roof, planes, corner_cut):
            return no_solid(SOLID_UNSETTLED)
        solid, plan, n_slivers = _assemble(work, roof, planes, n_regions, z_ground, slivers)
        if n_slivers == 0 or attempt + 1 == SLIVER_ROUNDS:
            return solid
        if not _push_slivers(work, solid.vertices, plan, slivers, n_slivers):
            return solid
    return no_solid(SOLID_UNSETTLED)
