"""GeoPackage, GeoTIFF and input files on a disk that has room, and on one that has not."""

from __future__ import annotations

from contextlib import contextmanager

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely

from cimkit.errors import StoreError
from cimkit.steps.link import link
from cimkit.tables import Addresses, Footprints, Links, Terrain
from cimkit.write.frames import write_geopackage, write_terrain
from cimkit.write.inputs import sample_paths, write_gbk_shapefile, write_job, write_table
from cimkit.write.points import write_points

ROOM_BYTES = 120_000
"""More than an empty GeoPackage takes."""


@contextmanager
def room_for(n_bytes):
    """No file can grow beyond that, as on a disk that is full."""
    resource = pytest.importorskip("resource", reason="the system limits no file size")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def small_disk(tmp_path):
    """A folder where no file can grow beyond `ROOM_BYTES`."""
    with room_for(ROOM_BYTES):
        yield tmp_path


def boxes(n):
    shapes = shapely.box(np.arange(n), 0, np.arange(n) + 0.5, 1)
    return gpd.GeoDataFrame({"name": ["x" * 20] * n}, geometry=shapes, crs="EPSG:28992")


def terrain_of(n):
    z = np.random.default_rng(0).random((n, n))
    z[0, 0] = np.nan
    return Terrain(z, np.ones((n, n), bool), 100.0, 200.0, 2.0, "EPSG:28992")


@pytest.mark.parametrize("n", [1, 300])
def test_terrain_comes_back(tmp_path, n):
    terrain = terrain_of(n)
    write_terrain(tmp_path / "t.tif", terrain)
    with rasterio.open(tmp_path / "t.tif") as file:
        np.testing.assert_array_equal(file.read(1)[::-1], terrain.z)
        assert file.bounds == (100, 200, 100 + 2 * n, 200 + 2 * n)
        assert file.crs.to_epsg() == 28992


def test_layers_come_back(tmp_path):
    frame = boxes(5)
    write_geopackage(tmp_path / "a.gpkg", {"buildings": frame, "issues": frame[["name"]]})
    assert pyogrio.list_layers(tmp_path / "a.gpkg")[:, 0].tolist() == ["buildings", "issues"]
    assert pyogrio.read_dataframe(tmp_path / "a.gpkg", layer="buildings").equals(frame)


@pytest.mark.parametrize("n", [300, 700])
def test_terrain_on_a_full_disk(small_disk, n):
    with pytest.raises(StoreError, match=r"t\.tif: .* Free space or choose another disk"):
        write_terrain(small_disk / "t.tif", terrain_of(n))


def test_terrain_whose_end_is_lost_as_it_is_closed(tmp_path):
    terrain = terrain_of(180)
    write_terrain(tmp_path / "whole.tif", terrain)
    size = (tmp_path / "whole.tif").stat().st_size
    with room_for(size - 500), pytest.raises(StoreError, match=r"t\.tif: cannot be written"):
        write_terrain(tmp_path / "t.tif", terrain)  # GDAL itself reports nothing here


def test_a_terrain_that_lost_cells_is_noticed(tmp_path, monkeypatch):
    terrain, other = terrain_of(20), terrain_of(20)
    other.z[3, 3] += 1
    real = rasterio.open

    def open_other(path, *mode, **profile):
        if not mode:
            monkeypatch.setattr(rasterio, "open", real)
            write_terrain(path, other)
        return real(path, *mode, **profile)

    monkeypatch.setattr(rasterio, "open", open_other)
    with pytest.raises(StoreError, match="other heights"):
        write_terrain(tmp_path / "t.tif", terrain)


@pytest.mark.parametrize("n", [1000, 30_000])
def test_geopackage_on_a_full_disk(small_disk, n):
    with pytest.raises(StoreError, match=r"a\.gpkg: cannot be written .* Free space"):
        write_geopackage(small_disk / "a.gpkg", {"buildings": boxes(n)})


def test_files_of_a_sample_on_a_full_disk(small_disk):
    many = np.random.default_rng(0).uniform(0, 100, (50_000, 3))
    with pytest.raises(StoreError, match=r"a\.shp: cannot be written"):
        write_gbk_shapefile(small_disk / "a.shp", boxes(1000))
    with pytest.raises(StoreError, match=r"a\.laz: cannot be written"):
        write_points(small_disk / "a.laz", many, np.ones(len(many)), crs="EPSG:28992")
    with pytest.raises(StoreError, match=r"a\.csv: cannot be written"):
        write_table(small_disk / "a.csv", {"x": many[:, 0]})
    with pytest.raises(StoreError, match=r"a\.toml: cannot be written"):
        write_job(small_disk / "a.toml", {"note": "x" * ROOM_BYTES}, note="")


def test_folders_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="points: cannot be written"):
        sample_paths(tmp_path / "file" / "sample")
    with pytest.raises(StoreError, match="cannot be written"):
        write_geopackage(tmp_path / "none" / "a.gpkg", {"buildings": boxes(1)})
    with pytest.raises(StoreError, match="cannot be written"):
        write_terrain(tmp_path / "none" / "t.tif", terrain_of(3))


def test_links_come_back_from_a_geopackage(tmp_path):
    footprints = Footprints.from_polygons(
        ["a", "b"],
        [shapely.box(0, 0, 40, 40), shapely.box(5, 5, 15, 15)],
        label=["", "锦绣苑3幢"],
    )
    addresses = Addresses(
        ["1", "2", "3", "4"],
        ["锦绣苑3幢", "锦绣苑", "锦绣苑5幢", ""],
        [10, 30, np.nan, 99],
        [10, 30, np.nan, 99],
        ["", "", "b", ""],
        crs="EPSG:4547",
        source_crs="EPSG:4490",
    )
    links, _ = link(addresses, footprints)
    assert links.rule.tolist() == ["R2", "R1", "R0"]
    write_geopackage(tmp_path / "a.gpkg", {"links": links.to_pandas()})
    read = pyogrio.read_dataframe(tmp_path / "a.gpkg", layer="links")
    assert list(read.columns) == list(links.to_pandas().columns)
    again = Links.from_pandas(read, links.unlinked_to_pandas())
    assert again.to_pandas().equals(links.to_pandas())
