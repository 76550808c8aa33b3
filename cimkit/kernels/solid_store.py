"""Solids of many buildings in growing arrays, laid out as in `cimkit.tables.Models`.

Time: O(1) amortised for each number appended; arrays double when they are full.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cimkit.kernels._jit import kernel
from cimkit.kernels.roof_solid import Solid
from cimkit.tables._columns import FloatArray, WholeArray


class SolidStore(NamedTuple):
    """Arrays of `Models`, with room at their ends.

    Parameters
    ----------
    vertices : float64 array, shape (n_vertices, 3)
    vertex_offsets, solid_offsets : int64 array, shape (n_solids + 1,)
    ring_vertex, ring_offsets, face_offsets : int64 array
    semantics : uint8 array, shape (n_faces,)
    plane : int32 array, shape (n_faces,)
        Label of a roof face, -1 for others.
    size : int64 array, shape (5,)
        Vertices, ring vertices, rings, faces and solids in use.
    """

    vertices: FloatArray
    vertex_offsets: WholeArray
    ring_vertex: WholeArray
    ring_offsets: WholeArray
    face_offsets: WholeArray
    solid_offsets: WholeArray
    semantics: WholeArray
    plane: WholeArray
    size: WholeArray


@kernel
def new_store(n_solids: int) -> SolidStore:
    """Empty store with room for that many usual solids."""
    n = max(1, n_solids)
    return SolidStore(
        np.empty((32 * n, 3), np.float64),
        np.zeros(n + 1, np.int64),
        np.empty(96 * n, np.int64),
        np.zeros(24 * n + 1, np.int64),
        np.zeros(20 * n + 1, np.int64),
        np.zeros(n + 1, np.int64),
        np.empty(20 * n, np.uint8),
        np.empty(20 * n, np.int32),
        np.zeros(5, np.int64),
    )


@kernel
def _longer(values: WholeArray, n: int) -> WholeArray:
    """Copy of an array with room for at least n entries."""
    out = np.zeros(max(n, 2 * len(values)), values.dtype)
    out[: len(values)] = values
    return out


@kernel
def append_solid(
    store: SolidStore, solid: Solid, east: float, north: float, up: float
) -> SolidStore:
    """Store with one more solid, moved to where it stands; use what is returned.

    Parameters
    ----------
    store : SolidStore
    solid : Solid
        A solid without faces makes an empty row.
    east, north, up : float
        Metres, added to the local coordinates.

    Returns
    -------
    SolidStore
        The same arrays, or longer ones where there was no room.

    Examples
    --------
    >>> from cimkit.kernels.roof_solid import no_solid
    >>> append_solid(new_store(1), no_solid(1), 0.0, 0.0, 0.0).size
    array([0, 0, 0, 0, 1])
    """
    vertices, vertex_offsets, ring_vertex, ring_offsets = store[0], store[1], store[2], store[3]
    face_offsets, solid_offsets, semantics, plane = store[4], store[5], store[6], store[7]
    size = store.size
    n_vertices, n_used, n_rings, n_faces, n_solids = size[0], size[1], size[2], size[3], size[4]
    more_vertices, more_used = len(solid.vertices), len(solid.ring_vertex)
    more_rings, more_faces = len(solid.ring_offsets) - 1, len(solid.face_offsets) - 1
    if n_vertices + more_vertices > len(vertices):
        grown = np.empty((max(n_vertices + more_vertices, 2 * len(vertices)), 3), np.float64)
        grown[:n_vertices] = vertices[:n_vertices]
        vertices = grown
    if n_used + more_used > len(ring_vertex):
        ring_vertex = _longer(ring_vertex, n_used + more_used)
    if n_rings + more_rings + 1 > len(ring_offsets):
        ring_offsets = _longer(ring_offsets, n_rings + more_rings + 1)
    if n_faces + more_faces + 1 > len(face_offsets):
        face_offsets = _longer(face_offsets, n_faces + more_faces + 1)
    if n_faces + more_faces > len(semantics):
        kinds = np.empty(max(n_faces + more_faces, 2 * len(semantics)), np.uint8)
        kinds[:n_faces] = semantics[:n_faces]
        semantics = kinds
        plane = _longer(plane, n_faces + more_faces)
    if n_solids + 2 > len(solid_offsets):
        solid_offsets = _longer(solid_offsets, n_solids + 2)
        vertex_offsets = _longer(vertex_offsets, n_solids + 2)
    for i in range(more_vertices):
        vertices[n_vertices + i, 0] = solid.vertices[i, 0] + east
        vertices[n_vertices + i, 1] = solid.vertices[i, 1] + north
        vertices[n_vertices + i, 2] = solid.vertices[i, 2] + up
    for i in range(more_used):
        ring_vertex[n_used + i] = solid.ring_vertex[i] + n_vertices
    for i in range(1, more_rings + 1):
        ring_offsets[n_rings + i] = solid.ring_offsets[i] + n_used
    for i in range(1, more_faces + 1):
        face_offsets[n_faces + i] = solid.face_offsets[i] + n_rings
    semantics[n_faces : n_faces + more_faces] = solid.semantics
    plane[n_faces : n_faces + more_faces] = solid.plane
    size[0] += more_vertices
    size[1] += more_used
    size[2] += more_rings
    size[3] += more_faces
    size[4] += 1
    vertex_offsets[size[4]], solid_offsets[size[4]] = size[0], size[3]
    return SolidStore(
        vertices,
        vertex_offsets,
        ring_vertex,
        ring_offsets,
        face_offsets,
        solid_offsets,
        semantics,
        plane,
        size,
    )
