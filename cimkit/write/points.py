"""Point clouds as LAZ files: LAS 1.4, point format 6 or 7, the same bytes every time."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

import laspy
import lazrs
import numpy as np
from laspy.vlrs.known import WktCoordinateSystemVlr
from numpy.typing import ArrayLike
from pyproj import CRS

from cimkit.write.faults import disk_faults

SCALE = 0.001
"""Metres for one step of the stored integers: a millimetre, as surveyors deliver."""

CREATION_DATE = datetime.date(2024, 1, 1)
"""Stands in every header; a clock there would give other bytes each day."""


def write_points(
    path: str | Path,
    xyz: ArrayLike,
    classification: ArrayLike,
    *,
    crs: str,
    attributes: Mapping[str, ArrayLike] | None = None,
    scale: float = SCALE,
) -> None:
    """Write classified points as one LAZ file.

    Parameters
    ----------
    path : str or Path
        File to write; its folder exists, a file of that name is replaced.
    xyz : float64 array, shape (n, 3), n >= 1
        East, north, up in metres; kept to the next multiple of `scale`.
    classification : uint8 array, shape (n,)
        LAS classes.
    crs : str
        Any text that pyproj reads; stored as OGC WKT 1, the dialect LAS 1.4 asks for.
    attributes : mapping of str to array, optional
        What else is known of the points, under the names of laspy, each of shape (n,):
        ``gps_time``, ``point_source_id``, ... With ``red``, ``green`` and ``blue`` the point
        format is 7. Without return numbers every point is the only return of its pulse.
    scale : float, default 0.001
        Metres for one step of the stored integers.

    Raises
    ------
    StoreError
        If the disk does not take it.

    Notes
    -----
    Nothing comes from a clock: the same points give the same bytes.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_points(folder + "/a.laz", [[1.0, 2.0, 3.0005]], [6], crs="EPSG:4546+5737")
    ...     print(laspy.read(folder + "/a.laz").xyz)
    [[1. 2. 3.]]
    """
    places, more = np.asarray(xyz, dtype=np.float64), dict(attributes or {})
    header = laspy.LasHeader(version="1.4", point_format=7 if "red" in more else 6)
    header.scales = np.full(3, scale)
    if len(places):
        header.offsets = np.floor(places.min(axis=0) / 1000.0) * 1000.0
    header.creation_date = CREATION_DATE
    header.uuid = UUID(int=0)
    header.generating_software = "cimkit"
    header.system_identifier = "cimkit"
    header.vlrs.append(WktCoordinateSystemVlr(CRS.from_user_input(crs).to_wkt("WKT1_GDAL")))
    header.global_encoding.wkt = True
    las = laspy.LasData(header)
    las.xyz = places
    las.classification = np.asarray(classification, dtype=np.uint8)
    ones = np.ones(len(places), dtype=np.uint8)
    for name, values in {"return_number": ones, "number_of_returns": ones, **more}.items():
        las[name] = np.asarray(values)
    with disk_faults(path, lazrs.LazrsError):
        las.write(str(path), laz_backend=laspy.LazBackend.Lazrs)
