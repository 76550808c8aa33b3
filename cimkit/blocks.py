"""How a city is cut into blocks.

A building belongs to the block that holds its representative point. A block works with all
points and all footprints within its window: the box of its buildings and a margin. The window
follows the buildings, so no result depends on the size of the blocks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from cimkit.steps.ground_filter import Bounds
from cimkit.tables import Footprints, PointCloud
from cimkit.tables._columns import BoolArray, FloatArray, IntArray


class Block(NamedTuple):
    """A part of the city that one worker holds in memory.

    Attributes
    ----------
    name : str
        ``column_row`` in the grid of blocks.
    rows : int64 array
        The block's buildings, rising rows of the footprints.
    window : tuple of float
        (xmin, ymin, xmax, ymax) of what the block needs to see.
    """

    name: str
    rows: IntArray
    window: Bounds


def cut_blocks(footprints: Footprints, size: float, margin: float) -> list[Block]:
    """Cut a city into blocks of `size` metres.

    Parameters
    ----------
    footprints : Footprints
    size : float
        Edge of a block in metres.
    margin : float
        What a building needs to see around it, metres.

    Returns
    -------
    list of Block
        Only blocks with buildings; each building is in exactly one.

    Examples
    --------
    >>> two = [shapely.box(1, 1, 5, 5), shapely.box(490, 0, 530, 9)]
    >>> footprints = Footprints.from_polygons(["a", "b"], two)
    >>> [(block.name, block.window) for block in cut_blocks(footprints, 500, 4)]
    [('0_0', (-3.0, -3.0, 9.0, 9.0)), ('1_0', (486.0, -4.0, 534.0, 13.0))]
    """
    if not len(footprints):
        return []
    inner = shapely.get_coordinates(shapely.point_on_surface(footprints.polygons()))
    columns, rows = np.floor(inner / size).astype(np.int64).T
    members: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row, place in enumerate(zip(columns.tolist(), rows.tolist(), strict=True)):
        members[place].append(row)
    bounds = footprints.bounds
    blocks = []
    for (column, line), chosen in sorted(members.items()):
        box = bounds[chosen]
        low, high = box[:, :2].min(0) - margin, box[:, 2:].max(0) + margin
        window = (*low.tolist(), *high.tolist())
        blocks.append(Block(f"{column}_{line}", np.array(chosen), window))
    return blocks


def in_sight(boxes: FloatArray, window: Bounds) -> IntArray:
    """Rows of the boxes, shape (n, 4), that a window meets."""
    met = (boxes[:, :2] <= window[2:]).all(1) & (boxes[:, 2:] >= window[:2]).all(1)
    return np.flatnonzero(met)


def repeated_points(
    cloud: PointCloud, source: IntArray, overlaps: Sequence[Bounds]
) -> BoolArray:
    """Points that an earlier file holds too, at the same place and of the same class.

    Parameters
    ----------
    cloud : PointCloud
    source : int64 array, shape (n,)
        File of each point.
    overlaps : sequence of tuple of float
        Boxes (xmin, ymin, xmax, ymax) where files overlap; only there it can happen.

    Examples
    --------
    >>> cloud = PointCloud([0, 0, 0], [0, 0, 0], [1, 1, 2], [6, 6, 6])
    >>> repeated_points(cloud, np.array([0, 1, 1]), [(0, 0, 1, 1)])
    array([False,  True, False])
    """
    repeated = np.zeros(len(cloud), dtype=np.bool_)
    shared = np.zeros(len(cloud), dtype=np.bool_)
    for box in overlaps:
        shared |= inside(cloud, box)
    rows = np.flatnonzero(shared)
    if not len(rows):
        return repeated
    # In tenths of a millimetre: another offset in the header moves the last bits of a float.
    keys = [_tenths(axis[rows]) for axis in (cloud.z, cloud.y, cloud.x)]
    keys.append(cloud.classification[rows].astype(np.int32))
    file = source[rows].astype(np.int32)
    order = np.lexsort([file, *keys])
    same = np.ones(len(order), dtype=np.bool_)
    for key in keys:
        in_order = key[order]
        same[1:] &= in_order[1:] == in_order[:-1]
    same[0] = False
    first = file[order][~same][np.cumsum(~same) - 1]
    repeated[rows[order]] = file[order] != first
    return repeated


def _tenths(axis: FloatArray) -> NDArray[np.int32]:
    """Whole tenths of millimetres; in 32 bits that is a window of 200 km."""
    return np.asarray(np.round((axis - np.floor(axis.min())) * 1e4), dtype=np.int32)


def meet(one: Bounds, other: Bounds) -> bool:
    """Whether two boxes have a point in common."""
    return (
        one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]
    )


def common(one: Bounds, other: Bounds) -> Bounds | None:
    """The box that two boxes have in common, or None."""
    if not meet(one, other):
        return None
    west, south = max(one[0], other[0]), max(one[1], other[1])
    return west, south, min(one[2], other[2]), min(one[3], other[3])


def inside(cloud: PointCloud, box: Bounds) -> BoolArray:
    """Points within a box, its edges included."""
    within: BoolArray = (cloud.x >= box[0]) & (cloud.x <= box[2])
    within &= (cloud.y >= box[1]) & (cloud.y <= box[3])
    return within
