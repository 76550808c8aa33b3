"""What stands about between the buildings: trees, shrubs, cars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import shapely
from shapely.geometry import Point, Polygon
from shapely.geometry.base import BaseGeometry

from cimkit.sample.buildings import Building
from cimkit.sample.layout import Block, ground_height, place, to_map
from cimkit.sample.pulses import (
    DENSITY,
    RANGE_NOISE,
    SHRUB,
    TREE,
    UNCLASSIFIED,
    Returns,
    join,
    lattice,
    returns_of,
)
from cimkit.sample.roofs import roof_height
from cimkit.sample.shapes import rectangle
from cimkit.sample.streams import stream

TREES = {"slabs": 30, "self-built": 14, "towers": 40, "school": 25, "park": 120}
"""Trees inside a block, beside those along the streets."""


class Tree(NamedTuple):
    """A crown that is half an ellipsoid; all in metres."""

    x: float
    y: float
    top: float
    radius: float
    depth: float


def plant_trees(block: Block, built: BaseGeometry, seed: int) -> list[Tree]:
    """Plant trees inside the block and along its southern street, no trunk near a wall."""
    rng = stream(seed, "trees", block.number)
    u, v = block.centre
    inside = rng.uniform((u - 54.0, v - 41.0), (u + 54.0, v + 41.0), (TREES[block.kind], 2))
    street = np.column_stack([u + np.arange(-50.0, 51.0, 9.0), np.full(12, v - 44.0)])
    trees = []
    for x, y in to_map(*np.concatenate([inside, street]).T):
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


def scan_cars(block: Block, cars: Sequence[Polygon], seed: int) -> Returns:
    """Scan the cars: a cabin between bonnet and boot."""
    rng = stream(seed, "car scan", block.number)
    parts = []
    for car in cars:
        xy = lattice(car.bounds, DENSITY, rng)
        xy = xy[shapely.contains_xy(car, *xy.T)]
        cabin = np.hypot(*(xy - shapely.get_coordinates(car.centroid)).T) < 1.3
        z = ground_height(*xy.T) + np.where(cabin, 1.45, 0.9)
        parts.append(returns_of(xy, z + rng.normal(0.0, RANGE_NOISE, len(xy)), UNCLASSIFIED))
    return join(parts)


def scan_greenery(
    block: Block, buildings: Sequence[Building], trees: Sequence[Tree], seed: int
) -> Returns:
    """Scan crowns, which may hang over low roofs, and the shrubs beside them."""
    rng = stream(seed, "tree scan", block.number)
    parts = []
    for tree in trees:
        r = tree.radius
        xy = lattice((-r, -r, r, r), DENSITY, rng)
        share = 1.0 - (xy**2).sum(axis=1) / r**2
        xy, share = xy[share > 0.0] + (tree.x, tree.y), share[share > 0.0]
        drop = tree.depth * (1.0 - np.sqrt(share) * rng.uniform(0.3, 1.0, len(xy)) ** 0.5)
        parts.append(returns_of(xy, tree.top - drop, TREE))
        near = rng.normal(0.0, 0.5, (int(rng.integers(0, 25)), 2))
        near += np.array((tree.x + r, tree.y))
        shrub = ground_height(*near.T) + rng.uniform(0.15, 0.9, len(near))
        parts.append(returns_of(near, shrub, SHRUB))
    xyz, classes = join(parts)
    keep = np.ones(len(xyz), dtype=np.bool_)
    for building in buildings:
        under = np.nonzero(shapely.contains_xy(building.outline, *xyz[:, :2].T))[0]
        roof = roof_height(building.faces, *xyz[under, :2].T)
        keep[under] = xyz[under, 2] > roof + 0.3
    return Returns(xyz[keep], classes[keep])
