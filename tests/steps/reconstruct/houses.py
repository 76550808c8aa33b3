"""Houses whose measures can be worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely

from cimkit.steps.reconstruct.solid import extrude
from cimkit.tables import Buildings, Footprints, Models

LENGTH, WIDTH, EAVE, RIDGE = 10.0, 5.0, 5.0, 7.0
"""Metres; the ridge runs along the length, over the middle."""

ALONG, ACROSS = np.array([0.8, 0.6]), np.array([-0.6, 0.8])
"""Directions in which all corners fall on whole decimetres."""


def gable_house(name: str = "a", shift: Any = (0.0, 0.0)) -> tuple[Footprints, Models]:
    """A house with a gabled roof at LoD2.2, a box of 6 m at LoD1.2, on ground at height 0."""
    corner = [(0, 0), (LENGTH, 0), (LENGTH, WIDTH), (0, WIDTH)]
    ends = [(0, WIDTH / 2), (LENGTH, WIDTH / 2)]
    plan = np.array([a * ALONG + b * ACROSS for a, b in (*corner, *corner, *ends)]) + shift
    height = np.repeat([0.0, EAVE, RIDGE], [4, 4, 2])
    faces = [
        (0, [3, 2, 1, 0]),
        (1, [0, 1, 5, 4]),
        (1, [1, 2, 6, 9, 5]),
        (1, [2, 3, 7, 6]),
        (1, [3, 0, 4, 8, 7]),
        (2, [4, 5, 9, 8]),
        (2, [6, 7, 8, 9]),
    ]
    ends_of = np.cumsum([0, *(len(face) for _, face in faces)])
    roofed = Models(
        [name],
        "2.2",
        np.column_stack([plan, height]).round(4),
        [0, 10],
        np.concatenate([face for _, face in faces]),
        ends_of,
        np.arange(8),
        [0, 7],
        np.array([kind for kind, _ in faces]),
    )
    footprints = Footprints.from_polygons([name], [shapely.Polygon(plan[:4].round(3))])
    box = extrude(footprints, np.array([0.0]), np.array([6.0]))
    return footprints, Models.concatenate([box, roofed])


def stepped_house() -> tuple[Footprints, Models]:
    """Two flat parts of 6 x 8 m, 5 and 9 m high, side by side in one solid of LoD2.2."""
    plan = np.array([(0, 0), (6, 0), (12, 0), (12, 8), (6, 8), (0, 8)], dtype=float)
    low, high = plan[[0, 1, 4, 5]], plan[[1, 2, 3, 4]]
    height = np.repeat([0.0, 5.0, 9.0], [6, 4, 4])
    vertices = np.column_stack([np.concatenate([plan, low, high]), height])
    faces = [
        (0, [5, 4, 3, 2, 1, 0]),
        (1, [0, 1, 7, 6]),
        (1, [1, 2, 11, 10, 7]),
        (1, [2, 3, 12, 11]),
        (1, [3, 4, 8, 13, 12]),
        (1, [4, 5, 9, 8]),
        (1, [5, 0, 6, 9]),
        (1, [8, 7, 10, 13]),
        (2, [6, 7, 8, 9]),
        (2, [10, 11, 12, 13]),
    ]
    models = Models(
        ["a"],
        "2.2",
        vertices,
        [0, 14],
        np.concatenate([face for _, face in faces]),
        np.cumsum([0, *(len(face) for _, face in faces)]),
        np.arange(11),
        [0, 10],
        np.array([kind for kind, _ in faces]),
    )
    return Footprints.from_polygons(["a"], [shapely.box(0, 0, 12, 8)]), models


def points_on_gable(n: int, noise: float = 0.0, shift: Any = (0.0, 0.0)) -> tuple[Any, ...]:
    """x, y, z of points on the roof, off it by plus or minus `noise` in turn."""
    rng = np.random.default_rng(0)
    a, b = rng.uniform(0, LENGTH, n), rng.uniform(0, WIDTH, n)
    x, y = (a[:, None] * ALONG + b[:, None] * ACROSS + shift).T
    z = RIDGE - np.abs(b - WIDTH / 2) * (RIDGE - EAVE) / (WIDTH / 2)
    return x, y, z + noise * np.where(np.arange(n) % 2, 1, -1)


def buildings_of(footprints: Footprints, height: float = 6.0, **columns: Any) -> Buildings:
    """Attributes of buildings that nothing speaks against."""
    n = len(footprints)

    def text(value: str) -> Any:
        return [value] * n

    made = Buildings(
        footprints.building_id,
        text(""),
        np.zeros(n),
        text("points"),
        np.full(n, height),
        np.full(n, height),
        np.full(n, height),
        np.full(n, height),
        np.full(n, height),
        text("points"),
        text("2.2"),
        text("planes"),
        text(""),
        np.full(n, 100),
        footprints.area,
    )
    return made.replace(**columns)
