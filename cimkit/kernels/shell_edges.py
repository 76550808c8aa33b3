"""How the triangles of a shell hang together: edges, fans at vertices, components.

The triangles of a shell are joined in their order. One that uses an edge in a direction that is
taken already is left out: turned round it fits (307), or it does not fit at all (303). If all
fit, fans are counted: triangles around a vertex that hang together by edges. A vertex with a
fan that runs all round and another one is no manifold (303). Then the components (305); in a
surface that may be open, vertices with two fans of any kind (303); else open edges (302). So an
incremental builder of half-edges finds them, and so does val3dity. O(n) by hashing.
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
    mixed = key * 0x9E3779B97F4A7C1
    slot = (mixed ^ (mixed >> 29)) & mask
    while keys[slot] != -1 and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@helper
def _is_free(keys: IntArray, a: int, b: int, c: int, n: int) -> bool:
    """Whether none of the edges a-b, b-c, c-a is taken."""
    for key in (a * n + b, b * n + c, c * n + a):
        if keys[_edge_slot(keys, key)] == key:
            return False
    return a != b and b != c and c != a


@helper
def _join(
    triangle: IntArray, low: int, n: int, keys: IntArray, values: IntArray
) -> tuple[int, int]:
    """Enter all triangles; the first that does not fit and its number, or -1 and 0."""
    place, number = -1, 0
    for t in range(len(triangle)):
        a, b, c = triangle[t, 0] - low, triangle[t, 1] - low, triangle[t, 2] - low
        if _is_free(keys, a, b, c, n):
            for k, key in enumerate((a * n + b, b * n + c, c * n + a)):
                slot = _edge_slot(keys, key)
                keys[slot], values[slot] = key, 3 * t + k
        elif not _is_free(keys, a, c, b, n):
            if number != 303:
                place, number = t, 303
        elif number == 0:
            place, number = t, 307
    return place, number


@helper
def _judge_shell(triangle: IntArray, low: int, high: int, may_be_open: bool) -> tuple[int, int]:
    """Number of the fault of one shell and the corner of `triangle` (3 t + k) where it is."""
    n, n_corners = high - low, 3 * len(triangle)
    size = 16
    while size < 2 * n_corners:
        size *= 2
    keys, values = np.full(size, -1, dtype=np.int64), np.zeros(size, dtype=np.int64)
    place, number = _join(triangle, low, n, keys, values)
    if number:
        return number, 3 * place
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
