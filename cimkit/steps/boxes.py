"""The plainest solid of a building for far views: a box around its block (LoD1.1)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import shapely

from cimkit.kernels.face_triangles import cut_faces
from cimkit.steps.reconstruct.solid import extrude
from cimkit.tables import Footprints, Models
from cimkit.tables._columns import TEXT
from cimkit.tables.models import BOX_LOD, TILE_LODS

CORNERS_MIN = 6
"""A block over fewer corners is as plain as its box."""

EDGE_MIN = 0.1
"""Metres. A thinner box is none."""


def with_boxes(models: Models) -> Models:
    """Add to each block, where it is not one itself, the box around it.

    Parameters
    ----------
    models : Models
        At all levels of detail.

    Returns
    -------
    Models
        Building by building in the order of first rows, by rising level. A box
        (`cimkit.tables.models.BOX_LOD`) stands over the smallest rectangle around the roof of
        the building's LoD1.2, between its bottom and its top; there is none where LoD1.2 has
        several roofs, or an outline of fewer than `CORNERS_MIN` corners.

    Examples
    --------
    >>> import cimkit
    >>> corner = shapely.box(0, 0, 9, 9) - shapely.box(5, 5, 9, 9)
    >>> footprints = cimkit.Footprints.from_polygons(["a"], [corner])
    >>> _, models, _ = cimkit.reconstruct(footprints)
    >>> with_boxes(models).lod.tolist()
    ['1.1', '1.2']
    """
    blocks = models.at("1.2")
    boxes = _boxes(blocks) if len(blocks) else None
    both = models if boxes is None else Models.concatenate([models, boxes])
    rank: dict[str, int] = {}
    for name in both.building_id.tolist():
        rank.setdefault(name, len(rank))
    level = {lod: place for place, lod in enumerate(TILE_LODS)}
    keys = [
        (rank[name], level[lod])
        for name, lod in zip(both.building_id.tolist(), both.lod.tolist(), strict=True)
    ]
    order = np.lexsort(np.array(keys, dtype=np.int64).reshape(-1, 2).T[::-1])
    return both.take(order)


def _boxes(blocks: Models) -> Models | None:
    """Boxes around those blocks that are worth it; None if none is."""
    rings = blocks.ring_vertex, blocks.ring_offsets, blocks.face_offsets
    up = cut_faces(blocks.vertices, *rings)[3][:, 2] > 1e-6
    one_roof = np.bincount(blocks.solid_of_face[up], minlength=len(blocks)) == 1
    outline = blocks.face_offsets[np.flatnonzero(up)]
    solid = blocks.solid_of_face[up]
    size = blocks.ring_offsets[outline + 1] - blocks.ring_offsets[outline]
    chosen = one_roof[solid] & (size >= CORNERS_MIN)
    outline, solid, size = outline[chosen], solid[chosen], size[chosen]
    if not len(solid):
        return None
    first = np.repeat(blocks.ring_offsets[outline] - np.cumsum(size) + size, size)
    corner = blocks.ring_vertex[first + np.arange(size.sum())]
    lines = shapely.linestrings(
        blocks.vertices[corner, :2], indices=np.repeat(np.arange(len(solid)), size)
    )
    around = shapely.oriented_envelope(lines)
    sides = shapely.get_coordinates(shapely.get_exterior_ring(around)).reshape(-1, 5, 2)
    edges = np.linalg.norm(np.diff(sides, axis=1), axis=2)
    sound = edges.min(axis=1) >= EDGE_MIN
    starts = blocks.vertex_offsets[:-1]
    bottom = np.minimum.reduceat(blocks.vertices[:, 2], starts)[solid]
    top = np.maximum.reduceat(blocks.vertices[:, 2], starts)[solid]
    sound &= top > bottom
    if not sound.any():
        return None
    names = blocks.building_id[solid[sound]]
    squares = shapely.polygons(sides[sound].round(4))
    footprints = Footprints.from_polygons(names, squares, crs=blocks.crs)
    solids = extrude(footprints, bottom[sound], top[sound])
    return replace(solids, lod=np.array([BOX_LOD] * len(solids), dtype=TEXT))
