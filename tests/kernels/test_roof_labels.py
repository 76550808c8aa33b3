"""Labels of cells: energy against brute force; levels; limits of height."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import box

from cimkit.kernels.roof_labels import (
    LabelRules,
    cell_areas,
    cell_costs,
    height_limits,
    height_range,
    label_cells,
    locate_points,
    shared_borders,
)
from cimkit.kernels.roof_levels import quantile_of, regions_of, step_levels
from tests.kernels.buildings import cell_polygons, cut, labelled, random_lines, started

BORDER, REGION = 0.05, 0.8


def random_cells(seed, size=12):
    rng = np.random.default_rng(seed)
    cx = started(box(0, 0, size, size))
    return rng, cut(cx, *random_lines(rng, cx))


def energy(cx, label, cost, border=BORDER, region=REGION):
    """What `label_cells` makes small, from its definition."""
    inner = np.flatnonzero(cx.inside[: cx.size[2]])
    total = cost[inner, label[inner]].sum() + region * regions_of(cx, label)[1]
    cells, length = shared_borders(cx)
    apart = label[cells[:, 0]] != label[cells[:, 1]]
    return total + border * length[apart].sum()


def best_energy(cx, cost):
    """The least energy of all labellings."""
    inner = np.flatnonzero(cx.inside[: cx.size[2]])
    label = np.full(cx.size[2], -1, np.int32)
    found = np.inf
    for chosen in product(range(cost.shape[1]), repeat=len(inner)):
        label[inner] = chosen
        found = min(found, energy(cx, label, cost))
    return found


@pytest.mark.parametrize("seed", range(40))
def test_the_energy_is_near_the_least_of_all(seed):
    rng, cx = random_cells(seed)
    inner = int(cx.inside[: cx.size[2]].sum())
    n_planes = 3 if inner <= 6 else 2
    cost = rng.exponential(rng.choice([0.3, 2.0, 10.0]), (cx.size[2], n_planes))
    label = label_cells(cx, cost, BORDER, REGION)
    assert (label >= 0).tolist() == cx.inside[: cx.size[2]].tolist()
    cheapest = np.where(cx.inside[: cx.size[2]], cost.argmin(axis=1), -1).astype(np.int32)
    mine = energy(cx, label, cost)
    assert mine <= energy(cx, cheapest, cost) + 1e-9
    if n_planes**inner <= 3000:
        least = best_energy(cx, cost)
        assert least - 1e-9 <= mine <= 1.15 * least + REGION


def test_on_most_small_roofs_the_least_energy_is_found():
    hits = 0
    for seed in range(30):
        rng, cx = random_cells(seed)
        if cx.inside[: cx.size[2]].sum() > 8:
            hits += 1
            continue
        cost = rng.exponential(2.0, (cx.size[2], 2))
        label = label_cells(cx, cost, BORDER, REGION)
        hits += energy(cx, label, cost) <= best_energy(cx, cost) + 1e-9
    assert hits >= 24


def test_a_free_price_gives_each_cell_its_cheapest_plane():
    rng, cx = random_cells(3)
    cost = rng.uniform(0, 1, (cx.size[2], 4))
    label = label_cells(cx, cost, 0.0, 0.0)
    inner = cx.inside[: cx.size[2]]
    assert (label[inner] == cost.argmin(axis=1)[inner]).all()


@pytest.mark.parametrize("seed", range(10))
def test_a_high_price_gives_one_plane(seed):
    rng, cx = random_cells(seed)
    cost = rng.uniform(0, 1, (cx.size[2], 4))
    label = label_cells(cx, cost, 100.0, 100.0)
    inner = cx.inside[: cx.size[2]]
    assert set(label[inner]) == {cost[inner].sum(axis=0).argmin()}


@pytest.mark.parametrize("seed", range(10))
def test_a_higher_price_never_makes_the_fit_better(seed):
    rng, cx = random_cells(seed)
    cost = rng.exponential(1.0, (cx.size[2], 3))
    inner = np.flatnonzero(cx.inside[: cx.size[2]])
    regions, fits = [], []
    for price in (0.0, 1.0, 100.0):
        label = label_cells(cx, cost, price * BORDER, price * REGION)
        regions.append(regions_of(cx, label)[1])
        fits.append(cost[inner, label[inner]].sum())
    assert regions[0] >= regions[1] >= regions[2] == 1
    assert fits[0] <= fits[1] + 1e-9
    assert fits[1] <= fits[2] + 1e-9


def test_a_cell_changes_sides_after_the_merge():
    """Merging alone keeps the middle strip with the region that it joined first."""
    cx = cut(started(box(0, 0, 9, 9)), (3, 0, 3, 9), (6, 0, 6, 9), (0, 4.5, 9, 4.5))
    for seed in range(200):
        cost = np.random.default_rng(seed).exponential(1.0, (cx.size[2], 3))
        label = label_cells(cx, cost, 0.3, 0.5)
        for c in np.flatnonzero(cx.inside[: cx.size[2]]):  # no single change pays
            for other in range(3):
                changed = label.copy()
                changed[c] = other
                neighbours = {int(label[d]) for pair in shared_borders(cx)[0] if c in pair
                              for d in pair if d != c}  # fmt: skip
                if (
                    other in neighbours
                    and regions_of(cx, changed)[1] <= regions_of(cx, label)[1]
                ):
                    gain = energy(cx, label, cost, 0.3, 0.5) - energy(
                        cx, changed, cost, 0.3, 0.5
                    )
                    assert gain <= 0.5 + 1e-9


@pytest.mark.parametrize("seed", range(8))
def test_points_lie_in_the_cells_that_are_found(seed):
    rng, cx = random_cells(seed)
    x, y = rng.uniform(-0.9, 12.9, (2, 60))
    where = locate_points(cx, x, y)
    shapes = cell_polygons(cx)
    assert (shapely.distance(shapes[where], shapely.points(x, y)) < 1e-6).all()
    np.testing.assert_allclose(cell_areas(cx), shapely.area(shapes), atol=1e-9)


def test_shared_borders_are_those_of_the_cells():
    _, cx = random_cells(5)
    cells, length = shared_borders(cx)
    shapes = cell_polygons(cx)
    common = shapely.length(shapely.intersection(shapes[cells[:, 0]], shapes[cells[:, 1]]))
    total = np.zeros((cx.size[2],) * 2)
    np.add.at(total, tuple(cells.T), length)
    for (a, b), expected in zip(cells, common, strict=True):
        assert total[a, b] == pytest.approx(expected, abs=1e-3)
    assert cx.inside[cells].all()


def test_points_outside_cost_nothing():
    cx = started(box(0, 0, 12, 12))
    planes = np.array([[0.0, 0, 5.0]])
    x = np.array([-0.5, 6.0, 6.0])  # the box begins 1 m before the footprint
    where = np.array([locate_points(cx, x[:1], x[:1])[0], -1, -1], dtype=np.int32)
    assert not cx.inside[where[0]]
    cost = cell_costs(
        cx, cell_areas(cx), x, x, np.zeros(3), where, planes, planes[:, 2], planes[:, 2],
        1.0, LabelRules(),
    )  # fmt: skip
    assert (cost == 0).all()


def test_planes_beyond_their_points_are_dear():
    cx = started(box(0, 0, 10, 10))
    c = int(np.flatnonzero(cx.inside[: cx.size[2]])[0])
    steep, none = np.array([[0.5, 0.0, 0.0]]), np.empty(0)
    low, high = height_range(cx, c, steep[0])
    assert high - low == pytest.approx(5.0)
    owner = np.array([0, 0, -1], dtype=np.int32)
    found = height_limits(np.array([2.0, 3.0, 9.0]), owner, 2)
    assert [v.tolist() for v in found] == [[2.0, np.inf], [3.0, -np.inf]]

    def price(low, high):
        return cell_costs(
            cx, cell_areas(cx), none, none, none, np.empty(0, np.int32), steep,
            np.array([low]), np.array([high]), 1.0, LabelRules(),
        )[c, 0]  # fmt: skip

    assert price(low + 0.5, high - 0.5) == 0.0
    assert price(low, high - 1.0) == pytest.approx(150.0)  # 3 m² for each of 100 m², by half
    assert price(low + 9.0, high) == pytest.approx(300.0)


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40),
    st.floats(0, 1),
)
def test_quantiles_are_those_of_numpy(values, q):
    expected = np.quantile(np.array(values), q)
    assert quantile_of(np.array(values), q) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_regions_are_connected_sets_of_one_label(seed):
    rng, cx = random_cells(seed)
    label = np.where(cx.inside[: cx.size[2]], rng.integers(0, 2, cx.size[2]), -1)
    region, count = regions_of(cx, label.astype(np.int32))
    shapes = cell_polygons(cx)
    parts = 0
    for value in (0, 1):
        union = shapely.union_all(shapes[label == value], grid_size=1e-4)
        parts += len(shapely.get_parts(union)) if not union.is_empty else 0
        for r in np.unique(region[label == value]):
            assert set(label[region == r]) == {value}
    assert count == parts
    assert (region == -1).tolist() == (label == -1).tolist()


def flat_parts(*heights, points=True, step=3.0):
    """LoD1.3 of strips 3 m wide, each flat; heights by strip."""
    n = len(heights)
    cx = started(box(0, 0, 3 * n, 5))
    cut(cx, *[(3 * k, -1, 3 * k, 6) for k in range(1, n)])
    label = labelled(cx, lambda x, _: int(x // 3))
    planes = np.zeros((n, 3))
    planes[:, 2] = heights
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, (3 * n, 5), (100 * n if points else 0, 2)).T.copy()
    where = locate_points(cx, x, y)
    z = planes[label[where], 2] if points else np.empty(0)
    level, found = step_levels(cx, label, cell_areas(cx), planes, z, where, step, 0.6)
    order = np.argsort(label[label >= 0], kind="stable")
    return found[level[label >= 0], 2][order].round(3).tolist()


@pytest.mark.parametrize("points", [True, False])
def test_steps_of_three_metres_are_kept(points):
    assert flat_parts(4.0, 8.0, points=points) == [4.0, 8.0]
    assert flat_parts(4.0, 7.0, points=points) == [4.0, 7.0]
    assert len(set(flat_parts(4.0, 6.9, points=points))) == 1


def test_the_smallest_step_is_joined_first():
    found = flat_parts(4.0, 6.5, 8.5, 20.0, points=False)  # 6.5 and 8.5 become 7.5
    assert found == [4.0, 7.5, 7.5, 20.0]


def test_any_step_may_be_asked_for():
    assert flat_parts(4.0, 4.5, step=0.1) == [4.0, 4.5]
    assert len(set(flat_parts(4.0, 14.0, step=50.0))) == 1
