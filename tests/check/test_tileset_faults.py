"""Damages in files of a tileset, one by one: each is found, and called by its name."""

from __future__ import annotations

import gzip
import hashlib
import json
import struct

import numpy as np
import pytest

from cimkit.check.tileset import check_tileset
from cimkit.errors import InputError
from cimkit.read.tileset import read_tileset
from cimkit.write.glb import Encoding
from tests.extruded import boxes, write_tiles

VARIANTS = {
    "plain": {"encoding": Encoding()},
    "meshopt": {"encoding": Encoding(meshopt=True)},
    "outline": {"encoding": Encoding(outline=True)},
    "1.0": {"encoding": Encoding("1.0")},
    "implicit": {"encoding": Encoding(), "implicit": True},
    "implicit, meshopt": {"encoding": Encoding(meshopt=True), "implicit": True},
}


class Tiles:
    """A sound tileset on three levels, whose files can be changed."""

    def __init__(self, folder, **how):
        self.folder = folder
        self.path = write_tiles(folder, boxes(60), tile_buildings=8, **how)

    @property
    def found(self):
        """Codes of the findings, or of the refusal."""
        try:
            issues = check_tileset(read_tileset(self.path))
        except InputError:
            return {"REFUSED"}
        return {issue.code for issue in issues}

    def document(self, change):
        """Change the document."""
        document = json.loads(self.path.read_bytes())
        change(document)
        self.path.write_text(json.dumps(document))

    def content(self, change, *, leaf=True):
        """Change JSON and binary chunk of a content, and call it by its new bytes."""
        contents = read_tileset(self.path)
        rows = np.flatnonzero(contents.leaf if leaf else ~contents.leaf)
        old = next(str(contents.uri[row]) for row in rows if contents.uri[row])
        data = (self.folder / old).read_bytes()
        start = 28 + sum(struct.unpack_from("<4I", data, 12)) if old.endswith("b3dm") else 0
        head, data = data[:start], data[start:]
        size = struct.unpack_from("<I", data, 12)[0]
        document = json.loads(data[20 : 20 + size])
        binary = bytearray(data[28 + size :][: struct.unpack_from("<I", data, 20 + size)[0]])
        change(document, binary)
        text = json.dumps(document).encode()
        text += b" " * (-(len(text) + 20) % 8)
        length = 28 + len(text) + len(binary)
        data = struct.pack("<4s3I4s", b"glTF", 2, length, len(text), b"JSON") + text
        data += struct.pack("<I4s", len(binary), b"BIN\0") + bytes(binary)
        self.replace(old, head + data)

    def raw(self, change):
        """Change the bytes of a leaf."""
        contents = read_tileset(self.path)
        old = str(contents.uri[np.flatnonzero(contents.leaf)[0]])
        self.replace(old, change((self.folder / old).read_bytes()))

    def replace(self, old, data):
        """Other bytes for a content, under a name that is made of them where names are."""
        (self.folder / old).unlink()
        new = old
        if "/" not in old:
            new = hashlib.sha256(data).hexdigest()[:16] + old[16:]
        (self.folder / new).write_bytes(data)
        self.path.write_text(self.path.read_text().replace(old, new))


@pytest.fixture
def make(tmp_path, monkeypatch):
    monkeypatch.setattr("cimkit.steps.tile.WORTH_BYTES", 0)
    return lambda variant: Tiles(tmp_path, **VARIANTS[variant])


@pytest.mark.parametrize("variant", VARIANTS)
def test_nothing_is_found_where_nothing_is_wrong(make, variant):
    tiles = make(variant)
    assert tiles.found == set()
    if variant != "1.0":
        tiles.content(lambda d, b: None)  # written anew
        assert tiles.found == set()


# Helpers of the damages.


def primitive(document):
    return document["meshes"][0]["primitives"][0]


def table(document):
    return document["extensions"]["EXT_structural_metadata"]["propertyTables"][0]


def features(document):
    return primitive(document)["extensions"]["EXT_mesh_features"]["featureIds"][0]


def place(document, view):
    view = document["bufferViews"][view]
    return view["byteOffset"], view["byteOffset"] + view["byteLength"]


def indices(document, binary):
    """Indices of the triangles, which may be written to."""
    accessor = document["accessors"][primitive(document)["indices"]]
    start, _ = place(document, accessor["bufferView"])
    return np.frombuffer(binary, "<u2", accessor["count"], start).reshape(-1, 3)


def vertices(document, binary):
    """Vertices as rows of bytes, which may be written to."""
    start, end = place(document, 0)
    return np.frombuffer(binary, np.uint8, end - start, start).reshape(-1, 16)


def first_leaf(tile):
    return first_leaf(tile["children"][0]) if "children" in tile else tile


def leaves(tile):
    if "children" not in tile:
        return [tile]
    return [leaf for child in tile["children"] for leaf in leaves(child)]


def drop_triangle(document, binary):
    document["accessors"][primitive(document)["indices"]]["count"] -= 3


def twice(document, binary):
    rows = indices(document, binary)
    rows[1] = rows[0]


def move_vertex(document, binary):
    vertices(document, binary)[0, 0] ^= 1


def flip(document, binary):
    rows = indices(document, binary)
    rows[:] = rows[:, ::-1].copy()


def flip_one(document, binary):
    rows = indices(document, binary)
    rows[0] = rows[0, ::-1].copy()


def short_normals(document, binary):
    rows = vertices(document, binary)[:, 12:15].view(np.int8)
    rows[:] = rows // 2


def zero_normals(document, binary):
    vertices(document, binary)[:, 12:15] = 0


def offsets(document, binary, name="building_id"):
    column = table(document)["properties"][name]
    start, end = place(document, column["stringOffsets"])
    kind = {"UINT8": "u1", "UINT16": "<u2"}[column["stringOffsetType"]]
    return np.frombuffer(binary, kind, -1, start)[: (end - start) // np.dtype(kind).itemsize]


def falling(document, binary):
    rows = offsets(document, binary)
    rows[1], rows[2] = rows[2].copy(), rows[1].copy()
    if rows[1] == rows[2]:
        rows[1] += 1


def beyond(document, binary):
    offsets(document, binary)[-1] += 1


def from_one(document, binary):
    offsets(document, binary)[0] = 1


def other_id(document, binary):
    start, _ = place(document, table(document)["properties"]["building_id"]["values"])
    binary[start + 4] = ord("X")


def same_id(document, binary):
    start, _ = place(document, table(document)["properties"]["building_id"]["values"])
    rows = offsets(document, binary)
    size = int(rows[1])
    assert size == rows[2] - rows[1]
    binary[start + size : start + 2 * size] = binary[start : start + size]


def unknown_lod(document, binary):
    start, _ = place(document, table(document)["properties"]["lod"]["values"])
    binary[start] = 9


def other_height(document, binary):
    start, _ = place(document, table(document)["properties"]["height"]["values"])
    binary[start] ^= 0xFF


def endless_height(document, binary):
    start, _ = place(document, table(document)["properties"]["height"]["values"])
    binary[start : start + 4] = struct.pack("<f", np.inf)


def swap_leaves(document):
    first, *_, last = leaves(document["root"])
    first["content"], last["content"] = last["content"], first["content"]


def repeat_leaf(document):
    first, second, *_ = leaves(document["root"])
    second["content"] = first["content"]


def lose_child(document):
    document["root"]["children"][0].pop("children")


def shrink(tile, factor):
    box = tile["boundingVolume"]["box"]
    box[3], box[7], box[11] = (factor * box[k] for k in (3, 7, 11))


def shift(tile, metres):
    tile["boundingVolume"]["box"][0] += metres


CONTENTS = {
    # What the official validator finds: property tables and features.
    "rows fewer than announced": (lambda d, b: table(d).update(count=3), "TILE_CONTENT_BROKEN"),
    "unknown class": (lambda d, b: table(d).update({"class": "tree"}), "TILE_CONTENT_BROKEN"),
    "no such table": (lambda d, b: features(d).update(propertyTable=4), "TILE_CONTENT_BROKEN"),
    "no such attribute": (lambda d, b: features(d).update(attribute=3), "TILE_CONTENT_BROKEN"),
    "fewer features": (lambda d, b: features(d).update(featureCount=2), "TILE_FEATURE_COUNT"),
    "more features": (lambda d, b: features(d).update(featureCount=99), "TILE_FEATURE_COUNT"),
    "required column gone": (
        lambda d, b: table(d)["properties"].pop("height"),
        "TILE_CONTENT_BROKEN",
    ),
    # Offsets of texts.
    "offsets that fall": (falling, "TILE_CONTENT_BROKEN"),
    "offsets beyond the texts": (beyond, "TILE_CONTENT_BROKEN"),
    "offsets from 1 on": (from_one, "TILE_CONTENT_BROKEN"),
    # Identifiers and what is said of buildings.
    "another id": (other_id, "TILE_BUILDING_LOST"),
    "an id twice": (same_id, "TILE_BUILDING_REPEATED"),
    "an enum without name": (unknown_lod, "TILE_ENUM_UNKNOWN"),
    "another height": (other_height, "TILE_PROPERTY_DIFFERS"),
    "an endless height": (endless_height, "TILE_CONTENT_BROKEN"),
    # Winding and normals.
    "all turned": (flip, "TILE_SOLID_INVERTED"),
    "one turned": (flip_one, "TILE_SOLID_OPEN"),
    "short normals": (short_normals, "TILE_NORMAL_NOT_UNIT"),
    "no normals": (zero_normals, "TILE_NORMAL_NOT_UNIT"),
    # Closed solids.
    "a triangle less": (drop_triangle, "TILE_SOLID_OPEN"),
    "a triangle twice": (twice, "TILE_SOLID_OPEN"),
    "a vertex moved": (move_vertex, "TILE_SOLID_OPEN"),
    # glTF.
    "min that is not": (
        lambda d, b: d["accessors"][0]["min"].__setitem__(0, 65535),
        "TILE_CONTENT_BROKEN",
    ),
    "extension not announced": (
        lambda d, b: d["extensionsUsed"].remove("EXT_mesh_features"),
        "TILE_CONTENT_BROKEN",
    ),
    "extension not required": (
        lambda d, b: d.update(extensionsRequired=[]),
        "TILE_CONTENT_BROKEN",
    ),
    "view beyond the buffer": (
        lambda d, b: d["bufferViews"][0].update(byteLength=10**8),
        "TILE_CONTENT_BROKEN",
    ),
    "moved by a kilometre": (
        lambda d, b: d["nodes"][0].update(translation=[1000.0, 0, 0]),
        "TILE_CONTENT_OUTSIDE_BOX",
    ),
}


@pytest.mark.parametrize("variant", ["plain", "implicit"])
@pytest.mark.parametrize("damage", CONTENTS)
def test_damages_of_contents(make, damage, variant):
    tiles, (change, code) = make(variant), CONTENTS[damage]
    # What one leaf alone says of a building cannot be held against another tile.
    tiles.content(change, leaf=damage not in ("another id", "another height"))
    assert code in tiles.found


DOCUMENTS = {
    # Volumes.
    "root box a third": (lambda d: shrink(d["root"], 1 / 3), "TILE_BOX_OUTSIDE_PARENT"),
    "leaf box a third": (
        lambda d: shrink(first_leaf(d["root"]), 1 / 3),
        "TILE_CONTENT_OUTSIDE_BOX",
    ),
    "leaf box moved": (
        lambda d: shift(first_leaf(d["root"]), 0.5),
        "TILE_CONTENT_OUTSIDE_BOX",
    ),
    "child box too large": (
        lambda d: shrink(d["root"]["children"][0], 3.0),
        "TILE_BOX_OUTSIDE_PARENT",
    ),
    # Geometric errors.
    "tileset error 0": (lambda d: d.update(geometricError=0), "TILE_ERROR_NOT_SHRINKING"),
    "child as its parent": (
        lambda d: d["root"]["children"][0].update(geometricError=d["root"]["geometricError"]),
        "TILE_ERROR_NOT_SHRINKING",
    ),
    "leaf with an error": (
        lambda d: first_leaf(d["root"]).update(geometricError=0.1),
        "TILE_LEAF_ERROR",
    ),
    "error below 0": (
        lambda d: first_leaf(d["root"]).update(geometricError=-1),
        "TILE_ERROR_NOT_SHRINKING",
    ),
    "error NaN": (lambda d: d["root"].update(geometricError=float("nan")), "REFUSED"),
    # Buildings over the levels.
    "leaves swapped": (swap_leaves, "TILE_BUILDING_LOST"),
    "a leaf twice": (repeat_leaf, "TILE_BUILDING_REPEATED"),
    "children gone": (lose_child, "TILE_LEAF_ERROR"),
    "a child gone": (
        lambda d: first_parent(d["root"])["children"].pop(),
        "TILE_FILE_UNUSED",
    ),
    "an inner tile gone": (lambda d: d["root"]["children"].pop(0), "TILE_BUILDING_LOST"),
    # The document.
    "no box": (lambda d: d["root"].pop("boundingVolume"), "REFUSED"),
    "eleven numbers": (lambda d: d["root"]["boundingVolume"]["box"].pop(), "REFUSED"),
    "refined by addition": (lambda d: d["root"].update(refine="ADD"), "REFUSED"),
    "another version": (lambda d: d["asset"].update(version="3.0"), "REFUSED"),
    "content elsewhere": (
        lambda d: d["root"]["content"].update(uri="../../x.glb"),
        "REFUSED",
    ),
}


def first_parent(tile):
    inner = [child for child in tile["children"] if "children" in child]
    return first_parent(inner[0]) if inner else tile


@pytest.mark.parametrize("variant", ["plain", "meshopt", "1.0"])
@pytest.mark.parametrize("damage", DOCUMENTS)
def test_damages_of_the_document(make, damage, variant):
    tiles, (change, code) = make(variant), DOCUMENTS[damage]
    tiles.document(change)
    assert code in tiles.found


FILES = {
    "missing": (lambda path: path.unlink(), "TILE_CONTENT_MISSING"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-9]), "TILE_CONTENT_BROKEN"),
    "empty": (lambda path: path.write_bytes(b""), "TILE_CONTENT_BROKEN"),
    "twin differs": (
        lambda path: path.with_name(f"{path.name}.gz").write_bytes(b"no gzip"),
        "TILE_GZIP_DIFFERS",
    ),
    "twin swells": (
        lambda path: path.with_name(f"{path.name}.gz").write_bytes(
            gzip.compress(path.read_bytes() + bytes(100_000_000), 1)
        ),
        "TILE_GZIP_DIFFERS",
    ),
    "one too many": (
        lambda path: path.with_name("stray.glb").write_bytes(path.read_bytes()),
        "TILE_FILE_UNUSED",
    ),
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("damage", FILES)
def test_damages_of_files(make, damage, variant):
    tiles, (change, code) = make(variant), FILES[damage]
    contents = read_tileset(tiles.path)
    change(tiles.folder / str(contents.uri[np.flatnonzero(contents.leaf)[0]]))
    assert code in tiles.found


def edit_subtree(path, change):
    data = path.read_bytes()
    size = struct.unpack_from("<Q", data, 8)[0]
    document, binary = json.loads(data[24 : 24 + size]), bytearray(data[24 + size :])
    change(document, binary)
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 8)
    head = struct.pack("<4sIQQ", b"subt", 1, len(text), len(binary))
    path.write_bytes(head + text + bytes(binary))


def flip_bit(name, bit):
    def change(document, binary):
        stated = document[name][0] if name == "contentAvailability" else document[name]
        view = document["bufferViews"][stated["bitstream"]]
        binary[view["byteOffset"] + bit // 8] ^= 1 << bit % 8

    return change


SUBTREES = {
    "count of tiles": (
        lambda d, b: d["tileAvailability"].update(availableCount=3),
        "TILE_AVAILABLE_COUNT",
    ),
    "count of contents": (
        lambda d, b: d["contentAvailability"][0].update(availableCount=1),
        "TILE_AVAILABLE_COUNT",
    ),
    "a tile less": (flip_bit("tileAvailability", 1), "TILE_AVAILABLE_COUNT"),
    "a content less": (flip_bit("contentAvailability", 0), "TILE_FILE_UNUSED"),
    "a content more": (flip_bit("contentAvailability", 340), "TILE_AVAILABILITY"),
    "rows of metadata": (
        lambda d, b: d["propertyTables"][0].update(count=2),
        "TILE_METADATA_ROWS",
    ),
    "metadata cut": (
        lambda d, b: d["bufferViews"][0].update(byteLength=96),
        "TILE_METADATA_ROWS",
    ),
    "no metadata": (lambda d, b: d.pop("tileMetadata"), "TILE_SUBTREE_BROKEN"),
    "a subtree that is not there": (
        lambda d, b: d.update(childSubtreeAvailability={"constant": 1}),
        "TILE_AVAILABILITY",
    ),
}


@pytest.mark.parametrize("damage", SUBTREES)
def test_damages_of_subtrees(make, damage):
    tiles, (change, code) = make("implicit"), SUBTREES[damage]
    edit_subtree(tiles.folder / "subtrees/0.0.0.subtree", change)
    assert code in tiles.found


def test_a_subtree_that_is_gone(make):
    tiles = make("implicit")
    (tiles.folder / "subtrees/0.0.0.subtree").unlink()
    assert "TILE_SUBTREE_MISSING" in tiles.found


@pytest.mark.parametrize("size", [0, 7, 30, 200])
def test_a_subtree_that_is_cut(make, size):
    tiles = make("implicit")
    path = tiles.folder / "subtrees/0.0.0.subtree"
    path.write_bytes(path.read_bytes()[:size])
    assert "TILE_SUBTREE_BROKEN" in tiles.found


BATCHED = {
    "length": lambda data: data[:8] + struct.pack("<I", len(data) + 8) + data[12:],
    "features": lambda data: data.replace(b'{"BATCH_LENGTH":', b'{"BATCH_LENGTX":'),
    "fewer": lambda data: data.replace(b'"BATCH_LENGTH":', b'"BATCH_LENGTH":1'),
    "tables": lambda data: data[:20] + struct.pack("<I", 10**6) + data[24:],
    "misaligned": lambda data: (
        data[:20]
        + struct.pack("<2I", *np.add(struct.unpack_from("<2I", data, 20), [-4, 4]).tolist())
        + data[28:]
    ),
}


@pytest.mark.parametrize("damage", BATCHED)
def test_damages_of_batched_models(make, damage):
    tiles = make("1.0")
    tiles.raw(BATCHED[damage])
    assert "TILE_CONTENT_BROKEN" in tiles.found


PACKED = {
    "count": lambda how: how.update(count=how["count"] + 1),
    "stride": lambda how: how.update(byteStride=8),
    "mode": lambda how: how.update(mode="INDICES" if how["mode"] != "INDICES" else "TRIANGLES"),
    "place": lambda how: how.update(byteOffset=how["byteOffset"] + 4),
    "size": lambda how: how.update(byteLength=how["byteLength"] // 2),
}


@pytest.mark.parametrize("damage", PACKED)
def test_damages_of_compressed_views(make, damage):
    tiles = make("meshopt")
    tiles.content(
        lambda d, b: PACKED[damage](
            d["bufferViews"][0]["extensions"]["EXT_meshopt_compression"]
        )
    )
    assert "TILE_CONTENT_BROKEN" in tiles.found


def test_without_the_decoder_the_rest_is_checked(make, monkeypatch):
    tiles = make("meshopt")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert tiles.found == {"TILE_NOT_DECODED"}
    tiles.document(lambda d: d.update(geometricError=0))
    assert tiles.found == {"TILE_NOT_DECODED", "TILE_ERROR_NOT_SHRINKING"}


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_changed_byte_brings_the_check_down(make, variant):
    """Nor is one missed in a content, where names are made of the bytes."""
    tiles, rng = make(variant), np.random.default_rng(3)
    files = sorted(path for path in tiles.folder.rglob("*") if path.is_file())
    missed = 0
    for _ in range(50):
        path = files[rng.integers(len(files))]
        before = path.read_bytes()
        data = bytearray(before)
        data[rng.integers(len(data))] ^= rng.integers(1, 256)
        path.write_bytes(data)
        found = tiles.found
        missed += not found
        assert found or path.suffix != ".glb" or "implicit" in variant
        path.write_bytes(before)
    assert missed <= (25 if "implicit" in variant else 10)
