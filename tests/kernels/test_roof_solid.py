from __future__ import annotations

from collections import Counter

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
from cimkit.kernels.roof_solid import (
    CORNER_CUT,
    SOLID_APART,
    SOLID_EMPTY,
    SOLID_LOW,
    make_solid,
    prism_volume,
)
from cimkit.tables.models import GROUND_SURFACE, ROOF_SURFACE, WALL_SURFACE
from tests.kernels.buildings import (
    cell_polygons,
    cut,
    face_rings,
    labelled,
    random_footprint,
    random_lines,
    random_planes,
    seen_from_above,
    solid_faults,
    started,
)

N_RANDOM = 400 if JIT else 160
L = Polygon([(0, 0), (10, 0), (10, 4), (4, 4), (4, 10), (0, 10)])
COURT = Polygon([(0, 0), (10, 0), (10, 10), (0, 10)], [[(3, 3), (3, 6), (6, 6), (6, 3)]])


def flat(*heights):
    return np.array([[0.0, 0.0, z] for z in heights])


def solid_of(cx, label, planes, z_ground=0.0):
    """Solid that must be valid, and follow its planes over all of its footprint."""
    solid = make_solid(cx, label, planes, z_ground, CORNER_CUT)
    assert solid.status == 0
    assert solid_faults(solid) == set()
    roofs, rows = seen_from_above(solid, ROOF_SURFACE)
    (ground,), _ = seen_from_above(solid, GROUND_SURFACE)
    assert shapely.union_all(roofs).symmetric_difference(ground).area < 0.02
    assert sum(shapely.area(roofs)) == pytest.approx(ground.area, abs=0.02)
    assert ground.area == pytest.approx(inside_area(cx), abs=0.1)
    for row in rows:
        corners = solid.vertices[np.concatenate(face_rings(solid, row))]
        a, b, c = planes[solid.plane[row]]
        off = np.abs(corners @ [-a, -b, 1.0] - c).max()
        assert off < 0.0035 * (1 + np.hypot(a, b))
    assert (solid.plane[solid.semantics != ROOF_SURFACE] == -1).all()
    return solid


def faces(solid):
    return Counter(solid.semantics.tolist())


def test_a_box():
    cx = started(box(0, 0, 10, 8))
    solid = solid_of(cx, labelled(cx, lambda *_: 0), flat(6.0), 1.0)
    assert solid.volume == pytest.approx(400)
    assert faces(solid) == {GROUND_SURFACE: 1, WALL_SURFACE: 4, ROOF_SURFACE: 1}
    assert len(solid.vertices) == 8
    assert solid.vertices[:, 2].tolist().count(1.0) == 4


def test_a_gable_has_walls_of_one_polygon():
    cx = cut(started(box(0, 0, 10, 8)), (-1, 4, 11, 4))
    planes = np.array([[0, 0.5, 3.0], [0, -0.5, 7.0]])
    solid = solid_of(cx, labelled(cx, lambda _, y: int(y > 4)), planes)
    assert faces(solid) == {GROUND_SURFACE: 1, WALL_SURFACE: 4, ROOF_SURFACE: 2}
    assert solid.volume == pytest.approx(80 * 4)
    assert len(solid.vertices) == 10
    sizes = sorted(len(face_rings(solid, f)[0]) for f in np.flatnonzero(solid.semantics == 1))
    assert sizes == [4, 4, 5, 5]


def test_a_step_on_a_straight_wall_is_one_polygon_too():
    cx = cut(started(box(0, 0, 10, 8)), (4, -1, 4, 9))
    solid = solid_of(cx, labelled(cx, lambda x, _: int(x > 4)), flat(5.0, 8.0))
    assert faces(solid) == {GROUND_SURFACE: 1, WALL_SURFACE: 5, ROOF_SURFACE: 2}
    assert len(face_rings(solid, 0)[0]) == 4  # the floor knows nothing of the step
    sizes = sorted(len(face_rings(solid, f)[0]) for f in np.flatnonzero(solid.semantics == 1))
    assert sizes == [4, 4, 4, 6, 6]
    assert solid.volume == pytest.approx(8 * (4 * 5 + 6 * 8))


def test_lod12_and_lod13_come_from_the_same_cells():
    cx = cut(started(L), (4, -1, 4, 11), (-1, 4, 11, 4))
    one = solid_of(cx, labelled(cx, lambda *_: 0), flat(5.0))
    assert faces(one) == {GROUND_SURFACE: 1, WALL_SURFACE: 6, ROOF_SURFACE: 1}
    two = solid_of(cx, labelled(cx, lambda x, _: int(x > 4)), flat(5.0, 9.0))
    assert faces(two) == {GROUND_SURFACE: 1, WALL_SURFACE: 7, ROOF_SURFACE: 2}


def test_a_courtyard_is_a_hole_in_floor_and_roof():
    cx = started(COURT)
    solid = solid_of(cx, labelled(cx, lambda *_: 0), flat(5.0))
    assert faces(solid) == {GROUND_SURFACE: 1, WALL_SURFACE: 8, ROOF_SURFACE: 1}
    for kind in (GROUND_SURFACE, ROOF_SURFACE):
        (shape,), _ = seen_from_above(solid, kind)
        assert shape.area == pytest.approx(91)
        assert len(shape.interiors) == 1


def test_a_tower_in_a_roof_makes_a_hole_in_it():
    lines = [(3, 3, 6, 3), (6, 3, 6, 6), (6, 6, 3, 6), (3, 6, 3, 3)]
    cx = cut(started(box(0, 0, 10, 10)), *lines)
    solid = solid_of(
        cx, labelled(cx, lambda x, y: int(3 < x < 6 and 3 < y < 6)), flat(5.0, 9.0)
    )
    assert faces(solid) == {GROUND_SURFACE: 1, WALL_SURFACE: 8, ROOF_SURFACE: 2}
    assert solid.volume == pytest.approx(500 + 36)


@pytest.mark.parametrize("heights", [(5, 8, 7, 4), (8, 5, 4, 7), (5, 8, 8, 5), (4, 9, 6, 5.5)])
def test_four_roofs_that_alternate_in_height_meet_in_a_corner_cut(heights):
    cx = cut(started(box(0, 0, 10, 10)), (5, -1, 5, 11), (-1, 5, 11, 5))
    label = labelled(cx, lambda x, y: int(x > 5) + 2 * int(y > 5))
    solid = solid_of(cx, label, flat(*heights))
    assert solid.volume == pytest.approx(25 * sum(heights), abs=0.1)
    assert faces(solid)[ROOF_SURFACE] == 4


@pytest.mark.parametrize("angle", [0.02, 0.0007])
def test_a_corner_cut_chooses_another_gap_than_a_needle(angle):
    far = 10 * np.tan(angle)
    cx = cut(
        started(box(0, 0, 20, 20)),
        (-1, 10, 21, 10),
        (10, 10, 20, 10 + far),
        (10, 10, 0, 10 + far),
    )
    label = labelled(cx, lambda x, y: int(abs(y - 10 - abs(x - 10) * np.tan(angle) / 2) < 1e-3))
    solid_of(cx, label, flat(5.0, 9.0))


def test_footprints_that_touch_themselves_are_joined_by_a_corner_cut():
    touching = Polygon([(0, 0), (10, 0), (10, 10), (0, 10)], [[(0, 5), (4, 8), (4, 2)]])
    cx = started(touching)
    solid = solid_of(cx, labelled(cx, lambda *_: 0), flat(5.0))
    (ground,), _ = seen_from_above(solid, GROUND_SURFACE)
    assert ground.is_valid
    assert touching.area < ground.area < touching.area + 0.05


def test_roofs_that_cross_get_a_vertex_where_they_are_equal():
    cx = cut(started(box(0, 0, 10, 8)), (5, -1, 5, 9))
    planes = np.array([[0, 0.5, 4.0], [0, -0.5, 8.0]])
    solid = solid_of(cx, labelled(cx, lambda x, _: int(x > 5)), planes)
    assert faces(solid) == {GROUND_SURFACE: 1, WALL_SURFACE: 6, ROOF_SURFACE: 2}
    at = solid.vertices[(solid.vertices[:, :2] == [5, 4]).all(1)]
    assert at.tolist() == [[5, 4, 6]]


def test_roofs_may_cross_at_a_vertex_of_the_cells():
    cx = cut(started(box(0, 0, 10, 8)), (5, -1, 5, 9), (5, 4, 11, 4), (3, 4, 5, 4))
    planes = np.array([[0, 0.5, 4.0], [0, -0.5, 8.0]])
    solid = solid_of(cx, labelled(cx, lambda x, _: int(x > 5)), planes)
    assert faces(solid) == {GROUND_SURFACE: 1, WALL_SURFACE: 6, ROOF_SURFACE: 2}


@pytest.mark.parametrize("offset", [0.0, 2e-4, 1e-3, 2.5e-3, 4e-3])
def test_a_crossing_near_a_corner_keeps_its_distance(offset):
    cx = cut(started(box(0, 0, 10, 8)), (5, -1, 5, 9))
    planes = np.array([[0, 1.0, 4.0], [0, -1.0, 4.0 + 2 * offset]])
    solid_of(cx, labelled(cx, lambda x, _: int(x > 5)), planes, -9.0)


@pytest.mark.parametrize(("gap", "n_vertices"), [(0.001, 12), (0.0014, 14)])
def test_heights_that_nearly_agree_become_one(gap, n_vertices):
    cx = cut(started(box(0, 0, 10, 8)), (5, -1, 5, 9))
    label = labelled(cx, lambda x, _: int(x > 5))
    solid = make_solid(cx, label, flat(5.0, 5.0 + gap), 0.0, CORNER_CUT)
    assert solid.status == 0
    assert solid_faults(solid) == set()
    # Four floor vertices, four at the corners of the roof, two or four on the seam.
    assert len(solid.vertices) == n_vertices - 2


def test_collinear_vertices_are_left_out():
    ring = shapely.segmentize(box(0, 0, 10, 8), 1.0)
    cx = cut(started(ring), (-1, 3, 11, 3), (4.5, 3, 4.5, 9))
    solid = solid_of(cx, labelled(cx, lambda *_: 0), flat(5.0))
    assert len(solid.vertices) == 8


def test_a_round_roof_inside_has_a_border_without_corners():
    angle = np.linspace(0, 2 * np.pi, 25)
    x, y = 10 + 3 * np.cos(angle), 10 + 3 * np.sin(angle)
    cx = cut(started(box(0, 0, 20, 20)), *zip(x[:-1], y[:-1], x[1:], y[1:], strict=True))
    label = labelled(cx, lambda x, y: int(np.hypot(x - 10, y - 10) < 3))
    solid = solid_of(cx, label, flat(5.0, 7.0))
    assert faces(solid) == {GROUND_SURFACE: 1, WALL_SURFACE: 28, ROOF_SURFACE: 2}


def test_cells_thinner_than_a_centimetre_take_a_neighbours_label():
    cx = cut(started(box(0, 0, 10, 8)), (-1, 3, 11, 3), (-1, 3.08, 11, 3.08))
    thin = np.flatnonzero(np.isclose(cx.xy[:, 1], 3.08) & (np.arange(len(cx.xy)) < cx.size[0]))
    cx.xy[thin, 1] = 3.005
    label = labelled(cx, lambda _, y: 1 if 3 < y < 3.005 else 0)
    assert (label == 1).sum() == 1
    solid = solid_of(cx, label, flat(5.0, 9.0))
    assert faces(solid)[ROOF_SURFACE] == 1


def test_parts_that_hang_together_by_nothing_are_refused():
    cx = cut(started(box(0, 0, 10, 8)), (3, -1, 3, 9), (7, -1, 7, 9))
    label = labelled(cx, lambda x, _: -1 if 3 < x < 7 else 0)
    solid = make_solid(cx, label, flat(5.0), 0.0, CORNER_CUT)
    assert solid.status == SOLID_APART
    assert len(solid.vertices) == 0


def test_no_labels_no_solid():
    cx = started(box(0, 0, 10, 8))
    solid = make_solid(cx, labelled(cx, lambda *_: -1), flat(5.0), 0.0, CORNER_CUT)
    assert solid.status == SOLID_EMPTY


@pytest.mark.parametrize(("z", "is_low"), [(0.06, False), (0.04, True), (-1.0, True)])
def test_a_roof_below_the_floor_is_reported(z, is_low):
    cx = started(box(0, 0, 10, 8))
    solid = make_solid(cx, labelled(cx, lambda *_: 0), flat(z), 0.0, CORNER_CUT)
    assert bool(solid.status & SOLID_LOW) == is_low


def test_the_complex_is_left_as_it_was():
    cx = cut(started(box(0, 0, 10, 10)), (5, -1, 5, 11), (-1, 5, 11, 5))
    before = [array.copy() for array in cx if array is not cx.stack and array is not cx.mark]
    label = labelled(cx, lambda x, y: int(x > 5) + 2 * int(y > 5))
    make_solid(cx, label, flat(5.0, 8.0, 7.0, 4.0), 0.0, CORNER_CUT)
    after = [array for array in cx if array is not cx.stack and array is not cx.mark]
    for a, b in zip(before, after, strict=True):
        assert a.tobytes() == b.tobytes()


RARE = {
    "a vertex pushed out of a sliver": [202, 219, 301, 529],
    "a border without a fixed vertex": [447, 742, 1095],
    "a wide sector halved": [1740],
}
"""Seeds of `random_solid` that take ways which others do not."""


def random_solid(seed):
    """Complex, labels, planes, floor and solid of a random building."""
    rng = np.random.default_rng(seed)
    cx = started(random_footprint(rng))
    cut(cx, *random_lines(rng, cx))
    if rng.random() < 0.8:
        contract_short_edges(cx, 0.02)
    planes = random_planes(rng, cx)
    label = rng.integers(len(planes), size=cx.size[2])
    if rng.random() < 0.5:
        label[rng.random(cx.size[2]) < 0.6] = 0
    label = np.where(cx.inside[: cx.size[2]], label, -1).astype(np.int32)
    if rng.random() < 0.5:
        flag_thin_cells(cx, 0.1)
        absorb_thin_cells(cx, label)
    heights = planes[:, :2] @ cx.xy[: cx.size[0]].T + planes[:, 2:]
    z_ground = min(3.0, float(heights.min())) - 1.0
    return cx, label, planes, z_ground, make_solid(cx, label, planes, z_ground, CORNER_CUT)


BLOCKS = {f"block{k}": list(range(20 * k, 20 * k + 20)) for k in range(N_RANDOM // 20)}


@pytest.mark.parametrize("seeds", (BLOCKS | RARE).values(), ids=BLOCKS | RARE)
def test_random_roofs_make_valid_solids(seeds):
    for seed in seeds:
        cx, label, planes, z_ground, solid = random_solid(seed)
        assert solid.status == 0, seed
        assert solid_faults(solid) == set(), seed
        # Corner cuts change the volume by their triangles, thin cells by a centimetre.
        expected = prism_volume(cx, label, planes, z_ground)
        cuts = 0.02 * len(cell_polygons(cx)) + 0.002 * expected
        assert solid.volume == pytest.approx(expected, abs=cuts), seed


@pytest.mark.parametrize("seed", range(5))
def test_numbers_of_planes_and_a_shift_in_height_do_not_matter(seed):
    cx, label, planes, z_ground, solid = random_solid(seed)
    n = len(planes)
    again = make_solid(
        cx,
        np.where(label < 0, -1, n - 1 - label).astype(np.int32),
        planes[::-1] + np.array([0.0, 0.0, 100.0]),
        z_ground + 100.0,
        CORNER_CUT,
    )
    assert again.status == 0
    np.testing.assert_allclose(
        again.vertices, solid.vertices + np.array([0, 0, 100]), atol=2e-4
    )
    np.testing.assert_array_equal(again.ring_vertex, solid.ring_vertex)
