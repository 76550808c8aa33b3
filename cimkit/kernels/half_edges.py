"""Half-edges, vertices and cells of a subdivision of the plane, in plain arrays.

The doubly connected edge list of de Berg et al. 2008, "Computational Geometry", 2.2: each edge
is two half-edges, one for the cell at either side, and the twin of half-edge h is h ^ 1. A new
vertex is put on an edge, not on a cell, so T-junctions cannot arise.

Tolerance: coordinates are rounded to 0.1 mm when a vertex is made, before any decision rests on
them.

Time: splitting an edge is O(1), splitting a cell costs the edges of the part that gets a new
number.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cimkit.kernels._jit import helper, kernel
from cimkit.tables._columns import BoolArray, FloatArray, WholeArray

COMPLEX_OK, COMPLEX_FULL = 0, 1
"""Whether all vertices found room; where not, start again with a larger complex."""

UNITS = 10_000.0
"""Coordinates are whole multiples of 1 / UNITS metres."""


class CellComplex(NamedTuple):
    """Cells, edges and vertices; only the first `size` entries of each array count.

    Parameters
    ----------
    xy : float64 array, shape (n_vertices, 2)
        Local metres, multiples of 0.1 mm.
    leaving : int32 array, shape (n_vertices,)
        A half-edge that starts at the vertex.
    origin : int32 array, shape (n_half_edges,)
        Vertex at the start of the half-edge.
    following, previous : int32 array, shape (n_half_edges,)
        Next and last half-edge of the same cell, counter-clockwise.
    cell : int32 array, shape (n_half_edges,)
        Cell at the left, -1 outside the box.
    line : int32 array, shape (n_half_edges,)
        Tag of the line that made the edge: the footprint's edges are 0 to n - 1, -1 is the box.
    outline : bool array, shape (n_half_edges,)
        Whether the edge lies between the inside and the outside of the footprint.
    first : int32 array, shape (n_cells,)
        A half-edge of the cell.
    inside, thin : bool array, shape (n_cells,)
        Inside the footprint; thinner than asked of `flag_thin_cells`.
    mark, stack : int32 array, shape (n_cells,)
        Scratch of the walks.
    size : int64 array, shape (4,)
        Vertices, half-edges, cells in use, and a running number of walks.
    """

    xy: FloatArray
    leaving: WholeArray
    origin: WholeArray
    following: WholeArray
    previous: WholeArray
    cell: WholeArray
    line: WholeArray
    outline: BoolArray
    first: WholeArray
    inside: BoolArray
    thin: BoolArray
    mark: WholeArray
    stack: WholeArray
    size: WholeArray


@kernel
def new_complex(capacity: int) -> CellComplex:
    """Room for `capacity` vertices; a planar graph has at most 3 edges and 2 cells for each."""
    return CellComplex(
        np.empty((capacity, 2), np.float64),
        np.empty(capacity, np.int32),
        np.empty(6 * capacity, np.int32),
        np.empty(6 * capacity, np.int32),
        np.empty(6 * capacity, np.int32),
        np.empty(6 * capacity, np.int32),
        np.empty(6 * capacity, np.int32),
        np.zeros(6 * capacity, np.bool_),
        np.empty(2 * capacity, np.int32),
        np.zeros(2 * capacity, np.bool_),
        np.zeros(2 * capacity, np.bool_),
        np.zeros(2 * capacity, np.int32),
        np.empty(2 * capacity, np.int32),
        np.zeros(4, np.int64),
    )


@helper
def rounded(value: float) -> float:
    """Nearest multiple of 0.1 mm."""
    return float(np.rint(value * UNITS) / UNITS)


@helper
def units(value: float) -> int:
    """Whole 0.1 mm."""
    return int(np.rint(value * UNITS))


@helper
def has_room(cx: CellComplex, vertices: int) -> bool:
    """Whether that many vertices, with an edge and a cell each, can still be made."""
    return bool(
        cx.size[0] + vertices <= len(cx.xy)
        and cx.size[1] + 4 * vertices + 2 <= len(cx.origin)
        and cx.size[2] + vertices + 1 <= len(cx.first)
    )


@kernel
def start_box(cx: CellComplex, x0: float, y0: float, x1: float, y1: float) -> None:
    """Empty the complex and make a box its only cell."""
    x = (x0, x1, x1, x0)
    y = (y0, y0, y1, y1)
    for k in range(4):
        cx.xy[k, 0], cx.xy[k, 1] = rounded(x[k]), rounded(y[k])
        h = 2 * k
        cx.leaving[k] = h
        cx.origin[h], cx.origin[h + 1] = k, (k + 1) % 4
        cx.following[h], cx.previous[h] = 2 * ((k + 1) % 4), 2 * ((k + 3) % 4)
        cx.following[h + 1], cx.previous[h + 1] = 2 * ((k + 3) % 4) + 1, 2 * ((k + 1) % 4) + 1
        cx.cell[h], cx.cell[h + 1] = 0, -1
        cx.line[h] = cx.line[h + 1] = -1
        cx.outline[h] = cx.outline[h + 1] = False
    cx.first[0] = 0
    cx.inside[0] = False
    cx.thin[0] = False
    cx.mark[0] = 0
    cx.size[0], cx.size[1], cx.size[2], cx.size[3] = 4, 8, 1, 0


@kernel
def split_edge(cx: CellComplex, h: int, x: float, y: float) -> int:
    """Put a vertex on an edge: h ends there, the following half-edge starts there."""
    m = cx.size[0]
    cx.size[0] += 1
    cx.xy[m, 0], cx.xy[m, 1] = x, y
    g = h ^ 1
    h2 = cx.size[1]
    g2 = h2 + 1
    cx.size[1] += 2
    b = cx.origin[g]
    cx.origin[h2], cx.origin[g2], cx.origin[g] = m, b, m
    ahead, behind = cx.following[h], cx.previous[g]
    cx.following[h], cx.previous[h2] = h2, h
    cx.following[h2], cx.previous[ahead] = ahead, h2
    cx.previous[g], cx.following[g2] = g2, g
    cx.previous[g2], cx.following[behind] = behind, g2
    cx.cell[h2], cx.cell[g2] = cx.cell[h], cx.cell[g]
    cx.line[h2] = cx.line[g2] = cx.line[h]
    cx.outline[h2] = cx.outline[g2] = cx.outline[h]
    cx.leaving[m], cx.leaving[b] = h2, g2
    return int(m)


@kernel
def split_cell(cx: CellComplex, hu: int, hv: int, tag: int) -> int:
    """Join the origins of two half-edges of a cell; the part at the right of u to v is new.

    Returns the new half-edge from u to v, whose twin lies in the new cell.
    """
    n = cx.size[1]
    t = n + 1
    cx.size[1] += 2
    c = cx.cell[hu]
    new = cx.size[2]
    cx.size[2] += 1
    pu, pv = cx.previous[hu], cx.previous[hv]
    cx.origin[n], cx.origin[t] = cx.origin[hu], cx.origin[hv]
    cx.following[pu], cx.previous[n] = n, pu
    cx.following[n], cx.previous[hv] = hv, n
    cx.following[pv], cx.previous[t] = t, pv
    cx.following[t], cx.previous[hu] = hu, t
    cx.line[n] = cx.line[t] = tag
    cx.outline[n] = cx.outline[t] = False
    cx.cell[n] = c
    cx.first[c], cx.first[new] = n, t
    cx.inside[new], cx.thin[new], cx.mark[new] = cx.inside[c], cx.thin[c], cx.mark[c]
    cx.cell[t] = new
    h = hu
    while h != t:
        cx.cell[h] = new
        h = cx.following[h]
    return int(n)
