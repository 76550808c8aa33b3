"""The lie of the land: gentle slopes, and along the southern edge a dike and the river."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cimkit.sample.layout import ORIGIN, to_grid
from cimkit.tables._columns import FloatArray

RIVER_BANK, RIVER_EDGE = -90.0, -130.0
"""Grid coordinate v of the water's edge, and of the end of all that is surveyed."""

WATER = 30.0
"""Height of the river, metres."""

DIKE_AXIS, DIKE_HALF, DIKE_CROWN = -52.0, 4.0, 41.5
"""The dike (大堤): v of its axis, half the width and the height of its crown."""

DIKE_SLOPE = 1.0 / 3.0

FORELAND, BED = 33.0, 26.0
"""Height of the flat between dike and river (外滩), and of the bed of the river."""


def ground_height(x: ArrayLike, y: ArrayLike) -> FloatArray:
    """Height of the open ground at map coordinates; below the water that of the bed.

    Examples
    --------
    >>> from cimkit.sample.layout import to_map
    >>> float(ground_height(*to_map(60.0, DIKE_AXIS)))
    41.5
    """
    east, north = np.asarray(x) - ORIGIN[0], np.asarray(y) - ORIGIN[1]
    slope = 5.0 * np.sin((east + 0.5 * north) / 330.0)
    city: FloatArray = 34.0 + slope + 0.6 * np.sin(east / 31.0) * np.cos(north / 43.0)
    _, v = to_grid(x, y)
    if np.all(v >= 0.0):
        return city
    away = np.maximum(np.abs(v - DIKE_AXIS) - DIKE_HALF, 0.0)
    dike = DIKE_CROWN - DIKE_SLOPE * away
    bank = WATER + DIKE_SLOPE * (v - RIVER_BANK)
    outside = np.maximum(np.minimum(FORELAND, bank), BED)
    height: FloatArray = np.maximum(np.where(v > DIKE_AXIS, city, outside), dike)
    return height


def is_water(x: ArrayLike, y: ArrayLike) -> NDArray[np.bool_]:
    """Whether the river covers the places."""
    _, v = to_grid(x, y)
    wet: NDArray[np.bool_] = v < RIVER_BANK
    return wet
