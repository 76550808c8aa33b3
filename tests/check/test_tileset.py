from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import replace

import numpy as np
import pytest

from cimkit.check.tileset import check_tileset
from cimkit.errors import FormatError, InputError
from cimkit.read.tileset import read_tileset
from tests.extruded import boxes, write_tiles


@pytest.fixture
def tileset(tmp_path, monkeypatch):
    """A sound tileset of 60 buildings on three levels."""
    monkeypatch.setattr("cimkit.steps.tile.WORTH_BYTES", 0)
    return write_tiles(tmp_path, boxes(60), tile_buildings=8)


def codes(contents):
    issues = check_tileset(contents)
    assert {(issue.severity, issue.table) for issue in issues} <= {("ERROR", "tiles")}
    return sorted({issue.code for issue in issues})


def first_leaf(contents):
    return int(np.flatnonzero(contents.leaf)[0])


def altered(contents, row, **columns):
    """The tileset with other columns in the content of one tile."""
    uri = str(contents.uri[row])

    def load(name):
        content = contents.load(name)
        return (
            replace(content, **{k: f(content) for k, f in columns.items()})
            if name == uri
            else content
        )

    return replace(contents, load=load)


def test_a_sound_tileset_has_no_issues(tileset):
    contents = read_tileset(tileset)
    assert contents.depth.max() >= 2
    assert codes(contents) == []
    assert codes(read_tileset(tileset.parent)) == []


# The tree.


@pytest.mark.parametrize("where", ["root", "inner"])
def test_errors_that_do_not_shrink(tileset, where):
    contents = read_tileset(tileset)
    if where == "root":
        contents = replace(contents, tileset_error=contents.error[0] * 0.99)
    else:
        error = contents.error.copy()
        error[1] = error[0]
        contents = replace(contents, error=error)
    assert codes(contents) == ["TILE_ERROR_NOT_SHRINKING"]


def test_leaf_with_an_error(tileset):
    contents = read_tileset(tileset)
    error = contents.error.copy()
    error[first_leaf(contents)] = 0.5
    assert codes(replace(contents, error=error)) == ["TILE_LEAF_ERROR"]


def test_box_outside_the_parent(tileset):
    contents = read_tileset(tileset)
    box = contents.box.copy()
    box[0, 3::4] *= 0.99
    found = check_tileset(replace(contents, box=box))
    assert "TILE_BOX_OUTSIDE_PARENT" in {issue.code for issue in found}
    box = contents.box.copy()
    box[1, 3] *= 1.5
    assert codes(replace(contents, box=box)) == ["TILE_BOX_OUTSIDE_PARENT"]


def test_content_outside_its_box(tileset):
    contents = read_tileset(tileset)
    leaf = first_leaf(contents)
    box = contents.box.copy()
    box[leaf, 3] -= 0.05
    assert codes(replace(contents, box=box)) == ["TILE_CONTENT_OUTSIDE_BOX"]
    box[leaf, 3] += 0.045
    assert codes(replace(contents, box=box)) == []


# Contents and their tables.


def test_missing_file(tileset):
    contents = read_tileset(tileset)
    (tileset.parent / str(contents.uri[first_leaf(contents)])).unlink()
    assert codes(contents) == ["TILE_CONTENT_MISSING"]


def test_tile_without_content(tileset):
    contents = read_tileset(tileset)
    uri = contents.uri.copy()
    uri[first_leaf(contents)] = ""
    found = codes(replace(contents, uri=uri))
    assert found[0] == "TILE_CONTENT_MISSING"


@pytest.mark.parametrize("seed", range(25))
def test_one_changed_byte(tileset, seed):
    contents, rng = read_tileset(tileset), np.random.default_rng(seed)
    path = tileset.parent / str(contents.uri[first_leaf(contents)])
    data = bytearray(path.read_bytes())
    data[rng.integers(len(data))] ^= rng.integers(1, 256)
    path.write_bytes(data)
    assert codes(contents) == ["TILE_CONTENT_BROKEN"]


def test_feature_without_geometry(tileset):
    contents = read_tileset(tileset)
    changed = altered(
        contents,
        first_leaf(contents),
        triangles=lambda c: c.triangles[c.feature[c.triangles[:, 0]] != 2],
    )
    assert codes(changed) == ["TILE_FEATURE_COUNT"]


def test_feature_ids_beyond_the_count(tileset):
    contents = read_tileset(tileset)
    changed = altered(
        contents,
        first_leaf(contents),
        feature=lambda c: np.where(c.feature == 1, 99, c.feature),
    )
    assert codes(changed) == ["TILE_FEATURE_COUNT"]


def test_rows_of_the_property_table(tileset):
    contents = read_tileset(tileset)
    changed = altered(contents, first_leaf(contents), row_count=lambda c: c.row_count + 1)
    assert codes(changed) == ["TILE_ROW_COUNT"]


def test_no_column_of_identifiers(tileset):
    contents = read_tileset(tileset)
    changed = altered(
        contents, first_leaf(contents), properties=lambda c: {}, enums=lambda c: {}
    )
    assert codes(changed) == ["TILE_ID_COLUMN"]


def test_enum_number_without_name(tileset):
    contents = read_tileset(tileset)
    changed = altered(
        contents,
        first_leaf(contents),
        properties=lambda c: {**c.properties, "lod": c.properties["lod"] + 7},
    )
    assert codes(changed) == ["TILE_ENUM_UNKNOWN", "TILE_PROPERTY_DIFFERS"]


def test_two_tiles_that_contradict_each_other(tileset):
    contents = read_tileset(tileset)
    changed = altered(
        contents, 0, properties=lambda c: {**c.properties, "height": c.properties["height"] + 1}
    )
    assert codes(changed) == ["TILE_PROPERTY_DIFFERS"]


def test_normals_that_are_too_short(tileset):
    contents = read_tileset(tileset)
    changed = altered(contents, first_leaf(contents), normals=lambda c: c.normals * 0.9)
    assert codes(changed) == ["TILE_NORMAL_NOT_UNIT"]


# Solids.


def test_open_solid(tileset):
    contents = read_tileset(tileset)
    changed = altered(contents, first_leaf(contents), triangles=lambda c: c.triangles[1:])
    assert codes(changed) == ["TILE_SOLID_OPEN"]


def test_vertex_that_parts_from_its_neighbours(tileset):
    """Corners of one point that were rounded each for themselves."""

    def moved(content):
        positions = content.positions.copy()
        positions[0] += content.step
        return positions

    contents = read_tileset(tileset)
    changed = altered(contents, first_leaf(contents), positions=moved)
    assert codes(changed) == ["TILE_SOLID_OPEN"]


def test_inverted_solids(tileset):
    contents = read_tileset(tileset)
    changed = altered(contents, first_leaf(contents), triangles=lambda c: c.triangles[:, ::-1])
    issues = check_tileset(changed)
    assert {issue.code for issue in issues} == {"TILE_SOLID_INVERTED"}
    n = contents.load(str(contents.uri[first_leaf(contents)])).feature_count
    assert len(issues) == n


# Buildings over the levels.


def renamed(contents, row, number, name):
    def properties(content):
        ids = content.properties["building_id"].copy()
        ids[number] = name
        return {**content.properties, "building_id": ids}

    return altered(contents, row, properties=properties)


def test_building_in_two_leaves(tileset):
    contents = read_tileset(tileset)
    first, second = np.flatnonzero(contents.leaf)[:2].tolist()
    # One that no tile above shows, or it would be lost as well.
    above = set().union(
        *(contents.load(str(contents.uri[row])).properties["building_id"].tolist()
          for row in np.flatnonzero(~contents.leaf))
    )  # fmt: skip
    ids = contents.load(str(contents.uri[second])).properties["building_id"].tolist()
    number = next(i for i, name in enumerate(ids) if name not in above)
    twin = contents.load(str(contents.uri[first])).properties["building_id"][0]
    found = check_tileset(renamed(contents, second, number, twin))
    assert {issue.code for issue in found} == {
        "TILE_BUILDING_REPEATED",
        "TILE_PROPERTY_DIFFERS",
    }
    (issue,) = (one for one in found if one.code == "TILE_BUILDING_REPEATED")
    assert issue.id == contents.uri[second]
    assert twin in issue.message


def test_building_twice_in_one_tile_above_the_leaves(tileset):
    contents = read_tileset(tileset)
    ids = contents.load(str(contents.uri[0])).properties["building_id"]
    found = codes(renamed(contents, 0, 0, ids[1]))
    assert found == ["TILE_BUILDING_REPEATED", "TILE_PROPERTY_DIFFERS"]


def test_building_that_vanishes_on_refinement(tileset):
    contents = read_tileset(tileset)
    (issue,) = check_tileset(renamed(contents, 0, 0, "nobody"))
    assert (issue.code, issue.id) == ("TILE_BUILDING_LOST", contents.uri[0])
    assert "nobody" in issue.message


# Files that lie, under a name that fits their bytes.


def rewrite(tileset, change):
    """Change JSON and binary chunk of the first leaf, and name it by its new content."""
    contents = read_tileset(tileset)
    old = str(contents.uri[first_leaf(contents)])
    data = (tileset.parent / old).read_bytes()
    size = struct.unpack_from("<I", data, 12)[0]
    document, binary = json.loads(data[20 : 20 + size]), bytearray(data[28 + size :])
    change(document, binary)
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    length = 28 + len(text) + len(binary)
    data = struct.pack("<4s3I4s", b"glTF", 2, length, len(text), b"JSON") + text
    data += struct.pack("<I4s", len(binary), b"BIN\0") + bytes(binary)
    new = hashlib.sha256(data).hexdigest()[:16] + ".glb"
    (tileset.parent / old).unlink()
    (tileset.parent / new).write_bytes(data)
    tileset.write_text(tileset.read_text().replace(old, new))
    return read_tileset(tileset)


def table_of(document):
    return document["extensions"]["EXT_structural_metadata"]["propertyTables"][0]


def break_offsets(document, binary):
    column = table_of(document)["properties"]["building_id"]["stringOffsets"]
    start = document["bufferViews"][column]["byteOffset"]
    size = document["bufferViews"][column]["byteLength"]
    binary[start : start + size] = binary[start : start + size][::-1]  # falling


def break_index(document, binary):
    view = document["bufferViews"][document["accessors"][3]["bufferView"]]
    binary[view["byteOffset"] : view["byteOffset"] + 2] = b"\xff\xff"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(break_offsets, id="text offsets"),
        pytest.param(break_index, id="index"),
        pytest.param(lambda d, b: table_of(d).update(count=3), id="row count"),
        pytest.param(lambda d, b: table_of(d).update({"class": "tree"}), id="class"),
        pytest.param(lambda d, b: d["accessors"][0].update(count=10**9), id="count"),
        pytest.param(lambda d, b: d["accessors"][0].update(count=-1), id="negative"),
        pytest.param(lambda d, b: d["bufferViews"][0].update(byteLength=10**9), id="view"),
        pytest.param(lambda d, b: d["nodes"][0].update(scale=[1, 2, 1]), id="scale"),
        pytest.param(lambda d, b: d["nodes"][0].update(translation=[1e999] * 3), id="infinite"),
        pytest.param(lambda d, b: d.pop("meshes"), id="no mesh"),
    ],
)
def test_damage_under_a_fitting_name(tileset, change):
    assert codes(rewrite(tileset, change)) == ["TILE_CONTENT_BROKEN"]


def test_rewriting_alone_does_no_harm(tileset):
    assert codes(rewrite(tileset, lambda d, b: None)) == []


# The document.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[: len(text) // 2], "damaged"),
        (lambda text: text.replace('"1.1"', '"2.0"'), "3D Tiles 1.0 or 1.1"),
        (lambda text: text.replace("REPLACE", "ADD"), "replacement"),
        (lambda text: text.replace('"box":[', '"box":[NaN,'), "NaN"),
        (lambda text: text.replace('"box":[', '"box":[0,'), "damaged|box"),
        (lambda text: text.replace('"uri":"', '"uri":"../'), "beside the tileset"),
        (lambda text: text.replace('"children"', '"viewerRequestVolume"', 1), "does not write"),
        (lambda text: "[" * 100_000, "damaged"),
        (lambda text: "[]", "damaged"),
    ],
    ids=["cut", "2.0", "ADD", "NaN", "13 numbers", "escape", "request volume", "deep", "list"],
)
def test_documents_that_are_refused(tileset, change, message):
    tileset.write_text(change(tileset.read_text()))
    with pytest.raises(FormatError, match=message) as caught:
        read_tileset(tileset)
    assert caught.value.path == str(tileset)


def test_no_such_tileset(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_tileset(tmp_path)


def test_identifiers_of_readable_leaves(tileset):
    contents = read_tileset(tileset)
    assert sorted(contents.shown_ids()) == sorted(boxes(60).buildings.building_id.tolist())
    row = first_leaf(contents)
    lost = contents.load(str(contents.uri[row])).properties["building_id"].tolist()
    (tileset.parent / str(contents.uri[row])).unlink()
    assert set(boxes(60).buildings.building_id.tolist()) - set(contents.shown_ids()) == set(
        lost
    )
