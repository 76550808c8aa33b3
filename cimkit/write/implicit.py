"""Implicit tiling of 3D Tiles 1.1: a quadtree by cells, its availability in subtree files.

The cells are those of the tree, squares of the CRS. What a client needs besides, the tight box
and the geometric error of each tile, stands in the metadata of the subtrees
(`TILE_BOUNDING_BOX`, `TILE_GEOMETRIC_ERROR`). A client that does not read it divides the root's
box and halves its error: the box is that of the root's cell, widened to hold all buildings, and
the error such that no half is below what the tile really leaves out.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cimkit import __version__
from cimkit.errors import ParameterError
from cimkit.write.gltf import json_bytes
from cimkit.write.tileset import city_metadata, city_schema, tile_bounds, tileset_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cimkit.tables import TileTree
    from cimkit.tables._columns import FloatArray
    from cimkit.write.placement import Placement

SUBTREE_LEVELS = 5
"""Levels of a subtree file: 341 tiles at most, 32 kB with boxes and errors."""

LEVELS_MAX = 30
"""Column and row of a tile must fit the 32-bit integers of clients."""

TILE_PROPERTIES: dict[str, Any] = {
    "box": {
        "type": "SCALAR",
        "componentType": "FLOAT64",
        "array": True,
        "count": 12,
        "semantic": "TILE_BOUNDING_BOX",
        "required": True,
    },
    "error": {
        "type": "SCALAR",
        "componentType": "FLOAT64",
        "semantic": "TILE_GEOMETRIC_ERROR",
        "required": True,
    },
}

Cell = tuple[int, int, int]
"""Level, column and row."""


class _Node(NamedTuple):
    """A cell with a tile: its content, or -1, its box and error."""

    content: int
    low: FloatArray
    high: FloatArray
    error: float


def content_names(tree: TileTree) -> list[str]:
    """File of each tile beside the tileset: by its cell, as the template says."""
    return [f"{level}/{x}/{y}.glb" for level, x, y in tree.cell.tolist()]


def implicit_documents(
    tree: TileTree, boxes: Sequence[Sequence[float]], placement: Placement
) -> dict[str, bytes]:
    """Write down the tree of tiles as implicit quadtree.

    Parameters
    ----------
    tree : TileTree, n >= 1 tiles
    boxes : sequence of 12 numbers, length n
        Bounding boxes of the contents along the axes of the root frame: `EncodedTile.box`.
    placement : Placement
        Root frame.

    Returns
    -------
    dict of str to bytes
        ``tileset.json`` and the subtrees. Contents stand where `content_names` says.

    Raises
    ------
    ParameterError
        If the tree has more than `LEVELS_MAX` levels of cells.

    Notes
    -----
    Cells between a tile and its parent have tiles without content: each must be reached.
    Bits run level by level along the Morton curve (OGC 22-025r4, 7.7).
    """
    deepest = int(tree.cell[:, 0].max())
    if deepest >= LEVELS_MAX:
        raise ParameterError(
            f"implicit: {deepest + 1} levels of cells, at most {LEVELS_MAX}. Write the tiles "
            "explicitly: their tree has one level for each division."
        )
    nodes = _nodes(tree, boxes)
    cells_of: dict[Cell, list[Cell]] = {}
    for cell in nodes:
        cells_of.setdefault(_top(cell), []).append(cell)
    tops_of: dict[Cell, list[Cell]] = {}
    for level, x, y in cells_of:
        if level:
            tops_of.setdefault(_top((level - 1, x >> 1, y >> 1)), []).append((level, x, y))
    documents = {}
    for top in sorted(cells_of):
        name = "subtrees/{}.{}.{}.subtree".format(*top)
        documents[name] = _subtree(top, cells_of[top], tops_of.get(top, []), nodes)
    low, high = tile_bounds(tree, boxes)
    error = max(node.error * 2.0 ** cell[0] for cell, node in nodes.items())
    root = {
        "transform": placement.root_transform,
        "refine": "REPLACE",
        "boundingVolume": {"box": _square_box(tree, low, high, placement)},
        "geometricError": error,
        "content": {"uri": "{level}/{x}/{y}.glb"},
        "implicitTiling": {
            "subdivisionScheme": "QUADTREE",
            "subtreeLevels": SUBTREE_LEVELS,
            "availableLevels": deepest + 1,
            "subtrees": {"uri": "subtrees/{level}.{x}.{y}.subtree"},
        },
    }
    schema = city_schema()
    schema["classes"]["tile"] = {"properties": TILE_PROPERTIES}
    document = {
        "asset": {"version": "1.1", "generator": f"cimkit {__version__}"},
        "schema": schema,
        "metadata": {"class": "city", "properties": city_metadata(placement)},
        "geometricError": tileset_error(error, low, high),
        "root": root,
    }
    return {"tileset.json": json_bytes(document), **documents}


def _nodes(tree: TileTree, boxes: Sequence[Sequence[float]]) -> dict[Cell, _Node]:
    """All cells with a tile, those between a tile and its parent too."""
    low, high = tile_bounds(tree, boxes)
    cells: list[Cell] = [tuple(cell) for cell in tree.cell.tolist()]
    nodes = {
        cell: _Node(row, low[row], high[row], float(tree.error[row]))
        for row, cell in enumerate(cells)
    }
    above = {row: cells[parent] for row, parent in enumerate(tree.parent.tolist()) if row}
    between: dict[Cell, list[int]] = {}
    for row, parent in above.items():
        level, x, y = cells[row]
        for up in range(1, level - parent[0]):
            between.setdefault((level - up, x >> up, y >> up), []).append(row)
    # From the root on, half way between the tile above and the largest error below.
    for cell in sorted(between):
        rows = between[cell]
        parent = (cell[0] - 1, cell[1] >> 1, cell[2] >> 1)
        error = (nodes[parent].error + float(tree.error[rows].max())) / 2
        nodes[cell] = _Node(-1, low[rows].min(axis=0), high[rows].max(axis=0), error)
    return nodes


def _top(cell: Cell) -> Cell:
    """First cell of the subtree that holds a cell."""
    level, x, y = cell
    up = level % SUBTREE_LEVELS
    return level - up, x >> up, y >> up


def _place(cell: Cell, top: Cell) -> int:
    """Place of a cell along the curve through its level, below another cell."""
    down = cell[0] - top[0]
    x, y = cell[1] - (top[1] << down), cell[2] - (top[2] << down)
    bits = ((x >> k & 1) << 2 * k | (y >> k & 1) << 2 * k + 1 for k in range(down))
    return sum(bits)


def _subtree(top: Cell, cells: list[Cell], tops: list[Cell], nodes: dict[Cell, _Node]) -> bytes:
    """One subtree file: its cells, and the first ones of the subtrees below."""
    found = [
        ((4 ** (cell[0] - top[0]) - 1) // 3 + _place(cell, top), nodes[cell]) for cell in cells
    ]
    children = [_place(cell, top) for cell in tops]
    found.sort(key=lambda pair: pair[0])
    total = (4**SUBTREE_LEVELS - 1) // 3
    chunk = _Chunk()
    rows = [[*((n.low + n.high) / 2), *np.diag((n.high - n.low) / 2).ravel()] for _, n in found]
    columns = {
        "box": {"values": chunk.add(np.array(rows, "<f8").tobytes())},
        "error": {"values": chunk.add(np.array([n.error for _, n in found], "<f8").tobytes())},
    }
    document = {
        "tileAvailability": chunk.bits([place for place, _ in found], total),
        "contentAvailability": [
            chunk.bits([place for place, node in found if node.content >= 0], total)
        ],
        "childSubtreeAvailability": chunk.bits(sorted(children), 4**SUBTREE_LEVELS),
        "propertyTables": [{"class": "tile", "count": len(found), "properties": columns}],
        "tileMetadata": 0,
    }
    document["buffers"] = [{"byteLength": len(chunk.data)}]
    document["bufferViews"] = chunk.views
    text = json_bytes(document)
    text += b" " * (-len(text) % 8)
    head = struct.pack("<4sIQQ", b"subt", 1, len(text), len(chunk.data))
    return head + text + bytes(chunk.data)


class _Chunk:
    """The binary chunk of a subtree, filled view by view; each on a multiple of 8 bytes."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, int]] = []

    def add(self, data: bytes) -> int:
        """Append a view; returns its index."""
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data)}
        self.views.append(view)
        self.data += data + bytes(-len(data) % 8)
        return len(self.views) - 1

    def bits(self, places: list[int], total: int) -> dict[str, int]:
        """Availability of some places out of all."""
        if not places or len(places) == total:
            return {"constant": int(bool(places))}
        flags = np.zeros(total, dtype=np.uint8)
        flags[places] = 1
        packed = np.packbits(flags, bitorder="little").tobytes()
        return {"bitstream": self.add(packed), "availableCount": len(places)}


def _square_box(
    tree: TileTree, low: FloatArray, high: FloatArray, placement: Placement
) -> list[float]:
    """The cell of the root as a box of the root frame, widened to hold all contents."""
    west, south, edge = tree.square
    middle = np.array([west + edge / 2, south + edge / 2, 0.0])
    near = middle + np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])  # the grid may be turned
    start, east = placement.to_root(near)
    axis = (east - start)[:2] / np.hypot(*(east - start)[:2])
    across = np.array([-axis[1], axis[0]])
    corners = np.array(
        [[x, y] for x in (low[0, 0], high[0, 0]) for y in (low[0, 1], high[0, 1])]
    )
    reach = np.abs((corners - start[:2]) @ np.column_stack([axis, across])).max()
    half = max(edge / 2, float(reach))
    z = (low[0, 2] + high[0, 2]) / 2, (high[0, 2] - low[0, 2]) / 2
    return [
        *(float(start[0]), float(start[1]), float(z[0])),
        *(float(half * axis[0]), float(half * axis[1]), 0.0),
        *(float(half * across[0]), float(half * across[1]), 0.0),
        *(0.0, 0.0, float(z[1])),
    ]
