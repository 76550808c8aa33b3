"""Whether surfaces and solids are valid in the sense of ISO 19107, as val3dity numbers it.

Level by level: rings, polygons, shells, solids, sets of solids. A level is asked only where the
one below it has no fault, so that one mistake is reported once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cimkit.check.faults import Fault, issue_of
from cimkit.check.polygons import NORMALS_DEG, PLANARITY_M, SNAP_M, Faces, check_faces
from cimkit.check.sets import check_sets, check_voids
from cimkit.check.shells import Shells, check_shells
from cimkit.tables import Issue, Models
from cimkit.tables.boundaries import Boundaries, Primitive
from cimkit.tables.models import SURFACE_NAMES

if TYPE_CHECKING:
    from cimkit.tables._columns import BoolArray, IntArray

WORDS = {
    101: "a ring has fewer than three points",
    102: "two neighbours in a ring are one point",
    104: "a ring meets itself, or is a line",
    201: "two rings cross or overlap",
    202: "two rings are equal",
    203: "a point lies {size:.4f} m off the plane of its face",
    204: "triangles of the face are turned by {size:.1f} degrees to each other",
    205: "its rings part the face",
    206: "a hole lies outside the outline",
    207: "a hole lies in another one",
    208: "a hole turns like the outline",
    301: "the shell has fewer than four faces",
    302: "an edge has only one face",
    303: "an edge has more than two faces, or a point more than one fan of faces",
    305: "the shell falls into parts",
    306: "faces meet where they share no point",
    307: "the face looks to the other side than its neighbours",
    405: "the faces look to the wrong side",
    902: "there is nothing in it",
    999: "the face cannot be cut into triangles",
}


def check_boundaries(
    boundaries: Boundaries,
    *,
    snap: float = SNAP_M,
    planarity: float = PLANARITY_M,
    normals: float = NORMALS_DEG,
) -> list[Fault]:
    """Find every broken rule of ISO 19107 in surfaces and solids.

    Parameters
    ----------
    boundaries : Boundaries
    snap : float, default 0.001
        Metres within which points of a shell are one.
    planarity : float, default 0.01
        Metres that a point may lie off the plane of its face.
    normals : float, default 20.0
        Degrees that the triangles of a face may be turned to each other.

    Returns
    -------
    list of Fault
        In the order of the primitives. Every face with a fault has one; a shell, a solid and
        a set have the first one found.

    Examples
    --------
    >>> nothing = Models([], "1.2", np.empty((0, 3)), [0], [], [0], [0], [0], [])
    >>> check_boundaries(Boundaries.from_models(nothing))
    []
    """
    faces = check_faces(boundaries, snap=snap, planarity=planarity, normals=normals)
    shells = check_shells(boundaries, faces)
    faults = _empty(boundaries)
    faults += _of_faces(boundaries, faces)
    faults += _of_shells(boundaries, shells)
    faults += _of_solids(boundaries, faces, shells, {fault.primitive for fault in faults})
    faults += check_sets(boundaries, faces, shells, {fault.primitive for fault in faults})
    return sorted(faults, key=lambda fault: fault.primitive)


def _empty(boundaries: Boundaries) -> list[Fault]:
    """Primitives without a solid, solids without a shell, shells without a face."""
    faults = [
        Fault(int(row), 902, -1, -1, -1, None, WORDS[902])
        for row in np.flatnonzero(np.diff(boundaries.primitive_offsets) == 0)
    ]
    primitive = np.repeat(np.arange(len(boundaries)), np.diff(boundaries.primitive_offsets))
    for solid in np.flatnonzero(np.diff(boundaries.solid_offsets) == 0):
        row = int(primitive[solid])
        number = int(solid - boundaries.primitive_offsets[row])
        faults.append(Fault(row, 902, number, -1, -1, None, WORDS[902]))
    for shell in np.flatnonzero(np.diff(boundaries.shell_offsets) == 0):
        row, solid, number = _address(boundaries, int(shell))
        faults.append(Fault(row, 902, solid, number, -1, None, WORDS[902]))
    return faults


def _address(boundaries: Boundaries, shell: int) -> tuple[int, int, int]:
    """Primitive of a shell, its solid in the primitive, and its number in the solid."""
    solid = int(np.searchsorted(boundaries.solid_offsets, shell, side="right")) - 1
    row = int(np.searchsorted(boundaries.primitive_offsets, solid, side="right")) - 1
    first = int(boundaries.primitive_offsets[row])
    return row, solid - first, shell - int(boundaries.solid_offsets[solid])


def _of_faces(boundaries: Boundaries, faces: Faces) -> list[Fault]:
    shell_of_face = boundaries.shell_of_face
    faults = []
    for face in np.flatnonzero(faces.fault).tolist():
        shell = int(shell_of_face[face])
        row, solid, number = _address(boundaries, shell)
        corner, place = int(faces.corner[face]), None
        if corner >= 0:
            x, y, z = (faces.xyz[corner] + faces.start[shell]).tolist()
            place = (x, y, z)
        kind = int(faces.fault[face])
        what = WORDS[kind].format(size=faces.size[face])
        at = face - int(boundaries.shell_offsets[shell])
        faults.append(Fault(row, kind, solid, number, at, place, what))
    return faults


def _of_shells(boundaries: Boundaries, shells: Shells) -> list[Fault]:
    faults = []
    for shell in np.flatnonzero(shells.fault > 1).tolist():
        row, solid, number = _address(boundaries, shell)
        face = int(shells.face[shell])
        at, place = -1, None
        if face >= 0:
            at = face - int(boundaries.shell_offsets[shell])
            x, y, z = shells.place[shell].tolist()
            place = (x, y, z)
        kind = int(shells.fault[shell])
        faults.append(Fault(row, kind, solid, number, at, place, WORDS[kind]))
    return faults


def _of_solids(
    boundaries: Boundaries, faces: Faces, shells: Shells, bad: set[int]
) -> list[Fault]:
    """Orientation of shells, then how inner shells lie."""
    primitive = boundaries.primitive_of_shell
    is_solid = boundaries.kind >= Primitive.Solid
    is_solid[list(bad)] = False
    first = np.zeros(len(primitive), dtype=np.bool_)
    first[boundaries.solid_offsets[:-1][np.diff(boundaries.solid_offsets) > 0]] = True
    wrong = np.where(first, shells.volume <= 0, shells.volume >= 0) & is_solid[primitive]
    faults = [
        Fault(*_numbered(boundaries, shell, 405), -1, None, WORDS[405])
        for shell in np.flatnonzero(wrong).tolist()
    ]
    turned = {fault.primitive for fault in faults}
    for solid in np.flatnonzero(np.diff(boundaries.solid_offsets) > 1).tolist():
        row = _address(boundaries, int(boundaries.solid_offsets[solid]))[0]
        if is_solid[row] and row not in turned:
            faults += check_voids(boundaries, faces, shells, solid)
    return faults


def _numbered(boundaries: Boundaries, shell: int, number: int) -> tuple[int, int, int, int]:
    row, solid, at = _address(boundaries, shell)
    return row, number, solid, at


def check_solids(
    models: Models,
    *,
    snap: float = SNAP_M,
    planarity: float = PLANARITY_M,
    normals: float = NORMALS_DEG,
) -> list[Issue]:
    """Check the solid of each building against ISO 19107, and its surfaces.

    Parameters
    ----------
    models : Models
    snap, planarity, normals : float
        As `check_boundaries` takes them.

    Returns
    -------
    list of Issue
        ERROR rows, one for each broken rule, in the order of the buildings: codes
        ``SOLID_101_TOO_FEW_POINTS`` to ``SOLID_902_EMPTY_PRIMITIVE``, with the numbers and
        names of val3dity; and ``SOLID_SURFACE_MISSING``: no ground, wall or roof surface, or
        one of unknown kind.

    Examples
    --------
    >>> nothing = Models([], "1.2", np.empty((0, 3)), [0], [], [0], [0], [0], [])
    >>> check_solids(nothing)
    []
    """
    boundaries = Boundaries.from_models(models)
    faults = check_boundaries(boundaries, snap=snap, planarity=planarity, normals=normals)
    found = [(fault.primitive, issue_of(fault, boundaries)) for fault in faults]
    solid = models.solid_of_face
    used = np.bincount(solid, minlength=len(models)) > 0
    message = f"must have {', '.join(SURFACE_NAMES)} and no other"
    found += [
        (
            int(row),
            Issue(
                "ERROR",
                "SOLID_SURFACE_MISSING",
                "buildings",
                models.building_id[row],
                f"LoD{models.lod[row]}: {message}",
            ),
        )
        for row in np.flatnonzero(used & ~_has_surfaces(models, solid))
    ]
    return [issue for _, issue in sorted(found, key=lambda pair: pair[0])]


def solid_errors(
    models: Models,
    *,
    snap: float = SNAP_M,
    planarity: float = PLANARITY_M,
    normals: float = NORMALS_DEG,
) -> list[tuple[int, ...]]:
    """Numbers of the rules that each building breaks, as val3dity numbers them.

    Parameters
    ----------
    models : Models
    snap, planarity, normals : float
        As `check_boundaries` takes them.

    Returns
    -------
    list of tuple of int
        One for each building, rising; empty for a valid solid.

    Examples
    --------
    >>> nothing = Models(["a"], "1.2", np.empty((0, 3)), [0, 0], [], [0], [0], [0, 0], [])
    >>> solid_errors(nothing)
    [(902,)]
    """
    numbers: list[set[int]] = [set() for _ in range(len(models))]
    boundaries = Boundaries.from_models(models)
    for fault in check_boundaries(boundaries, snap=snap, planarity=planarity, normals=normals):
        numbers[fault.primitive].add(fault.number)
    return [tuple(sorted(found)) for found in numbers]


def _has_surfaces(models: Models, solid: IntArray) -> BoolArray:
    """Whether each solid has every kind of surface, and no unknown one."""
    n = len(models)
    kinds = range(len(SURFACE_NAMES))
    each = [np.bincount(solid[models.semantics == kind], minlength=n) > 0 for kind in kinds]
    unknown = np.bincount(solid[models.semantics >= len(SURFACE_NAMES)], minlength=n) > 0
    return np.asarray(np.all(each, axis=0) & ~unknown)
