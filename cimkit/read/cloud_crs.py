"""What a cloud says of its CRS and its units, and how that fits the CRS to work in.

Coordinates in feet become metres as soon as a file is opened: `open_cloud` gives a header whose
scale, offset and box are in metres already, and every reader multiplies by those. Only the unit
changes, never the projection: `--crs` must be the same projection in metres.

- Places are in the unit of the horizontal CRS.
- Heights are in the unit of the vertical CRS, else in that of the GeoTIFF key 4099
  (VerticalUnitsGeoKey), else in that of the places, else in metres.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import laspy
import numpy as np
import pyproj
from pyproj import CRS

from cimkit.errors import CrsError
from cimkit.limits import LAS_HEADER_BYTES, LAS_VLRS_MAX
from cimkit.read.crs import horizontal_part, parse_crs, reproject
from cimkit.read.las_header import LasHeader, probe_las

_VERTICAL_UNITS_KEY = 4099
_UNITS_OF_KEY = {
    9001: ("metre", 1.0),
    9002: ("foot", 0.3048),
    9003: ("US survey foot", 1200 / 3937),
}
"""EPSG codes of the units that a height can have."""

_EXTENDED_AT, _EXTENDED_BYTES, _WKT_RECORD = 235, 60, 2112
"""Where a LAS 1.4 header says where the extended records are; their heads; that of the CRS."""

SAME_PLACE_M = 0.01
"""Two CRS that put the corners of a cloud this near to each other are the same."""


class Units(NamedTuple):
    """Names of the units of places and heights, and metres in one of each."""

    xy: str
    z: str
    xy_metres: float
    z_metres: float

    @property
    def are_metres(self) -> bool:
        """Whether nothing is to be converted."""
        return self.xy_metres == self.z_metres == 1.0


_METRES = Units("metre", "metre", 1.0, 1.0)


def open_cloud(path: Any, *, keep_short: bool = False) -> LasHeader:
    """Probe a LAS or LAZ file, and give its header in metres.

    `keep_short` takes the whole records of a LAS file that is cut short.

    Raises
    ------
    FormatError
        As `probe_las`.
    """
    header = probe_las(path, keep_short=keep_short)
    return in_metres(header, cloud_units(header))


def in_metres(header: LasHeader, units: Units) -> LasHeader:
    """A header whose scale, offset and box are in metres.

    Examples
    --------
    >>> from pathlib import Path
    >>> unit, zero, feet = (0.01,) * 3, (0.0,) * 3, Units("foot", "foot", 0.3048, 0.3048)
    >>> box = zero, (100.0,) * 3
    >>> header = LasHeader(Path("a"), "1.2", 1, 1, unit, zero, *box, (1,), 1, True, 9)
    >>> in_metres(header, feet).high
    (30.48, 30.48, 30.48)
    """
    if units.are_metres:
        return header
    factor = (units.xy_metres, units.xy_metres, units.z_metres)

    def convert(values: tuple[float, float, float]) -> tuple[float, float, float]:
        x, y, z = (float(v * f) for v, f in zip(values, factor, strict=True))
        return x, y, z

    return header._replace(
        scale=convert(header.scale),
        offset=convert(header.offset),
        low=convert(header.low),
        high=convert(header.high),
        unit=convert(header.unit),
    )


def cloud_crs(header: LasHeader) -> str:
    """CRS that the file states, as text for pyproj; "" where none can be read."""
    try:
        with laspy.open(str(header.path), read_evlrs=False) as reader:
            stated = reader.header.parse_crs()
    except (laspy.errors.LaspyException, pyproj.exceptions.CRSError, ValueError):
        return ""
    return _extended_wkt(header) if stated is None else str(stated.to_string())


def cloud_units(header: LasHeader) -> Units:
    """Units of the coordinates of a file; metres where it says nothing."""
    text = cloud_crs(header)
    if not text:
        return _METRES
    stated = parse_crs(text, path=str(header.path))
    flat = horizontal_part(stated)
    name, metres = "metre", 1.0
    if flat.is_projected:
        name, metres = _unit(flat.axis_info[0])
    upright = [axis for axis in stated.axis_info if axis.direction in ("up", "down")]
    z_name, z_metres = _unit(upright[0]) if upright else _height_key(header) or (name, metres)
    return Units(name, z_name, metres, z_metres)


def check_cloud_crs(header: LasHeader, crs: str) -> None:
    """Stop where the file states another horizontal CRS than the one to work in.

    A file in feet fits the same projection in metres.
    """
    stated = cloud_crs(header)
    if not crs or not stated:
        return
    wanted, found = horizontal_part(crs), horizontal_part(stated)
    if found.equals(wanted, ignore_axis_order=True) or found.name == wanted.name:
        return
    units = cloud_units(header)
    hint = "Give the CRS of the cloud as --crs, or reproject the cloud first."
    if units.xy_metres != 1.0:
        if _is_twin(header, found, wanted, units):
            return
        hint = (
            f"Its coordinates are in units of {units.xy}: work in the same projection in "
            "metres (--crs), or reproject the cloud first."
        )
    raise CrsError(
        f"is in {found.name}, the city in {wanted.name}", path=str(header.path), hint=hint
    )


def _extended_wkt(header: LasHeader) -> str:
    """The CRS in a record behind the points, where COPC writers put it; "" without one.

    Read here, not by laspy, which believes the lengths of those records.
    """
    if header.version != "1.4":
        return ""
    with header.path.open("rb") as file:
        file.seek(_EXTENDED_AT)
        at, n_records = struct.unpack("<QI", file.read(12))
        for _ in range(min(n_records, LAS_VLRS_MAX)):
            if not 0 < at <= header.size_bytes - _EXTENDED_BYTES:
                break
            file.seek(at)
            user, record, length = struct.unpack("<2x16sHQ32x", file.read(_EXTENDED_BYTES))
            if user.rstrip(b"\0") == b"LASF_Projection" and record == _WKT_RECORD:
                text = file.read(min(length, LAS_HEADER_BYTES)).rstrip(b"\0")
                try:
                    return CRS.from_wkt(text.decode("utf-8")).to_string()
                except (pyproj.exceptions.CRSError, UnicodeDecodeError):
                    return ""
            at += _EXTENDED_BYTES + length
    return ""


def _is_twin(header: LasHeader, found: CRS, wanted: CRS, units: Units) -> bool:
    """Whether the corners of a cloud, in metres, are where the wanted CRS has them."""
    ours, theirs = found.geodetic_crs, wanted.geodetic_crs
    if ours is None or theirs is None or not ours.equals(theirs, ignore_axis_order=True):
        return False
    box = in_metres(header, cloud_units(header)) if header.unit == (1.0, 1.0, 1.0) else header
    metres = np.array([box.low[:2], box.high[:2]])
    moved = reproject(metres / units.xy_metres, found, wanted)
    return bool((np.abs(moved - metres) < SAME_PLACE_M).all())


def _unit(axis: Any) -> tuple[str, float]:
    """Name of the unit of an axis, and its metres."""
    return str(axis.unit_name), float(axis.unit_conversion_factor)


def _height_key(header: LasHeader) -> tuple[str, float] | None:
    """The unit of heights by its GeoTIFF key, or None."""
    with laspy.open(str(header.path), read_evlrs=False) as reader:
        for directory in reader.header.vlrs.get("GeoKeyDirectoryVlr"):
            for key in directory.geo_keys:
                if key.id == _VERTICAL_UNITS_KEY and key.tiff_tag_location == 0:
                    return _UNITS_OF_KEY.get(int(key.value_offset))
    return None
