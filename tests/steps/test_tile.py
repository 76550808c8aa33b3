from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cimkit.errors import ParameterError
from cimkit.steps.detail import measure_detail
from cimkit.steps.tile import (
    ERROR_MIN,
    INNER_BYTES,
    LEAF_BYTES,
    OF_INNER,
    OF_LEAVES,
    morton_keys,
    tile,
)
from cimkit.tables import Buildings, Footprints
from cimkit.tables.detail import Detail
from tests.extruded import boxes, extrude


def sizes(city):
    box = city.footprints.bounds
    return np.maximum(city.buildings.height, np.hypot(*(box[:, 2:] - box[:, :2]).T))


def with_levels(city, seed=0):
    """Up to four solids a building, of random sizes and deviations."""
    rng, n = np.random.default_rng(seed), len(city.buildings)
    corners = np.cumsum(rng.integers(20, 200, (n, 4)), axis=1)
    deviation = np.column_stack([rng.uniform(0, 9, (n, 3)), np.zeros(n)])
    there = rng.random((n, 4)) < 0.8
    there[:, 1] |= ~there.any(axis=1)
    best = 3 - np.argmax(there[:, ::-1], axis=1)
    deviation[np.arange(n), best] = 0
    return Detail(corners * there, corners * there // 2, np.where(there, deviation, np.inf))


def assert_whole(tree, city, detail, tile_buildings):
    """What every client relies on, by plain loops over the tree."""
    size, leaves, n = sizes(city), [], len(tree)
    children = [[c for c in range(n) if tree.parent[c] == row] for row in range(n)]
    assert all(tree.level[c] == tree.level[tree.parent[c]] + 1 for c in range(1, n))
    assert (np.diff(tree.level) >= 0).all()
    cost = detail.cost_bytes

    def below(row):
        if not children[row]:
            return set(tree.buildings(row).tolist())
        return set().union(*(below(child) for child in children[row]))

    def weight(row):
        return int(cost[tree.buildings(row), tree.levels(row)].sum())

    for row in range(n):
        rows, lods = tree.buildings(row), tree.levels(row)
        shown = set(rows.tolist())
        assert len(shown) == len(rows) > 0
        assert detail.there[rows, lods].all()
        if not children[row]:
            assert tree.error[row] == 0
            assert (detail.deviation[rows, lods] == 0).all()
            assert len(rows) == 1 or (len(rows) <= tile_buildings and weight(row) <= LEAF_BYTES)
            leaves += sorted(shown)
            continue
        # The error bounds what the tile leaves out of each building below it.
        assert detail.deviation[rows, lods].max() <= tree.error[row]
        omitted = below(row) - shown
        assert all(size[one] <= tree.error[row] for one in omitted)
        assert tree.error[row] >= ERROR_MIN
        assert all(tree.error[row] > tree.error[child] for child in children[row])
        budget = sum(
            (OF_INNER if children[child] else OF_LEAVES) * weight(child)
            for child in children[row]
        )
        least = cost[rows].min(axis=1, where=detail.there[rows], initial=10**9).max()
        assert weight(row) <= max(min(budget, INNER_BYTES), least * len(shown))
    assert sorted(leaves) == list(range(len(city.buildings)))


def assert_cells(tree):
    """Each cell lies in that of its parent, and no two tiles share one."""
    cells = [tuple(cell) for cell in tree.cell.tolist()]
    assert len(set(cells)) == len(cells)
    for row in range(1, len(tree)):
        level, x, y = cells[row]
        up = level - cells[tree.parent[row]][0]
        assert up > 0
        assert (level - up, x >> up, y >> up) == cells[tree.parent[row]]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-300, 300), st.integers(-300, 300), st.integers(3, 200)),
        min_size=1,
        max_size=60,
    ),
    st.integers(1, 9),
    st.integers(0, 5),
)
def test_every_random_city_is_whole_on_every_level(places, tile_buildings, seed):
    shapes = [shapely.box(x, y, x + 10, y + 6) for x, y, _ in places]
    city = extrude(shapes, [height for _, _, height in places])
    detail = with_levels(city, seed)
    tree = tile(city.footprints, city.buildings, detail, tile_buildings=tile_buildings)
    assert_whole(tree, city, detail, tile_buildings)
    assert_cells(tree)


def test_a_large_city():
    city = boxes(5000)
    detail = with_levels(city)
    tree = tile(city.footprints, city.buildings, detail)
    assert_whole(tree, city, detail, 256)
    assert_cells(tree)
    # Leaves are cut by bytes here: four to one that is cut, which had more than a leaf may.
    assert tree.leaf.sum() < 4 * max(
        5000 / 256, detail.cost_bytes.max(axis=1).sum() / LEAF_BYTES
    )
    weight = detail.cost_bytes[tree.members, tree.lod]
    tile_of = np.repeat(np.arange(len(tree)), np.diff(tree.member_offsets))
    in_leaf = tree.leaf[tile_of]
    assert weight[~in_leaf].sum() <= OF_LEAVES / (1 - OF_INNER) * weight[in_leaf].sum()


def test_cells_are_squares_of_the_map_around_the_centres_of_their_buildings():
    city = boxes(900)
    tree = tile(city.footprints, city.buildings, tile_buildings=20)
    west, south, edge = tree.square
    box = city.footprints.bounds
    centre = (box[:, :2] + box[:, 2:]) / 2
    for row in range(len(tree)):
        level, x, y = tree.cell[row].tolist()
        size = edge / 2**level
        low = np.array([west + x * size, south + y * size])
        inside = centre[tree.buildings(row)] - low
        assert (inside >= 0).all()
        assert (inside < size).all()


def test_a_spire_keeps_its_roof_where_others_are_blocks():
    """Its block would be off by 60 m, the others' by 1 m: the overview shows it whole."""
    city = boxes(600)
    n = len(city.buildings)
    nothing, endless = np.zeros(n), np.full(n, np.inf)
    corners = np.column_stack([nothing, np.full(n, 24), nothing, np.full(n, 60)])
    deviation = np.column_stack([endless, np.ones(n), endless, nothing])
    deviation[7, 1] = 60.0
    tree = tile(city.footprints, city.buildings, Detail(corners, corners // 2, deviation))
    inner = np.flatnonzero(~tree.leaf)
    for row in inner.tolist():
        rows, lods = tree.buildings(row), tree.levels(row)
        assert tree.error[row] < 60
        assert set(lods[rows == 7].tolist()) <= {3}
        assert set(lods[rows != 7].tolist()) == {1}


def test_models_are_measured_where_they_are_given():
    city = boxes(40)
    tree = tile(city.footprints, city.buildings, city.models, tile_buildings=8)
    assert set(tree.lod.tolist()) == {1}
    assert_whole(tree, city, measure_detail(city.models, city.buildings.building_id), 8)


def test_the_order_of_the_rows_does_not_matter():
    city = boxes(700)
    shuffled = np.random.default_rng(1).permutation(700)
    tree = tile(city.footprints, city.buildings, tile_buildings=20)
    other = tile(
        city.footprints.take(shuffled), city.buildings.take(shuffled), tile_buildings=20
    )
    np.testing.assert_array_equal(tree.members, shuffled[other.members])
    np.testing.assert_array_equal(tree.error, other.error)
    np.testing.assert_array_equal(tree.member_offsets, other.member_offsets)


def test_a_new_building_leaves_the_tiles_elsewhere_alone():
    city = boxes(700)
    far = shapely.box(530_000, 3_040_000, 530_020, 3_040_010)
    grown = extrude([*city.footprints.polygons(), far], [*city.buildings.height, 9.0])
    before, after = (tile(c.footprints, c.buildings, tile_buildings=20) for c in (city, grown))
    tiles = {tuple(after.buildings(row).tolist()) for row in range(len(after))}
    leaves = np.flatnonzero(before.leaf).tolist()
    assert {tuple(before.buildings(row).tolist()) for row in leaves} <= tiles


def test_towers_at_one_spot_are_divided_by_their_names():
    city = extrude([shapely.box(0, 0, 5, 5)] * 100, 20.0)
    tree = tile(city.footprints, city.buildings, tile_buildings=8)
    assert np.diff(tree.member_offsets)[tree.leaf].max() <= 8
    assert sorted(np.concatenate([tree.buildings(r) for r in np.flatnonzero(tree.leaf)])) == [
        *range(100)
    ]
    assert_cells(tree)


@pytest.mark.parametrize("spread", [0.0, 0.05, 40.0])
def test_a_hundred_thousand_in_one_cell(spread):
    """At one spot, in one finest cell (6 cm), in a block of 40 m."""
    n = 100_000
    at = np.random.default_rng(0).uniform(0, spread, (n, 2)) + 3.0
    shapes = shapely.box(at[:, 0], at[:, 1], at[:, 0] + 5, at[:, 1] + 5)
    footprints = Footprints.from_polygons([f"{k:06d}" for k in range(n)], shapes)
    one = extrude([shapely.box(0, 0, 5, 5)], 20.0).buildings
    columns = {name: np.repeat(getattr(one, name), n) for name in one.__slots__}
    buildings = Buildings(**{**columns, "building_id": footprints.building_id})
    tree = tile(footprints, buildings)
    members = np.concatenate([tree.buildings(row) for row in np.flatnonzero(tree.leaf)])
    assert np.array_equal(np.sort(members), np.arange(n))
    assert np.diff(tree.member_offsets)[tree.leaf].max() <= 256
    assert_cells(tree)


def test_distances_that_halve_again_and_again():
    places = [2.0**k / 16 for k in range(27)]
    shapes = [shapely.box(x - 1, x - 1, x + 1, x + 1) for x in places]
    city = extrude(shapes, 5.0)
    tree = tile(city.footprints, city.buildings, tile_buildings=1)
    assert_cells(tree)
    assert tree.leaf.sum() == 27


def test_no_buildings_no_tiles():
    city = extrude([], [])
    assert len(tile(city.footprints, city.buildings)) == 0


def test_one_building_is_one_leaf():
    city = boxes(1)
    tree = tile(city.footprints.to_geopandas(), city.buildings)
    assert (tree.parent.tolist(), tree.error.tolist(), tree.members.tolist()) == (
        [-1],
        [0],
        [0],
    )


def test_tables_of_different_cities_are_refused():
    city = boxes(3)
    with pytest.raises(ParameterError, match="3 footprints, 2 buildings"):
        tile(city.footprints, city.buildings.take(np.array([0, 1])))
    with pytest.raises(ParameterError, match="detail of 2 for 3"):
        tile(city.footprints, city.buildings, with_levels(city).take(np.array([0, 1])))
    with pytest.raises(ParameterError, match="tile_buildings"):
        tile(city.footprints, city.buildings, tile_buildings=0)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_morton_keys_interleave_the_bits_of_both_axes(column, row):
    place = np.array([[column / 16 - 2.0**27, row / 16 - 2.0**27]])
    bits = "".join(b + a for a, b in zip(f"{column:032b}", f"{row:032b}", strict=True))
    assert int(morton_keys(place)[0]) == int(bits, 2)
