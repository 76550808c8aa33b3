"""Which buildings each tile shows: a quadtree of the city for streaming."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cimkit import limits
from cimkit.errors import ParameterError
from cimkit.tables import Buildings, TileTree
from cimkit.tables.coerce import as_footprints

if TYPE_CHECKING:
    from cimkit.tables._columns import FloatArray, IntArray

GRID_ORIGIN = -(2.0**27)
"""Metres. South-west corner of the one grid for all cities: no cell of it spans the origin of a
CRS half and half, and `limits.COORDINATE_MAX` lies within the 2**28 m that it covers."""

CELLS_PER_METRE = 16
"""Finest cells: 2**32 of them cover the grid, so both numbers of a cell fit one 64-bit key."""


def tile(footprints: Any, buildings: Buildings, *, tile_buildings: int = 256) -> TileTree:
    """Arrange the buildings of a city in tiles (切片), from an overview down to all buildings.

    A building belongs to the leaf in whose cell its centre lies and is never cut. A tile with
    more than `tile_buildings` is divided, and shows only the largest of the buildings below it,
    so that a city seen from afar gets simpler but does not vanish.

    Parameters
    ----------
    footprints : Footprints or GeoDataFrame, n rows
    buildings : Buildings, n rows
        In the order of the footprints; `height` in metres is used.
    tile_buildings : int, default 256
        Most buildings that one tile shows, at least 1. More stand only in a leaf whose centres
        cannot be told apart.

    Returns
    -------
    TileTree
        Empty for no buildings. Tiles of one level, and the buildings of a tile, run in Morton
        order, whatever the order of the rows.

    Raises
    ------
    ParameterError
        If the tables differ in length or `tile_buildings` is below 1.

    Notes
    -----
    Cells are those of one fixed grid of powers of two metres in the CRS, and a tile is the
    smallest cell around its buildings (a compressed quadtree: H. Samet, Foundations of
    Multidimensional and Metric Data Structures, 2006, 1.4). A new building therefore leaves the
    tiles elsewhere as they are.

    The size of a building is the larger one of its height and the diagonal of its box on the
    ground. An inner tile shows the largest buildings, and its geometric error is the size of
    the largest one that it leaves out, at least twice that of its children.

    Examples
    --------
    >>> from cimkit.tables import Footprints
    >>> import shapely
    >>> nothing = Footprints.from_polygons([], [])
    >>> empty = [()] * 15
    >>> tile(nothing, Buildings(*empty))
    TileTree(0 tiles on 0 levels, 0 leaves)
    """
    footprints = as_footprints(footprints)
    if len(footprints) != len(buildings):
        raise ParameterError(f"tile: {len(footprints)} footprints, {len(buildings)} buildings")
    if tile_buildings < 1:
        raise ParameterError(f"tile_buildings: at least 1, not {tile_buildings}")
    box = footprints.bounds
    key = morton_keys((box[:, :2] + box[:, 2:]) / 2)
    size = np.maximum(buildings.height, np.hypot(*(box[:, 2:] - box[:, :2]).T))
    names = np.argsort(buildings.building_id, kind="stable")
    order = names[np.argsort(key[names], kind="stable")]
    parent, level, start, end = _divide(key[order], tile_buildings)
    shown, error = _choose(parent, start, end, size[order], tile_buildings)
    ends = np.cumsum([0, *(len(rows) for rows in shown)])
    members = np.concatenate([np.empty(0, dtype=np.int64), *(order[rows] for rows in shown)])
    return TileTree(np.array(parent), np.array(level), error, ends, members)


def morton_keys(xy: FloatArray) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Numbers of the finest cells of places along the Morton curve, shape (n,).

    Examples
    --------
    >>> morton_keys(np.array([[0.0, 0.0], [1 / 16, 0.0], [0.0, 1 / 16]])) - np.uint64(3 << 62)
    array([0, 1, 2], dtype=uint64)
    """
    cells = np.floor((xy - GRID_ORIGIN) * CELLS_PER_METRE).astype(np.uint64)
    for shift, mask in _SPREAD:
        cells = (cells | cells << np.uint64(shift)) & np.uint64(mask)
    return np.asarray(cells[:, 0] | cells[:, 1] << np.uint64(1))


_SPREAD = (
    (16, 0x0000FFFF0000FFFF),
    (8, 0x00FF00FF00FF00FF),
    (4, 0x0F0F0F0F0F0F0F0F),
    (2, 0x3333333333333333),
    (1, 0x5555555555555555),
)


def _divide(
    key: np.ndarray[Any, np.dtype[np.uint64]], tile_buildings: int
) -> tuple[list[int], list[int], list[int], list[int]]:
    """Parent, level, and range of sorted keys of each tile, breadth first."""
    parent, level, start, end = [], [], [], []
    if len(key):
        parent, level, start, end = [-1], [0], [0], [len(key)]
    for row, _ in enumerate(parent):  # grows while it is walked
        a, b = start[row], end[row]
        differ = int(key[a]) ^ int(key[b - 1])
        if b - a <= tile_buildings or level[row] == limits.TILE_LEVELS_MAX or not differ:
            continue
        # The quarter of the smallest common cell is the highest pair of bits that differs.
        quarter = key[a:b] >> np.uint64((differ.bit_length() - 1) // 2 * 2) & np.uint64(3)
        cuts = a + np.searchsorted(quarter, np.arange(5, dtype=np.uint64))
        for first, last in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
            if first < last:
                parent.append(row)
                level.append(level[row] + 1)
                start.append(first)
                end.append(last)
    return parent, level, start, end


def _choose(
    parent: list[int], start: list[int], end: list[int], size: FloatArray, tile_buildings: int
) -> tuple[list[IntArray], FloatArray]:
    """Rows that each tile shows, in rising order, and the geometric error of each tile."""
    order = np.argsort(-size, kind="stable")
    rank = np.empty(len(size), dtype=np.int64)
    rank[order] = np.arange(len(size))
    shown = [np.arange(a, b) for a, b in zip(start, end, strict=True)]
    error = np.zeros(len(parent))
    children: list[list[int]] = [[] for _ in parent]
    for row in range(len(parent) - 1, -1, -1):
        if children[row]:
            below = np.concatenate([shown[child] for child in children[row]])
            ranks = np.sort(rank[below])
            shown[row] = np.sort(order[ranks[:tile_buildings]])
            # What the children leave out is in their errors already, doubled below.
            omitted = size[order[ranks[tile_buildings]]]
            error[row] = max(omitted, 2 * error[children[row]].max())
        if row:
            children[parent[row]].insert(0, row)
    return shown, error
