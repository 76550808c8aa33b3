from __future__ import annotations

import numpy as np
import pytest
import shapely

from cimkit.kernels._jit import JIT
from cimkit.kernels.cell_sight import is_clear, sees, segments_meet
from tests.kernels.buildings import cut, random_footprint, random_lines, started

N_RANDOM = 60 if JIT else 30


def ring_of(cx, c):
    """Half-edges of a cell."""
    ring: list[int] = []
    h = int(cx.first[c])
    while not ring or h != ring[0]:
        ring.append(h)
        h = int(cx.following[h])
    return ring


def bent(cx, h, xy):
    """Cell of a half-edge with a vertex at a place put on that half-edge."""
    ring = ring_of(cx, cx.cell[h])
    places = [p for k in ring for p in ([cx.xy[cx.origin[k]]] + ([xy] if k == h else []))]
    return shapely.Polygon(np.rint(np.array(places) * 1e4))


def random_complex(seed):
    """Cells with slivers: lines between vertices, moved by millimetres afterwards."""
    rng = np.random.default_rng(seed)
    cx = started(random_footprint(rng))
    cut(cx, *random_lines(rng, cx))
    return rng, cx


def is_sound(polygon):
    return polygon.is_valid and polygon.exterior.is_ccw


@pytest.mark.parametrize("seed", range(N_RANDOM))
def test_a_vertex_is_clear_where_both_cells_stay_simple(seed):
    rng, cx = random_complex(seed)
    for h in rng.integers(cx.size[1], size=20):
        if cx.cell[h] < 0 or cx.cell[h ^ 1] < 0:
            continue
        a, b = cx.xy[cx.origin[h]], cx.xy[cx.origin[h ^ 1]]
        for t in rng.uniform(0, 1, 4):
            off = rng.normal(0, rng.choice([1e-4, 0.01, 1.0, 5.0]), 2)
            xy = np.rint((a + t * (b - a) + off) * 1e4) / 1e4
            sound = is_sound(bent(cx, h, xy)) and is_sound(bent(cx, h ^ 1, xy))
            assert is_clear(cx, h, xy[0], xy[1], 0.0) == sound


@pytest.mark.parametrize("seed", range(N_RANDOM))
def test_clearance_is_the_distance_from_the_other_edges(seed):
    rng, cx = random_complex(seed)
    for h in rng.integers(cx.size[1], size=20):
        a, b = cx.xy[cx.origin[h]], cx.xy[cx.origin[h ^ 1]]
        xy = a + rng.uniform(0, 1) * (b - a)
        others = [
            shapely.LineString(cx.xy[[cx.origin[k], cx.origin[k ^ 1]]])
            for side in (h, h ^ 1)
            if cx.cell[side] >= 0
            for k in ring_of(cx, cx.cell[side])
            if k != side
        ]
        distance = shapely.distance(shapely.Point(xy), others).min()
        assert is_clear(cx, h, xy[0], xy[1], distance * 0.999)
        assert not is_clear(cx, h, xy[0], xy[1], distance * 1.001 + 1e-12)


@pytest.mark.parametrize("seed", range(N_RANDOM))
def test_vertices_see_each_other_where_a_chord_lies_inside(seed):
    rng, cx = random_complex(seed)
    for c in range(cx.size[2]):
        ring = ring_of(cx, c)
        places = cx.xy[cx.origin[ring]]
        cell = shapely.Polygon(places)
        for i, j in rng.integers(len(ring), size=(5, 2)):
            if (i - j) % len(ring) in (0, 1, len(ring) - 1):
                continue
            chord = shapely.LineString(places[[i, j]])
            rest = np.delete(places, [i, j], axis=0)
            free = shapely.distance(chord, shapely.points(rest)).min()
            if abs(free - 3e-4) < 1e-6:
                continue
            (px, py), (qx, qy) = places[i], places[j]
            seen = sees(cx, c, px, py, ring[i], True, qx, qy, ring[j], True, 3e-4)
            # Chords between vertices of one straight side lie in the cell, clear of none.
            assert seen == (free > 3e-4 and cell.buffer(1e-9).covers(chord))
        inner = np.array(cell.representative_point().coords)[0]
        for i in range(len(ring)):
            ray = shapely.LineString([inner, places[i]])
            others = np.delete(places, i, axis=0)
            free = shapely.distance(ray, shapely.points(others)).min()
            (px, py), (qx, qy) = inner, places[i]
            seen = sees(cx, c, px, py, -1, True, qx, qy, ring[i], True, 3e-4)
            if free > 4e-4:
                assert seen == cell.buffer(1e-9).covers(ray)


def test_segments_meet_as_shapely_says():
    rng = np.random.default_rng(0)
    for places in rng.integers(0, 5, (500, 4, 2)):
        (a, b), (c, d) = places[:2], places[2:]
        one, two = shapely.LineString([a, b]), shapely.LineString([c, d])
        if (a == b).all():
            one = shapely.Point(a)
        if (c == d).all():
            two = shapely.Point(c)
        assert segments_meet(*a, *b, *c, *d) == one.intersects(two)
