"""Whole builds: what a user relies on from inputs to city folder."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import geopandas as gpd
import laspy
import numpy as np
import pandas as pd
import pyogrio
import pytest
from py3dtiles.tileset import TileSet
from shapely import box

import cimkit
from cimkit.check.city import check_city
from cimkit.check.solids import check_solids
from cimkit.check.tileset import check_tileset
from cimkit.errors import CimkitError, InputError, StoreError
from cimkit.kernels._jit import CACHE_FOLDER
from cimkit.read.city import City
from cimkit.read.job import read_job
from cimkit.read.las_header import probe_las
from cimkit.read.schemes import find_scheme
from cimkit.read.tileset import read_tileset
from cimkit.register import read_holdings
from cimkit.tasks import DecodeTask, decode
from cimkit.write.points import write_points
from cimkit.write.spool import load_points
from tests.register.registers import dying_after_the_commit

CRS = "EPSG:4546+5737"
EAST, NORTH = 500_000.0, 3_350_000.0


def tree_of(folder):
    """SHA-256 of every file but run.json, by name."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "run.json"
    }


def findings(city):
    models = city.models()
    contents = read_tileset(city.path / "tiles" / "tileset.json")
    return [
        *check_city(city.buildings, models, contents, city.manifest, city.file_sums()),
        *check_solids(models),
        *check_tileset(contents),
    ]


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """A small sample city, its inputs and the finished folder."""
    folder = tmp_path_factory.mktemp("sample")
    paths = cimkit.make_sample(folder / "in", buildings=40, seed=3)
    job = read_job(paths.job)
    return paths, job, cimkit.build(folder / "city", cimkit.Job.from_mapping(job))


def small_inputs(folder, *, level=20.0):
    """Three buildings on flat ground with a cloud and addresses."""
    folder.mkdir(parents=True, exist_ok=True)
    shapes = [box(0, 0, 10, 8), box(10, 0, 20, 8), box(40, 5, 60, 25)]
    shapes = [gpd.GeoSeries([s]).translate(EAST, NORTH).iloc[0] for s in shapes]
    frame = gpd.GeoDataFrame(
        {"bid": ["a", "b", "c"], "floors": [3, 4, 6]}, geometry=shapes, crs="EPSG:4546"
    )
    frame.to_file(folder / "footprints.gpkg", layer="footprints")
    rng = np.random.default_rng(0)
    x, y = EAST + rng.uniform(-10, 70, 8000), NORTH + rng.uniform(-10, 35, 8000)
    inside = np.zeros(8000, bool)
    for shape in shapes:
        west, south, east, north = shape.bounds
        inside |= (x >= west) & (x <= east) & (y >= south) & (y <= north)
    z = np.where(inside, level, 5.0) + rng.normal(0, 0.02, 8000)
    classes = np.where(inside, 6, 2).astype(np.uint8)
    half = x < EAST + 30
    for name, part in (("west", half), ("east", ~half)):
        xyz = np.column_stack([x, y, z])[part]
        write_points(folder / f"{name}.laz", xyz, classes[part], crs=CRS)
    pd.DataFrame(
        {
            "id": ["1", "2", "3", "4"],
            "address": ["向阳路1号", "向阳路3号", "向阳路5号", "公园"],
            "x": [EAST + 5, EAST + 15, np.nan, EAST + 35],
            "y": [NORTH + 4, NORTH + 4, np.nan, NORTH + 20],
        }
    ).to_csv(folder / "addresses.csv", index=False)
    return {
        "footprints": str(folder / "footprints.gpkg"),
        "points": [str(folder / "west.laz"), str(folder / "east.laz")],
        "addresses": str(folder / "addresses.csv"),
        "crs": CRS,
        "undulation": -15.0,
        "workers": 1,
    }


def build(out, keys, **changes):
    return cimkit.build(out, cimkit.Job.from_mapping({**keys, **changes}))


def test_the_sample_becomes_a_city_without_findings(sample):
    _, _, city = sample
    assert findings(city) == []
    assert not [issue for issue in city.issues if issue.severity == "ERROR"]
    names = {path.name for path in city.path.iterdir()}
    assert names == {
        "city.gpkg",
        "manifest.json",
        "models.city.jsonl",
        "report.html",
        "run.json",
        "terrain.tif",
        "tiles",
    }


def test_heights_of_the_sample_are_those_of_its_truth(sample):
    paths, _, city = sample
    truth = pd.read_csv(paths.truth_buildings, dtype={"building_id": str}).set_index(
        "building_id"
    )
    truth = truth.loc[city.buildings.building_id.tolist()]
    assert np.abs(city.buildings.h_ground - truth["h_ground"]).max() < 0.6
    roof = city.buildings.h_ground + city.buildings.height
    low, high = truth["h_eave"] - 0.3, truth["h_roof_max"] + 0.3
    assert ((roof > low) & (roof < high)).all()


def test_links_of_the_sample_are_right(sample):
    paths, _, city = sample
    truth = pd.read_csv(paths.truth_links, dtype=str).dropna()
    right = set(zip(truth["building_id"], truth["address_id"], strict=True))
    links = city.links.to_pandas()
    found = set(zip(links["building_id"], links["address_id"], strict=True))
    assert len(found & right) >= 0.98 * len(found)
    assert len(city.links.unlinked_id) + links["address_id"].nunique() == len(city.addresses)


def test_every_balance_adds_up(sample):
    _, _, city = sample
    for balance in city.manifest["balances"]:
        assert sum(balance["parts"].values()) == balance["in_count"], balance["name"]
    assert [balance["name"] for balance in city.manifest["balances"]] == [
        "footprints",
        "points",
        "addresses",
        *("rooms", "households", "population", "organisations"),
    ]


def test_every_part_of_a_shapefile_is_in_the_manifest(sample):
    _, _, city = sample
    names = [file["name"] for file in city.manifest["inputs"] if file["kind"] == "footprints"]
    assert sorted(names) == [f"footprints.{end}" for end in ("dbf", "prj", "shp", "shx")]


def test_tables_come_back(sample):
    paths, job, city = sample
    assert len(city.footprints) == len(city.buildings) == len(city.models()) == 40
    assert city.footprints.building_id.tolist() == city.models().building_id.tolist()
    assert len(city.addresses) == len(pd.read_csv(paths.addresses))
    inner = city.footprints.polygons()[0].representative_point()
    assert np.isfinite(city.terrain.sample(np.array([inner.x]), np.array([inner.y]))).all()
    assert city.crs == job["crs"]


def test_the_same_inputs_give_the_same_bytes(tmp_path):
    keys = small_inputs(tmp_path / "in")
    first = build(tmp_path / "one" / "city", keys)
    variants = [
        {"workers": 2, "block_size": 50.0},
        {"points": keys["points"][::-1], "block_size": 75.0},
    ]
    for number, change in enumerate(variants):
        other = build(tmp_path / f"v{number}" / "city", keys, **change)
        assert tree_of(other.path) == tree_of(first.path)


def two_clouds(folder, paths, names, order):
    """The cloud of a sample in two files that overlap; `order` turns the rows of each."""
    cloud = cimkit.read_points(str(paths.points))
    folder.mkdir()
    middle = np.median(cloud.x)
    halves = np.flatnonzero(cloud.x < middle + 20), np.flatnonzero(cloud.x > middle - 20)
    for name, rows in zip(names, halves, strict=True):
        part = cloud.take(order(rows))
        xyz = np.column_stack([part.x, part.y, part.z])
        write_points(folder / name, xyz, part.classification, crs=CRS)
    return [str(folder)]


@pytest.fixture(scope="module")
def reference(sample, tmp_path_factory):
    """The sample with two clouds: its keys, and the city that one worker made of it."""
    paths, keys, _ = sample
    folder = tmp_path_factory.mktemp("reference")
    clouds = two_clouds(folder / "points", paths, ["a.laz", "b.laz"], np.sort)
    keys = {**keys, "points": clouds, "workers": 1}
    return keys, build(folder / "city", keys)


def test_neither_the_machine_nor_the_place_nor_the_moment_changes_a_byte(tmp_path, reference):
    keys, first = reference
    place = tmp_path / "elsewhere 别处"
    place.mkdir()
    (place / "city.toml").write_text(
        "\n".join(f"{name} = {json.dumps(value)}" for name, value in keys.items())
    )
    command = [sys.executable, "-m", "cimkit", "build", "new/城市", "--job", "city.toml"]
    environment = {
        "LANG": "C",
        "TZ": "Asia/Shanghai",
        "PYTHONHASHSEED": "7",
        "NUMBA_NUM_THREADS": "1",
        "PATH": "/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",  # with this umask others could not read what it writes
        "XDG_CACHE_HOME": str(Path(CACHE_FOLDER).parents[1]),  # kernels are compiled once
    }
    subprocess.run(
        [*command, "--workers", "3", "--block-size", "60"],
        cwd=place,
        env=environment,
        umask=0o077,
        check=True,
        capture_output=True,
    )
    other = City(place / "new" / "城市")
    assert other.run["workers"] == 3
    assert other.run["parts"]["blocks"]["made"] > first.run["parts"]["blocks"]["made"]
    assert tree_of(other.path) == tree_of(first.path)


def test_no_order_of_rows_points_or_files_changes_what_is_made(tmp_path, sample, reference):
    """Only the inputs themselves, and where in them a row was, differ."""
    paths, _, _ = sample
    keys, first = reference
    shuffled = np.random.default_rng(5).permutation
    footprints = gpd.read_file(paths.footprints, encoding="GB18030")
    footprints = footprints.iloc[shuffled(len(footprints))]
    footprints.to_file(tmp_path / "footprints.gpkg", layer="footprints")
    addresses = pd.read_csv(paths.addresses, dtype=str, keep_default_na=False)
    addresses = addresses.iloc[shuffled(len(addresses))]
    addresses.to_csv(tmp_path / "addresses.csv", index=False)
    changes = {
        "footprints": str(tmp_path / "footprints.gpkg"),
        "addresses": str(tmp_path / "addresses.csv"),
        "points": two_clouds(tmp_path / "points", paths, ["z.laz", "b.laz"], shuffled),
    }
    other = build(tmp_path / "city", keys, **changes)
    one, two = tree_of(first.path), tree_of(other.path)
    of_inputs = {"city.gpkg", "manifest.json", "report.html"}
    assert {name for name in one | two if one.get(name) != two.get(name)} <= of_inputs
    for layer in ("buildings", "addresses"):
        made, again = (
            gpd.read_file(city.path / "city.gpkg", layer=layer).drop(
                columns="source_row", errors="ignore"
            )
            for city in (first, other)
        )
        pd.testing.assert_frame_equal(made, again, check_exact=True)
    links, again = (
        city.links.to_pandas().drop(columns=["source_row", "source_dataset", "source_hash"])
        for city in (first, other)
    )
    pd.testing.assert_frame_equal(links, again, check_exact=True)
    guessed = "ENCODING_GUESSED"  # a Shapefile without its encoding; a GeoPackage has one
    assert [issue for issue in first.issues if issue.code != guessed] == other.issues
    assert first.manifest["balances"] == other.manifest["balances"]


def test_points_of_overlapping_files_count_once(tmp_path):
    keys = small_inputs(tmp_path / "in")
    once = build(tmp_path / "once", keys)
    shutil.copy(tmp_path / "in" / "west.laz", tmp_path / "in" / "again.laz")
    twice = build(tmp_path / "twice", keys, points=[str(tmp_path / "in")])
    assert (twice.buildings.n_points == once.buildings.n_points).all()
    parts = twice.manifest["balances"][1]["parts"]
    repeated = once.buildings.n_points[:2].sum()
    assert parts["repeated in another file"] == repeated > 0
    assert twice.run["parts"]["clouds"] == {
        "made": 3,
        "reused": 0,
    }  # no build was left unfinished


def test_a_cloud_cut_short_is_kept_on_demand_and_said(tmp_path):
    keys = small_inputs(tmp_path / "in")
    whole = laspy.read(keys["points"][0])
    path = tmp_path / "cut.las"
    whole.write(str(path))
    record = whole.header.point_format.size
    path.write_bytes(path.read_bytes()[: -100 * record - 1])
    city = build(tmp_path / "city", keys, points=[str(path)], on_short="keep")
    (issue,) = (i for i in city.issues if i.code == "POINTS_MISSING")
    n = len(whole) - 101
    assert (issue.severity, issue.id) == ("WARNING", "cut.las")
    assert issue.message == f"cut.las is cut short: 101 points are missing, {n:,} were kept"
    (balance,) = (b for b in city.manifest["balances"] if b["name"] == "points")
    assert balance["in_count"] == n


def test_a_second_attempt_at_a_file_replaces_what_the_first_left(tmp_path):
    """A worker that dies has spooled some points already."""
    keys = small_inputs(tmp_path / "in")
    header = probe_las(keys["points"][0])
    kinds = {"ground": (2,), "building": (6,), "other": (1,)}
    box = header.bounds
    task = DecodeTask(header, [("0_0", box)], box, 1.0, kinds, (1,), CRS, str(tmp_path))
    first = decode(task)
    (tmp_path / "draft.part").mkdir()
    Path(first.folder, "done.json").rename(tmp_path / "draft.part" / "done.json")
    second = decode(task)
    files = [(f"{second.folder}/{name}", 0) for name in second.sums if name.startswith("0_0")]
    cloud, source = load_points(files, CRS)
    assert not second.reused
    assert len(cloud) == header.n_points
    assert set(source.tolist()) == {0}


def test_kinds_of_points_are_kept_apart(tmp_path):
    keys = small_inputs(tmp_path / "in")
    header = probe_las(keys["points"][0])
    kinds = {"ground": (2,), "building": (6,), "other": (1,)}
    box = header.bounds
    part = decode(DecodeTask(header, [("b", box)], box, 1.0, kinds, (1,), CRS, str(tmp_path)))
    ground, _ = load_points([(f"{part.folder}/b.ground", 0)], CRS)
    assert set(ground.classification.tolist()) == {2}


def test_a_cloud_over_a_part_of_the_city_is_used_and_said(tmp_path):
    keys = small_inputs(tmp_path / "in")
    frame = gpd.read_file(keys["footprints"])
    far = gpd.GeoDataFrame(
        {"bid": ["far"], "floors": [5]},
        geometry=[box(EAST + 900, NORTH + 900, EAST + 920, NORTH + 910)],
        crs=frame.crs,
    )
    pd.concat([frame, far]).to_file(tmp_path / "more.gpkg", layer="footprints")
    city = build(tmp_path / "city", keys, footprints=str(tmp_path / "more.gpkg"))
    assert city.buildings.height_source.tolist() == ["points", "points", "points", "floors"]
    assert "CLOUD_PARTIAL" in {issue.code for issue in city.issues}


def test_a_link_to_a_cloud_is_the_same_cloud(tmp_path):
    keys = small_inputs(tmp_path / "in")
    once = build(tmp_path / "once", keys)
    (tmp_path / "linked.laz").symlink_to(tmp_path / "in" / "west.laz")
    points = [*keys["points"], str(tmp_path / "linked.laz")]
    twice = build(tmp_path / "twice", keys, points=points)
    assert twice.manifest["balances"] == once.manifest["balances"]


def test_a_crash_after_the_commit_does_not_cost_the_city_its_codes(tmp_path, monkeypatch):
    keys = small_inputs(tmp_path / "in")
    monkeypatch.setattr("cimkit.pipeline.activating", dying_after_the_commit)
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "city", keys)
    monkeypatch.undo()
    codes = cimkit.open_city(tmp_path / "city").buildings.code.tolist()
    again = cimkit.build(tmp_path / "city", cimkit.Job.from_mapping(keys), overwrite=True)
    assert again.buildings.code.tolist() == codes


def test_building_again_keeps_the_codes_and_a_new_building_gets_a_new_one(tmp_path):
    keys = small_inputs(tmp_path / "in") | {"register": str(tmp_path / "codes.gpkg")}
    first = build(tmp_path / "one", keys)
    codes = dict(zip(first.buildings.building_id, first.buildings.code, strict=True))
    assert all(code.startswith("000000990100000") for code in codes.values())
    frame = gpd.read_file(keys["footprints"])
    more = gpd.GeoDataFrame(
        {"bid": ["new"], "floors": [2]},
        geometry=[box(EAST - 30, NORTH, EAST - 20, NORTH + 9)],
        crs=frame.crs,
    )
    pd.concat([more, frame]).to_file(tmp_path / "more.gpkg", layer="footprints")
    second = build(tmp_path / "two", keys, footprints=str(tmp_path / "more.gpkg"))
    again = dict(zip(second.buildings.building_id, second.buildings.code, strict=True))
    assert {name: again[name] for name in codes} == codes
    assert again["new"] not in codes.values()


def test_a_register_inside_the_city_is_refused(tmp_path):
    keys = small_inputs(tmp_path / "in")
    with pytest.raises(StoreError, match="beside"):
        build(tmp_path / "city", keys, register=str(tmp_path / "city" / "codes.gpkg"))
    assert not (tmp_path / "city").exists()


@pytest.mark.parametrize("manifest", ["{}", "[]", "{", '{"format": "cimkit city 9"}'])
def test_a_folder_that_is_no_city_is_not_opened(tmp_path, manifest):
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(InputError, match="is no city"):
        cimkit.open_city(tmp_path)


def test_without_a_cloud_heights_come_from_storeys(tmp_path):
    keys = {
        k: v
        for k, v in small_inputs(tmp_path / "in").items()
        if k not in ("points", "addresses")
    }
    city = build(tmp_path / "city", keys)
    assert city.buildings.height.tolist() == [9.0, 12.0, 18.0]
    assert set(city.buildings.height_source) == {"floors"}
    assert city.terrain is None
    assert len(city.addresses) == len(city.links) == 0
    assert findings(city) == []


def test_codes_follow_the_divisions_of_a_file_and_outlive_them(tmp_path):
    keys = small_inputs(tmp_path / "in")
    keys = {k: v for k, v in keys.items() if k not in ("points", "addresses")}
    area = box(EAST - 99, NORTH - 99, EAST + 30, NORTH + 99)  # the third lies 20 m east of it
    for name, codes in (("old", ["421002001"]), ("new", ["421002002"])):
        frame = gpd.GeoDataFrame({"区划代码": codes, "name": ["中山街道"]}, geometry=[area])
        frame.set_crs("EPSG:4546").to_file(tmp_path / f"{name}.gpkg", layer="d")
    out = tmp_path / "city"
    first = build(out, keys, division=str(tmp_path / "old.gpkg"))
    assert first.buildings.code.tolist() == [
        "421002990100001000001",
        "421002990100001000002",
        "421002990100001000003",
    ]
    assert [i.id for i in first.issues if i.code == "DIVISION_OUTSIDE"] == ["c"]
    frame = gpd.read_file(out / "city.gpkg", layer="buildings")
    assert frame["division"].tolist() == ["421002001"] * 3
    assert frame["division_name"].tolist() == ["中山街道"] * 3
    keys["division"] = str(tmp_path / "new.gpkg")
    second = cimkit.build(out, cimkit.Job.from_mapping(keys), overwrite=True)
    assert second.buildings.code.tolist() == first.buildings.code.tolist()
    text = (out / "manifest.json").read_text(encoding="utf-8")
    assert "new.gpkg" in text
    assert str(tmp_path) not in text


def test_buildings_are_coded_by_a_scheme_of_the_city(tmp_path):
    keys = small_inputs(tmp_path / "in")
    keys = {k: v for k, v in keys.items() if k not in ("points", "addresses")}
    (tmp_path / "ours.toml").write_text(
        "check = 'mod_37_36'\nsegments = [{name = 'county', length = 6, division = [1, 6]}, "
        "{name = 'number', length = 4, serial = true}]"
    )
    job = tmp_path / "city.toml"
    job.write_text("code_scheme = 'ours.toml'\ndivision = '421002'\n")
    keys |= read_job(job)
    out = tmp_path / "city"
    first = cimkit.build(out, cimkit.Job.from_mapping(keys)).buildings.code.tolist()
    assert [code[:-1] for code in first] == ["4210020001", "4210020002", "4210020003"]
    assert find_scheme(str(tmp_path / "ours.toml")).valid_all(first).all()
    again = cimkit.build(
        out, cimkit.Job.from_mapping({**keys, "code_scheme": "uic21"}), overwrite=True
    )
    assert again.buildings.code.tolist() == first
    assert "ours.toml" not in (out / "manifest.json").read_text(encoding="utf-8")


def test_an_empty_cloud_is_said_and_survived(tmp_path):
    keys = small_inputs(tmp_path / "in")
    nothing = tmp_path / "empty.laz"
    write_points(nothing, np.empty((0, 3)), np.empty(0, np.uint8), crs=CRS)
    city = build(tmp_path / "city", keys, points=[str(nothing)])
    assert "NO_POINTS" in {issue.code for issue in city.issues}
    assert set(city.buildings.height_source) == {"floors"}
    assert findings(city) == []


def test_without_a_word_on_the_geoid_the_city_is_built_with_an_error(tmp_path):
    keys = {k: v for k, v in small_inputs(tmp_path / "in").items() if k != "undulation"}
    city = build(tmp_path / "city", keys)
    errors = [issue.code for issue in city.issues if issue.severity == "ERROR"]
    assert errors == ["VERTICAL_DATUM_UNRESOLVED"]


def test_building_blocks_do_not_change_a_tall_neighbour(tmp_path):
    """A building that reaches over many blocks gets all its points."""
    keys = small_inputs(tmp_path / "in")
    whole = build(tmp_path / "one", keys, block_size=1000.0)
    cut = build(tmp_path / "two", keys, block_size=50.0)
    assert (whole.buildings.n_points == cut.buildings.n_points).all()


def far_cloud(folder, keys):
    xyz = np.array([[EAST + 90_000, NORTH, 5.0], [EAST + 90_010, NORTH + 9, 6.0]])
    write_points(folder / "far.laz", xyz, np.array([6, 2], np.uint8), crs=CRS)
    return {"points": [str(folder / "far.laz")]}


def short_cloud(folder, keys):
    path = folder / "short.laz"
    data = (folder / "in" / "west.laz").read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return {"points": [str(path)]}


def degrees_as_metres(folder, keys):
    frame = gpd.GeoDataFrame({"bid": ["a"]}, geometry=[box(112.2, 30.3, 112.21, 30.31)])
    frame.set_crs("EPSG:4546").to_file(folder / "degrees.gpkg", layer="footprints")
    return {"footprints": str(folder / "degrees.gpkg")}


def no_crs(folder, keys):
    gpd.read_file(keys["footprints"]).to_file(folder / "bare.shp")
    (folder / "bare.prj").unlink()
    return {"footprints": str(folder / "bare.shp")}


def empty_layer(folder, keys):
    gpd.read_file(keys["footprints"]).iloc[:0].to_file(folder / "none.gpkg", layer="footprints")
    return {"footprints": str(folder / "none.gpkg")}


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (far_cloud, "lie apart"),
        (short_cloud, r"short\.laz"),
        (degrees_as_metres, "degrees"),
        (no_crs, "CRS"),
        (empty_layer, r"none\.gpkg"),
        (lambda folder, keys: {"footprints": str(folder / "missing.gpkg")}, r"missing\.gpkg"),
        (lambda folder, keys: {"points": [str(folder / "none" / "*.laz")]}, "no LAS or LAZ"),
    ],
)
def test_a_bad_file_stops_the_run_and_spares_the_old_city(tmp_path, break_it, words):
    keys = small_inputs(tmp_path / "in")
    old = tree_of(build(tmp_path / "city", keys).path)
    register = (tmp_path / "city.register.gpkg").read_bytes()
    change = break_it(tmp_path, keys)
    with pytest.raises(InputError, match=words) as caught:
        cimkit.build(
            tmp_path / "city", cimkit.Job.from_mapping({**keys, **change}), overwrite=True
        )
    assert caught.value.exit_code == 3
    assert tree_of(tmp_path / "city") == old
    assert (tmp_path / "city.register.gpkg").read_bytes() == register
    assert not list(tmp_path.glob(".city*"))


def test_a_bad_feature_is_a_row_and_the_city_stands(tmp_path):
    keys = small_inputs(tmp_path / "in")
    frame = gpd.read_file(keys["footprints"])
    thin = box(EAST + 80, NORTH, EAST + 80.02, NORTH + 30)
    bad = gpd.GeoDataFrame({"bid": ["thin", "none"], "floors": [1, 1]}, geometry=[thin, None])
    pd.concat([frame, bad.set_crs(frame.crs)]).to_file(
        tmp_path / "bad.gpkg", layer="footprints"
    )
    city = build(tmp_path / "city", keys, footprints=str(tmp_path / "bad.gpkg"))
    assert city.buildings.building_id.tolist() == ["a", "b", "c"]
    assert {"thin", "none"} <= {issue.id for issue in city.issues}
    balance = city.manifest["balances"][0]
    assert balance["in_count"] == 5 == sum(balance["parts"].values())


def test_a_crash_before_the_commit_leaves_the_old_city_and_no_code_twice(tmp_path, monkeypatch):
    keys = small_inputs(tmp_path / "in")

    def crash(self):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cimkit.write.store.Staging.commit", crash)
    with pytest.raises(StoreError, match="No space left"):
        build(tmp_path / "city", keys)
    monkeypatch.undo()
    assert not (tmp_path / "city").exists()
    city = build(tmp_path / "city", keys)
    with sqlite3.connect(tmp_path / "city.register.gpkg") as connection:
        states = dict(connection.execute("SELECT code, state FROM codes").fetchall())
    connection.close()
    assert sorted(states.values()) == ["active"] * 3  # nobody had seen them: given again
    assert {states[code] for code in city.buildings.code} == {"active"}


@pytest.mark.parametrize(
    "keys", [{"footprint": "a"}, {"footprints": "a", "crs": "EPSG:4546", "workers": "two"}]
)
def test_a_wrong_key_or_value_is_named(keys):
    with pytest.raises(CimkitError, match=next(reversed(keys))):
        cimkit.Job.from_mapping(keys)


def test_layers_open_in_a_gis(sample):
    _, _, city = sample
    layers = {name for name, _ in pyogrio.list_layers(city.path / "city.gpkg")}
    assert layers == {"buildings", "addresses", "links", "issues", "occupancy_grid"}
    buildings = gpd.read_file(city.path / "city.gpkg", layer="buildings")
    assert buildings.crs.to_epsg() == 4546 or "4546" in buildings.crs.to_wkt()
    assert buildings.geometry.is_valid.all()


def test_delft_centre_meets_its_bar(real_data, tmp_path):
    data = real_data / "delft_centre"
    city = build(
        tmp_path / "city",
        {
            "footprints": str(data / "bgt.gpkg"),
            "footprint_layer": "pand",
            "footprint_id": "gml_id",
            "points": [str(data)],
            "crs": "EPSG:7415",
            "undulation": 43.0,
        },
    )
    assert len(city.models()) == 160
    assert findings(city) == []
    assert set(city.buildings.height_source) == set(city.buildings.ground_source) == {"points"}
    assert all(city.manifest["balances"][k]["parts"] for k in (0, 1))


def test_another_reader_opens_the_models(sample):
    _, _, city = sample
    cjio = Path(sys.executable).with_name("cjio")
    with (city.path / "models.city.jsonl").open() as lines:
        read = subprocess.run(
            [cjio, "stdin", "info"], stdin=lines, check=True, capture_output=True, text=True
        )
    assert "CityJSON version = 2.0" in read.stdout
    assert "Building (40)" in read.stdout


def test_another_reader_sees_the_same_tiles(sample):
    """py3dtiles, which shares no code with cimkit."""
    _, _, city = sample
    path = city.path / "tiles" / "tileset.json"
    contents = read_tileset(path)
    theirs = TileSet.from_file(path)
    tiles = [theirs.root_tile, *theirs.root_tile.get_all_children()]
    assert len(tiles) == len(contents)
    assert theirs.geometric_error == contents.tileset_error
    read = sorted(len(contents.load(uri).positions) for uri in contents.uri.tolist())
    fetched: list[Any] = [tile.get_or_fetch_content(path.parent) for tile in tiles]
    assert sorted(content._gltf.accessors[0].count for content in fetched) == read


def test_what_a_person_says_outlives_the_next_build(tmp_path):
    keys = {k: v for k, v in small_inputs(tmp_path / "in").items() if k != "points"}
    first = build(tmp_path / "one", {**keys, "register": str(tmp_path / "r.gpkg")})
    pairs = dict(
        zip(first.links.address_id.tolist(), first.links.building_id.tolist(), strict=True)
    )
    assert pairs == {"1": "a", "2": "b"}
    (added, *_) = read_holdings(tmp_path / "r.gpkg").changes
    assert (added["address_id"], added["change"]) == ("1", "added")
    assert added["data_set"].startswith("addresses.csv sha256 ")
    sheet = tmp_path / "decided.csv"
    code = dict(
        zip(
            *(c.tolist() for c in (first.buildings.building_id, first.buildings.code)),
            strict=True,
        )
    )
    rows = [
        ("1", code["a"], "edit", "c"),
        ("2", code["b"], "reject", ""),
        ("4", "", "edit", code["b"]),
    ]
    names = ["address_id", "building_code", "decision", "new_building"]
    pd.DataFrame(rows, columns=names).to_csv(sheet, index=False)
    keys |= {"register": str(tmp_path / "r.gpkg"), "reviews": [str(sheet)]}
    second = build(tmp_path / "two", keys)
    found = set(
        zip(
            *(c.tolist() for c in (second.links.address_id, second.links.building_id)),
            strict=True,
        )
    )
    assert found == {("1", "c"), ("4", "b")}
    assert set(second.links.review_state.tolist()) == {"edited"}
    table = gpd.read_file(tmp_path / "two" / "city.gpkg", layer="buildings").set_index(
        "building_id"
    )
    assert table.loc["c", "address"] == "向阳路1号"
    assert findings(second) == []
    keys["reviews"] = []  # the register remembers
    third = build(tmp_path / "three", keys)
    assert third.links.to_pandas().equals(second.links.to_pandas())
    assert str(tmp_path) not in (tmp_path / "two" / "manifest.json").read_text(encoding="utf-8")
