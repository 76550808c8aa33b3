"""Rings of footprints on the millimetre grid: needless vertices, tangles, rings that touch.

A duplicate vertex equals the one before it. A spike is a vertex where the ring turns back on
itself in less than `SPIKE_WIDTH_M`; it may point outward or inward. A straight vertex lies
exactly, in whole millimetres, on the line through its neighbours; it is kept where another ring
has a vertex too, so that buildings that share a wall go on sharing its corners. Dropping
duplicates, straight vertices and spikes without width leaves the area as it is.

No vertex that stays is moved by more than rounding, 0.7 mm along a diagonal, and equal vertices
are rounded alike: what neighbours share they share afterwards. Vertices that differ, by however
little, are each rounded by itself; none is pulled to a neighbour or put into its wall.

All on flat arrays of vertices, in O(n log n) for outlines that somebody drew. What others would
cost is bounded by `cimkit.limits`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from cimkit.limits import OUTLINE_TURNS_MAX

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cimkit.tables._columns import BoolArray, FloatArray, IntArray

GRID_M = 0.001
"""Model coordinates are whole millimetres; every footprint is rounded to them once."""

SPIKE_WIDTH_M = 0.01

_SPIKE_SLENDER = 0.1
"""A spike is at most this wide for its length (5.7 degrees); blunter ones are real corners."""

_PLAIN, _STRAIGHT, _SPIKE, _DUPLICATE = range(4)
"""Kinds of vertices; the highest is dropped first."""

_PAIRS_AT_ONCE = 500_000
"""Pairs of edges in memory at once."""

TOUCH_M = 0.001
"""Rings nearer than this count as touching: nearer than two vertices can be told apart."""

TOUCH_GAP_M = 0.02
"""Width of the wall that is put between rings that touch, and of a neck that is widened."""

NECK_M = 0.004
"""A narrower neck between two parts of an outline is widened: readers would see two solids."""

_PART_M2 = 1.0
"""Smaller parts beyond a neck are burrs."""


def to_grid(polygons: NDArray[Any]) -> NDArray[Any]:
    """Polygons with every coordinate rounded to `GRID_M`; they may become invalid by it."""
    rounded: NDArray[Any] = shapely.transform(polygons, lambda xy: np.round(xy, 3))
    return rounded


def drop_needless_vertices(
    polygons: NDArray[Any],
) -> tuple[NDArray[Any], IntArray, BoolArray]:
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
    endless : bool array, shape (n,)
        Those that still had such vertices after `OUTLINE_TURNS_MAX` rounds.

    Examples
    --------
    >>> square = shapely.Polygon(
    ...     [(0, 0), (2, 0), (2, 0), (4, 0), (4, 4), (4, 9), (4, 4), (0, 4)]
    ... )
    >>> polygons, n_removed, _ = drop_needless_vertices(np.array([square]))
    >>> polygons[0].equals(shapely.box(0, 0, 4, 4)), n_removed
    (True, array([4]))
    """
    rings, polygon_of_ring = shapely.get_rings(polygons, return_index=True)
    xy, ring_of_vertex = shapely.get_coordinates(rings, return_index=True)
    opened = np.append(ring_of_vertex[1:] == ring_of_vertex[:-1], False)[: len(xy)]
    xy, ring_of_vertex = xy[opened], ring_of_vertex[opened]
    chain = _Chain(np.rint(xy / GRID_M), ring_of_vertex)
    unfinished = chain.drop_needless()
    kept = np.flatnonzero(chain.alive)
    n = len(polygons)
    n_left = np.bincount(ring_of_vertex[kept], minlength=len(rings))
    before = np.bincount(ring_of_vertex, minlength=len(rings))
    n_removed = np.bincount(polygon_of_ring, before - n_left, minlength=n).astype(np.int64)
    endless = np.zeros(n, dtype=np.bool_)
    endless[polygon_of_ring[ring_of_vertex[unfinished]]] = True
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
    return rebuilt, n_removed, endless


def count_edge_pairs(polygon: Any, limit: int) -> int:
    """Pairs of edges whose boxes meet, those of consecutive edges left out.

    What the check for crossings and the untangling cost grows with it. Stops soon after
    `limit`.

    Examples
    --------
    >>> count_edge_pairs(shapely.Polygon([(0, 0), (9, 9), (9, 0), (0, 9)]), 100)
    1
    """
    xy, ring = shapely.get_coordinates(shapely.get_rings(polygon), return_index=True)
    inner = ring[1:] == ring[:-1]
    edges = shapely.linestrings(np.stack([xy[:-1][inner], xy[1:][inner]], axis=1))
    n = len(edges)
    tree = shapely.STRtree(edges)
    found, done, step = 0, 0, max(1, _PAIRS_AT_ONCE // n)
    while done < n:
        hits = tree.query(edges[done : done + step]).shape[1]
        done, found = done + step, found + hits
        # Each edge meets itself and two neighbours, and each pair is found twice.
        if (found - 3 * min(done, n)) // 2 > limit:
            break
        step = min(2 * step, max(1, step * _PAIRS_AT_ONCE // max(hits, 1)))
    return max(0, (found - 3 * min(done, n)) // 2)


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


def widen_necks(polygons: NDArray[Any]) -> dict[int, Any]:
    """Make necks between two parts of an outline `TOUCH_GAP_M` wide where they are hardly open.

    Parameters
    ----------
    polygons : object array, shape (n,)
        Valid shapely polygons, or None.

    Returns
    -------
    dict of int to shapely geometry
        Row and new geometry of those that were changed; not yet on the grid, nor checked.

    Examples
    --------
    >>> rooms = shapely.box(0, 0, 4, 4), shapely.box(4, 1, 5, 1.001), shapely.box(5, 0, 9, 4)
    >>> house = shapely.union_all(rooms)
    >>> widened = widen_necks(np.array([house]))[0]
    >>> round(widened.area - house.area, 2)
    0.02
    """
    changed = {}
    for row in np.flatnonzero(shapely.minimum_clearance(polygons) < NECK_M).tolist():
        polygon = polygons[row]
        parts = shapely.get_parts(polygon.buffer(-NECK_M / 2, join_style="mitre"))
        parts = shapely.buffer(parts[shapely.area(parts) >= _PART_M2], NECK_M)
        if len(parts) > 1:
            between = shapely.get_parts(polygon.difference(shapely.union_all(parts)))
            joining = shapely.intersects(between[:, None], parts).sum(axis=1) > 1
            necks = shapely.buffer(between[joining], TOUCH_GAP_M / 2, join_style="mitre")
            changed[row] = shapely.union_all([polygon, *necks])
    return changed


class _Chain:
    """Vertices of all rings, each linked to the ones before and after it in its ring.

    Of duplicates, spikes and straight vertices only the first kind that there is anywhere is
    dropped in a round, and only vertices near the last change are looked at again.
    """

    def __init__(self, grid: FloatArray, ring: IntArray) -> None:
        n = len(grid)
        self.grid = grid
        self.shared = _is_shared(grid, ring)
        self.alive = np.ones(n, dtype=np.bool_)
        self.kind = np.zeros(n, dtype=np.int8)
        self.turned = np.zeros(n)
        first = np.append(True, ring[1:] != ring[:-1])[:n]
        last = np.append(first[1:], True)[:n]
        self.previous, self.following = np.arange(n) - 1, np.arange(n) + 1
        self.previous[first], self.following[last] = np.flatnonzero(last), np.flatnonzero(first)

    def drop_needless(self) -> IntArray:
        """Drop all that is needless; vertices that are left over after too many rounds."""
        near = np.arange(len(self.grid))
        for _ in range(OUTLINE_TURNS_MAX):
            self._classify(near)
            near = near[self.kind[near] > _PLAIN]
            if not len(near):
                break
            chosen = near[self.kind[near] == self.kind[near].max()]
            if self.kind[chosen[0]] == _SPIKE:
                chosen = self._blunt_last(chosen)
            self.alive[chosen], self.kind[chosen] = False, _PLAIN
            near = np.unique(np.concatenate([near[self.alive[near]], self._unlink(chosen)]))
        return near

    def _classify(self, at: IntArray) -> None:
        """What each of these vertices is, and how far it lies off the line past it."""
        grid, before, after = self.grid[at], self.previous[at], self.following[at]
        into, out = grid - self.grid[before], self.grid[after] - grid
        cross = np.abs(into[:, 0] * out[:, 1] - into[:, 1] * out[:, 0])
        dot = (into * out).sum(axis=1)
        longer = np.sqrt(np.maximum((into**2).sum(axis=1), (out**2).sum(axis=1)))
        narrow = cross < SPIKE_WIDTH_M / GRID_M * longer
        kind = np.where((cross == 0) & (dot > 0) & ~self.shared[at], _STRAIGHT, _PLAIN)
        kind[(dot < 0) & narrow & (cross <= -_SPIKE_SLENDER * dot)] = _SPIKE
        kind[(into == 0).all(axis=1)] = _DUPLICATE
        self.kind[at], self.turned[at] = kind, cross

    def _blunt_last(self, spikes: IntArray) -> IntArray:
        """Spikes that enclose less than those beside them; of equal ones the most western.

        Dropping a tip changes what its neighbours are, so of spikes in a row not all can go.
        The choice knows no start of the ring and no direction.
        """
        least = np.ones(len(spikes), dtype=np.bool_)
        for beside in (self.previous[spikes], self.following[spikes]):
            less = np.zeros(len(spikes), dtype=np.bool_)
            equal = self.kind[beside] == _SPIKE
            for key in (self.turned, self.grid[:, 0], self.grid[:, 1]):
                less |= equal & (key[beside] < key[spikes])
                equal &= key[beside] == key[spikes]
            least &= ~less
        return spikes[least]

    def _unlink(self, dead: IntArray) -> IntArray:
        """Link past vertices that were dropped; the living ones beside them."""
        before = self.previous[dead]
        starts = np.flatnonzero(self.alive[before])
        left, right = before[starts], self.following[dead[starts]]
        hop = self.following
        while not self.alive[right].all():  # runs of dead ones: their hops double each time
            hop[dead] = np.where(self.alive[hop[dead]], hop[dead], hop[hop[dead]])
            right = np.where(self.alive[right], right, hop[right])
        self.following[left], self.previous[right] = right, left
        return np.concatenate([left, right])


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
