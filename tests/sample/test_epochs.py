"""Five years later: the truth about the changes agrees with the drawings."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from cimkit.sample import make_sample
from tests.sample.conftest import read


class Both:
    """Footprints and truth of both epochs of a city without points, and the changes."""

    def __init__(self, made):
        self.drawn, self.truth = [], []
        for paths in (made, made.second_epoch):
            shapes = gpd.read_file(paths.footprints, encoding="GBK").set_index("编号")
            self.drawn.append(shapes)
            self.truth.append(pd.read_csv(paths.truth_buildings, index_col="building_id"))
        self.changes = read(made.second_epoch.truth_changes)

    def of(self, kind):
        """Old shape, new shape, old truth, new truth for each change of a kind."""
        rows = self.changes[self.changes["change"] == kind]
        assert len(rows) >= 5, kind
        rows = rows.head(150)
        for old, new in zip(rows["old_id"], rows["new_id"], strict=True):
            yield (
                self.drawn[0].geometry[old],
                self.drawn[1].geometry[new],
                self.truth[0].loc[old],
                self.truth[1].loc[new],
            )


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("epochs")
    return Both(make_sample(folder, buildings=960, cloud="none", second_epoch=True))


def overlap(a, b):
    return a.intersection(b).area / a.union(b).area


def test_every_building_of_both_epochs_is_accounted_for(both):
    changes = both.changes
    assert set(changes["old_id"]) - {""} == set(both.drawn[0].index)
    assert set(changes["new_id"]) - {""} == set(both.drawn[1].index)
    assert set(changes["change"]) == {
        "kept", "demolished", "new", "extended", "raised", "split", "merged",
    }  # fmt: skip
    assert (changes["old_id"] == "").equals(changes["change"] == "new")
    assert (changes["new_id"] == "").equals(changes["change"] == "demolished")
    once = changes[~changes["change"].isin(["split", "merged", "new", "demolished"])]
    assert once["old_id"].is_unique
    assert once["new_id"].is_unique
    assert set(changes["old_id"]).isdisjoint(set(changes["new_id"]) - {""})
    assert 0.6 < (changes["change"] == "kept").mean() < 0.9


def test_what_was_kept_is_drawn_anew_by_centimetres(both):
    moved = []
    for old, new, before, after in both.of("kept"):
        assert overlap(old, new) > 0.95
        moved.append(shapely.hausdorff_distance(old, new))
        same = ["h_eave", "h_roof_max", "area_m2", "floors", "label", "year", "households"]
        assert before[same].equals(after[same])
    assert 0.01 < np.median(moved) < 0.1
    assert max(moved) < 0.15


def test_raised_buildings_gain_storeys_on_the_same_plan(both):
    for old, new, before, after in both.of("raised"):
        assert overlap(old, new) > 0.95
        assert after["floors"] > before["floors"]
        assert after["h_eave"] - before["h_eave"] > 2.5


def test_extended_buildings_hold_the_old_one(both):
    for old, new, before, after in both.of("extended"):
        assert old.difference(new.buffer(0.15)).area == 0.0
        assert new.area - old.area == pytest.approx(4.0 * 12.0, rel=0.1)
        assert before["h_ground"] - 0.5 < after["h_ground"] < before["h_ground"] + 0.5


@pytest.mark.parametrize(("kind", "one"), [("split", "old_id"), ("merged", "new_id")])
def test_parts_make_up_the_whole(both, kind, one):
    other = "new_id" if one == "old_id" else "old_id"
    whole_in, parts_in = (0, 1) if one == "old_id" else (1, 0)
    rows = both.changes[both.changes["change"] == kind]
    for whole, parts in rows.groupby(one):
        assert len(parts) == 2
        pieces = both.drawn[parts_in].geometry[parts[other]]
        shape = both.drawn[whole_in].geometry[whole]
        assert overlap(shape, pieces.union_all()) > 0.95
        corners = [set(map(tuple, shapely.get_coordinates(p).tolist())) for p in pieces]
        assert len(corners[0] & corners[1]) == 2  # they share a wall


def test_new_buildings_stand_where_nothing_stands(both):
    gone = set(both.changes["old_id"][both.changes["change"] == "demolished"])
    left = both.drawn[0][~both.drawn[0].index.isin(gone)].union_all()
    new = both.changes["new_id"][both.changes["change"] == "new"]
    assert len(new) >= 5
    for shape in both.drawn[1].geometry[new]:
        assert shape.buffer(-0.2).intersection(left).area == 0.0
    assert both.truth[1].loc[new]["year"].between(2024, 2029).all()


def test_drawings_are_valid_and_do_not_overlap(both):
    for drawn in both.drawn:
        shapes = drawn.geometry.to_numpy()
        assert drawn.geometry.is_valid.all()
        one, other = shapely.STRtree(shapes).query(shapes, predicate="intersects")
        pairs = one < other
        shared = shapely.intersection(shapes[one[pairs]], shapes[other[pairs]])
        assert shapely.area(shared).max() < 1e-6


def test_ids_and_order_of_rows_tell_nothing(both):
    first = both.changes[both.changes["change"] == "kept"].head(80)
    order = both.drawn[1].index.get_indexer(first["new_id"])
    assert np.corrcoef(order, np.arange(len(order)))[0, 1] < 0.5


def test_addresses_keep_their_ids(city, later):
    both = city.addresses.merge(later.addresses, on="地址编码", suffixes=("", "_later"))
    assert 0.7 * len(city.addresses) < len(both) < len(city.addresses)
    assert (both["标准地址"] == both["标准地址_later"]).mean() > 0.97


def test_the_second_cloud_is_five_years_younger(city, later):
    years = (later.cloud.time.min() - city.cloud.time.min()) / (365.25 * 86400)
    assert years == pytest.approx(5.0, abs=0.01)
    assert len(later.cloud.xyz) != len(city.cloud.xyz)
