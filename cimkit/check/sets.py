"""Rules of shells in a solid (401 to 404), solids in a set (501 to 503), parts (601)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import shapely

from cimkit.check.faults import Fault
from cimkit.check.regions import has_ring_of_contact, may_overlap, relate
from cimkit.errors import LimitError
from cimkit.tables.boundaries import Primitive

if TYPE_CHECKING:
    from cimkit.check.polygons import Faces
    from cimkit.check.shells import Shells
    from cimkit.tables._columns import FloatArray
    from cimkit.tables.boundaries import Boundaries


def _corners(faces: Faces, shells: Shells, shell: int) -> FloatArray:
    """Triangles of a shell in the coordinates of `Boundaries`, shape (n, 3, 3)."""
    first, last = shells.triangle_offsets[shell : shell + 2]
    return np.asarray(faces.xyz[faces.triangle[first:last]] + faces.start[shell])


def _solid(boundaries: Boundaries, faces: Faces, shells: Shells, solid: int) -> FloatArray:
    """Triangles of all shells of a solid."""
    first, last = boundaries.solid_offsets[solid : solid + 2]
    return np.concatenate([_corners(faces, shells, shell) for shell in range(first, last)])


def _guarded(row: int, check: Callable[[], list[Fault]]) -> list[Fault]:
    """Findings of a check, or 999 where it cannot be made: one solid costs one solid."""
    try:
        return check()
    except (LimitError, shapely.GEOSException) as error:
        return [Fault(row, 999, -1, -1, -1, None, f"it cannot be compared: {error}")]


def check_voids(
    boundaries: Boundaries, faces: Faces, shells: Shells, solid: int
) -> list[Fault]:
    """How the inner shells of one solid lie in the outer one and to each other.

    Every shell is valid by itself and looks to the right side.
    """
    row = int(np.searchsorted(boundaries.primitive_offsets, solid, side="right")) - 1
    return _guarded(row, lambda: _check_voids(boundaries, faces, shells, solid, row))


def _check_voids(
    boundaries: Boundaries, faces: Faces, shells: Shells, solid: int, row: int
) -> list[Fault]:
    first, last = (int(v) for v in boundaries.solid_offsets[solid : solid + 2])
    at = solid - int(boundaries.primitive_offsets[row])
    surfaces = [_corners(faces, shells, shell) for shell in range(first, last)]
    base = surfaces[0][0, 0]
    surfaces = [surface - base for surface in surfaces]
    # Inner shells look into their void; turned round, they look out of it.
    outer, inner = surfaces[0], [surface[:, ::-1] for surface in surfaces[1:]]
    faults: list[Fault] = []

    def found(number: int, shell: int, what: str) -> None:
        faults.append(Fault(row, number, at, shell, -1, None, what))

    for i, void in enumerate(inner, 1):
        said = relate(outer, void)
        if not said.second_inside:
            if said.overlap or said.touch:
                found(401, i, "an inner shell crosses or touches the outer one from outside")
            else:
                found(403, i, "an inner shell lies outside the outer one")
        elif said.second_on_face:
            found(401, i, "an inner shell shares a piece of a face with the outer one")
    for (i, one), (j, other) in combinations(enumerate(inner, 1), 2):
        said = relate(one, other)
        if said.equal:
            found(402, j, f"it equals shell {i}")
        elif said.overlap or said.share_face:
            found(401, j, f"it overlaps shell {i}, or shares a piece of a face with it")
    if not faults and any(
        has_ring_of_contact(one, other) for one, other in combinations([outer, *inner], 2)
    ):
        found(404, -1, "the shells touch along a ring, which parts the solid")
    return faults


def check_sets(
    boundaries: Boundaries, faces: Faces, shells: Shells, bad: set[int]
) -> list[Fault]:
    """Check composite solids, then the parts of buildings; only sound ones are asked."""
    faults = []
    for row in np.flatnonzero(boundaries.kind == Primitive.CompositeSolid).tolist():
        if row not in bad:
            faults += _guarded(row, partial(_check_composite, boundaries, faces, shells, row))
    broken = {boundaries.feature_id[row] for row in bad | {f.primitive for f in faults}}
    parts = defaultdict[tuple[str, str], list[int]](list)
    kinds = (Primitive.Solid, Primitive.CompositeSolid)
    for row in np.flatnonzero(np.isin(boundaries.kind, kinds)).tolist():
        feature = boundaries.feature_id[row]
        if boundaries.is_building[row] and feature not in broken:
            parts[feature, boundaries.lod[row]].append(row)
    for rows in parts.values():
        if len(rows) > 1:
            check = partial(_check_parts, boundaries, faces, shells, rows)
            faults += _guarded(rows[0], check)
    return faults


def _check_composite(
    boundaries: Boundaries, faces: Faces, shells: Shells, row: int
) -> list[Fault]:
    """Whether the solids of a composite are different, apart, and one body."""
    first, last = boundaries.primitive_offsets[row : row + 2]
    solids = [_solid(boundaries, faces, shells, solid) for solid in range(first, last)]
    base = solids[0][0, 0]
    solids = [solid - base for solid in solids]
    said = {
        (i, j): relate(solids[i], solids[j]) for i, j in combinations(range(len(solids)), 2)
    }
    equal = [pair for pair, relation in said.items() if relation.equal]
    overlap = [pair for pair, relation in said.items() if relation.overlap]
    if equal or overlap:
        number, pairs = (502, equal) if equal else (501, overlap)
        word = "equals" if equal else "overlaps"
        return [Fault(row, number, j, -1, -1, None, f"it {word} solid {i}") for i, j in pairs]
    group = list(range(len(solids)))
    for (i, j), relation in said.items():
        if relation.share_face and group[i] != group[j]:
            old, new = group[j], group[i]
            group = [new if number == old else number for number in group]
    parts = len(set(group))
    if parts > 1:
        what = f"its solids make {parts} bodies that share no face"
        return [Fault(row, 503, -1, -1, -1, None, what)]
    return []


def _check_parts(
    boundaries: Boundaries, faces: Faces, shells: Shells, rows: list[int]
) -> list[Fault]:
    """Whether primitives of one building and level of detail overlap."""
    solids: list[list[FloatArray]] = [
        [
            _solid(boundaries, faces, shells, solid)
            for solid in range(*boundaries.primitive_offsets[row : row + 2])
        ]
        for row in rows
    ]
    base = solids[0][0][0, 0]
    faults = []
    for (i, one), (j, other) in combinations(enumerate(solids), 2):
        pairs = ((a - base, b - base) for a in one for b in other if may_overlap(a, b))
        if any(relate(a, b).overlap for a, b in pairs):
            name = boundaries.object_id[rows[i]]
            what = f"it overlaps geometry {boundaries.geometry[rows[i]]} of {name}"
            faults.append(Fault(rows[j], 601, -1, -1, -1, None, what))
    return faults
