"""What a tile says of its features: a property table of 3D Tiles 1.1, a batch table of 1.0."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cimkit.errors import TableError
from cimkit.tables.buildings import HEIGHT_SOURCES
from cimkit.write.gltf import json_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from cimkit.tables import Buildings
    from cimkit.tables._columns import TextArray
    from cimkit.write.gltf import Gltf

LODS = ("0", "1.2", "1.3", "2.2")

NO_DATA = -9999.0
"""Stands for a number that is not known: JSON, in which the schema is written, has no NaN."""

_ENUMS = {"height_source": HEIGHT_SOURCES, "lod": tuple(f"LoD{lod}" for lod in LODS)}

_NUMBER = {
    "i1": "INT8",
    "u1": "UINT8",
    "i2": "INT16",
    "u2": "UINT16",
    "i4": "INT32",
    "u4": "UINT32",
    "i8": "INT64",
    "f4": "FLOAT32",
    "f8": "FLOAT64",
}
_OFFSETS = (("UINT8", "u1"), ("UINT16", "<u2"), ("UINT32", "<u4"))
_TEXT = {"type": "STRING", "noData": ""}


@dataclass(frozen=True, slots=True)
class PropertyTable:
    """What a tile says of its features.

    Parameters
    ----------
    schema : mapping
        As EXT_structural_metadata wants it.
    kind : str
        Class in it.
    columns : mapping of str to array, shape (n,)
        By the names of the class: text arrays for STRING, the numbers of an ENUM as uint8,
        other numbers in the type that the schema gives them.
    """

    schema: Mapping[str, Any]
    kind: str
    columns: Mapping[str, TextArray | NDArray[Any]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def take(self, rows: NDArray[np.int64]) -> PropertyTable:
        """The features chosen by index, in that order."""
        return replace(self, columns={name: c[rows] for name, c in self.columns.items()})


def building_table(
    buildings: Buildings,
    address: TextArray,
    more: Mapping[str, TextArray | NDArray[Any]] | None = None,
) -> PropertyTable:
    """Properties of buildings.

    Parameters
    ----------
    buildings : Buildings, n rows
    address : text array, shape (n,)
        Primary address of each building; "" where none.
    more : mapping of str to array, shape (n,), optional
        Further columns, by any name: texts ("" where none), whole numbers (-1 where not known),
        other numbers (NaN where not known).

    Returns
    -------
    PropertyTable
        `building_id`, `code`, `address`, `h_ground`, `height`, `height_source`, `lod`, then the
        others. Metadata knows names of Latin letters, digits and underscores alone: another
        one stands as `name` in the schema.

    Raises
    ------
    TableError
        If the rows do not belong together, or a `lod` or `height_source` is none of the known.

    Examples
    --------
    >>> import shapely
    >>> import cimkit
    >>> footprints = cimkit.Footprints.from_polygons(["a"], [shapely.box(0, 0, 9, 9)])
    >>> buildings, _, _ = cimkit.reconstruct(footprints)
    >>> table = building_table(buildings, np.array(["1号"]), {"层数": np.array([3])})
    >>> table.schema["classes"]["building"]["properties"]["_"]["name"], len(table)
    ('层数', 1)
    """
    n = len(buildings)
    if len(address) != n:
        raise TableError(f"{len(address)} addresses for {n} buildings")
    columns: dict[str, Any] = {
        "building_id": buildings.building_id,
        "code": buildings.code,
        "address": address,
        "h_ground": buildings.h_ground.astype("<f4"),
        "height": buildings.height.astype("<f4"),
        "height_source": _enum("height_source", buildings.height_source, HEIGHT_SOURCES),
        "lod": _enum("lod", buildings.lod, LODS),
    }
    needed = {"required": True}
    number = {"type": "SCALAR", "componentType": "FLOAT32"} | needed
    properties: dict[str, Any] = {
        "building_id": {"type": "STRING", "semantic": "ID"} | needed,
        "code": _TEXT,
        "address": _TEXT,
        "h_ground": number,
        "height": number,
        "height_source": {"type": "ENUM", "enumType": "height_source"} | needed,
        "lod": {"type": "ENUM", "enumType": "lod"} | needed,
    }
    for name, column in (more or {}).items():
        if len(column) != n:
            raise TableError(f"{name}: {len(column)} rows for {n} buildings")
        key = _identifier(name, columns)
        columns[key], properties[key] = _column(column)
        if key != name:
            properties[key] = properties[key] | {"name": name}
    schema = {
        "id": "cimkit",
        "classes": {"building": {"properties": properties}},
        "enums": {name: _enum_schema(names) for name, names in _ENUMS.items()},
    }
    return PropertyTable(schema, "building", columns)


def _identifier(name: str, taken: Mapping[str, Any]) -> str:
    """The name as metadata can have it, and as no other column has it."""
    key = re.sub(r"[^A-Za-z0-9_]+", "_", name)
    key = key if re.match(r"[A-Za-z_]", key) else f"_{key}"
    number, free = 1, key
    while free in taken:
        number += 1
        free = f"{key}_{number}"
    return free


def _column(
    column: TextArray | NDArray[Any],
) -> tuple[TextArray | NDArray[Any], dict[str, Any]]:
    """A column as it is stored, and what the schema says of it."""
    if column.dtype.kind in "iu":
        small = not len(column) or -(2**31) <= column.min() <= column.max() < 2**31
        kind = "<i4" if small else "<i8"
        stated = {"type": "SCALAR", "componentType": _NUMBER[kind[1:]]}
        return column.astype(kind), stated | {"noData": -1}
    if column.dtype.kind == "f":
        known = np.where(np.isfinite(column), column, NO_DATA).astype("<f4")
        return known, {"type": "SCALAR", "componentType": "FLOAT32", "noData": NO_DATA}
    return column, dict(_TEXT)


def _enum_schema(names: Sequence[str]) -> dict[str, Any]:
    values = [{"name": name, "value": value} for value, name in enumerate(names)]
    return {"valueType": "UINT8", "values": values}


def _enum(name: str, column: TextArray, known: Sequence[str]) -> NDArray[np.uint8]:
    """One byte for each value: its place among the known ones."""
    place = {value: number for number, value in enumerate(known)}
    values = column.tolist()
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise TableError(f"{name}: {unknown[0]!r} is none of {', '.join(known)}")
    return np.array([place[value] for value in values], dtype=np.uint8)


def put_table(gltf: Gltf, table: PropertyTable) -> dict[str, Any]:
    """Append a property table to a glTF; returns the extension EXT_structural_metadata.

    A column of which all texts are "" is left out, since a buffer view cannot be empty.
    """
    properties: dict[str, Any] = {}
    for name, column in table.columns.items():
        if column.dtype.kind != "T":
            properties[name] = {"values": gltf.view(column.tobytes())}
            continue
        rows = column.tolist()
        text = "".join(rows)
        if not text:
            continue
        data = text.encode()
        if len(data) > len(text):  # else a letter is a byte
            rows = [row.encode() for row in rows]
        ends = np.cumsum([0, *map(len, rows)])
        kind, narrow = next(k for k in _OFFSETS if ends[-1] <= np.iinfo(k[1]).max)
        properties[name] = {
            "values": gltf.view(data),
            "stringOffsets": gltf.view(ends.astype(narrow).tobytes()),
        }
        if kind != "UINT32":
            properties[name]["stringOffsetType"] = kind
    rows_of = {"class": table.kind, "count": len(table), "properties": properties}
    return {"schema": table.schema, "propertyTables": [rows_of]}


def batch_table(table: PropertyTable) -> tuple[bytes, bytes]:
    """JSON and binary part of the batch table of a b3dm: texts and names of enums, numbers.

    Numbers that glTF 1.0 has no type for, of 64 bits, stand in the JSON.
    """
    document: dict[str, Any] = {}
    binary = bytearray()
    kinds = table.schema["classes"][table.kind]["properties"]
    for name, column in table.columns.items():
        if kinds[name]["type"] == "ENUM":
            values = table.schema["enums"][kinds[name]["enumType"]]["values"]
            document[name] = [values[value]["name"] for value in column.tolist()]
        elif column.dtype.str[1:] not in _BATCH:
            document[name] = column.tolist()
        else:
            binary += bytes(-len(binary) % column.itemsize)
            place = {"byteOffset": len(binary), "type": "SCALAR"}
            document[name] = place | {"componentType": _BATCH[column.dtype.str[1:]]}
            binary += column.tobytes()
    return json_bytes(document), bytes(binary)


_BATCH = {
    "i1": "BYTE",
    "u1": "UNSIGNED_BYTE",
    "i2": "SHORT",
    "u2": "UNSIGNED_SHORT",
    "i4": "INT",
    "u4": "UNSIGNED_INT",
    "f4": "FLOAT",
    "f8": "DOUBLE",
}
