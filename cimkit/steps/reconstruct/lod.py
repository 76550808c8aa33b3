"""White models of buildings at the best level of detail that their points allow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cimkit.kernels.roof_labels import LabelRules
from cimkit.kernels.roof_model import (
    CAPPED,
    COARSE,
    CROWDED,
    DEAR,
    FLAT_FIT,
    LOST,
    NO_PLANE,
    RoofRules,
)
from cimkit.steps.reconstruct.heights import HeightRules, Heights, find_heights
from cimkit.steps.reconstruct.solid import RoofSolids, make_prisms, make_solids
from cimkit.tables import Buildings, Issue, Models, Terrain
from cimkit.tables._columns import TEXT, IntArray
from cimkit.tables.coerce import as_footprints, as_points
from cimkit.tables.models import LODS

METHODS = {"1.2": "extrusion", "1.3": "steps", "2.2": "planes"}

_REASONS = {
    NO_PLANE: ("NO_ROOF_PLANE", "its points form no plane"),
    LOST: ("OUTLINE_NOT_CUT", "its outline has corners too close together to be cut by lines"),
}


def reconstruct(
    footprints: Any,
    points: Any = None,
    *,
    building_of_point: IntArray | None = None,
    terrain: Terrain | None = None,
    rules: HeightRules | None = None,
    lod: tuple[str, ...] = LODS,
) -> tuple[Buildings, Models, list[Issue]]:
    """White models (白模): each footprint raised from its ground to its roof.

    Every footprint gets a solid. Its roof comes from points, else from its height attribute,
    else from its number of storeys, else it is a flagged default; its ground from the ground
    points around it, else from the terrain, else it is guessed and flagged as not measured:
    outside the terrain as its nearest height, without one as below the lowest roof point.

    Levels of detail are those of TU Delft: LoD1.2 has one height, LoD1.3 one for each part of
    the roof that is a step apart, LoD2.2 the planes of the roof. Where the points do not allow
    a level, the building has the next lower one, and `lod`, `method` and `reason` say so; a
    box that stands in for a roof is never called 2.2.

    Parameters
    ----------
    footprints : Footprints or GeoDataFrame
    points : PointCloud or array, shape (n, 4), optional
    building_of_point : int64 array, shape (n,), optional
        From `cimkit.singulate`; required with `points`.
    terrain : Terrain, optional
    rules : HeightRules, optional
    lod : tuple of str, default ("1.2", "1.3", "2.2")
        Levels to make.

    Returns
    -------
    buildings : Buildings
        In the order of the footprints.
    models : Models
        Building by building, by rising level.
    issues : list of Issue

    Notes
    -----
    Heights: see `cimkit.steps.reconstruct.heights.find_heights`. Roofs: planes by region
    growing, a partition of the footprint by their intersections and steps, and a labelling that
    weighs fit against the number of faces; see `cimkit.kernels.roof_model`. The result does not
    depend on the order of the points, nor on where on the map the building stands.

    Examples
    --------
    >>> import shapely
    >>> from cimkit.tables import Footprints
    >>> footprints = Footprints.from_polygons(["a"], [shapely.box(0, 0, 9, 9)], floors=[6])
    >>> buildings, models, issues = reconstruct(footprints)
    >>> buildings.height, buildings.height_source.tolist(), [issue.code for issue in issues]
    (array([18.]), ['floors'], ['GROUND_NOT_MEASURED'])
    >>> models.lod.tolist(), buildings.method.tolist()
    (['1.2'], ['extrusion'])
    """
    footprints = as_footprints(footprints)
    rules = rules or HeightRules()
    cloud = None if points is None else as_points(points)
    heights = find_heights(footprints, cloud, building_of_point, terrain, rules)
    buildings = heights.buildings
    if cloud is None or max(lod) == "1.2":
        models = make_prisms(footprints, buildings.h_ground, heights.z_roof)
        return buildings, models, heights.issues
    solids = make_solids(
        footprints,
        (cloud.x, cloud.y, cloud.z),
        heights.rows,
        heights.borders,
        buildings.h_ground,
        heights.z_roof,
        _roof_rules(rules),
    )
    models = _asked_for(solids.models, lod)
    buildings = _say_level(buildings, models, solids, max(lod))
    return buildings, models, heights.issues + _issues(buildings, heights, max(lod))


def leave_out_invalid(
    buildings: Buildings, models: Models, errors: Sequence[tuple[int, ...]]
) -> tuple[Buildings, Models, list[tuple[int, ...]], list[Issue]]:
    """Leave out solids that a check found fault with, where the building has a lower level.

    The kernel checks its solids by cheaper rules; of 3,313 real roofs two pass them and have a
    sliver all the same (error 204).

    Parameters
    ----------
    buildings : Buildings
    models : Models
        In the order of the buildings, by rising level.
    errors : sequence of tuple of int
        Error numbers of each solid.

    Returns
    -------
    buildings : Buildings
        With the level that is left, and the reason ``SOLID_NOT_VALID``.
    models : Models
    errors : list of tuple of int
        Of the solids that are left.
    issues : list of Issue
    """
    names = models.building_id.tolist()
    has_lower = [row > 0 and names[row - 1] == name for row, name in enumerate(names)]
    kept = np.array(
        [not (bad and low) for bad, low in zip(errors, has_lower, strict=True)], bool
    )
    if kept.all():
        return buildings, models, list(errors), []
    models = models.take(np.flatnonzero(kept))
    before, lod = buildings.lod, models.best().lod
    changed = lod != before
    method, reason = buildings.method.copy(), buildings.reason.copy()
    method[changed] = np.array([METHODS[level] for level in lod[changed].tolist()], dtype=TEXT)
    reason[changed] = "SOLID_NOT_VALID"
    buildings = buildings.replace(lod=lod, method=method, reason=reason)
    issues = [
        Issue(
            *("WARNING", "SOLID_NOT_VALID", "buildings", str(buildings.building_id[row])),
            f"its roof would not be valid; it is LoD{lod[row]}",
        )
        for row in np.flatnonzero(changed)
    ]
    return buildings, models, [e for e, keep in zip(errors, kept, strict=True) if keep], issues


def _roof_rules(rules: HeightRules) -> RoofRules:
    """Rules of the kernel; `roof_complexity` scales the price of borders and regions."""
    labels = LabelRules()
    labels = labels._replace(
        border=labels.border / rules.roof_complexity,
        region=labels.region / rules.roof_complexity,
    )
    return RoofRules(labels=labels, step=rules.lod13_step, quantile=rules.roof_quantile)


def _asked_for(models: Models, lod: tuple[str, ...]) -> Models:
    """For each level that is asked for, the best that a building reached up to it."""
    names, levels = models.building_id.tolist(), models.lod.tolist()
    kept = []
    for row, (name, level) in enumerate(zip(names, levels, strict=True)):
        following = levels[row + 1] if names[row + 1 : row + 2] == [name] else "9"
        if any(level <= asked < following for asked in lod):
            kept.append(row)
    return models.take(np.array(kept, dtype=np.int64))


def _say_level(
    buildings: Buildings, models: Models, solids: RoofSolids, asked: str
) -> Buildings:
    """Columns `lod`, `method` and `reason` of what was reached."""
    lod = models.best().lod
    method = np.array([METHODS[level] for level in lod.tolist()], dtype=TEXT)
    notes = solids.notes
    method[(lod == "2.2") & (notes & FLAT_FIT > 0)] = "flat"
    method[(lod == "2.2") & (notes & CAPPED > 0)] = "planes, capped"
    method[(lod == "2.2") & (notes & (COARSE | DEAR) > 0)] = "planes, coarse"
    reason = buildings.reason.copy()
    below = (reason == "") & (lod != asked) & (buildings.height_source == "points")
    reason[below] = "SOLID_NOT_VALID"
    for bit, (code, _) in _REASONS.items():
        reason[below & (notes & bit > 0)] = code
    reason[(reason == "") & (notes & CROWDED > 0)] = "ROOF_TOO_COMPLEX"
    return buildings.replace(lod=lod, method=method, reason=reason)


def _issues(buildings: Buildings, heights: Heights, asked: str) -> list[Issue]:
    """One row for each building whose points did not give the level that was asked for."""
    texts = {
        **dict(_REASONS.values()),
        "SOLID_NOT_VALID": "its roof would not close",
        "ROOF_TOO_COMPLEX": "it has too many roof planes: the smallest were left out",
    }
    had = heights.buildings.reason
    return [
        Issue("WARNING", reason, "buildings", name, f"{texts[reason]}; it is LoD{lod}")
        for name, reason, before, lod in zip(
            buildings.building_id.tolist(),
            buildings.reason.tolist(),
            had.tolist(),
            buildings.lod.tolist(),
            strict=True,
        )
        if reason and not before
    ]
