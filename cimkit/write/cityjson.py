"""CityJSON text sequences (CityJSONSeq): one JSON text a line, one building a line.

Specification: CityJSON 2.0.1, with the text sequences of its chapter 9.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import pyproj

from cimkit.errors import TableError
from cimkit.tables import Buildings, Models, Quality
from cimkit.tables.models import GROUND_SURFACE, ROOF_SURFACE, SURFACE_NAMES
from cimkit.tables.quality import LATE
from cimkit.tables.surfaces import face_slopes

SCALE = 0.0001
"""Metres: roofs then lie on their planes as closely as validators want; 0.001 is too coarse."""

_OPENGIS = "https://www.opengis.net/def/crs"


def cityjson_header(
    crs: str, bounds: tuple[float, float, float, float]
) -> tuple[bytes, IntXYZ]:
    """First line of a file, and the whole metres that all its vertices are relative to.

    Parameters
    ----------
    crs : str
        Working CRS; compound ones are named by both codes.
    bounds : tuple of float
        (xmin, ymin, xmax, ymax) of the whole city.
    """
    base = math.floor(bounds[0]), math.floor(bounds[1]), 0
    header = {
        "type": "CityJSON",
        "version": "2.0",
        "transform": {"scale": [SCALE] * 3, "translate": list(base)},
        "metadata": {"referenceSystem": reference_system(crs)},
        "CityObjects": {},
        "vertices": [],
    }
    return _line(header), base


IntXYZ = tuple[int, int, int]


def cityjson_features(
    buildings: Buildings, models: Models, base: IntXYZ, quality: Quality | None = None
) -> Iterator[bytes]:
    """One line for each building: LoD0 and its solids of all levels of detail.

    Parameters
    ----------
    buildings : Buildings
    models : Models
        In the order of `buildings`; solids of one building follow each other.
    base : tuple of int
        From `cityjson_header`.
    quality : Quality, optional
        In the order of `buildings`; what is known only of the whole city is left out, for
        `add_attributes`.

    Yields
    ------
    bytes
        A line with its end.
    """
    columns = _columns(buildings) | ({} if quality is None else _columns(quality, LATE))
    slopes = [angle.tolist() for angle in face_slopes(models)]
    solids = models.building_id.tolist()
    start = 0
    for row, name in enumerate(buildings.building_id.tolist()):
        last = start
        while last < len(solids) and solids[last] == name:
            last += 1
        vertices: list[list[int]] = []
        geometry = [_footprint(models, start, base, vertices)] if last > start else []
        geometry += [
            _solid(models, solid, base, vertices, slopes) for solid in range(start, last)
        ]
        start = last
        attributes = {key: _value(column[row]) for key, column in columns.items()}
        thing = {"type": "Building", "attributes": attributes, "geometry": geometry}
        yield _line(
            {
                "type": "CityJSONFeature",
                "id": name,
                "CityObjects": {name: thing},
                "vertices": vertices,
            }
        )
    if start < len(solids):
        raise TableError(
            f"CityJSON: the model of {solids[start]!r} is not in the buildings' order"
        )


def reference_system(crs: str) -> str:
    """Name of the CRS as OGC writes it.

    Examples
    --------
    >>> reference_system("EPSG:7415")
    'https://www.opengis.net/def/crs/EPSG/0/7415'
    >>> reference_system("EPSG:4546+5737")
    'https://www.opengis.net/def/crs-compound?1=https://www.opengis.net/def/crs/EPSG/0/4546&2=https://www.opengis.net/def/crs/EPSG/0/5737'
    """
    found = pyproj.CRS.from_user_input(crs)
    if found.to_epsg():
        return f"{_OPENGIS}/EPSG/0/{found.to_epsg()}"
    codes = [part.to_epsg() for part in found.sub_crs_list]
    if codes and all(codes):
        parts = [f"{n}={_OPENGIS}/EPSG/0/{code}" for n, code in enumerate(codes, 1)]
        return f"{_OPENGIS}-compound?{'&'.join(parts)}"
    return found.to_string()


def add_attributes(line: bytes, attributes: Mapping[str, Any]) -> bytes:
    """A line of `cityjson_features` with more attributes, before those that it has.

    Parameters
    ----------
    line : bytes
    attributes : mapping of str to number, bool or str
        NaN becomes null.

    Examples
    --------
    >>> line = b'{"CityObjects":{"a":{"type":"Building","attributes":{"height":3.0}}}}'
    >>> add_attributes(line, {"passes": True})
    b'{"CityObjects":{"a":{"type":"Building","attributes":{"passes":true,"height":3.0}}}}'
    """
    # No text can hold the mark: in it, each quotation mark would follow a backslash.
    head, mark, tail = line.partition(b'"type":"Building","attributes":{')
    more = _line({name: _value(value) for name, value in attributes.items()})[1:-2]
    return head + mark + more + (b"" if tail.startswith(b"}") else b",") + tail


def _columns(table: Buildings | Quality, left_out: Sequence[str] = ()) -> dict[str, list[Any]]:
    """Columns of a table but the identifier, as lists."""
    names = [field.name for field in fields(table)]
    kept = [name for name in names if name not in ("building_id", *left_out)]
    return {name: getattr(table, name).tolist() for name in kept}


def _solid(
    models: Models,
    row: int,
    base: IntXYZ,
    vertices: list[list[int]],
    slopes: list[list[float]],
) -> dict[str, Any]:
    """One solid; its vertices are added to those of the building."""
    first, last = models.vertex_offsets[row], models.vertex_offsets[row + 1]
    shift = len(vertices) - int(first)
    whole = np.rint((models.vertices[first:last] - base) / SCALE).astype(np.int64)
    vertices += whole.tolist()
    faces = range(models.solid_offsets[row], models.solid_offsets[row + 1])
    surfaces: list[dict[str, Any]] = [{"type": name} for name in SURFACE_NAMES[:ROOF_SURFACE]]
    values = models.semantics[faces.start : faces.stop].tolist()
    for place, face in enumerate(faces):
        if values[place] == ROOF_SURFACE:
            values[place] = len(surfaces)
            slope, azimuth = (_value(angle[face]) for angle in slopes)
            roof = {"type": SURFACE_NAMES[ROOF_SURFACE], "slope": slope, "azimuth": azimuth}
            surfaces.append(roof)
    return {
        "type": "Solid",
        "lod": str(models.lod[row]),
        "boundaries": [[_rings(models, face, shift) for face in faces]],
        "semantics": {"surfaces": surfaces, "values": [values]},
    }


def _footprint(
    models: Models, row: int, base: IntXYZ, vertices: list[list[int]]
) -> dict[str, Any]:
    """LoD0: the ground faces of a solid, turned over and raised to its highest point."""
    first, last = models.vertex_offsets[row], models.vertex_offsets[row + 1]
    faces = np.arange(models.solid_offsets[row], models.solid_offsets[row + 1])
    faces = faces[models.semantics[faces] == GROUND_SURFACE]
    whole = np.rint((models.vertices[first:last] - base) / SCALE).astype(np.int64)
    top = int(whole[:, 2].max())
    place: dict[int, int] = {}
    boundaries = []
    for face in faces.tolist():
        rings = [ring[::-1] for ring in _rings(models, face, -int(first))]
        for vertex in (v for ring in rings for v in ring):
            if vertex not in place:
                place[vertex] = len(vertices)
                vertices.append([*whole[vertex, :2].tolist(), top])
        boundaries.append([[place[v] for v in ring] for ring in rings])
    return {"type": "MultiSurface", "lod": "0", "boundaries": boundaries}


def _rings(models: Models, face: int, shift: int) -> list[list[int]]:
    """Vertices of each ring of a face, by their place among those of the building."""
    offsets = models.ring_offsets[models.face_offsets[face] : models.face_offsets[face + 1] + 1]
    return [
        (models.ring_vertex[first:last] + shift).tolist()
        for first, last in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    ]


def _value(value: Any) -> Any:
    """NaN becomes null: JSON knows no NaN."""
    return None if isinstance(value, float) and math.isnan(value) else value


def _line(value: dict[str, Any]) -> bytes:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode() + b"\n"
