"""Floors and rooms of a whole city, against the truth that the sample was made from."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pyogrio
import pytest
from typer.testing import CliRunner

import cimkit
from cimkit.check.solids import check_boundaries
from cimkit.check.tileset import check_tileset
from cimkit.cli.main import app
from cimkit.read.boundaries import read_boundaries
from cimkit.read.tileset import read_tileset
from cimkit.tables.boundaries import Boundaries
from tests.write.test_glb import CLEAN, validator  # noqa: F401  (a fixture)

CRS = "EPSG:4546+5737"
KEYS = {"crs": CRS, "undulation": -15.0, "workers": 1}


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("interiors")
    return cimkit.make_sample(
        folder / "in", buildings=80, rooms=True, cloud="none", without_coordinates=0.0
    )


@pytest.fixture(scope="module")
def city(paths):
    return cimkit.build(
        paths.job.parent.parent / "city",
        footprints=paths.footprints,
        addresses=paths.addresses_full,
        storeys=True,
        storeys_in_tiles=True,
        **KEYS,
    )


@pytest.fixture(scope="module")
def features(city):
    """Features of the CityJSON file by the building."""
    lines = (city.path / "storeys.city.jsonl").read_text(encoding="utf-8").splitlines()
    head, *rest = map(json.loads, lines)
    assert (head["type"], head["version"]) == ("CityJSON", "2.0")
    return {feature["id"]: feature for feature in rest}


def truth(paths, name):
    return pd.read_csv(paths.job.with_name(name), dtype={"building_id": str})


def things(feature, kind):
    return {k: t for k, t in feature["CityObjects"].items() if t["type"] == kind}


def test_each_building_has_the_floors_of_the_truth(paths, city):
    floors = truth(paths, "truth_buildings.csv").set_index("building_id")["floors"]
    found = Counter(city.storeys.building_id.tolist())
    assert dict(found) == floors.to_dict()
    assert set(city.storeys.source.tolist()) == {"floors"}


def test_each_floor_has_the_rooms_of_the_truth(paths, city):
    links = pd.read_csv(paths.truth_links_full, dtype=str, keep_default_na=False)
    rooms = links[links["address_id"].str.match(r"A\d+-\d{4}$")]
    floor = rooms["address_id"].str.extract(r"-(\d\d)\d\d$")[0].astype(int)
    expected = Counter(zip(rooms["building_id"], floor, strict=True))
    found = city.rooms
    assert (
        Counter(zip(found.building_id.tolist(), found.floor.tolist(), strict=True)) == expected
    )
    frame = truth(paths, "truth_buildings.csv")
    doors = frame[frame["units"] > 0].set_index("building_id")["rooms"]
    assert dict(Counter(found.building_id.tolist())) == doors.to_dict()
    assert sum(expected.values()) > 400


def test_every_room_is_accounted_for(city):
    balance = {b["name"]: b for b in city.manifest["balances"]}["rooms"]
    assert balance["parts"] == {"on a storey": balance["in_count"]}
    assert city.counts["rooms"] == len(city.rooms) == balance["in_count"]
    parents = set(city.addresses.address_id.tolist())
    assert set(city.rooms.building_address.tolist()) <= parents
    assert city.rooms.room[0].endswith("室")
    assert city.rooms.unit[0].endswith("单元")


def test_slabs_are_closed_and_as_large_as_the_building(city, features):
    volumes, faults, n = defaultdict[str, float](float), [], 0
    for table, issues in read_boundaries(city.path / "storeys.city.jsonl"):
        faults += [*issues, *check_boundaries(table)]
        n += len(table)
        add_volumes(volumes, table)
    assert faults == []
    assert n == len(city.storeys)
    expected = city.footprints.area * city.buildings.height
    names = city.footprints.building_id.tolist()
    np.testing.assert_allclose([volumes[name] for name in names], expected, rtol=1e-4)
    assert sorted(features) == sorted(names)


def add_volumes(found: dict[str, float], table: Boundaries) -> None:
    """Volume of the one shell of each solid, by the divergence theorem, to its building."""
    for row, name in enumerate(table.feature_id.tolist()):
        (solid,) = range(*table.primitive_offsets[row : row + 2])
        (shell,) = range(*table.solid_offsets[solid : solid + 2])
        faces = range(*table.shell_offsets[shell : shell + 2])
        base = table.vertices[
            table.ring_vertex[table.ring_offsets[table.face_offsets[faces[0]]]]
        ]
        for face in faces:
            for ring in range(*table.face_offsets[face : face + 2]):
                rows = table.ring_vertex[slice(*table.ring_offsets[ring : ring + 2])]
                xyz = table.vertices[rows] - base
                fans = np.cross(xyz[1:-1], xyz[2:]) @ xyz[0]
                found[name] += float(fans.sum()) / 6


def test_parents_and_children_know_each_other(city, features):
    for name, feature in features.items():
        (whole,) = things(feature, "Building").values()
        others = things(feature, "BuildingStorey") | things(feature, "BuildingUnit")
        assert whole["children"] == list(others)
        assert len(feature["CityObjects"]) == 1 + len(others)
        assert all(thing["parents"] == [name] for thing in others.values())
        used = [v for t in others.values() for v in vertices_of(t["geometry"])]
        assert sorted(set(used)) == list(range(len(feature["vertices"])))
    every = [name for feature in features.values() for name in feature["CityObjects"]]
    assert len(every) == len(set(every))
    n_units = sum(len(things(feature, "BuildingUnit")) for feature in features.values())
    assert n_units == len(city.rooms)


def vertices_of(nested):
    if isinstance(nested, int):
        return [nested]
    if isinstance(nested, dict):
        return vertices_of(nested["boundaries"])
    return [v for part in nested for v in vertices_of(part)]


def test_a_unit_names_its_address_and_its_storey(city, features):
    texts = dict(
        zip(
            city.addresses.address_id.tolist(),
            city.addresses.address_text.tolist(),
            strict=True,
        )
    )
    for feature in features.values():
        counts = Counter[str]()
        for unit in things(feature, "BuildingUnit").values():
            said = unit["attributes"]
            assert texts[said["address_id"]].endswith(said["unit"] + said["room"])
            storey = feature["CityObjects"][said["storey"]]
            assert storey["attributes"]["storey"] == said["floor"]
            counts[said["storey"]] += 1
        for name, storey in things(feature, "BuildingStorey").items():
            assert storey["attributes"]["n_rooms"] == counts[name]
            kinds = {s["type"] for s in storey["geometry"][0]["semantics"]["surfaces"]}
            assert kinds == {"FloorSurface", "WallSurface", "CeilingSurface"}


def test_another_reader_opens_the_storeys(city):
    cjio = Path(sys.executable).with_name("cjio")
    with (city.path / "storeys.city.jsonl").open() as lines:
        read = subprocess.run(
            [cjio, "stdin", "info"], stdin=lines, check=True, capture_output=True, text=True
        )
    assert f"BuildingStorey ({len(city.storeys)})" in read.stdout
    assert f"BuildingUnit ({len(city.rooms)})" in read.stdout


def test_layers_hold_the_same(city):
    gpkg = city.path / "city.gpkg"
    storeys = pyogrio.read_dataframe(gpkg, layer="storeys", read_geometry=False)
    assert storeys["n_rooms"].sum() == len(city.rooms)
    assert storeys["storey_id"].tolist() == city.storeys.storey_id.tolist()
    columns = pyogrio.read_info(gpkg, layer="rooms")["fields"].tolist()
    assert columns == ["address_id", "building_id", "floor", "unit", "room", "building_address"]


def test_each_storey_can_be_picked_in_the_tiles(city):
    contents = read_tileset(city.path / "tiles_storeys")
    assert check_tileset(contents) == []
    assert len(contents) > 1
    ids = city.storeys.storey_id.tolist()
    row_of = {name: row for row, name in enumerate(ids)}
    code_of = dict(
        zip(city.buildings.building_id.tolist(), city.buildings.code.tolist(), strict=True)
    )
    seen = []
    for uri in contents.uri[contents.leaf].tolist():
        found = contents.load(uri).properties
        seen += found["storey_id"].tolist()
        rows = [row_of[name] for name in found["storey_id"].tolist()]
        assert found["building_id"].tolist() == city.storeys.building_id[rows].tolist()
        assert found["storey"].tolist() == city.storeys.number[rows].tolist()
        assert found["code"].tolist() == [code_of[n] for n in found["building_id"].tolist()]
        np.testing.assert_allclose(found["z_top"], city.storeys.z_top[rows], atol=1e-4)
        rooms = Counter(
            zip(city.rooms.building_id.tolist(), city.rooms.floor.tolist(), strict=True)
        )
        pairs = zip(
            found["building_id"].tolist(), found["storey"].astype(int).tolist(), strict=True
        )
        assert found["n_rooms"].tolist() == [rooms[pair] for pair in pairs]
    assert sorted(seen) == sorted(ids)


def test_the_checker_sees_a_storey_twice(city):
    from dataclasses import replace

    contents = read_tileset(city.path / "tiles_storeys")

    def load(uri):
        content = contents.load(uri)
        ids = content.properties["storey_id"].copy()
        ids[:] = ids[0]
        return replace(content, properties={**content.properties, "storey_id": ids})

    codes = {issue.code for issue in check_tileset(replace(contents, load=load))}
    assert "TILE_BUILDING_REPEATED" in codes


def test_the_tiles_pass_the_validator_of_khronos(city, validator):  # noqa: F811
    assert validator((city.path / "tiles_storeys").glob("*.glb")) == CLEAN


def test_the_city_passes_its_own_check(city):
    said = CliRunner().invoke(app, ["check", str(city.path)])
    assert said.exit_code == 0, said.output


def test_a_damaged_slab_is_found_by_the_check(city, tmp_path):
    import shutil

    folder = tmp_path / "city"
    shutil.copytree(city.path, folder)
    path = folder / "storeys.city.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    feature = json.loads(lines[1])
    (storey, *_) = things(feature, "BuildingStorey").values()
    storey["geometry"][0]["boundaries"][0].pop()
    lines[1] = json.dumps(feature).encode() + b"\n"
    path.write_bytes(b"".join(lines))
    said = CliRunner().invoke(app, ["check", str(folder)])
    assert said.exit_code == 1
    assert "SOLID_302_SHELL_NOT_CLOSED" in said.output


def test_the_storeys_end_at_the_true_eave_or_highest_deck(tmp_path):
    """With a scan: parapets and stair houses stand on the roof, towers on their podium."""
    paths = cimkit.make_sample(tmp_path / "in", buildings=60)
    scanned = cimkit.build(
        tmp_path / "city",
        footprints=paths.footprints,
        points=(str(paths.points),),
        storeys_in_tiles=True,
        **KEYS,
    )
    frame = truth(paths, "truth_buildings.csv").set_index("building_id")
    assert {"podium", "stepped", "tower", "self-built"} <= set(frame["kind"])
    faces = truth(paths, "truth_roofs.csv")
    decks = faces[faces["part"] == "deck"].groupby("building_id")["z0"].max()
    expected = frame["h_eave"].where(~frame.index.isin(decks.index), decks)
    tops = scanned.storeys.to_pandas().groupby("building_id")["z_top"].max()
    assert (tops - expected).abs().max() < 0.02
    grounds = scanned.storeys.to_pandas().groupby("building_id")["z_bottom"].min()
    assert (grounds - frame["h_ground"]).abs().max() < 0.5
    assert check_tileset(read_tileset(scanned.path / "tiles_storeys")) == []


def test_neither_workers_nor_blocks_change_a_byte(paths, city, tmp_path):
    other = cimkit.build(
        tmp_path / "city",
        footprints=paths.footprints,
        addresses=paths.addresses_full,
        storeys=True,
        storeys_in_tiles=True,
        block_size=90.0,
        **KEYS | {"workers": 2},
    )
    assert other.run["parts"]["blocks"]["made"] > 2
    assert other.manifest == city.manifest


def test_without_the_keys_nothing_is_written(paths, tmp_path):
    plain = cimkit.build(tmp_path / "city", footprints=paths.footprints, **KEYS)
    names = {path.name for path in plain.path.iterdir()}
    assert not names & {"storeys.city.jsonl", "tiles_storeys"}
    assert set(pyogrio.list_layers(plain.path / "city.gpkg")[:, 0]) == {
        *("buildings", "links", "issues")
    }
    assert len(plain.storeys) == len(plain.rooms) == 0


def test_tiles_alone_and_without_addresses(paths, tmp_path):
    bare = cimkit.build(
        tmp_path / "city", footprints=paths.footprints, storeys_in_tiles=True, **KEYS
    )
    assert not (bare.path / "storeys.city.jsonl").exists()
    assert check_tileset(read_tileset(bare.path / "tiles_storeys")) == []
    assert len(bare.storeys) > 80
    assert len(bare.rooms) == 0


def test_a_floor_that_is_not_there_is_an_issue_of_the_build(paths, tmp_path):
    frame = pd.read_csv(paths.addresses_full, dtype=str, keep_default_na=False)
    room = frame.index[frame["DZLX"] == "户室"]
    frame.loc[room[0], ["LCH", "DYFH"]] = ["99层", "9901室"]
    frame.loc[room[1], ["LCH", "DYFH"]] = ["", "东户"]
    nowhere = ["X", "Y", "SJDZBM", "JLXMC", "MPH", "XQMC", "JZWMC", "HAOZUO", "DYH"]
    frame.loc[room[2], nowhere] = ""
    frame.loc[room[2], "DZMC"] = "301室"
    changed = tmp_path / "addresses.csv"
    frame.to_csv(changed, index=False)
    built = cimkit.build(
        tmp_path / "city", footprints=paths.footprints, addresses=changed, storeys=True, **KEYS
    )
    found = [issue for issue in built.issues if issue.code == "FLOOR_BEYOND_BUILDING"]
    assert [(issue.severity, issue.id) for issue in found] == [
        ("WARNING", frame.loc[room[0], "DZBM"])
    ]
    without = built.links.unlinked_id == frame.loc[room[2], "DZBM"]
    (reason,) = built.links.unlinked_reason[without].tolist()
    parts = {b["name"]: b["parts"] for b in built.manifest["balances"]}["rooms"]
    assert parts.pop("on a storey") == len(room) - 3
    assert parts == {
        "beyond the building": 1,
        "on an unknown floor": 1,
        reason: 1,
    }
    lost = frame.loc[room[0], "DZBM"]
    lines = (built.path / "storeys.city.jsonl").read_text(encoding="utf-8")
    (line,) = [line for line in lines.splitlines() if f"-unit-{lost}" in line]
    units = json.loads(line)["CityObjects"]
    (unit,) = [t for name, t in units.items() if name.endswith(f"-unit-{lost}")]
    assert (unit["attributes"]["floor"], unit["attributes"]["storey"]) == (99, None)
