"""Three-dimensional BeiDou grid location code (北斗三维网格位置码, GB/T 39409-2020).

The characters of the place (`cimkit.codes.beidou`) and of the height
(`cimkit.codes.beidou_height`, which also says where the standard is unclear) in turn, level by
level: 32 at level 10. Cut off at the length of a coarser level, a code names the parent cell.

It is a location, not an identity: two buildings one above the other differ only where their
heights do.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from cimkit.codes.beidou import degrees_of_cells
from cimkit.codes.beidou_cells import (
    LENGTHS,
    Cells,
    cells_of_places,
    cells_of_symbols,
    check_level,
    refuse_bad,
    symbols_of_cells,
    symbols_of_text,
    text_of_symbols,
)
from cimkit.codes.beidou_height import (
    HEIGHT_LENGTHS,
    faces_of_layers,
    layers_of_heights,
    layers_of_symbols,
    symbols_of_layers,
)
from cimkit.codes.text import as_texts
from cimkit.errors import ParameterError
from cimkit.tables._columns import FloatArray, TextArray

LENGTHS_3D = tuple(a + b for a, b in zip(LENGTHS, HEIGHT_LENGTHS, strict=True))
"""Characters of a code of level 0 to 10."""


def _places() -> tuple[list[int], list[int]]:
    """Where the characters of the place and of the height stand."""
    plane, height = [0], [1]
    for level in range(1, 11):
        width = LENGTHS[level] - LENGTHS[level - 1]
        start = LENGTHS_3D[level - 1]
        plane += range(start, start + width)
        height += range(start + width, LENGTHS_3D[level])
    return plane, height


_PLANE, _HEIGHT = _places()


def beidou_code_3d(
    lon: ArrayLike, lat: ArrayLike, height: ArrayLike, level: int = 10
) -> TextArray:
    """Code of the grid cell in which each place lies.

    Parameters
    ----------
    lon, lat : float, or float64 array of shape (n,)
        Degrees in CGCS2000, as in `cimkit.codes.beidou.beidou_code`.
    height : float, or float64 array of shape (n,)
        Metres above the ellipsoid (大地高), not of the 1985 datum.
    level : int, default 10
        1 to 10 (1.5 cm each way).

    Returns
    -------
    text array, shape (n,)
        7 characters at level 1, 32 at level 10.

    Raises
    ------
    ParameterError
        If a value is no number or out of range.

    Examples
    --------
    >>> beidou_code_3d(116.312602777777778, 39.9931611111111, 50.0).item()
    'N050J0047050390B8020556344611524'
    >>> beidou_code_3d(116.312602777777778, 39.9931611111111, [50.0, -50.0], level=2).tolist()
    ['N050J00470', 'N150J00470']
    """
    check_level(level)
    cells = cells_of_places(lon, lat)
    metres = np.atleast_1d(np.asarray(height, dtype=np.float64))
    n = np.broadcast_shapes(cells.east.shape, metres.shape)
    layers = np.broadcast_to(layers_of_heights(metres), n)
    cells = Cells(*(np.broadcast_to(part, n) for part in cells))
    symbols = np.empty((LENGTHS_3D[level], *n), dtype=np.uint8)
    symbols[_PLANE[: LENGTHS[level]]] = symbols_of_cells(cells, level)
    symbols[_HEIGHT[: HEIGHT_LENGTHS[level]]] = symbols_of_layers(layers, level)
    return text_of_symbols(symbols)


def beidou_corner_3d(
    code: str | Iterable[str],
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Corner of each cell that is nearest to the equator and the prime meridian, and its faces.

    Parameters
    ----------
    code : str, or sequence of str of length n
        Codes of level 1 to 10, also mixed.

    Returns
    -------
    lon, lat : float64 array, shape (n,)
        Degrees in CGCS2000.
    low, high : float64 array, shape (n,)
        Heights of the lower and the upper face, metres above the ellipsoid. `beidou_code_3d`
        of lon, lat and low gives the code again, except at the equator and the prime meridian.

    Raises
    ------
    ParameterError
        With the position of the first character that no code has there.

    Examples
    --------
    >>> lon, lat, low, high = beidou_corner_3d("N050J0047050390B8020556344611524")
    >>> lon.round(6).item(), lat.round(6).item(), low.round(3).item(), high.round(3).item()
    (116.312603, 39.993161, 49.995, 50.01)
    """
    codes = as_texts(code)
    symbols, level = symbols_of_text(codes, LENGTHS_3D)
    cells, bad_plane = cells_of_symbols(symbols[:, _PLANE])
    layer, below, bad_height = layers_of_symbols(symbols[:, _HEIGHT], level)
    bad = np.zeros(symbols.shape, dtype=np.bool_)
    bad[:, _PLANE], bad[:, _HEIGHT] = bad_plane, bad_height
    refuse_bad(codes, bad, "BeiDou 3D grid code")
    return *degrees_of_cells(cells), *faces_of_layers(layer, below, level)


def split_code(code: str) -> tuple[str, str]:
    """The code of the place and the code of the height in one.

    Examples
    --------
    >>> split_code("N036J0093000780B3010010520430140")
    ('N36J93078B3101524314', '000000000000')
    """
    if len(code) not in LENGTHS_3D[1:]:
        lengths = ", ".join(map(str, LENGTHS_3D[1:]))
        raise ParameterError(f"code {code!r}: {lengths} characters expected")
    return (
        "".join(code[k] for k in _PLANE if k < len(code)),
        "".join(code[k] for k in _HEIGHT if k < len(code)),
    )
