"""Levels of detail of one labelled roof: its regions, and their union at LoD1.3.

A region is a connected set of cells with one plane. At LoD1.3 each region gets one height, a
quantile of its points, and regions whose heights differ by less than a step are joined, the
smallest step first (3DBAG: 3 m and the 70 % quantile). So every level is a union of regions of
the next, and the outline is the same in all.

Time O(cells + regions² x points in the joined ones).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cimkit.kernels._jit import helper

if TYPE_CHECKING:
    from cimkit.kernels.half_edges import CellComplex
    from cimkit.tables._columns import FloatArray, WholeArray

POINTS_MIN = 3
"""A region with fewer points takes its height from its plane."""

BORDER_MIN = 0.1
"""Metres of common border below which two regions only touch."""


@helper
def regions_of(cx: CellComplex, label: WholeArray) -> tuple[WholeArray, int]:
    """Number the connected sets of cells with one label; -1 outside the footprint."""
    n_cells = cx.size[2]
    region = np.full(n_cells, -1, np.int32)
    stack = np.empty(n_cells, np.int32)
    count = 0
    for c in range(n_cells):
        if label[c] < 0 or region[c] >= 0:
            continue
        region[c] = count
        stack[0], size = c, 1
        while size > 0:
            size -= 1
            here = stack[size]
            start = cx.first[here]
            h = start
            while True:
                there = cx.cell[h ^ 1]
                if there >= 0 and region[there] < 0 and label[there] == label[c]:
                    region[there] = count
                    stack[size] = there
                    size += 1
                h = cx.following[h]
                if h == start:
                    break
        count += 1
    return region, count


@helper
def quantile_of(values: FloatArray, q: float) -> float:
    """Quantile by linear interpolation (type 7 of Hyndman & Fan 1996)."""
    ordered = np.sort(values)
    at = q * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] + (at - low) * (ordered[high] - ordered[low]))


@helper
def step_levels(
    cx: CellComplex,
    label: WholeArray,
    area: FloatArray,
    planes: FloatArray,
    z: FloatArray,
    cell_of_point: WholeArray,
    step: float,
    quantile: float,
) -> tuple[WholeArray, FloatArray]:
    """Label of each cell and the horizontal planes of LoD1.3."""
    n_cells = cx.size[2]
    region, count = regions_of(cx, label)
    start, rows = _points_of_regions(region, count, cell_of_point)
    height = np.zeros(count)
    weight = np.zeros(count)
    for c in range(n_cells):
        if region[c] >= 0:
            height[region[c]] += area[c] * _height_at_middle(cx, c, planes[label[c]])
            weight[region[c]] += area[c]
    for r in range(count):
        height[r] /= max(weight[r], 1e-9)
        if start[r + 1] - start[r] >= POINTS_MIN:
            height[r] = quantile_of(z[rows[start[r] : start[r + 1]]], quantile)
    shared = np.zeros((count, count))
    for h in range(0, cx.size[1], 2):
        p, q = cx.cell[h], cx.cell[h ^ 1]
        if p >= 0 and q >= 0 and region[p] >= 0 and region[q] >= 0 and region[p] != region[q]:
            u, v = cx.origin[h], cx.origin[h ^ 1]
            length = math.hypot(cx.xy[u, 0] - cx.xy[v, 0], cx.xy[u, 1] - cx.xy[v, 1])
            shared[region[p], region[q]] += length
            shared[region[q], region[p]] += length
    into = np.arange(count)
    while True:
        best, keep, lost = step, -1, -1
        for r in range(count):
            if into[r] != r:
                continue
            for s in range(r + 1, count):
                if into[s] == s and shared[r, s] > BORDER_MIN:
                    apart = abs(height[r] - height[s])
                    if apart < best:
                        best, keep, lost = apart, r, s
        if keep < 0:
            break
        for r in range(count):
            if into[r] == lost:
                into[r] = keep
        shared[keep] += shared[lost]
        shared[:, keep] += shared[:, lost]
        height[keep] = _joined_height(
            keep, into, start, rows, z, height, weight, lost, quantile
        )
        weight[keep] += weight[lost]
    level = np.full(n_cells, -1, np.int32)
    for c in range(n_cells):
        if region[c] >= 0:
            level[c] = into[region[c]]
    flat = np.zeros((count, 3))
    flat[:, 2] = height
    return level, flat


@helper
def _points_of_regions(
    region: WholeArray, count: int, cell_of_point: WholeArray
) -> tuple[WholeArray, WholeArray]:
    """Borders of the regions, and rows of their points."""
    start = np.zeros(count + 1, np.int64)
    for c in cell_of_point:
        if c >= 0 and region[c] >= 0:
            start[region[c] + 1] += 1
    start = np.cumsum(start)
    place = start[:-1].copy()
    rows = np.empty(start[count], np.int64)
    for i in range(len(cell_of_point)):
        c = cell_of_point[i]
        if c >= 0 and region[c] >= 0:
            rows[place[region[c]]] = i
            place[region[c]] += 1
    return start, rows


@helper
def _height_at_middle(cx: CellComplex, c: int, plane: FloatArray) -> float:
    """Height of a plane at the mean of a cell's vertices."""
    total, count = 0.0, 0
    start = cx.first[c]
    h = start
    while True:
        v = cx.origin[h]
        total += plane[0] * cx.xy[v, 0] + plane[1] * cx.xy[v, 1] + plane[2]
        count += 1
        h = cx.following[h]
        if h == start:
            break
    return total / count


@helper
def _joined_height(
    keep: int,
    into: WholeArray,
    start: WholeArray,
    rows: WholeArray,
    z: FloatArray,
    height: FloatArray,
    weight: FloatArray,
    lost: int,
    quantile: float,
) -> float:
    """Height of joined regions: of all their points, or of both areas without points."""
    count = 0
    for r in range(len(into)):
        if into[r] == keep:
            count += start[r + 1] - start[r]
    if count < POINTS_MIN:
        both = weight[keep] + weight[lost]
        return (height[keep] * weight[keep] + height[lost] * weight[lost]) / max(both, 1e-9)
    values = np.empty(count)
    at = 0
    for r in range(len(into)):
        if into[r] == keep:
            for m in range(start[r], start[r + 1]):
                values[at] = z[rows[m]]
                at += 1
    return quantile_of(values, quantile)
