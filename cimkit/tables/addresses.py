"""Address points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from cimkit.errors import TableError
from cimkit.tables._columns import (
    BoolArray,
    FloatArray,
    IntArray,
    TextArray,
    describe,
    floats,
    identifiers,
    integers,
    texts,
)
from cimkit.tables.elements import ELEMENTS, Elements

if TYPE_CHECKING:
    import geopandas as gpd

GENERATIONS = 8
"""Steps from a room up to its compound; there are five kinds of addresses."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Addresses:
    """Standard addresses (标准地址), with or without a place.

    Parameters
    ----------
    address_id : text array, shape (n,)
        The user's own identifier. Unique.
    address_text : text array, shape (n,)
        The address as written.
    x, y : float64 array, shape (n,)
        East, north in metres; both NaN where the address has no coordinates.
    building_ref : text array, shape (n,), optional
        Identifier or code of a building that the source names; "" where none.
    source_row : int64 array, shape (n,), optional
        Number of the row in its file.
    crs : str
        Any text that pyproj reads.
    source_crs : str
        CRS of the coordinates in the file, as it was stated; "" where unknown.
    elements : Elements, length n, optional
        Parts of the addresses that the source gives in columns of their own.

    Examples
    --------
    >>> addresses = Addresses(["a"], ["中山路5号"], [1.0], [2.0])
    >>> addresses.located
    array([ True])
    """

    address_id: TextArray
    address_text: TextArray
    x: FloatArray
    y: FloatArray
    building_ref: TextArray = ()  # type: ignore[assignment]
    source_row: IntArray = ()  # type: ignore[assignment]
    crs: str = ""
    source_crs: str = ""
    elements: Elements = ()  # type: ignore[assignment]

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "address_id", identifiers("address_id", self.address_id))
        n = len(self.address_id)
        put(self, "address_text", texts("address_text", self.address_text, n))
        for name in ("x", "y"):
            put(self, name, floats(name, getattr(self, name), n, finite=False))
        if (np.isfinite(self.x) != np.isfinite(self.y)).any():
            raise TableError("Addresses: x and y must both be given or both be NaN")
        refs = self.building_ref if len(self.building_ref) else [""] * n
        put(self, "building_ref", texts("building_ref", refs, n))
        rows = self.source_row if len(self.source_row) else np.arange(n)
        put(self, "source_row", integers("source_row", rows, n))
        put(self, "elements", self.elements if len(self.elements) else Elements.of(n))
        if len(self.elements) != n:
            raise TableError(f"Addresses: {len(self.elements):,} rows of elements, not {n:,}")

    @classmethod
    def empty(cls, crs: str = "") -> Self:
        """No addresses."""
        nothing = np.empty(0)
        return cls(nothing, nothing, nothing, nothing, crs=crs)

    def __len__(self) -> int:
        return len(self.address_id)

    def __repr__(self) -> str:
        return describe(self, len(self), self.crs, self.total_bounds)

    @property
    def located(self) -> BoolArray:
        """Whether each address has coordinates, shape (n,)."""
        return np.isfinite(self.x)

    @property
    def above(self) -> IntArray:
        """Row of the address above each, shape (n,); -1 where it is not in the table."""
        parent = self.elements.parent_id
        if not parent.any():
            return np.full(len(self), -1, np.int64)
        row_of = {name: row for row, name in enumerate(self.address_id.tolist())}
        return np.array([row_of.get(name, -1) for name in parent.tolist()], np.int64)

    def nearest_above(self, values: IntArray) -> IntArray:
        """Value of the nearest address above each that has one, shape (n,).

        Parameters
        ----------
        values : int64 array, shape (n,)
            -1 where an address has none.

        Returns
        -------
        int64 array, shape (n,)
            -1 where none has one within `GENERATIONS`; a circle ends nowhere.

        Examples
        --------
        >>> parts = Elements.of(3, parent_id=["", "1", "2"])
        >>> three = Addresses(list("123"), list("甲乙丙"), [0.0] * 3, [0.0] * 3, elements=parts)
        >>> three.nearest_above(np.array([7, -1, -1]))
        array([-1,  7,  7])
        """
        up = self.above
        found, at = np.full(len(self), -1, np.int64), up
        for _ in range(GENERATIONS):
            found = np.where((found < 0) & (at >= 0), values[at], found)
            at = np.where(at >= 0, up[at], -1)
        return found

    @property
    def total_bounds(self) -> tuple[float, float, float, float] | None:
        """Box of the located ones, or None."""
        if not self.located.any():
            return None
        x, y = self.x[self.located], self.y[self.located]
        return float(x.min()), float(y.min()), float(x.max()), float(y.max())

    def take(self, rows: IntArray | BoolArray) -> Self:
        """The addresses chosen by index or mask, in that order."""
        return type(self)(
            self.address_id[rows],
            self.address_text[rows],
            self.x[rows],
            self.y[rows],
            self.building_ref[rows],
            self.source_row[rows],
            self.crs,
            self.source_crs,
            self.elements.take(rows),
        )

    def to_geopandas(self) -> gpd.GeoDataFrame:
        """Columns of texts, of the elements that are given, `source_row`; point or None."""
        import geopandas as gpd
        import shapely

        points = np.empty(len(self), dtype=object)
        here = self.located
        points[here] = shapely.points(self.x[here], self.y[here])
        return gpd.GeoDataFrame(
            {
                "address_id": self.address_id.astype(object),
                "address_text": self.address_text.astype(object),
                "building_ref": self.building_ref.astype(object),
                "source_row": self.source_row,
                **{
                    name: column.astype(object)
                    for name, column in self.elements.columns().items()
                    if (column != "").any()
                },
            },
            geometry=list(points),
            crs=self.crs or None,
        )

    @classmethod
    def from_geopandas(cls, frame: gpd.GeoDataFrame) -> Self:
        """Inverse of `to_geopandas`; only `address_id` and the points are required."""

        def column(name: str) -> Any:
            return frame[name].fillna("").astype(str) if name in frame else [""] * len(frame)

        return cls(
            frame["address_id"].astype(str),
            column("address_text"),
            frame.geometry.x.to_numpy(),
            frame.geometry.y.to_numpy(),
            column("building_ref"),
            frame.get("source_row", ()),
            "" if frame.crs is None else frame.crs.to_string(),
            elements=Elements(*(column(name) for name in ELEMENTS)),
        )
