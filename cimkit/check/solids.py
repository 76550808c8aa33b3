"""Whether the solids of a city are valid: closed, outward, planar, with named surfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cimkit.tables import Issue, Models
from cimkit.tables.models import SURFACE_NAMES

if TYPE_CHECKING:
    from cimkit.tables._columns import BoolArray, FloatArray, IntArray

PLANARITY_M = 0.01
"""Metres between a vertex and the plane of its face."""

MERGE_M = 0.001
"""Metres. Vertices of one building in the same cell of this size are one point of the solid."""


def check_solids(models: Models) -> list[Issue]:
    """Check each solid against ISO 19107, as far as edges, faces and orientation go.

    Parameters
    ----------
    models : Models

    Returns
    -------
    list of Issue
        At most one ERROR of each code for a building, in the order of the buildings:

        - ``SOLID_EMPTY``: no faces.
        - ``SOLID_RING_REPEATS_VERTEX``: a ring that meets itself, or of fewer than 3 vertices.
        - ``SOLID_NOT_CLOSED``: an edge that is not used exactly twice, in opposite directions,
          by two faces.
        - ``SOLID_INVERTED``: the faces look inward, or enclose nothing.
        - ``SOLID_FACE_NOT_PLANAR``: a vertex over 1 cm off its face, or a face without area.
        - ``SOLID_SURFACE_MISSING``: no ground, wall or roof surface, or one of unknown kind.

    Notes
    -----
    The plane of a face runs through the mean of its vertices with Newell's normal. The volume
    is the sum of (area vector · vertex) / 3 over the faces (divergence theorem). O(n log n).

    Examples
    --------
    >>> import numpy as np
    >>> nothing = Models([], "1.2", np.empty((0, 3)), [0], [], [0], [0], [0], [])
    >>> check_solids(nothing)
    []
    """
    n = len(models)
    solid = models.solid_of_face
    used = np.bincount(solid, minlength=n) > 0
    ring_of_corner = np.repeat(
        np.arange(len(models.ring_offsets) - 1), np.diff(models.ring_offsets)
    )
    face_of_corner = models.face_of_ring[ring_of_corner]
    solid_of_corner = solid[face_of_corner]
    following = _following(models.ring_offsets)
    point = _points(models)[models.ring_vertex]
    repeats = _repeats(ring_of_corner, point, len(models.ring_offsets) - 1)
    volume, planar = _measure(models, face_of_corner, following)
    findings = (
        ("SOLID_EMPTY", ~used, "has no faces"),
        (
            "SOLID_RING_REPEATS_VERTEX",
            _any(repeats, solid[models.face_of_ring], n),
            "a ring meets itself",
        ),
        (
            "SOLID_NOT_CLOSED",
            _any(_open_edges(point, following, face_of_corner), solid_of_corner, n),
            "the surface has a hole, or an edge with more than two faces",
        ),
        ("SOLID_INVERTED", used & ~(volume > 0), "the faces look inward or enclose nothing"),
        (
            "SOLID_FACE_NOT_PLANAR",
            _any(~planar, solid, n),
            f"a vertex lies more than {PLANARITY_M:g} m off its face",
        ),
        (
            "SOLID_SURFACE_MISSING",
            used & ~_has_surfaces(models, solid),
            f"must have {', '.join(SURFACE_NAMES)} and no other",
        ),
    )
    return [
        Issue(
            "ERROR", code, "buildings", models.building_id[row], f"LoD{models.lod}: {message}"
        )
        for row in np.flatnonzero(np.logical_or.reduce([bad for _, bad, _ in findings]))
        for code, bad, message in findings
        if bad[row]
    ]


def _any(bad: BoolArray, owner: IntArray, n: int) -> BoolArray:
    """Whether each of n owners has a bad item."""
    return np.bincount(owner[bad], minlength=n) > 0


def _following(ring_offsets: IntArray) -> IntArray:
    """Pair each corner of a ring with the next one."""
    following = np.arange(1, ring_offsets[-1] + 1)
    sized = np.diff(ring_offsets) > 0
    following[ring_offsets[1:][sized] - 1] = ring_offsets[:-1][sized]
    return following


def _points(models: Models) -> IntArray:
    """Number the vertices, alike where two of one building share a place."""
    owner = np.repeat(np.arange(len(models)), np.diff(models.vertex_offsets))
    cells = np.rint(models.vertices / MERGE_M).astype(np.int64)
    keys = np.column_stack([cells, owner])
    order = np.lexsort(keys.T)
    new = np.any(np.diff(keys[order], axis=0) != 0, axis=1)
    number = np.empty(len(keys), dtype=np.int64)
    number[order] = np.concatenate([[0], np.cumsum(new)])[: len(keys)]
    return number


def _repeats(ring_of_corner: IntArray, point: IntArray, n_rings: int) -> BoolArray:
    """Rings that pass a point twice or have fewer than three."""
    order = np.lexsort([point, ring_of_corner])
    ring, point = ring_of_corner[order], point[order]
    twice = (np.diff(ring) == 0) & (np.diff(point) == 0)
    short = np.bincount(ring, minlength=n_rings) < 3
    return short | _any(twice, ring[1:], n_rings)


def _open_edges(point: IntArray, following: IntArray, face: IntArray) -> BoolArray:
    """Corners whose edge is not used once each way, by two faces."""
    if not len(point):
        return np.zeros(0, dtype=np.bool_)
    n = int(point.max()) + 1
    edge, back = point * n + point[following], point[following] * n + point
    order = np.argsort(edge, kind="stable")
    ordered = edge[order]
    left = np.searchsorted(ordered, back, side="left")
    once = np.searchsorted(ordered, back, side="right") - left == 1
    other = face[order[np.minimum(left, len(order) - 1)]]
    # An edge used twice is found from its other side; one without other side from its own.
    return np.asarray(~once | (other == face))


def _measure(
    models: Models, face_of_corner: IntArray, following: IntArray
) -> tuple[FloatArray, BoolArray]:
    """Volume of each solid, and whether each face is planar."""
    solid, n_faces = models.solid_of_face, len(models.semantics)
    # Relative to a corner of the building: products of 4e7 would lose small volumes.
    first = models.ring_offsets[models.face_offsets[models.solid_offsets]][
        solid[face_of_corner]
    ]
    xyz = models.vertices[models.ring_vertex]
    xyz = xyz - xyz[first]
    normal, mean = np.empty((n_faces, 3)), np.empty((n_faces, 3))
    cross = np.cross(xyz, xyz[following])
    sizes = np.bincount(face_of_corner, minlength=n_faces)
    for axis in range(3):
        normal[:, axis] = np.bincount(face_of_corner, cross[:, axis], n_faces)
        mean[:, axis] = np.bincount(face_of_corner, xyz[:, axis], n_faces)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean /= sizes[:, None]
        unit = normal / np.linalg.norm(normal, axis=1, keepdims=True)
        off = np.abs(((xyz - mean[face_of_corner]) * unit[face_of_corner]).sum(axis=1))
    planar = ~_any(~(off <= PLANARITY_M), face_of_corner, n_faces) & (sizes > 0)
    volume = np.bincount(solid, (normal * mean).sum(axis=1) / 6, len(models))
    return np.asarray(volume), planar


def _has_surfaces(models: Models, solid: IntArray) -> BoolArray:
    """Whether each solid has every kind of surface, and no unknown one."""
    n = len(models)
    kinds = np.arange(len(SURFACE_NAMES))
    each = np.array([_any(models.semantics == kind, solid, n) for kind in kinds])
    return np.asarray(each.all(axis=0) & ~_any(models.semantics >= len(kinds), solid, n))
