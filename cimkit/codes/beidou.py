"""Two-dimensional BeiDou grid location code (北斗网格位置码, GB/T 39409-2020).

The globe is cut ten times, from sheets of 6° x 4° down to cells of 1/2048 second (1.5 cm). Cut
off at the length of a coarser level, a code names the parent cell, so the order of codes is an
order in space. All four hemispheres are mirrored: cells are counted away from the equator and
the prime meridian. With height: `cimkit.codes.beidou_3d`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from cimkit.codes.beidou_cells import (
    LENGTHS,
    UNITS,
    Cells,
    cells_of_places,
    cells_of_symbols,
    check_level,
    refuse_bad,
    symbols_of_cells,
    symbols_of_text,
    text_of_symbols,
)
from cimkit.codes.text import as_texts
from cimkit.tables._columns import FloatArray, IntArray, TextArray


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
    nearest the equator and the prime meridian; both of these count as N and E (the standard
    does not say, and one other implementation writes S for latitude 0), and the date line as
    part of the last cell of either side. A float rarely equals the edge that it stands for
    (116.1° is a whole minute); it counts as on the edge if no other float is nearer to it.

    Examples
    --------
    >>> beidou_code(116.312602777777778, 39.9931611111111, level=8).item()
    'N50J47539B825534'
    >>> beidou_code([0.0, -0.5], [0.0, -0.5], level=2).tolist()
    ['N31A00', 'S30A11']
    """
    check_level(level)
    return text_of_symbols(symbols_of_cells(cells_of_places(lon, lat), level))


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
    cells, _ = cells_of_codes(code)
    return degrees_of_cells(cells)


def cells_of_codes(code: str | Iterable[str]) -> tuple[Cells, IntArray]:
    """Cells and levels of codes; raises as `beidou_corner` does."""
    codes = as_texts(code)
    symbols, level = symbols_of_text(codes, LENGTHS)
    cells, bad = cells_of_symbols(symbols)
    refuse_bad(codes, bad, "BeiDou grid code")
    return cells, level


def degrees_of_cells(cells: Cells) -> tuple[FloatArray, FloatArray]:
    """Longitude and latitude of the corners of cells, each the float nearest to it."""
    return (
        np.where(cells.west, -cells.east, cells.east) / UNITS,
        np.where(cells.south, -cells.north, cells.north) / UNITS,
    )
