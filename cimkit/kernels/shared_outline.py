"""Length of outline that footprints have in common, as buildings with a party wall do.

Two edges stand against each other if they run in opposite directions (outlines have their
building on the left), at most 10 degrees apart, and lie within a tolerance of each other where
they overlap.

Tolerance: metres across; overlaps are projected on the bisector of both edges, so that either
building sees the same length.

Time: O(edges x edges) for each pair of footprints; the pairs come from an index.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cimkit.kernels._jit import helper, kernel
from cimkit.kernels.roof_cover import local_rings

if TYPE_CHECKING:
    from cimkit.tables._columns import FloatArray, IntArray

PARALLEL = 0.98481
"""Cosine of 10 degrees; walls that meet at more have a wedge of open air between them."""

SHORTEST = 0.01
"""Metres; edges that overlap by less only meet in a corner."""


@helper
def _facing(a: FloatArray, i: int, j: int, b: FloatArray, k: int, m: int, gap: float) -> float:
    """Common length of edge i-j of `a` and edge k-m of `b`."""
    ux, uy = a[j, 0] - a[i, 0], a[j, 1] - a[i, 1]
    vx, vy = b[k, 0] - b[m, 0], b[k, 1] - b[m, 1]  # turned round
    one, other = math.hypot(ux, uy), math.hypot(vx, vy)
    if one == 0.0 or other == 0.0 or ux * vx + uy * vy < PARALLEL * one * other:
        return 0.0
    ux, uy = ux / one + vx / other, uy / one + vy / other
    size = math.hypot(ux, uy)
    ux, uy = ux / size, uy / size
    x, y = a[i, 0], a[i, 1]
    a1 = (a[j, 0] - x) * ux + (a[j, 1] - y) * uy
    b0, b1 = (b[m, 0] - x) * ux + (b[m, 1] - y) * uy, (b[k, 0] - x) * ux + (b[k, 1] - y) * uy
    low, high = max(0.0, b0), min(a1, b1)
    if high - low < SHORTEST:
        return 0.0
    a_side = (a[j, 1] - y) * ux - (a[j, 0] - x) * uy
    b_side = (b[m, 1] - y) * ux - (b[m, 0] - x) * uy
    b_more = (b[k, 1] - y) * ux - (b[k, 0] - x) * uy - b_side
    for t in (low, high):
        apart = b_side + b_more * (t - b0) / (b1 - b0) - a_side * t / a1
        if abs(apart) > gap:
            return 0.0
    return float(high - low)


@kernel
def shared_outline(
    one: IntArray,
    other: IntArray,
    ring_mm: IntArray,
    ring_offsets: IntArray,
    polygon_offsets: IntArray,
    gap: float,
) -> FloatArray:
    """Length over which the outlines of two footprints stand against each other.

    Parameters
    ----------
    one, other : int64 array, shape (n_pairs,)
        Rows of the footprints.
    ring_mm : int64 array, shape (n_vertices, 2)
        Outlines in whole millimetres, shells counter-clockwise, holes clockwise.
    ring_offsets, polygon_offsets : int64 array
        As in `cimkit.tables.Footprints`.
    gap : float
        Most metres between them.

    Returns
    -------
    float64 array, shape (n_pairs,)
        Metres.
    """
    length = np.zeros(len(one))
    for p in range(len(one)):
        first, last = polygon_offsets[one[p]], polygon_offsets[one[p] + 1]
        a, a_offsets, x0, y0 = local_rings(ring_mm, ring_offsets, first, last)
        start, end = polygon_offsets[other[p]], polygon_offsets[other[p] + 1]
        b, b_offsets, x1, y1 = local_rings(ring_mm, ring_offsets, start, end)
        b[:, 0] += (x1 - x0) / 1000.0
        b[:, 1] += (y1 - y0) / 1000.0
        east, north = a[:, 0].max() + gap, a[:, 1].max() + gap
        total = 0.0
        for s in range(len(b_offsets) - 1):
            k = b_offsets[s + 1] - 1
            for m in range(b_offsets[s], b_offsets[s + 1]):
                if (
                    max(b[k, 0], b[m, 0]) >= -gap
                    and min(b[k, 0], b[m, 0]) <= east
                    and max(b[k, 1], b[m, 1]) >= -gap
                    and min(b[k, 1], b[m, 1]) <= north
                ):
                    for r in range(len(a_offsets) - 1):
                        i = a_offsets[r + 1] - 1
                        for j in range(a_offsets[r], a_offsets[r + 1]):
                            total += _facing(a, i, j, b, k, m, gap)
                            i = j
                k = m
        length[p] = total
    return length
