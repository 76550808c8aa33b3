"""Tables check themselves, select rows, and travel to pandas, GeoPandas and trimesh."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import Polygon, box

from cimkit.errors import ParameterError, TableError
from cimkit.steps.reconstruct import reconstruct
from cimkit.tables import (
    Addresses,
    Buildings,
    Footprints,
    Links,
    Models,
    PointCloud,
    Terrain,
    TileTree,
)
from cimkit.tables.coerce import as_addresses, as_footprints, as_points

YARD = box(0, 0, 20, 20).difference(box(5, 5, 15, 15))
L_SHAPE = Polygon([(0, 0), (12, 0), (12, 4), (4, 4), (4, 10), (0, 10)])
NAMES = ["院", "b", "c"]


def three(shift=0.0):
    shapes = [
        shapely.transform(s, lambda xy: xy + shift) for s in (YARD, L_SHAPE, box(30, 0, 39, 9))
    ]
    return Footprints.from_polygons(NAMES, shapes, floors=[6, 2, np.nan], crs="EPSG:4546")


@pytest.mark.parametrize("shift", [0.0, 5e5, 4e7])
def test_areas_are_those_of_shapely_also_far_from_the_origin(shift):
    np.testing.assert_allclose(three(shift).area, [300.0, 72.0, 81.0], rtol=1e-9)


def test_polygons_come_back_with_their_courtyards():
    for mine, given_shape in zip(
        three().polygons(), (YARD, L_SHAPE, box(30, 0, 39, 9)), strict=True
    ):
        assert mine.equals(given_shape)
        assert mine.exterior.is_ccw
        assert not any(ring.is_ccw for ring in mine.interiors)


@given(st.lists(st.integers(0, 2), max_size=3, unique=True))
def test_chosen_rows_keep_all_their_columns(rows):
    chosen = three().take(np.array(rows, dtype=np.int64))
    assert chosen.building_id.tolist() == [NAMES[row] for row in rows]
    np.testing.assert_allclose(chosen.area, three().area[rows])
    np.testing.assert_array_equal(chosen.bounds, three().bounds[rows])


def test_a_frame_and_back():
    again = Footprints.from_geopandas(three().to_geopandas())
    np.testing.assert_array_equal(again.xy, three().xy)
    assert again.building_id.tolist() == NAMES
    assert again.crs == "EPSG:4546"


@pytest.mark.parametrize(
    ("ids", "words"),
    [(["a", "a", "b"], "'a' occurs twice"), (["a", "", "b"], "row 1 is empty")],
)
def test_identifiers_must_identify(ids, words):
    with pytest.raises(TableError, match=words):
        Footprints.from_polygons(ids, three().polygons())


def test_points_must_be_finite():
    with pytest.raises(TableError, match="y: row 1 is not a finite number"):
        PointCloud([0, 1], [0, np.nan], [0, 0], [2, 2])


@pytest.mark.parametrize("name", ["return_number", "number_of_returns"])
def test_returns_go_with_their_points(name):
    cloud = PointCloud([0, 1, 2], [0, 0, 0], [5, 6, 7], [1, 1, 1], **{name: [1, 2, 3]})
    assert getattr(cloud.take(np.array([2, 0])), name).tolist() == [3, 1]
    with pytest.raises(TableError, match=f"{name} and x differ in length"):
        PointCloud([0], [0], [0], [1], **{name: [1, 2]})


def test_layers_of_a_terrain_have_its_shape():
    z, measured = np.zeros((2, 2)), np.ones((2, 2), bool)
    for name in ("from_dem", "found"):
        with pytest.raises(TableError, match=f"z and {name}"):
            Terrain(z, measured, 0, 0, 1, **{name: np.zeros((3, 2), np.uint8)})


def test_half_a_place_is_no_place():
    with pytest.raises(TableError, match="both"):
        Addresses(["a"], ["5号"], [1.0], [np.nan])


def test_a_pair_is_linked_once():
    with pytest.raises(TableError, match="twice"):
        Links(
            building_id=["a", "a"],
            address_id=["a", "a"],
            rule=["R1", "R1"],
            confidence=[1, 1],
            distance_m=[0, 0],
            inside=[True, True],
            n_candidates=[1, 1],
            primary=[True, False],
            unlinked_id=[],
            unlinked_reason=[],
        )


def test_links_and_back():
    links = Links(
        building_id=["a", "b"],
        address_id=["1", "1"],
        rule=["R2", "R0"],
        confidence=[0.8, 1],
        distance_m=[0, np.nan],
        inside=[True, False],
        n_candidates=[2, 1],
        primary=[True, True],
        unlinked_id=["2"],
        unlinked_reason=["TOO_FAR"],
        runner_up_id=["c", ""],
        runner_up_confidence=[0.4, np.nan],
        text_similarity=[1, np.nan],
        source_row=[4, 5],
    )
    again = Links.from_pandas(links.to_pandas(), links.unlinked_to_pandas())
    assert again.to_pandas().equals(links.to_pandas())
    assert again.unlinked_to_pandas().equals(links.unlinked_to_pandas())
    assert (
        links.take([1]).to_pandas().equals(links.to_pandas().iloc[[1]].reset_index(drop=True))
    )
    assert links.review_state.tolist() == ["auto", "auto"]


def test_evidence_may_be_missing():
    frame = pd.DataFrame({"building_id": ["a"], "address_id": ["1"], "rule": ["R1"],
        "confidence": [0.9], "distance_m": [0.0], "inside": [True], "n_candidates": [1],
        "primary": [False]})  # fmt: skip
    links = Links.from_pandas(frame, pd.DataFrame(columns=["address_id", "reason"]))
    assert (links.source_row.tolist(), links.role.tolist()) == ([-1], ["secondary"])
    assert np.isnan(links.runner_up_confidence).all()


@pytest.mark.parametrize("name", ["confidence", "runner_up_confidence", "text_similarity"])
def test_shares_lie_between_0_and_1(name):
    columns = {"building_id": ["a"], "address_id": ["1"], "rule": ["R1"], "confidence": [0.9],
        "distance_m": [0.0], "inside": [True], "n_candidates": [1], "primary": [False],
        "unlinked_id": [], "unlinked_reason": []}  # fmt: skip
    with pytest.raises(TableError, match=name):
        Links(**columns | {name: [1.5]})


def test_labels_travel():
    footprints = Footprints.from_polygons(NAMES, three().polygons(), label=["1幢", "", "三栋"])
    assert footprints.take([2, 0]).label.tolist() == ["三栋", "1幢"]
    again = Footprints.from_geopandas(footprints.to_geopandas())
    assert again.label.tolist() == footprints.label.tolist()
    assert three().label.tolist() == [""] * 3


def test_an_error_that_grows_towards_the_leaves_is_refused():
    with pytest.raises(TableError, match="shrink"):
        TileTree(
            *([-1, 0], [0, 1], [1.0, 1.0], [0, 1, 2], [0, 0], [0, 0]),
            np.zeros((2, 3)),
            (0.0, 0.0, 0.0),
        )


def test_models_split_and_joined_are_the_same():
    _, models, _ = reconstruct(three())
    parts = [models.take(np.array([row])) for row in range(3)]
    again = Models.concatenate(parts)
    for name in ("vertices", "ring_vertex", "ring_offsets", "face_offsets", "semantics"):
        np.testing.assert_array_equal(getattr(again, name), getattr(models, name))


def test_a_model_as_trimesh_has_its_volume():
    _, models, _ = reconstruct(three())
    mesh = models.to_trimesh(0)
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(300 * 18)
    assert set(np.asarray(mesh.face_attributes["semantics"]).tolist()) == {0, 1, 2}


def test_buildings_and_back():
    buildings, _, _ = reconstruct(three())
    again = Buildings.from_pandas(buildings.to_pandas())
    assert again.to_pandas().equals(buildings.to_pandas())


@pytest.mark.parametrize("coerce", [as_footprints, as_points, as_addresses])
def test_what_is_no_table_is_named(coerce):
    with pytest.raises(ParameterError, match="not dict"):
        coerce({"x": 1})


def test_every_table_tells_its_size():
    buildings, models, _ = reconstruct(three())
    for table in (three(), buildings, models):
        assert "3 rows" in repr(table)
        assert "MB" in repr(table)
