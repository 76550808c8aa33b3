"""Where a city stands on the ellipsoid: from its CRS to earth-centred coordinates, exactly."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyproj
import pyproj.network

from cimkit.errors import CrsError
from cimkit.kernels.surface_polynomial import surface_through, surface_values
from cimkit.write.gltf import column_range

if TYPE_CHECKING:
    from cimkit.tables._columns import FloatArray


FAST_M = 1e-4
"""Metres that a fast projection may be off; a step of a leaf is 0.5 to 1 cm."""

FAST_PLACES = 500
"""Fewer are faster taken one by one."""

DEGREE, NODES = 5, 7
"""Of the polynomial that stands for a projection over one square, and places it is fitted to in
each direction."""

SQUARES = 8
"""So much wider than what lies in it is a square at least: then a city has few of them."""

LIFT_M = 100.0
"""Metres over which the way up is measured: the ellipsoid's normal is straight."""


@dataclass(frozen=True, slots=True)
class Placement:
    """The root frame of a tileset: metres east, north and up of one place on WGS 84.

    Parameters
    ----------
    crs : str
        Working CRS of the city, projected; the vertical part of a compound one is not used.
    undulation : float
        Height of the vertical datum above the ellipsoid (高程异常), metres; added to heights.
    origin : tuple of 3 float
        Place of the frame in `crs`. Take whole kilometres: then the tiles of a city that grows
        at its edge keep their bytes.
    height_reference : str
        Where the undulation is from: ``undulation`` (given), ``ellipsoidal`` (heights need
        none), ``unresolved`` (nobody said).

    Raises
    ------
    CrsError
        If `crs` is unknown or not projected in metres, or does not cover the origin.

    Notes
    -----
    Each vertex goes through longitude, latitude and ellipsoidal height. A flat city would stand
    7.8 m above the ellipsoid 10 km from its origin (d² / 2R).

    East, north and up at longitude l and latitude b are (-sin l, cos l, 0),
    (-sin b cos l, -sin b sin l, cos b) and (cos b cos l, cos b sin l, sin b): IOGP Guidance
    Note 373-7-2, geocentric/topocentric conversion (EPSG method 9836).

    Only grids that are installed beside PROJ are used, never the network, and one coordinate
    operation serves all points: that of the origin.

    Examples
    --------
    >>> placement = Placement("EPSG:4546+5737", 0.0, (500_000.0, 3_000_000.0, 0.0))
    >>> placement.to_root(np.array([[500_000.0, 3_010_000.0, 0.0]])).round(1) + 0.0
    array([[ 0.0e+00,  1.0e+04, -7.9e+00]])
    """

    crs: str
    undulation: float
    origin: tuple[float, float, float]
    height_reference: str = "undulation"

    def __post_init__(self) -> None:
        _root_frame(self)

    def to_ecef(self, xyz: FloatArray) -> FloatArray:
        """Earth-centred coordinates (EPSG:4978) of places in `crs`, both of shape (n, 3)."""
        if not len(xyz):
            return np.empty((0, 3))
        if len(xyz) == 1:  # pyproj takes an array of one for a number, which NumPy deprecates
            return self.to_ecef(np.repeat(xyz, 2, axis=0))[:1]
        lon, lat = _to_geodetic(self.crs, self.origin[:2]).transform(xyz[:, 0], xyz[:, 1])
        ecef = np.column_stack(
            _to_geocentric().transform(lon, lat, xyz[:, 2] + self.undulation)
        )
        if not np.isfinite(ecef).all():
            raise CrsError(f"{self.crs}: coordinates lie outside what this CRS can map")
        return ecef

    def to_geodetic(self, xyz: FloatArray) -> FloatArray:
        """Longitude and latitude (WGS 84, degrees), ellipsoidal height of places in `crs`."""
        transformer = _to_geodetic(self.crs, self.origin[:2])
        places = np.repeat(xyz, 2, axis=0) if len(xyz) == 1 else xyz  # as in to_ecef
        lon, lat = transformer.transform(places[:, 0], places[:, 1])
        found = np.column_stack([lon, lat, places[:, 2] + self.undulation])
        return np.asarray(found[: len(xyz)])

    def to_root(self, xyz: FloatArray) -> FloatArray:
        """Coordinates in the root frame of places in `crs`, both of shape (n, 3)."""
        origin, axes = _root_frame(self)
        away = self.to_ecef(xyz) - origin
        # Written out: a library for products of matrices would round as the processor likes.
        along = [away[:, 0] * a + away[:, 1] * b + away[:, 2] * c for a, b, c in axes.T]
        return np.column_stack(along)

    def to_root_fast(self, xyz: FloatArray) -> FloatArray:
        """As `to_root`, to `FAST_M`, for many places near each other.

        The root frame is a smooth function of the map: one polynomial for the places at height
        0, one for the way up from them, both fitted to a few places of a square that are taken
        exactly, and tried at others. Where they are not good enough, all are taken exactly. A
        tenth of the time for a tile of 20,000 vertices (2026-11).
        """
        if len(xyz) < FAST_PLACES:
            return self.to_root(xyz)
        low, high = column_range(xyz)
        # One of the fixed squares in which a place is far from the edge; neighbours share it.
        edge = 2.0 ** np.ceil(np.log2(SQUARES * max(high[0] - low[0], high[1] - low[1], 64.0)))
        x, y = np.rint((low + high)[:2] / edge) * edge / 2
        fitted, off, off_up = _fitted(self, float(x), float(y), float(edge) / 2)
        if off + off_up * max(-low[2], high[2], 1.0) > FAST_M:
            return self.to_root(xyz)
        found = surface_values((xyz[:, :2] - [x, y]) / (edge / 2), fitted)
        return np.asarray(found[:, :3] + found[:, 3:] * xyz[:, 2:])

    def _at_height(self, xy: FloatArray, z: float) -> FloatArray:
        return self.to_root(np.column_stack([xy, np.full(len(xy), z)]))

    @property
    def root_transform(self) -> list[float]:
        """The 16 numbers, column by column, that take the root frame to EPSG:4978."""
        origin, axes = _root_frame(self)
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = axes, origin
        return [float(value) for value in matrix.T.ravel()]


def _grid(line: FloatArray) -> FloatArray:
    """All pairs of some numbers, shape (n * n, 2); the second one runs faster."""
    x, y = np.meshgrid(line, line, indexing="ij")
    return np.column_stack([x.ravel(), y.ravel()])


@functools.lru_cache(maxsize=64)
def _fitted(
    placement: Placement, x: float, y: float, half: float
) -> tuple[FloatArray, float, float]:
    """Polynomials of degree `DEGREE` for a square, fitted to places on Chebyshev's nodes.

    By the orthogonality of Chebyshev's polynomials over their nodes (Mason and Handscomb 2003,
    4.6.1): no system is solved, so that no library decides about the last bits. With them, how
    far off they were elsewhere: in places at height 0, and in the way up for each metre.
    """
    line = np.cos(np.pi * (np.arange(NODES) + 0.5) / NODES)
    nodes, tried = _grid(line), _grid(np.cos(np.pi * np.arange(1, NODES) / NODES))
    places = np.concatenate([nodes, tried]) * half + [x, y]
    try:
        at_0 = placement._at_height(places, 0.0)
        up = (placement._at_height(places, LIFT_M) - at_0) / LIFT_M
    except CrsError:  # the square reaches beyond the CRS
        return np.zeros((1, 1, 6)), np.inf, np.inf
    exact = np.column_stack([at_0, up])
    fitted = _through(line, exact[: len(nodes)].reshape(NODES, NODES, 6))
    off = np.abs(surface_values(tried, fitted) - exact[len(nodes) :])
    return fitted, float(off[:, :3].max()), float(off[:, 3:].max())


def _through(line: FloatArray, values: FloatArray) -> FloatArray:
    """Coefficients of polynomials through values on Chebyshev's nodes."""
    order = np.arange(DEGREE + 1)
    of_node = (
        np.cos(order[:, None] * np.arccos(line)) * np.where(order > 0, 2, 1)[:, None] / NODES
    )
    powers = np.zeros((DEGREE + 1, DEGREE + 1))  # of Chebyshev's polynomials: whole numbers
    for i, one in enumerate(np.eye(DEGREE + 1)):
        powers[i, : i + 1] = np.polynomial.chebyshev.cheb2poly(one)[: i + 1]
    return surface_through(values, of_node, powers)


@functools.lru_cache(maxsize=8)
def _root_frame(placement: Placement) -> tuple[FloatArray, FloatArray]:
    """Origin in EPSG:4978, and the axes east, north, up as columns."""
    transformer = _to_geodetic(placement.crs, placement.origin[:2])
    lon, lat = np.radians(transformer.transform(*placement.origin[:2]))
    (sin_l, cos_l), (sin_b, cos_b) = (np.sin(lon), np.cos(lon)), (np.sin(lat), np.cos(lat))
    east = [-sin_l, cos_l, 0.0]
    north = [-sin_b * cos_l, -sin_b * sin_l, cos_b]
    up = [cos_b * cos_l, cos_b * sin_l, sin_b]
    return placement.to_ecef(np.array([placement.origin]))[0], np.column_stack(
        [east, north, up]
    )


@functools.lru_cache(maxsize=8)
def _to_geodetic(crs: str, place: tuple[float, float]) -> pyproj.Transformer:
    """From the horizontal part of a CRS to longitude and latitude, as done at one place."""
    try:
        horizontal = pyproj.CRS.from_user_input(crs)
    except pyproj.exceptions.CRSError as error:
        raise CrsError(
            f"{crs!r} is no known CRS", hint="Name one as EPSG:4546+5737."
        ) from error
    if horizontal.is_compound:
        horizontal = horizontal.sub_crs_list[0]
    if not horizontal.is_projected or horizontal.axis_info[0].unit_name != "metre":
        raise CrsError(f"{crs}: tiles need a projected CRS in metres, as EPSG:4546+5737")
    networked = pyproj.network.is_network_enabled()  # type: ignore[attr-defined]
    pyproj.network.set_network_enabled(active=False)  # type: ignore[attr-defined]
    try:
        transformer = pyproj.Transformer.from_crs(horizontal, "EPSG:4326", always_xy=True)
        if not np.isfinite(transformer.transform(*place)).all():
            raise CrsError(f"{crs}: the place {place} lies outside what this CRS can map")
        return transformer.get_last_used_operation()
    finally:
        pyproj.network.set_network_enabled(active=networked)  # type: ignore[attr-defined]


@functools.lru_cache(maxsize=1)
def _to_geocentric() -> pyproj.Transformer:
    """From longitude, latitude and height on WGS 84 to EPSG:4978."""
    return pyproj.Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True)
