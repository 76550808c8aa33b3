"""Slow ways to the quality of models: shapely, one building at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import shapely

from cimkit.kernels.grouping import group_rows
from cimkit.kernels.roof_cover import cover_roofs
from cimkit.kernels.roof_residuals import Solids, roof_residuals
from cimkit.kernels.shared_outline import shared_outline
from cimkit.steps.reconstruct.solid import extrude
from cimkit.tables import Footprints, Models
from cimkit.tables.models import ROOF_SURFACE

ARRAYS = (
    "vertices",
    "ring_vertex",
    "ring_offsets",
    "face_offsets",
    "solid_offsets",
    "semantics",
)


def solids_of(models: Models) -> Solids:
    return Solids(*(getattr(models, name) for name in ARRAYS))


def outline_of(footprints: Footprints) -> tuple[Any, Any, Any]:
    ring_mm = np.rint(footprints.xy * 1000).astype(np.int64)
    return ring_mm, footprints.ring_offsets, footprints.polygon_offsets


def _stars(rng: np.random.Generator, n: int) -> Footprints:
    """Star-shaped outlines 40 m apart, every other one with a courtyard."""
    shapes = []
    for k in range(n):
        m = int(rng.integers(4, 12))
        angle = 2 * np.pi * (np.arange(m) + rng.uniform(0, 0.9)) / m
        direction = np.column_stack([np.cos(angle), np.sin(angle)])
        center = np.array([84_000.0 + 40 * k, 447_000.0])
        holes = [(center + direction * 1.5).round(3)] if k % 2 else []
        ring = center + rng.uniform(3, 9, (m, 1)) * direction
        shapes.append(shapely.Polygon(ring.round(3), holes))
    return Footprints.from_polygons([f"b{k}" for k in range(n)], shapes)


def roofs_and_points(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    """Flat and sloped prisms, and points on and off them, to the millimetre."""
    n_buildings = max(1, n // 60)
    footprints = _stars(rng, n_buildings)
    flat = extrude(footprints, np.zeros(n_buildings), rng.uniform(3, 9, n_buildings).round(3))
    tilt = rng.uniform(-0.5, 0.5, (2, 1))
    xyz = flat.vertices.copy()
    place = xyz[:, :2] - (84_000, 447_000)
    xyz[:, 2] += np.where(xyz[:, 2] > 0, 20 + (place @ tilt)[:, 0], 0)
    vertices = np.concatenate([flat.vertices, xyz])
    both = Models.concatenate([flat, replace(flat, lod="2.2")])
    solids = solids_of(both)._replace(vertices=vertices)
    owner = rng.integers(-1, n_buildings, n)
    x = (84_000 + 40 * owner + rng.uniform(-9, 9, n)).round(3)
    y = (447_000 + rng.uniform(-9, 9, n)).round(3)
    z = rng.uniform(0, 40, n).round(3)
    solid_of = np.arange(2 * n_buildings).reshape(2, n_buildings).T.copy()
    solid_of[0, 1] = -1
    return x, y, z, *group_rows(owner, n_buildings), footprints, solids, solid_of


def residuals(x: Any, y: Any, z: Any, rows: Any, borders: Any, *given: Any) -> Any:
    footprints, solids, solid_of = given
    outline = outline_of(footprints)
    found = roof_residuals(x, y, z, rows, borders, *outline, solids, solid_of, 2.0)
    return np.sqrt(found.squares), found.compared, found.near


def residuals_by_shapely(x: Any, y: Any, z: Any, rows: Any, borders: Any, *given: Any) -> Any:
    """Heights above the planes through three corners of each face."""
    footprints, solids, solid_of = given
    norm, count = np.zeros(solid_of.shape), np.zeros(solid_of.shape, np.int64)
    near = count.copy()
    for b, outline in enumerate(footprints.polygons()):
        chosen = rows[borders[b] : borders[b + 1]]
        places = shapely.points(x[chosen], y[chosen])
        deep = shapely.covers(outline, places) & (
            shapely.distance(outline.boundary, places) >= 0.3
        )
        chosen, places = chosen[deep], places[deep]
        for level, solid in enumerate(solid_of[b].tolist()):
            if solid < 0:
                continue
            top = np.full(len(chosen), -np.inf)
            for rings in _roof_faces(solids, solid):
                over = shapely.covers(
                    shapely.Polygon(rings[0][:, :2], [r[:, :2] for r in rings[1:]]), places
                )
                corners = np.concatenate(rings)
                middle = corners.mean(0)
                slope = np.linalg.lstsq(corners[:, :2] - middle[:2], corners[:, 2] - middle[2])[
                    0
                ]
                height = (np.column_stack([x[chosen], y[chosen]]) - middle[:2]) @ slope
                top[over] = np.maximum(top, height + middle[2])[over]
            apart = np.rint((z[chosen] - top)[np.isfinite(top)] * 1000)
            count[b, level], near[b, level] = len(apart), (np.abs(apart) <= 2000).sum()
            norm[b, level] = np.sqrt((apart**2).sum())
    return norm, count, near


def _roof_faces(solids: Solids, solid: int) -> Any:
    for face in range(solids.solid_offsets[solid], solids.solid_offsets[solid + 1]):
        if solids.semantics[face] == ROOF_SURFACE:
            ends = range(solids.face_offsets[face], solids.face_offsets[face + 1])
            yield [
                solids.vertices[
                    solids.ring_vertex[solids.ring_offsets[r] : solids.ring_offsets[r + 1]]
                ]
                for r in ends
            ]


def covered(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    """Roof and ground points on outlines, with gaps."""
    n_buildings = max(1, n // 60)
    footprints = _stars(rng, n_buildings)
    owner = rng.integers(-1, n_buildings, n)
    x = (84_000 + 40 * owner + rng.uniform(-9, 6, n)).round(3)
    y = (447_000 + rng.uniform(-4, 9, n)).round(3)
    ground = rng.random(n) < 0.3
    roof = group_rows(np.where(ground, -1, owner), n_buildings)
    return x, y, *roof, *group_rows(np.where(ground, owner, -1), n_buildings), footprints


def cover(*given: Any) -> Any:
    x, y, rows, borders, ground_rows, ground_borders, footprints = given
    outline = outline_of(footprints)
    return tuple(cover_roofs(x, y, rows, borders, ground_rows, ground_borders, *outline))


def cover_by_shapely(x: Any, y: Any, *given: Any) -> Any:
    """Cells by their centres; the empty circle by the vertices of a Voronoi diagram."""
    rows, borders, ground_rows, ground_borders, footprints = given
    result = np.full((4, len(footprints)), np.nan)
    for b, outline in enumerate(footprints.polygons()):
        west, south, east, north = outline.bounds
        columns, lines = int(np.ceil((east - west) * 2)), int(np.ceil((north - south) * 2))
        column, line = np.meshgrid(np.arange(columns), np.arange(lines))
        centres = shapely.points(west + column / 2 + 0.25, south + line / 2 + 0.25)
        inside = shapely.contains(outline, centres)

        def count(chosen: Any) -> Any:
            u, v = x[chosen] - west, y[chosen] - south  # noqa: B023
            within = (u >= 0) & (v >= 0) & (u <= columns / 2) & (v <= lines / 2)  # noqa: B023
            return np.histogram2d(
                v[within],
                u[within],
                (np.arange(lines + 1) / 2, np.arange(columns + 1) / 2),  # noqa: B023
            )[0]

        chosen = rows[borders[b] : borders[b + 1]]
        roof = count(chosen)[inside]
        ground = count(ground_rows[ground_borders[b] : ground_borders[b + 1]])[inside]
        any_point = roof + ground > 0
        with np.errstate(invalid="ignore"):
            result[0, b] = roof.sum() / ((roof > 0).sum() / 4)
            result[1, b] = (roof == 0).mean()
        if any_point.any():
            both = np.abs(roof - ground)[any_point] / (roof + ground)[any_point]
            result[3, b] = both.mean()
        result[2, b] = largest_circle(outline, x[chosen], y[chosen])
    return tuple(result)


def largest_circle(outline: shapely.Polygon, x: Any, y: Any) -> float:
    """Radius of the largest circle in an outline that holds none of the points."""
    edge = outline.boundary
    dots = shapely.MultiPoint(np.column_stack([x, y]))
    dense = shapely.get_coordinates(shapely.segmentize(edge, 0.05))
    every = shapely.MultiPoint(np.concatenate([dense, shapely.get_coordinates(dots)]))
    corners = shapely.points(shapely.get_coordinates(shapely.voronoi_polygons(every)))
    corners = corners[shapely.contains(outline, corners)]
    radius = shapely.distance(corners, edge)
    if len(x):
        radius = np.minimum(radius, shapely.distance(corners, dots))
    return float(radius.max())


def rows_of_houses(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    """Boxes on a grid of metres that touch, each other and the yard around some."""
    shapes, east = [], np.int64(0)
    for _ in range(max(2, n // 30)):
        width, low, high = rng.integers(2, 9), rng.integers(0, 4), rng.integers(6, 12)
        shapes.append(shapely.box(east, low, east + width, high))
        east += width + rng.integers(0, 2)
    shapes.append(shapely.box(-3, -3, east, 15).difference(shapely.union_all(shapes)))
    shapes[-1] = max(shapely.get_parts(shapes[-1]), key=shapely.area)
    names = [f"b{k}" for k in range(len(shapes))]
    footprints = Footprints.from_polygons(names, shapely.transform(shapes, lambda xy: xy + 5e5))
    one, other = (grid.ravel() for grid in np.indices((len(shapes), len(shapes))))
    return one[one != other], other[one != other], footprints


def shared(one: Any, other: Any, footprints: Footprints) -> Any:
    return shared_outline(one, other, *outline_of(footprints), 0.1)


def shared_by_shapely(one: Any, other: Any, footprints: Footprints) -> Any:
    edges = shapely.boundary(footprints.polygons())
    return shapely.length(shapely.intersection(edges[one], edges[other]))
