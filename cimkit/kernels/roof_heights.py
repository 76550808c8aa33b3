"""Heights of the regions of a roof at every vertex, so that a solid can be built from them.

Regions are connected cells of one plane. Three rules, in exact whole numbers of 0.1 mm:

- heights at a vertex closer than 1.2 mm become one, at their middle (0.6 mm off the planes);
- where two neighbours change order along an edge, the edge gets a vertex where they are equal,
  so that each edge has one upper side;
- at a vertex, for every height between two that occur, the sectors above it are contiguous
  (outside counts as lowest). Where not, solids would touch in a vertical edge: the corners of
  the smaller low gap are cut off and given to the high region beside it. Then every vertical
  edge has two walls, and every vertex one umbrella of faces.

The last rule covers roofs that touch in a corner, saddles, and footprints that touch
themselves; roofer 1.1 puts small polygons on such junctions to the same end.

Time: O(sum of the degrees of the vertices at borders), as a rule one round.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cimkit.kernels._jit import helper, kernel
from cimkit.kernels.cell_outline import cross_cell
from cimkit.kernels.cell_sight import is_clear
from cimkit.kernels.half_edges import (
    CellComplex,
    has_room,
    new_complex,
    rounded,
    split_cell,
    split_edge,
)
from cimkit.tables._columns import BoolArray, FloatArray, WholeArray

SAME_HEIGHT = 0.0012
"""Metres: heights at one vertex that are closer become one. Validators join at 1 mm."""

CROSSING_STEP = 0.003
"""Metres: least distance of a crossing from the ends of its edge."""

MERGE_MOST = 0.006
"""Metres: heights farther apart are never made one."""

CUT_SHARE, CUT_CHORD = 0.4, 0.02
"""A corner cut takes at most this share of an edge; metres that its new edge has if it can."""

CUT_LEAST = 0.005
"""Metres: a corner cut whose new edge is shorter is made only where there is no other."""

OUTSIDE_COST, TINY_COST = 10.0, 100.0
"""In radians, against the width of a gap: sectors outside the footprint, and tiny cuts."""

WIDE_ANGLE = 2.6
"""Radians: a sector wider than this is halved before its corner is cut."""

ROUNDS = 12
"""Rounds of crossings and corner cuts; three are the most that was seen to be needed."""


class Roof(NamedTuple):
    """Regions of a complex and their heights.

    Parameters
    ----------
    label, region : int32 array, shape (n_cells,)
        Plane and region of each cell, -1 outside.
    level : int32 array, shape (n_half_edges,)
        Rank of the height of the cell at the origin among the heights there.
    height : float64 array, shape (n_half_edges,)
        That height, multiples of 0.1 mm.
    gap : float64 array, shape (n_vertices,)
        Heights closer than this are one there.
    levels : int32 array, shape (n_vertices,)
        Number of heights there, 0 away from borders.
    pinned : bool array, shape (n_vertices,)
        Crossings, which the outline of a face cannot leave out.
    """

    label: WholeArray
    region: WholeArray
    level: WholeArray
    height: FloatArray
    gap: FloatArray
    levels: WholeArray
    pinned: BoolArray


@kernel
def copy_complex(cx: CellComplex, capacity: int) -> CellComplex:
    """Same complex with more room."""
    out = new_complex(capacity)
    v, h, c = cx.size[0], cx.size[1], cx.size[2]
    out.xy[:v] = cx.xy[:v]
    out.leaving[:v] = cx.leaving[:v]
    out.origin[:h] = cx.origin[:h]
    out.following[:h] = cx.following[:h]
    out.previous[:h] = cx.previous[:h]
    out.cell[:h] = cx.cell[:h]
    out.line[:h] = cx.line[:h]
    out.outline[:h] = cx.outline[:h]
    out.first[:c] = cx.first[:c]
    out.inside[:c] = cx.inside[:c]
    out.thin[:c] = cx.thin[:c]
    out.mark[:c] = 0
    out.size[0], out.size[1], out.size[2] = v, h, c
    return out


@helper
def region_at(cx: CellComplex, region: WholeArray, h: int) -> int:
    """Region at the left of a half-edge, -1 outside."""
    c = cx.cell[h]
    return int(region[c]) if c >= 0 else -1


@kernel
def number_regions(
    cx: CellComplex, label: WholeArray, region: WholeArray, by_label: bool
) -> int:
    """Number the connected cells of the same label (or of the inside); returns how many."""
    n_regions = 0
    for c in range(cx.size[2]):
        region[c] = -1
    for seed in range(cx.size[2]):
        if label[seed] < 0 or region[seed] >= 0:
            continue
        region[seed] = n_regions
        cx.stack[0] = seed
        n = 1
        while n > 0:
            n -= 1
            c = cx.stack[n]
            h = cx.first[c]
            while True:
                other = cx.cell[h ^ 1]
                fresh = other >= 0 and label[other] >= 0 and region[other] < 0
                if fresh and (label[other] == label[c] or not by_label):
                    region[other] = n_regions
                    cx.stack[n] = other
                    n += 1
                h = cx.following[h]
                if h == cx.first[c]:
                    break
        n_regions += 1
    return n_regions


@kernel
def set_levels(
    cx: CellComplex,
    roof: Roof,
    planes: FloatArray,
    v: int,
    value: FloatArray,
    owner: WholeArray,
) -> None:
    """Heights of all sectors around a vertex, sorted and made one where they are close."""
    x, y = cx.xy[v, 0], cx.xy[v, 1]
    n = 0
    at_border = False
    start = cx.leaving[v]
    h = start
    while True:
        r = region_at(cx, roof.region, h)
        if r != region_at(cx, roof.region, h ^ 1):
            at_border = True
        if r >= 0:
            p = roof.label[cx.cell[h]]
            z = planes[p, 0] * x + planes[p, 1] * y + planes[p, 2]
            k = n
            while k > 0 and value[k - 1] > z:
                value[k], owner[k] = value[k - 1], owner[k - 1]
                k -= 1
            value[k], owner[k] = z, h
            n += 1
        h = cx.previous[h] ^ 1
        if h == start:
            break
    roof.levels[v] = 0
    if not at_border:
        return
    gap = max(SAME_HEIGHT, roof.gap[v])
    k, level = 0, 0
    while k < n:
        last = k
        while last + 1 < n and value[last + 1] - value[last] < gap:
            last += 1
        z = rounded(0.5 * (value[k] + value[last]))
        for i in range(k, last + 1):
            roof.level[owner[i]], roof.height[owner[i]] = level, z
        level += 1
        k = last + 1
    roof.levels[v] = level


@kernel
def _split_at_crossing(
    cx: CellComplex,
    roof: Roof,
    planes: FloatArray,
    h: int,
    value: FloatArray,
    owner: WholeArray,
) -> bool:
    """Put a vertex where the sides of an edge change order; False where that is impossible."""
    g = h ^ 1
    a, b = cx.origin[h], cx.origin[g]
    ax, ay, bx, by = cx.xy[a, 0], cx.xy[a, 1], cx.xy[b, 0], cx.xy[b, 1]
    p, q = roof.label[cx.cell[h]], roof.label[cx.cell[g]]
    u, v, w = (
        planes[p, 0] - planes[q, 0],
        planes[p, 1] - planes[q, 1],
        planes[p, 2] - planes[q, 2],
    )
    da, db = u * ax + v * ay + w, u * bx + v * by + w
    length = np.hypot(bx - ax, by - ay)
    t = min(1.0, max(0.0, da / (da - db) if da != db else 0.5))
    from_a, from_b = t * length, (1.0 - t) * length
    near_end = min(from_a, from_b) < 0.5 * CROSSING_STEP or length < 2.0 * CROSSING_STEP
    end, step = (a, abs(da)) if from_a < from_b else (b, abs(db))
    if near_end and step < MERGE_MOST:
        roof.gap[end] = max(roof.gap[end], step * 1.01 + 1e-6)
        set_levels(cx, roof, planes, end, value, owner)
        return True
    if length >= 2.0 * CROSSING_STEP:
        low = CROSSING_STEP / length
        t = min(1.0 - low, max(low, t))
    x, y = rounded(ax + t * (bx - ax)), rounded(ay + t * (by - ay))
    if not has_room(cx, 1) or not is_clear(cx, h, x, y, 0.0):
        if step < MERGE_MOST:
            roof.gap[end] = max(roof.gap[end], step * 1.01 + 1e-6)
            set_levels(cx, roof, planes, end, value, owner)
            return True
        return False
    m = split_edge(cx, h, x, y)
    corner = cx.previous[g]  # where the edge starts at b now
    roof.level[corner], roof.height[corner] = roof.level[g], roof.height[g]
    roof.gap[m], roof.pinned[m] = np.inf, True
    set_levels(cx, roof, planes, m, value, owner)
    return True


@kernel
def split_crossings(
    cx: CellComplex, roof: Roof, planes: FloatArray, value: FloatArray, owner: WholeArray
) -> bool:
    """Until no edge between two regions changes its upper side; False where that fails."""
    for _ in range(ROUNDS):
        changed = False
        h = 0
        while h < cx.size[1]:
            r, s = region_at(cx, roof.region, h), region_at(cx, roof.region, h + 1)
            if r >= 0 and s >= 0 and r != s:
                at_a = roof.level[h] - roof.level[cx.following[h + 1]]
                at_b = roof.level[cx.following[h]] - roof.level[h + 1]
                if (at_a > 0 and at_b < 0) or (at_a < 0 and at_b > 0):
                    if not _split_at_crossing(cx, roof, planes, h, value, owner):
                        return False
                    changed = True
            h += 2
        if not changed:
            return True
    return False


@kernel
def _high_arcs(cx: CellComplex, roof: Roof, v: int, level: int) -> int:
    """Number of contiguous runs of sectors at or above a level around a vertex."""
    runs = 0
    start = cx.leaving[v]
    h = start
    while True:
        before = region_at(cx, roof.region, h ^ 1)
        here = region_at(cx, roof.region, h)
        # The sector before h has its corner at v in the half-edge that follows the twin.
        low_before = before < 0 or roof.level[cx.following[h ^ 1]] < level
        high_here = here >= 0 and roof.level[h] >= level
        runs += low_before and high_here
        h = cx.previous[h] ^ 1
        if h == start:
            return runs


@helper
def _sector_angle(cx: CellComplex, h: int) -> float:
    """Angle of a cell at the origin of a half-edge."""
    v, a, b = cx.origin[h], cx.origin[h ^ 1], cx.origin[cx.previous[h]]
    ux, uy = cx.xy[a, 0] - cx.xy[v, 0], cx.xy[a, 1] - cx.xy[v, 1]
    wx, wy = cx.xy[b, 0] - cx.xy[v, 0], cx.xy[b, 1] - cx.xy[v, 1]
    angle = np.arctan2(ux * wy - uy * wx, ux * wx + uy * wy)
    return float(angle if angle >= 0.0 else angle + 2.0 * np.pi)


@helper
def _is_low(cx: CellComplex, roof: Roof, h: int, level: int) -> bool:
    """Whether the sector of a half-edge lies below a level."""
    return region_at(cx, roof.region, h) < 0 or roof.level[h] < level


@helper
def _reach(cx: CellComplex, h: int) -> float:
    """Farthest that a corner cut goes along an edge."""
    u, v = cx.origin[h], cx.origin[h ^ 1]
    return CUT_SHARE * float(np.hypot(cx.xy[u, 0] - cx.xy[v, 0], cx.xy[u, 1] - cx.xy[v, 1]))


@kernel
def _smallest_gap(
    cx: CellComplex, roof: Roof, v: int, level: int, above: float
) -> tuple[int, float]:
    """First half-edge of the low run to fill, and its cost, which is more than `above`.

    The narrowest run is the cheapest; rather not outside, and not where the cut would be tiny.
    """
    best, found = np.inf, -1
    start = cx.leaving[v]
    h = start
    while True:
        before = cx.following[h ^ 1]
        if _is_low(cx, roof, h, level) and not _is_low(cx, roof, before, level):
            cost = 0.0
            k = h
            while _is_low(cx, roof, k, level):
                ahead = cx.previous[k] ^ 1
                angle = _sector_angle(cx, k)
                cost += angle
                if region_at(cx, roof.region, k) < 0:
                    cost += OUTSIDE_COST
                if angle * min(_reach(cx, k), _reach(cx, ahead)) < CUT_LEAST:
                    cost += TINY_COST
                k = ahead
            if above < cost < best:
                best, found = cost, h
        h = cx.previous[h] ^ 1
        if h == start:
            return int(found), best


@kernel
def _halve_wide_sectors(cx: CellComplex, roof: Roof, h: int, level: int) -> bool:
    """Halve the sectors of a low run that are too wide for a corner cut."""
    k = h
    while _is_low(cx, roof, k, level):
        ahead = cx.previous[k] ^ 1
        angle = _sector_angle(cx, k)
        if angle > WIDE_ANGLE:
            if not has_room(cx, 1):
                return False
            v, a = cx.origin[k], cx.origin[k ^ 1]
            ux, uy = cx.xy[a, 0] - cx.xy[v, 0], cx.xy[a, 1] - cx.xy[v, 1]
            length = np.hypot(ux, uy)
            c, s = np.cos(0.5 * angle) / length, np.sin(0.5 * angle) / length
            old = cx.cell[k]
            n_cells = cx.size[2]
            cross_cell(cx, k, c * ux - s * uy, s * ux + c * uy, -1, 0.004)
            if cx.size[2] == n_cells:
                return False
            roof.label[n_cells], roof.region[n_cells] = roof.label[old], roof.region[old]
            corner = k
            while True:  # the new sector has the same height
                roof.level[corner], roof.height[corner] = roof.level[k], roof.height[k]
                corner = cx.previous[corner] ^ 1
                if corner == ahead:
                    break
        k = ahead
    return True


@kernel
def _cut_gap(cx: CellComplex, roof: Roof, h: int, level: int, cut: float) -> bool:
    """Fill the low gap that starts at a half-edge with corners of the high region beside it."""
    v = cx.origin[h]
    if not _halve_wide_sectors(cx, roof, h, level):
        return False
    before = cx.following[h ^ 1]
    last = h
    while _is_low(cx, roof, last, level):
        last = cx.previous[last] ^ 1  # the high sector after the gap
    donor = cx.cell[before] if roof.height[before] <= roof.height[last] else cx.cell[last]
    k = h
    narrow = 0.0
    while True:  # a vertex on each edge from the first to the last of the gap
        if not has_room(cx, 2):
            return False
        a = cx.origin[k ^ 1]
        ux, uy = cx.xy[a, 0] - cx.xy[v, 0], cx.xy[a, 1] - cx.xy[v, 1]
        length = np.hypot(ux, uy)
        want = max(cut, narrow)
        narrow = 0.0
        if k != last:
            narrow = CUT_CHORD / max(1e-3, 2.0 * np.sin(0.5 * _sector_angle(cx, k)))
            want = max(want, narrow)
        t = min(want / length, CUT_SHARE)
        x, y = rounded(cx.xy[v, 0] + t * ux), rounded(cx.xy[v, 1] + t * uy)
        if not is_clear(cx, k, x, y, 0.0):
            return False
        m = split_edge(cx, k, x, y)
        roof.gap[m], roof.pinned[m] = 0.0, False
        if k == last:
            break
        k = cx.previous[k] ^ 1
    k = h
    while k != last:
        ahead = cx.previous[k] ^ 1
        new = cx.size[2]
        split_cell(cx, cx.previous[k], cx.following[k], -1)
        cx.inside[new] = True
        roof.label[new], roof.region[new] = roof.label[donor], roof.region[donor]
        k = ahead
    return True


@kernel
def cut_corners(
    cx: CellComplex,
    roof: Roof,
    planes: FloatArray,
    cut: float,
    value: FloatArray,
    owner: WholeArray,
) -> int:
    """Cut corners where high sectors are not contiguous; returns how many, -1 on failure."""
    n_cuts = 0
    n = cx.size[0]
    for v in range(n):
        if roof.levels[v] == 0:
            continue
        level = 0
        while level < roof.levels[v]:
            if _high_arcs(cx, roof, v, level) > 1:
                h, cost = _smallest_gap(cx, roof, v, level, -1.0)
                while h >= 0 and not _cut_gap(cx, roof, h, level, cut):
                    h, cost = _smallest_gap(cx, roof, v, level, cost)
                if h < 0:
                    return -1
                n_cuts += 1
                for u in range(cx.size[0]):  # new half-edges leave old vertices too
                    set_levels(cx, roof, planes, u, value, owner)
                level = 0
            else:
                level += 1
    return n_cuts


@kernel
def settle_heights(cx: CellComplex, roof: Roof, planes: FloatArray, cut: float) -> bool:
    """Apply the three rules until nothing changes; False where they cannot be met."""
    value = np.empty(len(cx.origin), np.float64)
    owner = np.empty(len(cx.origin), np.int64)
    for _ in range(ROUNDS):
        for v in range(cx.size[0]):
            set_levels(cx, roof, planes, v, value, owner)
        if not split_crossings(cx, roof, planes, value, owner):
            return False
        n_cuts = cut_corners(cx, roof, planes, cut, value, owner)
        if n_cuts < 0:
            return False
        if n_cuts == 0:
            return True
    return False
