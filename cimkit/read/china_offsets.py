"""The offset coordinates of Chinese web maps (火星坐标): GCJ-02 and BD-09.

GCJ-02 shifts a place within China by up to some 700 m, by a smooth function of longitude and
latitude; BD-09 turns that once more. No EPSG code names them, and no authority has published
the function: what stands here is the form in which it is known and in use everywhere. It has
no closed inverse. The inverse is found by fixed point iteration, for the shift changes by less
than one part in a hundred of the way.

The datum is WGS 84, which CGCS2000 equals to within decimetres.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from cimkit.read.crs import parse_crs, reproject, working_crs
from cimkit.tables._columns import BoolArray, FloatArray

SYSTEMS = ("GCJ02", "BD09")
"""As written without hyphens, in capitals."""

SEMI_MAJOR = 6378245.0
"""Metres, and the square of the eccentricity: the ellipsoid of Krasovsky, as GCJ-02 has it."""
ECCENTRICITY_SQUARED = 0.00669342162296594323

WEST, EAST, SOUTH, NORTH = 72.004, 137.8347, 0.8293, 55.8271
"""Degrees. Outside this box GCJ-02 shifts nothing."""

GEODETIC = "EPSG:4326"
"""What the coordinates are in, once the shift is taken back."""

NEAR, MISSES_MIN = 3.0, 0.5
"""Metres within which a point belongs to a footprint; share of points that must not."""

_SAMPLE, _SAMPLE_MIN = 2000, 20

_ORIGIN = 105.0, 35.0
_BD_TURN = np.pi * 3000.0 / 180.0
_BD_SHIFT = 0.0065, 0.006

_STEPS = 12
"""Of the iteration. Each gains three digits or so; five reach the last bit of a double."""


def from_web_map(xy: FloatArray, system: str) -> FloatArray:
    """Longitude and latitude in WGS 84 from those of a Chinese web map.

    Parameters
    ----------
    xy : float64 array, shape (n, 2)
        Longitude and latitude in degrees; NaN stays NaN.
    system : str
        One of `SYSTEMS`, in any case, with or without a hyphen.

    Returns
    -------
    float64 array, shape (n, 2)

    Raises
    ------
    KeyError
        On another system.

    Examples
    --------
    >>> from_web_map(np.array([[111.3, 30.7]]), "GCJ-02").round(5)
    array([[111.29432,  30.70242]])
    """
    return {"GCJ02": gcj02_to_wgs84, "BD09": bd09_to_wgs84}[plain_name(system)](xy)


def is_web_map(system: str) -> bool:
    """Whether a name means one of `SYSTEMS`."""
    return plain_name(system) in SYSTEMS


def looks_shifted(xy: FloatArray, footprints: NDArray[np.object_], crs: str) -> str:
    """The web map whose shift would bring most points onto footprints; "" for none.

    Nothing is corrected by it: it is a hint. Few points must lie on a footprint as they are,
    and more than half, and three times as many, with the shift taken back.

    Parameters
    ----------
    xy : float64 array, shape (n, 2)
        Points in the working CRS; NaN without a place.
    footprints : array of Polygon
        In the working CRS.
    crs : str
        Working CRS.
    """
    xy = xy[np.isfinite(xy).all(axis=1)]
    xy = xy[:: max(1, len(xy) // _SAMPLE)]
    if len(xy) < _SAMPLE_MIN or not len(footprints):
        return ""
    tree = shapely.STRtree(footprints)

    def share(places: FloatArray) -> float:
        hit, _ = tree.query(shapely.points(places), "dwithin", distance=NEAR)
        return len(np.unique(hit)) / len(places)

    target, degrees = working_crs(crs), parse_crs(GEODETIC)
    as_is = share(xy)
    if as_is > MISSES_MIN:
        return ""
    lonlat = reproject(xy, target, degrees)
    if not is_shifted(lonlat).all():
        return ""
    for system, name in zip(SYSTEMS, ("GCJ-02", "BD-09"), strict=True):
        moved = share(reproject(from_web_map(lonlat, system), degrees, target))
        if moved > max(MISSES_MIN, 3 * as_is):
            return name
    return ""


def plain_name(system: str) -> str:
    """Name of a system as in `SYSTEMS`.

    Examples
    --------
    >>> plain_name("gcj-02")
    'GCJ02'
    """
    return system.strip().upper().replace("-", "").replace("_", "")


def is_shifted(xy: FloatArray) -> BoolArray:
    """Whether GCJ-02 shifts places at all, shape (n,)."""
    lon, lat = xy.T
    inside: BoolArray = (lon >= WEST) & (lon <= EAST) & (lat >= SOUTH) & (lat <= NORTH)
    return inside


def wgs84_to_gcj02(xy: FloatArray) -> FloatArray:
    """Shift places within China; others stay, shape (n, 2)."""
    return np.asarray(xy + np.where(is_shifted(xy)[:, None], _shift(xy), 0.0))


def gcj02_to_wgs84(xy: FloatArray) -> FloatArray:
    """Take the shift of `wgs84_to_gcj02` back, shape (n, 2)."""
    inside, found = is_shifted(xy)[:, None], xy.copy()
    for _ in range(_STEPS):
        found = np.where(inside, xy - _shift(found), xy)
    return found


def gcj02_to_bd09(xy: FloatArray) -> FloatArray:
    """Turn places of GCJ-02 into those of BD-09, shape (n, 2)."""
    return np.asarray(_bd_turn(xy) + np.array(_BD_SHIFT))


def bd09_to_gcj02(xy: FloatArray) -> FloatArray:
    """Take the turn of `gcj02_to_bd09` back, shape (n, 2)."""
    wanted = xy - np.array(_BD_SHIFT)
    found = wanted.copy()
    for _ in range(_STEPS):
        found = found + (wanted - _bd_turn(found))
    return np.asarray(found)


def bd09_to_wgs84(xy: FloatArray) -> FloatArray:
    """Both inverses, one after the other, shape (n, 2)."""
    return gcj02_to_wgs84(bd09_to_gcj02(xy))


def wgs84_to_bd09(xy: FloatArray) -> FloatArray:
    """Both ways forth, one after the other, shape (n, 2)."""
    return gcj02_to_bd09(wgs84_to_gcj02(xy))


def _bd_turn(xy: FloatArray) -> FloatArray:
    """BD-09 before its constant shift: longer and turned a little, by place."""
    lon, lat = xy.T
    length = np.hypot(lon, lat) + 2e-5 * np.sin(lat * _BD_TURN)
    angle = np.arctan2(lat, lon) + 3e-6 * np.cos(lon * _BD_TURN)
    return np.column_stack([length * np.cos(angle), length * np.sin(angle)])


def _shift(xy: FloatArray) -> FloatArray:
    """How far GCJ-02 moves places, in degrees, shape (n, 2)."""
    x, y = (xy - np.array(_ORIGIN)).T
    root = np.sqrt(np.abs(x))
    common = (20 * np.sin(6 * np.pi * x) + 20 * np.sin(2 * np.pi * x)) * 2 / 3
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + common
    north += (20 * np.sin(np.pi * y) + 40 * np.sin(np.pi * y / 3)) * 2 / 3
    north += (160 * np.sin(np.pi * y / 12) + 320 * np.sin(np.pi * y / 30)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + common
    east += (20 * np.sin(np.pi * x) + 40 * np.sin(np.pi * x / 3)) * 2 / 3
    east += (150 * np.sin(np.pi * x / 12) + 300 * np.sin(np.pi * x / 30)) * 2 / 3
    latitude = np.radians(xy[:, 1])
    w_squared = 1 - ECCENTRICITY_SQUARED * np.sin(latitude) ** 2
    w = np.sqrt(w_squared)
    meridian = SEMI_MAJOR * (1 - ECCENTRICITY_SQUARED) / (w_squared * w)
    parallel = SEMI_MAJOR / w * np.cos(latitude)
    degrees: FloatArray = np.degrees(np.column_stack([east / parallel, north / meridian]))
    return degrees
