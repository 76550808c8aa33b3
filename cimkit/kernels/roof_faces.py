"""Faces of a solid from the regions of a roof and their heights.

Every face is a cycle of vertices (plan vertex, height). Roof faces are the borders of regions,
inner walls stand on the edges between regions, outer walls on the straight runs of the
footprint, each as one polygon with the floor below and the line of the roofs above. A wall
carries every vertex of the vertical lines at its ends, so edges pair exactly, without
T-junctions.

A vertex of the plan is left out where only two edges of the borders meet and it lies within 0.3
mm of the line of the vertices that are kept (Douglas & Peucker 1973), on the floor
independently of the roof. Cycles that meet a vertex twice are cut into loops there.

Time: O(edges of the borders) beside Douglas-Peucker, which is O(n log n) as a rule.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cimkit.kernels._jit import helper, kernel
from cimkit.kernels.douglas_peucker import thin_out, thin_out_ring
from cimkit.kernels.half_edges import CellComplex, units
from cimkit.kernels.roof_heights import Roof, region_at
from cimkit.tables._columns import BoolArray, FloatArray, WholeArray

STRAIGHT = 3e-4
"""Metres: least distance from the line of its kept neighbours of a vertex that is kept."""

GROUND, WALL, ROOF = 0, 1, 2
"""Codes of `cimkit.tables.models`."""


class FaceList(NamedTuple):
    """Faces under construction; `size` counts ring vertices, rings, faces, and flaws."""

    ring_vertex: WholeArray
    ring_offsets: WholeArray
    face_offsets: WholeArray
    semantics: WholeArray
    plane: WholeArray
    size: WholeArray


@helper
def next_border(cx: CellComplex, region: WholeArray, h: int) -> int:
    """Next half-edge along the border of the same region."""
    r = region_at(cx, region, h)
    n = cx.following[h]
    while region_at(cx, region, n ^ 1) == r:
        n = cx.following[n ^ 1]
    return int(n)


@helper
def next_outline(cx: CellComplex, region: WholeArray, h: int) -> int:
    """Next half-edge along the border of the inside."""
    n = cx.following[h]
    while region_at(cx, region, n ^ 1) >= 0:
        n = cx.following[n ^ 1]
    return int(n)


@kernel
def keep_floor_vertices(cx: CellComplex, region: WholeArray, keep: BoolArray) -> None:
    """Corners of the outline."""
    chain = np.empty(2 * cx.size[1] + 2, np.int64)
    seen = np.zeros(cx.size[1], np.bool_)
    for seed in range(cx.size[1]):
        if seen[seed] or region_at(cx, region, seed) < 0:
            continue
        if region_at(cx, region, seed ^ 1) >= 0:
            continue
        n = 0
        h = seed
        while not seen[h]:
            seen[h] = True
            chain[n] = cx.origin[h]
            n += 1
            h = next_outline(cx, region, h)
        thin_out_ring(cx.xy, chain, n, STRAIGHT, keep)


@kernel
def _is_turning_point(cx: CellComplex, roof: Roof, v: int) -> bool:
    """Whether two regions that are equally high at a vertex change order there."""
    if roof.levels[v] != 1:
        return False
    first, sign = -1, 0
    start = cx.leaving[v]
    h = start
    while True:
        r, s = region_at(cx, roof.region, h), region_at(cx, roof.region, h ^ 1)
        if r != s:
            if r < 0 or s < 0:
                return False
            step = roof.level[cx.following[h]] - roof.level[h ^ 1]
            here = (1 if step > 0 else 0) - (1 if step < 0 else 0)
            if first < 0:
                first, sign = r, here
            else:
                return sign != (here if r == first else -here)
        h = cx.previous[h] ^ 1
        if h == start:
            return False


@kernel
def keep_roof_vertices(cx: CellComplex, roof: Roof, floor: BoolArray, keep: BoolArray) -> None:
    """Vertices of the borders of regions that faces need."""
    region = roof.region
    degree = np.zeros(cx.size[0], np.int32)
    for h in range(cx.size[1]):
        if region_at(cx, region, h) != region_at(cx, region, h ^ 1):
            degree[cx.origin[h]] += 1
    for v in range(cx.size[0]):
        keep[v] = degree[v] > 2 or (
            degree[v] > 0 and (floor[v] or roof.pinned[v] or _is_turning_point(cx, roof, v))
        )
    must = keep.copy()
    chain = np.empty(2 * cx.size[1] + 2, np.int64)
    seen = np.zeros(cx.size[1], np.bool_)
    for closed in (False, True):  # chains from fixed vertices, then rings without one
        for seed in range(cx.size[1]):
            r = region_at(cx, region, seed)
            if seen[seed] or r < 0 or region_at(cx, region, seed ^ 1) == r:
                continue
            if not closed and not must[cx.origin[seed]]:
                continue
            n = 0
            h = seed
            while True:
                seen[h] = seen[h ^ 1] = True
                chain[n] = cx.origin[h]
                n += 1
                end = cx.origin[h ^ 1]
                if end == cx.origin[seed] or must[end]:
                    break
                h = next_border(cx, region, h)
            if must[chain[0]]:
                chain[n] = end
                thin_out(cx.xy, chain, 0, n, STRAIGHT, keep)
            else:
                thin_out_ring(cx.xy, chain, n, STRAIGHT, keep)


@helper
def _close_ring(faces: FaceList) -> None:
    """End the ring that was being written."""
    faces.size[1] += 1
    faces.ring_offsets[faces.size[1]] = faces.size[0]


@helper
def _close_face(faces: FaceList, kind: int, plane: int) -> None:
    """End the face that was being written."""
    f = faces.size[2]
    faces.semantics[f], faces.plane[f] = kind, plane
    faces.size[2] += 1
    faces.face_offsets[faces.size[2]] = faces.size[1]


class Loops(NamedTuple):
    """Simple cycles of one or many faces before they are told apart as outlines and holes."""

    vertex: WholeArray
    start: WholeArray
    owner: WholeArray
    is_outline: BoolArray
    place: WholeArray
    stack: WholeArray
    size: WholeArray


@kernel
def _add_loop(
    loops: Loops, first: int, last: int, xy: FloatArray, plan: WholeArray, owner: int
) -> bool:
    """Copy a part of the stack as a loop; False where it has no area."""
    n, m = loops.size[0], loops.size[1]
    twice = 0
    v = plan[loops.stack[first]]
    x0, y0 = units(xy[v, 0]), units(xy[v, 1])
    v = plan[loops.stack[last - 1]]
    ax, ay = units(xy[v, 0]) - x0, units(xy[v, 1]) - y0
    for k in range(first, last):
        v = plan[loops.stack[k]]
        bx, by = units(xy[v, 0]) - x0, units(xy[v, 1]) - y0
        twice += ax * by - ay * bx
        ax, ay = bx, by
        loops.vertex[n] = loops.stack[k]
        n += 1
    loops.size[0] = n
    loops.owner[m], loops.is_outline[m] = owner, twice > 0
    loops.size[1] = m + 1
    loops.start[m + 1] = n
    return bool(twice != 0 and last - first > 2)


@kernel
def _cut_into_loops(
    loops: Loops, path: WholeArray, n: int, xy: FloatArray, plan: WholeArray, owner: int
) -> bool:
    """Add the loops of a closed path that may meet vertices twice."""
    fine = True
    top = 0
    for k in range(n):
        s = path[k]
        at = loops.place[s]
        if at >= 0:
            fine = _add_loop(loops, at, top, xy, plan, owner) and fine
            for i in range(at + 1, top):
                loops.place[loops.stack[i]] = -1
            top = at + 1
        else:
            loops.place[s] = top
            loops.stack[top] = s
            top += 1
    fine = _add_loop(loops, 0, top, xy, plan, owner) and fine
    for i in range(top):
        loops.place[loops.stack[i]] = -1
    return fine


@kernel
def _new_loops(n: int, n_solid: int) -> Loops:
    """Room for loops of n vertices in all."""
    return Loops(
        np.empty(n, np.int64),
        np.zeros(n + 1, np.int64),
        np.empty(n, np.int64),
        np.empty(n, np.bool_),
        np.full(n_solid, -1, np.int64),
        np.empty(n, np.int64),
        np.zeros(2, np.int64),
    )


@kernel
def _write_loop(faces: FaceList, loops: Loops, k: int, reverse: bool) -> None:
    """Write one loop as a ring."""
    first, last = loops.start[k], loops.start[k + 1]
    for i in range(first, last):
        j = first + last - 1 - i if reverse else i
        faces.ring_vertex[faces.size[0]] = loops.vertex[j]
        faces.size[0] += 1
    _close_ring(faces)


@kernel
def _write_faces(
    faces: FaceList, loops: Loops, owner_plane: WholeArray, kind: int, reverse: bool
) -> None:
    """Write the loops of each owner as one face: the outline, then its holes."""
    n_owners = len(owner_plane)
    order = np.argsort(loops.owner[: loops.size[1]], kind="mergesort")
    at = 0
    for owner in range(n_owners):
        end = at
        outline, n_outlines = -1, 0
        while end < len(order) and loops.owner[order[end]] == owner:
            if loops.is_outline[order[end]]:
                n_outlines += 1
                outline = order[end]
            end += 1
        if n_outlines != 1:
            faces.size[3] += 1
        if n_outlines > 0:
            _write_loop(faces, loops, outline, reverse)
            for i in range(at, end):
                if order[i] != outline:
                    _write_loop(faces, loops, order[i], reverse)
            _close_face(faces, kind, owner_plane[owner])
        at = end


@kernel
def add_roof_faces(
    cx: CellComplex,
    roof: Roof,
    keep: BoolArray,
    base: WholeArray,
    plan: WholeArray,
    region_plane: WholeArray,
    faces: FaceList,
) -> None:
    """One face for each region."""
    region = roof.region
    n = cx.size[1]
    seen = np.zeros(n, np.bool_)
    path = np.empty(n, np.int64)
    loops = _new_loops(n, len(plan))
    for seed in range(n):
        r = region_at(cx, region, seed)
        if seen[seed] or r < 0 or region_at(cx, region, seed ^ 1) == r:
            continue
        m = 0
        h = seed
        while not seen[h]:
            seen[h] = True
            v = cx.origin[h]
            if keep[v]:
                path[m] = base[v] + roof.level[h]
                m += 1
            h = next_border(cx, region, h)
        if not _cut_into_loops(loops, path, m, cx.xy, plan, r):
            faces.size[3] += 1
    _write_faces(faces, loops, region_plane, ROOF, False)


@kernel
def add_ground_face(
    cx: CellComplex,
    roof: Roof,
    floor: BoolArray,
    base: WholeArray,
    plan: WholeArray,
    faces: FaceList,
) -> None:
    """The floor, which looks down."""
    region = roof.region
    n = cx.size[1]
    seen = np.zeros(n, np.bool_)
    path = np.empty(n, np.int64)
    loops = _new_loops(n, len(plan))
    for seed in range(n):
        if seen[seed] or region_at(cx, region, seed) < 0:
            continue
        if region_at(cx, region, seed ^ 1) >= 0:
            continue
        m = 0
        h = seed
        while not seen[h]:
            seen[h] = True
            v = cx.origin[h]
            if floor[v]:
                path[m] = base[v] - 1
                m += 1
            h = next_outline(cx, region, h)
        if not _cut_into_loops(loops, path, m, cx.xy, plan, 0):
            faces.size[3] += 1
    _write_faces(faces, loops, np.full(1, -1, np.int64), GROUND, True)


@helper
def _put(faces: FaceList, s: int) -> None:
    """Append a vertex to the ring that is being written."""
    faces.ring_vertex[faces.size[0]] = s
    faces.size[0] += 1


@helper
def _climb(faces: FaceList, s: int, t: int) -> None:
    """Append the vertices of a vertical line after s, up or down to t."""
    while s != t:
        s += 1 if t > s else -1
        _put(faces, s)


@kernel
def add_inner_walls(
    cx: CellComplex, roof: Roof, keep: BoolArray, base: WholeArray, faces: FaceList
) -> None:
    """Walls on the edges between two regions, looking towards the lower one."""
    region = roof.region
    for h in range(cx.size[1]):
        a = cx.origin[h]
        if not keep[a]:
            continue
        r, s = region_at(cx, region, h), region_at(cx, region, h ^ 1)
        if r < 0 or s < 0 or r == s:
            continue
        last = h
        while not keep[cx.origin[last ^ 1]]:
            last = next_border(cx, region, last)
        b = cx.origin[last ^ 1]
        left_a, right_a = base[a] + roof.level[h], base[a] + roof.level[cx.following[h ^ 1]]
        left_b, right_b = (
            base[b] + roof.level[cx.following[last]],
            base[b] + roof.level[last ^ 1],
        )
        if (left_a > right_a and left_b < right_b) or (left_a < right_a and left_b > right_b):
            faces.size[3] += 1
            continue
        if left_a < right_a or left_b < right_b or (left_a == right_a and left_b == right_b):
            continue
        _put(faces, left_b)
        _put(faces, left_a)
        _climb(faces, left_a, right_a)
        if right_b != left_b:
            _put(faces, right_b)
            _climb(faces, right_b, left_b - 1)
        _close_ring(faces)
        _close_face(faces, WALL, -1)


@kernel
def add_outer_walls(
    cx: CellComplex,
    roof: Roof,
    keep: BoolArray,
    floor: BoolArray,
    base: WholeArray,
    faces: FaceList,
) -> None:
    """One wall on each straight run of the outline, from the floor to the roofs."""
    region = roof.region
    starts = np.empty(cx.size[1], np.int64)
    ends = np.empty(cx.size[1], np.int64)
    for seed in range(cx.size[1]):
        a = cx.origin[seed]
        if not floor[a] or region_at(cx, region, seed) < 0:
            continue
        if region_at(cx, region, seed ^ 1) >= 0:
            continue
        n = 0
        h = seed
        while True:
            starts[n] = base[cx.origin[h]] + roof.level[h]
            while not keep[cx.origin[h ^ 1]]:
                h = next_outline(cx, region, h)
            b = cx.origin[h ^ 1]
            ends[n] = base[b] + roof.level[cx.following[h]]
            n += 1
            if floor[b]:
                break
            h = next_outline(cx, region, h)
        _put(faces, base[a] - 1)
        _put(faces, base[b] - 1)
        _climb(faces, base[b] - 1, ends[n - 1])
        for k in range(n - 1, -1, -1):
            _put(faces, starts[k])
            if k > 0:
                _climb(faces, starts[k], ends[k - 1])
        _climb(faces, starts[0], base[a])
        _close_ring(faces)
        _close_face(faces, WALL, -1)
