"""Implicit tilesets, read back bit by bit by the words of the specification."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
import shapely

from cimkit.errors import ParameterError
from cimkit.steps.boxes import with_boxes
from cimkit.steps.tile import tile
from cimkit.write.implicit import SUBTREE_LEVELS, implicit_documents
from tests.extruded import CORNER, PLACEMENT, boxes, extrude, write_tiles

TOTAL = (4**SUBTREE_LEVELS - 1) // 3


def read_subtree(path):
    data = path.read_bytes()
    magic, version, size, binary_size = struct.unpack_from("<4sIQQ", data)
    assert (magic, version) == (b"subt", 1)
    assert len(data) == 24 + size + binary_size
    assert size % 8 == 0
    found, binary = json.loads(data[24 : 24 + size]), data[24 + size :]

    def part(view):
        place = found["bufferViews"][view]
        assert place["byteOffset"] % 8 == 0
        return binary[place["byteOffset"] :][: place["byteLength"]]

    def bits(item, count):
        if "constant" in item:
            return np.full(count, bool(item["constant"]))
        flags = np.unpackbits(
            np.frombuffer(part(item["bitstream"]), np.uint8), bitorder="little"
        )
        assert flags[:count].sum() == item["availableCount"]
        assert not flags[count:].any()
        return flags[:count].astype(bool)

    return found, part, bits


def cells_of(folder, top=(0, 0, 0)):
    """Cell, whether it has content, box and error of every tile."""
    level, x, y = top
    found, part, bits = read_subtree(folder / f"subtrees/{level}.{x}.{y}.subtree")
    tiles = bits(found["tileAvailability"], TOTAL)
    contents = bits(found["contentAvailability"][0], TOTAL)
    assert not (contents & ~tiles).any()
    (table,) = found["propertyTables"]
    assert table["count"] == tiles.sum()
    columns = table["properties"]
    box = np.frombuffer(part(columns["box"]["values"]), "<f8").reshape(-1, 12)
    error = np.frombuffer(part(columns["error"]["values"]), "<f8")
    assert len(box) == len(error) == tiles.sum()
    for row, place in enumerate(np.flatnonzero(tiles).tolist()):
        down = next(d for d in range(9) if place < (4 ** (d + 1) - 1) // 3)
        cell = below(top, down, place - (4**down - 1) // 3)
        yield cell, bool(contents[place]), box[row], float(error[row])
    children = bits(found["childSubtreeAvailability"], 4**SUBTREE_LEVELS)
    for place in np.flatnonzero(children).tolist():
        yield from cells_of(folder, below(top, SUBTREE_LEVELS, place))


def below(top, down, place):
    x = sum((place >> 2 * bit & 1) << bit for bit in range(down))
    y = sum((place >> 2 * bit + 1 & 1) << bit for bit in range(down))
    return top[0] + down, (top[1] << down) + x, (top[2] << down) + y


def towers():
    return extrude([shapely.affinity.translate(shapely.box(0, 0, 5, 5), *CORNER)] * 700, 20.0)


@pytest.mark.parametrize(
    ("city", "tile_buildings"),
    [
        pytest.param(boxes(1), 256, id="one"),
        pytest.param(boxes(900), 8, id="900"),
        pytest.param(boxes(60, pitch=3000), 2, id="20 km"),
        pytest.param(towers(), 2, id="one spot"),
    ],
)
def test_every_tile_is_reached_by_the_bits(tmp_path, city, tile_buildings):
    write_tiles(tmp_path, city, tile_buildings=tile_buildings, implicit=True)
    root = json.loads((tmp_path / "tileset.json").read_bytes())["root"]
    levels = root["implicitTiling"]["availableLevels"]
    found = {cell: (has, box, error) for cell, has, box, error in cells_of(tmp_path)}
    models = with_boxes(city.models)
    tree = tile(city.footprints, city.buildings, models, tile_buildings=tile_buildings)
    with_content = {cell for cell, (has, _, _) in found.items() if has}
    assert with_content == {tuple(cell) for cell in tree.cell.tolist()}
    assert {f"{a}/{b}/{c}.glb" for a, b, c in with_content} == {
        path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.glb")
    }
    assert max(cell[0] for cell in found) < levels
    error_of = dict(zip(map(tuple, tree.cell.tolist()), tree.error.tolist(), strict=True))
    for (level, x, y), (has, box, error) in found.items():
        if has:
            assert error == error_of[level, x, y]
        if not level:
            continue
        _, above, more = found[level - 1, x >> 1, y >> 1]
        assert error < more
        assert error <= root["geometricError"] / 2**level
        reach = np.abs(box[:3] - above[:3]) + box[3::4]
        assert (reach <= above[3::4] + 1e-6).all()
    whole = np.array(root["boundingVolume"]["box"])
    axes = whole[3:].reshape(3, 3)
    half = np.linalg.norm(axes, axis=1)
    centre = np.array([box[:3] for _, box, _ in found.values()])
    along = np.abs((centre - whole[:3]) @ (axes / half[:, None]).T)
    assert (along <= half + 1e-6).all()


def test_the_schema_names_what_clients_look_for(tmp_path):
    write_tiles(tmp_path, boxes(9), implicit=True)
    document = json.loads((tmp_path / "tileset.json").read_bytes())
    stated = document["schema"]["classes"]["tile"]["properties"]
    assert {value["semantic"] for value in stated.values()} == {
        "TILE_BOUNDING_BOX",
        "TILE_GEOMETRIC_ERROR",
    }


def test_cells_too_deep_for_clients_are_refused():
    places = [2.0**k / 16 for k in range(32)]
    shapes = [shapely.box(x, x, x + 1, x + 1) for x in places]
    city = extrude(shapes, 5.0)
    tree = tile(city.footprints, city.buildings, tile_buildings=1)
    with pytest.raises(ParameterError, match="Write the tiles explicitly"):
        implicit_documents(tree, np.zeros((len(tree), 12)), PLACEMENT)
