from __future__ import annotations

import numpy as np
import pytest
import shapely
from shapely import Polygon, box

from cimkit.kernels._jit import JIT
from cimkit.kernels.cell_contraction import (
    absorb_thin_cells,
    contract_short_edges,
    flag_thin_cells,
)
from cimkit.kernels.cell_outline import inside_area
from tests.kernels.buildings import (
    cell_polygons,
    complex_faults,
    cut,
    labelled,
    random_footprint,
    random_lines,
    started,
)

N_RANDOM = 150 if JIT else 60


def shortest_inner_edge(cx):
    n = cx.size[1]
    ends = cx.xy[cx.origin[:n]]
    length = np.hypot(*(ends - ends[np.arange(n) ^ 1]).T)
    inner = np.append(cx.inside[: cx.size[2]], False)[cx.cell[:n]]
    return length[inner].min()


def has_vertex(cx, x, y):
    return bool((np.abs(cx.xy[: cx.size[0]] - [x, y]).max(1) < 1e-6).any())


def test_a_corner_cut_of_one_centimetre_is_closed():
    cx = started(Polygon([(0, 0), (10, 0), (10, 7.99), (9.99, 8), (0, 8)]))
    assert contract_short_edges(cx, 0.02) == 1
    assert complex_faults(cx) == set()
    assert shortest_inner_edge(cx) > 0.02
    assert inside_area(cx) == pytest.approx(80, abs=0.06)


def test_the_corner_that_matters_more_stays():
    cx = started(Polygon([(0, 0), (10, 0), (10, 8), (9.985, 8.003), (0, 8)]))
    assert contract_short_edges(cx, 0.02) == 1
    assert has_vertex(cx, 10, 8)


def test_a_corner_stays_and_a_vertex_of_a_straight_edge_gives_way():
    # The line meets the lower edge 1.5 cm beside the corner of a step.
    cx = started(Polygon([(0, 0), (5, 0), (5, -2), (10, -2), (10, 8), (0, 8)]))
    assert has_vertex(cx, 5, 2)
    cx = cut(cx, (4.93, 1, 4.93, 9))
    n = cx.size[0]
    assert contract_short_edges(cx, 0.08) > 0
    assert complex_faults(cx) == set()
    assert has_vertex(cx, 5, 2)
    assert cx.size[0] < n
    assert inside_area(cx) == pytest.approx(90, abs=1e-9)


def test_roof_vertices_give_way_and_the_outline_stays():
    cx = cut(started(box(0, 0, 10, 8)), (-1, 3, 11, 3), (4, 9, 4.06, -1), (4.3, 9, 3.97, -1))
    before = cell_polygons(cx)
    assert contract_short_edges(cx, 0.11) > 0
    assert complex_faults(cx) == set()
    assert inside_area(cx) == 80.0
    assert cx.size[2] < len(before)


def test_nothing_to_do():
    cx = cut(started(box(0, 0, 10, 8)), (-1, 3, 11, 3))
    before = cx.size.copy()
    assert contract_short_edges(cx, 0.02) == 0
    assert (cx.size == before).all()


def test_a_narrow_part_is_not_pinched():
    # Two rooms joined by a neck of 1.5 cm: its sides are not drawn together.
    neck = [(0, 0), (4, 0), (4, 2), (6, 2), (6, 0), (10, 0), (10, 4), (6, 4), (6, 2.015)]
    cx = started(Polygon([*neck, (4, 2.015), (4, 4), (0, 4)]))
    area = inside_area(cx)
    contract_short_edges(cx, 0.02)
    assert complex_faults(cx) == set()
    assert inside_area(cx) == area


def test_a_footprint_that_is_a_small_triangle_is_not_lost():
    cx = started(Polygon([(0, 0), (4, 0), (4, 0.015)]))
    contract_short_edges(cx, 0.02)
    assert complex_faults(cx) == set()
    assert inside_area(cx) > 0


@pytest.mark.parametrize("length", [0.02, 0.3])
@pytest.mark.parametrize("seed", range(N_RANDOM))
def test_random_contractions_keep_a_valid_complex(seed, length):
    rng = np.random.default_rng(seed)
    footprint = random_footprint(rng)
    cx = started(footprint)
    cut(cx, *random_lines(rng, cx))
    area, n_cells = inside_area(cx), cx.size[2]
    parts = shapely.union_all(cell_polygons(cx)[cx.inside[:n_cells]])
    n = contract_short_edges(cx, length)
    assert complex_faults(cx) == set()
    assert cx.size[2] <= n_cells
    assert abs(inside_area(cx) - area) <= length * footprint.length
    if n:
        left = shapely.union_all(cell_polygons(cx)[cx.inside[: cx.size[2]]])
        assert shapely.hausdorff_distance(left, parts) < 3 * length
        assert len(shapely.get_parts(left)) == len(shapely.get_parts(parts))


def test_thin_cells_are_flagged():
    cx = cut(started(box(0, 0, 10, 8)), (-1, 3, 11, 3), (-1, 3.09, 11, 3.09))
    assert flag_thin_cells(cx, 0.1) == 1
    width = shapely.area(cell_polygons(cx)[cx.thin[: cx.size[2]]])[0] / 10
    assert width == pytest.approx(0.09)
    assert flag_thin_cells(cx, 0.08) == 0


def test_thin_cells_take_the_label_of_the_longest_border():
    cx = cut(
        started(box(0, 0, 10, 8)),
        (-1, 3, 11, 3),
        (-1, 3.09, 11, 3.09),
        (6, 3.09, 6, 9),
        (2, 3, 2, 3.2),
    )
    assert flag_thin_cells(cx, 0.1) == 2
    label = labelled(cx, lambda x, y: 3 if 3 < y < 3.1 else (2 if y < 3 else int(x > 6)))
    # The right strip has 8 m below and 4 m of each above; the left one 2 m of 2 and of 0.
    assert absorb_thin_cells(cx, label) == 2
    assert sorted(set(label.tolist())) == [-1, 0, 1, 2]


def test_a_thin_cell_among_thin_ones_waits():
    cx = cut(
        started(box(0, 0, 10, 8)),
        (-1, 3, 11, 3),
        (-1, 3.08, 11, 3.08),
        (-1, 3.16, 11, 3.16),
        (-1, 3.24, 11, 3.24),
    )
    assert flag_thin_cells(cx, 0.1) == 3
    label = labelled(cx, lambda x, y: 0 if y < 3 else (1 if y > 3.24 else 2))
    assert absorb_thin_cells(cx, label) == 3
    assert 2 not in label


def test_where_all_cells_are_thin_labels_stay():
    cx = cut(started(box(0, 0, 10, 0.09)), (5, -1, 5, 1))
    assert flag_thin_cells(cx, 0.1) == 2
    label = labelled(cx, lambda x, _: int(x > 5))
    assert absorb_thin_cells(cx, label) == 0
