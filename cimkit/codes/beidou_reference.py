"""BeiDou reference code (北斗参考网格位置码): a cell by its offset from a known one nearby.

``C0-MN-M'N'...``: C0 is the code of a cell of level 5 or finer, M and N say how many cells of
that level the target lies to the east and to the north of it, one character each: 0 to 7, and A
to G for -1 to -7. Further pairs are the digits of the target's deeper levels; west of the prime
meridian and south of the equator, where cells are counted the other way, they are letters too.
Offsets are in true directions in all hemispheres, also across the equator and the meridians.
"""

from __future__ import annotations

import re

import numpy as np

from cimkit.codes.beidou import cells_of_codes
from cimkit.codes.beidou_cells import (
    CUTS,
    LENGTHS,
    POLAR_CAP,
    UNITS,
    VALUES,
    Cells,
    symbols_of_cells,
    text_of_symbols,
)
from cimkit.errors import ParameterError

LEVEL_MIN = 5
"""The standard takes cells of 4 seconds or finer: reference and target are neighbours."""

OFFSET_MAX = 7

_OFFSETS = "01234567GFEDCBA"
"""Characters of the offsets 0 to 7 and, from the end, -1 to -7."""


def reference_code(code: str, reference: str) -> str:
    """The code of a cell, written as an offset from a reference cell.

    Parameters
    ----------
    code : str
        Cell of the level of `reference`, or finer.
    reference : str
        Cell of level 5 or finer, at most seven cells away in both directions.

    Raises
    ------
    ParameterError
        If one of the two is no code, the reference too coarse, or too far away.

    Examples
    --------
    >>> reference_code("N50J475493E", "N50J475491E")
    'N50J475491E-20'
    >>> reference_code("N50J475491E2", "N50J475493E")
    'N50J475493E-B0-01'
    """
    cells, levels = cells_of_codes([code, reference])
    deep, level = levels.tolist()
    if level < LEVEL_MIN:
        raise ParameterError(f"reference {reference!r}: level {level}, at least {LEVEL_MIN}")
    if deep < level:
        raise ParameterError(f"code {code!r}: level {deep}, coarser than the reference")
    (east, north), (east_0, north_0) = (_signed(cells, row, level) for row in (0, 1))
    around = 360 * UNITS // _size(level)[0]
    offset = (east - east_0 + around // 2) % around - around // 2, north - north_0
    if max(map(abs, offset)) > OFFSET_MAX:
        raise ParameterError(
            f"reference {reference!r}: {offset[0]} cells east and {offset[1]} north of it lies "
            f"the target, at most {OFFSET_MAX}; choose one nearer"
        )
    pairs = [offset]
    for deeper in range(level + 1, deep + 1):
        a, b = _digits(code[LENGTHS[deeper - 1] : LENGTHS[deeper]])
        pairs.append((-a if cells.west[0] else a, -b if cells.south[0] else b))
    return reference + "".join(f"-{_OFFSETS[a]}{_OFFSETS[b]}" for a, b in pairs)


def code_of_reference(text: str) -> str:
    """The code of the cell that a reference code means.

    Parameters
    ----------
    text : str
        As from `reference_code`.

    Raises
    ------
    ParameterError
        If it is no reference code, or means no cell.

    Examples
    --------
    >>> code_of_reference("N50J475493E-B0"), code_of_reference("N50J475493E-B0-01")
    ('N50J475491E', 'N50J475491E2')
    """
    parts = re.fullmatch(r"([^-]+)((?:-[0-7A-G]{2})+)", text)
    if not parts:
        raise ParameterError(
            f"code {text!r}: a code and pairs of 0-7 or A-G expected, C0-MN-M'N'"
        )
    reference = parts[1]
    cells, levels = cells_of_codes(reference)
    level = int(levels[0])
    pairs = [
        (_offset(pair[0]), _offset(pair[1])) for pair in parts[2].removeprefix("-").split("-")
    ]
    if level < LEVEL_MIN or level + len(pairs) - 1 > 10:
        raise ParameterError(f"code {text!r}: levels {LEVEL_MIN} to 10 have reference codes")
    (width, height), (east, north) = _size(level), _signed(cells, 0, level)
    around, top = 360 * UNITS // width, POLAR_CAP * UNITS // height
    east = (east + pairs[0][0] + around // 2) % around - around // 2
    north += pairs[0][1]
    if not -top <= north < top:
        raise ParameterError(
            f"code {text!r}: means a cell in the polar cap, which has its own rule"
        )
    west, south = east < 0, north < 0
    x, y = (~east if west else east) * width, (~north if south else north) * height
    for deeper, (a, b) in enumerate(pairs[1:], start=level + 1):
        a, b = -a if west else a, -b if south else b
        if not (0 <= a < CUTS[deeper].east and 0 <= b < CUTS[deeper].north):
            raise ParameterError(f"code {text!r}: level {deeper} has no such cell")
        x, y = x + a * _size(deeper)[0], y + b * _size(deeper)[1]
    target = Cells(*(np.array([value]) for value in (x, y, west, south)))
    return str(text_of_symbols(symbols_of_cells(target, level + len(pairs) - 1)).item())


def _size(level: int) -> tuple[int, int]:
    """Width and height of a cell, in cells of level 10."""
    width, height = 6 * UNITS, 4 * UNITS
    for deeper in range(2, level + 1):
        width, height = width // CUTS[deeper].east, height // CUTS[deeper].north
    return width, height


def _signed(cells: Cells, row: int, level: int) -> tuple[int, int]:
    """Column and row of a cell, rising to the east and the north through 0."""
    width, height = _size(level)
    east, north = int(cells.east[row]) // width, int(cells.north[row]) // height
    return ~east if cells.west[row] else east, ~north if cells.south[row] else north


def _digits(part: str) -> tuple[int, int]:
    """Column and row in the parent, from the characters of one level."""
    values = VALUES[[ord(symbol) for symbol in part]].tolist()
    return (values[0] % 2, values[0] // 2) if len(values) == 1 else (values[0], values[1])


def _offset(symbol: str) -> int:
    """Number that one character means."""
    place = _OFFSETS.index(symbol)
    return place if place <= OFFSET_MAX else place - len(_OFFSETS)
