"""What scripts and notebooks hold (GeoDataFrames, arrays), turned into cimkit's tables."""

from __future__ import annotations

from typing import Any

import numpy as np

from cimkit.errors import ParameterError
from cimkit.tables.addresses import Addresses
from cimkit.tables.footprints import Footprints
from cimkit.tables.pointcloud import PointCloud


def as_footprints(value: Any) -> Footprints:
    """Footprints, or a GeoDataFrame of valid polygons with a column `building_id`."""
    if isinstance(value, Footprints):
        return value
    if hasattr(value, "geometry") and "building_id" in value:
        return Footprints.from_geopandas(value)
    raise ParameterError(
        "footprints: Footprints or a GeoDataFrame with building_id expected, "
        f"not {_kind(value)}"
    )


def as_points(value: Any) -> PointCloud:
    """A PointCloud, or an array of x, y, z and class with shape (n, 4)."""
    if isinstance(value, PointCloud):
        return value
    array = np.asarray(value) if isinstance(value, (np.ndarray, list)) else np.empty(0)
    if array.ndim == 2 and array.shape[1] == 4:
        return PointCloud(array[:, 0], array[:, 1], array[:, 2], array[:, 3].astype(np.uint8))
    raise ParameterError(
        f"points: PointCloud or array of shape (n, 4) expected, not {_kind(value)}"
    )


def as_addresses(value: Any) -> Addresses:
    """Addresses, or a GeoDataFrame of points with a column `address_id`."""
    if isinstance(value, Addresses):
        return value
    if hasattr(value, "geometry") and "address_id" in value:
        return Addresses.from_geopandas(value)
    raise ParameterError(
        f"addresses: Addresses or a GeoDataFrame with address_id expected, not {_kind(value)}"
    )


def _kind(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return type(value).__name__ + (f" of shape {shape}" if shape is not None else "")
