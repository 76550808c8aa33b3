"""Administrative divisions as polygons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import shapely
from numpy.typing import NDArray

from cimkit.errors import TableError
from cimkit.tables._columns import IntArray, TextArray, describe, identifiers, texts

LENGTHS = (6, 9, 12)
"""Digits of county, township and community in the statistical division codes."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Divisions:
    """Counties, townships and communities (区县, 街道乡镇, 社区村) with their areas.

    Parameters
    ----------
    code : text array, shape (n,)
        6, 9 or 12 digits: GB/T 2260 and the statistical codes below it. Unique.
    name : text array, shape (n,)
        "" where unknown.
    polygons : object array of shapely Polygon or MultiPolygon, shape (n,)
        Valid.
    crs : str
        Any text that pyproj reads.

    Examples
    --------
    >>> shashi = Divisions(["421002"], ["沙市区"], [shapely.box(0, 0, 9, 9)], "EPSG:4546")
    >>> shashi
    Divisions(1 rows, EPSG:4546, [0.0 0.0 9.0 9.0], 0.0 MB)
    """

    code: TextArray
    name: TextArray
    polygons: NDArray[Any]
    crs: str = ""

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "code", identifiers("code", self.code))
        n = len(self.code)
        put(self, "name", texts("name", self.name, n))
        put(self, "polygons", np.asarray(self.polygons, dtype=object))
        if self.polygons.shape != (n,):
            raise TableError(f"polygons: {n} rows expected, shape is {self.polygons.shape}")
        for code in self.code.tolist():
            if not (code.isascii() and code.isdigit() and len(code) in LENGTHS):
                raise TableError(f"code: 6, 9 or 12 digits, not {code!r}")
        if not shapely.is_valid(self.polygons).all():
            row = int(np.flatnonzero(~shapely.is_valid(self.polygons))[0])
            raise TableError(f"polygons: row {row} is not valid")

    def __len__(self) -> int:
        return len(self.code)

    def __repr__(self) -> str:
        bounds = tuple(shapely.total_bounds(self.polygons).tolist()) if len(self) else None
        return describe(self, len(self), self.crs, bounds)

    def take(self, rows: IntArray) -> Self:
        """The divisions chosen by index, in that order."""
        return type(self)(self.code[rows], self.name[rows], self.polygons[rows], self.crs)
