"""CityJSON text sequences: what is written is read back, and other readers agree."""

from __future__ import annotations

import json

import numpy as np
import pytest
from shapely import box

from cimkit.errors import FormatError
from cimkit.read.cityjson import read_models
from cimkit.steps.reconstruct import reconstruct
from cimkit.tables import Footprints
from cimkit.write.cityjson import cityjson_features, cityjson_header

YARD = box(500_000, 3_350_000, 500_020, 3_350_020).difference(
    box(500_005.123, 3_350_005, 500_015, 3_350_015)
)


@pytest.fixture
def city(tmp_path):
    shapes = [YARD, box(500_100, 3_350_000, 500_110.5, 3_350_008.25)]
    footprints = Footprints.from_polygons(
        ["院1", "b"], shapes, floors=[6, np.nan], crs="EPSG:4546"
    )
    buildings, models, _ = reconstruct(footprints)
    bounds = footprints.total_bounds
    assert bounds is not None
    head, base = cityjson_header("EPSG:4546+5737", bounds)
    path = tmp_path / "models.city.jsonl"
    path.write_bytes(head + b"".join(cityjson_features(buildings, models, base)))
    return path, buildings, models


def test_models_come_back_as_they_were(city):
    path, _, models = city
    again = read_models(path)
    assert again.lod.tolist() == models.lod.tolist() == ["1.2", "1.2"]
    assert again.building_id.tolist() == models.building_id.tolist()
    for row in range(len(models)):
        one, other = models.take(np.array([row])), again.take(np.array([row]))
        np.testing.assert_array_equal(one.semantics, other.semantics)
        np.testing.assert_array_equal(one.ring_offsets, other.ring_offsets)
        np.testing.assert_allclose(
            one.vertices[one.ring_vertex], other.vertices[other.ring_vertex], rtol=0, atol=1e-9
        )


def test_the_file_says_what_it_is(city):
    path, buildings, _ = city
    header, first, second = (json.loads(line) for line in path.read_bytes().splitlines())
    assert header["type"] == "CityJSON"
    assert header["metadata"]["referenceSystem"].count("opengis.net/def/crs/EPSG/0/") == 2
    thing = first["CityObjects"]["院1"]
    assert thing["attributes"]["height"] == buildings.height[0]
    assert thing["attributes"]["h_roof_70p"] is None
    assert [geometry["lod"] for geometry in thing["geometry"]] == ["0", "1.2"]
    assert second["id"] == "b"


def test_lod0_is_the_footprint_at_the_height_of_the_roof(city):
    path, _, models = city
    feature = json.loads(path.read_bytes().splitlines()[2])
    flat = feature["CityObjects"]["b"]["geometry"][0]
    vertices = np.array(feature["vertices"]) * 0.0001
    ring = vertices[flat["boundaries"][0][0]]
    top = models.take(np.array([1])).vertices[:, 2].max()
    assert flat["type"] == "MultiSurface"
    np.testing.assert_allclose(ring[:, 2], top)
    assert ring[:, 0].max() - ring[:, 0].min() == pytest.approx(10.5)


@pytest.mark.parametrize("damage", [b"{", b"[1]\n", b'{"type":"CityJSONFeature"}\n'])
def test_a_damaged_line_is_named(city, damage):
    path, _, _ = city
    path.write_bytes(path.read_bytes() + damage)
    with pytest.raises(FormatError, match=r"models\.city\.jsonl"):
        read_models(path)


def test_models_of_the_3dbag_are_read(real_data):
    path = real_data / "delft_3dbag" / "3dbag_delft_99.city.jsonl"
    models = read_models(path, lod="all")
    assert set(models.lod.tolist()) == {"1.2", "1.3", "2.2"}
    assert len(read_models(path, lod="1.2")) == len(read_models(path)) == 100
