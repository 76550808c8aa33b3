"""Cells of the BeiDou grid as whole numbers, and the characters that write them.

The arithmetic under `cimkit.codes.beidou`, `cimkit.codes.beidou_3d` and
`cimkit.codes.beidou_reference`: GB/T 39409-2020, formulas B.1 to B.4, in integers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cimkit.codes.text import beyond_ascii
from cimkit.errors import ParameterError
from cimkit.tables._columns import TEXT, BoolArray, ByteArray, FloatArray, IntArray, TextArray

UNITS = 3600 * 2048
"""Cells of level 10 in one degree."""

POLAR_CAP = 88
"""Degrees. The standard cuts the caps beyond by another rule (its clause 5.3)."""

LENGTHS = (1, 4, 6, 7, 9, 11, 12, 14, 16, 18, 20)
"""Characters of a code of level 0 to 10."""


class Cut(NamedTuple):
    """How one level cuts its parent; `width` 1 is a single digit in Z-order."""

    east: int
    north: int
    width: int


CUTS = {
    2: Cut(12, 8, 2),
    3: Cut(2, 3, 1),
    4: Cut(15, 10, 2),
    5: Cut(15, 15, 2),
    6: Cut(2, 2, 1),
    **{level: Cut(8, 8, 2) for level in (7, 8, 9, 10)},
}
SYMBOLS = np.frombuffer(b"0123456789ABCDEF", dtype=np.uint8)
"""Digits of codes. F stands in heights alone, see `cimkit.codes.beidou_height`."""

VALUES = np.full(256, 255, dtype=np.uint8)
VALUES[SYMBOLS] = np.arange(len(SYMBOLS))


class Cells(NamedTuple):
    """Cells by the corner nearest to the equator and the prime meridian (定位角点).

    Attributes
    ----------
    east, north : int array, shape (n,)
        Distance of the corner from 0° in cells of level 10, whatever the direction.
    west, south : bool array, shape (n,)
        Hemisphere.
    """

    east: NDArray[Any]
    north: NDArray[Any]
    west: BoolArray
    south: BoolArray


def cells_of_places(lon: ArrayLike, lat: ArrayLike) -> Cells:
    """Cell of level 10 of each place; raises as `cimkit.codes.beidou.beidou_code` says."""
    x, y = np.broadcast_arrays(
        np.atleast_1d(np.asarray(lon, dtype=np.float64)), np.asarray(lat, dtype=np.float64)
    )
    check_range("lon", x, np.abs(x) <= 180, "[-180, 180]")
    check_range(
        "lat", y, np.abs(y) < POLAR_CAP, "(-88, 88): the polar caps have their own rule"
    )
    return Cells(np.minimum(_units(x), 180 * UNITS - 1), _units(y), x < 0, y < 0)


def symbols_of_cells(cells: Cells, level: int) -> ByteArray:
    """Characters of the codes, shape (LENGTHS[level], n)."""
    east, north = cells.east, cells.north
    symbols = np.empty((LENGTHS[level], len(east)), dtype=np.uint8)
    for deeper in range(10, 1, -1):
        cut, (east, a), (north, b) = CUTS[deeper], *_divide(deeper, east, north)
        if deeper <= level:
            digits = (a, b) if cut.width == 2 else (2 * b + a,)
            for place, digit in zip(
                range(LENGTHS[deeper - 1], LENGTHS[deeper]), digits, strict=True
            ):
                symbols[place] = SYMBOLS[digit]
    column = np.where(cells.west, 30 - east, 31 + east)
    symbols[0] = np.where(cells.south, ord("S"), ord("N"))
    symbols[1], symbols[2] = SYMBOLS[column // 10], SYMBOLS[column % 10]
    symbols[3] = ord("A") + north
    return symbols


def cells_of_symbols(symbols: ByteArray) -> tuple[Cells, BoolArray]:
    """Cells of whole codes of level 10, and which characters stand where none of them may.

    Parameters
    ----------
    symbols : uint8 array, shape (n, 20)

    Returns
    -------
    cells : Cells
    bad : bool array, shape (n, 20)
    """
    values = VALUES[symbols].astype(np.int64)
    bad = np.zeros(symbols.shape, dtype=np.bool_)
    bad[:, 0] = (symbols[:, 0] != ord("N")) & (symbols[:, 0] != ord("S"))
    column = 10 * values[:, 1] + values[:, 2]
    bad[:, 1:3] = (values[:, 1:3] > 9) | ((column < 1) | (column > 60))[:, None]
    north = symbols[:, 3].astype(np.int64) - ord("A")
    bad[:, 3] = (north < 0) | (north >= POLAR_CAP // 4)
    west = column <= 30
    east = np.where(west, 30 - column, column - 31)
    for level, cut in CUTS.items():
        digits = values[:, LENGTHS[level - 1] : LENGTHS[level]]
        limits = (cut.east, cut.north) if cut.width == 2 else (cut.east * cut.north,)
        bad[:, LENGTHS[level - 1] : LENGTHS[level]] = digits >= limits
        a, b = digits.T if cut.width == 2 else (digits[:, 0] % 2, digits[:, 0] // 2)
        east, north = east * cut.east + a, north * cut.north + b
    return Cells(east, north, west, symbols[:, 0] == ord("S")), bad


def text_of_symbols(symbols: ByteArray) -> TextArray:
    """Text of codes from their characters, shape (length, n)."""
    codes = np.ascontiguousarray(symbols.T).view(f"S{len(symbols)}").ravel()
    return codes.astype(TEXT)


def symbols_of_text(codes: TextArray, lengths: tuple[int, ...]) -> tuple[ByteArray, IntArray]:
    """Characters of codes of levels 1 to 10, and these levels.

    Parameters
    ----------
    codes : text array, shape (n,)
    lengths : tuple of int
        Characters of a code of level 0 to 10.

    Returns
    -------
    symbols : uint8 array, shape (n, lengths[10])
        Coarser codes are completed by zeros: the corner of a cell is that of its first child.
    level : int64 array, shape (n,)

    Raises
    ------
    ParameterError
        On a text of another length, or with characters that are not ASCII.
    """
    n_characters = np.strings.str_len(codes).astype(np.int64)
    level = np.searchsorted(lengths, n_characters)
    level[level > 10] = 0
    wrong = np.asarray(lengths)[level] != n_characters
    wrong |= level == 0
    wrong |= beyond_ascii(codes)
    if wrong.any():
        text = str(codes[int(np.flatnonzero(wrong)[0])])
        raise ParameterError(
            f"code {text!r}: {', '.join(map(str, lengths[1:]))} characters 0-9, A-V expected"
        )
    symbols = codes.astype(f"S{lengths[10]}").view(np.uint8).reshape(-1, lengths[10])
    beyond = np.arange(lengths[10]) >= n_characters[:, None]
    return np.where(beyond, np.uint8(ord("0")), symbols), level.astype(np.int64)


def check_range(name: str, values: FloatArray, good: NDArray[np.bool_], allowed: str) -> None:
    """Refuse the first value that is not `good`; NaN never is."""
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        raise ParameterError(f"{name}: row {row} is {values[row]}, not within {allowed}")


def check_level(level: int) -> None:
    """Refuse what is no level."""
    if level not in range(1, 11):
        raise ParameterError(f"level: 1 to 10, not {level}")


def refuse_bad(codes: TextArray, bad: BoolArray, name: str) -> None:
    """Raise with the position of the first bad character, if there is one."""
    if bad.any():
        row, place = np.argwhere(bad)[0].tolist()
        raise ParameterError(
            f"code {str(codes[row])!r}: position {place + 1} is no part of a {name}"
        )


def _units(degrees: FloatArray) -> NDArray[np.int32]:
    """The last cell edge, counted from 0°, that is not above each place.

    The product is off by half a unit in its last place at most, so the answer is its floor or a
    neighbour of it; the division, rounded correctly, gives the float nearest to each edge.
    """
    size = np.abs(degrees)
    cell: FloatArray = np.floor(size * UNITS)
    cell += (cell + 1) / UNITS <= size
    cell -= cell / UNITS > size
    return cell.astype(np.int32)


def _divide(level: int, east: NDArray[Any], north: NDArray[Any]) -> list[tuple[Any, Any]]:
    """Parent cell and place in it, along both axes."""
    parents = east // CUTS[level].east, north // CUTS[level].north
    return [
        (parents[0], east - parents[0] * CUTS[level].east),
        (parents[1], north - parents[1] * CUTS[level].north),
    ]
