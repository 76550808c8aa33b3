"""Footprints, roofs, and the one table with the truth about buildings."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from tests.sample.conftest import heights


def test_footprints_agree_with_the_truth(city):
    footprints, truth = city.footprints, city.truth
    assert footprints.geometry.is_valid.all()
    assert footprints.index.tolist() == truth.index.tolist()
    assert footprints.index.is_unique
    for field, column in {
        "层数": "floors", "地下层数": "floors_below", "建成年份": "year", "用途": "use",
        "名称": "label", "结构": "structure",
    }.items():  # fmt: skip
        assert footprints[field].tolist() == truth[column].tolist()
    np.testing.assert_allclose(footprints.area, truth["area_m2"], atol=0.001)
    assert footprints["名称"].str.fullmatch(r"\w+苑\d+幢").sum() == 10
    assert truth["year"].between(1980, 2024).all()
    inside = shapely.points(truth[["x", "y"]])
    assert shapely.contains(footprints.geometry.to_numpy(), inside).all()


def test_every_kind_of_building_and_roof_occurs(city):
    assert set(city.truth["roof"]) == {
        "flat", "gable", "hip", "shed", "sawtooth", "podium", "stepped",
    }  # fmt: skip
    assert set(city.truth["kind"]) == {
        "slab", "tower", "self-built", "U-shape", "L-shape", "courtyard", "hall", "canteen",
        "podium", "stepped", "factory", "warehouse", "office", "gatehouse",
    }  # fmt: skip
    holes = shapely.get_num_interior_rings(city.footprints.geometry.to_numpy())
    assert set(city.truth["kind"][holes > 0]) == {"courtyard"}
    assert city.truth["floors"].max() >= 18


def test_heights_stand_in_order_and_storeys_have_usual_heights(city):
    truth = city.truth
    assert (truth["h_ground"] < truth["h_eave"]).all()
    assert (truth["h_eave"] <= truth["h_roof_min"] + 1e-3).all()
    assert (truth["h_roof_min"] <= truth["h_roof_mean"]).all()
    assert (truth["h_roof_mean"] <= truth["h_roof_max"]).all()
    one = ~truth["kind"].isin(["podium", "stepped"])
    storeys = ((truth["h_eave"] - truth["h_ground"]) / truth["floors"])[one]
    assert storeys.between(2.7, 5.0).all()
    several = ((truth["h_roof_max"] - truth["h_ground"]) / truth["floors"])[~one]
    assert several.between(3.4, 4.2).all()
    assert (truth["h_roof_max"] - truth["h_eave"])[~one].min() > 7.0


def test_neighbours_share_walls_exactly_and_nothing_overlaps(city):
    shapes = city.footprints.geometry.to_numpy()
    corners = [set(map(tuple, shapely.get_coordinates(shape).tolist())) for shape in shapes]
    shared = 0
    for one, other in shapely.STRtree(shapes).query(shapes, predicate="intersects").T:
        if one < other:
            wall = shapes[one].intersection(shapes[other])
            assert wall.geom_type == "LineString"
            assert len(corners[one] & corners[other]) == 2
            shared += 1
    assert shared == 12 * 7  # twelve rows of eight houses


@pytest.mark.parametrize("epoch", ["city", "later"])
def test_roof_faces_fill_the_footprint_and_carry_the_volume(request, epoch):
    there = request.getfixturevalue(epoch)
    assert there.roofs.groupby("building_id").size().to_dict() == (
        there.truth["roof_faces"].to_dict()
    )
    for building_id, faces in there.roofs.groupby("building_id"):
        outline, row = there.footprints.geometry[building_id], there.truth.loc[building_id]
        drawn_anew = 0.0 if epoch == "city" else 0.1 * outline.length
        whole = faces.union_all()
        assert whole.symmetric_difference(outline).area < 0.1 + drawn_anew
        # No two faces lie above each other, so their areas add up to that of all.
        assert faces.area.sum() == pytest.approx(whole.area, abs=0.1)
        assert faces.area.sum() == pytest.approx(row["area_m2"], abs=0.1)
        middle = shapely.get_coordinates(faces.centroid)
        above = heights(faces, *middle.T) - row["h_ground"]
        assert (above * faces.area).sum() == pytest.approx(row["volume_m3"], rel=1e-3)
        corners, face = shapely.get_coordinates(faces.geometry, return_index=True)
        z = heights(faces.iloc[face], *corners.T)
        assert z.min() == pytest.approx(row["h_roof_min"], abs=0.003)
        assert z.max() == pytest.approx(row["h_roof_max"], abs=0.003)


def test_sawtooth_roofs_rise_and_fall_upright(city):
    for building_id in city.truth.index[city.truth["roof"] == "sawtooth"]:
        faces = city.roofs[city.roofs["building_id"] == building_id]
        assert len(faces) >= 4
        assert len(set(faces["dz_dx"].round(4))) == 1  # all bays are alike
        assert np.hypot(faces["dz_dx"], faces["dz_dy"]).between(0.25, 0.35).all()
        assert len(set(faces["z0"])) == 1


def test_podiums_carry_towers_and_steps_rise(city):
    decks = city.roofs[city.roofs["part"] == "deck"]
    for building_id in city.truth.index[city.truth["kind"].isin(["podium", "stepped"])]:
        row = city.truth.loc[building_id]
        z = np.sort(decks["z0"][decks["building_id"] == building_id].unique())
        assert len(z) == (1 + row["units"] if row["kind"] == "podium" else 3)
        assert np.diff(z).min() > 3.0
        assert z[0] == row["h_eave"]
