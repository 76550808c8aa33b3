"""The documents of a tileset: one, or for a large city several that refer to each other."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from cimkit import __version__
from cimkit.write.gltf import json_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cimkit.tables import TileTree
    from cimkit.tables._columns import FloatArray
    from cimkit.write.placement import Placement

EXTERNAL_TILES = 200
"""A part of the tree with so many tiles gets a document of its own: some 50 kB."""

CITY_PROPERTIES: dict[str, Any] = {
    "crs": {"type": "STRING", "required": True},
    "undulation": {"type": "SCALAR", "componentType": "FLOAT64", "required": True},
    "height_reference": {"type": "STRING", "required": True},
}


def tileset_documents(
    tree: TileTree,
    boxes: Sequence[Sequence[float]],
    uris: Sequence[str],
    placement: Placement,
    *,
    version: str = "1.1",
) -> dict[str, bytes]:
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
    version : {"1.1", "1.0"}

    Returns
    -------
    dict of str to bytes
        ``tileset.json``, and where the city is large external tilesets, named by their content.
        The same input gives the same bytes.

    Notes
    -----
    The box of a tile holds the boxes of its children and its own content. The geometric error
    of the tileset, which says from where on nothing at all may be shown, is the diagonal of the
    city, and at least twice the error of the root: a client with the usual limit of 16 pixels
    then drops the city only when it is that small.

    CRS, undulation and what the heights refer to stand in the metadata of the tileset, in 1.0
    in its `extras`.

    Examples
    --------
    >>> import json
    >>> from cimkit.steps.tile import tile
    >>> from cimkit.tables import Buildings, Footprints
    >>> from cimkit.write.placement import Placement
    >>> nothing = tile(Footprints.from_polygons([], []), Buildings(*[()] * 15))
    >>> placement = Placement("EPSG:4546+5737", 0.0, (500_000.0, 3_000_000.0, 0.0))
    >>> documents = tileset_documents(nothing, [], [], placement)
    >>> json.loads(documents["tileset.json"])["root"]["geometricError"]
    0.0
    """
    low, high = tile_bounds(tree, boxes)
    tiles: list[dict[str, Any]] = [
        {
            "boundingVolume": {"box": box_of(low[row], high[row])},
            "geometricError": float(tree.error[row]),
            "content": {"uri": uris[row]},
        }
        for row in range(len(tree))
    ]
    documents: dict[str, bytes] = {}
    size = np.ones(len(tree), dtype=np.int64)
    for row in range(len(tree) - 1, 0, -1):  # children before their parents
        one = tiles[row]
        if size[row] >= EXTERNAL_TILES:
            part = _document({"refine": "REPLACE", **one}, one["geometricError"], version)
            data = json_bytes(part)
            name = f"{hashlib.sha256(data).hexdigest()[:16]}.json"
            documents[name] = data
            one = {**one, "content": {"uri": name}}
            one.pop("children")
            size[row] = 1
        size[tree.parent[row]] += size[row]
        tiles[tree.parent[row]].setdefault("children", []).insert(0, one)
    empty = {"boundingVolume": {"box": box_of(-np.ones(3), np.ones(3))}, "geometricError": 0.0}
    root = {
        "transform": placement.root_transform,
        "refine": "REPLACE",
        **(tiles[0] if tiles else empty),
    }
    error = tileset_error(root["geometricError"], low, high)
    documents["tileset.json"] = json_bytes(_document(root, error, version, placement))
    return documents


def tileset_error(root_error: float, low: FloatArray, high: FloatArray) -> float:
    """Geometric error of a tileset with some root."""
    diagonal = float(np.linalg.norm(high[0] - low[0])) if len(low) else 0.0
    return max(2 * root_error, diagonal)


def city_metadata(placement: Placement) -> dict[str, Any]:
    """What the tileset says of the heights and places that it was made from."""
    return {
        "crs": placement.crs,
        "undulation": placement.undulation,
        "height_reference": placement.height_reference,
    }


def city_schema() -> dict[str, Any]:
    """Schema of that metadata."""
    return {"id": "cimkit", "classes": {"city": {"properties": CITY_PROPERTIES}}}


def _document(
    root: dict[str, Any], error: float, version: str, placement: Placement | None = None
) -> dict[str, Any]:
    """A tileset document; with a placement that of the whole city."""
    document: dict[str, Any] = {
        "asset": {"version": version, "generator": f"cimkit {__version__}"}
    }
    if placement is not None and version == "1.0":
        document["extras"] = city_metadata(placement)
    elif placement is not None:
        document["schema"] = city_schema()
        document["metadata"] = {"class": "city", "properties": city_metadata(placement)}
    return {**document, "geometricError": error, "root": root}


def tile_bounds(
    tree: TileTree, boxes: Sequence[Sequence[float]]
) -> tuple[FloatArray, FloatArray]:
    """Lower and upper corners of the tiles, each around its content and its children."""
    box = np.asarray(boxes, dtype=np.float64).reshape(len(tree), 12)
    low, high = box[:, :3] - box[:, 3::4], box[:, :3] + box[:, 3::4]
    for row in range(len(tree) - 1, 0, -1):
        parent = tree.parent[row]
        low[parent] = np.minimum(low[parent], low[row])
        high[parent] = np.maximum(high[parent], high[row])
    return low, high


def box_of(low: FloatArray, high: FloatArray) -> list[float]:
    """Centre and half axes of a box."""
    return [*((low + high) / 2).tolist(), *np.diag((high - low) / 2).ravel().tolist()]
