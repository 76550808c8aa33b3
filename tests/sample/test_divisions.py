"""Counties, townships and communities: nested, gapless, with the buildings inside."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely

from cimkit.sample import make_sample
from cimkit.sample.divisions import community_of
from cimkit.sample.layout import plan


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")
    made = make_sample(folder, buildings=900, cloud="none")
    return gpd.read_file(made.divisions)


def by_level(divisions):
    return {level: rows.set_index("code") for level, rows in divisions.groupby("level")}


def test_divisions_nest_without_gaps(large):
    levels = by_level(large)
    assert {level: set(rows.index.str.len()) for level, rows in levels.items()} == {
        "county": {6},
        "township": {9},
        "community": {12},
    }
    for upper, lower in (("county", "township"), ("township", "community")):
        for code, row in levels[upper].iterrows():
            children = levels[lower][levels[lower]["parent"] == code]
            assert len(children)
            assert children.index.str.startswith(code).all()
            assert children.union_all().symmetric_difference(row["geometry"]).area < 1e-6
            assert children.area.sum() == pytest.approx(row["geometry"].area, abs=1e-3)
            assert children["name"].is_unique
    assert len(levels["community"]) > 10
    assert len(levels["township"]) >= 2
    assert large.geometry.is_valid.all()


@pytest.mark.parametrize("epoch", ["city", "later"])
def test_buildings_lie_in_the_divisions_of_the_truth(request, epoch):
    there = request.getfixturevalue(epoch)
    levels = by_level(there.divisions)
    for level in ("county", "township", "community"):
        codes = there.truth[f"{level}_code"]
        shapes = levels[level].geometry[codes].to_numpy()
        assert shapely.contains(shapes, there.footprints.geometry.to_numpy()).all()
    assert there.truth["community_code"].nunique() >= 3


def test_addresses_name_the_township_in_which_they_lie(city):
    levels = by_level(city.divisions)
    every = city.all_addresses.dropna(subset=["X"])
    shapes = levels["community"].geometry[every["SQDM"]].to_numpy()
    assert shapely.contains(shapes, shapely.points(every[["X", "Y"]])).all()
    names = levels["township"]["name"][every["XZJDDM"]]
    assert all(name in text for name, text in zip(names, every["DZMC"], strict=True))


def test_codes_of_a_very_large_city_are_unique():
    found = {}
    for quarter in plan(500_000, seed=1):
        for block in quarter.blocks:
            place = community_of(block)
            key = (place.column, place.row)
            assert found.setdefault(place.code, key) == key
    townships = {code[:9] for code in found}
    assert len(townships) > 60
    kinds = np.array([int(code[6:9]) for code in townships])
    assert ((kinds >= 51) & (kinds < 400)).all()  # below are those of real streets
    assert {code[:6] for code in found} == {"421002", "421003"}
