from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import shapely
from shapely import Polygon, affinity, box

from cimkit.kernels._jit import JIT
from cimkit.kernels.cell_complex import find_cell, insert_segment
from cimkit.kernels.cell_outline import OUTLINE_LOST, cell_area, inside_area, start_complex
from cimkit.kernels.half_edges import COMPLEX_FULL, COMPLEX_OK, new_complex, start_box
from tests.kernels.buildings import (
    cell_polygons,
    complex_faults,
    cut,
    random_footprint,
    random_lines,
    rings_of,
    started,
    with_jogs,
)

N_RANDOM = 150 if JIT else 60
L = Polygon([(0, 0), (10, 0), (10, 4), (4, 4), (4, 10), (0, 10)])


def sorted_cells(cx):
    cells = zip(cell_polygons(cx), cx.inside[: cx.size[2]], strict=True)
    return sorted((shapely.to_wkt(shapely.normalize(p), 4), bool(i)) for p, i in cells)


def inner_cells(cx):
    return int(cx.inside[: cx.size[2]].sum())


def test_a_square_has_one_cell_inside_and_its_corners():
    cx = started(box(0, 0, 10, 8))
    assert complex_faults(cx) == set()
    assert inner_cells(cx) == 1
    assert inside_area(cx) == 80.0
    inner = cell_polygons(cx)[cx.inside[: cx.size[2]]][0]
    assert shapely.equals(inner, box(0, 0, 10, 8))


def test_edges_are_drawn_across_a_cell_and_no_farther():
    cx = started(L)  # the two edges at the inner corner: one runs on, the other stops at it
    assert inner_cells(cx) == 2
    assert inside_area(cx) == L.area
    assert set(cx.line[: cx.size[1]]) == {-1, 0, 1, 2, 3, 4, 5}


@pytest.mark.parametrize("shift", [0.049, -0.049, 0.0])
def test_a_line_near_a_vertex_goes_through_it(shift):
    cx = started(box(0, 0, 10, 8))
    n_vertices = cx.size[0]
    cut(cx, (-5 + shift, -5, 15 + shift, 15))
    assert inner_cells(cx) == 2
    assert cx.size[0] == n_vertices + 1  # on the upper edge alone


def test_a_line_far_from_a_vertex_does_not():
    cx = started(box(0, 0, 10, 8))
    n_vertices = cx.size[0]
    cut(cx, (-4.9, -5, 15.1, 15))
    assert cx.size[0] == n_vertices + 2


@pytest.mark.parametrize(
    ("x0", "x1", "n_cells"),
    [(2.0, 2.05, 1), (2.0, 2.2, 2), (-1.0, 0.05, 1), (-1.0, 0.2, 2), (10.5, 12.0, 1)],
)
def test_a_cell_is_split_where_enough_of_its_chord_is_covered(x0, x1, n_cells):
    cx = cut(started(box(0, 0, 10, 8)), (x0, 3, x1, 3))
    assert inner_cells(cx) == n_cells


def test_half_of_a_short_chord_is_enough():
    cx = cut(started(Polygon([(0, 0), (10, 0), (0, 10)])), (9.9, 0.01, 9.9, 0.08))
    assert inner_cells(cx) == 2


def test_cells_outside_stay_whole_or_not():
    for only_inside in (True, False):
        cx = started(box(0, 0, 10, 8))
        n_cells = cx.size[2]
        assert insert_segment(cx, -9.0, 4.0, 19.0, 4.0, 7, 0.05, only_inside) == COMPLEX_OK
        assert cx.size[2] == n_cells + (1 if only_inside else 3)
        assert complex_faults(cx) == set()


@pytest.mark.parametrize(
    "line",
    [
        (0, 0, 10, 0),  # along an edge
        (0, 0.02, 10, 0.03),  # beside an edge
        (20, 20, 30, 20),  # outside the box, to the right of it
        (20, 5, 30, 20),
        (5, 5, 5, 5),  # no length
        (2, -0.9, 6, -0.9),  # outside the footprint
    ],
)
def test_lines_that_split_nothing(line):
    cx = started(box(0, 0, 10, 8))
    before = cx.size[:3].copy()
    cut(cx, line)
    assert (cx.size[:3] == before).all()


def test_the_tag_goes_to_the_new_edge():
    cx = cut(started(box(0, 0, 10, 8)), (0, 4, 10, 4))
    assert (cx.line[: cx.size[1]] == 1000).sum() == 2


@pytest.mark.parametrize("capacity", [4, 12, 16, 20, 24])
def test_a_full_complex_says_so(capacity):
    cx = new_complex(capacity)
    comb = random_footprint(np.random.default_rng(3))
    assert start_complex(cx, *rings_of(comb)) == COMPLEX_FULL


def test_a_line_that_finds_no_room_says_so():
    square = box(0, 0, 10, 8)
    cx = started(square)
    tight = new_complex(cx.size[0] + 8)
    assert start_complex(tight, *rings_of(square)) == COMPLEX_OK
    status = [
        insert_segment(tight, -1.0, y, 11.0, y, 9, 0.05, True) for y in np.arange(0.5, 8, 0.5)
    ]
    assert status[0] == COMPLEX_OK
    assert status[-1] == COMPLEX_FULL
    assert complex_faults(tight) == set()


@pytest.mark.parametrize(
    "bad",
    [
        Polygon([(0, 0), (10, 8), (10, 0), (0, 8)]),  # a bow tie
        Polygon([(0, 0), (10, 0), (10, 8), (5, 8), (12, -3), (2, 8), (0, 8)]),
    ],
)
def test_an_outline_that_crosses_itself_is_lost(bad):
    assert start_complex(new_complex(500), *rings_of(bad)) == OUTLINE_LOST


def test_near_duplicates_become_one_vertex():
    ring = [(0, 0), (10, 0), (10.003, 0.001), (10, 8), (5, 8.0005), (0, 8), (0, 7.998)]
    cx = started(Polygon(ring))
    assert complex_faults(cx) == set()
    assert inside_area(cx) == pytest.approx(80, abs=0.05)
    assert cx.outline[: cx.size[1] : 2].sum() == 4


@pytest.mark.parametrize("seed", range(N_RANDOM))
def test_random_footprints_and_lines(seed):
    rng = np.random.default_rng(seed)
    footprint = random_footprint(rng)
    cx = started(footprint)
    assert complex_faults(cx) == set()
    assert inside_area(cx) == pytest.approx(footprint.area, rel=1e-3, abs=0.01)
    cut(cx, *random_lines(rng, cx))
    assert complex_faults(cx) == set()
    assert inside_area(cx) == pytest.approx(footprint.area, rel=1e-3, abs=0.01)
    polygons = cell_polygons(cx)
    area = [cell_area(cx, c) for c in range(cx.size[2])]
    np.testing.assert_allclose(area, shapely.area(polygons), atol=1e-9)
    width, height = cx.xy[2] - cx.xy[0]
    assert sum(area) == pytest.approx(width * height)
    xy, offsets = rings_of(footprint)
    rings = [xy[a:b] for a, b in pairwise(offsets)]
    local = Polygon(rings[0], rings[1:])
    common = shapely.area(shapely.intersection(polygons, local))
    inside = cx.inside[: cx.size[2]]
    assert (np.array(area)[inside] - common[inside]).sum() < 0.05
    assert common[~inside].sum() < 0.05


@pytest.mark.parametrize("seed", range(N_RANDOM // 5))
def test_where_a_ring_starts_and_how_it_runs_does_not_matter(seed):
    rng = np.random.default_rng(100 + seed)
    xy, offsets = rings_of(random_footprint(rng))
    cx = new_complex(2000)
    assert start_complex(cx, xy, offsets) == COMPLEX_OK
    expected = sorted_cells(cx)
    rings = [xy[a:b] for a, b in pairwise(offsets)]
    rolled = np.vstack([np.roll(ring, int(rng.integers(9)), axis=0) for ring in rings])
    assert start_complex(cx, rolled, offsets) == COMPLEX_OK
    assert sorted_cells(cx) == expected
    turned = np.vstack([ring[::-1] for ring in rings])
    assert start_complex(cx, turned, offsets) == COMPLEX_OK
    assert sorted_cells(cx) == expected


@pytest.mark.parametrize("seed", range(N_RANDOM // 5))
def test_find_cell_agrees_with_shapely(seed):
    rng = np.random.default_rng(200 + seed)
    cx = started(random_footprint(rng))
    cut(cx, *random_lines(rng, cx))
    polygons = cell_polygons(cx)
    for x, y in rng.uniform(cx.xy[0], cx.xy[2], (20, 2)):
        found = find_cell(cx, x, y, int(rng.integers(cx.size[2])))
        assert polygons[found].distance(shapely.Point(x, y)) < 1e-9


def test_find_cell_searches_where_cells_are_not_convex():
    # A bent chord: the lower cell reaches up to (5, 5), the walk cannot see around the corner.
    cx = new_complex(100)
    start_box(cx, 0.0, 0.0, 10.0, 10.0)
    insert_segment(cx, 0.0, 4.0, 10.0, 4.0, 0, 0.05, False)
    vertex = int(np.flatnonzero((cx.xy[: cx.size[0]] == [10.0, 4.0]).all(1))[0])
    cx.xy[vertex, 1] = 9.9
    for x, y in ((9.9, 9.0), (0.1, 4.0), (5.0, 6.0), (9.0, 9.9)):
        upper = (y - 4) * 10 > x * 5.9
        found = [cell_polygons(cx)[find_cell(cx, x, y, start)] for start in (0, 1)]
        assert all(p.covers(shapely.Point(x, y)) for p in found)
        assert found[0].covers(shapely.Point(0, 10)) == upper


@pytest.mark.parametrize("block", range(6))
def test_steps_of_millimetres_are_mastered_or_reported(block):
    lost = 0
    for seed in range(20 * block, 20 * block + 20):
        rng = np.random.default_rng(seed)
        shape = with_jogs(rng, *rng.uniform(6, 20, 2))
        if seed % 2:
            shape = affinity.rotate(shape, rng.uniform(0, 360))
        shape = shapely.set_precision(shape, 0.001)
        shape = max(shapely.get_parts(shape), key=shapely.area)
        cx = new_complex(1000)
        status = start_complex(cx, *rings_of(shape))
        if status == COMPLEX_OK:
            assert complex_faults(cx) == set()
            assert inside_area(cx) == pytest.approx(shape.area, rel=1e-3, abs=0.01)
        else:
            assert status == OUTLINE_LOST
            assert shapely.minimum_clearance(shape) < 0.01
            lost += 1
    assert lost <= 1


@pytest.mark.skipif(not JIT, reason="minutes as plain Python")
@pytest.mark.parametrize("kind", ["circle", "saw"])
def test_ten_thousand_vertices(kind):
    n = 10_000
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    radius = 100.0 + (10.0 * (np.arange(n) % 2) if kind == "saw" else 0.0)
    ring = Polygon(np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]))
    cx = started(ring, 40_000)
    assert inside_area(cx) == pytest.approx(ring.area, rel=1e-4)
