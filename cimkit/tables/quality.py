"""How good the models of each building are, and what they measure."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
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

if TYPE_CHECKING:
    import pandas as pd

ROOF_TYPES = ("no points", "no planes", "horizontal", "multiple horizontal", "slanted")
"""Values of `roof_type`; "" where LoD2.2 was not asked for."""

UNCHECKED, NO_SOLID = "unchecked", "no solid"
"""Values of `validity_…` besides error numbers and "" (valid)."""

FAILURES = (
    "LOD",
    "INVALID",
    "RESIDUALS",
    "NO_DATA",
    "HEIGHT",
    "GROUND",
    "OVERLAP",
)
"""Parts of the rule that a building can fail, in the order in which `fails` lists them."""

LATE = ("area_wall", "area_party_wall", "area_overlap", "passes", "fails")
"""Columns that need the whole city: a building's neighbours may be of another block."""

TEXTS = ("roof_type", "validity_lod12", "validity_lod13", "validity_lod22", "fails")
"""Columns of text."""

_FLAGS = ("is_glass_roof", "passes")


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Quality:
    """Quality (质量) and measures of the models, a row a building in the order of `Buildings`.

    Lengths in metres, areas in m², volumes in m³, shares from 0 to 1; NaN where unknown.
    "Best model" is that of the highest level that the building reached.

    Parameters
    ----------
    building_id : text array, shape (n,)
    rmse_lod12, rmse_lod13, rmse_lod22 : float64 array, shape (n,)
        Root mean square of the heights of the roof points above the model's roof. Points less
        than 0.3 m from the outline are left out; fewer than 10 points give NaN.
    within_lod12, within_lod13, within_lod22 : float64 array, shape (n,)
        Share of these points that lie within 0.2 m of the roof.
    volume_lod12, volume_lod13, volume_lod22 : float64 array, shape (n,)
    n_roof_faces : int64 array, shape (n,)
        Of the best model.
    area_roof_flat, area_roof_sloped : float64 array, shape (n,)
        Of its roof faces up to, and above, a slope of 1 in 10; measured in the slope.
    area_wall : float64 array, shape (n,)
        Of its outer walls that stand free; all walls before party walls are known.
    area_party_wall : float64 array, shape (n,)
        Of its walls that stand against another building (共用墙); NaN before they are known.
    area_overlap : float64 array, shape (n,)
        Of the footprint that other footprints cover too; NaN before it is known.
    h_ridge, h_eave : float64 array, shape (n,)
        Highest and lowest point of the sloped roof faces (屋脊, 檐口) in the vertical datum, at
        LoD2.2; faces below a tenth of the sloped area are left out. NaN for flat roofs.
    roof_type : text array, shape (n,)
        One of `ROOF_TYPES`, or "".
    point_density : float64 array, shape (n,)
        Roof points per m² of the 0.5 m cells that hold any.
    nodata_fraction : float64 array, shape (n,)
        Share of the 0.5 m cells of the footprint without a roof point.
    nodata_radius : float64 array, shape (n,)
        Of the largest circle in the footprint without a roof point, to 1 cm.
    is_glass_roof : bool array, shape (n,)
        Whether ground points lie among the roof points, as under glass.
    validity_lod12, validity_lod13, validity_lod22 : text array, shape (n,)
        Error numbers of ISO 19107 as val3dity gives them, joined by commas; "" for a valid
        solid, `UNCHECKED`, or `NO_SOLID`.
    passes : bool array, shape (n,)
        The verdict of `cimkit.steps.reconstruct.verdict.judge`.
    fails : text array, shape (n,)
        Parts of its rule that failed, of `FAILURES`, joined by commas.
    """

    building_id: TextArray
    rmse_lod12: FloatArray
    rmse_lod13: FloatArray
    rmse_lod22: FloatArray
    within_lod12: FloatArray
    within_lod13: FloatArray
    within_lod22: FloatArray
    volume_lod12: FloatArray
    volume_lod13: FloatArray
    volume_lod22: FloatArray
    n_roof_faces: IntArray
    area_roof_flat: FloatArray
    area_roof_sloped: FloatArray
    area_wall: FloatArray
    area_party_wall: FloatArray
    area_overlap: FloatArray
    h_ridge: FloatArray
    h_eave: FloatArray
    roof_type: TextArray
    point_density: FloatArray
    nodata_fraction: FloatArray
    nodata_radius: FloatArray
    is_glass_roof: BoolArray
    validity_lod12: TextArray
    validity_lod13: TextArray
    validity_lod22: TextArray
    passes: BoolArray
    fails: TextArray

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "building_id", identifiers("building_id", self.building_id))
        n = len(self.building_id)
        for name in (field.name for field in fields(self)):
            values = getattr(self, name)
            if name in TEXTS:
                put(self, name, texts(name, values, n))
            elif name in _FLAGS:
                put(self, name, _flags(name, values, n))
            elif name == "n_roof_faces":
                put(self, name, integers(name, values, n))
            elif name != "building_id":
                put(self, name, floats(name, values, n, finite=False))

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
    def concatenate(cls, parts: list[Quality]) -> Self:
        """Tables one after the other."""
        if not parts:
            raise TableError("Quality: nothing to concatenate")
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def to_pandas(self) -> pd.DataFrame:
        """All columns as a DataFrame."""
        import pandas as pd

        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        return pd.DataFrame(
            {k: v.astype(object) if v.dtype.kind == "T" else v for k, v in columns.items()}
        )

    @classmethod
    def from_pandas(cls, frame: pd.DataFrame) -> Self:
        """Inverse of `to_pandas`; other columns are left out."""
        return cls(**{field.name: frame[field.name].to_numpy() for field in fields(cls)})


def _flags(name: str, values: Any, n: int) -> BoolArray:
    """One column of true and false."""
    column = np.ascontiguousarray(values, dtype=np.bool_)
    if column.shape != (n,):
        raise TableError(f"{name}: {n} rows expected, not shape {column.shape}")
    return column
