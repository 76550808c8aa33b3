"""Coordinate reference systems (坐标系): the working one, the way into it, doubts about it.

Nothing is guessed. Where coordinates cannot be right the run stops, and the message proposes
what to state.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import numpy as np
import pyproj
from pyproj import CRS, Transformer
from pyproj.aoi import AreaOfInterest
from pyproj.database import query_crs_info
from pyproj.enums import PJType
from pyproj.exceptions import CRSError

from cimkit.errors import CrsError
from cimkit.limits import COORDINATE_MAX
from cimkit.tables.issue import Issue

if TYPE_CHECKING:
    from collections.abc import Callable

    from cimkit.tables._columns import BoolArray, FloatArray

Box = tuple[float, float, float, float]

AREA_MARGIN_DEG = 1.5
"""Half a 3-degree zone: cities at the edge of a zone use it a little beyond its border."""

EXTENT_MARGIN_M = 50.0
"""The addresses of a single house lie around it; a wrong CRS is off by 100 m or more."""

OVERLAP_MIN = 0.5
"""Share of the smaller extent that two inputs of one city must have in common."""

_SAME_M = 1e-6
"""A transformation that moves no point further is the identity with rounding noise."""


def parse_crs(text: str, *, path: str = "") -> CRS:
    """The CRS that a text means.

    Raises
    ------
    CrsError
        If it means none.
    """
    problem = CrsError(
        f"{text!r} is no coordinate reference system",
        path=path,
        hint="Give an EPSG code, such as EPSG:4547 or EPSG:4547+5737.",
    )
    if not set(text) & set(":[{="):  # PROJ would look for the likeliest name
        raise problem
    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise problem from error


def horizontal_part(crs: CRS | str) -> CRS:
    """A CRS without its heights.

    Examples
    --------
    >>> horizontal_part("EPSG:7415").to_epsg()
    28992
    >>> horizontal_part("EPSG:4549+5737").name
    'CGCS2000 / 3-degree Gauss-Kruger CM 120E'
    """
    crs = parse_crs(crs) if isinstance(crs, str) else crs
    if crs.is_compound:
        crs = crs.sub_crs_list[0]
    if crs.is_bound and crs.source_crs is not None:
        crs = crs.source_crs
    return crs.to_2d() if len(crs.axis_info) > 2 else crs


def working_crs(text: str) -> CRS:
    """Horizontal part of the CRS to work in, after making sure that one can measure in it.

    Raises
    ------
    CrsError
        If it is not projected, not in metres, or Web Mercator, whose metres are none.

    Examples
    --------
    >>> working_crs("EPSG:4490")
    Traceback (most recent call last):
    cimkit.errors.CrsError: EPSG:4490 is not projected: its coordinates are degrees. Take ...
    """
    crs = parse_crs(text)
    flat = horizontal_part(crs)
    hint = "Take a projected CRS in metres, such as EPSG:4546+5737 (CGCS2000, CM 111E)."
    if not flat.is_projected:
        raise CrsError(f"{text} is not projected: its coordinates are degrees", hint=hint)
    if any(axis.unit_conversion_factor != 1 for axis in crs.axis_info):
        units = ", ".join(dict.fromkeys(axis.unit_name for axis in crs.axis_info))
        raise CrsError(f"{text} is not in metres but in {units}", hint=hint)
    if flat.coordinate_operation and "Pseudo" in flat.coordinate_operation.method_name:
        raise CrsError(
            f"{text} is Web Mercator: its lengths are too long by 1/cos(lat)", hint=hint
        )
    return flat


def source_of(
    stated: str, given: str, xy: FloatArray, *, path: str, table: str, option: str
) -> tuple[CRS, list[Issue]]:
    """CRS of the coordinates of a file: what the user gives, else what the file states.

    Parameters
    ----------
    stated, given : str
        By the file and by the user; "" for nothing.
    xy : float64 array, shape (n, 2)
        Some coordinates of the file, for the hint.
    path, table, option : str
        The file; its table in the issue rows; the parameter that gives a CRS.

    Returns
    -------
    source : CRS
    issues : list of Issue
        ``CRS_OVERRIDDEN`` (WARNING) where both speak and differ.

    Raises
    ------
    CrsError
        If neither does.
    """
    if not (stated or given):
        degrees = looks_like_degrees(xy)
        look = "It looks like degrees: state" if degrees else "State its CRS with"
        codes = "EPSG:4490 (CGCS2000) or EPSG:4326 (WGS 84)" if degrees else "EPSG:4547"
        raise CrsError("states no CRS", path=path, hint=f"{look} {option}, such as {codes}.")
    source = parse_crs(given or stated, path=path)
    if given and stated and not source.equals(parse_crs(stated), ignore_axis_order=True):
        text = f"the file states {parse_crs(stated).name}, it was read as {given}, as told"
        return source, [Issue("WARNING", "CRS_OVERRIDDEN", table, "", text)]
    return source, []


def reproject(xy: FloatArray, source: CRS, target: CRS) -> FloatArray:
    """Coordinates in another CRS, shape (n, 2), x east and y north; infinite where undefined.

    Between equal systems it is the same array.
    """
    source, target = horizontal_part(source), horizontal_part(target)
    if source.equals(target, ignore_axis_order=True):
        return xy
    moved = _transform(xy, source, target)
    known = np.isfinite(xy).all(axis=1)
    return moved if (np.abs(moved - xy)[known] > _SAME_M).any() else xy


def check_place(
    bounds: FloatArray, source: CRS, target: CRS, *, path: str, option: str
) -> BoolArray:
    """Doubt the places of rows: whether the working CRS may be used where they are.

    Parameters
    ----------
    bounds : float64 array, shape (n, 4)
        Boxes (xmin, ymin, xmax, ymax) as in the file; not finite where a row has no place.
    source, target : CRS
        Of the file; of the work.
    path, option : str
        The file; the parameter that states its CRS. For the message.

    Returns
    -------
    bool array, shape (n,)
        Rows whose centre lies outside the area in which `target` may be used, by more than
        `AREA_MARGIN_DEG`. Rows without a place are not outside.

    Raises
    ------
    CrsError
        If a coordinate exceeds `COORDINATE_MAX`, or more than half of the rows lie outside; the
        hint says what the coordinates look like.
    """
    known = np.isfinite(bounds).all(axis=1)
    huge = known & (np.abs(bounds) > COORDINATE_MAX).any(axis=1)
    if huge.any():
        row = int(np.flatnonzero(huge)[0])
        raise CrsError(
            f"{np.abs(bounds[row]).max():g} is no map coordinate",
            path=path,
            where=f"row {row}",
            hint=f"Beyond {COORDINATE_MAX:g} m there is nothing: repair or remove it.",
        )
    centre = (bounds[known, :2] + bounds[known, 2:]) / 2
    outside = np.zeros(len(bounds), dtype=np.bool_)
    outside[known] = ~_is_inside(reproject(centre, source, target), target)
    if 2 * outside.sum() > known.sum():
        place = np.median(centre, axis=0)
        raise CrsError(
            f"{outside.sum():,} of {known.sum():,} rows lie outside the area of {target.name}",
            path=path,
            where=f"around {place[0]:.6g}, {place[1]:.6g}",
            hint=_advice(centre, source, target, option),
        )
    return outside


def check_overlap(ours: Box, theirs: Box, what: str) -> None:
    """Stop where the extents of two inputs do not belong to the same city.

    Parameters
    ----------
    ours, theirs : tuple of float
        (xmin, ymin, xmax, ymax) of the footprints and of the other input, in the working CRS.
    what : str
        The other input, such as "point cloud", for the message.

    Raises
    ------
    CrsError
        If they share less than `OVERLAP_MIN` of the smaller one, along x times along y, each
        widened by `EXTENT_MARGIN_M`.

    Examples
    --------
    >>> check_overlap((0, 0, 100, 100), (50, 50, 51, 51), "addresses")
    >>> check_overlap((5e5, 3e6, 6e5, 4e6), (38500000, 3e6, 38600000, 4e6), "point cloud")
    Traceback (most recent call last):
    cimkit.errors.CrsError: footprints and point cloud lie apart: 0 % of the smaller extent ...
    """
    wide, across = _widened(ours), _widened(theirs)
    share = _shared(wide[0::2], across[0::2]) * _shared(wide[1::2], across[1::2])
    if share >= OVERLAP_MIN:
        return

    def text(box: Box) -> str:
        return " ".join(f"{value:.1f}" for value in box)

    raise CrsError(
        f"footprints and {what} lie apart: {share:.0%} of the smaller extent is shared "
        f"(footprints {text(ours)}; {what} {text(theirs)})".replace("%", " %"),
        hint=_apart_advice(ours, theirs, what),
    )


def _widened(box: Box) -> Box:
    return (
        box[0] - EXTENT_MARGIN_M,
        box[1] - EXTENT_MARGIN_M,
        box[2] + EXTENT_MARGIN_M,
        box[3] + EXTENT_MARGIN_M,
    )


def looks_like_degrees(xy: FloatArray) -> bool:
    """Whether all places could be longitude and latitude, in either order."""
    size = np.abs(xy[np.isfinite(xy).all(axis=1)])
    return bool(len(size) and size.max() <= 180 and size.max(axis=0).min() <= 90)


def _transform(xy: FloatArray, source: CRS, target: CRS) -> FloatArray:
    """Coordinates through PROJ, without its network, so that no download changes a result.

    In lists, because it takes an array of one for a number.
    """
    networked = pyproj.network.is_network_enabled()  # type: ignore[attr-defined]
    pyproj.network.set_network_enabled(active=False)  # type: ignore[attr-defined]
    try:
        transformer = Transformer.from_crs(source, target, always_xy=True)
    finally:
        pyproj.network.set_network_enabled(active=networked)  # type: ignore[attr-defined]
    return np.column_stack(transformer.transform(xy[:, 0].tolist(), xy[:, 1].tolist()))


def _is_inside(xy: FloatArray, crs: CRS) -> BoolArray:
    """Places in the area of use of a CRS, widened by the margin."""
    area = crs.area_of_use
    if area is None or crs.geodetic_crs is None:
        return np.asarray(np.isfinite(xy).all(axis=1))
    lon, lat = _transform(xy, crs, crs.geodetic_crs).T
    width = (area.east - area.west) % 360 or 360.0  # an area may cross the antimeridian
    with np.errstate(invalid="ignore"):
        east_of_west = (lon - area.west + AREA_MARGIN_DEG) % 360 <= width + 2 * AREA_MARGIN_DEG
        in_lat = (lat >= area.south - AREA_MARGIN_DEG) & (lat <= area.north + AREA_MARGIN_DEG)
    return np.asarray(np.isfinite(lon) & east_of_west & in_lat)


def _advice(xy: FloatArray, source: CRS, target: CRS, option: str) -> str:
    """What coordinates outside the area look like, and what to do."""
    state = f"state their CRS with {option}"
    if source.is_projected and looks_like_degrees(xy):
        return f"It looks like degrees: {state}, such as EPSG:4490 or EPSG:4326."
    if source.is_geographic and not looks_like_degrees(xy):
        return f"It looks like metres, not degrees: {state}."
    if _is_inside(reproject(xy[:, ::-1], source, target), target).mean() > OVERLAP_MIN:
        return "It looks like swapped axes: x must be east (longitude), y north (latitude)."
    x, y = np.median(xy, axis=0)
    if source.is_projected and 1.3e7 <= x < 4.6e7:
        zone = int(x // 1e6)
        near = _nearest(target, lambda name: name.endswith(f"zone {zone}"))
        return f"Eastings begin with the zone number {zone}: work in {near}, or {state}."
    if source.is_projected and source.equals(target, ignore_axis_order=True):
        return f"Another zone, or eastings without their zone number? Check --crs, or {state}."
    if source.geodetic_crs is not None:
        lon, lat = _transform(np.array([[x, y]]), source, source.geodetic_crs)[0].tolist()
        if np.isfinite(lon):
            near = _nearest(target, lambda name: True, (lon, lat))
            return f"They are at {lon:.4f} E, {lat:.4f} N: work in {near}, or {state}."
    return f"Check --crs, or {state}."


def _nearest(
    crs: CRS, fits: Callable[[str], bool], place: tuple[float, float] | None = None
) -> str:
    """The EPSG system of the same family whose name is most like that of `crs`."""
    area = None if place is None else AreaOfInterest(*place, *place)
    family = crs.name.split(" / ")[0] + " / "
    known = {
        info.name: f"EPSG:{info.code} ({info.name})"
        for info in query_crs_info(
            auth_name="EPSG",
            pj_types=[PJType.PROJECTED_CRS],
            area_of_interest=area,
            contains=area is not None,
        )
        if info.name.startswith(family) and fits(info.name)
    }
    like = difflib.get_close_matches(crs.name, sorted(known), n=1, cutoff=0.0)
    return known[like[0]] if like else "a CRS of that place"


def _shared(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Common part of two intervals as a share of the shorter one."""
    low, high = max(a[0], b[0]), min(a[1], b[1])
    shorter = min(a[1] - a[0], b[1] - b[0])
    if high < low:
        return 0.0
    return (high - low) / shorter if shorter > 0 else 1.0


def _apart_advice(ours: Box, theirs: Box, what: str) -> str:
    """What two extents that do not meet look like."""
    for name, box in (("footprints", ours), (what, theirs)):
        if looks_like_degrees(np.reshape(box, (2, 2))):
            return f"The {name} look like degrees: state their CRS."
    swapped = (theirs[1], theirs[0], theirs[3], theirs[2])
    if _shared(ours[0::2], swapped[0::2]) * _shared(ours[1::2], swapped[1::2]) >= OVERLAP_MIN:
        return f"The axes of the {what} look swapped: x is east, y is north."
    if _shared(ours[1::2], theirs[1::2]) >= OVERLAP_MIN:
        apart = abs(ours[0] + ours[2] - theirs[0] - theirs[2]) / 2
        if apart > 1e6:
            return "One of them has the zone number in its eastings, the other not."
        if apart > 1e5:
            return "They look shifted by one zone: state the CRS of each."
    return "State the CRS of each, or check that they are of the same place."
