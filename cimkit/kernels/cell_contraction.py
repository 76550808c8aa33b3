"""Contract short edges of a complex of cells, and find its thin cells.

Vertices some millimetres apart, from clearances of the footprint and from lines that nearly
meet, spoil solids: contracting every edge below 2 cm removes them. An edge is contracted where
the link condition holds (Dey, Edelsbrunner, Guha & Nekhayev 1999, "Topology preserving edge
contraction"), where no cell turns over or crosses itself, and where the footprint would not be
pinched. A corner of the footprint stays where it is; a vertex on its straight edge gives way to
a corner, and one of the roof to both.

Tolerance: whole 0.1 mm, exact.

Time: O(n log n) for the short edges, each at the cost of the cells around it.
"""

from __future__ import annotations

import numpy as np

from cimkit.kernels._jit import helper, kernel
from cimkit.kernels.cell_outline import cell_area
from cimkit.kernels.cell_sight import distance_to_segment, segments_meet, turn
from cimkit.kernels.half_edges import CellComplex, units
from cimkit.tables._columns import WholeArray

STRAIGHT_OUTLINE = 0.001
"""Metres: a vertex of the outline this close to the line of its neighbours is no corner."""

ROUNDS = 4
"""A contraction can shorten other edges; more rounds were never needed."""

ROOF_VERTEX, EDGE_VERTEX, CORNER, PINCH = 0, 1, 2, 3


@kernel
def _kind_of(cx: CellComplex, v: int) -> int:
    """What a vertex is to the footprint."""
    n = 0
    a, b = v, v
    start = cx.leaving[v]
    h = start
    while True:
        if cx.outline[h]:
            a, b = b, cx.origin[h ^ 1]
            n += 1
        h = cx.previous[h] ^ 1
        if h == start:
            break
    if n == 0:
        return ROOF_VERTEX
    if n > 2:
        return PINCH
    off = distance_to_segment(
        cx.xy[v, 0], cx.xy[v, 1], cx.xy[a, 0], cx.xy[a, 1], cx.xy[b, 0], cx.xy[b, 1]
    )
    return EDGE_VERTEX if off < STRAIGHT_OUTLINE else CORNER


@kernel
def _link_holds(cx: CellComplex, h: int) -> bool:
    """Whether the ends of an edge share no neighbours and cells but those beside the edge."""
    g = h ^ 1
    v = cx.origin[g]
    # The third vertices of triangles beside the edge.
    left, right = -1, -1
    if cx.following[cx.following[cx.following[h]]] == h:
        left = cx.origin[cx.previous[h]]
    if cx.following[cx.following[cx.following[g]]] == g:
        right = cx.origin[cx.previous[g]]
    if left >= 0 and left == right:
        return False
    e = cx.previous[h] ^ 1
    while e != h:
        x = cx.origin[e ^ 1]
        if x not in (left, right):
            f = cx.previous[g] ^ 1
            while f != g:
                if cx.origin[f ^ 1] == x:
                    return False
                f = cx.previous[f] ^ 1
        c = cx.cell[e]
        if c < 0:
            return False
        if c != cx.cell[h] and c != cx.cell[g]:
            k = cx.following[e]
            while k != e:
                if cx.origin[k] == v:
                    return False
                k = cx.following[k]
        e = cx.previous[e] ^ 1
    return True


@kernel
def _stays_valid(cx: CellComplex, start: int, kept: int) -> bool:
    """Whether a cell stays simple when the origin of one of its half-edges moves to `kept`."""
    n = 0
    h = start
    while True:
        n += 1
        h = cx.following[h]
        if h == start:
            break
    x, y = np.empty(n, np.int64), np.empty(n, np.int64)
    moved = cx.origin[start]
    m = 0
    h = start
    while True:
        v = cx.origin[h]
        if v != kept or m == 0:
            v = kept if v == moved else v
            x[m], y[m] = units(cx.xy[v, 0]), units(cx.xy[v, 1])
            m += 1
        h = cx.following[h]
        if h == start:
            break
    if m < 3:
        return True
    twice = 0
    for k in range(1, m - 1):
        twice += (x[k] - x[0]) * (y[k + 1] - y[0]) - (y[k] - y[0]) * (x[k + 1] - x[0])
    if twice <= 0:
        return False
    for k in range(m):
        after = (k + 1) % m
        # Edges 0-1 and (m-1)-0 are new; each against all others.
        for a, b in ((0, 1), (m - 1, 0)):
            if k == a:
                continue
            if k == b or after == a:
                p, q, r = (x[a], y[a]), (x[b], y[b]), (x[after], y[after])
                if after == a:
                    p, q, r = (x[b], y[b]), (x[a], y[a]), (x[k], y[k])
                if (
                    turn(p[0], p[1], q[0], q[1], r[0], r[1]) == 0
                    and (p[0] - q[0]) * (r[0] - q[0]) + (p[1] - q[1]) * (r[1] - q[1]) > 0
                ):
                    return False
            elif segments_meet(x[a], y[a], x[b], y[b], x[k], y[k], x[after], y[after]):
                return False
    return True


@helper
def _unlink(cx: CellComplex, h: int) -> None:
    """Take a half-edge out of its cell."""
    p, n = cx.previous[h], cx.following[h]
    cx.following[p], cx.previous[n] = n, p
    if cx.first[cx.cell[h]] == h:
        cx.first[cx.cell[h]] = n
    cx.origin[h] = -1


@kernel
def _glue(cx: CellComplex, e1: int) -> None:
    """Remove a cell of two edges: the half-edges on their far sides become twins."""
    e2 = cx.following[e1]
    a, b = e1 ^ 1, e2 ^ 1
    k, x = cx.origin[e1], cx.origin[e2]
    cx.first[cx.cell[e1]] = -1
    cell = cx.cell[b]
    p, n = cx.previous[b], cx.following[b]
    tag = min(cx.line[e1], cx.line[e2])
    if cx.outline[e1] != cx.outline[e2]:
        tag = cx.line[e1] if cx.outline[e1] else cx.line[e2]
    cx.following[e1], cx.previous[n] = n, e1
    cx.previous[e1], cx.following[p] = p, e1
    cx.cell[e1] = cell
    if cx.first[cell] == b:
        cx.first[cell] = e1
    cx.line[e1] = cx.line[a] = tag
    cx.outline[e1] = cx.outline[a] = cx.outline[e1] != cx.outline[e2]
    cx.origin[e2] = cx.origin[b] = -1
    cx.leaving[k], cx.leaving[x] = e1, a


@kernel
def _contract_into(cx: CellComplex, h: int) -> bool:
    """Move the origin of a half-edge to its end and drop the edge, where that does no harm."""
    g = h ^ 1
    moved, kept = cx.origin[h], cx.origin[g]
    e = h
    while True:
        if not _stays_valid(cx, e, kept):
            return False
        e = cx.previous[e] ^ 1
        if e == h:
            break
    for s in (h, g):  # a footprint of one triangle
        t = cx.following[s]
        if cx.following[cx.following[t]] == s and cx.outline[t] and cx.outline[cx.previous[s]]:
            return False
    e = cx.previous[h] ^ 1
    while e != h:
        ahead = cx.previous[e] ^ 1
        cx.origin[e] = kept
        e = ahead
    cx.leaving[kept] = cx.following[h]
    cx.leaving[moved] = -1
    left, right = cx.following[h], cx.following[g]
    _unlink(cx, h)
    _unlink(cx, g)
    if cx.following[cx.following[left]] == left:
        _glue(cx, left if cx.origin[left] == kept else cx.following[left])
    if cx.following[cx.following[right]] == right:
        _glue(cx, right if cx.origin[right] == kept else cx.following[right])
    return True


@kernel
def _area_lost(cx: CellComplex, u: int, v: int) -> float:
    """Twice the area that the outline sweeps when one of its vertices moves to the next."""
    start = cx.leaving[u]
    h = start
    while True:
        w = cx.origin[h ^ 1]
        if cx.outline[h] and w != v:
            ax, ay = cx.xy[w, 0] - cx.xy[u, 0], cx.xy[w, 1] - cx.xy[u, 1]
            bx, by = cx.xy[v, 0] - cx.xy[u, 0], cx.xy[v, 1] - cx.xy[u, 1]
            return float(abs(ax * by - ay * bx))
        h = cx.previous[h] ^ 1
        if h == start:
            return 0.0


@kernel
def _contract(cx: CellComplex, h: int) -> bool:
    """Contract an edge towards the end that must not move; False where that is not possible."""
    u, v = cx.origin[h], cx.origin[h ^ 1]
    kind_u, kind_v = _kind_of(cx, u), _kind_of(cx, v)
    if kind_u > 0 and kind_v > 0 and not cx.outline[h]:
        return False
    if kind_u == PINCH or kind_v == PINCH or not _link_holds(cx, h):
        return False
    away = h  # its origin moves
    if kind_u > kind_v:
        away = h ^ 1
    elif kind_u == kind_v:
        cost_u, cost_v = _area_lost(cx, u, v), _area_lost(cx, v, u)
        if cost_u > cost_v or (
            cost_u == cost_v and (cx.xy[u, 0], cx.xy[u, 1]) < (cx.xy[v, 0], cx.xy[v, 1])
        ):
            away = h ^ 1
    if _contract_into(cx, away):
        return True
    return kind_u == kind_v and _contract_into(cx, away ^ 1)


@helper
def _square(cx: CellComplex, h: int) -> int:
    """Squared length of an edge in whole units."""
    u, v = cx.origin[h], cx.origin[h ^ 1]
    dx = units(cx.xy[u, 0]) - units(cx.xy[v, 0])
    dy = units(cx.xy[u, 1]) - units(cx.xy[v, 1])
    return dx * dx + dy * dy


@kernel
def _compact(cx: CellComplex) -> None:
    """Close the holes that contractions left."""
    n_vertices, n_half_edges, n_cells = cx.size[0], cx.size[1], cx.size[2]
    new_vertex = np.empty(n_vertices, np.int32)
    n = 0
    for v in range(n_vertices):
        new_vertex[v] = n
        if cx.leaving[v] >= 0:
            cx.xy[n] = cx.xy[v]
            cx.leaving[n] = cx.leaving[v]
            n += 1
    cx.size[0] = n
    new_half_edge = np.empty(n_half_edges, np.int32)
    n = 0
    for h in range(n_half_edges):
        new_half_edge[h] = n
        n += cx.origin[h] >= 0
    new_cell = np.empty(n_cells, np.int32)
    m = 0
    for c in range(n_cells):
        new_cell[c] = m
        if cx.first[c] >= 0:
            cx.first[m] = new_half_edge[cx.first[c]]
            cx.inside[m], cx.thin[m], cx.mark[m] = cx.inside[c], cx.thin[c], cx.mark[c]
            m += 1
    cx.size[2] = m
    for h in range(n_half_edges):
        if cx.origin[h] >= 0:
            k = new_half_edge[h]
            cx.origin[k] = new_vertex[cx.origin[h]]
            cx.following[k] = new_half_edge[cx.following[h]]
            cx.previous[k] = new_half_edge[cx.previous[h]]
            cx.cell[k] = new_cell[cx.cell[h]] if cx.cell[h] >= 0 else -1
            cx.line[k], cx.outline[k] = cx.line[h], cx.outline[h]
    cx.size[1] = n
    for v in range(cx.size[0]):
        cx.leaving[v] = new_half_edge[cx.leaving[v]]


@kernel
def contract_short_edges(cx: CellComplex, length: float) -> int:
    """Contract the edges of inner cells that are shorter than `length`, shortest first.

    Parameters
    ----------
    cx : CellComplex
        Changed in place; vertices, half-edges and cells are numbered anew. Cells may be off
        convex by `length` afterwards: insert segments before.
    length : float
        Metres, 0.02 as a rule.

    Returns
    -------
    int
        Number of edges contracted.
    """
    limit = units(length) ** 2
    total = 0
    for _ in range(ROUNDS):
        n = 0
        for h in range(0, cx.size[1], 2):
            n += cx.origin[h] >= 0 and _is_inner(cx, h) and _square(cx, h) < limit
        if n == 0:
            break
        edge = np.empty(n, np.int64)
        square = np.empty(n, np.int64)
        x, y = np.empty(n, np.int64), np.empty(n, np.int64)
        n = 0
        for h in range(0, cx.size[1], 2):
            if cx.origin[h] >= 0 and _is_inner(cx, h) and _square(cx, h) < limit:
                u, v = cx.origin[h], cx.origin[h + 1]
                edge[n], square[n] = h, _square(cx, h)
                x[n] = units(cx.xy[u, 0]) + units(cx.xy[v, 0])
                y[n] = units(cx.xy[u, 1]) + units(cx.xy[v, 1])
                n += 1
        order = np.argsort(y, kind="mergesort")
        order = order[np.argsort(x[order], kind="mergesort")]
        order = order[np.argsort(square[order], kind="mergesort")]
        done = 0
        for k in order:
            h = edge[k]
            if cx.origin[h] >= 0 and _is_inner(cx, h) and _square(cx, h) < limit:
                done += _contract(cx, h)
        total += done
        if done == 0:
            break
    if total > 0:
        _compact(cx)
    return total


@helper
def _is_inner(cx: CellComplex, h: int) -> bool:
    """Whether an edge borders on a cell inside the footprint."""
    c, d = cx.cell[h], cx.cell[h ^ 1]
    return bool(c >= 0 and d >= 0 and (cx.inside[c] or cx.inside[d]))


@kernel
def flag_thin_cells(cx: CellComplex, width: float) -> int:
    """Set `thin` of the inner cells whose area is below `width` times their longest edge.

    Returns
    -------
    int
        Their number.
    """
    n = 0
    for c in range(cx.size[2]):
        longest = 0
        h = cx.first[c]
        while True:
            longest = max(longest, _square(cx, h))
            h = cx.following[h]
            if h == cx.first[c]:
                break
        cx.thin[c] = cx.inside[c] and cell_area(cx, c) < width * np.sqrt(longest) / 1e4
        n += cx.thin[c]
    return n


@kernel
def absorb_thin_cells(cx: CellComplex, label: WholeArray) -> int:
    """Give each thin cell the label of the inner neighbours that share most of its border.

    Thick neighbours count first; a thin cell among thin ones takes what they have after a
    round.

    Parameters
    ----------
    cx : CellComplex
        With `thin` set.
    label : int32 array, shape (n_cells,)
        Changed in place.

    Returns
    -------
    int
        Number of labels changed.
    """
    changed = 0
    settled = np.empty(cx.size[2], np.bool_)
    for c in range(cx.size[2]):
        settled[c] = cx.inside[c] and not cx.thin[c]
    for _ in range(ROUNDS):
        left = 0
        ready = settled.copy()
        for c in range(cx.size[2]):
            if not cx.inside[c] or ready[c]:
                continue
            best, found = 0.0, -1
            h = cx.first[c]
            while True:
                other = cx.cell[h ^ 1]
                if other >= 0 and ready[other]:
                    shared = 0.0
                    k = cx.first[c]
                    while True:
                        beside = cx.cell[k ^ 1]
                        if beside >= 0 and ready[beside] and label[beside] == label[other]:
                            shared += np.sqrt(_square(cx, k))
                        k = cx.following[k]
                        if k == cx.first[c]:
                            break
                    if shared > best:
                        best, found = shared, other
                h = cx.following[h]
                if h == cx.first[c]:
                    break
            if found >= 0:
                changed += label[c] != label[found]
                label[c] = label[found]
                settled[c] = True
            else:
                left += 1
        if left == 0:
            break
    return changed
