"""Lines along which the planes of a roof may meet or step.

The labelled points are spread over a fine raster (each cell takes the plane of the nearest
point); where two planes border on it there is a line between them. It is their exact
intersection wherever the border keeps to it: ridges, hips, valleys. What is left are steps:
the best direction and offset is looked for among the directions of the outline and of the
planes' own slopes, longest first, and then moved to where it parts the points of the two
planes best.

Time O(cells + borders log borders + lines x points), memory O(cells).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cimkit.kernels._jit import helper, kernel
from cimkit.kernels.roof_raster import inside_raster, label_raster

if TYPE_CHECKING:
    from cimkit.tables._columns import BoolArray, FloatArray, WholeArray

CELLS_MAX = 400_000
"""Of the raster: 1.6 MB for each array. A hall of 300 x 100 m still has cells of 0.27 m."""

FLAT = 0.03
"""Slope below which a plane has no direction of its own."""

SAME_ANGLE = 0.05
"""Radians (3 degrees): directions of the outline so near to each other are one."""


class LineRules(NamedTuple):
    """Parameters of `find_roof_lines`.

    Attributes
    ----------
    raster : float
        Cell of the raster as a part of the points' spacing.
    near : float
        Metres between a border and the intersection of its planes.
    shortest : float
        Metres of border that a line must have.
    window : float
        Width in metres of the strip of border that is one straight step.
    gap : float
        Metres: a border that breaks off for longer has two lines.
    same : float
        Metres: a line all of which is so near to a longer one is left out.
    reach : float
        Metres on both sides of a step whose points decide where it runs.
    """

    raster: float = 0.6
    near: float = 0.3
    shortest: float = 0.3
    window: float = 0.2
    gap: float = 0.8
    same: float = 0.15
    reach: float = 0.75


@helper
def outline_directions(ring_xy: FloatArray, ring_offsets: WholeArray) -> FloatArray:
    """Angles (0 to pi) of the outline's edges, those that lead most metres first."""
    n = len(ring_xy)
    angle, weight = np.empty(n), np.empty(n)
    for r in range(len(ring_offsets) - 1):
        first, last = ring_offsets[r], ring_offsets[r + 1]
        for i in range(first, last):
            j = i + 1 if i + 1 < last else first
            dx, dy = ring_xy[j, 0] - ring_xy[i, 0], ring_xy[j, 1] - ring_xy[i, 1]
            angle[i], weight[i] = math.atan2(dy, dx) % math.pi, math.hypot(dx, dy)
    found = np.empty(12)
    count = 0
    for i in np.argsort(-weight, kind="mergesort"):
        if weight[i] < 0.5 or count == len(found):
            break
        known = False
        for f in range(count):
            known |= _apart(angle[i], found[f]) < SAME_ANGLE
        if not known:
            found[count] = angle[i]
            count += 1
    return found[:count].copy()


@helper
def _apart(a: float, b: float) -> float:
    """Angle between two undirected directions."""
    d = abs(a - b) % math.pi
    return min(d, math.pi - d)


@helper
def _borders(
    label: WholeArray, inside: BoolArray, west: float, south: float, cell: float, n: int
) -> tuple[WholeArray, FloatArray]:
    """Pair of planes (i * n + j, i < j) and middle of each border between two cells."""
    rows, columns = label.shape
    count = 0
    pair = np.empty(0, np.int64)
    middle = np.empty((0, 2))
    for filling in range(2):
        if filling:
            pair, middle = np.empty(count, np.int64), np.empty((count, 2))
            count = 0
        for row in range(rows):
            for column in range(columns):
                here = label[row, column]
                if here < 0:
                    continue
                for side in range(2):
                    r, c = row + side, column + 1 - side
                    if r >= rows or c >= columns:
                        continue
                    there = label[r, c]
                    if there < 0 or there == here:
                        continue
                    if not (inside[row, column] or inside[r, c]):
                        continue
                    if filling:
                        pair[count] = min(here, there) * n + max(here, there)
                        middle[count, 0] = west + (column + 1.0 - 0.5 * side) * cell
                        middle[count, 1] = south + (row + 0.5 + 0.5 * side) * cell
                    count += 1
    return pair, middle


@kernel
def find_roof_lines(
    x: FloatArray,
    y: FloatArray,
    z: FloatArray,
    owner: WholeArray,
    planes: FloatArray,
    ring_xy: FloatArray,
    ring_offsets: WholeArray,
    density: float,
    rules: LineRules,
) -> FloatArray:
    """Find the lines along which the roof planes of one building meet or step.

    Parameters
    ----------
    x, y, z : float64 array, shape (n,)
        Local metres.
    owner : int32 array, shape (n,)
        Plane of each point, -1 for none.
    planes : float64 array, shape (n_planes, 3)
    ring_xy : float64 array, shape (n_vertices, 2)
    ring_offsets : int64 array, shape (n_rings + 1,)
    density : float
        Points per m².
    rules : LineRules

    Returns
    -------
    float64 array, shape (n_lines, 5)
        x, y of both ends and the metres of border that support the line, most first.
    """
    n_planes = len(planes)
    if n_planes < 2:
        return np.empty((0, 5))
    west, south = ring_xy[:, 0].min() - 0.5, ring_xy[:, 1].min() - 0.5
    width, height = ring_xy[:, 0].max() + 0.5 - west, ring_xy[:, 1].max() + 0.5 - south
    cell = min(max(rules.raster / math.sqrt(density), 0.05), 1.0)
    cell = max(cell, math.sqrt(width * height / CELLS_MAX))
    rows, columns = int(height / cell) + 1, int(width / cell) + 1
    inside = inside_raster(ring_xy, ring_offsets, west, south, cell, rows, columns)
    label = label_raster(x, y, z, owner, west, south, cell, rows, columns)
    pair, middle = _borders(label, inside, west, south, cell, n_planes)
    order = np.argsort(pair, kind="mergesort")
    outline = outline_directions(ring_xy, ring_offsets)
    lines = np.empty((16, 5))
    count = 0
    first = 0
    while first < len(order):
        last = first
        key = pair[order[first]]
        while last < len(order) and pair[order[last]] == key:
            last += 1
        bx, by = middle[order[first:last], 0], middle[order[first:last], 1]
        i, j = key // n_planes, key % n_planes
        lines, count = _lines_of_pair(
            bx, by, i, j, planes, x, y, owner, outline, cell, rules, lines, count
        )
        first = last
    return _without_doubles(lines[:count], rules.same)


@helper
def _keep(
    lines: FloatArray, count: int, xa: float, ya: float, xb: float, yb: float, support: float
) -> tuple[FloatArray, int]:
    """Append a line, in an array that grows."""
    if count == len(lines):
        larger = np.empty((2 * count, 5))
        larger[:count] = lines
        lines = larger
    lines[count, 0], lines[count, 1], lines[count, 2], lines[count, 3] = xa, ya, xb, yb
    lines[count, 4] = support
    return lines, count + 1


@helper
def _lines_of_pair(
    bx: FloatArray,
    by: FloatArray,
    i: int,
    j: int,
    planes: FloatArray,
    x: FloatArray,
    y: FloatArray,
    owner: WholeArray,
    outline: FloatArray,
    cell: float,
    rules: LineRules,
    lines: FloatArray,
    count: int,
) -> tuple[FloatArray, int]:
    """Lines between two planes: their intersection first, then steps."""
    left = np.ones(len(bx), np.bool_)
    a, b = planes[i, 0] - planes[j, 0], planes[i, 1] - planes[j, 1]
    c = planes[i, 2] - planes[j, 2]
    slope = math.hypot(a, b)
    if slope > FLAT:
        a, b, c = a / slope, b / slope, c / slope
        near = np.abs(a * bx + b * by + c) < rules.near
        along = -b * bx + a * by
        for start, end in _runs(along, near, rules.gap):
            if end - start + cell < rules.shortest:
                continue
            lines, count = _keep(
                lines, count, -a * c - b * start, -b * c + a * start,
                -a * c - b * end, -b * c + a * end, end - start + cell,
            )  # fmt: skip
            for m in range(len(bx)):
                if near[m] and start <= along[m] <= end:
                    left[m] = False
    angles = np.empty(len(outline) + 4)
    angles[: len(outline)] = outline
    n_angles = len(outline)
    for p in (i, j):
        if math.hypot(planes[p, 0], planes[p, 1]) > FLAT:
            angle = math.atan2(planes[p, 1], planes[p, 0]) % math.pi
            angles[n_angles] = angle
            angles[n_angles + 1] = (angle + 0.5 * math.pi) % math.pi
            n_angles += 2
    for _ in range(40):
        support, angle, offset, start, end = _best_step(
            bx, by, left, angles[:n_angles], rules.window, rules.gap, cell
        )
        if support < rules.shortest:
            break
        ux, uy = math.cos(angle), math.sin(angle)
        for m in range(len(bx)):
            if (
                left[m]
                and abs(-uy * bx[m] + ux * by[m] - offset) <= 0.5 * rules.window + 1e-9
                and start - 1e-9 <= ux * bx[m] + uy * by[m] <= end + 1e-9
            ):
                left[m] = False
        offset = _parting_offset(
            x, y, owner, i, j, ux, uy, offset, start - 0.5 * cell, end + 0.5 * cell, rules.reach
        )
        lines, count = _keep(
            lines, count, ux * start - uy * offset, uy * start + ux * offset,
            ux * end - uy * offset, uy * end + ux * offset, support,
        )  # fmt: skip
    return lines, count


@helper
def _runs(along: FloatArray, chosen: BoolArray, gap: float) -> list[tuple[float, float]]:
    """First and last position of each run of chosen ones without a longer gap."""
    places = np.sort(along[chosen])
    runs = [(0.0, 0.0) for _ in range(0)]
    first = 0
    for m in range(1, len(places) + 1):
        if m == len(places) or places[m] - places[m - 1] > gap:
            runs.append((places[first], places[m - 1]))
            first = m
    return runs


@helper
def _best_step(
    bx: FloatArray,
    by: FloatArray,
    left: BoolArray,
    angles: FloatArray,
    window: float,
    gap: float,
    cell: float,
) -> tuple[float, float, float, float, float]:
    """Longest straight strip of the border: support, angle, offset, first and last position."""
    best = (0.0, 0.0, 0.0, 0.0, 0.0)
    rows = np.flatnonzero(left)
    n = len(rows)
    if n * cell < 0.25:
        return best
    for angle in angles:
        ux, uy = math.cos(angle), math.sin(angle)
        offset = -uy * bx[rows] + ux * by[rows]
        along = ux * bx[rows] + uy * by[rows]
        order = np.argsort(offset, kind="mergesort")
        most, at, upto = 0, 0, 0
        last = 0
        for first in range(n):
            while last < n and offset[order[last]] <= offset[order[first]] + window:
                last += 1
            if last - first > most:
                most, at, upto = last - first, first, last
        if most * cell * 1.5 < best[0]:
            continue
        places = np.sort(along[order[at:upto]])
        start = 0
        for m in range(1, len(places) + 1):
            if m == len(places) or places[m] - places[m - 1] > gap:
                length = min(places[m - 1] - places[start] + cell, (m - start) * cell)
                if length > best[0] + 1e-9:
                    middle = 0.5 * (offset[order[at]] + offset[order[upto - 1]])
                    best = (length, angle, middle, places[start], places[m - 1])
                start = m
    return best


@helper
def _parting_offset(
    x: FloatArray,
    y: FloatArray,
    owner: WholeArray,
    i: int,
    j: int,
    ux: float,
    uy: float,
    offset: float,
    start: float,
    end: float,
    reach: float,
) -> float:
    """Offset of the line with the fewest points of the two planes on the wrong side."""
    count = 0
    places = np.empty(64)
    kind = np.empty(64)
    balance = 0.0
    for p in range(len(x)):
        if owner[p] != i and owner[p] != j:
            continue
        along = ux * x[p] + uy * y[p]
        across = -uy * x[p] + ux * y[p] - offset
        if abs(across) > reach or along < start or along > end:
            continue
        if count == len(places):
            places = np.concatenate((places, np.empty(count)))
            kind = np.concatenate((kind, np.empty(count)))
        places[count] = across
        kind[count] = 1.0 if owner[p] == i else -1.0
        balance += kind[count] * (1.0 if across > 0.0 else -1.0)
        count += 1
    if count < 2:
        return offset
    side = 1.0 if balance >= 0.0 else -1.0  # i lies on the side of larger offsets
    order = np.argsort(places[:count], kind="mergesort")
    wrong = 0
    for p in range(count):
        wrong += kind[p] * side < 0.0
    best, shift = wrong, 0.0
    found = False
    for m in range(count):
        wrong += 1 if kind[order[m]] * side > 0.0 else -1
        if m + 1 == count:
            continue
        middle = 0.5 * (places[order[m]] + places[order[m + 1]])
        if wrong < best or (wrong == best and (not found or abs(middle) < abs(shift))):
            best, shift, found = wrong, middle, True
    return offset + shift if found else offset


@helper
def _without_doubles(lines: FloatArray, same: float) -> FloatArray:
    """Lines by falling support, those left out that lie wholly beside an earlier one."""
    kept = np.empty_like(lines)
    count = 0
    for m in np.argsort(-lines[:, 4], kind="mergesort"):
        xa, ya, xb, yb = lines[m, 0], lines[m, 1], lines[m, 2], lines[m, 3]
        double = False
        for o in range(count):
            dx, dy = kept[o, 2] - kept[o, 0], kept[o, 3] - kept[o, 1]
            length = math.hypot(dx, dy)
            if length <= 0.0:
                continue
            dx, dy = dx / length, dy / length
            off_a = abs(dx * (ya - kept[o, 1]) - dy * (xa - kept[o, 0]))
            off_b = abs(dx * (yb - kept[o, 1]) - dy * (xb - kept[o, 0]))
            if max(off_a, off_b) > same:
                continue
            ta = dx * (xa - kept[o, 0]) + dy * (ya - kept[o, 1])
            tb = dx * (xb - kept[o, 0]) + dy * (yb - kept[o, 1])
            if min(ta, tb) >= -same and max(ta, tb) <= length + same:
                double = True
                break
        if not double:
            kept[count] = lines[m]
            count += 1
    return kept[:count].copy()
