"""Bodies for tests of the rules of solids: sound ones, and each with exactly one fault."""

from __future__ import annotations

from typing import Any

import numpy as np

from cimkit.tables import Models
from cimkit.tables._columns import TEXT
from cimkit.tables.boundaries import Boundaries, Primitive

Point = tuple[float, float, float]
Shell = list[list[list[Any]]]
"""Faces of rings of points."""


def boundaries(kind: str, *primitives: list[list[Shell]], **columns: Any) -> Boundaries:
    """Primitives of one kind, each with its solids, each with its shells."""
    n = len(primitives)
    level: list[Any] = list(primitives)
    offsets = []
    for _ in range(5):
        offsets.append(np.cumsum([0, *(len(item) for item in level)]))
        level = [part for item in level for part in item]
    names = [f"b{i}" for i in range(n)]
    given = {
        "object_id": names,
        "feature_id": names,
        "lod": ["2.2"] * n,
        "geometry": np.zeros(n, np.int64),
        "kind": np.full(n, Primitive[kind], np.uint8),
        "is_building": np.ones(n, np.uint8),
    } | columns
    return Boundaries(
        np.array(given["object_id"], TEXT),
        np.array(given["feature_id"], TEXT),
        np.array(given["lod"], TEXT),
        given["geometry"],
        given["kind"],
        given["is_building"],
        np.array(level, dtype=float).reshape(-1, 3),
        np.arange(len(level)),
        *offsets[::-1],
    )


def solid(*shells: Shell) -> Boundaries:
    return boundaries("Solid", [list(shells)])


def surface(*faces: list[list[Any]], kind: str = "MultiSurface") -> Boundaries:
    return boundaries(kind, [[list(faces)]])


def models_of(shell: Shell, semantics: list[int] | None = None) -> Models:
    """One building whose vertices are all its own."""
    rings = [ring for face in shell for ring in face]
    points = np.array([point for ring in rings for point in ring], dtype=float).reshape(-1, 3)
    kinds = [0] + [1] * (len(shell) - 2) + [2] if semantics is None else semantics
    return Models(
        np.array(["a"], TEXT),
        "2.2",
        points,
        np.array([0, len(points)]),
        np.arange(len(points)),
        np.cumsum([0, *(len(ring) for ring in rings)]),
        np.cumsum([0, *(len(face) for face in shell)]),
        np.array([0, len(shell)]),
        np.array(kinds[: len(shell)], dtype=np.uint8),
    )


def prism(outline: list[tuple[float, float]], low: float, high: float) -> Shell:
    """A block over an outline that turns counter-clockwise: floor, walls, roof."""
    floor = [(x, y, low) for x, y in reversed(outline)]
    roof = [(x, y, high) for x, y in outline]
    walls = []
    for (ax, ay), (bx, by) in zip(outline, outline[1:] + outline[:1], strict=True):
        walls.append([[(ax, ay, low), (bx, by, low), (bx, by, high), (ax, ay, high)]])
    return [[floor], *walls, [roof]]


def box(
    x: float = 0, y: float = 0, z: float = 0, *, to: Point = (4, 4, 4), by: Point | None = None
) -> Shell:
    """A box between two corners, or of a size."""
    far = to if by is None else (x + by[0], y + by[1], z + by[2])
    return prism([(x, y), (far[0], y), (far[0], far[1]), (x, far[1])], z, far[2])


def turned(shell: Shell) -> Shell:
    """All faces turned round."""
    return [[ring[::-1] for ring in face] for face in shell]


def pyramid_on_box(apex: Point) -> Shell:
    """A box without its roof, under four triangles that meet in a point."""
    shell = box()
    top = shell[-1][0]
    sides = [[[a, b, apex]] for a, b in zip(top, top[1:] + top[:1], strict=True)]
    return shell[:-1] + sides


def gable(profile: list[tuple[float, float]], depth: float = 4.0) -> Shell:
    """A block whose front is a profile in x and z that turns counter-clockwise seen along +y.

    The face between two points of the profile is one wall, floor or roof of the block.
    """
    front = [(x, 0.0, z) for x, z in profile]
    back = [(x, depth, z) for x, z in reversed(profile)]
    sides = []
    for (ax, az), (bx, bz) in zip(profile, profile[1:] + profile[:1], strict=True):
        sides.append([[(ax, 0.0, az), (ax, depth, az), (bx, depth, bz), (bx, 0.0, bz)]])
    return [[front], *sides, [back]]


def lifted(rise: float) -> Shell:
    """A box of which one corner of the roof is higher: the roof is no plane."""
    corner = [4, 4, 4]
    return [
        [[(x, y, z + rise) if [x, y, z] == corner else (x, y, z) for x, y, z in ring]]
        for [ring] in box()
    ]


def folded(degrees: float) -> Shell:
    """A block whose flat roof, one face, has a step of 8 mm width."""
    rise = 0.008 * float(np.tan(np.radians(degrees)))
    shell = gable([(0, 0), (4, 0), (4, 3), (2.004, 3), (1.996, 3 + rise), (0, 3 + rise)])
    # The three strips of the roof, walls 3 to 5 of the block, as one face.
    roof = [
        (4, 0, 3), (4, 4, 3), (2.004, 4, 3), (1.996, 4, 3 + rise),
        (0, 4, 3 + rise), (0, 0, 3 + rise), (1.996, 0, 3 + rise), (2.004, 0, 3),
    ]  # fmt: skip
    return [shell[0], shell[1], shell[2], shell[6], shell[7], [roof]]


def bipyramid(inset: float) -> Shell:
    """A void in the box, with four corners in a plane, an inset off the walls of the box."""
    a, b = inset, 4 - inset
    ring = [(a, a, 2.0), (b, a, 2.0), (b, b, 2.0), (a, b, 2.0)]
    pairs = list(zip(ring, ring[1:] + ring[:1], strict=True))
    up = [[[p, q, (2.0, 2.0, 3.0)]] for p, q in pairs]
    return up + [[[q, p, (2.0, 2.0, 1.0)]] for p, q in pairs]
