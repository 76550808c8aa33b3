"""Solids that somebody else made, taken over as models: each building at each level, closed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import shapely

from cimkit.kernels.face_triangles import cut_faces
from cimkit.steps.closed import are_closed, turned, volumes
from cimkit.steps.reconstruct.solid import extrude
from cimkit.tables import Footprints, Issue, Models
from cimkit.tables._columns import TEXT, BoolArray, IntArray, TextArray, ragged_index
from cimkit.tables._triangulate import crossing_faces, newell_normals
from cimkit.tables.boundaries import Boundaries
from cimkit.tables.models import GROUND_SURFACE, LODS, ROOF_SURFACE, WALL_SURFACE

LEVELS = {
    "1": "1.2",
    "1.0": "1.2",
    "1.1": "1.2",
    "1.2": "1.2",
    "1.3": "1.3",
    "2": "2.2",
    "2.0": "2.2",
    "2.1": "2.2",
    "2.2": "2.2",
    "2.3": "2.2",
    "3": "2.2",
    "3.0": "2.2",
    "3.1": "2.2",
    "3.2": "2.2",
    "3.3": "2.2",
}
"""Level of a white model that a level of CityJSON stands for. LoD0 is no solid."""

UPRIGHT = 0.087
"""A face whose unit normal is less vertical (85 degrees) is a wall."""


class Adopted(NamedTuple):
    """Models, and what was wrong with what they are made of.

    Attributes
    ----------
    models : Models
        Building by building, by rising level.
    issues : list of Issue
    """

    models: Models
    issues: list[Issue]


def adopt_solids(boundaries: Boundaries, crs: str, *, keep_open: bool = False) -> Adopted:
    """Take over the solids of buildings.

    Parameters
    ----------
    boundaries : Boundaries
        Parts of a building count to the building; of several geometries of one level the one
        of the highest CityJSON level is taken.
    crs : str
    keep_open : bool, default False
        Take the best surfaces of a building that has no closed solid as they are
        (``SOLID_OPEN``) instead of the block.

    Returns
    -------
    Adopted
        Each building that has a surface, at all levels at which it is closed; named by
        `feature_id`. A solid that looks inward is turned (``SOLID_TURNED``); one that is open
        is left out (``SOLID_LEFT_OUT``), and if none is left the building becomes a block over
        its outline (``SOLID_REPLACED``), or, if it has no outline, is set aside
        (``BUILDING_SET_ASIDE``, ERROR).
    """
    models = _gathered(boundaries, crs)
    closed, volume = are_closed(models), volumes(models)
    issues = []
    inward = closed & (volume < 0)
    if inward.any():
        models = turned(models, inward)
    ids, lods = models.building_id.tolist(), models.lod.tolist()
    for row in np.flatnonzero(inward).tolist():
        message = f"LoD{lods[row]}: the faces looked inward; turned"
        issues.append(Issue("INFO", "SOLID_TURNED", "buildings", ids[row], message))
    whole = ~_crossed(models)
    good = closed & whole & (volume != 0)
    lost = sorted(set(ids) - {ids[row] for row in np.flatnonzero(good).tolist()})
    if keep_open:
        last = {ids[row]: row for row in np.flatnonzero(whole).tolist()}
        for name in lost:
            if name in last:
                good[last[name]] = True
                message = "the surfaces do not close to a solid; shown as they are"
                issues.append(Issue("WARNING", "SOLID_OPEN", "buildings", name, message))
        lost = [name for name in lost if name not in last]
    for row in np.flatnonzero(~good).tolist():
        what = "do not close to a solid" if whole[row] else "cross themselves"
        message = f"LoD{lods[row]}: the surfaces {what}; left out of the tiles"
        issues.append(Issue("WARNING", "SOLID_LEFT_OUT", "buildings", ids[row], message))
    blocks, more = _blocks(models, lost)
    kept = [models.take(np.flatnonzero(good)), *([blocks] if blocks is not None else [])]
    return Adopted(_ordered(Models.concatenate(kept)), issues + more)


def _crossed(models: Models) -> BoolArray:
    """Solids with a face that crosses itself, or that is none."""
    rings = models.ring_vertex, models.ring_offsets, models.face_offsets
    _, _, done, _ = cut_faces(models.vertices, *rings)
    bad = np.zeros(len(models), dtype=np.bool_)
    short = np.zeros(len(done), dtype=np.bool_)
    short[models.face_of_ring[np.diff(models.ring_offsets) < 3]] = True
    bad[models.solid_of_face[short]] = True
    bad[models.solid_of_face[crossing_faces(models, np.flatnonzero(~done & ~short))]] = True
    return bad


def _ordered(models: Models) -> Models:
    """Building by building (by identifier), by rising level."""
    pairs = zip(models.building_id.tolist(), models.lod.tolist(), strict=True)
    rows = [row for _, row in sorted((pair, row) for row, pair in enumerate(pairs))]
    return models.take(np.array(rows, dtype=np.int64))


def _gathered(boundaries: Boundaries, crs: str) -> Models:
    """The geometries of each building and level as one solid, whatever it is like."""
    chosen, name, lod = _chosen(boundaries)
    faces_of = boundaries.shell_offsets[boundaries.solid_offsets[boundaries.primitive_offsets]]
    face, face_ends = ragged_index(faces_of, chosen)
    group_of_primitive = np.unique(name * len(LODS) + lod, return_inverse=True)[1]
    first = np.flatnonzero(np.diff(group_of_primitive, prepend=-1))
    n = len(first)
    solid_of_face = np.repeat(group_of_primitive, np.diff(face_ends))
    ring, ring_ends = ragged_index(boundaries.face_offsets, face)
    corner, corner_ends = ragged_index(boundaries.ring_offsets, ring)
    sizes = np.diff(corner_ends[ring_ends])
    solid_of_corner = np.repeat(solid_of_face, sizes)
    used = boundaries.ring_vertex[corner]
    n_vertices = len(boundaries.vertices) + 1
    key, place = np.unique(solid_of_corner * n_vertices + used, return_inverse=True)
    vertex = boundaries.vertices[key % n_vertices] + np.array(boundaries.origin)
    models = Models(
        boundaries.feature_id[chosen][first],
        np.array(LODS, dtype=TEXT)[lod[first]],
        np.round(vertex, 4),
        np.searchsorted(key // n_vertices, np.arange(n + 1)),
        place,
        corner_ends,
        ring_ends,
        np.searchsorted(solid_of_face, np.arange(n + 1)),
        np.zeros(len(face), dtype=np.uint8),
        crs,
    )
    up = newell_normals(models)
    length = np.linalg.norm(up, axis=1)
    share = np.divide(up[:, 2], length, out=np.zeros(len(up)), where=length > 0)
    kind = np.where(share > UPRIGHT, ROOF_SURFACE, WALL_SURFACE)
    models.semantics[:] = np.where(share < -UPRIGHT, GROUND_SURFACE, kind)
    return models


def _chosen(boundaries: Boundaries) -> tuple[IntArray, IntArray, IntArray]:
    """Primitives to take, in the order of buildings and levels, and both as numbers."""
    names = boundaries.feature_id.tolist()
    stated = boundaries.lod.tolist()
    faces = np.diff(
        boundaries.shell_offsets[boundaries.solid_offsets[boundaries.primitive_offsets]]
    )
    rows = [
        row
        for row, lod in enumerate(stated)
        if boundaries.is_building[row] and lod in LEVELS and faces[row]
    ]
    best: dict[tuple[str, str], str] = {}
    for row in rows:
        pair = names[row], LEVELS[stated[row]]
        best[pair] = max(best.get(pair, ""), stated[row])
    rows = [row for row in rows if best[names[row], LEVELS[stated[row]]] == stated[row]]
    number = {name: k for k, name in enumerate(sorted({names[row] for row in rows}))}
    keys = [(number[names[row]], LODS.index(LEVELS[stated[row]]), row) for row in rows]
    table = np.array(sorted(keys), dtype=np.int64).reshape(-1, 3)
    return table[:, 2], table[:, 0], table[:, 1]


def _blocks(models: Models, lost: list[str]) -> tuple[Models | None, list[Issue]]:
    """Blocks over the outlines of buildings without a closed solid."""
    issues, names, outlines, bottoms, tops = [], [], [], [], []
    ids: TextArray = models.building_id
    for name in lost:
        row = int(np.flatnonzero(np.asarray(ids == name))[-1])
        one = models.take(np.array([row]))
        outline = _outline(one)
        low, high = one.vertices[:, 2].min(), one.vertices[:, 2].max()
        if outline is None or high - low < 0.01:
            message = "has no closed solid and no outline to raise a block over; set aside"
            issues.append(Issue("ERROR", "BUILDING_SET_ASIDE", "buildings", name, message))
            continue
        message = "has no closed solid: a block over its outline stands in the tiles"
        issues.append(Issue("WARNING", "SOLID_REPLACED", "buildings", name, message))
        names.append(name)
        outlines.append(outline)
        bottoms.append(low)
        tops.append(high)
    if not names:
        return None, issues
    footprints = Footprints.from_polygons(names, outlines, crs=models.crs)
    return extrude(footprints, np.array(bottoms), np.array(tops)), issues


def _outline(one: Models) -> shapely.Polygon | None:
    """What the faces of one solid cover in plan: the largest piece of it."""
    upright: BoolArray = one.semantics == WALL_SURFACE
    faces = [
        shapely.Polygon(rings[0][:, :2])
        for face in np.flatnonzero(~upright).tolist()
        if len(rings := one.face_rings(face)) and len(rings[0]) >= 3
    ]
    covered = shapely.union_all([shapely.make_valid(face) for face in faces], grid_size=0.001)
    pieces = [piece for piece in shapely.get_parts([covered]) if piece.geom_type == "Polygon"]
    largest = max(pieces, key=lambda piece: piece.area, default=None)
    return largest if largest is not None and largest.area >= 0.1 else None
