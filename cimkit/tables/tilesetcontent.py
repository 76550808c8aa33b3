"""What was read from a tileset, for checking it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cimkit.errors import InputError, TableError
from cimkit.tables._columns import (
    BoolArray,
    FloatArray,
    IntArray,
    TextArray,
    floats,
    integers,
    texts,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from cimkit.tables.issue import Issue

PropertyColumn = TextArray | FloatArray | IntArray


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class TileContent:
    """Geometry and property table of one tile, as a client sees them.

    Parameters
    ----------
    positions : float64 array, shape (n, 3)
        Vertices in metres in the root frame of the tileset (east, north, up). Vertices of the
        same stored position are equal in all bits.
    normals : float64 array, shape (n, 3)
        As stored, in the same frame.
    triangles : int64 array, shape (m, 3)
        Rows of `positions`.
    feature : int64 array, shape (n,)
        Feature id of each vertex.
    step : float
        Edge of the cells that positions are rounded to, metres.
    feature_count : int
        Number of features that the mesh announces.
    row_count : int
        Rows of the property table.
    properties : mapping of str to text, float64 or int64 array, shape (row_count,)
        Columns of the property table; an enum as its numbers.
    enums : mapping of str to mapping of int to str
        For each enum column the names of its known numbers.
    """

    positions: FloatArray
    normals: FloatArray
    triangles: IntArray
    feature: IntArray
    step: float
    feature_count: int
    row_count: int
    properties: Mapping[str, PropertyColumn]
    enums: Mapping[str, Mapping[int, str]]

    def __repr__(self) -> str:
        return (
            f"TileContent({self.feature_count:,} features, {len(self.triangles):,} triangles)"
        )


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class TilesetContents:
    """Tiles of a tileset, parents first; contents are read when they are asked for.

    Parameters
    ----------
    tileset_error : float
        Geometric error of the tileset, metres.
    parent, depth : int64 array, shape (n,)
        Row of the parent tile, -1 for the root; 0 for the root.
    error : float64 array, shape (n,)
        Geometric error of each tile, metres.
    box : float64 array, shape (n, 12)
        Bounding boxes in the root frame: centre, then three half axes.
    uri : text array, shape (n,)
        Content of each tile; "" for none.
    load : callable
        Takes a `uri`, returns a `TileContent`; raises `InputError` where there is no such file,
        `FormatError` where it is damaged. Contents are not kept: a city is larger than memory.
    version : str
        Of 3D Tiles.
    implicit : bool
        Whether tiles are said to be there by bits: then some have no content.
    findings : tuple of Issue
        What was wrong with documents and subtrees.
    kind : {"buildings", "ground"}
        What it shows.
    """

    tileset_error: float
    parent: IntArray
    depth: IntArray
    error: FloatArray
    box: FloatArray
    uri: TextArray
    load: Callable[[str], TileContent]
    version: str = "1.1"
    implicit: bool = False
    findings: tuple[Issue, ...] = ()
    kind: str = "buildings"

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "parent", integers("parent", self.parent))
        n = len(self.parent)
        put(self, "depth", integers("depth", self.depth, n))
        put(self, "error", floats("error", self.error, n))
        put(self, "uri", texts("uri", self.uri, n))
        box: NDArray[np.float64] = np.asarray(self.box, dtype=np.float64)
        if box.shape != (n, 12) or not np.isfinite(box).all():
            raise TableError(f"box: finite numbers of shape ({n}, 12) expected")
        put(self, "box", box)
        if not n or self.parent[0] != -1 or (self.parent[1:] >= np.arange(1, n)).any():
            raise TableError("TilesetContents: parents must come before their children")

    def __len__(self) -> int:
        return len(self.parent)

    def __repr__(self) -> str:
        depth, leaves = int(self.depth.max()) + 1, int(self.leaf.sum())
        return f"TilesetContents({len(self):,} tiles on {depth} levels, {leaves:,} leaves)"

    @property
    def leaf(self) -> BoolArray:
        """Tiles without children, shape (n,)."""
        leaf = np.ones(len(self), dtype=np.bool_)
        leaf[self.parent[1:]] = False
        return leaf

    def shown_ids(self) -> list[str]:
        """Identifiers of the buildings in all leaves whose content can be read."""
        ids: list[str] = []
        for uri in self.uri[self.leaf].tolist():
            with contextlib.suppress(InputError):
                ids += self.load(uri).properties.get("building_id", np.empty(0)).tolist()
        return ids
