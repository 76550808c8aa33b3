from __future__ import annotations

import json
import struct
import subprocess
from dataclasses import replace

import numpy as np
import pytest
import shapely

from cimkit.check.solids import check_solids
from cimkit.check.tileset import check_tileset
from cimkit.errors import ParameterError, TableError
from cimkit.read.tileset import read_tileset
from cimkit.tables import Models, TileTree
from cimkit.tables._columns import TEXT
from cimkit.write.glb import STEP_MAX, Encoding, encode_glb
from cimkit.write.property_table import building_table
from cimkit.write.tileset import tileset_documents
from tests.extruded import CORNER, PLACEMENT, boxes, encode, extrude, table_of, write_tiles
from tests.node import JS, install_packages


def block(x, width, depth):
    """A rectangle x metres east of the origin of the tiles."""
    east, north = CORNER[0] + x, CORNER[1]
    return shapely.box(east, north, east + width, north + depth)


def read(tmp_path, city, placement=PLACEMENT):
    """One tile as a client reads it; the whole tileset must pass its checks."""
    tile = encode(city, placement)
    tree = tree_of_one(city)
    (tmp_path / tile.uri).write_bytes(tile.data)
    documents = tileset_documents(tree, [tile.box], [tile.uri], placement)
    (tmp_path / "tileset.json").write_bytes(documents["tileset.json"])
    contents = read_tileset(tmp_path / "tileset.json")
    assert check_tileset(contents) == []
    return contents.load(tile.uri)


def tree_of_one(city):
    n = len(city.buildings)
    return TileTree([-1], [0], [0.0], [0, n], range(n), [0] * n, [[0, 0, 0]], (0.0, 0.0, 1.0))


def document(data):
    size = struct.unpack_from("<I", data, 12)[0]
    return json.loads(data[20 : 20 + size])


@pytest.fixture(scope="session")
def validator():
    """The glTF validator of Khronos, run by node."""
    install_packages()

    def validate(files):
        call = ["node", str(JS / "validate_glb.mjs"), *map(str, sorted(files))]
        return json.loads(subprocess.run(call, capture_output=True, check=True).stdout)

    return validate


CLEAN = {"errors": 0, "warnings": 0, "messages": []}


VARIANTS = {
    "plain": Encoding(),
    "meshopt": Encoding(meshopt=True),
    "outline": Encoding(outline=True),
    "outline, meshopt": Encoding(outline=True, meshopt=True),
}


@pytest.mark.parametrize("encoding", VARIANTS.values(), ids=VARIANTS)
def test_a_city_passes_the_validator_of_khronos(tmp_path, validator, encoding):
    write_tiles(tmp_path, boxes(400), tile_buildings=50, encoding=encoding)
    assert validator(tmp_path.glob("*.glb")) == CLEAN


def test_a_city_of_1_0_passes_the_validator_of_khronos(tmp_path, validator):
    write_tiles(tmp_path, boxes(400), tile_buildings=50, encoding=Encoding("1.0"))
    tiles = sorted(tmp_path.glob("*.b3dm"))
    for number, path in enumerate(tiles):
        data = path.read_bytes()
        _, _, total, *sizes = struct.unpack_from("<4s6I", data)
        assert total == len(data)
        assert total % 8 == 0
        (tmp_path / f"{number}.glb").write_bytes(data[28 + sum(sizes) :].rstrip(b"\0"))
        assert (28 + sum(sizes)) % 8 == 0
    assert len(tiles) > 8
    assert validator(tmp_path.glob("*.glb")) == CLEAN


def test_a_batch_table_says_what_the_property_table_says():
    city = boxes(5)
    data = encode(city, encoding=Encoding("1.0")).data
    features, _, names, numbers = struct.unpack_from("<4I", data, 12)
    assert json.loads(data[28 : 28 + features]) == {"BATCH_LENGTH": 5}
    table = json.loads(data[28 + features : 28 + features + names])
    binary = data[28 + features + names :][:numbers]
    assert table["building_id"] == city.buildings.building_id.tolist()
    assert table["address"] == city.address.tolist()
    assert set(table["lod"]) == {"LoD1.2"}
    assert table["height"]["componentType"] == "FLOAT"
    heights = np.frombuffer(binary, "<f4", 5, table["height"]["byteOffset"])
    np.testing.assert_array_equal(heights, city.buildings.height.astype("f4"))


def decoded(data):
    """A glb without compression from one with it, by the decoder of meshoptimizer."""
    import meshopt

    found, binary = document(data), data[28 + struct.unpack_from("<I", data, 12)[0] :]
    raw = []
    for view in found["bufferViews"]:
        how = view.get("extensions", {}).get("EXT_meshopt_compression")
        place = how or view
        part = binary[place["byteOffset"] :][: place["byteLength"]]
        if how:
            shape = how["count"], how["byteStride"], how["mode"]
            part = meshopt.decode_gltf_buffer(part, *shape).tobytes()
            assert len(part) == view["byteLength"]
        raw.append(part)
    return found, raw


def triangles_of(found, raw):
    """All triangles as sorted corners: position, feature and normal of each."""
    index = found["accessors"][found["meshes"][0]["primitives"][0]["indices"]]
    rows = np.frombuffer(raw[index["bufferView"]], "<u2", index["count"])
    vertices = np.frombuffer(raw[found["accessors"][0]["bufferView"]], "S16")
    return sorted(tuple(sorted(three)) for three in vertices[rows].reshape(-1, 3).tolist())


def test_meshopt_keeps_every_triangle():
    plain, packed = (
        encode(boxes(30), encoding=Encoding(meshopt=m)).data for m in (False, True)
    )
    assert len(packed) < 0.7 * len(plain)
    first, second = decoded(plain), decoded(packed)
    assert triangles_of(*first) == triangles_of(*second)


def test_outlines_are_the_edges_of_the_faces():
    found, raw = decoded(encode(boxes(1), encoding=Encoding(outline=True)).data)
    extension = found["meshes"][0]["primitives"][0]["extensions"]["CESIUM_primitive_outline"]
    accessor = found["accessors"][extension["indices"]]
    rows = np.frombuffer(raw[accessor["bufferView"]], "<u2", accessor["count"])
    position = np.frombuffer(raw[0], "<u2").reshape(-1, 8)[:, :3]
    ends = position[rows].reshape(-1, 2, 3)
    edges = {tuple(sorted(map(tuple, pair))) for pair in ends.tolist()}
    assert len(edges) == 12  # of a block; and each belongs to two faces
    assert len(ends) == 24


def test_colours_travel_with_the_features():
    city = boxes(3)
    color = np.array([[255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 255]], dtype=np.uint8)
    found, raw = decoded(encode(city, color=color).data)
    assert found["bufferViews"][0]["byteStride"] == 20
    rows = np.frombuffer(raw[0], np.uint8).reshape(-1, 20)
    feature = rows[:, 8:10].copy().view("<u2")[:, 0]
    np.testing.assert_array_equal(rows[:, 16:], color[feature])


def test_far_views_are_rounded_coarser_and_stay_closed():
    city = boxes(40, pitch=400)
    near, far = (document(encode(city, error=error).data) for error in (0.0, 20.0))
    assert near["accessors"][0]["componentType"] == 5126
    assert far["accessors"][0]["componentType"] == 5123
    assert far["nodes"][0]["scale"][0] <= 0.2


@pytest.mark.parametrize(
    ("encoding", "message"),
    [(Encoding("2.0"), "1.0 or 1.1"), (Encoding("1.0", meshopt=True), "not in 3D Tiles 1.0")],
)
def test_encodings_that_cannot_be_are_refused(encoding, message):
    with pytest.raises(ParameterError, match=message):
        encoding.check()


def test_further_columns_of_any_name_and_kind():
    city = boxes(3)
    more = {
        "层数": np.array([3, -1, 6]),
        "面积": np.array([1.5, np.nan, 9.0]),
        "note": np.array(["a", "", "好"], TEXT),
        "2nd": np.array([2**40, 0, 1]),
    }
    table = building_table(city.buildings, city.address, more)
    stated = table.schema["classes"]["building"]["properties"]
    assert {key: value.get("name") for key, value in stated.items()} | {} == {
        **dict.fromkeys(list(table_of(city).columns)),
        "_": "层数",
        "__2": "面积",
        "note": None,
        "_2nd": "2nd",
    }
    assert stated["_"]["noData"] == -1
    assert stated["__2"]["noData"] == table.columns["__2"][1]
    assert stated["_2nd"]["componentType"] == "INT64"


def test_the_validator_does_find_a_fault(tmp_path, validator):
    data = encode(boxes(1)).data
    (tmp_path / "cut.glb").write_bytes(data[:-8])
    assert validator([tmp_path / "cut.glb"])["errors"] > 0


@pytest.mark.parametrize(
    "city",
    [
        pytest.param(boxes(1), id="one building"),
        pytest.param(boxes(20, pitch=500), id="wide, so float positions"),
        pytest.param(boxes(2500, pitch=12), id="more than 65,535 vertices"),
        pytest.param(boxes(4)._replace(address=np.array([""] * 4, TEXT)), id="no address"),
    ],
)
def test_each_layout_passes_the_validator_of_khronos(tmp_path, validator, city):
    (tmp_path / "a.glb").write_bytes(encode(city).data)
    assert validator([tmp_path / "a.glb"]) == CLEAN


@pytest.mark.parametrize("pitch", [30, 2_000], ids=["quantized", "float"])
def test_vertices_come_back_within_half_a_step(tmp_path, pitch):
    city = boxes(40, pitch=pitch)
    content = read(tmp_path, city)
    expected = PLACEMENT.to_root(city.models.vertices)
    if pitch == 30:
        assert 0 < content.step <= STEP_MAX
        tolerance = content.step / 2 * 1.0001
    else:
        assert content.step == 0
        tolerance = 14_000 * 2**-24  # half a unit of float32 in a tile of 14 km
    near = np.abs(expected[:, None] - content.positions[None]).max(axis=2).min(axis=1)
    assert near.max() <= tolerance
    assert len(np.unique(content.positions, axis=0)) == len(expected)


def test_box_is_tight(tmp_path):
    city = boxes(40)
    box = np.array(encode(city).box)
    positions = read(tmp_path, city).positions
    np.testing.assert_allclose(box[:3] - box[3::4], positions.min(axis=0), atol=1e-9)
    np.testing.assert_allclose(box[:3] + box[3::4], positions.max(axis=0), atol=1e-9)


def test_properties_come_back(tmp_path):
    city = boxes(9)
    content = read(tmp_path, city)
    row_of = {name: row for row, name in enumerate(city.buildings.building_id.tolist())}
    rows = [row_of[name] for name in content.properties["building_id"].tolist()]
    buildings, found = city.buildings.take(np.array(rows)), content.properties
    assert found["code"].tolist() == buildings.code.tolist()
    assert found["address"].tolist() == city.address[rows].tolist()
    np.testing.assert_array_equal(found["height"], buildings.height.astype("f4"))
    np.testing.assert_array_equal(found["h_ground"], buildings.h_ground.astype("f4"))
    names = [content.enums["height_source"][value] for value in found["height_source"].tolist()]
    assert names == buildings.height_source.tolist()
    assert {content.enums["lod"][value] for value in found["lod"].tolist()} == {"LoD1.2"}


def test_each_vertex_belongs_to_its_building_and_looks_away_from_it(tmp_path):
    city = extrude([block(x, 10, 8) for x in (0, 50, 100)], 6.0)
    content = read(tmp_path, city)
    for feature in range(3):
        own = content.feature == feature
        xyz = content.positions[own] - content.positions[own].mean(axis=0)
        assert np.abs(xyz).max() < 5.1
        assert ((xyz * content.normals[own]).sum(axis=1) > 2.9).all()


def test_solids_stay_closed_where_details_are_smaller_than_a_step(tmp_path):
    """A 2 mm notch and a 3 mm wall in a tile of 600 m, where a step is 1 cm."""
    notch = shapely.Polygon([(0, 0), (9, 0), (9, 9), (5, 9), (5, 8.998), (4.998, 9), (0, 9)])
    thin = shapely.box(600, 0, 609, 9) - shapely.box(600.003, 0.003, 608.9, 8.9)
    shapes = [shapely.affinity.translate(shape, *CORNER) for shape in (notch, thin)]
    content = read(tmp_path, extrude(shapes, 5.0))
    assert content.step == 0.01


def test_wide_tiles_keep_small_buildings_in_shape(tmp_path):
    """60 km as 16-bit steps would be 0.9 m each."""
    city = extrude([block(x, 2, 2) for x in (0, 60_000)], 2.5)
    content = read(tmp_path, city)
    low = content.positions[content.feature == 0]
    np.testing.assert_allclose(np.ptp(low, axis=0), [2, 2, 2.5], atol=0.01)


def test_more_buildings_than_a_short_can_count(tmp_path):
    one, n = extrude([shapely.box(0, 0, 5, 5)], 9.0).models, 65_537
    rows = np.arange(n)
    shift = np.column_stack([rows % 256 * 8.0, rows // 256 * 8.0, np.zeros(n)])
    models = Models(
        np.array([str(row) for row in rows], TEXT),
        "1.2",
        (one.vertices + shift[:, None] + [*CORNER, 0]).reshape(-1, 3),
        np.arange(n + 1) * 8,
        (one.ring_vertex + rows[:, None] * 8).ravel(),
        np.arange(6 * n + 1) * 4,
        np.arange(6 * n + 1),
        np.arange(n + 1) * 6,
        np.tile(one.semantics, n),
    )
    buildings = extrude([shapely.box(0, 0, 5, 5)], 9.0).buildings.take(np.zeros(1, int))
    many = type(buildings)(
        models.building_id,
        *(
            np.repeat(getattr(buildings, name), n)
            for name in buildings.__slots__
            if name != "building_id"
        ),
    )
    tile = encode_glb(models, building_table(many, np.full(n, "", TEXT)), PLACEMENT)
    accessors = document(tile.data)["accessors"]
    assert accessors[1]["componentType"] == 5126
    (tmp_path / tile.uri).write_bytes(tile.data)
    write_tiles(tmp_path, boxes(1))
    content = read_tileset(tmp_path).load(tile.uri)
    np.testing.assert_array_equal(np.unique(content.feature), rows)


def test_the_same_city_gives_the_same_bytes():
    tile = encode(boxes(30))
    assert tile == encode(boxes(30))
    assert tile.uri != encode(boxes(30, seed=1)).uri


def test_layout_is_what_clients_need():
    found = document(encode(boxes(3)).data)
    (primitive,) = found["meshes"][0]["primitives"]
    assert len(found["nodes"]) == len(found["meshes"]) == len(found["materials"]) == 1
    assert found["bufferViews"][0]["byteStride"] == 16
    assert {a["componentType"] for a in found["accessors"]} == {5120, 5123}
    assert primitive["extensions"]["EXT_mesh_features"]["featureIds"] == [
        {"featureCount": 3, "attribute": 0, "propertyTable": 0}
    ]
    assert all(view["byteOffset"] % 8 == 0 for view in found["bufferViews"])
    table = found["extensions"]["EXT_structural_metadata"]["propertyTables"][0]
    assert list(table["properties"]) == [
        "building_id",
        "code",
        "address",
        "h_ground",
        "height",
        "height_source",
        "lod",
    ]


def test_a_column_without_text_is_left_out():
    city = boxes(3)
    bare = city._replace(address=np.array(["", "", ""], TEXT))
    table = document(encode(bare).data)["extensions"]["EXT_structural_metadata"]
    assert "address" not in table["propertyTables"][0]["properties"]


def test_real_buildings_pass_everything(tmp_path, real_data, validator):
    """Outlines of Delft as blocks, at their place on the ellipsoid."""
    import geopandas as gpd

    from cimkit.write.placement import Placement

    outlines = gpd.read_file(real_data / "delft_centre" / "bgt.gpkg", layer="pand")
    shapes = [s for s in outlines.force_2d().explode().geometry if s.is_valid and s.area > 1]
    city = extrude(shapes, 8.0, crs="EPSG:7415")
    assert check_solids(city.models) == []
    placement = Placement("EPSG:7415", 43.0, (84_500.0, 447_500.0, 0.0))
    read(tmp_path, city, placement)
    assert validator(tmp_path.glob("*.glb")) == CLEAN


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c._replace(address=c.address[:2]), "2 addresses for 3 buildings"),
        (lambda c: c._replace(models=c.models.take(np.arange(2))), "2 models, 3 rows"),
        (lambda c: c._replace(models=c.models.take(np.array([], dtype=int))), "0 models"),
        (
            lambda c: c._replace(buildings=replace(c.buildings, lod=["1.2", "3.0", "1.2"])),
            "lod: '3.0'",
        ),
        (
            lambda c: c._replace(buildings=c.buildings.replace(height_source=["guess"] * 3)),
            "height_source: 'guess'",
        ),
    ],
    ids=["address", "fewer", "empty", "lod", "source"],
)
def test_rows_that_do_not_belong_together_are_refused(change, message):
    with pytest.raises(TableError, match=message):
        encode(change(boxes(3)))
