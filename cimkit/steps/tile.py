"""Which buildings each tile shows, and how simply: a quadtree of the city for streaming."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cimkit.errors import ParameterError
from cimkit.steps.detail import measure_detail
from cimkit.tables import Buildings, Models, TileTree
from cimkit.tables.coerce import as_footprints
from cimkit.tables.detail import Detail
from cimkit.tables.models import TILE_LODS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cimkit.tables._columns import FloatArray, IntArray

GRID_ORIGIN = -(2.0**27)
"""Metres. South-west corner of the one grid for all cities: no cell of it spans the origin of a
CRS half and half, and `limits.COORDINATE_MAX` lies within the 2**28 m that it covers."""

CELLS_PER_METRE = 16
"""Finest cells: 2**32 of them cover the grid, so both numbers of a cell fit one 64-bit key."""

KEY_LEVELS = 32
"""Levels of the grid between all of it and its finest cells."""

LEAF_BYTES = 400_000
"""Of a leaf that is not compressed, about 130 kB with meshopt: more is divided."""

INNER_BYTES = 1_200_000
"""Of any other tile, about 400 kB with meshopt. An overview is loaded whole before anything is
seen."""

OF_LEAVES, OF_INNER = 0.55, 0.45
"""A tile may take this part of the bytes of the leaves, and this part of those of the other
tiles, that it is refined to. So all inner tiles together take no more than the leaves:
0.55 / (1 - 0.45) = 1."""

WORTH_BYTES = 600_000
"""A cell that might take less has no tile of its own: its parent is refined to its children."""

ERROR_MIN = 2.0
"""Metres. The least error of a tile that simplifies: at 16 pixels and a screen of 1,080 it
gives way to the next level 120 to 210 m away."""

RISE = 1.1
"""By so much at least the error grows from a tile to its parent."""

NOMINAL = (40, 20)
"""Corners and triangles of a building of which nothing is known."""


def tile(
    footprints: Any,
    buildings: Buildings,
    detail: Models | Detail | None = None,
    *,
    tile_buildings: int = 256,
) -> TileTree:
    """Arrange the buildings of a city in tiles (切片), from an overview down to all details.

    A building belongs to the leaf in whose cell its centre lies, and is never cut. Leaves show
    the best solid of each building. The tiles above show, within a budget of bytes, what is
    seen from farther away: simpler solids of all buildings, then boxes, then those of the tall
    and large ones alone. A city seen from afar gets simpler but does not vanish.

    Parameters
    ----------
    footprints : Footprints or GeoDataFrame, n rows
    buildings : Buildings, n rows
        In the order of the footprints; `height` in metres is used.
    detail : Models or Detail, optional
        Solids at all levels of detail, or what `cimkit.steps.detail.measure_detail` found of
        them in the order of the buildings. Without, each building has one solid, of a size
        that is the same for all.
    tile_buildings : int, default 256
        Most buildings in a leaf, at least 1.

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
    tiles elsewhere as they are. Buildings whose centres share the finest cell are divided by
    their identifiers.

    What an inner tile shows follows from one number, its error in metres: every building at the
    cheapest level of detail whose deviation from its best solid is no larger, and not at all if
    the whole building is no larger (its height, and the diagonal of its box on the ground). The
    error is the least one, from `ERROR_MIN` on, with which the tile keeps to its budget. So a
    church whose spire LoD1.2 would cut off keeps its roof where sheds are gone already, and
    the geometric error is a measured bound of what is left out. It is raised where needed so
    that it grows strictly towards the root.

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
    detail = _as_detail(detail, buildings)
    box = footprints.bounds
    key = morton_keys((box[:, :2] + box[:, 2:]) / 2)
    size = np.maximum(buildings.height, np.hypot(*(box[:, 2:] - box[:, :2]).T))
    names = np.argsort(buildings.building_id, kind="stable")
    order = names[np.argsort(key[names], kind="stable")]
    cost = detail.cost_bytes.max(axis=1, where=detail.deviation == 0, initial=0)[order]
    cells = _divide(key[order], cost, tile_buildings)
    tiles, shown, error = _choose(cells, _Choice(detail.take(order), size[order]))
    rows = [np.empty(0, dtype=np.int64), *(order[chosen] for chosen, _ in shown)]
    lods = [np.empty(0, dtype=np.uint8), *(lod for _, lod in shown)]
    return TileTree(
        np.array([one.parent for one in tiles], dtype=np.int64),
        np.array([one.depth for one in tiles], dtype=np.int64),
        error,
        np.cumsum([0, *(len(chosen) for chosen, _ in shown)]),
        np.concatenate(rows),
        np.concatenate(lods),
        np.array([one.cell for one in tiles], dtype=np.int64).reshape(-1, 3),
        _root_square(key[order]),
    )


def _as_detail(detail: Models | Detail | None, buildings: Buildings) -> Detail:
    """What is known of the solids of all buildings."""
    if isinstance(detail, Models):
        detail = measure_detail(detail, buildings.building_id)
    if detail is None:
        block = TILE_LODS.index("1.2")
        lods = buildings.lod.tolist()
        known = [TILE_LODS.index(lod) if lod in TILE_LODS else block for lod in lods]
        one = np.arange(len(TILE_LODS)) == np.array(known, dtype=np.int64)[:, None]
        detail = Detail(one * NOMINAL[0], one * NOMINAL[1], np.where(one, 0.0, np.inf))
    if len(detail) != len(buildings):
        raise ParameterError(f"tile: detail of {len(detail)} for {len(buildings)} buildings")
    return detail


def morton_keys(xy: FloatArray) -> NDArray[np.uint64]:
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


class _Tile(NamedTuple):
    """A cell with buildings: its place in the tree, and its range of the sorted keys.

    `path` counts the quarters from the cell of the root on, `level` of them.
    """

    parent: int
    depth: int
    start: int
    end: int
    level: int
    path: int

    @property
    def cell(self) -> tuple[int, int, int]:
        """Level, column and row of the cell below that of the root."""
        x = sum((self.path >> 2 * bit & 1) << bit for bit in range(self.level))
        y = sum((self.path >> 2 * bit + 1 & 1) << bit for bit in range(self.level))
        return self.level, x, y


def _common_levels(key: NDArray[np.uint64]) -> int:
    """Levels from the whole grid down to the smallest cell around a range of sorted keys."""
    differ = int(key[0]) ^ int(key[-1])
    return KEY_LEVELS - (differ.bit_length() + 1) // 2


def _root_square(key: NDArray[np.uint64]) -> tuple[float, float, float]:
    """South-west corner and edge of the cell of the root, metres in the CRS."""
    if not len(key):
        return 0.0, 0.0, 0.0
    level = _common_levels(key)
    root = _Tile(-1, 0, 0, 0, level, int(key[0]) >> 2 * (KEY_LEVELS - level))
    edge = 2.0 ** (KEY_LEVELS - level) / CELLS_PER_METRE
    _, x, y = root.cell
    return GRID_ORIGIN + x * edge, GRID_ORIGIN + y * edge, edge


def _divide(key: NDArray[np.uint64], cost: IntArray, tile_buildings: int) -> list[_Tile]:
    """All cells that are divided, and those that are not, breadth first."""
    if not len(key):
        return []
    total = np.concatenate([[0], np.cumsum(cost)])
    root = _common_levels(key)
    tiles = [_Tile(-1, 0, 0, len(key), 0, 0)]
    for row, one in enumerate(tiles):  # grows while it is walked
        a, b = one.start, one.end
        small = b - a <= tile_buildings and total[b] - total[a] <= LEAF_BYTES
        if small or b - a == 1:
            continue
        level = _common_levels(key[a:b])
        if level < KEY_LEVELS:
            # The smallest common cell is divided; what lies between has no tile of its own.
            level, base = level - root, int(key[a]) >> 2 * (KEY_LEVELS - level)
            quarter = key[a:b] >> np.uint64(2 * (KEY_LEVELS - level - root - 1)) & np.uint64(3)
            cuts = a + np.searchsorted(quarter, np.arange(5, dtype=np.uint64))
            base &= (1 << 2 * level) - 1
        else:
            # One finest cell, or part of it: by rank, which is by identifier.
            level = max(one.level, KEY_LEVELS - root)
            base = one.path
            if one.level < KEY_LEVELS - root:
                base = int(key[a]) & (1 << 2 * level) - 1
            cuts = np.linspace(a, b, 5).astype(np.int64)
        for number, (first, last) in enumerate(pairwise(cuts.tolist())):
            if first < last:
                path = base << 2 | number
                tiles.append(_Tile(row, one.depth + 1, first, last, level + 1, path))
    return tiles


_Shown = tuple["IntArray", "NDArray[np.uint8]"]
"""Buildings that a tile shows, and the level of detail of each."""


class _Choice:
    """Which level of detail each building is shown at, for any error; all in sorted order.

    Parameters
    ----------
    detail : Detail, n rows
    size : float64 array, shape (n,)
        Error of leaving a building out, metres.
    """

    def __init__(self, detail: Detail, size: FloatArray) -> None:
        n = len(detail)
        # The last column stands for leaving the building out, which costs nothing.
        self.error = np.column_stack([detail.deviation, size])
        self.cost = np.column_stack([np.where(detail.there, detail.cost_bytes, 0), np.zeros(n)])
        self.size = size
        self.best = np.argmin(self.error[:, :-1], axis=1)
        self.best_cost = np.take_along_axis(self.cost, self.best[:, None], axis=1)[:, 0]
        # With a rising error a building costs less and less, down to its cheapest level.
        rising = np.argsort(self.error, axis=1, kind="stable")
        self.threshold = np.take_along_axis(self.error, rising, axis=1)
        falling = np.minimum.accumulate(np.take_along_axis(self.cost, rising, axis=1), axis=1)
        self.drop = -np.diff(falling, axis=1, prepend=falling[:, :1])

    def least_error(self, start: int, end: int, budget: float) -> float:
        """Least error, from `ERROR_MIN` on, that keeps a range to a budget but shows some."""
        threshold = self.threshold[start:end].ravel()
        drop = self.drop[start:end].ravel()
        order = np.argsort(threshold, kind="stable")
        cost = self.best_cost[start:end].sum() - np.cumsum(drop[order])
        threshold = threshold[order]
        fits = np.flatnonzero(cost <= budget)
        error = max(ERROR_MIN, float(threshold[fits[0]]) if len(fits) else np.inf)
        largest = float(self.size[start:end].max())
        if error < largest:
            return error
        below = threshold[threshold < largest]
        return float(below[-1]) if len(below) else 0.0

    def shown(self, start: int, end: int, error: float) -> _Shown:
        """Buildings of a range that are shown with an error, and at which level."""
        cost = np.where(self.error[start:end] <= error, self.cost[start:end], np.inf)
        level = np.argmin(cost, axis=1)
        rows = np.flatnonzero(level < len(TILE_LODS))
        return start + rows, level[rows].astype(np.uint8)

    def all(self, start: int, end: int) -> _Shown:
        """All buildings of a range at their best."""
        return np.arange(start, end), self.best[start:end].astype(np.uint8)

    def bytes(self, shown: _Shown) -> float:
        """What a tile of some buildings at some levels takes."""
        return float(self.cost[shown].sum())


def _choose(
    cells: list[_Tile], choice: _Choice
) -> tuple[list[_Tile], list[_Shown], FloatArray]:
    """Tiles, what each shows (in rising order), and the geometric error of each.

    From the leaves up: a cell whose tile would be small has none, and its children become those
    of the cell above.
    """
    shown = [choice.all(one.start, one.end) for one in cells]
    error = np.zeros(len(cells))
    budget, least = np.zeros(len(cells)), np.zeros(len(cells))
    kept = np.ones(len(cells), dtype=np.bool_)
    has_children = np.zeros(len(cells), dtype=np.bool_)
    has_children[[one.parent for one in cells[1:]]] = True
    for row in range(len(cells) - 1, -1, -1):
        one = cells[row]
        kept[row] = not has_children[row] or not row or budget[row] >= WORTH_BYTES
        if not kept[row]:
            budget[one.parent] += budget[row]
            least[one.parent] = max(least[one.parent], least[row])
            continue
        if has_children[row]:
            found = choice.least_error(one.start, one.end, min(budget[row], INNER_BYTES))
            shown[row] = choice.shown(one.start, one.end, found)
            error[row] = max(found, ERROR_MIN, RISE * least[row])
        if row:
            part = OF_INNER if has_children[row] else OF_LEAVES
            budget[one.parent] += part * choice.bytes(shown[row])
            least[one.parent] = max(least[one.parent], error[row])
    tiles, rows = _kept(cells, kept)
    return tiles, [shown[row] for row in rows], error[rows]


def _kept(cells: list[_Tile], kept: NDArray[np.bool_]) -> tuple[list[_Tile], IntArray]:
    """Cells that have a tile, breadth first, with their parents and depths; and their rows."""
    home = np.empty(len(cells), dtype=np.int64)
    depth = np.zeros(len(cells), dtype=np.int64)
    for row, one in enumerate(cells):
        above = int(home[one.parent]) if row else -1
        home[row] = row if kept[row] else above
        depth[row] = depth[above] + 1 if row and kept[row] else depth[home[row]] if row else 0
    rows = np.flatnonzero(kept)
    rows = rows[np.argsort(depth[rows], kind="stable")]
    place = np.empty(len(cells), dtype=np.int64)
    place[rows] = np.arange(len(rows))
    tiles = []
    for row in rows.tolist():
        one = cells[row]
        parent = int(place[home[one.parent]]) if row else -1
        tiles.append(one._replace(parent=parent, depth=int(depth[row])))
    return tiles, rows
