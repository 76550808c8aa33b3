"""Whole builds from clouds that state no ground, no buildings, or neither."""

from __future__ import annotations

import hashlib
from pathlib import Path

import laspy
import numpy as np
import pytest

import cimkit
from cimkit.read.job import read_job
from cimkit.tables import count_issues


def change(source, folder, *, off, drop=(), shuffle=False):
    """Copies of clouds with classes set to 1, points dropped, in another order."""
    folder.mkdir()
    for path in sorted(Path(source).glob("*.laz")):
        cloud = laspy.read(path)
        classes = np.asarray(cloud.classification)
        keep = np.flatnonzero(~np.isin(classes, drop))
        if shuffle:
            keep = np.random.default_rng(1).permutation(keep)
        cloud.classification = np.where(np.isin(classes, list(off)), 1, classes).astype(
            np.uint8
        )
        cloud.points = cloud.points[keep]
        cloud.write(str(folder / path.name))
    return str(folder)


def build(out, job, points=None, **changes):
    keys = {**job, **({"points": [points]} if points else {}), "workers": 1, **changes}
    return cimkit.build(out, cimkit.Job.from_mapping(keys))


def products(city):
    """SHA-256 of what must not depend on how the build was cut into tasks."""
    names = ("city.gpkg", "models.city.jsonl", "terrain.tif", "tiles/tileset.json")
    return [hashlib.sha256((city.path / name).read_bytes()).hexdigest() for name in names]


def roofs(city):
    return city.buildings.h_ground + city.buildings.height


def balances(city):
    for balance in city.manifest["balances"]:
        assert sum(balance["parts"].values()) == balance["in_count"]
        assert all(count >= 0 for count in balance["parts"].values())


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """A classified sample, and the city made of it."""
    folder = tmp_path_factory.mktemp("classified")
    paths = cimkit.make_sample(folder / "in", buildings=40, seed=3)
    job = read_job(paths.job)
    return paths, job, build(folder / "city", job)


@pytest.mark.parametrize("cloud", ["unclassified", "photogrammetric"])
def test_a_sample_without_classes_gives_the_city_of_its_classified_scan(
    sample, cloud, tmp_path
):
    """Points matched in images see walls as well as roofs, and no ground below trees."""
    _, _, known = sample
    job = read_job(cimkit.make_sample(tmp_path / "in", buildings=40, seed=3, cloud=cloud).job)
    city = build(tmp_path / "city", job)
    assert set(city.buildings.ground_source.tolist()) == {"filtered"}
    assert set(city.buildings.height_source.tolist()) == {"points"}
    assert np.abs(city.buildings.h_ground - known.buildings.h_ground).max() < 0.15
    assert np.quantile(np.abs(roofs(city) - roofs(known)), 0.95) < 0.3
    codes = count_issues(city.issues)
    assert codes["GROUND_FILTERED"] == 1
    assert not {"GROUND_DOUBTFUL", "GROUND_NOT_MEASURED", "BALANCE_BROKEN"} & set(codes)
    balances(city)


def test_neither_blocks_nor_order_nor_files_change_a_byte(sample, tmp_path):
    paths, job, _ = sample
    points = change(paths.points, tmp_path / "off", off=range(256))
    mixed = change(paths.points, tmp_path / "mixed", off=range(256), shuffle=True)
    city = build(tmp_path / "city", job, points)
    assert products(build(tmp_path / "small", job, points, block_size=60.0)) == products(city)
    assert products(build(tmp_path / "other", job, mixed)) == products(city)


def test_roofs_are_found_where_only_ground_is_stated(sample, tmp_path):
    paths, job, known = sample
    points = change(paths.points, tmp_path / "off", off=(6,))
    city = build(tmp_path / "city", job, points)
    assert set(city.buildings.ground_source.tolist()) == {"points"}
    assert np.array_equal(city.buildings.h_ground, known.buildings.h_ground)
    assert np.quantile(np.abs(roofs(city) - roofs(known)), 0.95) < 0.1
    assert not [code for code in count_issues(city.issues) if code.startswith("GROUND")]
    balances(city)


def test_ground_that_is_missing_is_a_guess_and_said(sample, tmp_path):
    """Class 2 is dropped; hedges, cars and lower branches remain."""
    paths, job, known = sample
    points = change(paths.points, tmp_path / "off", off=(), drop=(2,))
    city = build(tmp_path / "city", job, points)
    assert set(city.buildings.ground_source.tolist()) == {"guess"}
    codes = count_issues(city.issues)
    assert codes["GROUND_NOT_MEASURED"] == len(city.buildings)
    assert codes["GROUND_DOUBTFUL"] == 1
    assert np.median(np.abs(city.buildings.h_ground - known.buildings.h_ground)) < 1.0
    balances(city)


@pytest.mark.parametrize("off", [(), range(256)])
def test_a_cloud_of_roofs_alone_has_no_ground_and_says_so(sample, off, tmp_path):
    paths, job, _ = sample
    drop = [number for number in range(256) if number != 6]
    points = change(paths.points, tmp_path / "roofs", off=off, drop=drop)
    city = build(tmp_path / "city", job, points)
    assert set(city.buildings.ground_source.tolist()) == {"guess"}
    assert count_issues(city.issues)["GROUND_NOT_MEASURED"] == len(city.buildings)
    assert (city.buildings.height > 0.5).all()
    balances(city)


def test_files_with_and_without_classes_go_together(sample, tmp_path):
    """The west of the city is classified, the east is not."""
    paths, job, known = sample
    folder = tmp_path / "mixed"
    folder.mkdir()
    middle = float(np.median(known.footprints.bounds[:, 0]))
    for path in sorted(Path(paths.points).glob("*.laz")):
        whole = laspy.read(path)
        west = np.asarray(whole.x) < middle
        for name, part in (("west", west), ("east", ~west)):
            piece = laspy.LasData(whole.header)
            piece.points = whole.points[part]
            if name == "east":
                piece.classification = np.ones(len(piece.points), dtype=np.uint8)
            if len(piece.points):
                piece.write(str(folder / f"{path.stem}_{name}.laz"))
    city = build(tmp_path / "city", job, str(folder))
    assert np.abs(city.buildings.h_ground - known.buildings.h_ground).max() < 0.15
    source, low = city.buildings.ground_source, city.footprints.bounds[:, 0]
    assert (source[low > middle + 40] == "filtered").all()
    assert (source[city.footprints.bounds[:, 2] < middle - 40] == "points").all()
    (issue,) = (issue for issue in city.issues if issue.code == "GROUND_FILTERED")
    assert " clouds state no ground" in issue.message
    balances(city)


DELFT = {"footprint_layer": "pand", "footprint_id": "gml_id", "crs": "EPSG:7415"}


def delft(real_data, out, points):
    footprints = str(real_data / "delft_centre" / "bgt.gpkg")
    return build(out, {**DELFT, "footprints": footprints, "undulation": 43.0}, str(points))


def test_delft_without_classes_stands_on_its_ground(real_data, tmp_path):
    source = real_data / "delft_centre"
    known = delft(real_data, tmp_path / "known", source)
    bare = change(source, tmp_path / "bare", off=range(256))
    city = delft(real_data, tmp_path / "city", bare)
    off = np.abs(city.buildings.h_ground - known.buildings.h_ground)
    assert np.median(off) <= 0.01
    assert off.max() <= 0.1
    assert set(city.buildings.ground_source.tolist()) == {"filtered"}
    top = city.buildings.h_roof_max - known.buildings.h_roof_max
    assert np.quantile(np.abs(top), 0.9) < 0.1
    bare = change(source, tmp_path / "no ground", off=(), drop=(2,))
    city = delft(real_data, tmp_path / "guessed", bare)
    off = np.abs(city.buildings.h_ground - known.buildings.h_ground)
    assert np.median(off) < 0.35
    assert set(city.buildings.ground_source.tolist()) == {"guess"}
