"""The tileset document of 3D Tiles 1.1."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from cimkit import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cimkit.tables import TileTree
    from cimkit.tables._columns import FloatArray
    from cimkit.write.placement import Placement

_SCHEMA = {
    "id": "cimkit",
    "classes": {
        "city": {
            "properties": {
                "crs": {"type": "STRING", "required": True},
                "undulation": {"type": "SCALAR", "componentType": "FLOAT64", "required": True},
            }
        }
    },
}


def tileset_json(
    tree: TileTree,
    boxes: Sequence[Sequence[float]],
    uris: Sequence[str],
    placement: Placement,
) -> bytes:
    """Write down the tree of tiles as explicit tileset with refinement by replacement.

    Parameters
    ----------
    tree : TileTree, n tiles
    boxes : sequence of 12 numbers, length n
        Bounding boxes of the contents along the axes of the root frame: `EncodedTile.box`.
    uris : sequence of str, length n
        Names of the contents beside the tileset: `EncodedTile.uri`.
    placement : Placement
        Root frame.

    Returns
    -------
    bytes
        ``tileset.json``; the same input gives the same bytes.

    Notes
    -----
    The box of a tile holds the boxes of its children and its own content. The geometric error
    of the tileset, which says from where on nothing at all may be shown, is the diagonal of the
    city, and at least twice the error of the root: a client with the usual limit of 16 pixels
    then drops the city only when it is that small.

    CRS and undulation of the source stand in the metadata of the tileset.

    Examples
    --------
    >>> from cimkit.tables import TileTree
    >>> from cimkit.write.placement import Placement
    >>> nothing = TileTree([], [], [], [0], [])
    >>> placement = Placement("EPSG:4546+5737", 0.0, (500_000.0, 3_000_000.0, 0.0))
    >>> json.loads(tileset_json(nothing, [], [], placement))["root"]["geometricError"]
    0.0
    """
    low, high = _bounds(tree, boxes)
    tiles: list[dict[str, Any]] = []
    for row in range(len(tree)):
        tile = {
            "boundingVolume": {"box": _box(low[row], high[row])},
            "geometricError": float(tree.error[row]),
            "content": {"uri": uris[row]},
        }
        tiles.append(tile)
        if row:
            tiles[tree.parent[row]].setdefault("children", []).append(tile)
    empty = {"boundingVolume": {"box": _box(-np.ones(3), np.ones(3))}, "geometricError": 0.0}
    root = {
        "transform": placement.root_transform,
        "refine": "REPLACE",
        **(tiles[0] if tiles else empty),
    }
    diagonal = float(np.linalg.norm(high[0] - low[0])) if tiles else 0.0
    document = {
        "asset": {"version": "1.1", "generator": f"cimkit {__version__}"},
        "schema": _SCHEMA,
        "metadata": {
            "class": "city",
            "properties": {"crs": placement.crs, "undulation": placement.undulation},
        },
        "geometricError": max(2 * root["geometricError"], diagonal),
        "root": root,
    }
    return json.dumps(
        document, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    ).encode()


def _bounds(tree: TileTree, boxes: Sequence[Sequence[float]]) -> tuple[FloatArray, FloatArray]:
    """Lower and upper corners of the tiles, each around its content and its children."""
    box = np.asarray(boxes, dtype=np.float64).reshape(len(tree), 12)
    low, high = box[:, :3] - box[:, 3::4], box[:, :3] + box[:, 3::4]
    for row in range(len(tree) - 1, 0, -1):
        parent = tree.parent[row]
        low[parent] = np.minimum(low[parent], low[row])
        high[parent] = np.maximum(high[parent], high[row])
    return low, high


def _box(low: FloatArray, high: FloatArray) -> list[float]:
    """Centre and half axes of a box."""
    return [*((low + high) / 2).tolist(), *np.diag((high - low) / 2).ravel().tolist()]
