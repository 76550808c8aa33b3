"""What is known of each building besides its shape."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from cimkit.tables._columns import (
    FloatArray,
    IntArray,
    TextArray,
    describe,
    floats,
    identifiers,
    integers,
    texts,
)

if TYPE_CHECKING:
    import pandas as pd

HEIGHT_SOURCES = ("points", "attribute", "floors", "default")
GROUND_SOURCES = ("points", "terrain", "filtered", "dem", "guess", "none")


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Buildings:
    """Attributes of the buildings (单体建筑), in the order of their `Footprints`.

    Parameters
    ----------
    building_id : text array, shape (n,)
        The user's own identifier. Unique.
    code : text array, shape (n,)
        Permanent building code (编码赋码); "" before `cimkit.encode`.
    h_ground : float64 array, shape (n,)
        Height of the ground at the building, metres in the vertical datum.
    ground_source : text array, shape (n,)
        ``points`` (ground points within 4 m), ``terrain`` (the grid), ``filtered`` (either,
        found in a cloud that states no ground), ``dem`` (the grid, where an elevation model
        gave its height), ``guess`` (outside the grid: its nearest cell; where what was found
        does not look like ground: that; without a grid, or where a roof would lie below it:
        below the lowest point of the building; not measured), ``none`` (0, nothing known: not
        measured).
    h_roof_min, h_roof_50p, h_roof_70p, h_roof_max : float64 array, shape (n,)
        1 %, 50 %, 70 % and 99 % quantile of the roof points; NaN without points.
    height : float64 array, shape (n,)
        Height of the model above its ground, metres.
    height_source : text array, shape (n,)
        ``points``, ``attribute``, ``floors`` or ``default``.
    lod : text array, shape (n,)
        Level of detail that was really reached.
    method, reason : text array, shape (n,)
        How the model was made, and why not better; "" where nothing stood in the way.
    n_points : int64 array, shape (n,)
        Roof points that are its own; each point of the cloud counts once. Where `reason` is
        ``OVERLAPPED`` the roof is from all points on it, those of other footprints included.
    area : float64 array, shape (n,)
        Area of the footprint in m².
    """

    building_id: TextArray
    code: TextArray
    h_ground: FloatArray
    ground_source: TextArray
    h_roof_min: FloatArray
    h_roof_50p: FloatArray
    h_roof_70p: FloatArray
    h_roof_max: FloatArray
    height: FloatArray
    height_source: TextArray
    lod: TextArray
    method: TextArray
    reason: TextArray
    n_points: IntArray
    area: FloatArray

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "building_id", identifiers("building_id", self.building_id))
        n = len(self.building_id)
        for name in ("code", "ground_source", "height_source", "lod", "method", "reason"):
            put(self, name, texts(name, getattr(self, name), n))
        for name in ("h_ground", "height", "area"):
            put(self, name, floats(name, getattr(self, name), n))
        for name in ("h_roof_min", "h_roof_50p", "h_roof_70p", "h_roof_max"):
            put(self, name, floats(name, getattr(self, name), n, finite=False))
        put(self, "n_points", integers("n_points", self.n_points, n))

    def __len__(self) -> int:
        return len(self.building_id)

    def __repr__(self) -> str:
        return describe(self, len(self), "", None)

    def replace(self, **columns: Any) -> Self:
        """The same table with some columns exchanged."""
        return replace(self, **columns)

    def take(self, rows: IntArray) -> Self:
        """The buildings chosen by index, in that order."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    @classmethod
    def concatenate(cls, parts: list[Buildings]) -> Self:
        """Tables one after the other."""
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def to_pandas(self) -> pd.DataFrame:
        """All columns as a DataFrame."""
        import pandas as pd

        return pd.DataFrame(
            {field.name: _plain(getattr(self, field.name)) for field in fields(self)}
        )

    @classmethod
    def from_pandas(cls, frame: pd.DataFrame) -> Self:
        """Inverse of `to_pandas`."""
        columns = {f.name: frame[f.name] for f in fields(cls)}
        return cls(**{name: values.to_numpy() for name, values in columns.items()})


def _plain(column: Any) -> Any:
    """Text as Python strings, numbers as they are."""
    return column if column.dtype.kind in "iuf" else column.astype(object)
