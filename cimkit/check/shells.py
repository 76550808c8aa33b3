"""Rules of shells: 301 to 307, by edges first and then by where their triangles lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cimkit.kernels.shell_edges import judge_shells
from cimkit.kernels.triangle_contacts import first_contacts
from cimkit.tables.boundaries import Primitive

if TYPE_CHECKING:
    from cimkit.check.polygons import Faces
    from cimkit.tables._columns import FloatArray, IntArray
    from cimkit.tables.boundaries import Boundaries

FACES_MIN = 4
"""Faces of a shell: a tetrahedron has four."""


@dataclass(frozen=True, slots=True)
class Shells:
    """Verdict on every shell of `Boundaries`.

    Attributes
    ----------
    fault : int64 array, shape (n_shells,)
        0 for none; 1 where a face has a fault.
    face : int64 array, shape (n_shells,)
        Face where the fault is, -1 for none.
    place : float64 array, shape (n_shells, 3)
        Where it is, in the coordinates of `Boundaries`; NaN for none.
    triangle_offsets : int64 array, shape (n_shells + 1,)
        Borders of the shells among the triangles.
    volume : float64 array, shape (n_shells,)
        Signed volume in m3, positive where the faces look outward; 0 without triangles.
    """

    fault: IntArray
    face: IntArray
    place: FloatArray
    triangle_offsets: IntArray
    volume: FloatArray


def check_shells(boundaries: Boundaries, faces: Faces) -> Shells:
    """Check every shell of solids and composite surfaces whose faces have no fault.

    Parameters
    ----------
    boundaries : Boundaries
    faces : Faces
        As `check_faces` found them.

    Returns
    -------
    Shells
    """
    shell_of_face = boundaries.shell_of_face
    n = len(boundaries.shell_offsets) - 1
    fault = (np.bincount(shell_of_face[faces.fault != 0], minlength=n) > 0).astype(np.int64)
    where = np.full(n, -1, dtype=np.int64)
    place = np.full((n, 3), np.nan)
    shell_of_triangle = shell_of_face[faces.face_of_triangle]
    offsets = np.searchsorted(shell_of_triangle, np.arange(n + 1))
    kind = boundaries.kind[boundaries.primitive_of_shell]
    is_surface = kind == Primitive.CompositeSurface
    asked = (fault == 0) & (kind != Primitive.MultiSurface)
    n_faces = np.diff(boundaries.shell_offsets)
    fault[asked & ~is_surface & (n_faces > 0) & (n_faces < FACES_MIN)] = 301
    asked &= fault == 0
    number, corner = judge_shells(faces.triangle, offsets, boundaries.shell_corners, is_surface)
    found = asked & (number != 0)
    fault[found] = number[found]
    at = corner[found]
    where[found] = faces.face_of_triangle[at // 3]
    place[found] = faces.xyz[faces.triangle[at // 3, at % 3]]
    asked &= ~found
    contact = first_contacts(faces.xyz, faces.triangle, faces.face_of_triangle, offsets, asked)
    found = contact[:, 0] >= 0
    fault[found] = 306
    where[found] = faces.face_of_triangle[contact[found, 0]]
    place[found] = faces.xyz[faces.triangle[contact[found, 1]]].mean(axis=1)
    return Shells(fault, where, place + faces.start, offsets, _volumes(faces, offsets))


def _volumes(faces: Faces, offsets: IntArray) -> FloatArray:
    """Volume under the triangles of each shell, by the divergence theorem."""
    a, b, c = (faces.xyz[faces.triangle[:, k]] for k in range(3))
    each = (a * np.cross(b, c)).sum(axis=1) / 6.0
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    return np.asarray(np.bincount(owner, each, len(offsets) - 1))
