"""Tilesets as `cimkit.write` makes them, read back without trust in a single byte."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from cimkit.errors import FormatError, InputError
from cimkit.tables._columns import TEXT
from cimkit.tables.tilesetcontent import PropertyColumn, TileContent, TilesetContents

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_NAMED_BY_CONTENT = re.compile(r"[0-9a-f]{16}\.glb")
_COMPONENT = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTH = {"SCALAR": 1, "VEC3": 3}
_NUMBER = {
    "INT8": "i1",
    "UINT8": "u1",
    "INT16": "<i2",
    "UINT16": "<u2",
    "INT32": "<i4",
    "UINT32": "<u4",
    "INT64": "<i8",
    "FLOAT32": "<f4",
    "FLOAT64": "<f8",
}

Result = TypeVar("Result")


def read_tileset(path: str | Path) -> TilesetContents:
    """Read the tree of an explicit 3D Tiles 1.1 tileset; contents follow when asked for.

    Parameters
    ----------
    path : path
        ``tileset.json``, or the folder that holds it.

    Returns
    -------
    TilesetContents

    Raises
    ------
    InputError
        If there is no such file.
    FormatError
        If it is no JSON, breaks 3D Tiles 1.1, or uses a part of it that cimkit does not write:
        implicit tiling, other bounding volumes than boxes, other transforms than that of the
        root, refinement by addition, contents other than one glb beside the tileset.

    Examples
    --------
    >>> read_tileset("no such folder/tileset.json")
    Traceback (most recent call last):
    cimkit.errors.InputError: no such folder/tileset.json: no such file. Name a tileset.json.
    """
    path = Path(path)
    path = path / "tileset.json" if path.is_dir() else path
    data = _read_bytes(path, "Name a tileset.json.")
    load = functools.partial(_read_content, path.parent)
    return _parse(lambda: _read_tree(_read_json(data), load), path)


def _read_content(folder: Path, uri: str) -> TileContent:
    """Read the content of one tile."""
    path = folder / uri
    data = _read_bytes(path, "Build the tiles again.")
    if _NAMED_BY_CONTENT.fullmatch(uri) and hashlib.sha256(data).hexdigest()[:16] != path.stem:
        raise FormatError(
            "the bytes do not belong to the name", path=str(path), hint="Build the tiles again."
        )
    return _parse(lambda: _Glb(data).content(), path)


def _read_bytes(path: Path, hint: str) -> bytes:
    """Bytes of a file."""
    try:
        return path.read_bytes()
    except OSError as error:
        gone = isinstance(error, FileNotFoundError)
        what = "no such file" if gone else f"cannot be read ({error.strerror})"
        raise InputError(what, path=str(path), hint=hint) from error


def _parse(read: Callable[[], Result], path: Path) -> Result:
    """Call a reader that may stumble over anything in a damaged file."""
    try:
        return read()
    except FormatError as error:
        raise FormatError(error.what, path=str(path), hint=error.hint) from error
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
        struct.error,
    ) as error:
        what = f"damaged ({type(error).__name__}: {error})"
        raise FormatError(what, path=str(path), hint="Build the tiles again.") from error


def _read_json(data: bytes) -> Any:
    """JSON without NaN and infinity, which it does not know."""
    return json.loads(data, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> None:
    raise FormatError(f"{name} is no number in JSON")


def _read_tree(document: Any, load: Callable[[str], TileContent]) -> TilesetContents:
    """Tiles of the tileset, breadth first."""
    if document["asset"]["version"] != "1.1":
        raise FormatError(f"3D Tiles 1.1 expected, not {document['asset']['version']}")
    root = document["root"]
    if root["refine"] != "REPLACE":
        raise FormatError("refinement by replacement expected")
    if len(_numbers(root["transform"])) != 16:
        raise FormatError("16 numbers expected as transform of the root")
    tiles, parent, depth = [root], [-1], [0]
    for row, tile in enumerate(tiles):  # grows while it is walked
        foreign = {"implicitTiling", "contents", "viewerRequestVolume"} & set(tile)
        if foreign or (row and {"transform", "refine"} & set(tile)):
            raise FormatError(f"tile {row} has keys that cimkit does not write")
        for child in tile.get("children", []):
            tiles.append(child)
            parent.append(row)
            depth.append(depth[row] + 1)
    return TilesetContents(
        _numbers([document["geometricError"]])[0],
        np.array(parent),
        np.array(depth),
        np.array(_numbers([tile["geometricError"] for tile in tiles])),
        np.array([_numbers(tile["boundingVolume"]["box"]) for tile in tiles]),
        np.array([_uri(tile) for tile in tiles], dtype=TEXT),
        load,
    )


def _numbers(values: Any) -> list[float]:
    """Take a list of finite numbers."""
    for value in values:
        if isinstance(value, bool) or not math.isfinite(value):
            raise FormatError(f"{value!r} is no finite number")
    return [float(value) for value in values]


def _uri(tile: Any) -> str:
    """Name of the content, which must lie beside the tileset; "" for none."""
    if "content" not in tile:
        return ""
    uri = tile["content"]["uri"]
    if not re.fullmatch(r"\w[\w.-]*\.glb", uri):
        raise FormatError(f"content {uri!r}: a glb beside the tileset expected")
    return str(uri)


class _Glb:
    """A binary glTF of one mesh with one primitive and one property table."""

    def __init__(self, data: bytes) -> None:
        magic, version, length, size, kind = struct.unpack_from("<4s3I4s", data)
        if (magic, version, kind) != (b"glTF", 2, b"JSON") or length != len(data):
            raise FormatError(f"no whole binary glTF 2.0 ({len(data):,} of {length:,} bytes)")
        self.json = _read_json(data[20 : 20 + size])
        binary_size, kind = struct.unpack_from("<I4s", data, 20 + size)
        self.binary = data[28 + size :]
        if kind != b"BIN\0" or binary_size != len(self.binary):
            raise FormatError("the binary chunk is not as long as announced")

    def content(self) -> TileContent:
        """Everything that is checked."""
        primitive = self.only("meshes")["primitives"][0]
        if primitive.get("mode", 4) != 4:
            raise FormatError("triangles expected")
        node = self.only("nodes")
        if set(node) & {"rotation", "matrix", "children"}:
            raise FormatError("a node without rotation, matrix and children expected")
        scale, *others = {*_numbers(node.get("scale", [1.0, 1.0, 1.0]))}
        if others or scale <= 0:
            raise FormatError("one scale for all axes expected")
        stored = self.accessor(primitive["attributes"]["POSITION"], "VEC3")
        positions = stored * scale + np.array(_numbers(node.get("translation", [0.0] * 3)))
        normals = self.accessor(primitive["attributes"]["NORMAL"], "VEC3")
        indices = self.accessor(primitive["indices"], "SCALAR").astype(np.int64)
        if len(indices) % 3 or (len(indices) and indices.max() >= len(positions)):
            raise FormatError("indices point outside the vertices")
        (features,) = primitive["extensions"]["EXT_mesh_features"]["featureIds"]
        name = f"_FEATURE_ID_{int(features['attribute'])}"
        feature = self.accessor(primitive["attributes"][name], "SCALAR")
        if not len(positions) == len(normals) == len(feature):
            raise FormatError("the attributes differ in length")
        if np.abs(feature).max() > 2**24:
            raise FormatError("a feature id is larger than float32 can count")
        metadata = self.json["extensions"]["EXT_structural_metadata"]
        table = metadata["propertyTables"][int(features["propertyTable"])]
        properties, enums = self.columns(metadata["schema"], table)
        return TileContent(
            _z_up(positions),
            _z_up(normals),
            indices.reshape(-1, 3),
            feature.astype(np.int64),
            scale if stored.dtype.kind == "u" else 0.0,
            int(features["featureCount"]),
            int(table["count"]),
            properties,
            enums,
        )

    def only(self, name: str) -> Any:
        """Take the one item of a list."""
        (item,) = self.json[name]
        return item

    def view(self, index: int) -> tuple[bytes, int]:
        """Bytes of a buffer view, and its stride or 0."""
        view = self.json["bufferViews"][_natural(index)]
        start, size = _natural(view.get("byteOffset", 0)), _natural(view["byteLength"])
        if start + size > len(self.binary):
            raise FormatError("a buffer view leaves the buffer")
        return self.binary[start : start + size], _natural(view.get("byteStride", 0))

    def accessor(self, index: int, kind: str) -> Any:
        """Values of an accessor, shape (n, width) or (n,), normalized ones as float64."""
        item = self.json["accessors"][_natural(index)]
        if item["type"] != kind or "sparse" in item:
            raise FormatError(f"a plain accessor of type {kind} expected")
        data, stride = self.view(item["bufferView"])
        number, width = np.dtype(_COMPONENT[item["componentType"]]), _WIDTH[kind]
        values: NDArray[Any] = np.ndarray(
            (_natural(item["count"]), width),
            number,
            data,
            _natural(item.get("byteOffset", 0)),
            (stride or number.itemsize * width, number.itemsize),
        )
        if number.kind == "f" and not np.isfinite(values).all():
            raise FormatError("a vertex is not finite")
        if item.get("normalized", False):
            values = np.maximum(values / np.iinfo(number).max, -1.0)
        return values if width > 1 else values[:, 0]

    def columns(
        self, schema: Any, table: Any
    ) -> tuple[dict[str, PropertyColumn], dict[str, dict[int, str]]]:
        """Columns of a property table, and the names of its enums."""
        kinds = schema["classes"][table["class"]]["properties"]
        columns: dict[str, PropertyColumn] = {}
        enums: dict[str, dict[int, str]] = {}
        for name, column in table["properties"].items():
            kind, n = kinds[name], _natural(table["count"])
            if kind["type"] == "STRING":
                columns[name] = self.texts(column, n)
                continue
            number = kind.get("componentType")
            if kind["type"] == "ENUM":
                enum = schema["enums"][kind["enumType"]]
                number = enum.get("valueType", "UINT16")
                enums[name] = {int(item["value"]): item["name"] for item in enum["values"]}
            data, _ = self.view(column["values"])
            if len(data) != n * np.dtype(_NUMBER[number]).itemsize:
                raise FormatError(f"column {name}: not {n} values of type {number}")
            values = np.frombuffer(data, _NUMBER[number])
            columns[name] = values.astype(np.int64 if name in enums else np.float64)
        return columns, enums

    def texts(self, column: Any, n: int) -> Any:
        """Cut a text column into its rows."""
        data, _ = self.view(column["values"])
        ends = np.frombuffer(
            self.view(column["stringOffsets"])[0],
            _NUMBER[column.get("stringOffsetType", "UINT32")],
        ).astype(np.int64)
        whole = len(ends) == n + 1 and ends[0] == 0 and ends[-1] == len(data)
        if not whole or (np.diff(ends) < 0).any():
            raise FormatError(f"the offsets of a text column do not fit {n} rows")
        cuts = zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)
        return np.array([data[a:b].decode() for a, b in cuts], dtype=TEXT)


def _natural(value: Any) -> int:
    """Take a whole number, not negative: Python would count from the end."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise FormatError(f"{value!r} is no count")
    return value


def _z_up(xyz: Any) -> Any:
    """From the y-up axes of glTF to east, north, up."""
    return np.column_stack([xyz[:, 0], -xyz[:, 2], xyz[:, 1]]).astype(np.float64)
