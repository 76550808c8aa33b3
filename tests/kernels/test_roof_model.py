"""The whole of one building, guard by guard."""

from __future__ import annotations

import numpy as np
import pytest
from shapely import box

from cimkit.kernels import roof_model
from cimkit.kernels._jit import JIT
from cimkit.kernels.half_edges import COMPLEX_OK
from cimkit.kernels.roof_labels import LabelRules
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
    RoofRules,
    cut_cells,
    flat_plane,
    highest_cell,
    iso_lines,
    keep_within,
    label_roof,
    local_points,
    model_roof,
    ring_area,
)
from cimkit.kernels.roof_solid import make_solid
from tests.kernels.buildings import labelled, solid_faults, started
from tests.roof_oracles import columns_of, gable_points

HOUSE = box(0, 0, 12, 8)
MM = np.array([[0, 0], [12_000, 0], [12_000, 8000], [0, 8000]])
RINGS = MM / 1000.0, np.array([0, 4])
RULES = RoofRules()


def one(xyz, ring_mm=MM, ground=0.0, roof=5.0, rules=RULES):
    """The model of one building without courtyards."""
    xyz = np.asarray(xyz, dtype=float).reshape(-1, 3)
    rows, offsets = np.arange(len(xyz)), np.array([0, len(ring_mm)])
    return model_roof(*columns_of(xyz), rows, ring_mm, offsets, ground, roof, rules)


def gable(n=900, seed=0, noise=0.02):
    return gable_points(np.random.default_rng(seed), n, noise)


def test_a_gable_reaches_all_levels():
    model = one(gable())
    assert (model.reached, model.notes, model.n_planes) == (BOX | STEPPED | ROOFED, 0, 2)
    assert model.base == gable()[:, 2].min()
    for solid in model[:3]:
        assert solid.status == 0
        assert solid_faults(solid) == set()
    assert model.box.volume == pytest.approx(480.0)
    assert model.roofed.volume == pytest.approx(96 * 5.8, rel=0.005)
    level = np.quantile(gable()[:, 2], 0.6)
    assert model.stepped.volume == pytest.approx(96 * level, rel=0.01)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_points_make_a_box(n):
    model = one(gable(n))
    assert (model.reached, model.notes, model.n_planes) == (BOX, NO_PLANE, 0)
    assert model.box.volume == pytest.approx(480.0)
    assert not len(model.stepped.vertices)
    assert not len(model.roofed.vertices)


def test_a_few_points_of_one_height_are_a_flat_roof():
    xyz = np.column_stack([np.arange(3.0), np.arange(3.0), [6.0, 6.1, 6.05]])
    model = one(xyz)
    assert (model.reached, model.n_planes) == (BOX | STEPPED | ROOFED, 0)
    assert model.notes == FLAT_FIT
    assert model.roofed.volume == pytest.approx(96 * 6.05)


@pytest.mark.parametrize(
    "xyz",
    [
        np.column_stack([np.arange(5.0), np.arange(5.0), 3.0 * np.arange(5) + 4]),
        np.column_stack([np.arange(5.0), np.arange(5.0), np.full(5, 0.2)]),
    ],
    ids=["ladder", "below the ground"],
)
def test_scattered_or_low_points_make_a_box(xyz):
    model = one(xyz)
    assert (model.reached, model.notes) == (BOX, NO_PLANE)


def test_an_outline_that_cannot_be_cut_is_lost():
    flat = np.array([[0, 0], [5000, 0], [9000, 0]])
    model = one(gable(), ring_mm=flat)
    assert (model.reached, model.notes & LOST) == (0, LOST)


@pytest.mark.parametrize("seed", range(3))
def test_a_plane_without_its_counterpart_is_capped(seed):
    xyz = gable(1500, seed)
    xyz = xyz[xyz[:, 1] < 2.0]
    model = one(xyz)
    assert model.reached & ROOFED
    assert model.notes & CAPPED
    top = model.base + model.roofed.vertices[:, 2].max()
    assert top <= xyz[:, 2].max() + MARGIN + 0.01
    assert solid_faults(model.roofed) == set()


def test_a_roof_keeps_above_the_ground():
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 12, 900), rng.uniform(0, 8, 900)
    shed = np.column_stack([x, y, 0.5 * y + rng.normal(0, 0.01, 900)])  # the ground is at 1
    model = one(shed, ground=1.0, roof=3.0)
    assert model.reached == BOX | STEPPED | ROOFED
    for solid in model[:3]:
        z = model.base + solid.vertices[:, 2]
        assert z[z > 1.001].min() >= 1.0 + LOW_ROOF - 1e-3


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


def many_planes():
    """Flat roofs of 3 x 3 m, of different heights, 8 points a m²."""
    x, y = (v.ravel() for v in np.meshgrid(np.arange(0.2, 12, 0.35), np.arange(0.2, 8, 0.35)))
    z = 5 + 0.6 * ((3 * (x // 3) + 5 * (y // 3)) % 7)
    return np.column_stack([x, y, z])


def test_local_points_are_capped_at_density():
    xyz = np.random.default_rng(0).uniform(0, 3, (2000, 3))
    columns = columns_of(xyz)
    x, *_, thinned = local_points(*columns, np.arange(2000), 0, 0, 1.0, 9.0)
    assert thinned
    assert len(x) / 9.0 <= 45.0
    assert not local_points(*columns, np.arange(200), 0, 0, 1.0, 9.0)[-1]


def test_far_points_are_pulled_to_where_they_can_be_counted():
    x = np.array([-9e6, 9e6, 1.0])
    px, py, *_ = local_points(x, x, np.ones(3), np.arange(3), 0, 0, 1.0, 9.0)
    assert px.min() == 0.0
    assert max(px.max(), py.max()) == 2097.151


@pytest.mark.parametrize("value", [-9999.0, 99_999.0, 1e6, -1e300])
def test_heights_that_stand_for_no_value_are_left_out(value):
    z = np.array([value, 5.0, 2.0])
    _, _, pz, z0, _ = local_points(z * 0, z * 0, z, np.arange(3), 0, 0, 4.0, 9.0)
    assert (z0, pz.tolist()) == (2.0, [0.0, 3.0])
    none = local_points(z * 0, z * 0, z, np.arange(1), 0, 0, 4.0, 9.0)
    assert len(none[0]) == 0


def test_the_height_of_most_points():
    height, count = flat_plane(np.array([1.0, 1.1, 5.0, 5.1, 5.2]), 0.2)
    assert height == pytest.approx(5.1)
    assert count == 3
    assert flat_plane(np.array([1.0, 9.0]), 0.2) == (9.0, 1)  # of equal ones the highest


def test_a_complex_grows_until_it_holds_all_lines():
    n = 25
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


@pytest.mark.parametrize(("limit", "name"), [(4, "PLANES_MAX"), (2, "LINES_MAX")])
def test_more_than_the_caps_of_work_is_said(limit, name, monkeypatch):
    """The constants are compiled in: what they do is seen without the compiler only."""
    if JIT:
        pytest.skip("constants of compiled kernels cannot be changed")
    monkeypatch.setattr(roof_model, name, limit)
    model = one(many_planes())
    assert model.notes & CROWDED
    assert model.reached & BOX
    assert model.n_planes > 4


def test_a_roof_that_does_not_close_is_tried_again_and_then_given_up(monkeypatch):
    if JIT:
        pytest.skip("functions of compiled kernels cannot be changed")
    make, calls = make_solid, []

    def fails(cx, label, planes, z_ground, cut):
        calls.append(cut)
        solid = make(cx, label, planes, z_ground, cut)
        return solid if len(calls) in good else solid._replace(status=1)

    monkeypatch.setattr(roof_model, "make_solid", fails)
    for good, reached, notes in (
        ({}, 0, LOST),
        ({1}, BOX, COARSE | DEAR),
        ({1, 2}, BOX | STEPPED, COARSE | DEAR),
        ({1, 2, 4}, BOX | STEPPED | ROOFED, COARSE),
        ({1, 2, 5}, BOX | STEPPED | ROOFED, COARSE | DEAR),
        ({1, 4, 5}, BOX | STEPPED | ROOFED, COARSE),
    ):
        calls.clear()
        model = one(gable())
        assert (model.reached, model.notes) == (reached, notes), good


def test_a_partition_that_is_not_made_is_tried_again(monkeypatch):
    if JIT:
        pytest.skip("functions of compiled kernels cannot be changed")
    cut, calls = cut_cells, []

    def fails(*given):
        calls.append(given[-1])
        cx, status = cut(*given)
        return cx, 1 if len(calls) == 2 else status

    monkeypatch.setattr(roof_model, "cut_cells", fails)
    model = one(gable())
    assert model.reached == BOX | STEPPED | ROOFED
    assert model.notes == COARSE
    assert calls == [0.05, 0.05, 0.1]


def test_area_is_that_of_the_outline_without_its_courtyards():
    yard = np.array([[2000, 2000], [2000, 5000], [6001, 5000], [6001, 2000]])
    rings, offsets = np.concatenate([MM, yard]), np.array([0, 4, 8])
    assert ring_area(rings, offsets) == 96.0 - 12.003
    assert ring_area(rings + 3_999_999, offsets) == 96.0 - 12.003
