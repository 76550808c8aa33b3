"""Tiles of ready models: buildings a CPU second, and bytes a building, by what they are for.

    python -m benchmarks.tile_cost [--buildings N]

The city is invented: outlines of 4 to 10 corners with one height, 27 triangles a building.
Speed is set beside trimesh, which exports the ready triangles of the same tiles as GLB, without
projection, properties, levels of detail, quantization, compression or files.
"""

from __future__ import annotations

import argparse
import gzip
import json
import struct
import tempfile
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import shapely
import trimesh

import cimkit
from benchmarks.measuring import Row, best_cpu_s, print_table
from cimkit.steps.boxes import with_boxes
from cimkit.steps.detail import measure_detail
from cimkit.steps.tile import tile
from cimkit.tables import Buildings, Footprints, Models, TileTree
from cimkit.tables._columns import TEXT
from cimkit.tables.detail import Detail
from cimkit.tiling import Described, TileOptions, describe_buildings, documents, tile_encoding
from cimkit.write.glb import EncodedTile, encode_glb
from cimkit.write.placement import Placement
from cimkit.write.store import Staging

CRS = "EPSG:4546+5737"
SPACING_M = 30.0
OUTLINES = (
    ([(0, 0), (3, 0), (3, 2), (0, 2)], 0.1),
    ([(0, 0), (3, 0), (3, 1), (1, 1), (1, 2), (0, 2)], 0.25),
    ([(0, 0), (3, 0), (3, 1), (2, 1), (2, 2), (1, 2), (1, 1), (0, 1)], 0.3),
    (
        [(0, 0), (3, 0), (3, 1), (2, 1), (2, 2), (1.5, 2), (1.5, 3), (1, 3), (1, 1), (0, 1)],
        0.35,
    ),
)
"""Corners, and the share of the buildings that have them: 27.2 triangles on average."""


class City(NamedTuple):
    """Ready models, with all that tiles tell of them."""

    footprints: Footprints
    buildings: Buildings
    models: Models
    address: Any


def invent_city(n: int) -> City:
    """A city on a grid; every building is turned, and of a height of its own."""
    rng = np.random.default_rng(1)
    shapes = np.array([shapely.Polygon(corners) for corners, _ in OUTLINES], dtype=object)
    kind = rng.choice(len(OUTLINES), size=n, p=[share for _, share in OUTLINES])
    side = int(np.ceil(np.sqrt(n)))
    place = np.column_stack([np.arange(n) % side, np.arange(n) // side]) * SPACING_M
    place += [500_000.0, 3_360_000.0]
    turn, scale = rng.uniform(0, 2 * np.pi, n), rng.uniform(4, 7, n)
    xy, owner = shapely.get_coordinates(shapes[kind], return_index=True)
    cos, sin = np.cos(turn[owner]), np.sin(turn[owner])
    turned = np.column_stack(
        [xy[:, 0] * cos - xy[:, 1] * sin, xy @ [0, 1] * cos + xy[:, 0] * sin]
    )
    rings = turned * scale[owner, None] + place[owner]
    outlines = shapely.polygons(shapely.linearrings(rings, indices=owner))
    ids = np.array([f"B{k:07d}" for k in range(n)], dtype=TEXT)
    footprints = Footprints.from_polygons(
        ids, outlines, crs=CRS, height=rng.uniform(6, 60, n).round(1)
    )
    buildings, models, _ = cimkit.reconstruct(footprints)
    codes = np.array([f"421002001{k:012d}" for k in range(n)], dtype=TEXT)
    address = np.array(
        [f"荆州市沙市区北京路{k % 300 + 1}号{k % 40 + 1}栋" for k in range(n)], TEXT
    )
    return City(footprints, buildings.replace(code=codes), models, address)


class Tiles(NamedTuple):
    """Tiles that were made, in the order of the tree."""

    tree: TileTree
    models: Models
    solid: Any
    contents: list[EncodedTile]


def describe(city: City) -> Described:
    """What tiles tell of the buildings."""
    return describe_buildings(
        TileOptions(),
        city.buildings,
        city.address,
        pd.DataFrame(index=range(len(city.address))),
        {},
    )


def make_tiles(city: City, folder: str, options: TileOptions) -> Tiles:
    """Levels, tree, contents, documents, files: all that is done with ready models."""
    with Staging(folder, overwrite=True) as staging:
        described = describe(city)
        models = with_boxes(city.models)
        detail: Detail = measure_detail(models, city.buildings.building_id)
        tree = tile(
            city.footprints, city.buildings, detail, tile_buildings=options.tile_buildings
        )
        solid = (np.cumsum(detail.there) - 1).reshape(detail.there.shape)
        placement = Placement(CRS, 0.0, (500_000.0, 3_360_000.0, 0.0), "ellipsoidal")
        encoding = tile_encoding(options)
        contents = []
        for number in range(len(tree)):
            rows = tree.buildings(number)
            chosen = models.take(solid[rows, tree.levels(number)])
            content = encode_glb(
                chosen,
                described.table.take(rows),
                placement,
                encoding,
                error=float(tree.error[number]),
            )
            staging.write(content.uri, content.data)
            contents.append(content)
        names, boxes = [one.uri for one in contents], [one.box for one in contents]
        for name, data in documents(options, tree, boxes, names, placement).items():
            staging.write(name, data)
    return Tiles(tree, models, solid, contents)


def triangle_meshes(tiles: Tiles) -> list[tuple[Any, Any]]:
    """Vertices and triangles of each tile: what the peer is given for nothing."""
    meshes = []
    for number in range(len(tiles.tree)):
        rows = tiles.tree.buildings(number)
        chosen = tiles.models.take(tiles.solid[rows, tiles.tree.levels(number)])
        meshes.append((chosen.vertices, chosen.triangles()[0]))
    return meshes


def export_by_trimesh(meshes: list[tuple[Any, Any]]) -> None:
    """The same meshes, tile by tile, as GLB."""
    for vertices, triangles in meshes:
        trimesh.Trimesh(vertices, triangles, process=False).export(file_type="glb")


def split_bytes(data: bytes) -> tuple[bytes, bytes]:
    """Bytes of geometry and of properties of a content; its JSON belongs to neither."""
    (length,) = struct.unpack_from("<I", data, 12)
    document = json.loads(data[20 : 20 + length])
    binary = data[28 + length :]
    tables = document["extensions"]["EXT_structural_metadata"]["propertyTables"]
    views = {
        view
        for table in tables
        for column in table["properties"].values()
        for view in (column.get("values"), column.get("stringOffsets"))
        if view is not None
    }
    parts: tuple[list[bytes], list[bytes]] = [], []
    for number, view in enumerate(document["bufferViews"]):
        where = view.get("extensions", {}).get("EXT_meshopt_compression", view)
        start = where.get("byteOffset", 0)
        parts[number in views].append(binary[start : start + where["byteLength"]])
    return b"".join(parts[0]), b"".join(parts[1])


def tile_cost(n: int = 16_000) -> list[Row]:
    """Speed and size."""
    city = invent_city(n)
    options = TileOptions(tiles_compression="meshopt")
    with tempfile.TemporaryDirectory() as folder:
        kept: list[Tiles] = []
        seconds = best_cpu_s(
            lambda: kept.append(make_tiles(city, f"{folder}/tiles", options)), 3
        )
        tiles = kept[-1]
    meshes = triangle_meshes(tiles)
    peer = best_cpu_s(lambda: export_by_trimesh(meshes), 3)
    group = f"Tiles of {n:,} ready models"
    rows = [
        Row(group, "made and written", n / seconds, "1/CPU s", peer / seconds, "trimesh to GLB")
    ]
    leaves = np.flatnonzero(tiles.tree.error == 0)
    shown = sum(len(tiles.tree.buildings(int(leaf))) for leaf in leaves)
    parts = [split_bytes(tiles.contents[leaf].data) for leaf in leaves.tolist()]
    geometry, properties = (sum(len(part[k]) for part in parts) / shown for k in range(2))
    packed = sum(len(gzip.compress(b"".join(part), 6, mtime=0)) for part in parts) / shown
    all_bytes = sum(len(one.data) for one in tiles.contents)
    leaf_bytes = sum(len(tiles.contents[leaf].data) for leaf in leaves.tolist())
    solids = city.models
    triangles = float(np.mean(measure_detail(solids, solids.building_id).triangles.max(axis=1)))
    return [
        *rows,
        Row(group, "triangles a building", triangles, ""),
        Row(group, "buildings a leaf", shown / len(leaves), ""),
        Row(group, "geometry of a building", geometry, "bytes"),
        Row(group, "its properties", properties, "bytes"),
        Row(group, "both, gzipped tile by tile", packed, "bytes"),
        Row(group, "all tiles", all_bytes / n, "bytes", all_bytes / leaf_bytes, "leaves"),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--buildings", type=int, default=16_000)
    print_table(tile_cost(parser.parse_args().buildings))


if __name__ == "__main__":
    main()
