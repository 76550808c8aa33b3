"""Points of an airborne laser scan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from cimkit.errors import TableError
from cimkit.tables._columns import BoolArray, ByteArray, FloatArray, describe, floats

if TYPE_CHECKING:
    from collections.abc import Iterable

    import geopandas as gpd
    from numpy.typing import NDArray

GROUND, BUILDING, LOW_NOISE, WATER, HIGH_NOISE = 2, 6, 7, 9, 18
"""Class numbers of the LAS specification (ASPRS LAS 1.4 R15, table 17)."""

NEVER_GROUND = (3, 4, 5, WATER, 13, 14, 15, 16, 17)
"""Plants, water, wires and their towers, bridges: ground is not looked for among these."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class PointCloud:
    """Points with their class (点云).

    Parameters
    ----------
    x, y, z : float64 array, shape (n,)
        East, north, up in metres. Finite.
    classification : uint8 array, shape (n,)
        LAS class of each point.
    crs : str
        Any text that pyproj reads; "" where unknown.
    return_number, number_of_returns : uint8 array, shape (n,), optional
        Which echo of its pulse each point is, and of how many; 0 where unknown.

    Examples
    --------
    >>> import numpy as np
    >>> cloud = PointCloud([0.0, 1.0], [0.0, 0.0], [5.0, 6.0], [6, 2])
    >>> cloud.take(cloud.classification == GROUND).z
    array([6.])
    """

    x: FloatArray
    y: FloatArray
    z: FloatArray
    classification: ByteArray
    crs: str = ""
    return_number: ByteArray | None = None
    number_of_returns: ByteArray | None = None

    def __post_init__(self) -> None:
        for name in ("x", "y", "z"):
            object.__setattr__(self, name, floats(name, getattr(self, name)))
        classes = np.ascontiguousarray(self.classification, dtype=np.uint8)
        object.__setattr__(self, "classification", classes)
        if not len(self.x) == len(self.y) == len(self.z) == len(classes):
            raise TableError("PointCloud: x, y, z and classification differ in length")
        for name in ("return_number", "number_of_returns"):
            column = getattr(self, name)
            if column is None:
                continue
            column = np.ascontiguousarray(column, dtype=np.uint8)
            if len(column) != len(self.x):
                raise TableError(f"PointCloud: {name} and x differ in length")
            object.__setattr__(self, name, column)

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        return describe(self, len(self), self.crs, self.bounds)

    @property
    def bounds(self) -> tuple[float, float, float, float] | None:
        """(xmin, ymin, xmax, ymax), or None without points."""
        if not len(self):
            return None
        box = self.x.min(), self.y.min(), self.x.max(), self.y.max()
        return tuple(float(value) for value in box)  # type: ignore[return-value]

    @property
    def xyz(self) -> FloatArray:
        """Coordinates as one array of shape (n, 3)."""
        return np.column_stack([self.x, self.y, self.z])

    def has_class(self, classes: Iterable[int]) -> BoolArray:
        """Whether each point is of one of the classes, shape (n,).

        By a table of 256 entries, which is ten times faster than `numpy.isin`.
        """
        wanted = np.zeros(256, dtype=np.bool_)
        wanted[list(classes)] = True
        return wanted[self.classification]

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Self:
        """The points chosen by index or mask."""
        number, total = self.return_number, self.number_of_returns
        return type(self)(
            self.x[rows],
            self.y[rows],
            self.z[rows],
            self.classification[rows],
            self.crs,
            None if number is None else number[rows],
            None if total is None else total[rows],
        )

    def to_geopandas(self) -> gpd.GeoDataFrame:
        """Points as a GeoDataFrame with columns `classification` and 3D geometry."""
        import geopandas as gpd

        geometry = gpd.points_from_xy(self.x, self.y, self.z, crs=self.crs or None)
        return gpd.GeoDataFrame({"classification": self.classification}, geometry=geometry)
