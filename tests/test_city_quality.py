"""Quality in a finished city: in all its files, and whatever the blocks."""

from __future__ import annotations

import json
import math

import geopandas as gpd
import numpy as np
import pytest
import shapely

import cimkit

EAST, NORTH = 500_000.0, 3_350_000.0
N_HOUSES, WIDTH, DEPTH, STOREY = 12, 8.0, 10.0, 3.0


@pytest.fixture(scope="module")
def row_of_houses(tmp_path_factory):
    """Houses side by side, of one and two storeys in turn, as cut into three and one block."""
    folder = tmp_path_factory.mktemp("row")
    west = EAST + WIDTH * np.arange(N_HOUSES)
    frame = gpd.GeoDataFrame(
        {"bid": [f"h{k:02}" for k in range(N_HOUSES)], "floors": 1 + np.arange(N_HOUSES) % 2},
        geometry=shapely.box(west, NORTH, west + WIDTH, NORTH + DEPTH),
        crs="EPSG:4546",
    )
    frame.to_file(folder / "row.gpkg")
    return [
        cimkit.build(
            folder / f"city{size}",
            footprints=str(folder / "row.gpkg"),
            footprint_id="bid",
            crs="EPSG:4546+5737",
            undulation=0.0,
            block_size=size,
            storey_height=STOREY,
            workers=1,
        )
        for size in (50.0, 1000.0)
    ]


def test_party_walls_reach_across_blocks(row_of_houses):
    for city in row_of_houses:
        party = np.full(N_HOUSES, 2 * DEPTH * STOREY)
        party[[0, -1]] /= 2
        np.testing.assert_allclose(city.quality.area_party_wall, party)
        walls = 2 * (WIDTH + DEPTH) * city.buildings.height
        np.testing.assert_allclose(city.quality.area_wall, walls - party)
        assert set(city.quality.validity_lod12) == {""}
        assert set(city.quality.fails) == {"LOD,RESIDUALS,HEIGHT,GROUND"}


def test_blocks_change_no_byte(row_of_houses):
    names = ("city.gpkg", "models.city.jsonl", "manifest.json")
    one, other = ([(c.path / name).read_bytes() for name in names] for c in row_of_houses)
    assert one == other


def test_cityjson_says_what_the_geopackage_says(row_of_houses):
    city = row_of_houses[0]
    table = city.quality.to_pandas().set_index("building_id")
    lines = (city.path / "models.city.jsonl").read_bytes().splitlines()[1:]
    assert len(lines) == N_HOUSES
    for line in lines:
        ((name, thing),) = json.loads(line)["CityObjects"].items()
        for column, value in table.loc[name].items():
            found = thing["attributes"][column]
            empty = isinstance(value, float) and math.isnan(value)
            assert found is None if empty else found == value, column
