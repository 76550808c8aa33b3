from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cimkit import limits
from cimkit.errors import ParameterError
from cimkit.steps.tile import morton_keys, tile
from tests.extruded import boxes, extrude


def sizes(city):
    box = city.footprints.bounds
    return np.maximum(city.buildings.height, np.hypot(*(box[:, 2:] - box[:, :2]).T))


def assert_whole(tree, city, tile_buildings):
    """What every client relies on, by plain loops over the tree."""
    size, leaves, n = sizes(city), [], len(tree)
    children = [[c for c in range(n) if tree.parent[c] == row] for row in range(n)]

    def below(row):
        if not children[row]:
            return set(tree.buildings(row).tolist())
        return set().union(*(below(child) for child in children[row]))

    for row in range(n):
        shown = set(tree.buildings(row).tolist())
        assert len(shown) == len(tree.buildings(row)) > 0
        if not children[row]:
            assert tree.error[row] == 0
            leaves += sorted(shown)
            continue
        assert len(children[row]) > 1
        assert len(shown) == tile_buildings
        omitted = below(row) - shown
        assert min(size[list(shown)]) >= max(size[list(omitted)])
        assert tree.error[row] >= max(size[list(omitted)])
        assert all(tree.error[row] >= 2 * tree.error[child] for child in children[row])
        assert shown <= set().union(
            *(tree.buildings(child).tolist() for child in children[row])
        )
        assert all(tree.level[child] == tree.level[row] + 1 for child in children[row])
    assert sorted(leaves) == list(range(len(city.buildings)))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-300, 300), st.integers(-300, 300), st.integers(3, 200)),
        min_size=1,
        max_size=60,
    ),
    st.integers(1, 9),
)
def test_every_random_city_is_whole_on_every_level(places, tile_buildings):
    shapes = [shapely.box(x, y, x + 10, y + 6) for x, y, _ in places]
    city = extrude(shapes, [height for _, _, height in places])
    # Several at one spot are one leaf, which may be over-full.
    spots = {place[:2] for place in places}
    tree = tile(city.footprints, city.buildings, tile_buildings=tile_buildings)
    if len(spots) == len(places):
        assert np.diff(tree.member_offsets).max() <= tile_buildings
        assert_whole(tree, city, tile_buildings)
    leaves = np.concatenate([tree.buildings(row) for row in np.flatnonzero(tree.leaf)])
    assert sorted(leaves.tolist()) == list(range(len(places)))


def test_a_large_city():
    city = boxes(5000)
    tree = tile(city.footprints, city.buildings)
    assert_whole(tree, city, 256)
    assert tree.leaf.sum() < 5000 / 256 * 4


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
    assert {tuple(before.buildings(row).tolist()) for row in range(len(before))} <= tiles


def test_towers_at_one_spot_end_in_one_full_leaf():
    city = extrude([shapely.box(0, 0, 5, 5)] * 30, 20.0)
    tree = tile(city.footprints, city.buildings, tile_buildings=8)
    assert len(tree) == 1
    assert len(tree.buildings(0)) == 30


def test_depth_is_limited_where_distances_halve_again_and_again():
    places = [2.0**k / 16 for k in range(27)]
    shapes = [shapely.box(x - 1, x - 1, x + 1, x + 1) for x in places]
    city = extrude(shapes, 5.0)
    tree = tile(city.footprints, city.buildings, tile_buildings=1)
    assert tree.level.max() == limits.TILE_LEVELS_MAX


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
    with pytest.raises(ParameterError, match="tile_buildings"):
        tile(city.footprints, city.buildings, tile_buildings=0)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_morton_keys_interleave_the_bits_of_both_axes(column, row):
    place = np.array([[column / 16 - 2.0**27, row / 16 - 2.0**27]])
    bits = "".join(b + a for a, b in zip(f"{column:032b}", f"{row:032b}", strict=True))
    assert int(morton_keys(place)[0]) == int(bits, 2)
