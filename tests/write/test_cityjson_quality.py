"""What CityJSON says of the quality of models: attributes of buildings and of roof faces."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cimkit.read.cityjson import read_models
from cimkit.steps.reconstruct.quality import measure_quality
from cimkit.tables.models import ROOF_SURFACE
from cimkit.tables.quality import LATE
from cimkit.tables.surfaces import face_slopes
from cimkit.write.cityjson import add_attributes, cityjson_features, cityjson_header
from cimkit.write.spool import merge_lines
from tests.steps.reconstruct.houses import buildings_of, gable_house, points_on_gable


def gable_line(name="a"):
    """The line of a gabled house, its models and its quality."""
    footprints, models = gable_house(name)
    rows = np.arange(200)
    quality = measure_quality(
        models, footprints, points_on_gable(200), rows, np.array([0, 200])
    )
    buildings = buildings_of(footprints)
    (line,) = cityjson_features(buildings, models, (0, 0, 0), quality)
    return line, models, quality


def test_each_roof_face_has_its_slope_and_azimuth(tmp_path):
    line, models, _ = gable_line()
    solids = json.loads(line)["CityObjects"]["a"]["geometry"][1:]
    assert [solid["lod"] for solid in solids] == ["1.2", "2.2"]
    slope, azimuth = face_slopes(models)
    face = 0
    for solid in solids:
        surfaces = solid["semantics"]["surfaces"]
        for place in solid["semantics"]["values"][0]:
            if models.semantics[face] == ROOF_SURFACE:
                expected = azimuth[face] if slope[face] > 0.5 else None
                assert surfaces[place] == {
                    "type": "RoofSurface",
                    "slope": slope[face],
                    "azimuth": expected,
                }
            else:
                assert set(surfaces[place]) == {"type"}
            face += 1
    assert face == len(models.semantics)
    path = tmp_path / "m.city.jsonl"
    path.write_bytes(cityjson_header("EPSG:28992", (0, 0, 9, 9))[0] + line)
    np.testing.assert_array_equal(read_models(path, lod="all").semantics, models.semantics)


def test_the_building_has_all_columns_but_those_that_need_the_city():
    line, _, quality = gable_line()
    attributes = json.loads(line)["CityObjects"]["a"]["attributes"]
    names = set(quality.__slots__) - {"building_id", *LATE}
    assert names <= set(attributes)
    assert not set(LATE) & set(attributes)
    assert attributes["rmse_lod22"] == quality.rmse_lod22[0]
    assert attributes["rmse_lod13"] is None
    assert attributes["is_glass_roof"] is False


@pytest.mark.parametrize("name", ["a", "attributes", "type", '"attributes":{', "院\\"])
def test_more_attributes_reach_the_building_whatever_its_name(name):
    line, _, _ = gable_line(name)
    before, after = json.loads(line), json.loads(add_attributes(line, {"x": np.nan, "y": True}))
    attributes = after["CityObjects"][name]["attributes"]
    assert attributes.pop("x") is None
    assert attributes.pop("y") is True
    assert after == before


def test_a_building_without_attributes_takes_some():
    line = b'{"a":{"type":"Building","attributes":{}}}\n'
    assert json.loads(add_attributes(line, {"x": 1}))["a"]["attributes"] == {"x": 1}


def test_lines_are_amended_by_their_new_row(tmp_path):
    (tmp_path / "p").write_bytes(b"a1\nc33\n")
    (tmp_path / "q").write_bytes(b"b22\n")
    merge_lines(
        tmp_path / "out",
        b"head\n",
        [tmp_path / "p", tmp_path / "q"],
        np.array([0, 1, 0]),
        np.array([3, 4, 4]),
        lambda row, line: b"%d %b" % (row, line),
    )
    assert (tmp_path / "out").read_bytes() == b"head\n0 a1\n1 b22\n2 c33\n"
