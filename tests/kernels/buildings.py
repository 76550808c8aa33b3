"""Random footprints, lines and planes, and slow judges of what the roof kernels make of them.

The judges share no code with the kernels: shapely, SciPy and exact whole numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from shapely import affinity

from cimkit.kernels.cell_complex import insert_segment
from cimkit.kernels.cell_outline import start_complex
from cimkit.kernels.half_edges import COMPLEX_OK, CellComplex, new_complex

ROOF_EPS = 0.05
JOIN = 0.000999
"""Metres: validators take vertices within 1 mm as one."""


def rings_of(polygon: Any) -> tuple[Any, Any]:
    """Open rings in whole millimetres from a whole metre below the lower left corner."""
    rings = [
        np.rint(np.array(ring.coords)[:-1, :2] * 1000).astype(np.int64)
        for ring in (polygon.exterior, *polygon.interiors)
    ]
    rings = [ring[(ring != np.roll(ring, 1, axis=0)).any(1)] for ring in rings]
    low = np.floor(np.vstack(rings).min(0) / 1000).astype(np.int64) * 1000
    offsets = np.cumsum([0] + [len(ring) for ring in rings])
    return np.vstack([ring - low for ring in rings]) / 1000, offsets


def started(polygon: Any, capacity: int = 3000) -> CellComplex:
    """Complex of a footprint that must not fall apart."""
    cx = new_complex(capacity)
    assert start_complex(cx, *rings_of(polygon)) == COMPLEX_OK
    return cx


def cut(cx: CellComplex, *lines: tuple[float, float, float, float]) -> CellComplex:
    """Insert lines inside the footprint, with tags from 1000."""
    for k, line in enumerate(lines):
        assert insert_segment(cx, *line, 1000 + k, ROOF_EPS, True) == COMPLEX_OK
    return cx


def cell_polygons(cx: CellComplex) -> Any:
    """Cells as shapely polygons, metres."""
    polygons = []
    for first in cx.first[: cx.size[2]]:
        ring: list[int] = []
        h = first
        while not ring or h != first:
            ring.append(cx.origin[h])
            h = cx.following[h]
        polygons.append(shapely.Polygon(cx.xy[ring]))
    return np.array(polygons)


def labelled(cx: CellComplex, chosen: Any) -> Any:
    """Labels of the inner cells from a function of their centroids."""
    centroid = shapely.get_coordinates(shapely.centroid(cell_polygons(cx)))
    label = np.array([int(chosen(x, y)) for x, y in centroid])
    return np.where(cx.inside[: cx.size[2]], label, -1).astype(np.int32)


def complex_faults(cx: CellComplex) -> set[str]:
    """What is wrong with the links, the places and the cells of a complex."""
    n_vertices, n, n_cells = cx.size[:3]
    origin, following, previous = cx.origin[:n], cx.following[:n], cx.previous[:n]
    cell, twin = cx.cell[:n], np.arange(n) ^ 1
    found = set()
    if (previous[following] != np.arange(n)).any() or (following[previous] != range(n)).any():
        found.add("links")
    if (origin[following] != origin[twin]).any() or (cell[following] != cell).any():
        found.add("rings")
    if (origin[cx.leaving[:n_vertices]] != np.arange(n_vertices)).any():
        found.add("leaving")
    if (cell[cx.first[:n_cells]] != np.arange(n_cells)).any():
        found.add("first")
    if len(np.unique(origin * n_vertices + origin[twin])) != n:
        found.add("double edge")
    whole = np.rint(cx.xy[:n_vertices] * 1e4)
    if np.abs(cx.xy[:n_vertices] * 1e4 - whole).max() > 1e-6:
        found.add("grid")
    if len(np.unique(whole, axis=0)) != n_vertices:
        found.add("double vertex")
    inside = np.append(cx.inside[:n_cells], False)
    if (cx.outline[:n] != (inside[cell] != inside[cell[twin]])).any():
        found.add("outline")
    polygons = cell_polygons(cx)
    rings = shapely.get_exterior_ring(polygons)
    if not shapely.is_valid(polygons).all() or not shapely.is_ccw(rings).all():
        found.add("cells")
    return found


def solid_faults(solid: Any) -> set[str]:
    """What is wrong with a solid, judged as the yardstick judges it."""
    found: set[str] = set()
    xyz = solid.vertices
    pairs = cKDTree(xyz).query_pairs(JOIN, output_type="ndarray")
    graph = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(xyz),) * 2)
    joined = connected_components(graph, directed=False)[1]
    if np.abs(xyz * 1e4 - np.rint(xyz * 1e4)).max() > 1e-5:
        found.add("grid")
    uses: dict[tuple[int, int], list[tuple[bool, int]]] = {}
    volume, used = 0.0, set()
    for face, kind in enumerate(solid.semantics):
        normal = np.zeros(3)
        rings = face_rings(solid, face)
        for ring in rings:
            used |= set(ring.tolist())
            if len(ring) < 3 or len(set(ring.tolist())) < len(ring):
                found.add("ring")
            for a, b in zip(joined[ring], np.roll(joined[ring], -1), strict=True):
                uses.setdefault((min(a, b), max(a, b)), []).append((a < b, face))
            here = xyz[ring] - xyz[0]
            normal += np.cross(here, np.roll(here, -1, axis=0)).sum(0)
        points = xyz[np.concatenate(rings)]
        volume += normal @ (points.mean(0) - xyz[0]) / 6
        normal /= np.linalg.norm(normal)
        if np.abs((points - points.mean(0)) @ normal).max() > 0.005:
            found.add("not flat")
        if not (normal[2] < -0.999, abs(normal[2]) < 0.01, normal[2] > 0)[kind]:
            found.add("leans")
    for edge in uses.values():
        if len(edge) != 2 or edge[0][0] == edge[1][0] or edge[0][1] == edge[1][1]:
            found.add("edges")
    if abs(volume - solid.volume) > 1e-6 * max(1.0, volume) or volume <= 0:
        found.add("volume")
    if len(used) != len(xyz):
        found.add("unused vertex")
    return found


def face_rings(solid: Any, face: int) -> list[Any]:
    """Rings of a face as rows of vertices."""
    first, last = solid.face_offsets[face], solid.face_offsets[face + 1]
    return [
        solid.ring_vertex[solid.ring_offsets[r] : solid.ring_offsets[r + 1]]
        for r in range(first, last)
    ]


def seen_from_above(solid: Any, kind: int) -> Any:
    """Faces of one kind as shapely polygons, and their rows."""
    rows = np.flatnonzero(solid.semantics == kind)
    rings = [[solid.vertices[ring, :2] for ring in face_rings(solid, f)] for f in rows]
    return [shapely.Polygon(r[0], r[1:]) for r in rings], rows


def random_footprint(rng: np.random.Generator) -> Any:
    """Rectangles, combs, courtyards, stars, arcs, near-duplicate and collinear vertices."""
    kind = rng.integers(8)
    a, b = rng.uniform(6, 20, 2)
    shape = shapely.box(0, 0, a, b)
    if kind == 0:
        for k in range(int(rng.integers(2, 5))):
            tooth = shapely.box(3 * k, b - 0.1, 3 * k + rng.uniform(0.5, 2.5), b + 5)
            shape = shape.union(tooth)
    elif kind == 1:
        picks = np.argwhere(rng.random((5, 5)) < 0.6)
        shape = shapely.union_all([shapely.box(x, y, x + 3, y + 3) for x, y in 3 * picks])
    elif kind == 2:
        n = int(rng.integers(3, 12))
        angle, radius = np.sort(rng.uniform(0, 2 * np.pi, n)), rng.uniform(3, 12, n)
        shape = shapely.Polygon(np.c_[radius * np.cos(angle), radius * np.sin(angle)]).buffer(0)
    elif kind == 3:
        for x, y, w, d in rng.uniform(0.2, 4, (int(rng.integers(1, 4)), 4)):
            shape = shape.difference(shapely.box(x, y, x + w, y + d))
    elif kind == 4:
        corners = np.array(shape.exterior.coords)[:-1]
        near = corners + rng.uniform(-0.03, 0.03, (4, 2))
        shape = shapely.Polygon(np.stack([corners, near], axis=1).reshape(-1, 2)).buffer(0)
    elif kind == 5:
        shape = shapely.Point(0, 0).buffer(
            rng.uniform(2, 15), quad_segs=int(rng.integers(2, 9))
        )
    elif kind == 6:
        shape = with_jogs(rng, a, b)
    if rng.random() < 0.4:
        shape = shapely.segmentize(shape, rng.uniform(0.5, 4))
    if rng.random() < 0.5:
        shape = affinity.rotate(shape, rng.uniform(0, 360))
    shape = shapely.set_precision(shape, 0.001)
    shape = max(shapely.get_parts(shape), key=shapely.area)
    # Steps of some millimetres that nearly touch are lost (1 in 20), and said to be.
    if kind == 6 and shapely.minimum_clearance(shape) < 0.01:
        return random_footprint(rng)
    return shape


def with_jogs(rng: np.random.Generator, a: float, b: float) -> Any:
    """Rectangle whose sides step in and out by millimetres, so that edges nearly coincide."""
    ring = []
    corners = [(0, 0), (a, 0), (a, b), (0, b)]
    for k, (x, y) in enumerate(corners):
        u, v = corners[(k + 1) % 4]
        length = np.hypot(u - x, v - y)
        along = np.array([u - x, v - y]) / length
        out = np.array([along[1], -along[0]])
        at, off = 0.0, 0.0
        while at < length - 1.0:
            ring.append([x, y] + at * along + off * out)
            if rng.random() < 0.6:
                at += rng.uniform(-0.02, 0.02) if at > 1 else 0.0
                off = rng.choice([0.0, 0.002, 0.006, 0.02]) * rng.choice([-1, 1])
                ring.append([x, y] + at * along + off * out)
            at += rng.uniform(0.5, 4)
    return shapely.Polygon(ring).buffer(0)


def random_lines(rng: np.random.Generator, cx: CellComplex) -> list[tuple[float, ...]]:
    """Lines anywhere, along two directions, between vertices and close by vertices."""
    low, high = cx.xy[0], cx.xy[2]
    angle = rng.uniform(0, np.pi)
    lines = []
    for _ in range(int(rng.integers(0, 8))):
        kind = rng.integers(3)
        a, b = rng.uniform(low, high, (2, 2))
        if kind == 0:
            turn = angle + rng.integers(2) * np.pi / 2
            b = a + rng.uniform(1, 20) * np.array([np.cos(turn), np.sin(turn)])
        elif kind == 1:
            a, b = cx.xy[rng.integers(4, cx.size[0], size=2)]
        else:
            turn = angle + rng.integers(4) * np.pi / 4 + rng.normal(0, 0.002)
            a = cx.xy[rng.integers(4, cx.size[0])] + rng.normal(0, 0.03, 2)
            b = a + 30 * np.array([np.cos(turn), np.sin(turn)])
        lines.append((*a, *b))
    return lines


def random_planes(rng: np.random.Generator, cx: CellComplex) -> Any:
    """Flat, steep, mirrored and nearly equal planes, many of them equal at some vertex."""
    base = rng.uniform(3, 9)
    planes = np.zeros((int(rng.integers(1, 7)), 3))
    for k in range(len(planes)):
        kind = rng.integers(5)
        anchor = cx.xy[rng.integers(4, cx.size[0])]
        if kind == 0:
            planes[k, 2] = base + rng.integers(4) * rng.choice([0.001, 0.01, 1.0, 2.5])
            continue
        if kind == 1 and k > 0:
            planes[k] = planes[k - 1] + rng.normal(0, 1, 3) * [0.001, 0.001, 0.01]
            continue
        planes[k, :2] = -planes[k - 1, :2] if kind == 2 and k > 0 else rng.normal(0, 0.6, 2)
        planes[k, 2] = base - planes[k, :2] @ anchor
    return planes
