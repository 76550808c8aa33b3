"""How the triangles of a shell hang together: edges, fans at vertices, components.

An edge with more than two triangles is no manifold (303). One that two triangles use in the
same direction says that one of them must be turned round (307): the one with most such edges is
named. If all edges are sound, fans are counted: triangles around a vertex that hang together by
edges. A vertex with a fan that runs all round and another one is no manifold (303). Then the
components (305); in a surface that may be open, vertices with two fans of any kind (303); else
open edges (302). val3dity enters the triangles one by one, and may say 303 beside 307 where
faces look to the wrong side; here their order does not matter. O(n) by hashing.
"""

from __future__ import annotations

import numpy as np

from cimkit.kernels._jit import helper, kernel
from cimkit.tables._columns import BoolArray, IntArray


@helper
def _find(parent: IntArray, i: int) -> int:
    """Root of a set, with halved paths."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@helper
def _edge_slot(keys: IntArray, key: int) -> int:
    """Place of a directed edge in a hash table with linear probing, or the free one for it."""
    mask = len(keys) - 1
    mixed = key * 1_000_003  # keys of a million points are below 1e12
    slot = (mixed ^ (mixed >> 23)) & mask
    while keys[slot] != -1 and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@helper
def _enter(
    triangle: IntArray, low: int, n: int, keys: IntArray, values: IntArray, counts: IntArray
) -> None:
    """Count the uses of each directed edge, and keep the first corner that it leaves."""
    for corner in range(3 * len(triangle)):
        t, k = corner // 3, corner % 3
        key = (triangle[t, k] - low) * n + triangle[t, (k + 1) % 3] - low
        slot = _edge_slot(keys, key)
        if keys[slot] != key:
            keys[slot], values[slot] = key, corner
        counts[slot] += 1


@helper
def _edge_fault(
    triangle: IntArray, low: int, n: int, keys: IntArray, counts: IntArray
) -> tuple[int, int]:
    """Number and corner of an edge with too many triangles, or with two of one direction."""
    worst, most = -1, 0
    for t in range(len(triangle)):
        turned = 0
        for k in range(3):
            a, b = triangle[t, k] - low, triangle[t, (k + 1) % 3] - low
            same = counts[_edge_slot(keys, a * n + b)]
            if same + counts[_edge_slot(keys, b * n + a)] > 2:
                return 303, 3 * t + k
            turned += same > 1
        if turned > most:
            worst, most = 3 * t, turned
    return (307, worst) if most else (0, -1)


@helper
def _judge_shell(triangle: IntArray, low: int, high: int, may_be_open: bool) -> tuple[int, int]:
    """Number of the fault of one shell and the corner of `triangle` (3 t + k) where it is."""
    n, n_corners = high - low, 3 * len(triangle)
    size = 16
    while size < 2 * n_corners:
        size *= 2
    keys, values = np.full(size, -1, dtype=np.int64), np.zeros(size, dtype=np.int64)
    counts = np.zeros(size, dtype=np.int64)
    _enter(triangle, low, n, keys, values, counts)
    number, corner = _edge_fault(triangle, low, n, keys, counts)
    if number:
        return number, corner
    fan, component = np.arange(n_corners), np.arange(len(triangle))
    is_open = np.zeros(n_corners, dtype=np.bool_)
    first_open = -1
    for corner in range(n_corners):
        t, k = corner // 3, corner % 3
        following = 3 * t + (k + 1) % 3
        a, b = triangle[t, k] - low, triangle[t, (k + 1) % 3] - low
        slot = _edge_slot(keys, b * n + a)
        if keys[slot] != b * n + a:
            is_open[corner] = is_open[following] = True
            if first_open < 0:
                first_open = corner
            continue
        other = values[slot]
        after_other = other - other % 3 + (other + 1) % 3
        fan[_find(fan, corner)] = _find(fan, after_other)
        fan[_find(fan, following)] = _find(fan, other)
        component[_find(component, t)] = _find(component, other // 3)
    corner = _split_vertex(triangle, low, n, fan, is_open, may_be_open)
    if corner >= 0 and not may_be_open:
        return 303, corner
    for t in range(len(triangle)):
        if _find(component, t) != _find(component, 0):
            return 305, 3 * t
    if corner >= 0:
        return 303, corner
    return (302, first_open) if first_open >= 0 and not may_be_open else (0, -1)


@helper
def _split_vertex(
    triangle: IntArray, low: int, n: int, fan: IntArray, is_open: BoolArray, may_be_open: bool
) -> int:
    """Corner at a vertex with two fans of which one runs all round, -1 for none."""
    n_corners = len(fan)
    fan_is_open = np.zeros(n_corners, dtype=np.bool_)
    for corner in range(n_corners):
        if is_open[corner]:
            fan_is_open[_find(fan, corner)] = True
    fans, closed = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.bool_)
    for corner in range(n_corners):
        if _find(fan, corner) == corner:
            vertex = triangle[corner // 3, corner % 3] - low
            fans[vertex] += 1
            closed[vertex] |= not fan_is_open[corner]
            if fans[vertex] > 1 and (closed[vertex] or may_be_open):
                return corner
    return -1


@kernel
def judge_shells(
    triangle: IntArray,
    triangle_offsets: IntArray,
    corner_offsets: IntArray,
    may_be_open: BoolArray,
) -> tuple[IntArray, IntArray]:
    """Number of the fault of each shell, and the place of it.

    Parameters
    ----------
    triangle : int64 array, shape (n_triangles, 3)
        Points, counter-clockwise seen from outside.
    triangle_offsets : int64 array, shape (n_shells + 1,)
    corner_offsets : int64 array, shape (n_shells + 1,)
        Borders of the points: those of shell s are at least its entry, below the next one.
    may_be_open : bool array, shape (n_shells,)
        Whether the shell is a composite surface.

    Returns
    -------
    fault : int64 array, shape (n_shells,)
        0 for none, or for no triangles.
    corner : int64 array, shape (n_shells,)
        3 * row of `triangle` + corner, -1 for none.
    """
    n_shells = len(triangle_offsets) - 1
    fault, corner = np.zeros(n_shells, dtype=np.int64), np.full(n_shells, -1, dtype=np.int64)
    for s in range(n_shells):
        first, last = triangle_offsets[s], triangle_offsets[s + 1]
        if first == last:
            continue
        fault[s], at = _judge_shell(
            triangle[first:last], corner_offsets[s], corner_offsets[s + 1], may_be_open[s]
        )
        if at >= 0:
            corner[s] = at + 3 * first
    return fault, corner
