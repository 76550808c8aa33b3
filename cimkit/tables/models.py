"""Solids of buildings, at one or more levels of detail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from cimkit.errors import TableError
from cimkit.tables._columns import (
    ByteArray,
    FloatArray,
    IntArray,
    TextArray,
    describe,
    index_ranges,
    integers,
    offsets,
    ragged_index,
    texts,
)

if TYPE_CHECKING:
    import trimesh

LODS = ("1.2", "1.3", "2.2")
"""Levels of detail of solids, in rising order."""

BOX_LOD = "1.1"
"""Level of a box around a block, which only far views of tiles show."""

TILE_LODS = (BOX_LOD, *LODS)
"""Levels that tiles can show a building at."""

GROUND_SURFACE, WALL_SURFACE, ROOF_SURFACE = 0, 1, 2
SURFACE_NAMES = ("GroundSurface", "WallSurface", "RoofSurface")
"""CityGML names of the surface codes, in their order."""


def tile_levels(lod: TextArray) -> IntArray:
    """Places of levels of detail in `TILE_LODS`.

    Examples
    --------
    >>> tile_levels(np.array(["2.2", "1.1"], dtype=np.dtypes.StringDType()))
    array([3, 0])
    """
    level = np.full(len(lod), -1)
    for place, name in enumerate(TILE_LODS):
        level[lod == name] = place
    if len(level) and level.min() < 0:
        known = ", ".join(TILE_LODS)
        raise TableError(f"LoD {lod[int(level.argmin())]!r}: tiles show {known}")
    return level


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Models:
    """White models (白模): a closed, outward solid for each building and level of detail.

    Ragged on three floors: a solid has faces, a face has rings (the first is its outline,
    the others are holes), a ring has vertices. Rings are open; seen from outside, outlines run
    counter-clockwise and holes clockwise. Faces of one solid share vertices by index.

    Parameters
    ----------
    building_id : text array, shape (n,)
        No two solids have the same building and level.
    lod : text array, shape (n,), or str
        ``"1.2"``, ``"1.3"`` or ``"2.2"`` of each solid, or of all.
    vertices : float64 array, shape (n_vertices, 3)
        East, north, up in metres, multiples of 0.1 mm.
    vertex_offsets : int64 array, shape (n + 1,)
        Borders of the solids in `vertices`.
    ring_vertex : int64 array
        Rows of `vertices`, ring by ring.
    ring_offsets : int64 array, shape (n_rings + 1,)
        Borders of the rings in `ring_vertex`.
    face_offsets : int64 array, shape (n_faces + 1,)
        Borders of the faces among the rings.
    solid_offsets : int64 array, shape (n + 1,)
        Borders of the solids among the faces.
    semantics : uint8 array, shape (n_faces,)
        `GROUND_SURFACE`, `WALL_SURFACE` or `ROOF_SURFACE`.
    crs : str
        Any text that pyproj reads.
    """

    building_id: TextArray
    lod: TextArray
    vertices: FloatArray
    vertex_offsets: IntArray
    ring_vertex: IntArray
    ring_offsets: IntArray
    face_offsets: IntArray
    solid_offsets: IntArray
    semantics: ByteArray
    crs: str = ""

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "building_id", texts("building_id", self.building_id))
        n = len(self.building_id)
        lod: Any = self.lod
        lod = [lod] * n if isinstance(lod, str) else lod
        put(self, "lod", texts("lod", lod, n))
        names = self.building_id.tolist()
        pairs = list(zip(names, self.lod.tolist(), strict=True))
        if len(set(pairs)) < n or not all(names):
            name, level = next(pair for pair in pairs if not pair[0] or pairs.count(pair) > 1)
            raise TableError(f"Models: {name!r} has two solids of LoD{level}, or no id")
        vertices = np.ascontiguousarray(self.vertices, dtype=np.float64).reshape(-1, 3)
        if not np.isfinite(vertices).all():
            raise TableError("Models: a vertex is not finite")
        put(self, "vertices", vertices)
        put(
            self,
            "vertex_offsets",
            offsets("vertex_offsets", self.vertex_offsets, len(vertices), n),
        )
        put(self, "ring_vertex", integers("ring_vertex", self.ring_vertex))
        n_used = len(self.ring_vertex)
        put(self, "ring_offsets", offsets("ring_offsets", self.ring_offsets, n_used))
        n_rings = len(self.ring_offsets) - 1
        put(self, "face_offsets", offsets("face_offsets", self.face_offsets, n_rings))
        n_faces = len(self.face_offsets) - 1
        put(self, "solid_offsets", offsets("solid_offsets", self.solid_offsets, n_faces, n))
        put(self, "semantics", np.ascontiguousarray(self.semantics, dtype=np.uint8))
        if len(self.semantics) != n_faces:
            raise TableError(f"Models: {n_faces} faces, {len(self.semantics)} semantics")
        if n_used and not (
            0 <= self.ring_vertex.min() <= self.ring_vertex.max() < len(vertices)
        ):
            raise TableError("Models: ring_vertex points outside vertices")

    def __len__(self) -> int:
        return len(self.building_id)

    def __repr__(self) -> str:
        box = None
        if len(self.vertices):
            low, high = self.vertices.min(0), self.vertices.max(0)
            box = (*low[:2].tolist(), *high[:2].tolist())
        return describe(self, len(self), self.crs, box)

    @property
    def solid_of_face(self) -> IntArray:
        """Solid of each face, shape (n_faces,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.solid_offsets))

    @property
    def face_of_ring(self) -> IntArray:
        """Face of each ring, shape (n_rings,)."""
        return np.repeat(np.arange(len(self.face_offsets) - 1), np.diff(self.face_offsets))

    def face_rings(self, face: int) -> list[FloatArray]:
        """Rings of one face as open arrays of shape (k, 3)."""
        return [
            self.vertices[self.ring_vertex[self.ring_offsets[r] : self.ring_offsets[r + 1]]]
            for r in range(self.face_offsets[face], self.face_offsets[face + 1])
        ]

    def take(self, rows: IntArray) -> Self:
        """The solids chosen by index, in that order."""
        rows = np.arange(len(self))[rows]
        chosen = np.zeros(len(self), dtype=np.bool_)
        chosen[rows] = True
        if np.count_nonzero(chosen) < len(rows):
            raise TableError("Models: a solid was asked for twice")
        # All parts of a solid stand together, so one range of each kind is all there is to it.
        faces = self.solid_offsets[rows], self.solid_offsets[rows + 1]
        rings = self.face_offsets[faces[0]], self.face_offsets[faces[1]]
        face, solid_ends = index_ranges(*faces)
        ring, _ = index_ranges(*rings)
        used, used_starts = index_ranges(*(self.ring_offsets[end] for end in rings))
        vertex, vertex_ends = ragged_index(self.vertex_offsets, rows)
        shift = np.repeat(vertex_ends[:-1] - self.vertex_offsets[rows], np.diff(used_starts))
        columns = {
            "building_id": self.building_id[rows],
            "lod": self.lod[rows],
            "vertices": self.vertices.take(vertex, axis=0),  # a third of the time of an index
            "vertex_offsets": vertex_ends,
            "ring_vertex": self.ring_vertex[used] + shift,
            "ring_offsets": _ends(self.ring_offsets, ring),
            "face_offsets": _ends(self.face_offsets, face),
            "solid_offsets": solid_ends,
            "semantics": self.semantics[face],
            "crs": self.crs,
        }
        # Rows of a sound table are sound: to check them again is a fifth of all tiling.
        made = object.__new__(type(self))
        for name, column in columns.items():
            object.__setattr__(made, name, column)
        return made

    def at(self, lod: str) -> Self:
        """The solids of one level of detail, in their order.

        Examples
        --------
        >>> import shapely
        >>> import cimkit
        >>> footprints = cimkit.Footprints.from_polygons(["a"], [shapely.box(0, 0, 9, 9)])
        >>> _, models, _ = cimkit.reconstruct(footprints)
        >>> len(models.at("1.2")), len(models.at("2.2"))
        (1, 0)
        """
        return self.take(np.flatnonzero(self.lod == lod))

    def best(self) -> Self:
        """Each building once, with its highest level of detail, in the order of first rows."""
        chosen: dict[str, int] = {}
        lods = self.lod.tolist()
        for row, name in enumerate(self.building_id.tolist()):
            if lods[row] > lods[chosen.setdefault(name, row)]:
                chosen[name] = row
        return self.take(np.array(list(chosen.values()), dtype=np.int64))

    @classmethod
    def concatenate(cls, parts: list[Models]) -> Models:
        """Tables one after the other."""
        if not parts:
            raise TableError("Models: nothing to concatenate")

        def joined(name: str) -> IntArray:
            starts = np.cumsum([0] + [getattr(part, name)[-1] for part in parts[:-1]])
            rows = [getattr(p, name)[1:] + s for p, s in zip(parts, starts, strict=True)]
            return np.concatenate([[0], *rows])

        starts = np.cumsum([0] + [len(part.vertices) for part in parts[:-1]])
        return cls(
            np.concatenate([part.building_id for part in parts]),
            np.concatenate([part.lod for part in parts]),
            np.concatenate([part.vertices for part in parts]),
            joined("vertex_offsets"),
            np.concatenate([p.ring_vertex + s for p, s in zip(parts, starts, strict=True)]),
            joined("ring_offsets"),
            joined("face_offsets"),
            joined("solid_offsets"),
            np.concatenate([part.semantics for part in parts]),
            parts[0].crs,
        )

    def triangles(self) -> tuple[IntArray, IntArray]:
        """Triangulate all faces.

        Returns
        -------
        corners : int64 array, shape (n_triangles, 3)
            Rows of `vertices`, counter-clockwise seen from outside.
        face_of_triangle : int64 array, shape (n_triangles,)

        Notes
        -----
        Convex faces are cut as fans, the others by constrained Delaunay triangulation (GEOS) in
        the plane of the two axes that the face's normal (Newell's method) leans away from most.
        No vertex is added, so a closed solid stays closed.
        """
        from cimkit.tables._triangulate import triangulate_faces

        return triangulate_faces(self)

    def to_trimesh(self, row: int) -> trimesh.Trimesh:
        """One solid as a trimesh, triangulated, in its own coordinates."""
        import trimesh

        one = self.take(np.array([row]))
        corners, face = one.triangles()
        return trimesh.Trimesh(
            one.vertices,
            corners,
            process=False,
            face_attributes={"semantics": one.semantics[face]},
        )


def _ends(starts: IntArray, rows: IntArray) -> IntArray:
    """Borders of chosen ragged rows when these stand one after the other."""
    return np.concatenate([[0], np.cumsum(starts[rows + 1] - starts[rows])]).astype(np.int64)
