"""Surfaces and solids as a file states them, before anybody trusts their geometry."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from cimkit.errors import TableError
from cimkit.tables._columns import (
    ByteArray,
    FloatArray,
    IntArray,
    TextArray,
    describe,
    integers,
    offsets,
    texts,
)
from cimkit.tables.models import Models


class Primitive(IntEnum):
    """Kinds of ISO 19107 primitives and their aggregates; names as in CityJSON."""

    MultiSurface = 0
    CompositeSurface = 1
    Solid = 2
    MultiSolid = 3
    CompositeSolid = 4


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Boundaries:
    """Geometries with their boundaries, ragged on five floors.

    A primitive has solids, a solid shells (the first is the outer one), a shell faces, a face
    rings (the first is its outline), a ring corners. Surfaces are one solid of one shell. Any
    geometry may stand here, also one that breaks every rule; only the numbers are sound.

    Parameters
    ----------
    object_id, feature_id : text arrays, shape (n,)
        The city object that bears the primitive, and its topmost parent.
    lod : text array, shape (n,)
    geometry : int64 array, shape (n,)
        Number of the geometry in its object.
    kind : uint8 array, shape (n,)
        `Primitive`.
    is_building : uint8 array, shape (n,)
        1 where the topmost parent is a building.
    vertices : float64 array, shape (n_vertices, 3)
        Metres, relative to `origin`.
    ring_vertex : int64 array, shape (n_corners,)
        Rows of `vertices`, ring by ring; rings are open.
    ring_offsets, face_offsets, shell_offsets, solid_offsets, primitive_offsets : int64 arrays
        Borders of rings in corners, of faces in rings, of shells in faces, and so on.
    origin : tuple of float
        Added to `vertices` where a place is named.
    """

    object_id: TextArray
    feature_id: TextArray
    lod: TextArray
    geometry: IntArray
    kind: ByteArray
    is_building: ByteArray
    vertices: FloatArray
    ring_vertex: IntArray
    ring_offsets: IntArray
    face_offsets: IntArray
    shell_offsets: IntArray
    solid_offsets: IntArray
    primitive_offsets: IntArray
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "object_id", texts("object_id", self.object_id))
        n = len(self.object_id)
        put(self, "feature_id", texts("feature_id", self.feature_id, n))
        put(self, "lod", texts("lod", self.lod, n))
        put(self, "geometry", integers("geometry", self.geometry, n))
        for name in ("kind", "is_building"):
            put(self, name, np.ascontiguousarray(getattr(self, name), dtype=np.uint8))
            if getattr(self, name).shape != (n,):
                raise TableError(f"Boundaries: {name} must have {n} rows")
        vertices = np.ascontiguousarray(self.vertices, dtype=np.float64).reshape(-1, 3)
        if not np.isfinite(vertices).all():
            raise TableError("Boundaries: a vertex is not finite")
        put(self, "vertices", vertices)
        put(self, "ring_vertex", integers("ring_vertex", self.ring_vertex))
        used = self.ring_vertex
        if len(used) and not 0 <= used.min() <= used.max() < len(vertices):
            raise TableError("Boundaries: ring_vertex points outside vertices")
        below = len(used)
        for name in ("ring", "face", "shell", "solid"):
            column = offsets(f"{name}_offsets", getattr(self, f"{name}_offsets"), below)
            put(self, f"{name}_offsets", column)
            below = len(column) - 1
        last = offsets("primitive_offsets", self.primitive_offsets, below, n)
        put(self, "primitive_offsets", last)

    def __len__(self) -> int:
        return len(self.object_id)

    def __repr__(self) -> str:
        return describe(self, len(self), "", None)

    @property
    def shell_corners(self) -> IntArray:
        """Borders of the shells among the corners, shape (n_shells + 1,)."""
        return self.ring_offsets[self.face_offsets[self.shell_offsets]]

    @property
    def primitive_of_shell(self) -> IntArray:
        """Primitive of each shell, shape (n_shells,)."""
        solids = np.repeat(np.arange(len(self)), np.diff(self.primitive_offsets))
        return np.repeat(solids, np.diff(self.solid_offsets))

    @property
    def shell_of_face(self) -> IntArray:
        """Shell of each face, shape (n_faces,)."""
        return np.repeat(np.arange(len(self.shell_offsets) - 1), np.diff(self.shell_offsets))

    @classmethod
    def from_models(cls, models: Models) -> Boundaries:
        """One Solid of one shell for each of the models.

        Examples
        --------
        >>> nothing = Models([], "1.2", np.empty((0, 3)), [0], [], [0], [0], [0], [])
        >>> len(Boundaries.from_models(nothing))
        0
        """
        n = len(models)
        origin = models.vertices.min(axis=0) if len(models.vertices) else np.zeros(3)
        ones = np.arange(n + 1)
        return cls(
            models.building_id,
            models.building_id,
            models.lod,
            np.zeros(n, dtype=np.int64),
            np.full(n, Primitive.Solid, dtype=np.uint8),
            np.ones(n, dtype=np.uint8),
            models.vertices - origin,
            models.ring_vertex,
            models.ring_offsets,
            models.face_offsets,
            models.solid_offsets,
            ones,
            ones,
            (float(origin[0]), float(origin[1]), float(origin[2])),
        )
