"""The sample city: files as offices deliver them, and a truth that they agree with."""

from __future__ import annotations

import datetime
import hashlib
import tomllib
from collections import Counter
from pathlib import Path

import geopandas as gpd
import laspy
import numpy as np
import pandas as pd
import pyproj
import pytest
import shapely

from cimkit.errors import ParameterError
from cimkit.job import Job
from cimkit.sample import SamplePaths, make_sample
from tests.conftest import ROOT

COMMITTED = ROOT / "data-samples"


@pytest.fixture(scope="module")
def city(tmp_path_factory) -> SamplePaths:
    return make_sample(str(tmp_path_factory.mktemp("sample")), buildings=120, seed=7)


@pytest.fixture(scope="module")
def footprints(city) -> gpd.GeoDataFrame:
    return gpd.read_file(city.footprints, encoding="GBK").set_index("编号")


@pytest.fixture(scope="module")
def truth(city) -> pd.DataFrame:
    return pd.read_csv(city.truth_buildings, index_col="building_id")


@pytest.fixture(scope="module")
def roofs(city) -> gpd.GeoDataFrame:
    table = pd.read_csv(city.truth_roofs)
    return gpd.GeoDataFrame(table, geometry=shapely.from_wkt(table["wkt"]))


@pytest.fixture(scope="module")
def cloud(city) -> tuple[np.ndarray, np.ndarray]:
    tiles = [laspy.read(path) for path in sorted(city.points.iterdir())]
    xyz = np.concatenate([np.asarray(tile.xyz) for tile in tiles])
    return xyz, np.concatenate([np.asarray(tile.classification) for tile in tiles])


@pytest.fixture(scope="module")
def addresses(city) -> pd.DataFrame:
    table = pd.read_csv(city.addresses, encoding="utf-8-sig")
    links = pd.read_csv(city.truth_links, keep_default_na=False)
    assert table["地址编码"].tolist() == links["address_id"].tolist()
    return table.assign(building_id=links["building_id"])


def sums(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.name != "README.md"
    }


def plane_heights(faces: pd.DataFrame, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    z0, x0, y0, dz_dx, dz_dy = faces[["z0", "x0", "y0", "dz_dx", "dz_dy"]].to_numpy().T
    return np.asarray(z0 + dz_dx * (x - x0) + dz_dy * (y - y0))


def test_committed_sample_is_what_the_command_makes(city):
    assert sums(city.job.parent) == sums(COMMITTED)
    assert sum(path.stat().st_size for path in COMMITTED.rglob("*")) <= 8_000_000


def test_seed_decides_every_file(tmp_path):
    first, again, other = (
        sums(make_sample(str(tmp_path / name), buildings=8, seed=seed).job.parent)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == again
    assert {name for name in first if first[name] == other[name]} == {
        "city.toml",
        "footprints.prj",
    }


def test_a_building_does_not_depend_on_how_many_there_are(tmp_path, truth):
    small = make_sample(str(tmp_path), buildings=6, seed=7)
    few = pd.read_csv(small.truth_buildings, index_col="building_id")
    # The place of later blocks moves with the grid; the first block stays.
    pd.testing.assert_frame_equal(few, truth.head(6))


@pytest.mark.parametrize("buildings", [1, 7, 40])
def test_any_number_of_buildings(tmp_path, buildings):
    paths = make_sample(str(tmp_path), buildings=buildings, seed=3)
    assert len(gpd.read_file(paths.footprints, encoding="GBK")) == buildings
    assert len(pd.read_csv(paths.truth_buildings)) == buildings


def test_tiles_of_an_earlier_sample_go(tmp_path):
    before = make_sample(str(tmp_path), buildings=120)
    names = {path.name for path in before.points.iterdir()}
    after = make_sample(str(tmp_path), buildings=3)
    assert {path.name for path in after.points.iterdir()} < names


@pytest.mark.parametrize("wrong", [{"buildings": 0}, {"seed": -1}])
def test_nonsense_is_refused(tmp_path, wrong):
    with pytest.raises(ParameterError, match="at least"):
        make_sample(str(tmp_path), **wrong)


def test_job_file_names_the_inputs(city):
    job = Job.from_mapping(tomllib.loads(city.job.read_text(encoding="utf-8")))
    folder = city.job.parent
    assert (folder / job.footprints) == city.footprints
    assert [folder / name for name in job.points] == [city.points]
    assert (folder / job.addresses) == city.addresses
    assert pyproj.CRS(job.crs).is_compound
    assert job.undulation is not None


def test_footprints_are_gbk_and_nothing_says_so(city, footprints):
    assert not city.footprints.with_suffix(".cpg").exists()
    assert city.footprints.with_suffix(".dbf").read_bytes()[29] == 0
    assert "编号" not in gpd.read_file(city.footprints).columns
    assert footprints["名称"].str.contains("自建房").any()
    assert footprints.crs.to_epsg() == 4546


def test_footprints_are_valid_and_agree_with_the_truth(footprints, truth):
    assert footprints.geometry.is_valid.all()
    assert footprints.index.tolist() == truth.index.tolist()
    assert footprints.index.is_unique
    assert footprints["层数"].tolist() == truth["floors"].tolist()
    np.testing.assert_allclose(footprints.area, truth["area_m2"], atol=0.001)
    storeys = (truth["h_eave"] - truth["h_ground"]) / truth["floors"]
    assert storeys.between(2.7, 3.9).all()


def test_every_kind_of_building_and_roof_occurs(footprints, truth):
    assert set(truth["roof"]) == {"flat", "gable", "hip"}
    assert set(truth["kind"]) >= {
        "slab", "tower", "self-built", "U-shape", "L-shape", "courtyard", "hall",
    }  # fmt: skip
    holes = shapely.get_num_interior_rings(footprints.geometry.to_numpy())
    assert set(truth["kind"][holes > 0]) == {"courtyard"}
    assert truth["floors"].max() >= 18


def test_neighbours_share_walls_exactly_and_nothing_overlaps(footprints):
    shapes = footprints.geometry.to_numpy()
    corners = [set(map(tuple, shapely.get_coordinates(shape).tolist())) for shape in shapes]
    shared = 0
    for one, other in shapely.STRtree(shapes).query(shapes, predicate="intersects").T:
        if one < other:
            wall = shapes[one].intersection(shapes[other])
            assert wall.geom_type == "LineString"
            assert len(corners[one] & corners[other]) == 2
            shared += 1
    assert shared == 9 * 7  # nine rows of eight houses


def test_headers_tell_the_truth(city):
    tiles = sorted(city.points.iterdir())
    assert len(tiles) >= 2
    for path in tiles:
        with laspy.open(path) as reader:
            header = reader.header
            assert (str(header.version), header.point_format.id) == ("1.4", 6)
            assert header.creation_date == datetime.date(2024, 1, 1)
            assert header.scales.tolist() == [0.001] * 3
            parts = header.parse_crs().sub_crs_list
            assert [part.to_json_dict()["id"]["code"] for part in parts] == [4546, 5737]
            assert len(reader.read()) == header.point_count > 100_000


def test_classes(cloud):
    share = {int(k): n / len(cloud[1]) for k, n in Counter(cloud[1].tolist()).items()}
    assert set(share) == {1, 2, 3, 5, 6, 7, 18}
    assert min(share[2], share[5], share[6]) > 0.1
    assert share[7] + share[18] < 0.002


def test_roof_points_lie_on_the_true_planes(cloud, roofs):
    x, y, z = cloud[0][cloud[1] == 6].T
    point, face = shapely.STRtree(roofs.geometry).query(
        shapely.points(x, y), predicate="intersects"
    )
    found, first = np.unique(point, return_index=True)
    assert len(found) > 0.9999 * len(x)
    residual = z[found] - plane_heights(roofs.iloc[face[first]], x[found], y[found])
    assert (np.abs(residual) < 0.1).mean() > 0.999
    assert np.median(np.abs(residual)) < 0.02
    density = len(x) / roofs.area.sum()
    assert 8.0 < density < 12.0


def test_roof_faces_fill_the_footprint_and_carry_the_volume(footprints, roofs, truth):
    for building_id, faces in roofs.groupby("building_id"):
        outline = footprints.geometry[building_id]
        assert faces.union_all().symmetric_difference(outline).area < 0.1
        x, y = np.meshgrid(
            np.arange(outline.bounds[0], outline.bounds[2], 0.25),
            np.arange(outline.bounds[1], outline.bounds[3], 0.25),
        )
        volume = 0.0
        for row in range(len(faces)):
            face = faces.iloc[[row]]
            inside = shapely.contains_xy(face.geometry.iloc[0], x, y)
            above = plane_heights(face, x[inside], y[inside]) - truth["h_ground"][building_id]
            volume += above.sum() * 0.25**2
        assert volume == pytest.approx(truth["volume_m3"][building_id], rel=0.03)


def test_open_ground_slopes_and_stops_at_the_walls(cloud, footprints, truth):
    ground = cloud[0][cloud[1] == 2]
    assert np.ptp(ground[:, 2]) >= 5.0
    points = shapely.points(ground[:, :2])
    shapes = footprints.geometry.to_numpy()
    tree = shapely.STRtree(points)
    assert tree.query(shapes, predicate="contains").size == 0
    building, near = tree.query(shapes, predicate="dwithin", distance=4.0)
    lowest = pd.Series(ground[near, 2]).groupby(building).min()
    assert len(lowest) == len(truth)
    assert (lowest.to_numpy() - truth["h_ground"].to_numpy()).min() > -0.5
    assert (lowest.to_numpy() - truth["h_ground"].to_numpy()).max() < 0.5


def test_addresses_lie_at_their_building(addresses, footprints):
    linked = addresses[(addresses["building_id"] != "") & addresses["x"].notna()]
    places = shapely.points(linked[["x", "y"]])
    away = shapely.distance(footprints.geometry[linked["building_id"]].to_numpy(), places)
    assert away.max() <= 2.01
    assert 0.5 < (away == 0.0).mean() < 0.9
    assert (away > 1.0).any()


def test_addresses_without_building_or_coordinates(addresses, footprints):
    alone = addresses[addresses["building_id"] == ""]
    assert len(alone) >= 5
    assert (
        shapely.distance(footprints.union_all(), shapely.points(alone[["x", "y"]])).min() > 5.0
    )
    assert 0.01 < addresses["x"].isna().mean() < 0.1
    assert addresses["x"].isna().equals(addresses["y"].isna())


def test_every_building_has_an_address_and_some_have_several(addresses, footprints):
    counts = addresses["building_id"].value_counts().drop("")
    assert set(counts.index) == set(footprints.index)
    assert counts.max() >= 4
    assert addresses["标准地址"].is_unique
    assert addresses["标准地址"].str.match(r"示范市云泽区滨河街道\w+[路巷]\d+号").all()
