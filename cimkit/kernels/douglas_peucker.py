"""Leave out the vertices of a line that lie near the line of those that are kept.

Douglas & Peucker 1973, "Algorithms for the reduction of the number of points required to
represent a digitized line or its caricature". A ring is cut at its lowest vertex and at the one
farthest from that, so that it does not matter where the ring
starts and how it runs.

Tolerance: given by the caller, as a distance from the segment between two kept vertices.

Time: O(n log n) as a rule, O(n²) at worst.
"""

from __future__ import annotations

import numpy as np

from cimkit.kernels._jit import helper, kernel
from cimkit.kernels.cell_sight import distance_to_segment
from cimkit.tables._columns import BoolArray, FloatArray, WholeArray


@helper
def _is_lower(xy: FloatArray, v: int, w: int) -> bool:
    """Order of vertices by x, then y: breaks ties whatever their numbers."""
    return bool(xy[v, 0] < xy[w, 0] or (xy[v, 0] == xy[w, 0] and xy[v, 1] < xy[w, 1]))


@kernel
def thin_out(
    xy: FloatArray, chain: WholeArray, i: int, j: int, tolerance: float, keep: BoolArray
) -> None:
    """Mark the vertices that stand out between the entries i and j of a chain.

    Parameters
    ----------
    xy : float64 array, shape (n_vertices, 2)
        Coordinates of all vertices.
    chain : int64 array
        Vertices in order.
    i, j : int
        Entries of `chain` that are kept anyway.
    tolerance : float
        Least distance of a vertex that is kept.
    keep : bool array, shape (n_vertices,)
        Set where a vertex is kept.
    """
    stack = np.empty((j - i + 2, 2), np.int64)
    stack[0, 0], stack[0, 1] = i, j
    n = 1
    while n > 0:
        n -= 1
        first, last = stack[n, 0], stack[n, 1]
        a, b = chain[first], chain[last]
        if _is_lower(xy, b, a):  # the same bits in both directions
            a, b = b, a
        worst, found = tolerance, -1
        for k in range(first + 1, last):
            v = chain[k]
            d = distance_to_segment(xy[v, 0], xy[v, 1], xy[a, 0], xy[a, 1], xy[b, 0], xy[b, 1])
            if d > worst or (d == worst and (found < 0 or _is_lower(xy, v, chain[found]))):
                worst, found = d, k
        if found >= 0:
            keep[chain[found]] = True
            stack[n, 0], stack[n, 1] = first, found
            stack[n + 1, 0], stack[n + 1, 1] = found, last
            n += 2


@kernel
def thin_out_ring(
    xy: FloatArray, chain: WholeArray, n: int, tolerance: float, keep: BoolArray
) -> None:
    """Same for a ring of n vertices; `chain` has room for n more entries."""
    low = 0
    for k in range(1, n):
        if _is_lower(xy, chain[k], chain[low]):
            low = k
    for k in range(low + 1):
        chain[n + k] = chain[k]
    a = chain[low]
    far, worst = low, -1.0
    for k in range(low + 1, low + n):
        v = chain[k]
        d = np.hypot(xy[v, 0] - xy[a, 0], xy[v, 1] - xy[a, 1])
        if d > worst or (d == worst and _is_lower(xy, v, chain[far])):
            worst, far = d, k
    keep[a] = keep[chain[far]] = True
    thin_out(xy, chain, low, far, tolerance, keep)
    thin_out(xy, chain, far, low + n, tolerance, keep)
