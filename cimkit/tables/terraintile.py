"""A square of the ground as a mesh."""

from __future__ import annotations

from typing import NamedTuple

from cimkit.tables._columns import FloatArray, IntArray


class TerrainTile(NamedTuple):
    """A square of the ground.

    Attributes
    ----------
    level : int
        0 at full detail; the step is 2**level cells.
    column, row : int
        Of the square in the grid of its level, which is fixed to the CRS.
    z : float64 array, shape (n, n)
        Heights at its vertices, row 0 in the south; NaN where unknown.
    triangle : int64 array, shape (n_triangles, 3)
        Vertices of each triangle: row * n + column.
    error : float
        Bound on what it leaves out of the full grid, metres; 0 at full detail.
    children : tuple of (int, int)
        Columns and rows of the squares of the level below.
    """

    level: int
    column: int
    row: int
    z: FloatArray
    triangle: IntArray
    error: float
    children: tuple[tuple[int, int], ...]
