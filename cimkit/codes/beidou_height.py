"""Height part of the three-dimensional BeiDou grid location code (GB/T 39409-2020, annex C).

Heights are cut into layers that grow with the distance from the centre of the earth, so that
cells stay about as high as wide: layer n begins at ``r0 (1 + pi/180)^(n/7372800) - r0``, the
first above the ellipsoid is 1.5 cm thick. n has 31 bits. A code of level 10 writes them with
the sign in 12 characters, and begins with the coarse ones, so that a code cut off names the
layer of a coarser level.

Heights are above the ellipsoid of CGCS2000 (大地高). A height of the 1985 datum needs the
height of the geoid added first: tens of metres in China, thousands of layers.

Where the standard contradicts itself or is silent:

1. The sixth and seventh character are four bits wide, but the text allows 0 to E only: angles
   are cut by 60, bits by 2. Taken literally, formulas C.3 and C.4 write **F** there, at
   level 10 first between 1,839.59 and 1,962.24 m. This module does as the formulas say, and
   reads F. Below 1,839 m both readings agree.
2. Below the ellipsoid the text asks for a first character 1, but does not say how n is written.
   This module writes its magnitude, as other implementations do: -100 m, n = -6681, has the
   digits of 6681.
3. C.5 carries above "1" in characters that count to 7: a misprint for 7.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Context, Decimal

import numpy as np
from numpy.typing import ArrayLike

from cimkit.codes.beidou_cells import (
    SYMBOLS,
    VALUES,
    check_level,
    check_range,
    refuse_bad,
    symbols_of_text,
    text_of_symbols,
)
from cimkit.codes.text import as_texts
from cimkit.tables._columns import BoolArray, ByteArray, FloatArray, IntArray, TextArray

RADIUS = 6_378_137
"""Metres: semi-major axis of the ellipsoid of CGCS2000."""

LAYERS = 7_372_800
"""Layers in which the distance from the centre grows by the factor 1 + pi/180."""

LAYER_MAX = 2**31 - 1
"""Largest number of a layer, up or down: 979,000 km above, 6,337 km below the ellipsoid."""

HEIGHT_LENGTHS = (1, *range(3, 13))
"""Characters of a height code of level 0 to 10."""

_WIDTHS = (3, 1, 4, 4, 1, 3, 3, 3, 3)
"""Bits in the fourth to twelfth character, a3 to a11; a1a2 before them hold six."""

_EXACT = Context(prec=50)
"""Arithmetic of exact layer borders: the 17 digits of a float more than twice."""

_PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459")
_STEP = _EXACT.divide(_EXACT.ln(_EXACT.add(1, _EXACT.divide(_PI, 180))), LAYERS)
_STEP_FLOAT = float(_STEP)


def height_code(height: ArrayLike, level: int = 10) -> TextArray:
    """Height part of the code of each place.

    Parameters
    ----------
    height : float, or float64 array of shape (n,)
        Metres above the ellipsoid.
    level : int, default 10
        1 to 10. One layer of level 10 is 1.5 cm thick, of level 5 (the cells of 4 seconds)
        123 m.

    Returns
    -------
    text array, shape (n,)
        3 characters at level 1, 12 at level 10.

    Raises
    ------
    ParameterError
        If a height is beyond `LAYER_MAX`, or no number.

    Notes
    -----
    Which layer a height lies in is computed in floating point where that decides, and with 50
    decimal digits where a border is too near. No height but 0 lies exactly on a border: it
    would make pi the root of a polynomial. As with longitude and latitude, the float nearest
    to a border counts as on it, so a layer's `height_faces` come back as its code.

    Examples
    --------
    >>> height_code([0.0, 50.0, 8848.86, -100.0]).tolist()
    ['000000000000', '000000006414', '000004801646', '100000015031']
    >>> height_code(50.0, level=8).tolist()
    ['0000000064']
    """
    check_level(level)
    metres = np.atleast_1d(np.asarray(height, dtype=np.float64))
    return text_of_symbols(symbols_of_layers(layers_of_heights(metres), level))


def height_faces(code: str | Iterable[str]) -> tuple[FloatArray, FloatArray]:
    """Lower and upper face of the layer that each code names.

    Parameters
    ----------
    code : str, or sequence of str of length n
        Codes of level 1 to 10, also mixed.

    Returns
    -------
    low, high : float64 array, shape (n,)
        Metres above the ellipsoid, each the float nearest to the true face. A height h has the
        code where ``low <= h < high``.

    Raises
    ------
    ParameterError
        With the position of the first character that no code has there. ``100000000000``
        names nothing: layer 0 is written above the ellipsoid.

    Examples
    --------
    >>> low, high = height_faces(["000000006414", "10000001"])
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([49.995, -122.605], [50.01, -61.295])
    """
    codes = as_texts(code)
    symbols, level = symbols_of_text(codes, HEIGHT_LENGTHS)
    layer, below, bad = layers_of_symbols(symbols, level)
    refuse_bad(codes, bad, "BeiDou height code")
    return faces_of_layers(layer, below, level)


def layers_of_heights(metres: FloatArray) -> IntArray:
    """Number of the layer of level 10 in which each height lies, negative below 0."""
    top, bottom = _face(LAYER_MAX), _face(-LAYER_MAX)
    good = (metres < top) & (metres >= bottom)
    check_range("height", metres, good, f"[{bottom:.0f}, {top:.0f}) metres")
    share: FloatArray = metres / RADIUS
    estimate = np.log1p(share) / _STEP_FLOAT
    layer: IntArray = np.floor(estimate).astype(np.int64)
    # Rounding errors of the estimate, the borders and the height: some ten units in the last
    # place, of the estimate and of the height alike.
    nearest = np.rint(estimate)
    slack = 2e-15 * (np.abs(estimate) + np.abs(share) / (1.0 + share) / _STEP_FLOAT)
    close = np.flatnonzero((np.abs(estimate - nearest) <= slack) & (metres != 0.0))
    if len(close):
        border = nearest[close].astype(np.int64)
        layer[close] = border - (metres[close] < _faces(border))
    return layer


def symbols_of_layers(layer: IntArray, level: int) -> ByteArray:
    """Characters of height codes, shape (HEIGHT_LENGTHS[level], n)."""
    magnitude = np.abs(layer)
    symbols = np.empty((HEIGHT_LENGTHS[level], len(layer)), dtype=np.uint8)
    symbols[0] = np.where(layer < 0, ord("1"), ord("0"))
    sheet = magnitude >> sum(_WIDTHS)
    symbols[1], symbols[2] = SYMBOLS[sheet // 10], SYMBOLS[sheet % 10]
    for place in range(3, len(symbols)):
        finer = sum(_WIDTHS[place - 2 :])
        digit = (magnitude >> finer) & ((1 << _WIDTHS[place - 3]) - 1)
        symbols[place] = SYMBOLS[digit]
    return symbols


def layers_of_symbols(
    symbols: ByteArray, level: IntArray
) -> tuple[IntArray, BoolArray, BoolArray]:
    """Layers by the magnitude of their number, whether they lie below, and bad characters.

    Parameters
    ----------
    symbols : uint8 array, shape (n, 12)
        Codes coarser than level 10 are completed by zeros.
    level : int64 array, shape (n,)

    Returns
    -------
    magnitude : int64 array, shape (n,)
        Least magnitude of the layers of level 10 in the layer.
    below, bad : bool array, shape (n,) and (n, 12)
    """
    values = VALUES[symbols].astype(np.int64)
    bad = np.zeros(symbols.shape, dtype=np.bool_)
    bad[:, 0] = values[:, 0] > 1
    magnitude = 10 * values[:, 1] + values[:, 2]
    bad[:, 1:3] = (values[:, 1:3] > 9) | (magnitude > 63)[:, None]
    for place, width in enumerate(_WIDTHS, start=3):
        bad[:, place] = values[:, place] >= 1 << width
        magnitude = (magnitude << width) + values[:, place]
    below = values[:, 0] == 1
    bad[:, 0] |= below & (magnitude == 0) & (level == 10)
    return magnitude, below, bad


def faces_of_layers(
    magnitude: IntArray, below: BoolArray, level: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Lower and upper face of layers of any level, metres above the ellipsoid."""
    thickness = np.array([1 << sum(_WIDTHS[k:]) for k in range(10)], np.int64)[level - 1]
    low = np.where(below, 1 - magnitude - thickness, magnitude)
    high = np.where(below, np.minimum(1 - magnitude, 0), magnitude + thickness)
    return _faces(low), _faces(high)


def _faces(layer: IntArray) -> FloatArray:
    """Lower face of each layer; a city has few different ones."""
    different, place = np.unique(layer, return_inverse=True)
    faces = np.array([_face(n) for n in different.tolist()], dtype=np.float64)
    return faces[place]


def _face(layer: int) -> float:
    """The float nearest to the lower face of a layer."""
    growth = _EXACT.exp(_EXACT.multiply(_STEP, layer))
    return float(_EXACT.multiply(RADIUS, _EXACT.subtract(growth, 1)))
