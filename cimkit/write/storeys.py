"""Floors and rooms of buildings as CityJSON, and floors as features of tiles."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from cimkit.errors import TableError
from cimkit.tables.models import GROUND_SURFACE, ROOF_SURFACE, WALL_SURFACE
from cimkit.write.cityjson import SCALE
from cimkit.write.glb import EncodedTile, encode_glb
from cimkit.write.property_table import PropertyTable

if TYPE_CHECKING:
    from cimkit.tables import Buildings, Models
    from cimkit.tables._columns import IntArray, TextArray
    from cimkit.tables.storeys import Rooms, Storeys
    from cimkit.write.cityjson import IntXYZ
    from cimkit.write.placement import Placement

SURFACES = {
    GROUND_SURFACE: "FloorSurface",
    WALL_SURFACE: "WallSurface",
    ROOF_SURFACE: "CeilingSurface",
}
"""Names in CityGML of the faces of a slab: ground and roof are of whole buildings."""

SLAB_LOD = "1.2"
"""Level of detail of a slab: an outline between two heights, as a block of a building."""

_SCHEMA = {
    "id": "cimkit_storeys",
    "classes": {
        "storey": {
            "properties": {
                "storey_id": {"type": "STRING", "semantic": "ID", "required": True},
                "building_id": {"type": "STRING", "required": True},
                "code": {"type": "STRING"},
                "storey": {"type": "SCALAR", "componentType": "INT16", "required": True},
                "z_bottom": {"type": "SCALAR", "componentType": "FLOAT32", "required": True},
                "z_top": {"type": "SCALAR", "componentType": "FLOAT32", "required": True},
                "n_rooms": {"type": "SCALAR", "componentType": "UINT32", "required": True},
            }
        }
    },
}


def storey_features(
    buildings: Buildings, storeys: Storeys, slabs: Models, rooms: Rooms, base: IntXYZ
) -> Iterator[bytes]:
    """One line for each building: its storeys and rooms as children of it.

    Parameters
    ----------
    buildings : Buildings
    storeys : Storeys
        Of these buildings, in their order.
    slabs : Models
        A solid for each storey, named as `Storeys.storey_id` does.
    rooms : Rooms
        In these buildings; rooms in others are left out.
    base : tuple of int
        From `cimkit.write.cityjson.cityjson_header`.

    Yields
    ------
    bytes
        A line with its end. `BuildingStorey` has the slab (floor, walls, ceiling);
        `BuildingUnit` has no geometry, and names its storey where there is a slab for it.

    Raises
    ------
    TableError
        If slabs and storeys do not belong together.

    Examples
    --------
    >>> import json, shapely
    >>> import cimkit
    >>> from cimkit.steps.reconstruct.solid import extrude
    >>> from cimkit.tables.storeys import Rooms, Storeys
    >>> outline = [shapely.box(0, 0, 8, 8)]
    >>> footprints = cimkit.Footprints.from_polygons(["a"], outline)
    >>> storeys = Storeys(["a"], [1], [0.0], [3.0], ["floors"])
    >>> slab = extrude(
    ...     cimkit.Footprints.from_polygons(storeys.storey_id, outline), [0.0], [3.0]
    ... )
    >>> rooms = Rooms(["A1"], ["a"], [1], [""], ["101"], [""])
    >>> buildings = cimkit.reconstruct(footprints)[0]
    >>> (line,) = storey_features(buildings, storeys, slab, rooms, (0, 0, 0))
    >>> {name: thing["type"] for name, thing in json.loads(line)["CityObjects"].items()}
    {'a': 'Building', 'a-storey-1': 'BuildingStorey', 'a-unit-A1': 'BuildingUnit'}
    """
    ids = storeys.storey_id.tolist()
    if ids != slabs.building_id.tolist():
        raise TableError("storey_features: storeys and slabs must have the same rows")
    row_of_room = storeys.rows_of(rooms.building_id, rooms.floor)
    n_rooms = np.bincount(row_of_room[row_of_room >= 0], minlength=len(storeys)).tolist()
    storeys_of = _rows_by_text(storeys.building_id.tolist())
    rooms_of = _rows_by_text(rooms.building_id.tolist())
    for name, code in zip(buildings.building_id.tolist(), buildings.code.tolist(), strict=True):
        own = storeys_of.get(name, [])
        vertices: list[list[int]] = []
        things: dict[str, Any] = {name: {"type": "Building"}}
        for row in own:
            slab = _slab(slabs, row, base, vertices)
            things[ids[row]] = _storey(storeys, row, n_rooms[row], slab)
        for row in rooms_of.get(name, []):
            at = int(row_of_room[row])
            unit = f"{name}-unit-{rooms.address_id[row]}"
            things[unit] = _unit(rooms, row, ids[at] if at >= 0 else None)
        above = int((storeys.number[own] > 0).sum())
        things[name] |= {
            "attributes": {"code": code, "storeysAboveGround": above},
            "geometry": [],  # CityJSON 1.1 wants the key
            "children": list(things)[1:],
        }
        yield _line(name, things, vertices)


def _line(name: str, things: dict[str, Any], vertices: list[list[int]]) -> bytes:
    feature = {
        "type": "CityJSONFeature",
        "id": name,
        "CityObjects": things,
        "vertices": vertices,
    }
    text = json.dumps(feature, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode() + b"\n"


def _rows_by_text(column: list[str]) -> dict[str, list[int]]:
    """Rows of each value."""
    rows: dict[str, list[int]] = {}
    for row, value in enumerate(column):
        rows.setdefault(value, []).append(row)
    return rows


def _storey(storeys: Storeys, row: int, n_rooms: int, slab: dict[str, Any]) -> dict[str, Any]:
    """One storey with its slab."""
    attributes = {
        "storey": int(storeys.number[row]),
        "z_bottom": float(storeys.z_bottom[row]),
        "z_top": float(storeys.z_top[row]),
        "source": str(storeys.source[row]),
        "n_rooms": n_rooms,
    }
    return {
        "type": "BuildingStorey",
        "attributes": attributes,
        "geometry": [slab],
        "parents": [str(storeys.building_id[row])],
    }


def _unit(rooms: Rooms, row: int, storey: str | None) -> dict[str, Any]:
    """One room, without geometry."""
    attributes: dict[str, Any] = {
        name: str(getattr(rooms, name)[row]) or None
        for name in ("address_id", "unit", "room", "building_address")
    }
    attributes |= {"floor": int(rooms.floor[row]) or None, "storey": storey}
    return {
        "type": "BuildingUnit",
        "attributes": attributes,
        "geometry": [],
        "parents": [str(rooms.building_id[row])],
    }


def _slab(models: Models, row: int, base: IntXYZ, vertices: list[list[int]]) -> dict[str, Any]:
    """One solid; its vertices are added to those of the building."""
    first, last = models.vertex_offsets[row], models.vertex_offsets[row + 1]
    shift = len(vertices) - int(first)
    whole = np.rint((models.vertices[first:last] - base) / SCALE).astype(np.int64)
    vertices += whole.tolist()
    faces = range(models.solid_offsets[row], models.solid_offsets[row + 1])
    shell = [
        [
            (models.ring_vertex[slice(*models.ring_offsets[ring : ring + 2])] + shift).tolist()
            for ring in range(models.face_offsets[face], models.face_offsets[face + 1])
        ]
        for face in faces
    ]
    return {
        "type": "Solid",
        "lod": SLAB_LOD,
        "boundaries": [shell],
        "semantics": {
            "surfaces": [{"type": name} for name in SURFACES.values()],
            "values": [models.semantics[faces.start : faces.stop].tolist()],
        },
    }


def encode_storeys(
    slabs: Models, storeys: Storeys, code: TextArray, n_rooms: IntArray, placement: Placement
) -> EncodedTile:
    """Encode the storeys of one tile as glTF 2.0, each a feature that can be picked.

    Parameters
    ----------
    slabs : Models, n >= 1 rows
    storeys : Storeys, n rows
        In the order of the slabs.
    code : text array, shape (n,)
        Code of the building of each.
    n_rooms : int64 array, shape (n,)
    placement : Placement
        Root frame of the tileset.

    Returns
    -------
    EncodedTile
        As `cimkit.write.glb.encode_glb` makes it.
    """
    ids = storeys.storey_id
    if not len(slabs) or slabs.building_id.tolist() != ids.tolist():
        raise TableError("encode_storeys: storeys and slabs must have the same rows")
    columns = {
        "storey_id": ids,
        "building_id": storeys.building_id,
        "code": code,
        "storey": storeys.number.astype("<i2"),
        "z_bottom": storeys.z_bottom.astype("<f4"),
        "z_top": storeys.z_top.astype("<f4"),
        "n_rooms": n_rooms.astype("<u4"),
    }
    return encode_glb(slabs, PropertyTable(_SCHEMA, "storey", columns), placement)
