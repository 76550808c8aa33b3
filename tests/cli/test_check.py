"""``cimkit check``: a sound city passes, every damage is named."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest


def flip(path: Path, at: int) -> None:
    """Change one byte."""
    data = bytearray(path.read_bytes())
    data[at] ^= 0x15
    path.write_bytes(data)


def change_feature(path: Path, change) -> None:
    """Change the first building of a CityJSONSeq file."""
    header, first, *rest = path.read_text(encoding="utf-8").splitlines(keepends=True)
    feature = json.loads(first)
    change(feature)
    text = json.dumps(feature, ensure_ascii=False) + "\n"
    path.write_text("".join([header, text, *rest]), encoding="utf-8")


def move_vertex(feature, rise: int = 500) -> None:
    """Raise one corner of the roof by half a metre, in millimetres."""
    max(feature["vertices"], key=lambda xyz: xyz[2])[2] += rise


def drop_face(feature) -> None:
    """Take away one wall."""
    for thing in feature["CityObjects"].values():
        for geometry in thing.get("geometry", ()):
            if geometry["type"] == "Solid":
                geometry["boundaries"][0].pop()
                geometry["semantics"]["values"][0].pop()


def findings(said) -> dict[str, set[str]]:
    """Identifiers of each code."""
    found: dict[str, set[str]] = {}
    said = json.loads(said.out)
    for issue in said["issues"] if isinstance(said, dict) else said:
        found.setdefault(issue["code"], set()).add(issue["id"])
    return found


def test_a_sound_city_passes(run, built) -> None:
    tree = "3D Tiles 1.1: tiles 1, levels 1, leaves 1\n"
    for what, shape in (
        (built, ""),
        (built / "tiles", tree),
        (built / "tiles/tileset.json", tree),
    ):
        assert run("check", what) == (0, f"{shape}{what}: 0 errors, 0 other findings\n", "")
    models = built / "models.city.jsonl"
    said = run("check", models, "--json")
    report = json.loads(said.out)
    assert (said.code, report["validity"], report["issues"], report["features"]) == (
        0,
        True,
        [],
        [],
    )
    solids = {"type": "Solid", "lod": "1.2", "total": 12, "valid": 12}
    outlines = solids | {"type": "MultiSurface", "lod": "0"}
    steps, roofs = solids | {"lod": "1.3"}, solids | {"lod": "2.2"}
    assert report["primitives_overview"] == [outlines, solids, steps, roofs]
    assert report["features_overview"] == {"total": 12, "valid": 12}
    said = run("check", models)
    assert "\nSolid LoD1.2: 12 of 12 valid\n" in said.out


def test_a_changed_byte_of_the_tables_is_named(run, city) -> None:
    tables = city / "city.gpkg"
    flip(tables, tables.read_bytes().index(b"B0001"))
    said = run("check", city, "--json")
    assert said.code == 1
    assert findings(said)["FILE_CHANGED"] == {"city.gpkg"}
    assert findings(said)["MODEL_MISSING"] == {"B0001", "W0001"}


@pytest.mark.parametrize("size", [0, 50, 60_000])
def test_tables_that_cannot_be_read_are_named(run, city, size) -> None:
    os.truncate(city / "city.gpkg", size)
    said = run("check", city, "--json")
    assert said.code == 1
    assert findings(said)["FILE_CHANGED"] == {"city.gpkg"}
    assert "FILE_UNREADABLE" in findings(said)


def test_a_deleted_tile_is_named(run, city) -> None:
    tile = next((city / "tiles").glob("*.glb"))
    tile.unlink()
    found = findings(run("check", city, "--json"))
    assert found["FILE_MISSING"] == {f"tiles/{tile.name}"}
    assert found["TILE_CONTENT_MISSING"] == {tile.name}
    assert len(found["TILE_MISSING"]) == 12
    said = run("check", city)
    assert said.code == 1
    assert re.search(r"FILE_MISSING +city tiles/", said.out)
    assert re.search(r"TILE_MISSING +2 more: see --json", said.out)
    assert said.out.splitlines()[-1].endswith("14 errors, 0 other findings")
    said = run("check", city / "tiles")
    assert said.code == 1
    assert "TILE_CONTENT_MISSING" in said.out


def test_a_changed_tile_is_named(run, city) -> None:
    tile = next((city / "tiles").glob("*.glb"))
    flip(tile, 6000)
    said = run("check", city / "tiles", "--json")
    assert said.code == 1
    assert findings(said)["TILE_CONTENT_BROKEN"] == {tile.name}
    report = json.loads(said.out)
    assert (report["valid"], report["version"], report["implicit"]) == (False, "1.1", False)
    assert report["findings"]["TILE_CONTENT_BROKEN"] == 1
    assert report["tiles"] == report["contents"] == len(list((city / "tiles").glob("*.glb")))
    assert len(report["issues"]) == sum(report["findings"].values())


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (move_vertex, "SOLID_203_NON_PLANAR_POLYGON_DISTANCE_PLANE"),
        (drop_face, "SOLID_302_SHELL_NOT_CLOSED"),
    ],
)
def test_a_changed_solid_is_named(run, city, change, code) -> None:
    models = city / "models.city.jsonl"
    change_feature(models, change)
    said = run("check", models, "--json")
    assert said.code == 1
    assert findings(said)[code] == {"B0001"}
    (feature,) = json.loads(said.out)["features"]
    assert feature["id"] == "B0001"
    assert {f"SOLID_{e['code']}_{e['description']}" for e in feature["errors"]} == {code}
    assert all(len(error["place"]) == 3 for error in feature["errors"])
    said = run("check", city, "--json")
    assert said.code == 1
    assert findings(said)[code] == {"B0001"}
    assert findings(said)["FILE_CHANGED"] == {"models.city.jsonl"}


def test_models_that_were_handed_over_are_judged(run, tmp_path) -> None:
    """A document of several kinds of trouble: what can be read is judged, the rest is named."""
    shell = [[[0, 1, 2]], [[0, 3, 1]], [[0, 2, 3]], [[1, 3, 2]]]
    things = {
        "inside out": {"type": "Building", "geometry": [_solid(shell)]},
        "open": {"type": "Building", "geometry": [_solid(shell[1:])]},
        "lost": {"type": "Building", "geometry": [_solid([[[0, 1, 9]]])]},
        "empty": {"type": "Building"},
    }
    vertices = [[0, 0, 0], [4, 0, 0], [0, 4, 0], [0, 0, 4]]
    document = {"type": "CityJSON", "version": "2.0", "vertices": vertices}
    path = tmp_path / "handed.city.json"
    path.write_text(json.dumps(document | {"CityObjects": things}), encoding="utf-8")
    said = run("check", path, "--json")
    assert said.code == 1
    report = json.loads(said.out)
    assert report["all_errors"] == [301, 405, 901, 906]
    assert report["features_overview"] == {"total": 4, "valid": 0}
    assert {f["id"]: f["errors"][0]["description"] for f in report["features"]} == {
        "empty": "PRIMITIVE_NO_GEOMETRY",
        "inside out": "WRONG_ORIENTATION_SHELL",
        "lost": "INVALID_INPUT_FILE",
        "open": "TOO_FEW_POLYGONS",
    }
    said = run("check", path)
    assert "Solid LoD2: 0 of 2 valid" in said.out
    assert said.out.endswith("4 errors, 0 other findings\n")


def _solid(shell):
    return {"type": "Solid", "lod": "2", "boundaries": [shell]}


def test_tolerances_are_those_that_were_given(run, built, tmp_path) -> None:
    models = tmp_path / "models.city.jsonl"
    models.write_bytes((built / "models.city.jsonl").read_bytes())
    change_feature(models, lambda feature: move_vertex(feature, 50))
    assert run("check", models).code == 0
    assert run("check", models, "--planarity", "0.001").code == 1
    said = run("check", models, "--snap", "0")
    assert (said.code, said.out) == (2, "")
    assert "--snap" in said.err


def test_an_unknown_file_is_named(run, city) -> None:
    (city / "notes\x1b[2J.txt").write_text("mine")
    said = run("check", city)
    assert said.code == 0  # a warning: nothing of the city is wrong
    assert r"notes\x1b[2J.txt: lies in the folder, but not in the manifest" in said.out
    assert said.out.splitlines()[-1].endswith("0 errors, 1 other findings")


@pytest.mark.parametrize("name", ["nothing", "footprints.shp", "models.city.jsonl", "."])
def test_what_is_no_product_is_refused(run, sample, tmp_path, name) -> None:
    (tmp_path / "footprints.shp").write_bytes((sample.parent / "footprints.shp").read_bytes())
    (tmp_path / "models.city.jsonl").write_text('{"type": "CityJSON", "version": "1.1"}\n')
    said = run("check", tmp_path / name)
    assert (said.code, said.out) == (3, "")
    assert said.err.startswith(f"cimkit: InputError: {tmp_path / name}: ")
