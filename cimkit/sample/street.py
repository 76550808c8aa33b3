"""What stands about between the buildings: trees, shrubs, cars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import Point, Polygon
from shapely.geometry.base import BaseGeometry

from cimkit.sample.buildings import Building
from cimkit.sample.ground import DIKE_AXIS, ground_height
from cimkit.sample.layout import Block, place, to_map
from cimkit.sample.pulses import (
    RANGE_NOISE,
    SHRUB,
    TREE,
    UNCLASSIFIED,
    Returns,
    join,
    pulses,
    returns_of,
    strips_over,
    take,
)
from cimkit.sample.roofs import roof_height
from cimkit.sample.shapes import rectangle
from cimkit.sample.streams import stream
from cimkit.tables._columns import FloatArray

TREES = {
    "slabs": 30, "self-built": 14, "towers": 40, "school": 25, "centre": 16, "works": 14,
    "park": 120,
}  # fmt: skip
"""Trees inside a block, beside those along the streets."""

FORELAND_TREES = 12
"""Trees at the foot of the dike, towards the river, for each block along it."""


class Tree(NamedTuple):
    """A crown that is half an ellipsoid; all in metres."""

    x: float
    y: float
    top: float
    radius: float
    depth: float

    def height(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Height of the crown from above; NaN beside it."""
        share = 1.0 - ((x - self.x) ** 2 + (y - self.y) ** 2) / self.radius**2
        return np.where(
            share > 0.0, self.top - self.depth * (1.0 - np.sqrt(np.abs(share))), np.nan
        )


def plant_trees(block: Block, built: BaseGeometry, seed: int) -> list[Tree]:
    """Plant trees inside the block, along its southern street and below the dike."""
    rng = stream(seed, "trees", block.number)
    u, v = block.centre
    inside = rng.uniform((u - 54.0, v - 41.0), (u + 54.0, v + 41.0), (TREES[block.kind], 2))
    street = np.column_stack([u + np.arange(-50.0, 51.0, 9.0), np.full(12, v - 44.0)])
    places = [inside, street]
    if block.row == 0:
        foot = DIKE_AXIS - 32.0
        places.append(
            rng.uniform((u - 60.0, foot - 3.0), (u + 60.0, foot + 3.0), (FORELAND_TREES, 2))
        )
    trees = []
    shapely.prepare(built)
    for x, y in to_map(*np.concatenate(places).T):
        radius, height = rng.uniform(1.6, 3.8), rng.uniform(5.0, 11.0)
        if not shapely.dwithin(built, Point(x, y), 1.2):
            top = float(ground_height(x, y)) + height
            trees.append(Tree(float(x), float(y), top, radius, 0.6 * height))
    return trees


def park_cars(block: Block, seed: int) -> list[Polygon]:
    """Park cars at the kerb of the southern street of a block."""
    rng = stream(seed, "cars", block.number)
    u, v = block.centre
    slots = rng.choice(16, size=5, replace=False)
    body = rectangle(0.0, 0.0, 4.6, 1.8)
    return [Polygon(place(body, u + 6.0 * (slot - 7.5), v - 46.5)) for slot in slots]


def car_height(car: Polygon, xy: FloatArray) -> FloatArray:
    """Height of a car above the ground: a cabin between bonnet and boot."""
    cabin = np.hypot(*(xy - shapely.get_coordinates(car.centroid)).T) < 1.3
    return np.where(cabin, 1.45, 0.9)


def scan_cars(block: Block, cars: Sequence[Polygon], seed: int) -> Returns:
    """Scan the cars."""
    rng = stream(seed, "car scan", block.number)
    parts = []
    for car in cars:
        xy, strip = pulses(car.bounds, rng)
        hit = shapely.contains_xy(car, *xy.T)
        xy, strip = xy[hit], strip[hit]
        z = ground_height(*xy.T) + car_height(car, xy)
        z += rng.normal(0.0, RANGE_NOISE, len(xy))
        parts.append(returns_of(xy, z, UNCLASSIFIED, strip))
    return join(parts)


def scan_greenery(
    block: Block, buildings: Sequence[Building], trees: Sequence[Tree], seed: int
) -> Returns:
    """Scan crowns, which may hang over low roofs, and the shrubs beside them.

    A third of the crown's returns are the second of two or three of their pulse.
    """
    rng = stream(seed, "tree scan", block.number)
    parts = []
    for tree in trees:
        r = tree.radius
        xy, strip = pulses((tree.x - r, tree.y - r, tree.x + r, tree.y + r), rng)
        share = 1.0 - ((xy - (tree.x, tree.y)) ** 2).sum(axis=1) / r**2
        hit = share > 0.0
        xy, share, strip = xy[hit], share[hit], strip[hit]
        drop = tree.depth * (1.0 - np.sqrt(share) * rng.uniform(0.3, 1.0, len(xy)) ** 0.5)
        crown = returns_of(xy, tree.top - drop, TREE, strip)
        crown.number_of_returns[:] = rng.integers(1, 4, len(xy))
        inner = (crown.number_of_returns > 1) & (drop > 0.5 * tree.depth)
        crown.return_number[inner] = 2
        parts.append(crown)
        near = rng.normal(0.0, 0.5, (int(rng.integers(0, 25)), 2))
        near += np.array((tree.x + r, tree.y))
        shrub = ground_height(*near.T) + rng.uniform(0.15, 0.9, len(near))
        parts.append(returns_of(near, shrub, SHRUB, strips_over(near)[0]))
    returns = join(parts)
    return take(returns, _above_roofs(returns.xyz, buildings))


def _above_roofs(xyz: FloatArray, buildings: Sequence[Building]) -> NDArray[np.bool_]:
    """Whether the points do not lie within or just above a building."""
    keep = np.ones(len(xyz), dtype=np.bool_)
    for building in buildings:
        west, south, east, north = building.outline.bounds
        x, y, z = xyz.T
        near = np.flatnonzero((x >= west) & (x <= east) & (y >= south) & (y <= north))
        if len(near):
            shapely.prepare(building.outline)
            under = near[shapely.contains_xy(building.outline, x[near], y[near])]
            roof = roof_height(building.faces, x[under], y[under])
            keep[under] = z[under] > roof + 0.3
    return keep
