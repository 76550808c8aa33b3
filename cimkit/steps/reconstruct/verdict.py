"""One verdict on the models of each building, and what speaks against it."""

from __future__ import annotations

import numpy as np

from cimkit.kernels.roof_cover import CELL
from cimkit.steps.reconstruct.quality import level_column
from cimkit.tables import Buildings, Quality
from cimkit.tables._columns import TEXT, FloatArray
from cimkit.tables.models import LODS
from cimkit.tables.quality import FAILURES, NO_SOLID, UNCHECKED

WITHIN_MIN, RMSE_MAX = 0.7, 0.5
"""A roof fits if this share of its points lies within 0.2 m, or if its RMSE is at most so many
metres: the first forgives trees and cables, the second a rough roof. 2 of 160 and 359 of 5,588
buildings in two quarters of Delft fail."""

NODATA_RADIUS_MAX = 1.5
"""Metres. A larger circle without points can hide a dormer. Of 160 buildings 3 have one at 8.9
points a m², 4 at 2.1."""

UNSEEN_MAX = 0.15
"""Share of the roof without points, beyond what chance leaves. Of 160 buildings 1 has more, 10
with a quarter of the points, 150 with the points of half of each roof."""

DENSITY_MIN = 1.0
"""Roof points per m² of footprint; the least that roofer takes."""

OVERLAP_SHARE_MAX = 0.01
"""Of the footprint: a wall of 10 m drawn 10 cm off."""

_NEWTON_STEPS = 30
"""Far more than the about 6 that it takes from where we start."""


def judge(quality: Quality, buildings: Buildings, *, lods: tuple[str, ...] = LODS) -> Quality:
    """Say of each building whether its models can be relied on, and if not, why.

    Parameters
    ----------
    quality : Quality
        With validity and overlaps filled in; where they are not, they count for the building.
    buildings : Buildings
        In the same order.
    lods : tuple of str
        Levels that were asked for.

    Returns
    -------
    Quality
        With `passes` and `fails`.

    Notes
    -----
    A building passes if none of these holds (compare `b3_kwaliteitsindicator` of the 3DBAG):

    - ``LOD``: it lacks the solid of one of the levels asked for.
    - ``INVALID``: one of its solids has an error.
    - ``RESIDUALS``: at LoD2.2 fewer than `WITHIN_MIN` of its points lie within 0.2 m of the
      roof, and the RMSE is above `RMSE_MAX`; or it has too few points to tell.
    - ``NO_DATA``: a circle of more than `NODATA_RADIUS_MAX` in its footprint has no point, or
      more than `UNSEEN_MAX` of the roof was not seen (`unseen_share`), or it has fewer than
      `DENSITY_MIN` points a m², or its roof is of glass.
    - ``HEIGHT``: its height is not from points.
    - ``GROUND``: its ground was not measured.
    - ``OVERLAP``: more than `OVERLAP_SHARE_MAX` of it lies on other footprints.
    """
    solids = {lod: getattr(quality, level_column("validity", lod)) for lod in LODS}
    lacks = [solids[lod] == NO_SOLID for lod in lods]
    wrong = [~np.isin(v.astype(object), ["", NO_SOLID, UNCHECKED]) for v in solids.values()]
    with np.errstate(invalid="ignore"):
        unfit = ~((quality.within_lod22 >= WITHIN_MIN) | (quality.rmse_lod22 <= RMSE_MAX))
        density = quality.point_density * (1.0 - quality.nodata_fraction)
        failed = {
            "LOD": np.logical_or.reduce(lacks),
            "INVALID": np.logical_or.reduce(wrong),
            "RESIDUALS": unfit & np.full(len(quality), "2.2" in lods),
            "NO_DATA": (quality.nodata_radius > NODATA_RADIUS_MAX)
            | (unseen_share(quality.nodata_fraction, quality.point_density) > UNSEEN_MAX)
            | (density < DENSITY_MIN)
            | quality.is_glass_roof,
            "HEIGHT": np.asarray(buildings.height_source != "points"),
            "GROUND": np.isin(buildings.ground_source.astype(object), ["guess", "none"]),
            "OVERLAP": quality.area_overlap > OVERLAP_SHARE_MAX * buildings.area,
        }
    table = np.column_stack([failed[name] for name in FAILURES])
    fails = np.full(len(quality), "", TEXT)
    for name, bad in zip(FAILURES, table.T, strict=True):
        fails[bad] = np.strings.add(fails[bad], np.array(f",{name}", TEXT))
    return quality.replace(passes=~table.any(axis=1), fails=np.strings.lstrip(fails, ","))


def unseen_share(nodata_fraction: FloatArray, point_density: FloatArray) -> FloatArray:
    """Share of a roof that was not seen, told from cells that are empty by chance.

    Parameters
    ----------
    nodata_fraction, point_density : float64 array, shape (n,)
        As in `cimkit.tables.Quality`.

    Returns
    -------
    float64 array, shape (n,)
        At most 1; below 0 where the points lie more evenly than by chance; NaN where unknown.

    Notes
    -----
    Points that fall by chance (Poisson) with a mean of m a cell leave exp(-m) of the cells
    empty, and m / (1 - exp(-m)) points in each of the others. The density of the filled cells
    tells m (Newton's method), m the share 1 - exp(-m) of cells that would be filled if all of
    the roof was seen.

    Examples
    --------
    >>> unseen_share(np.array([0.0, 0.5, 0.6]), np.array([20.0, 20.0, 4.8])).round(2)
    array([-0.01,  0.5 , -0.28])
    """
    held = np.maximum(point_density * CELL**2, 1.0)
    mean = held.copy()
    for _ in range(_NEWTON_STEPS):
        slope = np.maximum(1.0 - held * np.exp(-mean), 1e-9)
        mean = np.maximum(mean - (mean + held * np.expm1(-mean)) / slope, 1e-9)
    return np.asarray(1.0 - (1.0 - nodata_fraction) / -np.expm1(-mean))
