"""One tile of buildings as binary glTF: quantized, flat-shaded, with its property table."""

from __future__ import annotations

import hashlib
import json
import struct
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cimkit import __version__
from cimkit.errors import TableError
from cimkit.tables._triangulate import newell_normals
from cimkit.tables.buildings import HEIGHT_SOURCES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from cimkit.tables import Buildings, Models
    from cimkit.tables._columns import ByteArray, FloatArray, IntArray, TextArray
    from cimkit.write.placement import Placement

STEP_MAX = 0.01
"""Metres. A tile wider than 65,535 such steps (655 m) gets float positions: a leaf in open
country would otherwise move its walls by as much as they are thick."""

LODS = ("0", "1.2", "1.3", "2.2")

BYTE, UNSIGNED_SHORT, UNSIGNED_INT, FLOAT = 5120, 5123, 5125, 5126
ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER = 34962, 34963
"""Numbers of the glTF 2.0 specification for types of components and targets of buffer views."""

_ENUMS = {"height_source": HEIGHT_SOURCES, "lod": tuple(f"LoD{lod}" for lod in LODS)}

_COUNT = {"type": "SCALAR", "componentType": "INT32", "noData": -1}

_SCHEMA: dict[str, Any] = {
    "id": "cimkit",
    "classes": {
        "building": {
            "properties": {
                "building_id": {"type": "STRING", "semantic": "ID", "required": True},
                "code": {"type": "STRING"},
                "address": {"type": "STRING"},
                "h_ground": {"type": "SCALAR", "componentType": "FLOAT32", "required": True},
                "height": {"type": "SCALAR", "componentType": "FLOAT32", "required": True},
                "height_source": {
                    "type": "ENUM",
                    "enumType": "height_source",
                    "required": True,
                },
                "lod": {"type": "ENUM", "enumType": "lod", "required": True},
            }
        }
    },
    "enums": {
        enum: {
            "valueType": "UINT8",
            "values": [{"name": name, "value": value} for value, name in enumerate(names)],
        }
        for enum, names in _ENUMS.items()
    },
}


class PropertyTable(NamedTuple):
    """What a tile says of its features.

    Attributes
    ----------
    schema : mapping
        As EXT_structural_metadata wants it.
    kind : str
        Class in it.
    texts : mapping of str to text array
        Columns of type STRING.
    numbers : mapping of str to array
        The others, each in the type that the schema gives it.
    """

    schema: Mapping[str, Any]
    kind: str
    texts: Mapping[str, TextArray]
    numbers: Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class EncodedTile:
    """Content of one tile.

    Parameters
    ----------
    data : bytes
        Binary glTF.
    box : tuple of 12 float
        Bounding box of the vertices as they will be read: centre and three half axes, in the
        root frame.
    """

    data: bytes
    box: tuple[float, ...]

    @property
    def uri(self) -> str:
        """File name, made from the content: no reader ever meets other bytes under it."""
        return f"{hashlib.sha256(self.data).hexdigest()[:16]}.glb"


def encode_glb(
    models: Models,
    buildings: Buildings,
    address: TextArray,
    placement: Placement,
    *,
    counts: Mapping[str, NDArray[np.int64]] | None = None,
) -> EncodedTile:
    """Encode the buildings of one tile as glTF 2.0.

    Parameters
    ----------
    models : Models, n >= 1 rows
    buildings : Buildings, n rows
        The same buildings in the same order.
    address : text array, shape (n,)
        Primary address of each building; "" where none.
    placement : Placement
        Root frame of the tileset.
    counts : mapping of str to int64 array, shape (n,), optional
        Further columns; -1 where unknown.

    Returns
    -------
    EncodedTile

    Raises
    ------
    TableError
        If the rows do not belong together, or a `lod` or `height_source` is none of the known.

    Notes
    -----
    As `encode_features`.
    """
    n, ids = len(models), models.building_id.tolist()
    if not n or len(address) != n or ids != buildings.building_id.tolist():
        raise TableError("encode_glb: models, buildings and addresses must have the same rows")
    texts = {
        "building_id": buildings.building_id,
        "code": buildings.code,
        "address": address,
    }
    numbers = {
        "h_ground": buildings.h_ground.astype("<f4"),
        "height": buildings.height.astype("<f4"),
        "height_source": _enum("height_source", buildings.height_source, HEIGHT_SOURCES),
        "lod": _enum("lod", buildings.lod, LODS),
    }
    schema = _SCHEMA
    if counts:
        numbers |= {name: column.astype("<i4") for name, column in counts.items()}
        schema = deepcopy(_SCHEMA)
        schema["classes"]["building"]["properties"] |= dict.fromkeys(counts, _COUNT)
    return encode_features(models, PropertyTable(schema, "building", texts, numbers), placement)


def encode_features(models: Models, table: PropertyTable, placement: Placement) -> EncodedTile:
    """Encode solids as the features of one tile.

    Parameters
    ----------
    models : Models, n >= 1 rows
    table : PropertyTable, n rows
        In the order of the models.
    placement : Placement
        Root frame of the tileset.

    Returns
    -------
    EncodedTile

    Notes
    -----
    Vertices are rounded once for each solid, before its faces are taken apart, so faces that
    share a vertex still share it and a closed solid stays closed. A triangle of which two
    corners fall together is left out: its neighbours then join. Positions are 16-bit steps of
    at most `STEP_MAX` (KHR_mesh_quantization), in wider tiles float32 from the tile's corner.

    A column of which all texts are "" is left out, since a buffer view cannot be empty.

    The same input gives the same bytes. Specifications: glTF 2.0, EXT_mesh_features and
    EXT_structural_metadata of 3D Tiles 1.1 (OGC 22-025r4).
    """
    n = len(models)
    local = placement.to_root(models.vertices)
    local = np.column_stack([local[:, 0], local[:, 2], -local[:, 1]])  # glTF: y is up
    low = local.min(axis=0)
    extent = float(max((local.max(axis=0) - low).max(), 1.0))
    quantized = extent <= STEP_MAX * 65_535
    step = extent / 65_535 if quantized else 1.0
    grid = (local - low) / step
    grid = np.rint(grid).astype("<u2") if quantized else grid.astype("<f4")

    corners, vertex, face = _split_corners(models, grid)
    normals = _unit(newell_normals(replace(models, vertices=local)))
    vertices = _vertex_buffer(grid[vertex], normals[face], models.solid_of_face[face], n)
    used = grid[vertex].astype(np.float64)
    box = _box(used.min(axis=0) * step + low, used.max(axis=0) * step + low)

    chunk = _Chunk()
    accessors = _accessors(chunk, vertices, corners)
    columns = _columns(chunk, table)
    node = {"mesh": 0, "translation": low.tolist()}
    if quantized:
        node["scale"] = [step] * 3
    return EncodedTile(_pack(chunk, accessors, columns, node, table, n), box)


def _split_corners(models: Models, grid: Any) -> tuple[IntArray, IntArray, IntArray]:
    """Triangles over corners of faces; the vertex and the face of each corner."""
    triangles, face = models.triangles()
    a, b, c = (grid[triangles[:, k]] for k in range(3))
    flat = (a == b).all(axis=1) | (b == c).all(axis=1) | (c == a).all(axis=1)
    triangles, face = triangles[~flat], face[~flat]
    pair, corners = np.unique(face[:, None] * len(grid) + triangles, return_inverse=True)
    return corners.reshape(-1, 3), pair % len(grid), pair // len(grid)


def _unit(normals: FloatArray) -> FloatArray:
    """Scale normals to length 1; up for a face without area."""
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.where(length > 0, normals / np.where(length > 0, length, 1), [0.0, 1.0, 0.0])


def _vertex_buffer(position: Any, normal: FloatArray, feature: IntArray, n: int) -> Any:
    """Interleaved vertices, each attribute on a multiple of 4 bytes."""
    at = 8 if position.itemsize == 2 else 12
    # Feature ids above 65,535 (many towers at one spot) are floats: glTF allows no 32-bit ones.
    kind = "<u2" if n <= 65_536 else "<f4"
    layout = {
        "names": ["POSITION", "_FEATURE_ID_0", "NORMAL"],
        "formats": [(position.dtype, 3), kind, ("i1", 3)],
        "offsets": [0, at, at + 4],
        "itemsize": at + 8,
    }
    vertices: Any = np.zeros(len(position), dtype=np.dtype(layout))  # type: ignore[call-overload]
    vertices["POSITION"], vertices["_FEATURE_ID_0"] = position, feature
    vertices["NORMAL"] = np.rint(normal * 127)
    return vertices


def _box(low: FloatArray, high: FloatArray) -> tuple[float, ...]:
    """Bounding box in the z-up root frame from bounds in the y-up frame of glTF."""
    low, high = np.array([low[0], -high[2], low[1]]), np.array([high[0], -low[2], high[1]])
    return tuple(np.concatenate([(low + high) / 2, np.diag((high - low) / 2).ravel()]).tolist())


class _Chunk:
    """The binary chunk, filled view by view."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, int]] = []

    def add(self, data: bytes, **keys: int) -> int:
        """Append a buffer view on a multiple of 8 bytes; returns its index."""
        self.data += bytes(-len(self.data) % 8)
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data), **keys}
        self.data += data
        self.views.append(view)
        return len(self.views) - 1


def _accessors(chunk: _Chunk, vertices: Any, corners: IntArray) -> list[dict[str, Any]]:
    """Accessors of position, feature id, normal and indices."""
    view = chunk.add(
        vertices.tobytes(), byteStride=vertices.dtype.itemsize, target=ARRAY_BUFFER
    )
    short = len(vertices) <= 65_535
    indices = chunk.add(
        corners.astype("<u2" if short else "<u4").tobytes(), target=ELEMENT_ARRAY_BUFFER
    )
    position, feature = vertices["POSITION"], vertices["_FEATURE_ID_0"]

    def attribute(name: str, component: int, **keys: Any) -> dict[str, Any]:
        place = {"bufferView": view, "byteOffset": vertices.dtype.fields[name][1]}
        return {**place, "componentType": component, "count": len(vertices), **keys}

    return [
        attribute(
            "POSITION",
            UNSIGNED_SHORT if position.itemsize == 2 else FLOAT,
            type="VEC3",
            min=position.min(axis=0).tolist(),
            max=position.max(axis=0).tolist(),
        ),
        attribute(
            "_FEATURE_ID_0",
            UNSIGNED_SHORT if feature.itemsize == 2 else FLOAT,
            type="SCALAR",
        ),
        attribute("NORMAL", BYTE, type="VEC3", normalized=True),
        {
            "bufferView": indices,
            "componentType": UNSIGNED_SHORT if short else UNSIGNED_INT,
            "count": corners.size,
            "type": "SCALAR",
        },
    ]


def _columns(chunk: _Chunk, table: PropertyTable) -> dict[str, Any]:
    """Columns of the property table."""
    columns: dict[str, Any] = {}
    for name, column in table.texts.items():
        rows = [text.encode() for text in column.tolist()]
        if any(rows):
            ends = np.cumsum([0, *map(len, rows)]).astype("<u4")
            columns[name] = {
                "values": chunk.add(b"".join(rows)),
                "stringOffsets": chunk.add(ends.tobytes()),
            }
    for name, numbers in table.numbers.items():
        columns[name] = {"values": chunk.add(numbers.tobytes())}
    return columns


def _enum(name: str, column: TextArray, known: Sequence[str]) -> ByteArray:
    """One byte for each value: its place among the known ones."""
    values = column.tolist()
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise TableError(f"{name}: {unknown[0]!r} is none of {', '.join(known)}")
    return np.array([known.index(value) for value in values], dtype=np.uint8)


def _pack(
    chunk: _Chunk,
    accessors: list[dict[str, Any]],
    columns: dict[str, Any],
    node: dict[str, Any],
    table: PropertyTable,
    n: int,
) -> bytes:
    """Binary glTF from its parts."""
    feature_ids = [{"featureCount": n, "attribute": 0, "propertyTable": 0}]
    primitive = {
        "attributes": {"POSITION": 0, "_FEATURE_ID_0": 1, "NORMAL": 2},
        "indices": 3,
        "material": 0,
        "extensions": {"EXT_mesh_features": {"featureIds": feature_ids}},
    }
    rows = {"class": table.kind, "count": n, "properties": columns}
    document = {
        "asset": {"version": "2.0", "generator": f"cimkit {__version__}"},
        "extensionsUsed": [
            "EXT_mesh_features",
            "EXT_structural_metadata",
            "KHR_mesh_quantization",
        ],
        "extensionsRequired": ["KHR_mesh_quantization"],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [node],
        "meshes": [{"primitives": [primitive]}],
        "materials": [{"pbrMetallicRoughness": {"metallicFactor": 0}}],
        "accessors": accessors,
        "bufferViews": chunk.views,
        "buffers": [{"byteLength": len(chunk.data)}],
        "extensions": {
            "EXT_structural_metadata": {"schema": table.schema, "propertyTables": [rows]}
        },
    }
    text = json.dumps(
        document, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    ).encode()
    text += b" " * (-len(text) % 4)
    binary = bytes(chunk.data) + bytes(-len(chunk.data) % 4)
    return b"".join(
        [
            struct.pack("<4sII", b"glTF", 2, 12 + 8 + len(text) + 8 + len(binary)),
            struct.pack("<I4s", len(text), b"JSON"),
            text,
            struct.pack("<I4s", len(binary), b"BIN\0"),
            binary,
        ]
    )
