"""The photogrammetric cloud: what dense matching of oblique images makes of a block.

It has colours and points on all facades, but no returns, no classes, and no ground below
trees; edges are smoothed, and errors are larger and rougher than a laser's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import Polygon

from cimkit.sample.buildings import Building
from cimkit.sample.ground import WATER, ground_height, is_water
from cimkit.sample.layout import Block, to_map
from cimkit.sample.pulses import lattice
from cimkit.sample.roofs import roof_height
from cimkit.sample.scan import extent, walls_of
from cimkit.sample.streams import stream
from cimkit.sample.street import Tree, car_height, park_cars, plant_trees
from cimkit.tables._columns import FloatArray

PHOTO_DENSITY, FACADE_DENSITY = 12.0, 6.0
"""Points per m2 seen from above, and of facade."""

PHOTO_NOISE, FACADE_NOISE = 0.06, 0.12
"""Standard deviation of height, and of places across a facade, metres."""

SMOOTHING = 0.4
"""Metres over which matching mixes what lies side by side."""

WATER_MATCHED = 0.3
"""Share of the places on water at which matching finds anything."""

OUTLIERS = 0.002
"""Share of the points that are matched wrongly, by metres."""

GROUND, ROOF, CROWN, CAR, RIVER, FACADE = range(6)
_COLOURS = np.array(
    [
        (118, 116, 108),
        (164, 112, 94),
        (72, 98, 58),
        (150, 150, 160),
        (70, 92, 96),
        (188, 182, 170),
    ]
)
"""Red, green and blue of ground, roofs, crowns, cars, river, facades; 0 to 255."""


class Matched(NamedTuple):
    """Points of a photogrammetric cloud: float64 (n, 3) and uint16 (n, 3) colours."""

    xyz: FloatArray
    rgb: NDArray[np.uint16]


def photograph_block(
    block: Block, buildings: Sequence[Building], seed: int, *, flight: int
) -> Matched:
    """All matched points of one block.

    Parameters
    ----------
    block, buildings, seed, flight
        As for `cimkit.sample.scan.scan_block`.

    Examples
    --------
    >>> from cimkit.sample.layout import BLOCK
    >>> points = photograph_block(Block(9, 3, 3, "park", 0, 0), [], seed=7, flight=7)
    >>> 10.0 < len(points.xyz) / (BLOCK[0] * BLOCK[1]) < 14.0
    True
    """
    rng = stream(flight, "photo", block.number)
    trees = plant_trees(block, shapely.union_all([b.outline for b in buildings]), seed)
    cars = park_cars(block, seed)
    xy = to_map(*lattice(extent(block), PHOTO_DENSITY, rng).T)
    z, surface = _surface(xy, buildings, trees, cars)
    beside = np.array([(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)]) * SMOOTHING
    near = [_surface(xy + shift, buildings, trees, cars)[0] for shift in beside]
    z = np.mean([z, *near], axis=0) + rng.normal(0.0, PHOTO_NOISE, len(xy))
    wrong = rng.random(len(xy)) < OUTLIERS
    z[wrong] += rng.normal(0.0, 3.0, int(wrong.sum()))
    kept = (surface != RIVER) | (rng.random(len(xy)) < WATER_MATCHED)
    facades = [_facade(b, wall, rng) for b in buildings for wall in _all_walls(b)]
    xyz = np.concatenate([np.column_stack([xy, z])[kept], *facades])
    surface = np.concatenate(
        [surface[kept], np.full(len(xyz) - int(kept.sum()), FACADE, dtype=np.int64)]
    )
    shade = _COLOURS[surface] + rng.normal(0.0, 9.0, (len(xyz), 1))
    return Matched(xyz, (np.clip(shade, 0, 255) * 256.0).astype(np.uint16))


def _surface(
    xy: FloatArray,
    buildings: Sequence[Building],
    trees: Sequence[Tree],
    cars: Sequence[Polygon],
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Height of the highest thing at each place, and what it is."""
    z = ground_height(*xy.T)
    kind = np.where(is_water(*xy.T), RIVER, GROUND).astype(np.int64)
    z[kind == RIVER] = WATER
    for car in cars:
        here = _within(xy, car.bounds)
        here = here[shapely.contains_xy(car, *xy[here].T)]
        z[here] += car_height(car, xy[here])
        kind[here] = CAR
    for building in buildings:
        here = _within(xy, building.outline.bounds)
        roof = roof_height(building.faces, *xy[here].T)
        here, roof = here[np.isfinite(roof)], roof[np.isfinite(roof)]
        z[here], kind[here] = roof, ROOF
    for tree in trees:
        r = tree.radius
        here = _within(xy, (tree.x - r, tree.y - r, tree.x + r, tree.y + r))
        crown = tree.height(*xy[here].T)
        higher = crown > z[here]
        z[here[higher]], kind[here[higher]] = crown[higher], CROWN
    return z, kind


def _within(xy: FloatArray, bounds: Sequence[float]) -> NDArray[np.int64]:
    """Rows of the places in a box."""
    west, south, east, north = bounds
    x, y = xy.T
    return np.flatnonzero((x > west) & (x < east) & (y > south) & (y < north))


def _all_walls(building: Building) -> list[tuple[FloatArray, float, float]]:
    """Walls of all parts, with their foot (NaN: the ground) and top."""
    return [
        (wall, mass.base, mass.top)
        for mass in building.masses
        for wall in walls_of(mass.polygon)
    ]


def _facade(
    building: Building, wall: tuple[FloatArray, float, float], rng: np.random.Generator
) -> FloatArray:
    """Points on one wall, shape (n, 3)."""
    (start, end), base, top = wall
    along = end - start
    length = float(np.hypot(*along))
    outward = np.array([along[1], -along[0]]) / length
    foot = building.h_ground if np.isnan(base) else base
    n = int(length * (top - foot) * FACADE_DENSITY)
    xy = start + rng.random((n, 1)) * along + rng.normal(0.0, FACADE_NOISE, (n, 1)) * outward
    return np.column_stack([xy, rng.uniform(foot, top, n)])
