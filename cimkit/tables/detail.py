"""What each building costs, and loses, at each level of detail that a tile can show it at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from cimkit.errors import TableError
from cimkit.tables._columns import describe
from cimkit.tables.models import TILE_LODS

if TYPE_CHECKING:
    from cimkit.tables._columns import BoolArray, FloatArray, IntArray

VERTEX_BYTES, TRIANGLE_BYTES, FEATURE_BYTES = 16, 6, 100
"""What a corner of a face, a triangle and the properties of a building take in a tile that is
not compressed; meshopt leaves about a third of it."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Detail:
    """Size and error of each building at each level of detail.

    Parameters
    ----------
    corners : int64 array, shape (n, 4)
        Corners of all faces at the levels of `cimkit.tables.models.TILE_LODS`; 0 where a
        building has no solid of the level.
    triangles : int64 array, shape (n, 4)
    deviation : float64 array, shape (n, 4)
        Bound on the Hausdorff distance to the building's best solid, metres: 0 for the best
        itself, infinite where there is no solid of the level.
    """

    corners: IntArray
    triangles: IntArray
    deviation: FloatArray

    def __post_init__(self) -> None:
        put = object.__setattr__
        kinds = {"corners": np.int64, "triangles": np.int64, "deviation": np.float64}
        for name, kind in kinds.items():
            put(self, name, np.ascontiguousarray(getattr(self, name), dtype=kind))
        shape = self.corners.shape
        if shape != (len(self.corners), len(TILE_LODS)):
            raise TableError(
                f"Detail: corners of shape (n, {len(TILE_LODS)}) expected, not {shape}"
            )
        if not self.triangles.shape == self.deviation.shape == shape:
            raise TableError("Detail: the columns differ in shape")
        if np.isnan(self.deviation).any() or (self.deviation < 0).any():
            raise TableError("Detail: a deviation is no distance")
        if len(self) and not (self.deviation == 0).any(axis=1).all():
            raise TableError("Detail: a building has no best level")

    def __len__(self) -> int:
        return len(self.corners)

    def __repr__(self) -> str:
        return describe(self, len(self), "", None)

    @property
    def there(self) -> BoolArray:
        """Levels at which each building has a solid, shape (n, 4)."""
        return np.asarray(self.corners > 0)

    @property
    def cost_bytes(self) -> IntArray:
        """Bytes that each building takes at each level, not compressed, shape (n, 4)."""
        geometry = VERTEX_BYTES * self.corners + TRIANGLE_BYTES * self.triangles
        return np.asarray(geometry + FEATURE_BYTES)

    def take(self, rows: IntArray) -> Self:
        """The buildings chosen by index, in that order."""
        return type(self)(self.corners[rows], self.triangles[rows], self.deviation[rows])

    @classmethod
    def concatenate(cls, parts: list[Detail]) -> Detail:
        """Tables one after the other."""
        names = ("corners", "triangles", "deviation")
        empty = np.empty((0, len(TILE_LODS)))
        return cls(*(np.concatenate([empty, *(getattr(p, n) for p in parts)]) for n in names))
