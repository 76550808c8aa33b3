"""Parts of a terrain, each from one file or chunk, ready to be put together with others."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class GroundSums(NamedTuple):
    """Sums over the ground points of one file or chunk.

    Attributes
    ----------
    first_row, first_column : int
        Cell (0, 0) of the arrays in the grid that starts at the origin of the CRS.
    cell : float
        Edge of a cell in metres.
    total : int64 array, shape (rows, columns)
        Heights in millimetres: whole numbers, so that no order of adding changes the result.
    points : int32 array, shape (rows, columns)
        Points in each cell.
    """

    first_row: int
    first_column: int
    cell: float
    total: NDArray[np.int64]
    points: NDArray[np.int32]


class LowestCells(NamedTuple):
    """Lowest points of the cells of one file or chunk.

    Attributes
    ----------
    first_row, first_column : int
        Cell (0, 0) of the array in the grid that starts at the origin of the CRS.
    cell : float
        Edge of a cell in metres.
    low : int32 array, shape (rows, columns)
        Millimetres; the largest number of the type where there is no point.
    """

    first_row: int
    first_column: int
    cell: float
    low: NDArray[np.int32]
