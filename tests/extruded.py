"""Small cities for tests: polygons extruded to blocks, made without the code under test."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely

from cimkit.steps.boxes import with_boxes
from cimkit.steps.tile import tile
from cimkit.tables import Buildings, Footprints, Models
from cimkit.tables._columns import TEXT
from cimkit.tables.buildings import HEIGHT_SOURCES
from cimkit.tables.models import TILE_LODS
from cimkit.write.glb import Encoding, encode_glb
from cimkit.write.implicit import content_names, implicit_documents
from cimkit.write.placement import Placement
from cimkit.write.property_table import building_table
from cimkit.write.tileset import tileset_documents

CRS = "EPSG:4546+5737"
CORNER = (500_000.0, 3_000_000.0)
PLACEMENT = Placement(CRS, -20.0, (*CORNER, 0.0))


class City(NamedTuple):
    footprints: Footprints
    buildings: Buildings
    models: Models
    address: np.ndarray


def extrude(polygons, heights, *, ground=10.0, ids=None, crs=CRS) -> City:
    """Blocks over polygons, with shared vertices and semantics."""
    ids = [f"楼-{i}" for i in range(len(polygons))] if ids is None else ids
    heights = np.broadcast_to(np.asarray(heights, dtype=float), len(polygons))
    footprints = Footprints.from_polygons(ids, polygons, crs=crs)
    n = len(footprints)
    vertices, used, ring_sizes, face_sizes, semantics = [], [], [], [], []
    vertex_ends, solid_ends = [0], [0]
    for row in range(n):
        first, last = footprints.polygon_offsets[row : row + 2]
        rings = [
            footprints.xy[footprints.ring_offsets[r] : footprints.ring_offsets[r + 1]]
            for r in range(first, last)
        ]
        flat = np.vstack(rings).round(3)
        start, k = vertex_ends[-1], len(flat)
        levels = ground, ground + heights[row]
        vertices += [np.column_stack([flat, np.full(k, z)]) for z in levels]
        bottoms = np.split(start + np.arange(k), np.cumsum([len(ring) for ring in rings])[:-1])
        faces = [(0, [b[::-1] for b in bottoms]), (2, [b + k for b in bottoms])]
        for b in bottoms:
            c = np.roll(b, -1)
            faces += [(1, [quad]) for quad in np.column_stack([b, c, c + k, b + k])]
        for kind, face in faces:
            semantics.append(kind)
            face_sizes.append(len(face))
            ring_sizes += [len(ring) for ring in face]
            used += face
        vertex_ends.append(start + 2 * k)
        solid_ends.append(solid_ends[-1] + len(faces))
    models = Models(
        footprints.building_id,
        "1.2",
        np.concatenate(vertices) if n else np.empty((0, 3)),
        np.array(vertex_ends),
        np.concatenate(used) if n else np.empty(0, np.int64),
        np.cumsum([0, *ring_sizes]),
        np.cumsum([0, *face_sizes]),
        np.array(solid_ends),
        np.array(semantics, dtype=np.uint8),
        crs,
    )
    return City(footprints, _buildings(footprints, heights, ground), models, _addresses(n))


def _addresses(n):
    return np.array([f"中山路{i}号" if i % 2 else "" for i in range(n)], dtype=TEXT)


def _buildings(footprints, heights, ground) -> Buildings:
    n = len(footprints)
    nothing, ones = np.full(n, np.nan), np.ones(n)

    def text(value):
        return np.full(n, value, TEXT)

    return Buildings(
        footprints.building_id,
        np.array([f"{i:021d}" for i in range(n)], TEXT),
        ground * ones,
        text("points"),
        nothing,
        nothing,
        nothing,
        nothing,
        heights,
        np.resize(np.array(HEIGHT_SOURCES, TEXT), n),
        text("1.2"),
        text("extrude"),
        text(""),
        np.zeros(n, dtype=np.int64),
        footprints.area,
    )


def boxes(n: int, *, seed: int = 0, pitch: float = 30.0, **keys) -> City:
    """Turned rectangles, L shapes and courtyards in a loose grid."""
    rng = np.random.default_rng(seed)
    columns = int(np.ceil(np.sqrt(n)))
    shapes = []
    for i in range(n):
        w, d = rng.uniform(5, 12, 2)
        shape = shapely.box(0, 0, w, d)
        if i % 5 == 1:
            shape = shape - shapely.box(w / 2, d / 2, w, d)
        if i % 5 == 2:
            shape = shape - shapely.box(w / 4, d / 4, w / 2, d / 2)
        shape = shapely.affinity.rotate(shape, rng.uniform(0, 360))
        east, north = CORNER[0] + pitch * (i % columns), CORNER[1] + pitch * (i // columns)
        shapes.append(shapely.affinity.translate(shape, east, north))
    return extrude(shapes, rng.uniform(3, 60, n).round(2), **keys)


def table_of(city: City):
    """Properties of all buildings."""
    return building_table(city.buildings, city.address)


def encode(city: City, placement=PLACEMENT, encoding=None, **keys):
    """All buildings as one tile."""
    return encode_glb(city.models, table_of(city), placement, encoding, **keys)


def write_tiles(
    folder: Path,
    city: City,
    *,
    tile_buildings: int = 256,
    placement=PLACEMENT,
    encoding=None,
    implicit: bool = False,
) -> Path:
    """A whole tileset in a folder; returns its document."""
    encoding = encoding or Encoding()
    models = with_boxes(city.models)
    tree = tile(city.footprints, city.buildings, models, tile_buildings=tile_buildings)
    pairs = zip(models.building_id.tolist(), models.lod.tolist(), strict=True)
    solid_of, table = {pair: row for row, pair in enumerate(pairs)}, table_of(city)
    encoded = []
    for row in range(len(tree)):
        rows, lods = tree.buildings(row), tree.levels(row).tolist()
        names = city.buildings.building_id[rows].tolist()
        solids = [solid_of[name, TILE_LODS[lod]] for name, lod in zip(names, lods, strict=True)]
        own = models.take(np.array(solids)), table.take(rows), placement, encoding
        encoded.append(encode_glb(*own, error=float(tree.error[row])))
    uris = content_names(tree) if implicit else [one.uri for one in encoded]
    files = {uri: one.data for uri, one in zip(uris, encoded, strict=True)}
    boxes_ = [one.box for one in encoded]
    if implicit:
        files |= implicit_documents(tree, boxes_, placement)
    else:
        files |= tileset_documents(tree, boxes_, uris, placement, version=encoding.version)
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder / "tileset.json"
