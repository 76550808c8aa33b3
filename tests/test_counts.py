"""Counts of a whole city: where they stand, and that they are true."""

from __future__ import annotations

import json

import geopandas as gpd
import pandas as pd
import pytest

import cimkit
from cimkit.errors import ParameterError
from cimkit.tables.occupancy import MEASURES


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("counted")
    cimkit.make_sample(folder / "in", buildings=120, seed=7, cloud="none")
    keys = {
        "footprints": str(folder / "in" / "footprints.shp"),
        "addresses": str(folder / "in" / "addresses.csv"),
        "households": str(folder / "in" / "households.csv"),
        "organisations": str(folder / "in" / "organisations.csv"),
        "crs": "EPSG:4546+5737",
        "undulation": -15.0,
        "occupancy_in_tiles": True,
        "workers": 1,
    }
    return folder, cimkit.build(folder / "city", cimkit.Job.from_mapping(keys))


def test_counts_of_buildings_are_those_of_the_truth(counted):
    folder, city = counted
    layer = gpd.read_file(city.path / "city.gpkg", layer="buildings")
    truth = pd.read_csv(folder / "in" / "truth_buildings.csv")
    both = layer.merge(truth, on="building_id", suffixes=("", "_true"))
    assert len(both) == 120
    for name in MEASURES:
        shown = both[both[name].notna()]
        assert len(shown) > 10
        assert (shown[name] == shown[f"{name}_true"]).all()
    small = both[(both["population_true"] > 0) & (both["population_true"] < 5)]
    assert len(small)
    assert small["population"].isna().all()
    assert small["suppressed"].str.contains("population").all()


def test_the_balances_tell_where_all_went(counted):
    folder, city = counted
    truth = pd.read_csv(folder / "in" / "truth_buildings.csv")
    balances = {b["name"]: b for b in city.manifest["balances"]}
    for name in MEASURES:
        assert balances[name]["parts"] == {"in buildings": int(truth[name].sum())}
    files = {f["name"]: f for f in city.manifest["inputs"]}
    households = pd.read_csv(folder / "in" / "households.csv")
    assert files["households.csv"]["counts"] == {"rows": len(households)}


def test_the_grid_is_a_layer_of_squares(counted):
    _, city = counted
    grid = gpd.read_file(city.path / "city.gpkg", layer="occupancy_grid")
    assert (grid.area == 10_000).all()
    assert grid["cell_id"].is_unique
    assert grid["rooms"].sum() == 992


def test_tiles_tell_them_on_request(counted):
    _, city = counted
    path = next((city.path / "tiles").glob("*.glb"))
    text = path.read_bytes()
    head = json.loads(text[20 : 20 + int.from_bytes(text[12:16], "little")])
    (schema,) = (head["extensions"]["EXT_structural_metadata"]["schema"],)
    properties = schema["classes"]["building"]["properties"]
    assert set(MEASURES) <= set(properties)
    assert properties["population"]["noData"] == -1


def test_no_name_of_an_organisation_is_anywhere(counted):
    folder, city = counted
    names = pd.read_csv(folder / "in" / "organisations.csv")["单位名称"].tolist()
    for path in city.path.rglob("*"):
        if path.is_file():
            assert not any(name.encode() in path.read_bytes() for name in names[:5])


def test_tables_of_counts_need_addresses():
    given = {"footprints": "a.gpkg", "crs": "EPSG:4546"}
    with pytest.raises(ParameterError, match=r"addresses: needed to tell where h\.csv"):
        cimkit.Job.from_mapping({**given, "households": "h.csv"})
    with pytest.raises(ParameterError, match="occupancy_in_tiles: needs households"):
        cimkit.Job.from_mapping({**given, "occupancy_in_tiles": True})
