"""The scan: what a laser that looks down slantwise from one side would return of a block.

Points are drawn on the exact surfaces and then moved by the range noise: up or down, on walls
to and fro. Open ground lies in shadow behind a building; roofs shade nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import shapely
from shapely.geometry import Point, Polygon
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient

from cimkit.sample.buildings import Building
from cimkit.sample.layout import BLOCK, Block, ground_height, to_map
from cimkit.sample.pulses import (
    BUILDING,
    DENSITY,
    GROUND,
    HIGH_NOISE,
    LOW_NOISE,
    RANGE_NOISE,
    UNCLASSIFIED,
    Returns,
    join,
    lattice,
    returns_of,
)
from cimkit.sample.roofs import roof_height
from cimkit.sample.streams import stream
from cimkit.sample.street import Tree, park_cars, plant_trees, scan_cars, scan_greenery
from cimkit.tables._columns import FloatArray

GROUND_DENSITY = 2.5
"""Points per m2 on open ground; suppliers thin it out, here it keeps the files small."""

SLANT = np.array([0.09, 0.12])
"""Metres that a pulse moves east and north while it sinks by one metre."""

CROWN_REACHED = 0.6
"""Share of the pulses on a crown that do not reach the ground below."""

NOISE_SHARE = 0.0002
"""Share of all points, for low and for high noise each."""


def scan_block(block: Block, buildings: Sequence[Building], seed: int) -> Returns:
    """All returns of one block, in scan lines.

    Examples
    --------
    >>> returns = scan_block(Block(0, 0, 0, "park", 0, 0), [], seed=7)
    >>> sorted(set(returns.classification.tolist()))
    [1, 2, 3, 5, 7, 18]
    """
    built = shapely.union_all([building.outline for building in buildings])
    trees = plant_trees(block, built, seed)
    cars = park_cars(block, seed)
    parts = [_scan_roof(building, seed) for building in buildings]
    parts += _scan_walls(buildings, seed)
    parts.append(_scan_ground(block, buildings, trees, cars, seed))
    parts.append(scan_cars(block, cars, seed))
    parts.append(scan_greenery(block, buildings, trees, seed))
    parts.append(_noise(block, sum(len(part.xyz) for part in parts), seed))
    xyz, classification = join(parts)
    order = np.lexsort((xyz[:, 0], np.floor(xyz[:, 1])))
    return Returns(xyz[order], classification[order])


def _scan_roof(building: Building, seed: int) -> Returns:
    """Scan one roof."""
    rng = stream(seed, "roof scan", building.number)
    xy = lattice(building.outline.bounds, DENSITY, rng)
    z = roof_height(building.faces, *xy.T) + rng.normal(0.0, RANGE_NOISE, len(xy))
    hit = np.isfinite(z)
    return returns_of(xy[hit], z[hit], BUILDING)


def _scan_walls(buildings: Sequence[Building], seed: int) -> list[Returns]:
    """Scan the walls that face the scanner, but none that two buildings share."""
    walls = [_walls(building.outline) for building in buildings]
    uses = Counter(_ends(wall) for outline in walls for wall in outline)
    parts = []
    for building, outline in zip(buildings, walls, strict=True):
        rng = stream(seed, "wall scan", building.number)
        height = building.h_eave - building.h_ground
        for wall in outline:
            along = wall[1] - wall[0]
            outward = np.array([along[1], -along[0]])  # as long as the wall
            n = int(-outward @ SLANT * height * DENSITY)
            if n <= 0 or uses[_ends(wall)] > 1:
                continue
            noise = rng.normal(0.0, RANGE_NOISE, (n, 1)) / np.hypot(*along)
            xy = wall[0] + rng.random((n, 1)) * along + noise * outward
            z = rng.uniform(ground_height(*xy.T), building.h_eave)
            parts.append(returns_of(xy, z, UNCLASSIFIED))
    return parts


def _walls(outline: Polygon) -> FloatArray:
    """Walls of all rings, shape (n, 2, 2); outside is on the right."""
    turned = orient(outline)
    rings = [np.asarray(ring.coords) for ring in (turned.exterior, *turned.interiors)]
    return np.concatenate([np.stack([ring[:-1], ring[1:]], axis=1) for ring in rings])


def _ends(wall: FloatArray) -> tuple[tuple[float, float], ...]:
    """Both ends of a wall, in the same order from either side."""
    return tuple(sorted((x, y) for x, y in wall.tolist()))


def _scan_ground(
    block: Block,
    buildings: Sequence[Building],
    trees: Sequence[Tree],
    cars: Sequence[Polygon],
    seed: int,
) -> Returns:
    """Scan the open ground: nothing under or behind buildings, little under crowns."""
    rng = stream(seed, "ground scan", block.number)
    u, v = block.centre
    half_u, half_v = BLOCK[0] / 2, BLOCK[1] / 2
    grid = lattice((u - half_u, v - half_v, u + half_u, v + half_v), GROUND_DENSITY, rng)
    xy = to_map(*grid.T)
    covered = shapely.union_all([*map(_shadow, buildings), *cars])
    crowns = shapely.union_all([Point(tree.x, tree.y).buffer(tree.radius) for tree in trees])
    stopped = shapely.contains_xy(crowns, *xy.T) & (rng.random(len(xy)) < CROWN_REACHED)
    xy = xy[~stopped & ~shapely.contains_xy(covered, *xy.T)]
    z = ground_height(*xy.T) + rng.normal(0.0, RANGE_NOISE, len(xy))
    return returns_of(xy, z, GROUND)


def _shadow(building: Building) -> BaseGeometry:
    """Sweep a footprint along the slant of the pulses: what a building hides of the ground."""
    reach = SLANT * (building.h_eave - building.h_ground)
    swept = [Polygon([p, q, q + reach, p + reach]) for p, q in _walls(building.outline)]
    return shapely.union_all([building.outline, *swept])


def _noise(block: Block, n_points: int, seed: int) -> Returns:
    """Throw in stray returns, far below the ground and high in the air."""
    rng = stream(seed, "noise", block.number)
    u, v = block.centre
    parts = []
    for kind, low, high in ((LOW_NOISE, -8.0, -2.0), (HIGH_NOISE, 110.0, 160.0)):
        n = 1 + int(rng.poisson(NOISE_SHARE * n_points))
        grid = rng.uniform((u - 60.0, v - 48.0), (u + 60.0, v + 48.0), (n, 2))
        xy = to_map(*grid.T)
        parts.append(returns_of(xy, ground_height(*xy.T) + rng.uniform(low, high, n), kind))
    return join(parts)
