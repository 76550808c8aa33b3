"""Footprints and points on which spatial kernels tend to go wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from hypothesis import strategies as st
from shapely import affinity

from cimkit.kernels._jit import JIT
from cimkit.tables import Footprints
from tests.zoo import sound_shapes

FAR = (39_512_345.0, 3_398_765.0)
"""Zone-prefixed Gauss-Krüger: float64 steps are 7e-9 m here."""


MOST = 500 if JIT else 60
"""Points at one shape: a ring of 10,000 corners would give 80,000. Few for plain Python."""


def box(x0: float, y0: float, x1: float, y1: float, *holes: Any) -> shapely.Polygon:
    return shapely.Polygon(shapely.box(x0, y0, x1, y1).exterior, [h.exterior for h in holes])


POLYGONS = {
    "square": [box(0, 0, 4, 4)],
    "l": [shapely.Polygon([(0, 0), (6, 0), (6, 2), (2, 2), (2, 5), (0, 5)])],
    "u": [shapely.Polygon([(0, 0), (6, 0), (6, 5), (4, 5), (4, 2), (2, 2), (2, 5), (0, 5)])],
    "courtyard": [box(0, 0, 9, 9, shapely.box(3, 3, 6, 6))],
    "house in a courtyard": [box(0, 0, 9, 9, shapely.box(2, 2, 7, 7)), box(3, 3, 6, 6)],
    "hole touches the shell at a point": [
        shapely.Polygon(
            [(0, 0), (8, 0), (8, 8), (0, 8)],
            [[(0, 4), (3, 6), (3, 2)], [(4, 4), (6, 5), (6, 3)]],
        )
    ],
    "shared walls": [box(0, 0, 4, 4), box(4, 0, 7, 4), box(0, 4, 7, 6), box(4, 1, 4.5, 3)],
    "overlaps": [box(0, 0, 5, 5), box(3, 3, 8, 8), box(4, 4, 6, 6), box(4, 4, 6, 6)],
    "needle": [shapely.Polygon([(0, 0), (30, 0.001), (30, 0.002)])],
    "tiny": [box(0, 0, 0.01, 0.01), box(5, 5, 5.001, 5.002)],
    "far apart": [box(0, 0, 3, 3), box(300, 200, 304, 203)],
    "slanted": [affinity.rotate(box(0, 0, 12, 5, shapely.box(2, 2, 8, 3)), 33.3)],
    **{f"zoo: {name}": shapes for name, shapes in sound_shapes().items()},
}
"""Lists of polygons: sets of neighbours, and every valid shape of the zoo by itself."""


CALM = [name for name in POLYGONS if name not in ("far apart", "zoo: ten_thousand_gon")]
"""Without those that take long in plain Python."""


def footprints_of(polygons: Any) -> Footprints:
    return Footprints.from_polygons([f"b{k:03d}" for k in range(len(polygons))], polygons)


def telling_points(polygons: Any, rng: np.random.Generator, n: int = 60) -> Any:
    """Vertices, points on edges or a rounding error off, points around; and in millimetres."""
    corners = shapely.get_coordinates(list(polygons))
    edges = [shapely.get_coordinates(r) for r in shapely.get_rings(list(polygons))]
    start, end = np.vstack([e[:-1] for e in edges]), np.vstack([e[1:] for e in edges])
    along = start + rng.choice([0.25, 0.5, 1 / 3, 0.9], (len(start), 1)) * (end - start)
    low, high = corners.min(0) - 3, corners.max(0) + 3
    around = rng.uniform(low, high, (n, 2))
    near = corners[rng.integers(len(corners), size=n)] + rng.uniform(-3, 3, (n, 2))
    crossed = np.column_stack([rng.choice(corners[:, 0], n), rng.choice(corners[:, 1], n)])
    points = np.vstack(
        [
            corners,
            along,
            np.nextafter(along, high),
            np.nextafter(along, low),
            around,
            near,
            crossed,
        ]
    )
    points = np.vstack([points, points.round(3)])
    return points if len(points) <= MOST else points[rng.permutation(len(points))[:MOST]]


@st.composite
def lattice_polygons(draw: Any) -> Any:
    """Unions of unit squares, moved: courtyards, corners that touch, shared walls."""
    cells = draw(st.lists(st.integers(0, 2), min_size=25, max_size=25))
    shapes = []
    for owner in (1, 2):
        squares = [
            box(k % 5, k // 5, k % 5 + 1, k // 5 + 1) for k in range(25) if cells[k] == owner
        ]
        shapes += list(shapely.get_parts(shapely.union_all(squares)))
    return draw(moved([s for s in shapes if s.geom_type == "Polygon"] or [box(0, 0, 1, 1)]))


@st.composite
def star_polygons(draw: Any) -> Any:
    """Simple rings around a centre, with corners in whole millimetres."""
    n = draw(st.integers(3, 12))
    radius = np.array(draw(st.lists(st.integers(300, 9000), min_size=n, max_size=n))) / 1000
    angle = 2 * np.pi * (np.arange(n) + draw(st.floats(0, 0.9))) / n
    ring = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]).round(3)
    polygon = shapely.Polygon(ring)
    return draw(moved([polygon if polygon.is_valid and polygon.area > 0 else box(0, 0, 1, 1)]))


@st.composite
def moved(draw: Any, polygons: list[shapely.Polygon]) -> Any:
    """Scaled, turned, moved and rounded like survey data; only what stays valid."""
    scale, angle = draw(st.sampled_from([1.0, 3.7])), draw(st.sampled_from([0, 90, 17.3, 45]))
    dx, dy = draw(st.sampled_from([(0.0, 0.0), (-7.5, 2.25), (85_000.1, 447_000.7), FAR]))

    def place(xy: Any) -> Any:
        t = np.radians(angle)
        turn = np.array([[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]])
        return (scale * xy @ turn + (dx, dy)).round(3)

    placed = [shapely.transform(polygon, place) for polygon in polygons]
    return [p for p in placed if p.is_valid] or [box(dx, dy, dx + 2, dy + 1)]
