"""Ground heights from an elevation model (数字高程模型, DEM) in a GeoTIFF file."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import rasterio
from affine import Affine
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds

from cimkit.errors import CrsError, FormatError
from cimkit.read.crs import Box, horizontal_part, parse_crs, working_crs
from cimkit.read.formats import local_file
from cimkit.tables.terrain import Terrain, cells_over

if TYPE_CHECKING:
    from collections.abc import Iterator

SUFFIXES = (".tif", ".tiff")
_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

GROUND_MIN, GROUND_MAX = -500.0, 9000.0
"""Metres. No ground is lower than the Dead Sea or higher than Mount Everest."""

_UNSTATED_NODATA = {
    **dict.fromkeys(("int16", "int32"), -32768),
    **dict.fromkeys(("float32", "float64"), -9999),
    "uint16": 65535,
}
"""What stands for "unknown" where a file does not say: else it would be mixed into heights."""

_METRES = ("", "m", "metre", "meter", "metres", "meters")


class Dem(NamedTuple):
    """An elevation model that may be used.

    Attributes
    ----------
    path : Path
    bounds : tuple of float
        (xmin, ymin, xmax, ymax) in the working CRS.
    """

    path: Path
    bounds: Box


def probe_dem(path: str, crs: str) -> Dem:
    """Look at an elevation model, without reading a height.

    Parameters
    ----------
    path : str
        Plain local GeoTIFF of one band, heights in metres; its CRS may be any.
    crs : str
        Working CRS; only its horizontal part matters.

    Raises
    ------
    FormatError
        No GeoTIFF, more bands than one, rotated or without a place, or heights not in metres;
        places in feet where the unit of the heights is not stated.
    CrsError
        If it states no CRS.
    """
    file = local_file(path)
    with _opened(file) as source:
        _check(source, path)
        target = working_crs(crs)
        flat = horizontal_part(parse_crs(source.crs.to_wkt(), path=path))
        bounds = tuple(source.bounds)
        if not flat.equals(target, ignore_axis_order=True):
            bounds = transform_bounds(flat.to_wkt(), target.to_wkt(), *source.bounds)
        return Dem(file, (bounds[0], bounds[1], bounds[2], bounds[3]))


def describe_dem(path: str) -> dict[str, Any]:
    """Facts of an elevation model in its own CRS, as JSON can hold them; reads no height.

    Raises
    ------
    FormatError, CrsError
        As `probe_dem`.
    """
    with _opened(local_file(path)) as source:
        _check(source, path)
        return {
            "cells": [source.width, source.height],
            "cell_size": [float(source.transform.a), -float(source.transform.e)],
            "crs": source.crs.to_wkt(),
            "bounds": list(map(float, source.bounds)),
        }


def read_terrain(path: str, *, crs: str, bounds: Box, cell: float = 1.0) -> Terrain:
    """Heights of an elevation model in the cells of a terrain, bilinear.

    Parameters
    ----------
    path : str
        As for `probe_dem`.
    crs : str
        Working CRS. The place is brought into its horizontal part; heights are taken as they
        are, in its vertical datum.
    bounds : tuple of float
        (xmin, ymin, xmax, ymax) to cover, in the working CRS.
    cell : float, default 1.0
        Edge of a cell in metres, aligned to the origin of the CRS.

    Returns
    -------
    Terrain
        NaN where the file has no height. No cell is measured; `Terrain.from_dem` are those with
        a height.

    Raises
    ------
    FormatError, CrsError
    """
    file = probe_dem(path, crs).path
    first_row, first_column, rows, columns = cells_over(bounds, cell)
    x0, y0 = first_column * cell, first_row * cell
    options: dict[str, Any] = {
        "crs": working_crs(crs).to_wkt(),
        "transform": Affine(cell, 0, x0, 0, -cell, y0 + rows * cell),
        "width": columns,
        "height": rows,
        "resampling": Resampling.bilinear,
        "tolerance": 1e-9,  # all but exact: a city that grows keeps its heights
        "dtype": "float64",
    }
    with _opened(file) as source:
        stated = source.nodata
        options["src_nodata"] = _UNSTATED_NODATA[source.dtypes[0]] if stated is None else stated
        options["src_crs"] = horizontal_part(parse_crs(source.crs.to_wkt())).to_wkt()
        with WarpedVRT(source, nodata=np.nan, **options) as vrt:
            z = vrt.read(1, out_dtype="float32")
        z = z * np.float32(source.scales[0]) + np.float32(source.offsets[0])
    z = np.ascontiguousarray(z[::-1])
    with np.errstate(invalid="ignore"):
        z[~((z > GROUND_MIN) & (z < GROUND_MAX))] = np.nan
    known = np.isfinite(z)
    return Terrain(z, np.zeros_like(known), x0, y0, cell, crs, known)


def _check(source: Any, path: str) -> None:
    """Refuse what is no grid of heights in metres that lies somewhere."""
    if source.count != 1 or source.dtypes[0] not in _UNSTATED_NODATA:
        raise FormatError(
            f"holds {source.count} bands of {source.dtypes[0]}, no heights",
            path=path,
            hint="An elevation model has one band of 16-bit integers or floats.",
        )
    if source.crs is None:
        raise CrsError(
            "states no CRS", path=path, hint="Write it again with one, as gdal_edit does."
        )
    grid = source.transform
    if grid.b or grid.d or grid.is_identity or not grid.a > 0 > grid.e:
        raise FormatError(
            "does not say where it lies, north up",
            path=path,
            hint="Warp it to be north up.",
        )
    unit = (source.units[0] or "").strip().lower()
    if unit not in _METRES:
        raise FormatError(
            f"its heights are in {unit}", path=path, hint="Convert them to metres first."
        )
    places = horizontal_part(parse_crs(source.crs.to_wkt(), path=path))
    if not unit and places.is_projected and places.axis_info[0].unit_conversion_factor != 1:
        raise FormatError(
            f"its places are in units of {places.axis_info[0].unit_name}, and it does not say "
            "in what its heights are",
            path=path,
            hint="Bring the heights to metres, and state so as the unit of the band.",
        )


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """The file, by the driver of GeoTIFF and no other, without the files beside it."""
    with file.open("rb") as opened:
        start = opened.read(4)
    if file.suffix.lower() not in SUFFIXES or start not in _STARTS:
        raise FormatError(
            "is no GeoTIFF", path=str(file), hint="Use a GeoTIFF file (.tif) of ground heights."
        )
    try:
        with (
            warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning),
            rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"),
            rasterio.open(file, driver="GTiff") as source,
        ):
            yield source
    except RasterioError as error:
        raise FormatError(
            f"cannot be read ({error})", path=str(file), hint="It is damaged: copy it again."
        ) from error
