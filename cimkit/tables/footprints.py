"""Outlines of buildings as rings of plain coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import shapely
from numpy.typing import NDArray

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
    offsets,
    ragged_index,
    texts,
)

if TYPE_CHECKING:
    import geopandas as gpd


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Footprints:
    """Cleaned building outlines (建筑底面轮廓), one polygon for each building.

    Rings are stored open (the first vertex is not repeated); the shell runs counter-clockwise,
    holes (courtyards) run clockwise, so that a wall built along any ring faces outward.

    Parameters
    ----------
    building_id : text array, shape (n,)
        Unique, not empty.
    xy : float64 array, shape (n_vertices, 2)
        East, north in metres.
    ring_offsets : int64 array, shape (n_rings + 1,)
        Borders of the rings in `xy`.
    polygon_offsets : int64 array, shape (n + 1,)
        Borders of the polygons among the rings; the first ring of a polygon is its shell.
    height : float64 array, shape (n,)
        Height above ground from an attribute, metres; NaN where none.
    floors : float64 array, shape (n,)
        Number of storeys (层数) from an attribute; NaN where none.
    source_row : int64 array, shape (n,)
        Number of the feature in its file.
    crs : str
        Any text that pyproj reads.
    label : text array, shape (n,), optional
        Name or number of the building on the map (幢号); "" where none.

    Examples
    --------
    >>> import shapely
    >>> footprints = Footprints.from_polygons(["a"], [shapely.box(0, 0, 4, 2)], crs="EPSG:4547")
    >>> footprints.area, footprints.bounds
    (array([8.]), array([[0., 0., 4., 2.]]))
    >>> Footprints.from_polygons([], []).area
    array([], dtype=float64)
    """

    building_id: TextArray
    xy: FloatArray
    ring_offsets: IntArray
    polygon_offsets: IntArray
    height: FloatArray
    floors: FloatArray
    source_row: IntArray
    crs: str = ""
    label: TextArray = ()  # type: ignore[assignment]

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "building_id", identifiers("building_id", self.building_id))
        n = len(self.building_id)
        xy = np.ascontiguousarray(self.xy, dtype=np.float64).reshape(-1, 2)
        if not np.isfinite(xy).all():
            raise TableError("Footprints: a vertex is not finite")
        put(self, "xy", xy)
        put(self, "ring_offsets", offsets("ring_offsets", self.ring_offsets, len(xy)))
        n_rings = len(self.ring_offsets) - 1
        put(
            self,
            "polygon_offsets",
            offsets("polygon_offsets", self.polygon_offsets, n_rings, n),
        )
        if n_rings and (np.diff(self.ring_offsets) < 3).any():
            raise TableError("Footprints: a ring has fewer than three vertices")
        if n and (np.diff(self.polygon_offsets) < 1).any():
            raise TableError("Footprints: a polygon has no ring")
        put(self, "height", floats("height", self.height, n, finite=False))
        put(self, "floors", floats("floors", self.floors, n, finite=False))
        put(self, "source_row", integers("source_row", self.source_row, n))
        put(self, "label", texts("label", self.label if len(self.label) else [""] * n, n))

    @classmethod
    def from_polygons(
        cls,
        building_id: Any,
        polygons: Any,
        *,
        height: Any = None,
        floors: Any = None,
        source_row: Any = None,
        crs: str = "",
        label: Any = None,
    ) -> Self:
        """Take valid shapely polygons as they are; `cimkit.clean` is for all others.

        Parameters
        ----------
        building_id : sequence of str, length n
        polygons : sequence of shapely Polygon, length n
            Valid, not empty.
        height, floors, source_row : sequence of number, length n, optional
        crs : str, optional
        label : sequence of str, length n, optional
        """
        shapes = shapely.orient_polygons(
            shapely.force_2d(np.asarray(polygons, dtype=object)), exterior_cw=False
        )
        n = len(shapes)
        rings, polygon_of_ring = shapely.get_rings(shapes, return_index=True)
        coordinates, ring_of_vertex = shapely.get_coordinates(rings, return_index=True)
        last = np.append(np.diff(ring_of_vertex) > 0, True)[: len(coordinates)]
        sizes = np.bincount(ring_of_vertex, minlength=len(rings)) - 1
        nothing = np.full(n, np.nan)
        return cls(
            building_id,
            coordinates[~last],
            np.concatenate([[0], np.cumsum(sizes)]),
            np.concatenate([[0], np.cumsum(np.bincount(polygon_of_ring, minlength=n))]),
            nothing if height is None else height,
            nothing if floors is None else floors,
            np.arange(n) if source_row is None else source_row,
            crs,
            () if label is None else label,  # type: ignore[arg-type]
        )

    def __len__(self) -> int:
        return len(self.building_id)

    def __repr__(self) -> str:
        return describe(self, len(self), self.crs, self.total_bounds)

    @property
    def bounds(self) -> FloatArray:
        """Boxes (xmin, ymin, xmax, ymax), shape (n, 4)."""
        if not len(self):
            return np.empty((0, 4))
        starts = self.ring_offsets[self.polygon_offsets[:-1]]
        low = np.minimum.reduceat(self.xy, starts, axis=0)
        return np.hstack([low, np.maximum.reduceat(self.xy, starts, axis=0)])

    @property
    def total_bounds(self) -> tuple[float, float, float, float] | None:
        """Box of all, or None without footprints."""
        if not len(self):
            return None
        (xmin, ymin), (xmax, ymax) = self.xy.min(0).tolist(), self.xy.max(0).tolist()
        return xmin, ymin, xmax, ymax

    @property
    def area(self) -> FloatArray:
        """Area in m², holes taken off, shape (n,).

        Shoelace formula on vertices shifted to the first one of each ring: at zone-prefixed
        eastings (4e7) the plain formula loses all digits of a small building.
        """
        if not len(self):
            return np.empty(0)
        starts = self.ring_offsets[:-1]
        local = self.xy - np.repeat(self.xy[starts], np.diff(self.ring_offsets), axis=0)
        following = np.arange(1, len(local) + 1)
        following[self.ring_offsets[1:] - 1] = starts
        cross = local[:, 0] * local[following, 1] - local[:, 1] * local[following, 0]
        ring_area = np.add.reduceat(cross, starts) / 2
        return np.asarray(np.add.reduceat(ring_area, self.polygon_offsets[:-1]))

    def polygons(self) -> NDArray[Any]:
        """Shapely polygons, object array of shape (n,)."""
        rings = [
            np.vstack([self.xy[a:b], self.xy[a]])
            for a, b in zip(self.ring_offsets[:-1], self.ring_offsets[1:], strict=True)
        ]
        shapes = np.empty(len(self), dtype=object)
        for i, (a, b) in enumerate(
            zip(self.polygon_offsets[:-1], self.polygon_offsets[1:], strict=True)
        ):
            shapes[i] = shapely.Polygon(rings[a], rings[a + 1 : b])
        return shapes

    def take(self, rows: IntArray | BoolArray) -> Self:
        """The footprints chosen by index or mask, in that order."""
        chosen = np.arange(len(self))[rows]
        ring_index, polygon_ends = ragged_index(self.polygon_offsets, chosen)
        vertex_index, ring_ends = ragged_index(self.ring_offsets, ring_index)
        return type(self)(
            self.building_id[chosen],
            self.xy[vertex_index],
            ring_ends,
            polygon_ends,
            self.height[chosen],
            self.floors[chosen],
            self.source_row[chosen],
            self.crs,
            self.label[chosen],
        )

    def to_geopandas(self) -> gpd.GeoDataFrame:
        """Columns `building_id`, `height`, `floors`, `source_row`, `label`; the polygons."""
        import geopandas as gpd

        return gpd.GeoDataFrame(
            {
                "building_id": self.building_id.astype(object),
                "height": self.height,
                "floors": self.floors,
                "source_row": self.source_row,
                "label": self.label.astype(object),
            },
            geometry=list(self.polygons()),
            crs=self.crs or None,
        )

    @classmethod
    def from_geopandas(cls, frame: gpd.GeoDataFrame) -> Self:
        """Inverse of `to_geopandas`; only `building_id` and the polygons are required."""
        return cls.from_polygons(
            frame["building_id"].astype(str),
            frame.geometry.to_numpy(),
            height=frame.get("height"),
            floors=frame.get("floors"),
            source_row=frame.get("source_row"),
            crs="" if frame.crs is None else frame.crs.to_string(),
            label=frame["label"].fillna("") if "label" in frame else None,
        )
