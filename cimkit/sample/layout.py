"""The lie of the land: street grid, blocks, ground.

Blocks lie in a grid of columns (u, along the streets) and rows (v, across). The streets bend
slightly and the whole grid is turned, so that no wall happens to follow an axis.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cimkit.tables._columns import FloatArray

CRS = "EPSG:4546"
"""CGCS2000 / 3-degree Gauss-Krüger CM 111E, eastings without zone number."""

ORIGIN = (620_200.0, 3_356_200.0)
"""East, north near 112.25 E, 30.32 N; the neighbourhood itself is invented."""

BLOCK = (124.0, 100.0)
"""Width and depth of a block, street axis to street axis, metres."""

TURN = math.radians(7.0)
BEND, BEND_LENGTH = 6.0, 700.0
"""The streets swing by BEND metres to both sides over BEND_LENGTH metres."""

CYCLE = ("slabs", "self-built", "towers", "slabs", "school", "park")
CAPACITY = {"slabs": 6, "self-built": 32, "towers": 4, "school": 5, "park": 0}
"""What the blocks hold, in the order in which they are laid out."""


class Block(NamedTuple):
    """One block of the grid; `n` is the number of its buildings, `first` that of the first."""

    number: int
    column: int
    row: int
    kind: str
    first: int
    n: int

    @property
    def centre(self) -> tuple[float, float]:
        """Grid coordinates u, v of its middle."""
        return (self.column + 0.5) * BLOCK[0], (self.row + 0.5) * BLOCK[1]


def ground_height(x: FloatArray, y: FloatArray) -> FloatArray:
    """Height of the open ground at map coordinates: a long slope with gentle waves."""
    u, v = x - ORIGIN[0], y - ORIGIN[1]
    slope = 5.0 * np.sin((u + 0.5 * v) / 330.0)
    height: FloatArray = 34.0 + slope + 0.6 * np.sin(u / 31.0) * np.cos(v / 43.0)
    return height


def to_map(u: ArrayLike, v: ArrayLike) -> FloatArray:
    """Map coordinates of grid coordinates, shape (n, 2); areas are kept."""
    along = np.asarray(u, dtype=np.float64)
    across = np.asarray(v) + BEND * np.sin(2.0 * np.pi * along / BEND_LENGTH)
    c, s = math.cos(TURN), math.sin(TURN)
    x, y = c * along - s * across, s * along + c * across
    return np.stack([x + ORIGIN[0], y + ORIGIN[1]], axis=-1)


def place(points: ArrayLike, u: float, v: float) -> FloatArray:
    """Set a small plan down at grid coordinates, square to the street there."""
    pace = 2.0 * np.pi / BEND_LENGTH
    angle = TURN + math.atan(BEND * pace * math.cos(pace * u))
    c, s = math.cos(angle), math.sin(angle)
    turned: FloatArray = np.asarray(points, dtype=np.float64) @ np.array([[c, s], [-s, c]])
    return turned + to_map(u, v)


def plan_blocks(buildings: int) -> list[Block]:
    """Blocks that hold so many buildings, in a grid half as wide again as deep."""
    filled: list[tuple[str, int, int]] = []
    first = 0
    while first < buildings:
        kind = CYCLE[len(filled) % len(CYCLE)]
        n = min(CAPACITY[kind], buildings - first)
        filled.append((kind, first, n))
        first += n
    columns = math.ceil(math.sqrt(1.5 * len(filled)))
    filled += [("park", first, 0)] * (-len(filled) % columns)
    return [
        Block(number, number % columns, number // columns, *block)
        for number, block in enumerate(filled)
    ]


def compound_name(block: Block) -> str:
    """Name of a housing compound (小区), the same for one block always."""
    names = ("锦绣苑", "杏花苑", "听涛苑", "云栖苑", "望江苑", "橘香苑")
    again = block.number // len(names)
    return names[block.number % len(names)] + (f"{again + 1}期" if again else "")
