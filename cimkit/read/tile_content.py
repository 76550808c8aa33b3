"""The content of a tile: glb or b3dm, taken apart without trust in a single byte."""

from __future__ import annotations

import importlib.util
import json
import math
import struct
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from cimkit.errors import FormatError, UndecodedError
from cimkit.tables._columns import TEXT
from cimkit.tables.tilesetcontent import PropertyColumn, TileContent

if TYPE_CHECKING:
    from numpy.typing import NDArray

MESHOPT = "EXT_meshopt_compression"

_COMPONENT = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTH = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}
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
_BATCH = {
    "BYTE": "i1",
    "UNSIGNED_BYTE": "u1",
    "SHORT": "<i2",
    "UNSIGNED_SHORT": "<u2",
    "INT": "<i4",
    "UNSIGNED_INT": "<u4",
    "FLOAT": "<f4",
    "DOUBLE": "<f8",
}


def parse_content(data: bytes, kind: str = "buildings") -> TileContent:
    """Take the content of a tile apart.

    Parameters
    ----------
    data : bytes
        A binary glTF of one primitive, or a Batched 3D Model with one in it.
    kind : {"buildings", "ground"}
        Ground has no features.

    Raises
    ------
    FormatError
        With the reason, if it breaks its format.
    UndecodedError
        If it is compressed, and the decoder is not installed.
    LookupError, TypeError, ValueError, struct.error
        If it is damaged in a way that nobody foresaw.
    """
    if data[:4] == b"b3dm":
        return _b3dm(data)
    return Glb(data).ground() if kind == "ground" else Glb(data).content()


def read_json(data: bytes) -> Any:
    """JSON without NaN and infinity, which it does not know."""
    return json.loads(data, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> None:
    raise FormatError(f"{name} is no number in JSON")


def natural(value: Any) -> int:
    """Take a whole number, not negative: Python would count from the end."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise FormatError(f"{value!r} is no count")
    return value


def finite(values: Any) -> list[float]:
    """Take a list of finite numbers."""
    for value in values:
        if isinstance(value, (bool, str)) or not math.isfinite(value):
            raise FormatError(f"{value!r} is no finite number")
    return [float(value) for value in values]


def _b3dm(data: bytes) -> TileContent:
    """A Batched 3D Model of 3D Tiles 1.0."""
    magic, version, length, *sizes = struct.unpack_from("<4s6I", data)
    if (magic, version) != (b"b3dm", 1) or length != len(data):
        raise FormatError(f"no whole b3dm ({len(data):,} of {length:,} bytes)")
    borders = [28, *(28 + sum(sizes[: k + 1]) for k in range(4))]
    if borders[-1] > len(data):
        raise FormatError("the tables of the b3dm are longer than the file")
    if borders[2] % 8 or borders[4] % 8 or length % 8:
        raise FormatError("a part of the b3dm does not begin on a multiple of 8 bytes")
    parts = [data[a:b] for a, b in pairwise(borders)]
    count = natural(read_json(parts[0])["BATCH_LENGTH"])
    table = read_json(parts[2]) if parts[2].strip() else {}
    columns = {
        name: _batch_column(name, value, parts[3], count) for name, value in table.items()
    }
    size = struct.unpack_from("<I", data, borders[4] + 8)[0]
    return Glb(data[borders[4] : borders[4] + size]).batched(count, columns)


def _batch_column(name: str, stated: Any, binary: bytes, count: int) -> PropertyColumn:
    """One column of a batch table."""
    if isinstance(stated, dict):
        number = np.dtype(_BATCH[stated["componentType"]])
        start = natural(stated["byteOffset"])
        if start % number.itemsize or start + count * number.itemsize > len(binary):
            raise FormatError(f"column {name} leaves the batch table")
        return np.frombuffer(binary, number, count, start).astype(np.float64)
    if not isinstance(stated, list) or len(stated) != count:
        raise FormatError(f"column {name}: not {count} values")
    if all(isinstance(value, str) for value in stated):
        return np.array(stated, dtype=TEXT)
    return np.array(finite(stated))


class Glb:
    """A binary glTF of one mesh with one primitive."""

    def __init__(self, data: bytes) -> None:
        magic, version, length, size, kind = struct.unpack_from("<4s3I4s", data)
        if (magic, version, kind) != (b"glTF", 2, b"JSON") or length != len(data):
            raise FormatError(f"no whole binary glTF 2.0 ({len(data):,} of {length:,} bytes)")
        self.json = read_json(data[20 : 20 + size])
        binary_size, kind = struct.unpack_from("<I4s", data, 20 + size)
        self.binary = data[28 + size :]
        if kind != b"BIN\0" or binary_size != len(self.binary):
            raise FormatError("the binary chunk is not as long as announced")
        announced = natural(self.json["buffers"][0]["byteLength"])
        if not len(self.binary) - 4 < announced <= len(self.binary):
            raise FormatError("the buffer is not as long as the binary chunk")
        self.primitive = self.only("meshes")["primitives"][0]
        if self.primitive.get("mode", 4) != 4:
            raise FormatError("triangles expected")
        self._check_extensions()

    def only(self, name: str) -> Any:
        """Take the one item of a list."""
        (item,) = self.json[name]
        return item

    def _check_extensions(self) -> None:
        """Hold the extensions in use against those that are announced."""
        used = {*_extensions(self.json)}
        announced = set(self.json.get("extensionsUsed", []))
        quantized = self.json["accessors"][self.primitive["attributes"]["POSITION"]]
        if quantized["componentType"] != 5126:
            used.add("KHR_mesh_quantization")
        if used - announced:
            raise FormatError(f"{min(used - announced)} is used, but not announced")
        required = set(self.json.get("extensionsRequired", []))
        needed = used & {MESHOPT, "KHR_mesh_quantization"}
        if needed - required:
            raise FormatError(f"{min(needed - required)} must be among extensionsRequired")
        if required - announced:
            raise FormatError(f"{min(required - announced)} is required, but not announced")

    def content(self) -> TileContent:
        """Everything that is checked of a tile of 3D Tiles 1.1."""
        (features,) = self.primitive["extensions"]["EXT_mesh_features"]["featureIds"]
        feature = f"_FEATURE_ID_{natural(features['attribute'])}"
        metadata = self.json["extensions"]["EXT_structural_metadata"]
        table = metadata["propertyTables"][natural(features["propertyTable"])]
        properties, enums = self.columns(metadata["schema"], table)
        counts = natural(features["featureCount"]), natural(table["count"])
        return self._content(feature, counts, properties, enums)

    def ground(self) -> TileContent:
        """Everything that is checked of a square of ground, which has no features."""
        return self._content("", (0, 0), {}, {})

    def batched(self, count: int, columns: dict[str, PropertyColumn]) -> TileContent:
        """Everything that is checked of a tile of 3D Tiles 1.0."""
        return self._content("_BATCHID", (count, count), columns, {})

    def _content(
        self,
        feature_name: str,
        counts: tuple[int, int],
        properties: dict[str, PropertyColumn],
        enums: dict[str, dict[int, str]],
    ) -> TileContent:
        node = self.only("nodes")
        if set(node) & {"rotation", "matrix", "children"}:
            raise FormatError("a node without rotation, matrix and children expected")
        scale, *others = {*finite(node.get("scale", [1.0, 1.0, 1.0]))}
        if others or scale <= 0:
            raise FormatError("one scale for all axes expected")
        attributes = self.primitive["attributes"]
        stored = self.accessor(attributes["POSITION"], "VEC3")
        self._check_range(attributes["POSITION"], stored)
        positions = stored * scale + np.array(finite(node.get("translation", [0.0] * 3)))
        normals = self.accessor(attributes["NORMAL"], "VEC3")
        indices = self.accessor(self.primitive["indices"], "SCALAR").astype(np.int64)
        if len(indices) % 3 or (len(indices) and indices.max() >= len(positions)):
            raise FormatError("indices point outside the vertices")
        feature = np.zeros(len(positions))
        if feature_name:
            feature = self.accessor(attributes[feature_name], "SCALAR")
        if not len(positions) == len(normals) == len(feature):
            raise FormatError("the attributes differ in length")
        if len(feature) and np.abs(feature).max() > 2**24:
            raise FormatError("a feature id is larger than float32 can count")
        if "COLOR_0" in attributes and len(self.accessor(attributes["COLOR_0"], "VEC4")) != len(
            positions
        ):
            raise FormatError("the attributes differ in length")
        self._check_outline(len(positions))
        return TileContent(
            _z_up(positions),
            _z_up(normals),
            indices.reshape(-1, 3),
            feature.astype(np.int64),
            scale if stored.dtype.kind == "u" else 0.0,
            *counts,
            properties,
            enums,
        )

    def _check_range(self, index: int, stored: Any) -> None:
        """Hold the least and greatest position against what is announced."""
        item = self.json["accessors"][index]
        low, high = finite(item["min"]), finite(item["max"])
        if len(stored) and not (
            np.array_equal(stored.min(axis=0), low) and np.array_equal(stored.max(axis=0), high)
        ):
            raise FormatError("min and max of the positions are not theirs")

    def _check_outline(self, n_vertices: int) -> None:
        """Look at the edges of CESIUM_primitive_outline, where there are some."""
        outline = self.primitive.get("extensions", {}).get("CESIUM_primitive_outline")
        if outline is None:
            return
        ends = self.accessor(outline["indices"], "SCALAR")
        if len(ends) % 2 or (len(ends) and ends.max() >= n_vertices):
            raise FormatError("an edge of the outline points outside the vertices")

    def view(self, index: int) -> tuple[bytes, int]:
        """Bytes of a buffer view, and its stride or 0."""
        view = self.json["bufferViews"][natural(index)]
        packed = view.get("extensions", {}).get(MESHOPT)
        start, size = self._place(packed or view)
        data = self.binary[start : start + size]
        if packed is None:
            return data, natural(view.get("byteStride", 0))
        return _unpacked(data, packed, natural(view["byteLength"])), natural(
            view.get("byteStride", 0)
        )

    def _place(self, view: Any) -> tuple[int, int]:
        """Where a view lies in the binary chunk."""
        start, size = natural(view.get("byteOffset", 0)), natural(view["byteLength"])
        if natural(view["buffer"]) != 0:
            raise FormatError("a buffer view without bytes")
        if start + size > len(self.binary):
            raise FormatError("a buffer view leaves the buffer")
        return start, size

    def accessor(self, index: int, kind: str) -> Any:
        """Values of an accessor, shape (n, width) or (n,), normalized ones as float64."""
        item = self.json["accessors"][natural(index)]
        if item["type"] != kind or "sparse" in item:
            raise FormatError(f"a plain accessor of type {kind} expected")
        data, stride = self.view(item["bufferView"])
        number, width = np.dtype(_COMPONENT[item["componentType"]]), _WIDTH[kind]
        offset, count = natural(item.get("byteOffset", 0)), natural(item["count"])
        step = stride or number.itemsize * width
        if offset % number.itemsize or (stride and (offset % 4 or stride % 4)):
            raise FormatError("an attribute does not begin on a multiple of 4 bytes")
        if count and offset + (count - 1) * step + number.itemsize * width > len(data):
            raise FormatError("an accessor leaves its buffer view")
        values: NDArray[Any] = np.ndarray(
            (count, width), number, data, offset, (step, number.itemsize)
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
        if table["class"] not in schema["classes"]:
            raise FormatError(f"class {table['class']!r} is not in the schema")
        kinds = schema["classes"][table["class"]]["properties"]
        missing = [
            n for n, k in kinds.items() if k.get("required") and n not in table["properties"]
        ]
        if missing:
            raise FormatError(f"property {missing[0]} is required, but not there")
        columns: dict[str, PropertyColumn] = {}
        enums: dict[str, dict[int, str]] = {}
        for name, column in table["properties"].items():
            kind, n = kinds[name], natural(table["count"])
            if kind["type"] == "STRING":
                columns[name] = self.texts(name, column, n)
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
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                raise FormatError(f"column {name}: a number is not finite")
            columns[name] = values.astype(np.int64 if name in enums else np.float64)
        return columns, enums

    def texts(self, name: str, column: Any, n: int) -> Any:
        """Cut a text column into its rows."""
        data, _ = self.view(column["values"])
        ends = np.frombuffer(
            self.view(column["stringOffsets"])[0],
            _NUMBER[column.get("stringOffsetType", "UINT32")],
        ).astype(np.int64)
        whole = len(ends) == n + 1 and ends[0] == 0 and ends[-1] == len(data)
        if not whole or (np.diff(ends) < 0).any():
            raise FormatError(f"column {name}: the offsets do not fit {n} rows")
        cuts = zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)
        return np.array([data[a:b].decode() for a, b in cuts], dtype=TEXT)


def _unpacked(data: bytes, how: Any, size: int) -> bytes:
    """Bytes of a view that meshoptimizer has compressed."""
    count, stride, mode = natural(how["count"]), natural(how["byteStride"]), how["mode"]
    if (
        mode not in ("ATTRIBUTES", "TRIANGLES", "INDICES")
        or how.get("filter", "NONE") != "NONE"
    ):
        raise FormatError(f"compression {mode!r} with a filter, or unknown")
    if count * stride != size:
        raise FormatError("a compressed view is not as long as announced")
    # The encoder never takes less than a bit for 16 numbers.
    if size > 1024 * max(len(data), 1):
        raise FormatError("a compressed view says to be longer than it can be")
    if importlib.util.find_spec("meshopt") is None:
        raise UndecodedError(
            f"is compressed ({MESHOPT})", hint='Run pip install "cimkit[meshopt]".'
        )
    import meshopt

    decoded: NDArray[Any] = meshopt.decode_gltf_buffer(data, count, stride, mode)
    return decoded.tobytes()


def _extensions(value: Any) -> Any:
    """Names of all extensions in use anywhere below a value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "extensions" and isinstance(inner, dict):
                yield from inner
            if key not in ("schema", "extras"):
                yield from _extensions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _extensions(inner)


def _z_up(xyz: Any) -> Any:
    """From the y-up axes of glTF to east, north, up."""
    return np.column_stack([xyz[:, 0], -xyz[:, 2], xyz[:, 1]]).astype(np.float64)
