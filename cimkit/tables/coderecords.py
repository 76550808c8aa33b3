"""All codes that were ever given out, with the building that each stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import shapely
from numpy.typing import NDArray

from cimkit.errors import CrsError, TableError
from cimkit.tables._columns import (
    TEXT,
    BoolArray,
    IntArray,
    TextArray,
    describe,
    identifiers,
    texts,
)

if TYPE_CHECKING:
    import geopandas as gpd

RESERVED, ACTIVE, RETIRED = "reserved", "active", "retired"


class Lineage(NamedTuple):
    """Codes and the codes of the buildings that they came from, a row each.

    Attributes
    ----------
    code, supersedes : text array, shape (n,)
    kind : text array, shape (n,)
        ``split``: a part of it; ``merged``: it went into this one, beside others; ``replaced``:
        it vanished, and this one stands in its place.
    """

    code: TextArray
    supersedes: TextArray
    kind: TextArray

    @classmethod
    def empty(cls) -> Self:
        """Nothing came from anything."""
        return cls(*(np.empty(0, dtype=TEXT) for _ in range(3)))


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class CodeRecords:
    """Building codes (建筑物编码) with the state, identifier and outline last seen.

    A code is *reserved* before the city that uses it is written, *active* once it is, and
    *retired* when its building has vanished. A record is never removed, so no code comes twice.

    Parameters
    ----------
    code : text array, shape (n,)
        Unique, not empty.
    building_id : text array, shape (n,)
        The user's identifier of the building; may repeat over time.
    state : text array, shape (n,)
        ``reserved``, ``active`` or ``retired``.
    polygons : object array of shapely Polygon, shape (n,)
        Outline of the building.
    crs : str
        Horizontal CRS of the outlines, any text that pyproj reads.

    Examples
    --------
    >>> records = CodeRecords(["1"], ["a"], ["active"], [shapely.box(0, 0, 4, 2)], "EPSG:4547")
    >>> records.take(records.state == "retired")
    CodeRecords(0 rows, EPSG:4547, [empty], 0.0 MB)
    """

    code: TextArray
    building_id: TextArray
    state: TextArray
    polygons: NDArray[Any]
    crs: str = ""

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "code", identifiers("code", self.code))
        n = len(self.code)
        put(self, "building_id", texts("building_id", self.building_id, n))
        put(self, "state", texts("state", self.state, n))
        put(self, "polygons", np.asarray(self.polygons, dtype=object))
        if self.polygons.shape != (n,):
            raise TableError(f"polygons: {n} rows expected, shape is {self.polygons.shape}")
        _check(
            self.code,
            np.isin(self.state, np.array(_STATES)),
            "state is none of " + ", ".join(_STATES),
        )
        areal = np.isin(shapely.get_type_id(self.polygons), _AREAL)
        _check(self.code, areal & ~shapely.is_empty(self.polygons), "outline is no polygon")

    @classmethod
    def empty(cls, crs: str = "") -> Self:
        """No codes yet, as before the first build."""
        none = np.empty(0, dtype=TEXT)
        return cls(none, none, none, np.empty(0, dtype=object), crs)

    def __len__(self) -> int:
        return len(self.code)

    def __repr__(self) -> str:
        bounds = tuple(shapely.total_bounds(self.polygons).tolist()) if len(self) else None
        return describe(self, len(self), self.crs, bounds)

    def take(self, rows: IntArray | BoolArray) -> Self:
        """The records chosen by index or mask, in that order."""
        return type(self)(
            self.code[rows],
            self.building_id[rows],
            self.state[rows],
            self.polygons[rows],
            self.crs,
        )

    def to_crs(self, crs: str) -> Self:
        """The same records with outlines in the horizontal part of another CRS.

        Raises
        ------
        CrsError
            If either CRS is missing, or no exact way between their datums is known: outlines
            that land a hundred metres off would look like other buildings.
        """
        if not len(self) or self.crs == crs:
            return type(self)(self.code, self.building_id, self.state, self.polygons, crs)
        from pyproj import CRS, Transformer
        from pyproj.exceptions import ProjError

        try:
            transformer = Transformer.from_crs(
                CRS(self.crs).to_2d(), CRS(crs).to_2d(), always_xy=True, allow_ballpark=False
            )
            polygons = shapely.transform(
                self.polygons,
                lambda x, y: transformer.transform(x, y, errcheck=True),
                interleaved=False,
            )
        except ProjError as error:
            raise CrsError(
                f"no exact way from {self.crs or 'no CRS'} to {crs or 'no CRS'}",
                where="outlines of the known codes",
                hint="Build in a CRS of the same datum as the code register.",
            ) from error
        return type(self)(self.code, self.building_id, self.state, polygons, crs)

    def to_geopandas(self) -> gpd.GeoDataFrame:
        """Columns `code`, `building_id`, `state` and the outlines."""
        import geopandas as gpd

        return gpd.GeoDataFrame(
            {
                "code": self.code.astype(object),
                "building_id": self.building_id.astype(object),
                "state": self.state.astype(object),
            },
            geometry=self.polygons,
            crs=self.crs or None,
        )


_STATES = (RESERVED, ACTIVE, RETIRED)
_AREAL = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)


def _check(code: TextArray, good: BoolArray, what: str) -> None:
    """Name the first code for which something is not good."""
    if not good.all():
        raise TableError(f"CodeRecords: code {code[int(np.flatnonzero(~good)[0])]}: {what}")
