"""Roofs as exact planes: flat with parapet and stair house, gable, hip, shed, sawtooth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import shapely
from shapely.geometry import Polygon

from cimkit.sample.shapes import Strip
from cimkit.tables._columns import FloatArray

PARAPET_WIDTH = 0.24
PARAPET_HEIGHT = 1.1
STAIR_HOUSE_HEIGHT = 2.7


class RoofFace(NamedTuple):
    """A face of a roof: ``z = z0 + dz_dx (x - x0) + dz_dy (y - y0)`` over its polygon."""

    part: str
    polygon: Polygon
    x0: float
    y0: float
    z0: float
    dz_dx: float = 0.0
    dz_dy: float = 0.0

    def height(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Height of the plane at places, also beyond the polygon."""
        return self.z0 + self.dz_dx * (x - self.x0) + self.dz_dy * (y - self.y0)

    @property
    def mean_height(self) -> float:
        """Mean height over the polygon: that of a plane is found at the centroid."""
        return float(self.height(*shapely.get_coordinates(self.polygon.centroid)[0]))

    @property
    def z_range(self) -> tuple[float, float]:
        """Heights of the lowest and the highest corner."""
        z = self.height(*shapely.get_coordinates(self.polygon).T)
        return float(z.min()), float(z.max())


def roof_height(faces: Sequence[RoofFace], x: FloatArray, y: FloatArray) -> FloatArray:
    """Height of a roof at places, shape (n,); NaN off the roof and on borders of faces.

    Examples
    --------
    >>> faces = flat_roof(shapely.box(0, 0, 10, 10), 6.0, ())
    >>> roof_height(faces, np.array([5.0, 0.1, -1.0]), np.full(3, 5.0))
    array([6. , 7.1, nan])
    """
    z = np.full(len(x), np.nan)
    for face in faces:
        shapely.prepare(face.polygon)
        inside = shapely.contains_xy(face.polygon, x, y)
        z[inside] = face.height(x[inside], y[inside])
    return z


def flat_roof(
    outline: Polygon, z: float, stair_houses: Sequence[Polygon], upon: Sequence[Polygon] = ()
) -> list[RoofFace]:
    """Lay a deck at `z`, with a parapet along its edge and stair houses (楼梯间) on it.

    What stands `upon` it, the higher parts of a stepped building, is left open.
    """
    within = outline.buffer(-PARAPET_WIDTH, join_style="mitre")
    rim, deck = outline.difference(within), within.difference(shapely.union_all(stair_houses))
    if upon:
        higher = shapely.union_all(upon)
        rim, deck = rim.difference(higher), deck.difference(higher)
    parts = [("parapet", rim, z + PARAPET_HEIGHT), ("deck", deck, z)]
    parts += [("stair house", house, z + STAIR_HOUSE_HEIGHT) for house in stair_houses]
    faces = []
    for part, shape, height in parts:
        for polygon in shapely.get_parts(shape):
            x0, y0 = polygon.exterior.coords[0]
            faces.append(RoofFace(part, polygon, x0, y0, height))
    return faces


def gable_roof(strip: Strip, eave: float, pitch: float) -> list[RoofFace]:
    """Raise two slopes over each segment of the strip, from `eave` by `pitch` to the ridge."""
    spine, left, right, _ = strip
    faces = []
    for k, after in strip.segments():
        faces.append(_slope([right[k], right[after], spine[after], spine[k]], eave, pitch))
        faces.append(_slope([left[after], left[k], spine[k], spine[after]], eave, pitch))
    return faces


def hip_roof(strip: Strip, eave: float, pitch: float) -> list[RoofFace]:
    """Slope the ends of a gable roof as well; the strip must be longer than wide."""
    spine, left, right, _ = strip
    ridge = spine.copy()
    for end, inner in ((0, 1), (-1, -2)):
        half = np.linalg.norm(left[end] - right[end]) / 2.0
        ahead = spine[inner] - spine[end]
        ridge[end] += ahead * (half / np.linalg.norm(ahead))
    ends = [
        _slope([left[0], right[0], ridge[0]], eave, pitch),
        _slope([right[-1], left[-1], ridge[-1]], eave, pitch),
    ]
    return gable_roof(Strip(ridge, left, right), eave, pitch) + ends


def shed_roof(strip: Strip, eave: float, pitch: float) -> list[RoofFace]:
    """Let one slope (单坡) rise from the right side of a straight strip to its left.

    Examples
    --------
    >>> from cimkit.sample.shapes import strip
    >>> shed_roof(strip([(0, 0), (9, 0)], 4.0), 3.0, 0.25)[0].z_range
    (3.0, 4.0)
    """
    _, left, right, _ = strip
    return [_slope([right[0], right[-1], left[-1], left[0]], eave, pitch)]


def sawtooth_roof(strip: Strip, eave: float, pitch: float) -> list[RoofFace]:
    """Let a slope rise along each segment and fall back upright (锯齿形), for light from north.

    Examples
    --------
    >>> from cimkit.sample.shapes import strip
    >>> [f.z_range for f in sawtooth_roof(strip([(0, 0), (8, 0), (16, 0)], 20.0), 7.0, 0.25)]
    [(7.0, 9.0), (7.0, 9.0)]
    """
    _, left, right, _ = strip
    return [
        _slope([left[k], right[k], right[after], left[after]], eave, pitch)
        for k, after in strip.segments()
    ]


def _slope(ring: Sequence[FloatArray], eave: float, pitch: float) -> RoofFace:
    """Make the plane that rises by `pitch` from the first edge of a counter-clockwise ring."""
    along = ring[1] - ring[0]
    along = along / np.linalg.norm(along)
    rise = (float(-along[1] * pitch), float(along[0] * pitch))
    x0, y0 = (float(c) for c in ring[0])
    return RoofFace("slope", Polygon(ring), x0, y0, eave, *rise)
