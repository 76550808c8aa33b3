"""A regular grid of ground heights."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cimkit.errors import TableError
from cimkit.tables._columns import BoolArray, ByteArray, FloatArray, IntArray

GIVEN, FOUND, DOUBTFUL = 0, 1, 2
"""Whether the ground was classified, or found by `cimkit.classify_ground`."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Terrain:
    """Ground model (地形) in cells aligned to whole multiples of the cell size.

    Parameters
    ----------
    z : float32 array, shape (rows, columns)
        Height at the cell centres in metres, row 0 in the **south**; NaN where unknown.
    measured : bool array, shape (rows, columns)
        Cells that held ground points; the others were filled.
    x0, y0 : float
        South-west corner of cell (0, 0).
    cell : float
        Edge of a cell in metres.
    crs : str
        Any text that pyproj reads.
    from_dem : bool array, shape (rows, columns), optional
        Cells whose height is that of an elevation model.
    found : uint8 array, shape (rows, columns), optional
        Where the ground around was not given but found among points without classes:
        `GIVEN`, `FOUND`, or `DOUBTFUL` where these points do not look like ground.

    Examples
    --------
    >>> import numpy as np
    >>> flat = Terrain(np.full((2, 2), 7.0), np.ones((2, 2), bool), 0.0, 0.0, 10.0)
    >>> flat.sample(np.array([5.0, 50.0]), np.array([5.0, 5.0]))
    array([ 7., nan])
    """

    z: NDArray[np.float32]
    measured: BoolArray
    x0: float
    y0: float
    cell: float
    crs: str = ""
    from_dem: BoolArray | None = None
    found: ByteArray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "z", np.asarray(self.z, dtype=np.float32))
        if self.z.ndim != 2 or self.measured.shape != self.z.shape:
            raise TableError("Terrain: z and measured must be grids of the same shape")
        for name in ("from_dem", "found"):
            layer = getattr(self, name)
            if layer is not None and layer.shape != self.z.shape:
                raise TableError(f"Terrain: z and {name} must be grids of the same shape")
        if not self.cell > 0:
            raise TableError(f"Terrain: cell must be above 0, not {self.cell}")

    def __repr__(self) -> str:
        rows, columns = self.z.shape
        share = float(self.measured.mean()) if self.z.size else 0.0
        return (
            f"Terrain({rows} x {columns} cells of {self.cell:g} m, {share:.0%} measured, "
            f"{self.crs or 'no CRS'}, {self.z.nbytes / 1e6:.1f} MB)"
        )

    def window(self, bounds: tuple[float, float, float, float]) -> Terrain:
        """The cells that heights within (xmin, ymin, xmax, ymax) depend on; no copy is made.

        Outside the grid these are the cells along its edge that are nearest.
        """
        rows, columns = self.z.shape
        west = _clamp(math.floor((bounds[0] - self.x0) / self.cell) - 1, columns)
        south = _clamp(math.floor((bounds[1] - self.y0) / self.cell) - 1, rows)
        east = _clamp(math.floor((bounds[2] - self.x0) / self.cell) + 1, columns)
        north = _clamp(math.floor((bounds[3] - self.y0) / self.cell) + 1, rows)
        here = slice(south, north + 1), slice(west, east + 1)
        x0, y0 = self.x0 + west * self.cell, self.y0 + south * self.cell
        from_dem = None if self.from_dem is None else self.from_dem[here]
        found = None if self.found is None else self.found[here]
        z, measured = self.z[here], self.measured[here]
        return Terrain(z, measured, x0, y0, self.cell, self.crs, from_dem, found)

    def sample(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Bilinear height at places, shape (n,); NaN outside the grid or on unknown cells."""
        rows, columns = self.z.shape
        # Places within a cell come from the whole grid, not from x0: a window gives the same
        # bits.
        column, row = np.asarray(x) / self.cell - 0.5, np.asarray(y) / self.cell - 0.5
        west, south = np.floor(column), np.floor(row)
        u, v = column - west, row - south
        west, south = (west - round(self.x0 / self.cell), south - round(self.y0 / self.cell))
        inside = (west + u >= -0.5) & (west + u <= columns - 0.5)
        inside &= (south + v >= -0.5) & (south + v <= rows - 0.5)
        west, south = west.astype(np.int64), south.astype(np.int64)
        east, north = np.clip(west + 1, 0, columns - 1), np.clip(south + 1, 0, rows - 1)
        west, south = np.clip(west, 0, columns - 1), np.clip(south, 0, rows - 1)
        z = self.z
        if not z.size:
            return np.full(len(column), np.nan)
        lower = z[south, west] * (1 - u) + z[south, east] * u
        upper = z[north, west] * (1 - u) + z[north, east] * u
        return np.where(inside, lower * (1 - v) + upper * v, np.nan)

    def nearest(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Height of the cell nearest to places in or outside the grid, shape (n,).

        NaN where that cell is unknown, or the grid has none.
        """
        if not self.z.size:
            return np.full(len(x), np.nan)
        height: FloatArray = self.z[self._cells(x, y)].astype(np.float64)
        return height

    def is_from_dem(self, x: FloatArray, y: FloatArray) -> BoolArray:
        """Whether the nearest cell has its height from an elevation model, shape (n,)."""
        if self.from_dem is None or not self.z.size:
            return np.zeros(len(x), dtype=np.bool_)
        return np.asarray(self.from_dem[self._cells(x, y)])

    def found_at(self, x: FloatArray, y: FloatArray) -> ByteArray:
        """`GIVEN`, `FOUND` or `DOUBTFUL` of the nearest cell, shape (n,)."""
        if self.found is None or not self.z.size:
            return np.full(len(x), GIVEN, dtype=np.uint8)
        return np.asarray(self.found[self._cells(x, y)])

    def _cells(self, x: FloatArray, y: FloatArray) -> tuple[IntArray, IntArray]:
        """Row and column of the nearest cells."""
        rows, columns = self.z.shape
        # Counted from the origin as in `sample`: a window gives the cell of the whole grid.
        column = np.floor(np.asarray(x) / self.cell) - round(self.x0 / self.cell)
        row = np.floor(np.asarray(y) / self.cell) - round(self.y0 / self.cell)
        column = np.clip(column, 0, columns - 1).astype(np.int64)
        row = np.clip(row, 0, rows - 1).astype(np.int64)
        return row, column


def cells_over(
    bounds: tuple[float, float, float, float], cell: float
) -> tuple[int, int, int, int]:
    """The cells that meet (xmin, ymin, xmax, ymax): first row and column, number of both.

    Examples
    --------
    >>> cells_over((0.5, 10.0, 2.5, 13.5), 1.0)
    (10, 0, 4, 3)
    """
    first_column, first_row = math.floor(bounds[0] / cell), math.floor(bounds[1] / cell)
    columns = math.floor(bounds[2] / cell) - first_column + 1
    rows = math.floor(bounds[3] / cell) - first_row + 1
    return first_row, first_column, rows, columns


def _clamp(index: int, n: int) -> int:
    """The index of n cells that is nearest; 0 where there are none."""
    return max(min(index, n - 1), 0)
