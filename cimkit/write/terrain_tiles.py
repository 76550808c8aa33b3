"""The ground as 3D Tiles: a glb for each square, with skirts where squares meet."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from cimkit import __version__
from cimkit.write.gltf import Gltf, column_range, json_bytes
from cimkit.write.tileset import box_of, city_metadata, city_schema, tileset_error

if TYPE_CHECKING:
    from cimkit.tables import Terrain
    from cimkit.tables._columns import FloatArray, IntArray
    from cimkit.tables.terraintile import TerrainTile
    from cimkit.write.placement import Placement

CORNER_M = 1 / 64
"""Metres. Corners of tiles are multiples of it, as those of buildings are."""

SKIRT_M = 2.0
"""Metres that a skirt hangs down at least; farther where a tile leaves out more."""

MATERIAL = {
    "pbrMetallicRoughness": {
        "baseColorFactor": [0.72, 0.73, 0.66, 1.0],
        "metallicFactor": 0,
        "roughnessFactor": 1,
    }
}
"""A calm grey green, before which white models stand out."""


def write_terrain_tiles(
    tiles: Iterable[TerrainTile],
    terrain: Terrain,
    placement: Placement,
    write: Callable[[str, bytes], None],
    *,
    meshopt: bool = False,
) -> int:
    """Write the ground as a tileset of its own.

    Parameters
    ----------
    tiles : iterable of TerrainTile
        From `cimkit.steps.terrain_tiles.terrain_tiles`: one is in memory at a time.
    terrain : Terrain
        That they were cut from.
    placement : Placement
        Root frame.
    write : callable
        Takes the name of a file and its bytes.
    meshopt : bool, default False
        Compress by EXT_meshopt_compression.

    Returns
    -------
    int
        Number of tiles; nothing is written for 0.

    Notes
    -----
    Refinement is by replacement. Meshes of neighbours that differ in detail part at their rims;
    walls hang down there and close the gap.
    """
    made: dict[tuple[int, int, int], dict[str, Any]] = {}
    bounds: dict[tuple[int, int, int], tuple[FloatArray, FloatArray]] = {}
    root: dict[str, Any] = {}
    for tile in tiles:
        data, low, high = encode_terrain(tile, terrain, placement, meshopt=meshopt)
        uri = f"{hashlib.sha256(data).hexdigest()[:16]}.glb"
        write(uri, data)
        below = [(tile.level - 1, *part) for part in tile.children]
        low = np.min([low, *(bounds[key][0] for key in below)], axis=0)
        high = np.max([high, *(bounds[key][1] for key in below)], axis=0)
        root = {
            "boundingVolume": {"box": box_of(low, high)},
            "geometricError": tile.error,
            "content": {"uri": uri},
        }
        if below:
            root["children"] = [made[key] for key in below]
        key = tile.level, tile.column, tile.row
        made[key], bounds[key] = root, (low, high)
    if not made:
        return 0
    low, high = next(reversed(bounds.values()))
    document = {
        "asset": {"version": "1.1", "generator": f"cimkit {__version__}"},
        "schema": city_schema(),
        "metadata": {"class": "city", "properties": city_metadata(placement)},
        "extras": {"content": "ground"},
        "geometricError": tileset_error(root["geometricError"], low[None], high[None]),
        "root": {"transform": placement.root_transform, "refine": "REPLACE", **root},
    }
    write("tileset.json", json_bytes(document))
    return len(made)


def encode_terrain(
    tile: TerrainTile, terrain: Terrain, placement: Placement, *, meshopt: bool = False
) -> tuple[bytes, FloatArray, FloatArray]:
    """Encode one square.

    Returns
    -------
    data : bytes
        Binary glTF.
    low, high : float64 array, shape (3,)
        Corners of its box in the root frame.
    """
    side = tile.z.shape[0]
    used, place = np.unique(tile.triangle, return_inverse=True)
    triangle = place.reshape(-1, 3)
    row, column = used // side, used % side
    step = 2**tile.level
    first = np.array([tile.column, tile.row]) * (side - 1) * step
    at = (np.column_stack([column, row]) * step + first + 0.5) * terrain.cell
    xyz = np.column_stack([at, tile.z[row, column]])
    normal = _normals(tile.z, step * terrain.cell)[row, column]
    rim = _rim(triangle, row, column, side)
    depth = max(SKIRT_M, 2 * tile.error, terrain.cell * step)
    edge, number = np.unique(rim, return_inverse=True)
    hanging = xyz[edge] - [0.0, 0.0, depth]
    below = len(xyz) + number.reshape(-1, 2)
    a, b = rim[:, 0], rim[:, 1]
    skirt = np.concatenate(
        [np.column_stack([a, below[:, 0], b]), np.column_stack([b, below[:, 0], below[:, 1]])]
    )
    root = placement.to_root_fast(np.concatenate([xyz, hanging]))
    local = np.column_stack([root[:, 0], root[:, 2], -root[:, 1]])
    normals = np.concatenate([normal, normal[edge]])
    return _encode(
        local, normals[:, [0, 2, 1]] * [1, 1, -1], np.concatenate([triangle, skirt]), meshopt
    )


def _encode(
    local: FloatArray, normal: FloatArray, triangle: IntArray, meshopt: bool
) -> tuple[bytes, FloatArray, FloatArray]:
    """A mesh along the axes of glTF as bytes, and its box along those of the root frame."""
    low, high = column_range(local)
    low = np.floor(low / CORNER_M) * CORNER_M
    step = max(float((high - low).max()), 1.0) / 65_535
    layout = {"names": ["POSITION", "NORMAL"], "formats": [("<u2", 3), ("i1", 3)]}
    kind = np.dtype({**layout, "offsets": [0, 8], "itemsize": 12})  # type: ignore[call-overload]
    vertices: Any = np.zeros(len(local), dtype=kind)
    vertices["POSITION"] = np.rint((local - low) / step)
    vertices["NORMAL"] = np.rint(normal * 127)
    if meshopt:
        triangle, vertices = _reordered(triangle, vertices)
    gltf = Gltf(meshopt=meshopt)
    attributes = gltf.vertices(vertices, NORMAL=True)
    indices = gltf.indices(triangle, len(vertices))
    document = {
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "translation": low.tolist(), "scale": [step] * 3}],
        "meshes": [
            {"primitives": [{"attributes": attributes, "indices": indices, "material": 0}]}
        ],
        "materials": [MATERIAL],
    }
    first, last = (ends * step + low for ends in column_range(vertices["POSITION"]))
    box = np.array([first[0], -last[2], first[1]]), np.array([last[0], -first[2], last[1]])
    return gltf.pack(document, ["KHR_mesh_quantization"], []), *box


def _reordered(triangle: IntArray, vertices: Any) -> tuple[IntArray, Any]:
    """Bring triangles and vertices into an order that compresses well."""
    import meshopt

    rows, place, _ = meshopt.reorder_mesh(triangle.astype(np.uint32).ravel(), True, True)
    # The gaps between fields are bytes of the file too; zeros_like leaves them as they were.
    moved = np.zeros(len(vertices), dtype=vertices.dtype)
    moved[place] = vertices
    return rows.astype(np.int64).reshape(-1, 3), moved


def _normals(z: FloatArray, cell: float) -> FloatArray:
    """Normals of a grid of heights, shape (n, n, 3); upright beside unknown cells."""
    north, east = np.gradient(z, cell)
    up = np.stack([-np.nan_to_num(east), -np.nan_to_num(north), np.ones_like(z)], axis=2)
    return np.asarray(up / np.linalg.norm(up, axis=2, keepdims=True))


def _rim(triangle: IntArray, row: IntArray, column: IntArray, side: int) -> IntArray:
    """Edges of triangles along the sides of the square, shape (n, 2)."""
    edges = np.concatenate([triangle[:, [k, (k + 1) % 3]] for k in range(3)])
    r, c = row[edges], column[edges]
    along = [
        (line[:, 0] == line[:, 1]) & ((line[:, 0] == 0) | (line[:, 0] == side - 1))
        for line in (r, c)
    ]
    return np.asarray(edges[along[0] | along[1]])
