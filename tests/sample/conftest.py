"""One whole sample for all tests of this folder: all tables, both epochs."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import laspy
import numpy as np
import pandas as pd
import pytest
import shapely

from cimkit.sample import SamplePaths, make_sample


class Delivered:
    """What stands in the files of one epoch."""

    def __init__(self, paths: SamplePaths) -> None:
        self.paths = paths
        self.footprints = gpd.read_file(paths.footprints, encoding="GBK").set_index("编号")
        self.truth = pd.read_csv(
            paths.truth_buildings,
            index_col="building_id",
            dtype={"county_code": str, "township_code": str, "community_code": str},
        )
        table = pd.read_csv(paths.truth_roofs)
        self.roofs = gpd.GeoDataFrame(table, geometry=shapely.from_wkt(table["wkt"]))
        self.addresses = read(paths.addresses)
        self.links = read(paths.truth_links)
        self.all_addresses = read(paths.addresses_full)
        self.all_links = read(paths.truth_links_full)
        self.households = pd.read_csv(paths.households, encoding="utf-8-sig")
        self.organisations = read(paths.organisations)
        self.divisions = gpd.read_file(paths.divisions)
        self.cloud = Cloud(paths)


class Cloud:
    """Points of all files, in order of their names."""

    def __init__(self, paths: SamplePaths) -> None:
        tiles = [laspy.read(path) for path in sorted(paths.points.iterdir())]
        self.xyz = np.concatenate([np.asarray(tile.xyz) for tile in tiles])
        self.classes = self.column("classification", tiles)
        self.strip = self.column("point_source_id", tiles)
        self.overlap = self.column("overlap", tiles)
        self.time = self.column("gps_time", tiles)
        self.angle = self.column("scan_angle", tiles) * 0.006
        self.number = self.column("return_number", tiles)
        self.of = self.column("number_of_returns", tiles)

    @staticmethod
    def column(name, tiles):
        return np.concatenate([np.asarray(tile[name]) for tile in tiles])


def read(path: Path | None) -> pd.DataFrame:
    """A CSV as text; coordinates as numbers."""
    assert path is not None
    table = pd.read_csv(path, encoding="utf-8-sig", dtype=str, keep_default_na=False)
    for name in ("x", "y", "X", "Y"):
        if name in table:
            table[name] = pd.to_numeric(table[name])
    return table


def heights(faces: pd.DataFrame, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Height of each face at its place."""
    z0, x0, y0, dz_dx, dz_dy = faces[["z0", "x0", "y0", "dz_dx", "dz_dy"]].to_numpy().T
    return np.asarray(z0 + dz_dx * (x - x0) + dz_dy * (y - y0))


@pytest.fixture(scope="package")
def paths(tmp_path_factory) -> SamplePaths:
    folder = tmp_path_factory.mktemp("sample")
    return make_sample(folder, buildings=121, seed=7, rooms=True, second_epoch=True)


@pytest.fixture(scope="package")
def city(paths) -> Delivered:
    return Delivered(paths)


@pytest.fixture(scope="package")
def later(paths) -> Delivered:
    return Delivered(paths.second_epoch)


@pytest.fixture(scope="package")
def changes(paths) -> pd.DataFrame:
    return read(paths.second_epoch.truth_changes)
