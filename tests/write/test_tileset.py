from __future__ import annotations

import json

import numpy as np
import pytest
import shapely
from scipy.spatial import cKDTree

from cimkit.check.tileset import check_tileset
from cimkit.read.tileset import read_tileset
from cimkit.steps.tile import tile
from cimkit.tables.detail import Detail
from cimkit.write.glb import Encoding
from cimkit.write.placement import Placement
from cimkit.write.tileset import EXTERNAL_TILES, tileset_documents
from tests.extruded import CORNER, CRS, PLACEMENT, boxes, extrude, write_tiles


def towers():
    """Two towers on the same spot, and one kilometres away."""
    places = [(0, 0), (0, 0), (4000, 3000)]
    shapes = [shapely.box(x, y, x + 20, y + 20) for x, y in places]
    return extrude([shapely.affinity.translate(s, *CORNER) for s in shapes], [90, 120, 60])


@pytest.mark.parametrize(
    ("city", "tile_buildings"),
    [
        pytest.param(boxes(1), 256, id="one"),
        pytest.param(towers(), 1, id="towers"),
        pytest.param(boxes(300), 20, id="300"),
        pytest.param(boxes(60, pitch=3_000), 4, id="20 km"),
        pytest.param(extrude([], []), 256, id="none"),
    ],
)
def test_written_cities_are_whole(tmp_path, city, tile_buildings):
    contents = read_tileset(write_tiles(tmp_path, city, tile_buildings=tile_buildings))
    assert check_tileset(contents) == []
    assert sorted(contents.shown_ids()) == sorted(city.buildings.building_id.tolist())


@pytest.mark.parametrize("implicit", [False, True])
def test_a_city_60_km_wide(tmp_path, implicit):
    """Towns at its corners, nothing between: all in place to 1 cm, the farthest 42 km away."""
    towns = [(x, y) for x in (-30_000, 30_000) for y in (-30_000, 30_000)]
    shapes = [
        shapely.affinity.rotate(shapely.box(0, 0, 12, 8), 7 * k)
        for k in range(30)
        for _ in towns
    ]
    places = [(x + 40 * k, y + 55 * (k % 5)) for k in range(30) for x, y in towns]
    moved = [
        shapely.affinity.translate(shape, CORNER[0] + x, CORNER[1] + y)
        for shape, (x, y) in zip(shapes, places, strict=True)
    ]
    city = extrude(moved, 12.0)
    document = write_tiles(tmp_path, city, tile_buildings=20, implicit=implicit)
    contents = read_tileset(document)
    assert check_tileset(contents) == []
    leaves = [
        str(uri) for uri, error in zip(contents.uri, contents.error, strict=True) if not error
    ]
    found = np.concatenate([contents.load(uri).positions for uri in leaves])
    expected = PLACEMENT.to_root(city.models.vertices)
    away, _ = cKDTree(found).query(expected)
    assert away.max() < 0.0087  # half a step of 1 cm in each direction


def test_a_city_without_buildings_has_no_content(tmp_path):
    root = json.loads(write_tiles(tmp_path, extrude([], [])).read_bytes())["root"]
    assert "content" not in root
    assert "children" not in root


def test_document_is_what_3d_tiles_asks_for(tmp_path):
    document = json.loads(write_tiles(tmp_path, boxes(300), tile_buildings=20).read_bytes())
    root = document["root"]
    assert document["asset"]["version"] == "1.1"
    assert root["refine"] == "REPLACE"
    assert root["transform"] == PLACEMENT.root_transform
    assert document["metadata"] == {
        "class": "city",
        "properties": {"crs": CRS, "undulation": -20.0, "height_reference": "undulation"},
    }
    box = np.array(root["boundingVolume"]["box"])
    diagonal = 2 * np.linalg.norm(box[3::4])
    assert document["geometricError"] >= max(diagonal, 2 * root["geometricError"])


def test_content_of_the_root_is_at_its_place_on_the_ellipsoid(tmp_path):
    city = boxes(4)
    contents = read_tileset(write_tiles(tmp_path, city))
    transform = np.array(PLACEMENT.root_transform).reshape(4, 4).T
    positions = contents.load(str(contents.uri[0])).positions
    ecef = positions @ transform[:3, :3].T + transform[:3, 3]
    expected = PLACEMENT.to_ecef(city.models.vertices)
    distance = np.linalg.norm(expected[:, None] - ecef[None], axis=2).min(axis=1)
    assert distance.max() < 0.0087  # half a step of 1 cm in each direction


def test_the_same_city_gives_the_same_bytes_in_any_order(tmp_path):
    city, order = boxes(90), np.random.default_rng(2).permutation(90)
    parts = (city.footprints, city.buildings, city.models)
    shuffled = city._replace(
        footprints=parts[0].take(order),
        buildings=parts[1].take(order),
        models=parts[2].take(order),
        address=city.address[order],
    )
    folders = [tmp_path / name for name in "ab"]
    for folder, one in zip(folders, (city, shuffled), strict=True):
        folder.mkdir()
        write_tiles(folder, one, tile_buildings=10)
    first, second = ({p.name: p.read_bytes() for p in folder.iterdir()} for folder in folders)
    assert first == second


def test_a_city_that_grows_at_its_edge_keeps_its_other_tiles(tmp_path):
    city = boxes(90)
    shapes = [*city.footprints.polygons(), shapely.box(540_000, 3_040_000, 540_020, 3_040_020)]
    grown = extrude(shapes, [*city.buildings.height, 30.0])
    # The same attributes: only the new building is new.
    grown = grown._replace(
        buildings=type(city.buildings).concatenate(
            [city.buildings, grown.buildings.take(np.array([90]))]
        )
    )
    folders = [tmp_path / name for name in "ab"]
    for folder, one in zip(folders, (city, grown), strict=True):
        folder.mkdir()
        write_tiles(folder, one, tile_buildings=10)
    before, after = ({p.name for p in folder.glob("*.glb")} for folder in folders)
    assert len(before - after) <= 2  # the overviews


def test_numbers_that_json_does_not_know_are_refused():
    city = boxes(1)
    tree = tile(city.footprints, city.buildings)
    with pytest.raises(ValueError, match="not JSON compliant"):
        tileset_documents(tree, [[np.nan] * 12], ["a.glb"], PLACEMENT)


def test_undulation_lifts_the_city():
    lifted = Placement(CRS, 30.0, (*CORNER, 0.0)).root_transform
    ground = Placement(CRS, -20.0, (*CORNER, 0.0)).root_transform
    assert np.linalg.norm(np.subtract(lifted, ground)[12:15]) == pytest.approx(50)


def walk(folder, tile, parent=None):
    """Tiles of a document and of those that it refers to: content, box, error, parent."""
    uri = tile.get("content", {}).get("uri", "")
    if uri.endswith(".json"):
        assert "children" not in tile
        document = json.loads((folder / uri).read_bytes())
        assert document["geometricError"] == tile["geometricError"]
        yield from walk(folder, document["root"], parent)
        return
    yield uri, tile["boundingVolume"]["box"], tile["geometricError"], parent
    for child in tile.get("children", []):
        yield from walk(folder, child, uri)


def test_a_large_city_is_cut_into_documents_that_tell_the_same(tmp_path):
    city, n = boxes(4000), 4000
    corners = np.full((n, 4), 2000) * [0, 0, 0, 1]  # so large that a leaf has ten of them
    deviation = np.where(corners > 0, 0.0, np.inf)
    tree = tile(city.footprints, city.buildings, Detail(corners, corners // 2, deviation))
    uris = [f"{row}.glb" for row in range(len(tree))]
    boxes_ = np.tile(np.eye(4, 3).ravel(), (len(tree), 1))
    documents = tileset_documents(tree, boxes_, uris, PLACEMENT)
    for name, data in documents.items():
        (tmp_path / name).write_bytes(data)
    sizes = {name: data.count(b"boundingVolume") for name, data in documents.items()}
    assert len(documents) > 3
    del sizes["tileset.json"]
    assert min(sizes.values()) >= EXTERNAL_TILES
    root = json.loads(documents["tileset.json"])["root"]
    found = {uri: (error, parent) for uri, _, error, parent in walk(tmp_path, root)}
    assert found == {
        uris[row]: (tree.error[row], uris[tree.parent[row]] if row else None)
        for row in range(len(tree))
    }


def test_1_0_says_its_crs_in_the_extras(tmp_path):
    city = boxes(4)
    path = write_tiles(tmp_path, city, encoding=Encoding("1.0"))
    document = json.loads(path.read_bytes())
    assert document["asset"]["version"] == "1.0"
    assert document["extras"]["crs"] == CRS
    assert "schema" not in document
    assert document["root"]["content"]["uri"].endswith(".b3dm")
