"""Two-dimensional BeiDou grid location code (北斗网格位置码, GB/T 39409-2020).

The globe is cut ten times, from sheets of 6° x 4° down to cells of 1/2048 second (1.5 cm). Cut
off at the length of a coarser level, a code names the parent cell, so the order of codes is an
order in space. All four hemispheres are mirrored: cells are counted away from the equator and
the prime meridian.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cimkit.errors import ParameterError
from cimkit.tables._columns import TEXT, FloatArray, TextArray

UNITS = 3600 * 2048
"""Cells of level 10 in one degree."""

POLAR_CAP = 88
"""Degrees. The standard cuts the caps beyond by another rule (its clause 5.3)."""

LENGTHS = (1, 4, 6, 7, 9, 11, 12, 14, 16, 18, 20)
"""Characters of a code of level 0 to 10."""


class _Cut(NamedTuple):
    """How one level cuts its parent; `width` 1 is a single digit in Z-order."""

    east: int
    north: int
    width: int


_CUTS = {
    2: _Cut(12, 8, 2),
    3: _Cut(2, 3, 1),
    4: _Cut(15, 10, 2),
    5: _Cut(15, 15, 2),
    6: _Cut(2, 2, 1),
    **{level: _Cut(8, 8, 2) for level in (7, 8, 9, 10)},
}
_SYMBOLS = np.frombuffer(b"0123456789ABCDE", dtype=np.uint8)
_VALUES = np.full(256, 255, dtype=np.uint8)
_VALUES[_SYMBOLS] = np.arange(len(_SYMBOLS))


def beidou_code(lon: ArrayLike, lat: ArrayLike, level: int = 10) -> TextArray:
    """Code of the grid cell in which each place lies.

    Parameters
    ----------
    lon, lat : float, or float64 array of shape (n,)
        Degrees in CGCS2000, lon in [-180, 180], lat within (-88, 88).
    level : int, default 10
        1 (6° x 4°) to 10 (1/2048 second).

    Returns
    -------
    text array, shape (n,)
        4 characters at level 1, 20 at level 10.

    Raises
    ------
    ParameterError
        Outside those ranges: the polar caps are cut by another rule.

    Notes
    -----
    GB/T 39409-2020, formulas B.1 to B.4, in whole cells of level 10. A cell holds its edges
    nearest the equator and the prime meridian; both of these count as N and E, and the date
    line as part of the last cell of either side. A float rarely equals the edge that it stands
    for (116.1° is a whole minute); it counts as on the edge if no other float is nearer to it.

    Examples
    --------
    >>> beidou_code(116.312602777777778, 39.9931611111111, level=8).item()
    'N50J47539B825534'
    >>> beidou_code([0.0, -0.5], [0.0, -0.5], level=2).tolist()
    ['N31A00', 'S30A11']
    """
    if level not in range(1, 11):
        raise ParameterError(f"level: 1 to 10, not {level}")
    x, y = np.broadcast_arrays(
        np.atleast_1d(np.asarray(lon, dtype=np.float64)), np.asarray(lat, dtype=np.float64)
    )
    _check_range("lon", x, np.abs(x) <= 180, "[-180, 180]")
    _check_range(
        "lat", y, np.abs(y) < POLAR_CAP, "(-88, 88): the polar caps have their own rule"
    )
    east, north = np.minimum(_units(x), 180 * UNITS - 1), _units(y)
    symbols = np.empty((LENGTHS[level], len(x)), dtype=np.uint8)
    for deeper in range(10, 1, -1):
        cut, (east, a), (north, b) = _CUTS[deeper], *_divide(deeper, east, north)
        if deeper <= level:
            digits = (a, b) if cut.width == 2 else (2 * b + a,)
            for place, digit in zip(
                range(LENGTHS[deeper - 1], LENGTHS[deeper]), digits, strict=True
            ):
                symbols[place] = _SYMBOLS[digit]
    column = np.where(x >= 0, 31 + east, 30 - east)
    symbols[0] = np.where(y >= 0, ord("N"), ord("S"))
    symbols[1], symbols[2] = _SYMBOLS[column // 10], _SYMBOLS[column % 10]
    symbols[3] = ord("A") + north
    codes = np.ascontiguousarray(symbols.T).view(f"S{LENGTHS[level]}").ravel()
    return codes.astype(TEXT)


def beidou_corner(code: str | Iterable[str]) -> tuple[FloatArray, FloatArray]:
    """Corner of each cell that is nearest to the equator and the prime meridian (定位角点).

    Parameters
    ----------
    code : str, or sequence of str of length n
        Codes of level 1 to 10, also mixed.

    Returns
    -------
    lon, lat : float64 array, shape (n,)
        Degrees in CGCS2000. `beidou_code` of the corner gives the code again, except for the
        southern and western cells at the equator and the prime meridian: these are N and E.

    Raises
    ------
    ParameterError
        With the position of the first character that no code has there.

    Examples
    --------
    >>> beidou_corner("N50J47539B825534")
    (array([116.31259549]), array([39.99315972]))
    >>> beidou_corner(["N31A", "S30B1Z"])
    Traceback (most recent call last):
    cimkit.errors.ParameterError: code 'S30B1Z': position 6 is no part of a BeiDou grid code
    """
    codes = np.array([code] if isinstance(code, str) else list(code), dtype=TEXT)
    for text in codes.tolist():
        if len(text) not in LENGTHS[1:] or not text.isascii():
            raise ParameterError(
                f"code {text!r}: {', '.join(map(str, LENGTHS[1:]))} characters"
            )
    # The corner of a cell is that of its first child, so every code is completed with zeros.
    full = np.array([text.ljust(LENGTHS[10], "0") for text in codes.tolist()], dtype="S20")
    symbols = full.view(np.uint8).reshape(-1, LENGTHS[10])
    values = _VALUES[symbols].astype(np.int64)
    bad = np.zeros(symbols.shape, dtype=np.bool_)
    bad[:, 0] = (symbols[:, 0] != ord("N")) & (symbols[:, 0] != ord("S"))
    column = 10 * values[:, 1] + values[:, 2]
    bad[:, 1:3] = (values[:, 1:3] > 9) | ((column < 1) | (column > 60))[:, None]
    north = symbols[:, 3].astype(np.int64) - ord("A")
    bad[:, 3] = (north < 0) | (north >= POLAR_CAP // 4)
    east = np.where(column > 30, column - 31, 30 - column)
    for level, cut in _CUTS.items():
        digits = values[:, LENGTHS[level - 1] : LENGTHS[level]]
        limits = (cut.east, cut.north) if cut.width == 2 else (cut.east * cut.north,)
        bad[:, LENGTHS[level - 1] : LENGTHS[level]] = digits >= limits
        a, b = digits.T if cut.width == 2 else (digits[:, 0] % 2, digits[:, 0] // 2)
        east, north = east * cut.east + a, north * cut.north + b
    if bad.any():
        row, place = np.argwhere(bad)[0]
        raise ParameterError(
            f"code {codes[row]!r}: position {place + 1} is no part of a BeiDou grid code"
        )
    west, south = column <= 30, symbols[:, 0] == ord("S")
    return np.where(west, -east, east) / UNITS, np.where(south, -north, north) / UNITS


def _check_range(name: str, values: FloatArray, good: NDArray[np.bool_], allowed: str) -> None:
    """Refuse the first value that is not `good`; NaN never is."""
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        raise ParameterError(f"{name}: row {row} is {values[row]}, not within {allowed}")


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
    parents = east // _CUTS[level].east, north // _CUTS[level].north
    return [
        (parents[0], east - parents[0] * _CUTS[level].east),
        (parents[1], north - parents[1] * _CUTS[level].north),
    ]
