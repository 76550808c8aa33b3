"""Which points of a block are ground and which are roof, where the cloud does not state it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cimkit.steps.ground_filter import near_ground
from cimkit.steps.vegetation import look_around
from cimkit.tables import PointCloud, Terrain
from cimkit.tables._columns import BoolArray, ByteArray, IntArray
from cimkit.tables.pointcloud import BUILDING
from cimkit.tables.terrain import DOUBTFUL

ROOF_HEIGHT_MIN = 2.0
"""Metres above the ground. Lower points of a building are of its walls, of cars and hedges."""

ROOF_POINTS_MIN = 3
"""A building left with fewer keeps all its points: a mast, or all below a tree."""

HIGH_SHARE = 0.5
"""A building with less of its points so high is low itself, or what seems to be ground is roof:
its points count at any height."""


class Classes(NamedTuple):
    """What the classes of a cloud say, and what is to be found.

    Attributes
    ----------
    ground : int
        Class for ground that is found.
    roof : int
        Class for roofs that are found; not among those of the ground.
    stated : tuple of int
        Classes that are ground or building.
    maybe_ground : tuple of int
        Classes that may be ground in a cloud without any.
    maybe_roof : tuple of int
        Classes that may be roof; () where buildings are stated.
    """

    ground: int
    roof: int
    stated: tuple[int, ...]
    maybe_ground: tuple[int, ...]
    maybe_roof: tuple[int, ...]


def free_class(taken: tuple[int, ...]) -> int:
    """The class for roofs that are found: 6, or where that means something else, another."""
    free = (number for number in (BUILDING, *range(256)) if number not in taken)
    return int(next(free))


def classify_points(
    cloud: PointCloud,
    may_hold_ground: BoolArray,
    building_of_point: IntArray,
    terrain: Terrain | None,
    classes: Classes,
) -> tuple[ByteArray, BoolArray]:
    """Find ground near the terrain, and roofs among what is neither ground, plant nor wall.

    Parameters
    ----------
    cloud : PointCloud
    may_hold_ground : bool array, shape (n,)
        Points of files that state no ground.
    building_of_point : int64 array, shape (n,)
        -1 for none.
    terrain : Terrain or None
    classes : Classes

    Returns
    -------
    classification : uint8 array, shape (n,)
    counts : bool array, shape (n,)
        Points that are ground or roof.

    Examples
    --------
    >>> cloud = PointCloud([1, 2, 3, 4, 5], [1, 1, 1, 1, 1], [0.1, 5, 5, 5.1, 1], [1] * 5)
    >>> flat = Terrain(np.zeros((2, 6)), np.ones((2, 6), bool), 0, 0, 1)
    >>> owner, everywhere = np.array([-1, 0, 0, 0, 0]), np.ones(5, bool)
    >>> found = Classes(2, 6, (2,), (1,), (1,))
    >>> classify_points(cloud, everywhere, owner, flat, found)
    (array([2, 6, 6, 6, 1], dtype=uint8), array([ True,  True,  True,  True, False]))
    """
    is_ground = np.zeros(len(cloud), dtype=np.bool_)
    if terrain is not None:
        rows = np.flatnonzero(may_hold_ground & cloud.has_class(classes.maybe_ground))
        is_ground[rows] = near_ground(cloud.take(rows), terrain)
        # Where the ground is doubtful, it may be of roofs: then these would be lost.
        mine = np.flatnonzero(is_ground & (building_of_point >= 0))
        is_ground[mine] = terrain.found_at(cloud.x[mine], cloud.y[mine]) != DOUBTFUL
    classification = np.where(is_ground, classes.ground, cloud.classification)
    counts = is_ground | cloud.has_class(classes.stated)
    standing = np.flatnonzero(~counts & cloud.has_class(classes.maybe_roof))
    roof = standing[_is_roof(cloud.take(standing), building_of_point[standing], terrain)]
    classification[roof] = classes.roof
    counts[roof] = True
    return classification.astype(np.uint8), counts


def _is_roof(cloud: PointCloud, owner: IntArray, terrain: Terrain | None) -> BoolArray:
    """Points of a building, high, of no plant and no wall; more, where few are left."""
    mine = np.flatnonzero(owner >= 0)
    around = look_around(cloud, mine)
    good = ~(around.is_plant | around.is_wall)
    high = good
    if terrain is not None:
        above = cloud.z[mine] - terrain.sample(cloud.x[mine], cloud.y[mine])
        high = good & ~(above < ROOF_HEIGHT_MIN)  # without terrain there, it is not known
    n = int(owner.max(initial=-1)) + 1
    n_good, n_high = (np.bincount(owner[mine[kind]], minlength=n) for kind in (good, high))
    is_low = n_high < np.maximum(HIGH_SHARE * n_good, ROOF_POINTS_MIN)
    chosen = np.where(is_low[owner[mine]], good, high)
    is_roof = np.zeros(len(cloud), dtype=np.bool_)
    is_roof[mine] = chosen | (n_good < ROOF_POINTS_MIN)[owner[mine]]
    return is_roof
