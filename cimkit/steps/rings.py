"""Rings of footprints on the millimetre grid: needless vertices, and rings that touch.

A duplicate vertex equals the one before it. A spike is a vertex where the ring turns back on
itself in less than `SPIKE_WIDTH_M`; it may point outward or inward. A straight vertex lies
exactly, in whole millimetres, on the line through its neighbours; it is kept where another ring
has a vertex too, so that buildings that share a wall go on sharing its corners. Dropping
duplicates, straight vertices and spikes without width leaves the area as it is.

All in O(n log n) on flat arrays of vertices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cimkit.tables._columns import BoolArray, FloatArray, IntArray

GRID_M = 0.001
"""Model coordinates are whole millimetres; every footprint is rounded to them once."""

SPIKE_WIDTH_M = 0.01

_SPIKE_SLENDER = 0.1
"""A spike is at most this wide for its length (5.7 degrees); blunter ones are real corners."""

TOUCH_M = 0.001
"""Rings nearer than this count as touching: nearer than two vertices can be told apart."""

TOUCH_GAP_M = 0.02
"""Width of the wall that is put between rings that touch."""


def to_grid(polygons: NDArray[Any]) -> NDArray[Any]:
    """Polygons with every coordinate rounded to `GRID_M`; they may become invalid by it."""
    rounded: NDArray[Any] = shapely.transform(polygons, lambda xy: np.round(xy, 3))
    return rounded


def drop_needless_vertices(polygons: NDArray[Any]) -> tuple[NDArray[Any], IntArray]:
    """Remove duplicate vertices, spikes and straight vertices.

    Parameters
    ----------
    polygons : object array, shape (n,)
        Shapely polygons on the grid, not empty, possibly invalid.

    Returns
    -------
    polygons : object array, shape (n,)
        None where the shell has collapsed; holes that collapse are gone.
    n_removed : int64 array, shape (n,)
        Vertices removed from each.

    Examples
    --------
    >>> square = shapely.Polygon(
    ...     [(0, 0), (2, 0), (2, 0), (4, 0), (4, 4), (4, 9), (4, 4), (0, 4)]
    ... )
    >>> polygons, n_removed = drop_needless_vertices(np.array([square]))
    >>> polygons[0].equals(shapely.box(0, 0, 4, 4)), n_removed
    (True, array([4]))
    """
    rings, polygon_of_ring = shapely.get_rings(polygons, return_index=True)
    xy, ring_of_vertex = shapely.get_coordinates(rings, return_index=True)
    opened = np.append(ring_of_vertex[1:] == ring_of_vertex[:-1], False)[: len(xy)]
    xy, ring_of_vertex = xy[opened], ring_of_vertex[opened]
    grid = np.rint(xy / GRID_M)
    shared = _is_shared(grid, ring_of_vertex)
    kept, turn = np.arange(len(grid)), 0
    while len(kept):
        drop = _needless(grid[kept], ring_of_vertex[kept], shared[kept], turn % 2)
        if not drop.any():
            break
        kept, turn = kept[~drop], turn + 1
    n = len(polygons)
    n_left = np.bincount(ring_of_vertex[kept], minlength=len(rings))
    before = np.bincount(ring_of_vertex, minlength=len(rings))
    n_removed = np.bincount(polygon_of_ring, before - n_left, minlength=n).astype(np.int64)
    is_shell = np.append(True, polygon_of_ring[1:] != polygon_of_ring[:-1])[: len(rings)]
    collapsed = np.zeros(n, dtype=np.bool_)
    collapsed[polygon_of_ring[is_shell & (n_left < 3)]] = True
    rebuilt = polygons.copy()
    rebuilt[collapsed] = None
    use_ring = (n_left >= 3) & (n_removed > 0)[polygon_of_ring] & ~collapsed[polygon_of_ring]
    use = kept[use_ring[ring_of_vertex[kept]]]
    if len(use):
        _, ring = np.unique(ring_of_vertex[use], return_inverse=True)
        owners, owner = np.unique(polygon_of_ring[use_ring], return_inverse=True)
        rebuilt[owners] = shapely.polygons(
            shapely.linearrings(xy[use], indices=ring), indices=owner
        )
    return rebuilt, n_removed


def part_touching_rings(polygons: NDArray[Any]) -> dict[int, Any]:
    """Put a wall of `TOUCH_GAP_M` between rings of a polygon that touch.

    Such a polygon is valid, but a solid built on it would meet itself along an edge. The hole
    gives way: what lies within the gap of the other ring is cut from it.

    Parameters
    ----------
    polygons : object array, shape (n,)
        Valid shapely polygons, or None.

    Returns
    -------
    dict of int to shapely geometry
        Row and new geometry of those that were changed; not yet on the grid, nor checked.
    """
    holed = np.flatnonzero(shapely.get_num_interior_rings(polygons) > 0)
    rings, owner = shapely.get_rings(shapely.normalize(polygons[holed]), return_index=True)
    position = np.arange(len(rings)) - np.searchsorted(owner, owner)
    one, other = shapely.STRtree(rings).query(rings, predicate="dwithin", distance=TOUCH_M)
    touch = (owner[one] == owner[other]) & (position[one] > position[other])
    partners: dict[int, list[int]] = {}
    for hole, partner in sorted(zip(one[touch].tolist(), other[touch].tolist(), strict=True)):
        partners.setdefault(hole, []).append(partner)
    changed = {}
    for polygon in sorted({int(owner[hole]) for hole in partners}):
        own = np.flatnonzero(owner == polygon)
        holes = []
        for ring in own[1:].tolist():
            hole = shapely.Polygon(rings[ring])
            if ring in partners:
                near = shapely.union_all(rings[partners[ring]])
                hole = hole.difference(near.buffer(TOUCH_GAP_M, join_style="mitre"))
            holes += [part.exterior for part in shapely.get_parts(hole) if not part.is_empty]
        changed[int(holed[polygon])] = shapely.Polygon(rings[own[0]], holes)
    return changed


def _needless(grid: FloatArray, ring: IntArray, shared: BoolArray, parity: int) -> BoolArray:
    """Vertices to drop in this turn: duplicates; if none, spikes; if none, straight ones.

    Of spikes in a row every other one goes, alternating with `parity`: dropping a tip changes
    what its neighbours are.
    """
    position = np.arange(len(grid))
    first = np.append(True, ring[1:] != ring[:-1])
    last = np.append(first[1:], True)
    previous, following = position - 1, position + 1
    previous[first], following[last] = position[last], position[first]
    into, out = grid - grid[previous], grid[following] - grid
    duplicate = (into == 0).all(axis=1)
    if duplicate.any():
        return np.asarray(duplicate)
    cross = np.abs(into[:, 0] * out[:, 1] - into[:, 1] * out[:, 0])
    dot = (into * out).sum(axis=1)
    longer = np.sqrt(np.maximum((into**2).sum(axis=1), (out**2).sum(axis=1)))
    narrow = cross < SPIKE_WIDTH_M / GRID_M * longer
    spike = (dot < 0) & narrow & (cross <= -_SPIKE_SLENDER * dot)
    if spike.any():
        alone = ~spike[previous] & ~spike[following]
        chosen = spike & (alone | (position % 2 == parity))
        return np.asarray(chosen if chosen.any() else spike)
    return np.asarray((cross == 0) & (dot > 0) & ~shared)


def _is_shared(grid: FloatArray, ring: IntArray) -> BoolArray:
    """Vertices at whose place another ring has a vertex as well."""
    shared = np.zeros(len(grid), dtype=np.bool_)
    if not len(grid):
        return shared
    order = np.lexsort((ring, grid[:, 1], grid[:, 0]))
    new_place = np.append(True, (np.diff(grid[order], axis=0) != 0).any(axis=1))
    starts = np.flatnonzero(new_place)
    lowest = np.minimum.reduceat(ring[order], starts)
    highest = np.maximum.reduceat(ring[order], starts)
    shared[order] = (lowest != highest)[np.cumsum(new_place) - 1]
    return shared
