"""Roofs of known planes, and clouds of points on them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import shapely
from shapely import Polygon, box

from cimkit.steps.reconstruct import reconstruct
from cimkit.steps.singulate import singulate
from cimkit.tables import Buildings, Footprints, Issue, Models, PointCloud

DENSITY = 10.0
"""Points per m²."""

NOISE = 0.02
"""Metres, standard deviation along the height."""

Plane = tuple[float, float, float]


class Roof(NamedTuple):
    """A footprint, its roof faces, and z = a x + b y + c on each; the ground is at 0."""

    footprint: Polygon
    faces: tuple[tuple[Polygon, Plane], ...]
    steps: int = 1
    """Parts at LoD1.3 with steps of 3 m."""

    def heights(self, x: Any, y: Any) -> Any:
        """Roof above each place, NaN beside it."""
        z = np.full(len(x), np.nan)
        for face, (a, b, c) in self.faces:
            on = shapely.intersects_xy(face, x, y)
            z[on] = (a * x + b * y + c)[on]
        return z

    @property
    def volume(self) -> float:
        """Of the solid from the ground to the roof: of planes, the middles tell."""
        total = 0.0
        for face, (a, b, c) in self.faces:
            middle = shapely.centroid(face)
            total += shapely.area(face) * (a * middle.x + b * middle.y + c)
        return float(total)


def _flat(z: float) -> Plane:
    return 0.0, 0.0, z


def _gable() -> Roof:
    south, north = box(0, 0, 12, 4), box(0, 4, 12, 8)
    return Roof(box(0, 0, 12, 8), ((south, (0, 0.8, 5)), (north, (0, -0.8, 5 + 6.4))))


def _hip() -> Roof:
    corners = [(0, 0), (12, 0), (12, 8), (0, 8)]
    west, east = (4, 4), (8, 4)
    return Roof(
        box(0, 0, 12, 8),
        (
            (Polygon([corners[0], corners[1], east, west]), (0, 0.7, 5)),
            (Polygon([corners[1], corners[2], east]), (-0.7, 0, 5 + 8.4)),
            (Polygon([corners[2], corners[3], west, east]), (0, -0.7, 5 + 5.6)),
            (Polygon([corners[3], corners[0], west]), (0.7, 0, 5)),
        ),
    )


def _l_shape() -> Roof:
    """Two gables of equal height that meet in a ridge, a valley and a hip."""
    return Roof(
        Polygon([(0, 0), (16, 0), (16, 8), (8, 8), (8, 16), (0, 16)]),
        (
            (Polygon([(0, 0), (16, 0), (16, 4), (4, 4)]), (0, 0.75, 5)),
            (Polygon([(16, 4), (16, 8), (8, 8), (4, 4)]), (0, -0.75, 11)),
            (Polygon([(0, 0), (4, 4), (4, 16), (0, 16)]), (0.75, 0, 5)),
            (Polygon([(4, 4), (8, 8), (8, 16), (4, 16)]), (-0.75, 0, 11)),
        ),
    )


def _dormer() -> Roof:
    """A gable with a flat dormer in its southern face."""
    dormer = box(4, 1, 8, 2.875)  # its roof meets that of the house at the back
    south = box(0, 0, 12, 4).difference(dormer)
    return Roof(
        box(0, 0, 12, 8),
        (
            (south, (0, 0.8, 5)),
            (box(0, 4, 12, 8), (0, -0.8, 5 + 6.4)),
            (dormer, _flat(7.3)),
        ),
    )


def _courtyard() -> Roof:
    yard = box(6, 6, 14, 14)
    shape = box(0, 0, 20, 20).difference(yard)
    return Roof(shape, ((shape, _flat(9.0)),))


def _flat_step(step: float) -> Roof:
    low, high = box(0, 0, 8, 9), box(8, 0, 15, 9)
    return Roof(
        box(0, 0, 15, 9), ((low, _flat(6.0)), (high, _flat(6.0 + step))), 2 if step >= 3 else 1
    )


ROOFS: dict[str, Roof] = {
    "flat": Roof(box(0, 0, 9, 7), ((box(0, 0, 9, 7), _flat(6.0)),)),
    "shed": Roof(box(0, 0, 9, 7), ((box(0, 0, 9, 7), (0.0, 0.3, 4.0)),)),
    "gable": _gable(),
    "hip": _hip(),
    "high step": _flat_step(4.0),
    "low step": _flat_step(1.5),
    "L": _l_shape(),
    "dormer": _dormer(),
    "courtyard": _courtyard(),
}


def places(shape: Polygon, density: float = DENSITY, seed: int = 0) -> tuple[Any, Any]:
    """Random places on a shape, whole millimetres."""
    rng = np.random.default_rng(seed)
    west, south, east, north = shape.bounds
    n = int(density * (east - west) * (north - south))
    x, y = rng.uniform(west, east, n).round(3), rng.uniform(south, north, n).round(3)
    on = shapely.contains_xy(shape, x, y)
    return x[on], y[on]


def points_on(roof: Roof, density: float = DENSITY, noise: float = NOISE, seed: int = 0) -> Any:
    """Points on a roof, shape (n, 3)."""
    x, y = places(roof.footprint, density, seed)
    rough = np.random.default_rng(seed + 1).normal(0, noise, len(x))
    return np.column_stack([x, y, (roof.heights(x, y) + rough).round(3)])


def ground_around(footprint: Polygon, z: float = 0.0) -> Any:
    """Ground points within 3 m of a footprint, shape (n, 3)."""
    x, y = places(footprint.buffer(3).difference(footprint.buffer(0.3)), 2.0)
    return np.column_stack([x, y, np.full(len(x), z)])


def cloud_of(roof: Any, ground: Any) -> PointCloud:
    """A cloud of roof (class 6) and ground points (class 2)."""
    xyz = np.concatenate([roof, ground])
    classes = np.repeat([6, 2], [len(roof), len(ground)])
    x, y, z = xyz.T
    return PointCloud(x, y, z, classes)


def build(
    roof: Roof | Polygon, points: Any = None, **options: Any
) -> tuple[Buildings, Models, list[Issue]]:
    """The models of one building from the points on its roof, or from others."""
    footprint = roof.footprint if isinstance(roof, Roof) else roof
    if points is None:
        assert isinstance(roof, Roof)
        points = points_on(roof)
    footprints = Footprints.from_polygons(["a"], [footprint])
    cloud = cloud_of(np.asarray(points, dtype=float).reshape(-1, 3), ground_around(footprint))
    owner = singulate(cloud, footprints)
    return reconstruct(footprints, cloud, building_of_point=owner, **options)
