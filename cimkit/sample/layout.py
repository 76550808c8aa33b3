"""The plan of the city: quarters, blocks, streets, and which building stands in which.

Blocks lie in a grid of columns (u, along the river) and rows (v, away from it). The streets
bend slightly and the whole grid is turned, so that no wall happens to follow an axis. Three by
three blocks are a quarter (片区), the piece in which everything is made and written; quarters
are added round those that stand, so a larger city holds a smaller one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cimkit.sample.streams import stream
from cimkit.tables._columns import FloatArray

CRS = "EPSG:4546"
"""CGCS2000 / 3-degree Gauss-Krüger CM 111E, eastings without zone number."""

ORIGIN = (620_200.0, 3_356_200.0)
"""East, north near 112.25 E, 30.32 N; the city itself is invented."""

BLOCK = (124.0, 100.0)
"""Width and depth of a block, street axis to street axis, metres."""

TURN = math.radians(7.0)
BEND, BEND_LENGTH = 6.0, 700.0
"""The streets swing by BEND metres to both sides over BEND_LENGTH metres."""

QUARTER = 3
"""A quarter has so many blocks by so many."""

CYCLE = (
    "slabs", "school", "self-built", "towers", "centre", "self-built", "works", "self-built",
    "park",
)  # fmt: skip
CAPACITY = {
    "slabs": 6, "school": 5, "self-built": 32, "towers": 4, "centre": 4, "works": 5, "park": 0,
}  # fmt: skip
"""What the blocks of a quarter hold; the first quarter has them in this order."""

QUARTER_CAPACITY = sum(CAPACITY[kind] for kind in CYCLE)


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


class Quarter(NamedTuple):
    """Up to nine blocks; `column` and `row` count quarters."""

    number: int
    column: int
    row: int
    blocks: tuple[Block, ...]


def to_map(u: ArrayLike, v: ArrayLike) -> FloatArray:
    """Map coordinates of grid coordinates, shape (n, 2); areas are kept."""
    along = np.asarray(u, dtype=np.float64)
    across = np.asarray(v) + BEND * np.sin(2.0 * np.pi * along / BEND_LENGTH)
    c, s = math.cos(TURN), math.sin(TURN)
    x, y = c * along - s * across, s * along + c * across
    return np.stack([x + ORIGIN[0], y + ORIGIN[1]], axis=-1)


def to_line(x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Coordinates along and across the straight axis that the streets bend about.

    Examples
    --------
    >>> along, across = to_line(*to_map(700.0, 50.0))
    >>> round(float(along), 6), round(float(across), 6)
    (700.0, 50.0)
    """
    east, north = np.asarray(x) - ORIGIN[0], np.asarray(y) - ORIGIN[1]
    c, s = math.cos(TURN), math.sin(TURN)
    return c * east + s * north, c * north - s * east


def to_grid(x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Grid coordinates u, v of map coordinates: `to_map` turned back.

    Examples
    --------
    >>> u, v = to_grid(*to_map(130.0, 20.0))
    >>> round(float(u), 6), round(float(v), 6)
    (130.0, 20.0)
    """
    along, across = to_line(x, y)
    return along, across - BEND * np.sin(2.0 * np.pi * along / BEND_LENGTH)


def place(points: ArrayLike, u: float, v: float) -> FloatArray:
    """Set a small plan down at grid coordinates, square to the street there."""
    pace = 2.0 * np.pi / BEND_LENGTH
    angle = TURN + math.atan(BEND * pace * math.cos(pace * u))
    c, s = math.cos(angle), math.sin(angle)
    turned: FloatArray = np.asarray(points, dtype=np.float64) @ np.array([[c, s], [-s, c]])
    return turned + to_map(u, v)


def shell(number: int) -> tuple[int, int]:
    """Column and row of the number-th cell when a square grows by a column and a row at a time.

    Examples
    --------
    >>> [shell(k) for k in range(5)]
    [(0, 0), (1, 0), (1, 1), (0, 1), (2, 0)]
    """
    edge = math.isqrt(number)
    rest = number - edge * edge
    return (edge, rest) if rest <= edge else (2 * edge - rest, edge)


def shell_number(column: int, row: int) -> int:
    """Tell the place of a cell in the order of `shell`.

    Examples
    --------
    >>> all(shell_number(*shell(k)) == k for k in range(200))
    True
    """
    edge = max(column, row)
    return edge * edge + (row if column == edge else 2 * edge - column)


def plan(buildings: int, seed: int) -> Iterator[Quarter]:
    """Quarters that hold so many buildings, one by one.

    Examples
    --------
    >>> [len(quarter.blocks) for quarter in plan(150, seed=7)]
    [9, 2]
    """
    for number in range(-(-buildings // QUARTER_CAPACITY)):
        column, row = shell(number)
        kinds = list(CYCLE)
        if number > 0:
            kinds = [CYCLE[k] for k in stream(seed, "plan", number).permutation(len(CYCLE))]
        first, blocks = number * QUARTER_CAPACITY, []
        for k, kind in enumerate(kinds):
            n = min(CAPACITY[kind], buildings - first)
            if buildings <= first < (number + 1) * QUARTER_CAPACITY:
                break
            across, up = QUARTER * column + k % QUARTER, QUARTER * row + k // QUARTER
            blocks.append(Block(len(CYCLE) * number + k, across, up, kind, first, n))
            first += n
        yield Quarter(number, column, row, tuple(blocks))
