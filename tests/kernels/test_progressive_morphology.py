"""What holds for openings, pits and objects on any surface."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays

from cimkit.kernels.cell_neighbours import compare_neighbours, lift_to_middle
from cimkit.kernels.progressive_morphology import (
    NO_HEIGHT,
    find_objects,
    find_pits,
    lowest_cells,
    open_surface,
)

SURFACES = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=2, max_side=8),
    elements=st.integers(-20, 20).map(float),
)


def plane(rows, columns, east, north):
    row, column = np.mgrid[0:rows, 0:columns]
    return (east * column + north * row).astype(np.float32)


@given(SURFACES, st.integers(1, 4))
def test_an_opening_lies_below_and_is_its_own_opening(z, radius):
    opened = open_surface(z, radius)
    assert (opened <= z).all()
    np.testing.assert_array_equal(open_surface(opened, radius), opened)
    np.testing.assert_array_equal(open_surface(z[::-1, ::-1], radius)[::-1, ::-1], opened)
    np.testing.assert_array_equal(open_surface(np.ascontiguousarray(z.T), radius).T, opened)


@given(SURFACES, st.integers(1, 3))
def test_a_wider_window_takes_more(z, radius):
    assert (open_surface(z, radius + 1) <= open_surface(z, radius)).all()


@pytest.mark.parametrize("radius", [1, 4, 9])
@pytest.mark.parametrize(("east", "north"), [(0.3, 0.0), (-0.5, 1.0), (2.0, -2.0)])
def test_a_plane_stays_up_to_its_edges(radius, east, north):
    z = plane(17, 23, east, north)
    np.testing.assert_array_equal(open_surface(z, radius), z)
    assert not find_objects(z, 1.0, 2.0 * radius, 0.25, 0.3, 2.5).any()


def test_empty_places_are_passed_over():
    z = np.full((1, 40), np.inf, dtype=np.float32)
    z[0, 5] = 3.0
    opened = open_surface(z, 2)
    assert opened[0, 5] == 3.0
    assert np.isinf(opened[0, 20:]).all()


@pytest.mark.parametrize(("window", "found"), [(8.0, False), (14.0, True)])
def test_an_object_is_found_by_a_window_wider_than_it(window, found):
    z = plane(40, 40, 0.1, 0.0)
    z[14:25, 12:26] += 5.0
    objects = find_objects(z, 1.0, window, 0.25, 0.3, 2.5)
    assert objects[14:25, 12:26].all() == found
    objects[14:25, 12:26] = False
    assert not objects.any()


def test_bands_give_the_bits_of_the_whole(monkeypatch):
    rng = np.random.default_rng(6)
    z = (plane(40, 24, 0.05, 0.2) + rng.choice([0, 0, 5], (40, 24))).astype(np.float32)
    z[rng.random(z.shape) < 0.02] -= 9
    whole = find_pits(z), find_objects(z, 1.0, 4.0, 0.25, 0.3, 2.5)
    assert whole[0].any()
    assert whole[1].any()
    monkeypatch.setattr("cimkit.kernels.progressive_morphology.BAND", 7)
    np.testing.assert_array_equal(find_pits(z), whole[0])
    np.testing.assert_array_equal(find_objects(z, 1.0, 4.0, 0.25, 0.3, 2.5), whole[1])


def test_lonely_low_cells_are_pits_and_a_ditch_is_none():
    z = plane(60, 60, 0.02, 0.0)
    z[:, 10] -= 2.0
    stray = [(5, 30), (30, 30), (30, 31), (50, 55)]
    for place in stray:
        z[place] -= 7.0
    assert list(map(tuple, np.argwhere(find_pits(z)).tolist())) == stray
    z[:] = np.nan
    assert not find_pits(z).any()


def test_a_few_cells_of_ground_below_a_forest_are_no_pits():
    rng = np.random.default_rng(2)
    z = rng.uniform(4, 12, (30, 30)).astype(np.float32)
    ground = rng.random(z.shape) < 0.05
    z[ground] = rng.normal(0, 0.05, int(ground.sum()))
    assert not find_pits(z)[ground].any()


def test_the_middle_of_a_cell_on_a_slope():
    z = plane(9, 9, 0.4, 0.1)
    lifted = lift_to_middle(z, z)
    np.testing.assert_allclose(lifted - z, 0.25, atol=1e-6)
    wall = plane(1, 5, 0, 0)
    wall[0, 3:] = 40
    assert (lift_to_middle(wall, wall) - wall).max() == 0.5
    assert lift_to_middle(wall[:, :1], wall[:, :1])[0, 0] == 0


def test_steps_are_counted_along_a_wall():
    z = plane(20, 30, 0, 0)
    z[:, 15:] = 4.0
    fits, steps = compare_neighbours(z, 0.1, 2.0)
    assert steps == 2 * 20
    assert (fits[:, 15] == 1).all()
    assert (fits[:, :12] == 2).all()
    assert compare_neighbours(z.T.copy(), 0.1, 2.0)[1] == 2 * 20


def test_lowest_heights_do_not_depend_on_the_order_and_pass_over_what_is_no_height():
    rng = np.random.default_rng(0)
    x, y, z = rng.uniform(-3, 3, (3, 300))
    z[7] = -1e7
    grids = []
    for order in (np.arange(300), np.arange(300)[::-1]):
        low = np.full((6, 6), NO_HEIGHT, dtype=np.int32)
        for part in np.split(order, 3):
            lowest_cells(x[part], y[part], z[part], 1.0, -3, -3, low)
        grids.append(low)
    np.testing.assert_array_equal(*grids)
    assert grids[0].min() > -3001
