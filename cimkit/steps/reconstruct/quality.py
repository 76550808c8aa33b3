"""Quality of the models of each building: fit, coverage and measures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from cimkit.kernels.roof_cover import Cover, cover_roofs
from cimkit.kernels.roof_residuals import Residuals, Solids, roof_residuals
from cimkit.tables import Footprints, Models, Quality
from cimkit.tables._columns import TEXT, BoolArray, FloatArray, IntArray, TextArray
from cimkit.tables.models import LODS, ROOF_SURFACE, WALL_SURFACE
from cimkit.tables.quality import NO_SOLID, ROOF_TYPES, UNCHECKED
from cimkit.tables.surfaces import face_vectors, solid_volumes

NEAR = 0.2
"""Metres between point and roof that count as a fit: five times the noise of a laser scan."""

POINTS_MIN = 10
"""Fewer points say nothing about the fit of a roof."""

SLOPED = 0.1
"""Rise on 1 m; 5.7 degrees. A flat roof needs a tenth of it to drain."""

SLANTED_SHARE = 0.05
"""Of the roof area; with less of it sloped a roof is flat, with a skylight or a lift house."""

MAIN_SHARE = 0.1
"""Of the sloped area; smaller faces are dormers, which have no say on ridge and eave."""

GLASS_PURITY = 0.75
"""Mean purity of the cells below which pulses pass through the roof; the value of roofer."""


def measure_quality(
    models: Models,
    footprints: Footprints,
    xyz: tuple[FloatArray, FloatArray, FloatArray] | None,
    rows: IntArray,
    borders: IntArray,
    *,
    ground: tuple[IntArray, IntArray] | None = None,
    lods: tuple[str, ...] = LODS,
) -> Quality:
    """Measure the models of all buildings.

    Parameters
    ----------
    models : Models
        At any levels.
    footprints : Footprints
        Coordinates in whole millimetres.
    xyz : tuple of three float64 arrays, shape (n_points,), or None without a cloud
    rows : int64 array
        Rows of the roof points, building by building.
    borders : int64 array, shape (n + 1,)
        Borders of the buildings in `rows`.
    ground : tuple of two int64 arrays, optional
        Rows and borders of the ground points on or near each building.
    lods : tuple of str
        Levels that were asked for.

    Returns
    -------
    Quality
        In the order of the footprints. Validity is `UNCHECKED`, party walls and overlaps are
        NaN and no building passes: `cimkit.steps.reconstruct.verdict.judge` decides.

    Notes
    -----
    The order of the points plays no part, nor does the place on the map in whole millimetres.

    Examples
    --------
    >>> import shapely
    >>> import cimkit
    >>> footprints = cimkit.Footprints.from_polygons(
    ...     ["a"], [shapely.box(0, 0, 3, 2)], floors=[1]
    ... )
    >>> _, models, _ = cimkit.reconstruct(footprints)
    >>> none = np.empty(0, np.int64)
    >>> quality = measure_quality(models, footprints, None, none, np.zeros(2, np.int64))
    >>> quality.volume_lod12, quality.area_wall, quality.roof_type.tolist()
    (array([18.]), array([30.]), ['no points'])
    """
    n = len(footprints)
    solid_of = _solids_of(models, footprints)
    points = (np.empty(0), np.empty(0), np.empty(0)) if xyz is None else xyz
    ring_mm = np.rint(footprints.xy * 1000.0).astype(np.int64)
    outline = ring_mm, footprints.ring_offsets, footprints.polygon_offsets
    fit = roof_residuals(*points, rows, borders, *outline, _arrays(models), solid_of, NEAR)
    cover = _unknown_cover(n)
    if xyz is not None:
        soil = ground or (np.empty(0, np.int64), np.zeros(n + 1, np.int64))
        cover = cover_roofs(*xyz[:2], rows, borders, *soil, *outline)
    has_points = np.diff(borders) > 0
    roof = _measure_roofs(models, solid_of)
    return Quality(
        building_id=footprints.building_id,
        **_measure_levels(models, solid_of, fit),
        n_roof_faces=roof.n_faces,
        area_roof_flat=roof.flat,
        area_roof_sloped=roof.sloped,
        area_wall=roof.walls,
        area_party_wall=np.full(n, np.nan),
        area_overlap=np.full(n, np.nan),
        h_ridge=roof.ridge,
        h_eave=roof.eave,
        roof_type=_roof_types(roof, solid_of[:, 2] >= 0, has_points, asked="2.2" in lods),
        point_density=np.round(cover.density, 3),
        nodata_fraction=np.round(cover.empty, 4),
        nodata_radius=np.round(cover.radius, 2),
        is_glass_roof=has_points & (cover.purity < GLASS_PURITY),
        passes=np.zeros(n, np.bool_),
        fails=np.full(n, "", TEXT),
    )


def with_validity(
    quality: Quality, models: Models, errors: Sequence[tuple[int, ...]]
) -> Quality:
    """The table with the errors that a check found.

    Parameters
    ----------
    quality : Quality
    models : Models
    errors : sequence of tuple of int
        Error numbers of each solid, as `cimkit.check.solids.solid_errors` gives them.

    Returns
    -------
    Quality
        With `validity_lod12` and so on.
    """
    row_of = {name: row for row, name in enumerate(quality.building_id.tolist())}
    columns = {lod: getattr(quality, level_column("validity", lod)).copy() for lod in LODS}
    names, lods = models.building_id.tolist(), models.lod.tolist()
    for name, lod, found in zip(names, lods, errors, strict=True):
        columns[lod][row_of[name]] = ",".join(map(str, found))
    return quality.replace(**{level_column("validity", lod): v for lod, v in columns.items()})


class _Roofs(NamedTuple):
    """Measures of the best model of each building."""

    n_faces: IntArray
    flat: FloatArray
    sloped: FloatArray
    walls: FloatArray
    ridge: FloatArray
    eave: FloatArray
    step: FloatArray


def _solids_of(models: Models, footprints: Footprints) -> IntArray:
    """Solid of each building at each of `LODS`, -1 for none."""
    row_of = {name: row for row, name in enumerate(footprints.building_id.tolist())}
    solid_of = np.full((len(footprints), len(LODS)), -1, dtype=np.int64)
    building = np.array([row_of.get(i, -1) for i in models.building_id.tolist()], np.int64)
    for level, lod in enumerate(LODS):
        chosen = np.flatnonzero((models.lod == lod) & (building >= 0))
        solid_of[building[chosen], level] = chosen
    return solid_of


def _measure_levels(models: Models, solid_of: IntArray, fit: Residuals) -> dict[str, Any]:
    """Columns that there are for each level."""
    enough = fit.compared >= POINTS_MIN
    count = np.where(enough, fit.compared, 1)
    volume = np.append(np.round(solid_volumes(models), 3), np.nan)
    tables = {
        "rmse": np.where(enough, np.round(np.sqrt(fit.squares / count) / 1e3, 3), np.nan),
        "within": np.where(enough, np.round(fit.near / count, 4), np.nan),
        "volume": volume[solid_of],
        "validity": np.where(solid_of >= 0, UNCHECKED, NO_SOLID).astype(TEXT),
    }
    return {
        level_column(name, lod): table[:, level]
        for name, table in tables.items()
        for level, lod in enumerate(LODS)
    }


def level_column(name: str, lod: str) -> str:
    """Name of a column that there is for each level, as ``rmse_lod12``."""
    return f"{name}_lod{lod.replace('.', '')}"


def _arrays(models: Models) -> Solids:
    return Solids(
        models.vertices,
        models.ring_vertex,
        models.ring_offsets,
        models.face_offsets,
        models.solid_offsets,
        models.semantics,
    )


def _unknown_cover(n: int) -> Cover:
    unknown = np.full(n, np.nan)
    return Cover(unknown, unknown, unknown, unknown)


def _measure_roofs(models: Models, solid_of: IntArray) -> _Roofs:
    """Areas of the best models; ridge and eave at LoD2.2."""
    n = len(solid_of)
    best = solid_of.max(axis=1, initial=-1, where=_is_best(solid_of))
    building_of = np.full(len(models) + 1, -1, dtype=np.int64)
    building_of[best[best >= 0]] = np.flatnonzero(best >= 0)
    building = building_of[models.solid_of_face]
    vector = face_vectors(models)
    area = np.linalg.norm(vector, axis=1)
    is_roof = (models.semantics == ROOF_SURFACE) & (building >= 0)
    is_sloped = is_roof & (np.hypot(vector[:, 0], vector[:, 1]) > SLOPED * vector[:, 2])
    is_wall = (models.semantics == WALL_SURFACE) & (building >= 0)

    def total(chosen: BoolArray) -> FloatArray:
        sums = np.bincount(building[chosen], area[chosen], n)
        return np.where(best >= 0, np.round(sums, 3), np.nan)

    sloped = total(is_sloped)
    low, high = _face_range(models)
    main = is_sloped & (solid_of[building, 2] >= 0)
    main &= area >= MAIN_SHARE * sloped[building]
    return _Roofs(
        np.bincount(building[is_roof], minlength=n),
        total(is_roof & ~is_sloped),
        sloped,
        total(is_wall),
        _extreme(np.fmax, high[main], building[main], n),
        _extreme(np.fmin, low[main], building[main], n),
        _extreme(np.fmax, high[is_roof], building[is_roof], n)
        - _extreme(np.fmin, low[is_roof], building[is_roof], n),
    )


def _is_best(solid_of: IntArray) -> BoolArray:
    """The last level of each row that has a solid."""
    later = np.cumsum((solid_of >= 0)[:, ::-1], axis=1)[:, ::-1]
    return np.asarray((solid_of >= 0) & (later == 1))


def _face_range(models: Models) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest vertex of each face."""
    z = models.vertices[models.ring_vertex, 2]
    first = models.ring_offsets[models.face_offsets[:-1]]
    if not len(first):
        return np.empty(0), np.empty(0)
    return np.minimum.reduceat(z, first), np.maximum.reduceat(z, first)


def _extreme(pick: np.ufunc, values: FloatArray, building: IntArray, n: int) -> FloatArray:
    """Least or greatest value of each building; NaN without any."""
    result = np.full(n, np.nan)
    pick.at(result, building, values)
    return np.round(result, 3)


def _roof_types(
    roof: _Roofs, reached: BoolArray, has_points: BoolArray, *, asked: bool
) -> TextArray:
    """One of `ROOF_TYPES` for each building."""
    kind = np.full(len(reached), ROOF_TYPES[1] if asked else "", TEXT)
    slanted = roof.sloped > SLANTED_SHARE * (roof.sloped + roof.flat)
    kind[reached] = ROOF_TYPES[2]
    kind[reached & (roof.step > NEAR)] = ROOF_TYPES[3]
    kind[reached & slanted] = ROOF_TYPES[4]
    kind[~has_points] = ROOF_TYPES[0]
    return kind
