"""The laser scan: what strips of an aeroplane that flies along the river would return.

Points are drawn on the exact surfaces and then moved by the range noise: up or down, on walls
to and fro. Pulses slant towards the edges of a strip; open ground lies in shadow behind a
building, where another strip may see it. Roofs shade nothing. The returns of a tree are counted
like those of pulses, but not matched pulse by pulse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import shapely
from shapely.geometry import Point, Polygon
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient

from cimkit.sample.buildings import Building, Mass
from cimkit.sample.ground import RIVER_EDGE, WATER, ground_height, is_water
from cimkit.sample.layout import BLOCK, Block, to_map
from cimkit.sample.pulses import (
    BUILDING,
    DENSITY,
    DENSITY_BESIDE,
    GROUND,
    HIGH_NOISE,
    LOW_NOISE,
    RANGE_NOISE,
    UNCLASSIFIED,
    Returns,
    join,
    pulses,
    returns_of,
    slant,
    strips_over,
)
from cimkit.sample.pulses import WATER as WATER_CLASS
from cimkit.sample.roofs import roof_height
from cimkit.sample.streams import stream
from cimkit.sample.street import Tree, park_cars, plant_trees, scan_cars, scan_greenery
from cimkit.tables._columns import FloatArray

GROUND_LEFT = 0.25
"""Share of the classified ground points that is delivered; suppliers thin them out."""

CROWN_REACHED = 0.6
"""Share of the pulses on a crown that do not reach the ground below."""

WATER_DENSITY = 0.8
"""Points per m2 that come back from the river; water swallows most."""

NOISE_SHARE = 0.0002
"""Share of all points, for low and for high noise each."""


def scan_block(
    block: Block, buildings: Sequence[Building], seed: int, *, flight: int, thinned: bool = True
) -> Returns:
    """All returns of one block.

    Parameters
    ----------
    block : Block
    buildings : sequence of Building
        Those of the block.
    seed : int
        Of the city: trees and cars stand where it puts them.
    flight : int
        Seed of the flight: another one sees the same city at other points.
    thinned : bool
        Leave out most points of open ground, as in classified deliveries.

    Examples
    --------
    >>> returns = scan_block(Block(0, 0, 0, "park", 0, 0), [], seed=7, flight=7)
    >>> sorted(set(returns.classification.tolist()))
    [1, 2, 3, 5, 7, 9, 18]
    """
    built = shapely.union_all([building.outline for building in buildings])
    trees = plant_trees(block, built, seed)
    cars = park_cars(block, seed)
    parts = [_scan_roof(building, flight) for building in buildings]
    parts += _scan_walls(buildings, flight)
    left = GROUND_LEFT if thinned else 1.0
    parts.append(_scan_ground(block, buildings, trees, cars, flight, left))
    if block.row == 0:
        parts.append(_scan_water(block, flight))
    parts.append(scan_cars(block, cars, flight))
    parts.append(scan_greenery(block, buildings, trees, flight))
    parts.append(_noise(block, sum(len(part.xyz) for part in parts), flight))
    return join(parts)


def extent(block: Block) -> tuple[float, float, float, float]:
    """What is surveyed with a block, on the grid: u0, v0, u1, v1; at the river it is more."""
    u, v = block.centre
    south = RIVER_EDGE if block.row == 0 else v - BLOCK[1] / 2
    return u - BLOCK[0] / 2, south, u + BLOCK[0] / 2, v + BLOCK[1] / 2


def _scan_roof(building: Building, flight: int) -> Returns:
    """Scan one roof."""
    rng = stream(flight, "roof scan", building.number)
    xy, strip = pulses(building.outline.bounds, rng)
    z = roof_height(building.faces, *xy.T) + rng.normal(0.0, RANGE_NOISE, len(xy))
    hit = np.isfinite(z)
    return returns_of(xy[hit], z[hit], BUILDING, strip[hit])


def _scan_walls(buildings: Sequence[Building], flight: int) -> list[Returns]:
    """Scan the walls that face the scanner, but none that two buildings share."""
    uses = Counter(_ends(w) for b in buildings for w in walls_of(b.outline))
    parts = []
    for building in buildings:
        rng = stream(flight, "wall scan", building.number)
        for mass in building.masses:
            for wall in walls_of(mass.polygon):
                if not np.isnan(mass.base) or uses[_ends(wall)] == 1:
                    parts += _scan_wall(wall, mass, building.h_ground, rng)
    return parts


def _scan_wall(
    wall: FloatArray, mass: Mass, h_ground: float, rng: np.random.Generator
) -> list[Returns]:
    """Scan one wall by each strip that sees it, if it faces the pulses."""
    along, middle = wall[1] - wall[0], wall.mean(axis=0)
    outward = np.array([along[1], -along[0]])  # as long as the wall
    base = h_ground if np.isnan(mass.base) else mass.base
    (own,), (beside,) = strips_over(middle[np.newaxis])
    parts = []
    for strip, density in ((int(own), DENSITY), (int(beside), DENSITY_BESIDE)):
        n = int(-outward @ slant(middle, strip) * (mass.top - base) * density)
        if strip < 0 or n <= 0:
            continue
        noise = rng.normal(0.0, RANGE_NOISE, (n, 1)) / np.hypot(*along)
        xy = wall[0] + rng.random((n, 1)) * along + noise * outward
        foot = ground_height(*xy.T) if np.isnan(mass.base) else np.full(n, base)
        z = rng.uniform(np.minimum(foot, mass.top), mass.top)
        parts.append(returns_of(xy, z, UNCLASSIFIED, np.full(n, strip)))
    return parts


def walls_of(outline: Polygon) -> FloatArray:
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
    flight: int,
    left: float,
) -> Returns:
    """Scan the open ground: nothing under or behind buildings, little under crowns."""
    rng = stream(flight, "ground scan", block.number)
    xy, strip = pulses(extent(block), rng, left=left, on_grid=True)
    crowns = shapely.union_all([Point(tree.x, tree.y).buffer(tree.radius) for tree in trees])
    shapely.prepare(crowns)
    under = shapely.contains_xy(crowns, *xy.T)
    hidden = (under & (rng.random(len(xy)) < CROWN_REACHED)) | is_water(*xy.T)
    for number in np.unique(strip).tolist():
        covered = shapely.union_all([*(_shadow(b, number) for b in buildings), *cars])
        shapely.prepare(covered)
        seen = np.flatnonzero((strip == number) & ~hidden)
        hidden[seen] = shapely.contains_xy(covered, *xy[seen].T)
    xy, strip, under = xy[~hidden], strip[~hidden], under[~hidden]
    z = ground_height(*xy.T) + rng.normal(0.0, RANGE_NOISE, len(xy))
    found = returns_of(xy, z, GROUND, strip)
    found.return_number[under] = found.number_of_returns[under] = 2
    return found


def _shadow(building: Building, strip: int) -> BaseGeometry:
    """Sweep a building along the slant of the pulses: what it hides of the ground."""
    middle = shapely.get_coordinates(building.outline.centroid)[0]
    way, parts = slant(middle, strip), [building.outline]
    for mass in building.masses:
        reach = way * (mass.top - building.h_ground)
        walls = walls_of(mass.polygon)
        rings = np.stack(
            [walls[:, 0], walls[:, 1], walls[:, 1] + reach, walls[:, 0] + reach], 1
        )
        parts += shapely.polygons(rings).tolist()
    return shapely.union_all(parts)


def _scan_water(block: Block, flight: int) -> Returns:
    """Scan the river: few points, level."""
    rng = stream(flight, "water scan", block.number)
    xy, strip = pulses(extent(block), rng, left=WATER_DENSITY / DENSITY, on_grid=True)
    wet = is_water(*xy.T)
    xy, strip = xy[wet], strip[wet]
    return returns_of(xy, WATER + rng.normal(0.0, RANGE_NOISE, len(xy)), WATER_CLASS, strip)


def _noise(block: Block, n_points: int, flight: int) -> Returns:
    """Throw in stray returns, far below the ground and high in the air."""
    rng = stream(flight, "noise", block.number)
    u, v = block.centre
    parts = []
    for kind, low, high in ((LOW_NOISE, -8.0, -2.0), (HIGH_NOISE, 110.0, 160.0)):
        n = 1 + int(rng.poisson(NOISE_SHARE * n_points))
        xy = to_map(*rng.uniform((u - 60.0, v - 48.0), (u + 60.0, v + 48.0), (n, 2)).T)
        z = ground_height(*xy.T) + rng.uniform(low, high, n)
        parts.append(returns_of(xy, z, kind, strips_over(xy)[0]))
    return join(parts)
