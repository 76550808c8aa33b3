"""The tree of tiles: which buildings each shows, how simply, and how much it leaves out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cimkit.errors import TableError
from cimkit.tables._columns import (
    BoolArray,
    ByteArray,
    FloatArray,
    IntArray,
    floats,
    integers,
    offsets,
)
from cimkit.tables.models import TILE_LODS


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class TileTree:
    """Loose quadtree over building centres, tiles in breadth-first order (root first).

    Parameters
    ----------
    parent : int64 array, shape (n,)
        Row of the parent tile, always smaller than the own row; -1 for the root.
    level : int64 array, shape (n,)
        0 for the root.
    error : float64 array, shape (n,)
        Geometric error in metres: what the tile leaves out. 0 in leaves, strictly smaller than
        the parent's everywhere.
    member_offsets : int64 array, shape (n + 1,)
        Borders of the tiles in `members`.
    members : int64 array
        Rows of the buildings that each tile shows.
    lod : uint8 array, of the same length
        Level of detail at which it shows them: places in `cimkit.tables.models.TILE_LODS`.
    cell : int64 array, shape (n, 3)
        Level, column and row of the cell of each tile, which is one of 4**level equal squares
        of that of the root; (0, 0, 0) for the root.
    square : tuple of 3 float
        South-west corner and edge of the cell of the root, metres in the CRS.
    """

    parent: IntArray
    level: IntArray
    error: FloatArray
    member_offsets: IntArray
    members: IntArray
    lod: ByteArray
    cell: IntArray
    square: tuple[float, float, float]

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "parent", integers("parent", self.parent))
        n = len(self.parent)
        put(self, "level", integers("level", self.level, n))
        put(self, "error", floats("error", self.error, n))
        put(self, "members", integers("members", self.members))
        put(
            self,
            "member_offsets",
            offsets("member_offsets", self.member_offsets, len(self.members), n),
        )
        put(self, "lod", np.ascontiguousarray(self.lod, dtype=np.uint8))
        if len(self.lod) != len(self.members) or (self.lod >= len(TILE_LODS)).any():
            raise TableError("TileTree: a level of detail expected for each of the members")
        put(self, "cell", np.ascontiguousarray(self.cell, dtype=np.int64).reshape(-1, 3))
        if len(self.cell) != n:
            raise TableError(f"TileTree: {n} tiles, {len(self.cell)} cells")
        if n and (self.parent[0] != -1 or (self.parent[1:] >= np.arange(1, n)).any()):
            raise TableError("TileTree: parents must come before their children")
        inner = self.parent[1:]
        if n and (self.error[1:] >= self.error[inner]).any():
            raise TableError("TileTree: a geometric error does not shrink towards the leaves")

    def __len__(self) -> int:
        return len(self.parent)

    def __repr__(self) -> str:
        depth = int(self.level.max()) + 1 if len(self) else 0
        return (
            f"TileTree({len(self):,} tiles on {depth} levels, {int(self.leaf.sum()):,} leaves)"
        )

    @property
    def leaf(self) -> BoolArray:
        """Tiles without children, shape (n,)."""
        leaf = np.ones(len(self), dtype=np.bool_)
        leaf[self.parent[1:]] = False
        return leaf

    def buildings(self, tile: int) -> IntArray:
        """Rows of the buildings that one tile shows."""
        return self.members[self.member_offsets[tile] : self.member_offsets[tile + 1]]

    def levels(self, tile: int) -> ByteArray:
        """Levels of detail at which one tile shows its buildings: places in `TILE_LODS`."""
        return self.lod[self.member_offsets[tile] : self.member_offsets[tile + 1]]
