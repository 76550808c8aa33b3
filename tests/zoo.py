"""One named instance of every footprint situation, with what cleaning must make of it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import shapely
from shapely import MultiPolygon, Polygon, box

FAR = 38_500_000.0, 3_400_000.0
"""A zone-prefixed Gauss-Krüger easting: where float64 has its coarsest steps."""


class Case(NamedTuple):
    """A geometry, the issue codes that cleaning must report, and the areas that remain."""

    geometry: Any
    areas: tuple[float, ...]
    codes: tuple[str, ...] = ()


def _ring_of(n: int, radius: float) -> list[tuple[float, float]]:
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return list(zip(radius * np.cos(angle), radius * np.sin(angle), strict=True))


SQUARE = [(0, 0), (10, 0), (10, 10), (0, 10)]
L = [(0, 0), (10, 0), (10, 4), (4, 4), (4, 10), (0, 10)]
U = [(0, 0), (12, 0), (12, 9), (8, 9), (8, 3), (4, 3), (4, 9), (0, 9)]
COURT = [(3, 3), (3, 6), (6, 6), (6, 3)]
BIG = [(0, 0), (30, 0), (30, 30), (0, 30)]

ZOO: dict[str, Case] = {
    "square": Case(Polygon(SQUARE), (100.0,)),
    "clockwise": Case(Polygon(SQUARE[::-1]), (100.0,)),
    "l_shape": Case(Polygon(L), (64.0,)),
    "u_shape": Case(Polygon(U), (84.0,)),
    "triangle": Case(Polygon([(0, 0), (20, 0), (0, 2)]), (20.0,)),
    "courtyard": Case(Polygon(SQUARE, [COURT]), (91.0,)),
    "courtyard_both_clockwise": Case(Polygon(SQUARE[::-1], [COURT]), (91.0,)),
    "far_origin": Case(shapely.transform(Polygon(L), lambda xy: xy + FAR), (64.0,)),
    "with_z": Case(Polygon([(x, y, 5.0) for x, y in SQUARE]), (100.0,)),
    "with_m": Case(
        shapely.from_wkt("POLYGON M ((0 0 1, 9 0 1, 9 9 1, 0 9 1, 0 0 1))"), (81.0,)
    ),
    "ten_thousand_gon": Case(
        Polygon(_ring_of(10_000, 100.0)), (np.pi * 100**2,), ("RING_CLEANED",)
    ),
    "one_part_multipolygon": Case(MultiPolygon([Polygon(SQUARE)]), (100.0,)),
    "multipart": Case(
        MultiPolygon([box(20, 0, 24, 4), box(0, 0, 3, 3)]), (9.0, 16.0), ("MULTIPART_SPLIT",)
    ),
    "multipart_with_crumb": Case(
        MultiPolygon([box(20, 0, 24, 4), box(0, 0, 0.5, 0.5)]),
        (16.0,),
        ("AREA_SMALL", "MULTIPART_SPLIT"),
    ),
    "hole_touches_shell_at_point": Case(
        Polygon(BIG, [[(0, 15), (5, 18), (5, 12)]]), (885.0,), ("RING_TOUCHES",)
    ),
    "hole_vertex_on_shell_vertex": Case(
        Polygon(BIG, [[(0, 0), (5, 10), (10, 5)]]), (862.5,), ("RING_TOUCHES",)
    ),
    "two_holes_touch_at_point": Case(
        Polygon(
            BIG,
            [[(5, 5), (5, 10), (10, 10), (10, 5)], [(10, 10), (10, 15), (15, 15), (15, 10)]],
        ),
        (850.0,),
        ("RING_TOUCHES",),
    ),
    "hole_half_a_millimetre_from_shell": Case(
        Polygon(BIG, [[(0.0005, 15), (5, 18), (5, 12)]]), (885.0,), ("RING_TOUCHES",)
    ),
    "two_rooms_with_a_door_of_1_mm": Case(
        Polygon(
            [
                *((0, 0), (4, 0), (4, 1), (5, 1), (5, 0), (9, 0)),
                *((9, 4), (5, 4), (5, 1.001), (4, 1.001), (4, 4), (0, 4)),
            ]
        ),
        (32.02,),
        ("RING_TOUCHES",),
    ),
    "shell_turns_inside_at_point": Case(
        Polygon([(0, 0), (30, 0), (30, 30), (0, 30), (0, 15), (5, 18), (5, 12), (0, 15)]),
        (885.0,),
        ("RING_SELF_CROSS", "RING_TOUCHES"),
    ),
    "shell_pinched_at_point": Case(
        Polygon([(0, 0), (5, 5), (10, 0), (10, 10), (5, 5), (0, 10)]), (), ("RING_SELF_CROSS",)
    ),
    "two_holes_share_edge": Case(
        Polygon(
            BIG, [[(5, 5), (5, 10), (10, 10), (10, 5)], [(10, 5), (10, 10), (15, 10), (15, 5)]]
        ),
        (850.0,),
        ("HOLE_MERGED",),
    ),
    "two_holes_overlap": Case(
        Polygon(
            BIG, [[(5, 5), (5, 10), (10, 10), (10, 5)], [(8, 5), (8, 10), (15, 10), (15, 5)]]
        ),
        (850.0,),
        ("HOLE_MERGED",),
    ),
    "hole_in_a_hole": Case(
        Polygon(
            BIG, [[(5, 5), (5, 15), (15, 15), (15, 5)], [(8, 8), (8, 12), (12, 12), (12, 8)]]
        ),
        (800.0,),
        ("HOLE_MERGED",),
    ),
    "hole_twice": Case(Polygon(SQUARE, [COURT, COURT]), (91.0,), ("HOLE_MERGED",)),
    "hole_shares_edge_with_shell": Case(
        Polygon(BIG, [[(0, 5), (0, 10), (5, 10), (5, 5)]]), (875.0,), ("HOLE_MERGED",)
    ),
    "hole_outside_shell": Case(
        Polygon(SQUARE, [[(20, 20), (20, 25), (25, 25), (25, 20)]]), (100.0,), ("HOLE_OUTSIDE",)
    ),
    "hole_reaches_over_the_shell_a_little": Case(
        Polygon(BIG, [[(-0.2, 5), (-0.2, 10), (5, 10), (5, 5)]]), (875.0,), ("HOLE_CROSSES",)
    ),
    "hole_reaches_over_the_shell": Case(
        Polygon(SQUARE, [[(5, 5), (5, 8), (15, 8), (15, 5)]]), (), ("HOLE_CROSSES",)
    ),
    "hole_is_the_shell": Case(Polygon(SQUARE, [SQUARE]), (), ("AREA_ZERO",)),
    "hole_cuts_the_shell_in_two": Case(
        Polygon(SQUARE, [[(4, 0), (4, 10), (6, 10), (6, 0)]]), (), ("RING_SELF_CROSS",)
    ),
    "bow_tie": Case(Polygon([(0, 0), (9, 9), (9, 0), (0, 9)]), (), ("RING_SELF_CROSS",)),
    "asymmetric_bow_tie": Case(
        Polygon([(0, 0), (10, 8), (10, 0), (0, 4)]), (), ("RING_SELF_CROSS",)
    ),
    "small_loop_at_corner": Case(
        Polygon([(0, 0), (10.1, 0), (10, -0.1), (10, 10), (0, 10)]),
        (100.0,),
        ("RING_SELF_CROSS",),
    ),
    "spike_without_width": Case(
        Polygon([(0, 0), (10, 0), (10, 10), (5, 10), (5, 40), (5, 10), (0, 10)]),
        (100.0,),
        ("RING_CLEANED",),
    ),
    "spike_inward": Case(
        Polygon([(0, 0), (10, 0), (10, 10), (5, 10), (5, 2), (5, 10), (0, 10)]),
        (100.0,),
        ("RING_CLEANED",),
    ),
    "spike_of_five_millimetres": Case(
        Polygon([(0, 0), (10, 0), (10, 10), (5, 10), (5, 12), (4.995, 10), (0, 10)]),
        (100.0,),
        ("RING_CLEANED",),
    ),
    "spike_at_corner": Case(
        Polygon([(0, 0), (15, 0), (10, 0), (10, 10), (0, 10)]), (100.0,), ("RING_CLEANED",)
    ),
    "notch_of_two_centimetres_is_kept": Case(
        Polygon([(0, 0), (10, 0), (10, 10), (5, 10), (5, 9), (4.98, 10), (0, 10)]), (99.99,)
    ),
    "spike_in_steps": Case(
        Polygon(
            [(0, 0), (10, 0), (10, 10), (5, 10), (5, 20), (6, 30), (5, 20), (5, 10), (0, 10)]
        ),
        (100.0,),
        ("RING_CLEANED",),
    ),
    "duplicate_vertex": Case(
        Polygon([(0, 0), (10, 0), (10, 0), (10, 10), (10, 10), (0, 10)]),
        (100.0,),
        ("RING_CLEANED",),
    ),
    "vertices_closer_than_a_millimetre": Case(
        Polygon([(0, 0), (10, 0), (10, 0.0004), (10, 10), (0, 10)]), (100.0,), ("RING_CLEANED",)
    ),
    "collinear": Case(
        Polygon([(0, 0), (3, 0), (6, 0), (10, 0), (10, 10), (0, 10), (0, 4)]),
        (100.0,),
        ("RING_CLEANED",),
    ),
    "collapsed_hole": Case(
        Polygon(SQUARE, [[(2, 2), (5, 2), (4, 2)]]), (100.0,), ("RING_CLEANED",)
    ),
    "line_there_and_back": Case(
        Polygon([(0, 0), (5, 1), (9, 7), (12, 3), (9, 7), (5, 1)]), (), ("AREA_ZERO",)
    ),
    "zero_area": Case(Polygon([(0, 0), (10, 0), (5, 0)]), (), ("AREA_ZERO",)),
    "one_place": Case(Polygon([(1, 1), (1, 1), (1, 1)]), (), ("AREA_ZERO",)),
    "one_millimetre_sliver": Case(box(0, 0, 10, 0.001), (), ("AREA_SMALL",)),
    "long_sliver": Case(box(0, 0, 100, 0.02), (), ("SLIVER",)),
    "half_a_square_metre": Case(box(0, 0, 1, 0.5), (), ("AREA_SMALL",)),
    "one_square_metre": Case(box(0, 0, 1, 1), (1.0,)),
    "nan_vertex": Case(
        shapely.transform(Polygon(SQUARE), lambda xy: np.where(xy == 10, np.nan, xy)),
        (),
        ("COORD_NOT_FINITE",),
    ),
    "infinite_vertex": Case(
        shapely.transform(Polygon(SQUARE), lambda xy: np.where(xy == 10, np.inf, xy)),
        (),
        ("COORD_NOT_FINITE",),
    ),
    "beyond_all_maps": Case(box(2e8, 0, 2e8 + 10, 10), (), ("COORD_NOT_FINITE",)),
    "nothing": Case(None, (), ("GEOM_TYPE_SKIPPED",)),
    "empty": Case(Polygon(), (), ("GEOM_TYPE_SKIPPED",)),
    "empty_multipolygon": Case(MultiPolygon(), (), ("GEOM_TYPE_SKIPPED",)),
    "point": Case(shapely.Point(0, 0), (), ("GEOM_TYPE_SKIPPED",)),
    "line": Case(shapely.LineString(SQUARE), (), ("GEOM_TYPE_SKIPPED",)),
    "collection": Case(
        shapely.GeometryCollection([box(0, 0, 9, 9), shapely.Point(0, 0)]),
        (),
        ("GEOM_TYPE_SKIPPED",),
    ),
}


def sound_shapes() -> dict[str, list[Polygon]]:
    """Valid polygons with area of the zoo: what a kernel may get, clean or not."""
    sound = {}
    for name, case in ZOO.items():
        parts = [] if case.geometry is None else shapely.get_parts(case.geometry).tolist()
        finite = all(np.isfinite(shapely.get_coordinates(p)).all() for p in parts)
        if parts and finite and all(p.area > 0 and p.is_valid for p in parts):
            sound[name] = [shapely.force_2d(p) for p in parts if p.geom_type == "Polygon"]
    return sound
