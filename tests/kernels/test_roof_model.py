"""The whole of one building, guard by guard."""

from __future__ import annotations

import numpy as np
import pytest
from shapely import Polygon, box

from cimkit.kernels import roof_model
from cimkit.kernels.half_edges import COMPLEX_OK
from cimkit.kernels.roof_labels import LabelRules, cell_areas, height_range
from cimkit.kernels.roof_lines import LineRules, find_roof_lines
from cimkit.kernels.roof_model import (
    BOX,
    CAPPED,
    COARSE,
    CROWDED,
    DEAR,
    FLAT_FIT,
    LOST,
    LOW_ROOF,
    MARGIN,
    NO_PLANE,
    ROOFED,
    STEPPED,
    THINNED,
    RoofRules,
    cut_cells,
    flat_plane,
    highest_cell,
    iso_lines,
    keep_within,
    label_roof,
    largest_planes,
    local_points,
    model_one,
    model_roofs,
)
from cimkit.kernels.roof_planes import PlaneRules, find_roof_planes
from tests.kernels.buildings import labelled, rings_of, solid_faults, started
from tests.roof_oracles import gable_points, sorted_points

HOUSE = box(0, 0, 12, 8)
RINGS = np.array([[0.0, 0], [12, 0], [12, 8], [0, 8]]), np.array([0, 4])
RULES = RoofRules()


def one(xyz, rings=RINGS, area=96.0, ground=0.0, roof=5.0, rules=RULES):
    """Three solids, level, notes, number of planes."""
    xyz = np.asarray(xyz, dtype=float).reshape(-1, 3)
    return model_one(*sorted_points(xyz), *rings, area, ground, roof, rules)


def gable(n=900, seed=0, noise=0.02):
    return gable_points(np.random.default_rng(seed), n, noise)


def test_a_gable_reaches_all_levels():
    low, steps, roof, reached, notes, n_planes = one(gable())
    assert (reached, notes, n_planes) == (BOX | STEPPED | ROOFED, 0, 2)
    for solid in (low, steps, roof):
        assert solid.status == 0
        assert solid_faults(solid) == set()
    assert low.volume == pytest.approx(480.0)
    assert roof.volume == pytest.approx(96 * 5.8, rel=0.005)
    assert steps.volume == pytest.approx(96 * np.quantile(gable()[:, 2], 0.6), rel=0.01)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_points_make_a_box(n):
    low, steps, roof, reached, notes, n_planes = one(gable(n))
    assert (reached, notes, n_planes) == (BOX, NO_PLANE, 0)
    assert low.volume == pytest.approx(480.0)
    assert not len(steps.vertices)
    assert not len(roof.vertices)


def test_a_few_points_of_one_height_are_a_flat_roof():
    xyz = np.column_stack([np.arange(3.0), np.arange(3.0), [6.0, 6.1, 6.05]])
    *_, roof, reached, notes, n_planes = one(xyz)
    assert (reached, notes, n_planes) == (BOX | STEPPED | ROOFED, FLAT_FIT, 0)
    assert roof.volume == pytest.approx(96 * 6.05)


@pytest.mark.parametrize(
    "xyz",
    [
        np.column_stack([np.arange(5.0), np.arange(5.0), 3.0 * np.arange(5) + 4]),
        np.column_stack([np.arange(5.0), np.arange(5.0), np.full(5, 0.2)]),
    ],
    ids=["ladder", "below the ground"],
)
def test_scattered_or_low_points_make_a_box(xyz):
    assert one(xyz)[3:5] == (BOX, NO_PLANE)


def test_an_outline_that_cannot_be_cut_is_lost():
    flat = np.array([[0.0, 0], [5, 0], [9, 0]]), np.array([0, 3])
    assert one(gable(), rings=flat)[3:5] == (0, LOST)


def half(xyz):
    """Points of the lower part of the southern face alone."""
    return xyz[(xyz[:, 1] < 2.0)]


@pytest.mark.parametrize("seed", range(3))
def test_a_plane_without_its_counterpart_is_capped(seed):
    xyz = half(gable(1500, seed))
    *_, roof, reached, notes, _ = one(xyz, ground=0.0)
    assert reached & ROOFED
    assert notes & CAPPED
    assert roof.vertices[:, 2].max() <= xyz[:, 2].max() + MARGIN + 0.01
    assert solid_faults(roof) == set()


def test_a_roof_keeps_above_the_ground():
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 12, 900), rng.uniform(0, 8, 900)
    shed = np.column_stack([x, y, 0.5 * y + rng.normal(0, 0.01, 900)])  # the ground is at 1
    for solid in one(shed, ground=1.0, roof=3.0)[:3]:
        assert solid.status == 0
        top = solid.vertices[:, 2] > 1.001
        assert solid.vertices[top, 2].min() >= 1.0 + LOW_ROOF - 1e-3


def test_a_single_plane_beyond_both_limits_becomes_horizontal():
    """No plane keeps within: a horizontal one does."""
    planes = np.array([[2.0, 0.0, 0.0]])
    n = 50
    x, y = np.full(n, 5.0), np.linspace(1, 7, n)
    z = planes[0, 0] * x
    roof = label_roof(
        *RINGS, x, y, z, np.zeros(n, np.int32), planes, np.empty((0, 5)), 1.0, 9.8, 0.05, 1.0,
        LabelRules(),
    )  # fmt: skip
    assert roof.capped
    assert highest_cell(roof.cx, roof.label, roof.planes) <= 10.5 + 1e-6


def test_the_caps_of_work_drop_the_smallest_planes_and_shortest_lines(monkeypatch):
    planes = np.arange(15.0).reshape(5, 3)
    owner = np.array([0, 1, 1, 2, 2, 2, 3, 3, 3, 3, -1, 4], dtype=np.int32)
    left, numbers = largest_planes(planes, owner, 2)
    np.testing.assert_array_equal(left, planes[[2, 3]])
    assert numbers.tolist() == [-1, -1, -1, 0, 0, 0, 1, 1, 1, 1, -1, -1]


def many_planes(n_side, step=0.6):
    """A field of n x n small flat roofs of different heights, 25 points a m²."""
    x, y = (v.ravel() for v in np.meshgrid(*[np.arange(0.1, n_side, 0.2)] * 2))
    column, row = x.astype(int), y.astype(int)
    z = 5 + step * ((3 * column + 5 * row) % 7)
    return np.column_stack([x, y, z])


def test_local_points_are_capped_at_density():
    xyz = np.random.default_rng(0).uniform(0, 3, (2000, 3))
    columns = [c.copy() for c in xyz.T]
    x, *_, thinned = local_points(*columns, np.arange(2000), 0, 0, 9.0)
    assert thinned
    assert len(x) / 9.0 <= 45.0
    assert not local_points(*columns, np.arange(200), 0, 0, 9.0)[-1]


def test_far_points_are_pulled_to_where_they_can_be_counted():
    x = np.array([-9e6, 9e6, 1.0])
    z = np.array([0.0, 1e6, 2.0])
    px, py, pz, z0, _ = local_points(x, x, z, np.arange(3), 0, 0, 9.0)
    assert z0 == 0.0
    assert px.min() == 0.0
    assert max(px.max(), py.max()) == 2097.151
    assert pz.max() == 1048.575


def test_the_height_of_most_points():
    assert flat_plane(np.array([1.0, 1.1, 5.0, 5.1, 5.2]), 0.2) == (pytest.approx(5.1), 3)
    assert flat_plane(np.array([1.0, 9.0]), 0.2) == (9.0, 1)  # of equal ones the highest


def test_a_complex_grows_until_it_holds_all_lines():
    n = 60
    lines = np.zeros((2 * n, 5))
    lines[:n, 0] = lines[:n, 2] = np.linspace(0.3, 11.7, n)
    lines[:n, 3] = 8.0
    lines[n:, 1] = lines[n:, 3] = np.linspace(0.2, 7.8, n)
    lines[n:, 2] = 12.0
    cx, status = cut_cells(*RINGS, lines, 0.05)
    assert status == COMPLEX_OK
    assert cx.inside[: cx.size[2]].sum() == (n + 1) ** 2


def test_lines_at_one_height():
    cx = started(HOUSE)
    planes = np.array([[0.0, 0.5, 2.0], [0.0, 0.0, 9.0], [0.5, 0.0, 2.0]])
    label = labelled(cx, lambda _x, _y: 0)
    lines = iso_lines(cx, label, planes, 4.0)
    assert len(lines) == 1
    np.testing.assert_allclose(lines[0, [1, 3]], 4.0)
    assert abs(lines[0, 2] - lines[0, 0]) == pytest.approx(12.0)
    assert len(iso_lines(cx, label, planes, 99.0)) == 0


def test_cells_beyond_the_limits_take_the_cheapest_plane_within():
    cx = started(HOUSE)
    planes = np.array([[0.0, 0.0, 9.0], [0.0, 0.0, 4.0], [0.0, 0.0, 3.0], [0.0, 0.0, -9.0]])
    cost = np.tile([0.0, 2.0, 1.0, 0.0], (cx.size[2], 1))
    label = labelled(cx, lambda _x, _y: 0)
    assert keep_within(cx, label, cost, planes, 0.0, 5.0)
    assert set(label[label >= 0]) == {2}
    assert keep_within(cx, label, cost, planes, 0.0, 5.0)  # nothing left to do
    assert not keep_within(cx, label, cost, planes, 5.0, 6.0)


def test_many_buildings_are_as_many_alone():
    shapes = [HOUSE, Polygon([(20, 0), (30, 0), (30, 9), (25, 12)]), box(40, 0, 44, 4)]
    xyz = gable()
    more = np.concatenate([xyz, xyz * (0.4, 0.4, 1.0) + (22, 1, 3)])
    rings = [np.rint(np.array(s.exterior.coords)[:-1] * 1000).astype(np.int64) for s in shapes]
    offsets = np.cumsum([0, *map(len, rings)])
    borders = np.array([0, 900, 1800, 1800])
    area, ground, roof = np.array([s.area for s in shapes]), np.zeros(3), np.full(3, 4.0)

    def run(rows, rings, offsets, borders, chosen):
        return model_roofs(
            *(c.copy() for c in more.T), rows, borders, np.concatenate(rings), offsets,
            np.arange(len(rings) + 1), area[chosen], ground[chosen], roof[chosen], RULES,
        )  # fmt: skip

    whole = run(np.arange(1800), rings, offsets, borders, np.arange(3))
    assert whole.reached.tolist() == [7, 7, 1]
    assert whole.notes.tolist()[::2] == [0, NO_PLANE]
    assert whole.notes[1] & THINNED == (900 / shapes[1].area > 40)
    for b in range(3):
        rows = np.arange(borders[b], borders[b + 1])
        alone = run(rows, [rings[b]], np.array([0, len(rings[b])]), np.array([0, len(rows)]),
                    np.array([b]))  # fmt: skip
        for store, own in zip(whole[:3], alone[:3], strict=True):
            first, last = store.vertex_offsets[b : b + 2]
            np.testing.assert_array_equal(
                store.vertices[first:last], own.vertices[: own.vertex_offsets[1]]
            )
