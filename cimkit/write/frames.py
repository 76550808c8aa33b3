"""Tables as layers of a GeoPackage, and the terrain as a GeoTIFF."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import rasterio
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.transform import Affine
from rasterio.windows import Window

from cimkit.errors import StoreError
from cimkit.tables import Addresses, Buildings, Footprints, Issue, Links, Quality, Terrain
from cimkit.tables._columns import TextArray
from cimkit.write.faults import disk_faults

_CLOCK = "1970-01-01T00:00:00.000Z"
"""GeoPackage keeps the time of the last change; the same input must give the same bytes."""

_KINDS = {"addresses": "Point", "review": "LineString"}
"""Geometry of layers that hold no outlines."""

_STRIPE_ROWS = 256
"""Rows of the terrain that are written at once."""


def write_geopackage(path: Path, layers: dict[str, pd.DataFrame]) -> None:
    """Write frames as layers; frames without geometry become plain tables.

    Parameters
    ----------
    path : Path
        Must not exist.
    layers : dict of str to DataFrame or GeoDataFrame

    Raises
    ------
    StoreError
        If the disk does not take it.
    """
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": _CLOCK})
    for name, frame in layers.items():
        kind: str | None = None
        if isinstance(frame, gpd.GeoDataFrame):
            kind = _KINDS.get(name, "Polygon")
        with disk_faults(path, DataSourceError, DataLayerError):
            pyogrio.write_dataframe(
                frame, path, layer=name, driver="GPKG", append=path.exists(), geometry_type=kind
            )


def building_frame(
    footprints: Footprints,
    buildings: Buildings,
    quality: Quality,
    address: Sequence[str],
    division: TextArray,
    division_name: TextArray,
) -> gpd.GeoDataFrame:
    """Layer ``buildings``: attributes, primary address, division, the cleaned footprint."""
    frame = buildings.to_pandas().assign(address=list(address), floors=footprints.floors)
    frame = frame.assign(label=footprints.label.astype(object))
    frame = frame.assign(
        division=division.astype(object), division_name=division_name.astype(object)
    )
    measured = quality.to_pandas().drop(columns="building_id")
    frame = pd.concat([frame, measured], axis=1)
    return gpd.GeoDataFrame(frame, geometry=list(footprints.polygons()), crs=footprints.crs)


def address_frame(addresses: Addresses, links: Links) -> gpd.GeoDataFrame:
    """Layer ``addresses``: the address, its place, whether it is linked and why not."""
    frame = addresses.to_geopandas()
    reason = dict(zip(links.unlinked_id.tolist(), links.unlinked_reason.tolist(), strict=True))
    ids = addresses.address_id.tolist()
    state = ["unlinked" if name in reason else "linked" for name in ids]
    return frame.assign(link_state=state, link_reason=[reason.get(name, "") for name in ids])


def issue_frame(issues: Sequence[Issue]) -> pd.DataFrame:
    """Layer ``issues``."""
    return pd.DataFrame(list(issues), columns=list(Issue._fields), dtype=object)


def write_terrain(path: Path, terrain: Terrain) -> None:
    """Write the terrain as a tiled, compressed GeoTIFF, north up, NaN where unknown.

    Parameters
    ----------
    path : Path
    terrain : Terrain

    Raises
    ------
    StoreError
        If the disk does not take it.
    """
    rows, columns = terrain.z.shape
    north = terrain.y0 + rows * terrain.cell
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "width": columns,
        "height": rows,
        "count": 1,
        "dtype": "float32",
        "crs": rasterio.crs.CRS.from_user_input(terrain.crs) if terrain.crs else None,
        "transform": Affine(terrain.cell, 0, terrain.x0, 0, -terrain.cell, north),
        "nodata": float("nan"),
        "tiled": True,
        "compress": "deflate",
        "predictor": 3,
        "bigtiff": "if_safer",
    }
    with disk_faults(path, RasterioError, CPLE_BaseError):
        with rasterio.open(path, "w", **profile) as file:
            for window, part in _stripes(terrain):
                file.write(part, 1, window=window)
        # GDAL writes the rest as it closes the file, and is silent where the disk is full.
        with rasterio.open(path) as file:
            for window, part in _stripes(terrain):
                if not np.array_equal(file.read(1, window=window), part, equal_nan=True):
                    raise StoreError(
                        f"{path}: holds other heights than were written to it. Free space or "
                        "choose another disk."
                    )


def _stripes(terrain: Terrain) -> Iterator[tuple[Window, NDArray[np.float32]]]:
    """Parts of the terrain from north to south, and their place in the file."""
    rows, columns = terrain.z.shape
    for start in range(0, rows, _STRIPE_ROWS):
        stop = min(start + _STRIPE_ROWS, rows)
        part = terrain.z[rows - stop : rows - start][::-1]
        yield Window(0, start, columns, stop - start), np.ascontiguousarray(part)
