"""Colours of buildings by an attribute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

RAMP = ((68, 78, 140), (52, 129, 142), (63, 176, 124), (168, 212, 90), (250, 228, 100))
"""From low to high: evenly rising lightness, so it reads in grey and by the colour-blind."""

CATEGORIES = (
    *((0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167)),
    *((86, 180, 233), (213, 94, 0), (240, 228, 66)),
)
"""Colours that the colour-blind tell apart (Okabe and Ito 2008); further values share grey."""

UNKNOWN = (200, 200, 200)

EXTREME = 0.02
"""Part of the values at either end that take the end of the ramp: one tower must not make all
other buildings look alike."""


def colors_by(column: NDArray[Any]) -> NDArray[np.uint8]:
    """Colour of each row, shape (n, 4): red, green, blue, alpha.

    Parameters
    ----------
    column : array, shape (n,)
        Numbers take a ramp (NaN: grey). Texts take a colour each, in the order of how often
        they occur ("" and what is not among the first seven: grey).

    Examples
    --------
    >>> colors_by(np.array([1.0, 2.0, np.nan])).tolist()
    [[68, 78, 140, 255], [250, 228, 100, 255], [200, 200, 200, 255]]
    """
    colors = np.full((len(column), 4), (*UNKNOWN, 255), dtype=np.uint8)
    if column.dtype.kind in "iuf":
        numbers = column.astype(np.float64)
        known = np.isfinite(numbers)
        if known.any():
            low, high = np.quantile(numbers[known], [EXTREME, 1 - EXTREME])
            share = np.clip((numbers[known] - low) / max(high - low, 1e-12), 0, 1)
            stops = np.linspace(0, 1, len(RAMP))
            mixed = [np.interp(share, stops, np.array(RAMP)[:, k]) for k in range(3)]
            colors[known, :3] = np.rint(np.column_stack(mixed))
        return colors
    values, count = np.unique(column.astype(object), return_counts=True)
    by_count = sorted(zip(-count, values.tolist(), strict=True))
    named = [value for _, value in by_count if value][: len(CATEGORIES)]
    for value, color in zip(named, CATEGORIES, strict=False):
        colors[np.asarray(column == value), :3] = color
    return colors
