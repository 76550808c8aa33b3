"""Outlines: strips along a line, which bend to L and U and close to courtyards, and towers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from shapely.geometry import Polygon

from cimkit.tables._columns import FloatArray


class Strip(NamedTuple):
    """A building of even width along a spine, corners mitred; kept to the millimetre.

    ``right[k] .. right[k + 1]`` is parallel to ``spine[k] .. spine[k + 1]``, and so is `left`.
    A closed strip runs counter-clockwise round a courtyard: `right` outside, `left` inside.
    """

    spine: FloatArray
    left: FloatArray
    right: FloatArray
    closed: bool = False

    @property
    def outline(self) -> Polygon:
        """Footprint, outer ring counter-clockwise."""
        if self.closed:
            return Polygon(self.right, [self.left])
        return Polygon(np.concatenate([self.right, self.left[::-1]]))

    def segments(self) -> list[tuple[int, int]]:
        """Pairs of vertex numbers along the spine."""
        n = len(self.spine)
        return [(k, (k + 1) % n) for k in range(n if self.closed else n - 1)]

    def cut(self) -> list[Strip]:
        """One strip for each segment; neighbours share their wall to the last bit."""
        pairs = ([first, second] for first, second in self.segments())
        return [Strip(self.spine[p], self.left[p], self.right[p]) for p in pairs]


def strip(spine: ArrayLike, width: float, *, closed: bool = False) -> Strip:
    """Lay a strip of `width` metres along the points of `spine`, shape (n, 2).

    Examples
    --------
    >>> strip([[0, 0], [20, 0], [20, 20]], 10).outline.area
    400.0
    >>> len(strip([[0, 0], [20, 0], [20, 20], [0, 20]], 6, closed=True).outline.interiors)
    1
    """
    line = np.asarray(spine, dtype=np.float64)
    ahead = np.roll(line, -1, axis=0) - line
    ahead /= np.linalg.norm(ahead, axis=1)[:, np.newaxis]
    after = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1)
    before = np.roll(after, 1, axis=0)
    if not closed:
        before[0], after[-1] = after[0], after[-2]
    mitre = (before + after) / (1.0 + (before * after).sum(axis=1))[:, np.newaxis]
    reach = mitre * (width / 2.0)
    return Strip(line.round(3), (line + reach).round(3), (line - reach).round(3), closed)


def cross(width: float, depth: float, notch: float) -> FloatArray:
    """Ring of a point tower: a rectangle round the origin, each corner cut out by `notch`.

    The first edge is the middle of the southern front.

    Examples
    --------
    >>> Polygon(cross(26.0, 22.0, 4.0)).area
    508.0
    """
    u, v, n = width / 2.0, depth / 2.0, notch
    ring = [(n - u, -v), (u - n, -v), (u - n, n - v), (u, n - v), (u, v - n), (u - n, v - n)]
    return np.array(ring + [(-x, -y) for x, y in ring])


def rectangle(u: float, v: float, width: float, depth: float) -> FloatArray:
    """Ring of a rectangle round (u, v).

    Examples
    --------
    >>> Polygon(rectangle(5.0, 5.0, 2.0, 3.0)).bounds
    (4.0, 3.5, 6.0, 6.5)
    """
    corners = np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)])
    ring: FloatArray = corners * (width / 2.0, depth / 2.0) + np.array((u, v))
    return ring
