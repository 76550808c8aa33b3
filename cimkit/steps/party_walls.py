"""Party walls: outer walls that stand against another building; and footprints on each other.

In two parts, so that no result depends on the blocks of a build. What outlines have in common
is geometry of two neighbours, and a block holds all neighbours of its own buildings:
`find_neighbours` runs there. How high a common wall is depends on the heights of both, and the
neighbour may be of another block: `share_walls` runs on numbers alone when all are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import shapely

from cimkit.kernels.shared_outline import shared_outline
from cimkit.tables import Buildings, Footprints, Quality
from cimkit.tables._columns import BoolArray, FloatArray, IntArray

GAP_MAX = 0.1
"""Metres between the outlines of two buildings that share a wall: maps are no finer."""


class Neighbours(NamedTuple):
    """Pairs of footprints that touch or lie on each other, by building, then neighbour.

    Attributes
    ----------
    building, neighbour : int64 array, shape (n_pairs,)
        Rows of the footprints. Each pair stands there from the side of either.
    length : float64 array, shape (n_pairs,)
        Metres over which their outlines stand against each other.
    overlap : float64 array, shape (n_pairs,)
        Common area, m².
    """

    building: IntArray
    neighbour: IntArray
    length: FloatArray
    overlap: FloatArray


def find_neighbours(footprints: Footprints, own: BoolArray | None = None) -> Neighbours:
    """Find what the outlines of footprints have in common.

    Parameters
    ----------
    footprints : Footprints
        Coordinates in whole millimetres; all that come within `GAP_MAX` of the chosen ones.
    own : bool array, shape (n,), optional
        Those whose neighbours are wanted; all by default.

    Returns
    -------
    Neighbours
        Lengths rounded to mm, areas to cm².

    Notes
    -----
    Edges count where they run in opposite directions, at most 10 degrees apart and at most
    `GAP_MAX` away: `cimkit.kernels.shared_outline`. O(n log n) with an index.

    Examples
    --------
    >>> row = Footprints.from_polygons(
    ...     ["a", "b"], [shapely.box(0, 0, 5, 9), shapely.box(5, 2, 9, 9)]
    ... )
    >>> found = find_neighbours(row)
    >>> found.building, found.neighbour, found.length
    (array([0, 1]), array([1, 0]), array([7., 7.]))
    """
    box = footprints.bounds
    chosen = np.arange(len(footprints)) if own is None else np.flatnonzero(own)
    tree = shapely.STRtree(shapely.box(*box.T))
    wide = box[chosen] + (-GAP_MAX, -GAP_MAX, GAP_MAX, GAP_MAX)
    place, other = tree.query(shapely.box(*wide.T))
    one = chosen[place]
    one, other = one[one != other], other[one != other]
    order = np.lexsort((other, one))
    one, other = one[order], other[order]
    ring_mm = np.rint(footprints.xy * 1000.0).astype(np.int64)
    outline = ring_mm, footprints.ring_offsets, footprints.polygon_offsets
    length = np.round(shared_outline(one, other, *outline, GAP_MAX), 3)
    overlap = np.round(_common_areas(footprints, one, other), 4)
    found = (length > 0) | (overlap > 0)
    return Neighbours(one[found], other[found], length[found], overlap[found])


def join_neighbours(parts: Sequence[Neighbours], rows: Sequence[IntArray]) -> Neighbours:
    """Pairs of several tables as one, in rows of the whole.

    Parameters
    ----------
    parts : sequence of Neighbours
        No building in two of them.
    rows : sequence of int64 array
        For each part, the rows of its footprints in the whole.

    Examples
    --------
    >>> pair = Neighbours(np.array([0]), np.array([1]), np.array([7.0]), np.array([0.0]))
    >>> other = pair._replace(building=pair.neighbour, neighbour=pair.building)
    >>> joined = join_neighbours([pair, other], [np.array([8, 9]), np.array([8, 9])])
    >>> joined.building, joined.neighbour
    (array([8, 9]), array([9, 8]))
    """
    one = [place[part.building] for part, place in zip(parts, rows, strict=True)]
    other = [place[part.neighbour] for part, place in zip(parts, rows, strict=True)]
    building, neighbour = np.concatenate(one), np.concatenate(other)
    order = np.lexsort((neighbour, building))
    return Neighbours(
        building[order],
        neighbour[order],
        np.concatenate([part.length for part in parts])[order],
        np.concatenate([part.overlap for part in parts])[order],
    )


def share_walls(quality: Quality, buildings: Buildings, neighbours: Neighbours) -> Quality:
    """Tell party walls from free ones, by the heights of both buildings.

    Parameters
    ----------
    quality : Quality
        With all walls of each building as `area_wall`.
    buildings : Buildings
        In the same order.
    neighbours : Neighbours
        By building, then neighbour.

    Returns
    -------
    Quality
        With `area_party_wall`, `area_wall` less that, and `area_overlap`.

    Notes
    -----
    A common wall reaches from the higher of both grounds to the lower of both LoD1.2 roofs.
    Where several neighbours stand against the same wall it counts for each, but never more than
    all walls of the building.

    Examples
    --------
    >>> import cimkit
    >>> from cimkit.steps.reconstruct.quality import measure_quality
    >>> shapes = [shapely.box(0, 0, 5, 9), shapely.box(5, 2, 9, 9)]
    >>> row = Footprints.from_polygons(["a", "b"], shapes, floors=[2, 1])
    >>> buildings, models, _ = cimkit.reconstruct(row)
    >>> none = np.empty(0, np.int64), np.zeros(3, np.int64)
    >>> quality = measure_quality(models, row, None, *none)
    >>> quality = share_walls(quality, buildings, find_neighbours(row))
    >>> quality.area_party_wall, quality.area_wall
    (array([21., 21.]), array([147.,  45.]))
    """
    n, one, other = len(quality), neighbours.building, neighbours.neighbour
    ground, roof = buildings.h_ground, buildings.h_ground + buildings.height
    high = np.minimum(roof[one], roof[other]) - np.maximum(ground[one], ground[other])
    shared = np.bincount(one, neighbours.length * np.maximum(high, 0.0), n)
    party = np.round(np.minimum(shared, quality.area_wall), 3)
    return quality.replace(
        area_party_wall=party,
        area_wall=np.round(quality.area_wall - party, 3),
        area_overlap=np.round(np.bincount(one, neighbours.overlap, n), 3),
    )


def _common_areas(footprints: Footprints, one: IntArray, other: IntArray) -> FloatArray:
    """Common area of pairs of footprints."""
    area = np.zeros(len(one))
    if not len(one):
        return area
    shapes = footprints.polygons()
    shapely.prepare(shapes)
    # The earlier row first, from whichever side the pair is asked for: the bits stay the same.
    first, second = shapes[np.minimum(one, other)], shapes[np.maximum(one, other)]
    # Most pairs only touch, and to see that takes less time than to cut.
    cut = np.flatnonzero(shapely.intersects(first, second) & ~shapely.touches(first, second))
    area[cut] = shapely.area(shapely.intersection(first[cut], second[cut]))
    return area
