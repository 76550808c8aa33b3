"""Where to stand in a city so that a street is seen, not a wall."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import shapely

if TYPE_CHECKING:
    from cimkit.tables._columns import FloatArray

AROUND_M = 260.0
"""Metres around the middle within which one may stand."""

GRID_M = 12.0
"""Metres between the places that are tried."""

PLACES_MAX = 250
"""Places that are tried at most: with 24 directions each, 0.3 s."""

DIRECTIONS = 24

CLEAR_M, NEAR_M = 7.0, 30.0
"""Metres to the nearest building: no less, no more."""

SIGHT_M = 150.0
"""Metres of free sight that are enough."""

EYE_M = 5.0
"""Metres above the ground: over the hedges, but in the street."""

HALF_VIEW_DEG = 30.0

LIT_DEG = 49.0
"""Heading along the light of the page, whose sun stands in the south-west."""


class Vantage(NamedTuple):
    """A place to stand, and a place to look at, both in the CRS; heights are above the ground.

    Attributes
    ----------
    eye, target : tuple of 3 float
        x, y, height above the ground at the eye.
    nearest : int
        Row of the building that is nearest to the eye.
    """

    eye: tuple[float, float, float]
    target: tuple[float, float, float]
    nearest: int


def street_view(
    outlines: list[shapely.Geometry], height: FloatArray, middle: FloatArray
) -> Vantage | None:
    """Find a street near a place.

    Parameters
    ----------
    outlines : list of Geometry, length n
        Buildings around.
    height : float64 array, shape (n,)
        Metres.
    middle : float64 array, shape (2,)

    Returns
    -------
    Vantage or None
        None where one can stand nowhere beside a building.

    Notes
    -----
    Places on a grid are tried in all directions. A view is good where the sight is free for
    long, where large buildings stand on both sides (the size of one is its height over its
    distance), and where the sun is behind.
    """
    tree = shapely.STRtree(outlines)
    steps = np.arange(-AROUND_M, AROUND_M + 1, GRID_M)
    places = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2) + middle
    pairs, away = tree.query_nearest(
        shapely.points(places), all_matches=False, return_distance=True
    )
    nearest = np.zeros(len(places), dtype=np.int64)
    nearest[pairs[0]] = pairs[1]
    fit = pairs[0][(away >= CLEAR_M) & (away <= NEAR_M)]
    fit = fit[np.argsort(np.hypot(*(places[fit] - middle).T), kind="stable")][:PLACES_MAX]
    if not len(fit):
        return None
    angle = np.arange(DIRECTIONS) * 2 * np.pi / DIRECTIONS
    ahead = np.column_stack([np.sin(angle), np.cos(angle)])
    sight = _free_sight(tree, places[fit], ahead)
    lit = 0.65 + 0.35 * np.cos(angle - np.radians(LIT_DEG))
    score = np.minimum(sight / SIGHT_M, 1.0) * lit
    score *= _flanks(outlines, height, places[fit], ahead)
    place, direction = np.unravel_index(int(np.argmax(score)), score.shape)
    reach = float(np.clip(sight[place, direction], 40.0, SIGHT_M)) * 0.7
    x, y = places[fit[place]].tolist()
    dx, dy = (ahead[direction] * reach).tolist()
    eye = x, y, EYE_M
    return Vantage(eye, (x + dx, y + dy, EYE_M + 0.09 * reach), int(nearest[fit[place]]))


def _free_sight(tree: shapely.STRtree, places: FloatArray, ahead: FloatArray) -> FloatArray:
    """Metres to the first building from each place in each direction, `SIGHT_M` at most."""
    ends = places[:, None] + ahead * SIGHT_M
    starts = np.broadcast_to(places[:, None], ends.shape)
    rays = shapely.linestrings(np.stack([starts, ends], axis=2).reshape(-1, 2, 2))
    ray, building = tree.query(rays, predicate="intersects")
    cut = shapely.intersection(rays[ray], tree.geometries[building])
    eyes = shapely.points(places[ray // len(ahead)])
    free = np.full(len(rays), SIGHT_M)
    np.minimum.at(free, ray, shapely.distance(eyes, cut))
    return free.reshape(len(places), len(ahead))


def _flanks(
    outlines: list[shapely.Geometry], height: FloatArray, places: FloatArray, ahead: FloatArray
) -> FloatArray:
    """How much stands on both sides of each view."""
    centres = shapely.get_coordinates(shapely.centroid(outlines))
    away = centres[None] - places[:, None]
    distance = np.maximum(np.hypot(away[..., 0], away[..., 1]), 10.0)
    size = np.where(distance < 2 * SIGHT_M, np.minimum(height / distance, 0.5), 0.0)
    narrow = np.cos(np.radians(HALF_VIEW_DEG))
    score = np.empty((len(places), len(ahead)))
    for number, (x, y) in enumerate(ahead):
        seen = np.where((away[..., 0] * x + away[..., 1] * y) >= narrow * distance, size, 0.0)
        right = away[..., 0] * y - away[..., 1] * x > 0
        sides = (seen * right).sum(axis=1), (seen * ~right).sum(axis=1)
        score[:, number] = 2 * np.minimum(*sides) + np.maximum(*sides)
    return score
