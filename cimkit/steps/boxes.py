"""The plainest solid of a building for far views: a box around its block (LoD1.1)."""

from __future__ import annotations

import numpy as np

from cimkit.kernels.face_triangles import cut_faces
from cimkit.kernels.outline_rectangles import outline_rectangles
from cimkit.tables import Models
from cimkit.tables._columns import TEXT
from cimkit.tables.models import (
    BOX_LOD,
    GROUND_SURFACE,
    ROOF_SURFACE,
    WALL_SURFACE,
    tile_levels,
)

CORNERS_MIN = 6
"""A block over fewer corners is as plain as its box."""

EDGE_MIN = 0.1
"""Metres. A thinner box is none."""

BOX_FACES = ((3, 2, 1, 0), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7), (4, 5, 6, 7))
"""Corners of a box seen from outside: its bottom, its walls, its top. The bottom has corners 0
to 3, counter-clockwise seen from above, and the top 4 to 7 over them."""

BOX_SEMANTICS = np.array([GROUND_SURFACE, *[WALL_SURFACE] * 4, ROOF_SURFACE], dtype=np.uint8)


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
        (`cimkit.tables.models.BOX_LOD`) stands over a rectangle around the roof of the
        building's LoD1.2, the smallest along one of its walls, between its bottom and its top;
        there is none where LoD1.2 has several roofs, or an outline of fewer than `CORNERS_MIN`
        corners.

    Examples
    --------
    >>> import shapely
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
    row = [rank.setdefault(name, len(rank)) for name in both.building_id.tolist()]
    return both.take(np.lexsort((tile_levels(both.lod), np.array(row, dtype=np.int64))))


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
    ends = np.concatenate([[0], np.cumsum(size)])
    around = outline_rectangles(blocks.vertices[corner, :2], ends)
    edges = np.linalg.norm(np.diff(around, axis=1), axis=2)
    sound = edges.min(axis=1) >= EDGE_MIN
    starts = blocks.vertex_offsets[:-1]
    bottom = np.minimum.reduceat(blocks.vertices[:, 2], starts)[solid]
    top = np.maximum.reduceat(blocks.vertices[:, 2], starts)[solid]
    sound &= top > bottom
    if not sound.any():
        return None
    names = blocks.building_id[solid[sound]]
    n = len(names)
    heights = np.column_stack([bottom[sound], top[sound]]).round(3)
    corners = np.empty((n, 2, 4, 3))
    corners[..., :2] = around[sound, None].round(4)
    corners[..., 2] = heights[:, :, None]
    return Models(
        names,
        np.full(n, BOX_LOD, dtype=TEXT),
        corners.reshape(-1, 3),
        np.arange(n + 1) * 8,
        (np.arange(n)[:, None] * 8 + np.ravel(BOX_FACES)).ravel(),
        np.arange(6 * n + 1) * 4,
        np.arange(6 * n + 1),
        np.arange(n + 1) * 6,
        np.tile(BOX_SEMANTICS, n),
        blocks.crs,
    )
