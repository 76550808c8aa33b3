"""Roofs in a whole build: what lies across blocks is as in one."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely

import cimkit
from cimkit.check.solids import check_solids
from cimkit.write.points import write_points
from tests.steps.reconstruct.roofs import ROOFS, ground_around, points_on
from tests.test_pipeline import CRS, EAST, NORTH, tree_of

AT = {
    "gable": (44, 44),
    "L": (96, -8),
    "hip": (-6, 47),
    "dormer": (-7, -4),
    "high step": (49, 95),
}
"""South-west corners from the corner of a block: all lie across borders of blocks of 50 m."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blocks")
    shapes, roofs, grounds = [], [], []
    for name, (x, y) in AT.items():
        move = np.array([EAST + x, NORTH + y])
        shapes.append(shapely.transform(ROOFS[name].footprint, lambda xy, m=move: xy + m))
        roofs.append(points_on(ROOFS[name]) + np.append(move, 10.0))
        grounds.append(ground_around(ROOFS[name].footprint) + np.append(move, 10.0))
    frame = gpd.GeoDataFrame({"bid": list(AT)}, geometry=shapes, crs="EPSG:4546")
    frame.to_file(folder / "footprints.gpkg", layer="footprints")
    xyz = np.concatenate([*roofs, *grounds])
    classes = np.repeat([6, 2], [sum(map(len, roofs)), sum(map(len, grounds))]).astype(np.uint8)
    write_points(folder / "cloud.laz", xyz, classes, crs=CRS)
    return {
        "footprints": str(folder / "footprints.gpkg"),
        "points": [str(folder / "cloud.laz")],
        "crs": CRS,
        "undulation": -15.0,
        "workers": 1,
    }


@pytest.fixture(scope="module")
def whole(inputs, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "city"
    cimkit.build(out, cimkit.Job.from_mapping({**inputs, "block_size": 500.0}))
    return out


def test_roofs_across_blocks_are_the_same_bytes(inputs, whole, tmp_path):
    for size in (50.0, 61.0):
        out = tmp_path / f"{size:.0f}"
        cimkit.build(out, cimkit.Job.from_mapping({**inputs, "block_size": size}))
        assert tree_of(out) == tree_of(whole)


def test_roofs_of_a_build_are_those_of_their_points(whole):
    city = cimkit.open_city(whole)
    models = city.models()
    assert check_solids(models) == []
    assert set(city.buildings.lod.tolist()) == {"2.2"}
    for row in np.flatnonzero(models.lod == "2.2").tolist():
        name = str(models.building_id[row])
        mesh = models.to_trimesh(row)
        mesh.vertices -= mesh.vertices[0]
        assert mesh.volume == pytest.approx(ROOFS[name].volume, rel=0.01)
