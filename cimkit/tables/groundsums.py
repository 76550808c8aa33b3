"""Part of a terrain: ground heights summed into cells, ready to be added to other parts."""

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
