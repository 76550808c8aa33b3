"""Building outlines as a file holds them, before anything is believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from cimkit.tables._columns import FloatArray, IntArray, TextArray, floats, integers, texts
from cimkit.tables.identifiers import tidy_identifiers

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class RawFootprints:
    """Features of a footprint layer; `cimkit.clean` turns them into `Footprints`.

    Parameters
    ----------
    geometry : object array, shape (n,)
        Shapely geometries of any type, valid or not, or None.
    feature_id : text array, shape (n,)
        Identifier, "" where it is missing or cannot serve. Not necessarily unique.
    height : float64 array, shape (n,)
        Height above ground from an attribute, metres; NaN where none.
    floors : float64 array, shape (n,)
        Number of storeys (层数) from an attribute; NaN where none.
    source_row : int64 array, shape (n,)
        Number of the feature in its file, from 0.
    has_ids : bool
        Whether the source has an identifier at all; if not, `source_row` serves.
    crs : str
        Any text that pyproj reads.
    label : text array, shape (n,), optional
        Name or number of the building on the map (幢号); "" where none.

    Examples
    --------
    >>> import shapely
    >>> RawFootprints(
    ...     [shapely.box(0, 0, 1, 1), None], ["", ""], [9.0, 3.0], [3, 1], [0, 1], False
    ... )
    RawFootprints(2 features without ids, no CRS)
    """

    geometry: NDArray[Any]
    feature_id: TextArray
    height: FloatArray
    floors: FloatArray
    source_row: IntArray
    has_ids: bool = True
    crs: str = ""
    label: TextArray = ()  # type: ignore[assignment]

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "feature_id", texts("feature_id", self.feature_id))
        n = len(self.feature_id)
        geometry = np.empty(n, dtype=object)
        geometry[:] = self.geometry
        put(self, "geometry", geometry)
        put(self, "height", floats("height", self.height, n, finite=False))
        put(self, "floors", floats("floors", self.floors, n, finite=False))
        put(self, "source_row", integers("source_row", self.source_row, n))
        put(self, "label", texts("label", self.label if len(self.label) else [""] * n, n))

    def __len__(self) -> int:
        return len(self.feature_id)

    def __repr__(self) -> str:
        ids = "" if self.has_ids else " without ids"
        return f"RawFootprints({len(self):,} features{ids}, {self.crs or 'no CRS'})"

    def to_geopandas(self) -> gpd.GeoDataFrame:
        """Columns `building_id` (if any), `height` ... `label`, and geometries."""
        import geopandas as gpd

        columns = {"height": self.height, "floors": self.floors, "source_row": self.source_row}
        columns["label"] = self.label.astype(object)
        if self.has_ids:
            columns["building_id"] = self.feature_id.astype(object)
        return gpd.GeoDataFrame(columns, geometry=list(self.geometry), crs=self.crs or None)

    @classmethod
    def from_geopandas(cls, frame: gpd.GeoDataFrame) -> Self:
        """Inverse of `to_geopandas`; every column but the geometry may be absent."""
        n, has_ids = len(frame), "building_id" in frame
        ids: Any = [None] * n
        if has_ids:
            known = frame["building_id"].notna()
            ids = frame["building_id"].astype(object).where(known, None)
        nothing = np.full(n, np.nan)
        return cls(
            frame.geometry.to_numpy(),
            tidy_identifiers(ids),
            frame.get("height", nothing),
            frame.get("floors", nothing),
            frame.get("source_row", np.arange(n)),
            has_ids,
            "" if frame.crs is None else frame.crs.to_string(),
            tidy_identifiers(frame["label"]) if "label" in frame else (),  # type: ignore[arg-type]
        )
