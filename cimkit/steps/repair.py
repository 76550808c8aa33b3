"""Repair of single outlines: what has one obvious reading is kept, all else set aside.

Never by `buffer(0)`: of a bow-tie it keeps one half without a word.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import shapely

from cimkit.limits import CROSSED_EDGE_PAIRS_MAX, EDGE_PAIRS_MAX, OUTLINE_TURNS_MAX
from cimkit.steps.rings import (
    GRID_M,
    TOUCH_GAP_M,
    count_edge_pairs,
    drop_needless_vertices,
    part_touching_rings,
    to_grid,
    widen_necks,
)
from cimkit.tables.issue import Issue, Severity

if TYPE_CHECKING:
    from numpy.typing import NDArray

AREA_MIN_M2 = 1.0
"""Smaller outlines are digitising crumbs."""

THINNESS_MIN = 1e-3
"""Of 4 pi area / perimeter^2, 1 for a disc; a strip 3,000 times longer than wide has this."""

AREA_CHANGE_MAX = 0.01
"""Share of the area that the repair of a self-crossing ring may change."""

_NOTHING_M2 = 1e-6
"""Less than a square millimetre comes from rounding, not from the drawing."""

_MANY_VERTICES = 10_000
"""Only outlines larger than this can hold `EDGE_PAIRS_MAX` pairs of edges."""


Note = Callable[[Severity, str, int, str], None]
"""Puts down an issue: severity, code, row, text."""


class Reading(NamedTuple):
    """How an invalid outline is read: the polygon or None, the issue code, and why."""

    polygon: Any
    code: str
    text: str


def repair(polygons: NDArray[Any], names: list[str]) -> tuple[NDArray[Any], list[Issue]]:
    """Polygons that keep the promise of `cimkit.clean`; None for those that cannot.

    Parameters
    ----------
    polygons : object array, shape (n,)
        Shapely polygons with finite coordinates, not empty, possibly invalid.
    names : list of str, length n
        Identifiers for the issues.

    Returns
    -------
    polygons : object array, shape (n,)
    issues : list of Issue
        An ERROR for each None; see `cimkit.clean`.

    Examples
    --------
    >>> doubled = shapely.Polygon([(0, 0), (2, 0), (2, 0), (2, 2), (0, 2)])
    >>> polygons, issues = repair(np.array([doubled]), ["a"])
    >>> polygons[0].equals(shapely.box(0, 0, 2, 2)), issues[0].code
    (True, 'RING_CLEANED')
    """
    issues: list[Issue] = []

    def note(severity: Severity, code: str, row: int, text: str) -> None:
        issues.append(Issue(severity, code, "footprints", names[row], text))

    polygons = _tidy(to_grid(polygons), note)
    invalid = ~shapely.is_valid(polygons) & ~shapely.is_missing(polygons)
    for row in np.flatnonzero(invalid).tolist():
        why = shapely.is_valid_reason(polygons[row])
        polygons[row], code, text = _read(polygons[row])
        note("ERROR" if polygons[row] is None else "WARNING", code, row, f"{text} ({why})")
    gap = f"{TOUCH_GAP_M * 100:g} cm"
    for change, kept, lost in (
        (part_touching_rings, f"rings touch; {gap} of wall put between them", "be parted"),
        (widen_necks, f"its neck is hardly open; made {gap} wide", "be widened"),
    ):
        for row, changed in sorted(change(polygons).items()):
            before, after = polygons[row], to_grid(np.array([changed]))[0]
            if after.is_valid and after.geom_type == "Polygon":
                polygons[row] = after
                text = f"{kept}, {after.area - before.area:+.4f} m2"
                note("INFO", "RING_TOUCHES", row, text)
            else:
                polygons[row] = None
                text = f"its outline touches itself and cannot {lost}; set aside"
                note("ERROR", "RING_TOUCHES", row, text)
    area, thinness = shapely.area(polygons), _thinness(polygons)
    for row in np.flatnonzero(area < AREA_MIN_M2).tolist():
        note("ERROR", "AREA_SMALL", row, f"{area[row]:.3f} m2 is no building; set aside")
    for row in np.flatnonzero((thinness < THINNESS_MIN) & (area >= AREA_MIN_M2)).tolist():
        text = f"{area[row]:.1f} m2 within {shapely.length(polygons[row]):.1f} m of outline"
        note("ERROR", "SLIVER", row, f"{text}; set aside")
    polygons[(area < AREA_MIN_M2) | (thinness < THINNESS_MIN)] = None
    return polygons, issues


def _tidy(polygons: NDArray[Any], note: Note) -> NDArray[Any]:
    """Without needless vertices; None where nothing is left, or too much to look through."""
    polygons, n_removed, endless = drop_needless_vertices(polygons)
    collapsed = shapely.is_missing(polygons) & ~endless
    for row in np.flatnonzero(endless).tolist():
        text = f"it turns back on itself over and over, more than {OUTLINE_TURNS_MAX:,} times"
        note("ERROR", "RING_TANGLED", row, f"{text}; set aside")
    for row in np.flatnonzero(collapsed).tolist():
        note("ERROR", "AREA_ZERO", row, "its outline encloses nothing; set aside")
    for row in np.flatnonzero((n_removed > 0) & ~collapsed & ~endless).tolist():
        text = f"{n_removed[row]} vertices removed: duplicate, spike, or on a straight line"
        note("INFO", "RING_CLEANED", row, text)
    polygons[endless] = None
    for row in np.flatnonzero(shapely.get_num_coordinates(polygons) > _MANY_VERTICES).tolist():
        if count_edge_pairs(polygons[row], EDGE_PAIRS_MAX) > EDGE_PAIRS_MAX:
            polygons[row] = None
            text = f"more than {EDGE_PAIRS_MAX:,} pairs of its edges lie near each other"
            note("ERROR", "RING_TANGLED", row, f"{text}; set aside")
    return polygons


def _read(polygon: Any) -> Reading:
    """The one reading of an invalid outline."""
    if count_edge_pairs(polygon, CROSSED_EDGE_PAIRS_MAX) > CROSSED_EDGE_PAIRS_MAX:
        text = f"more than {CROSSED_EDGE_PAIRS_MAX:,} pairs of its edges meet or nearly so"
        return Reading(None, "RING_TANGLED", f"{text}; set aside")
    try:
        return _read_holes(polygon) or _untangle(polygon)
    except shapely.GEOSException:
        text = "its rings cross and cannot be untangled; set aside"
        return Reading(None, "RING_SELF_CROSS", text)


def _read_holes(polygon: Any) -> Reading | None:
    """Sound rings, of which only the holes lie wrong: what is in no hole; None if not so."""
    shell = shapely.Polygon(polygon.exterior)
    holes = shapely.polygons(shapely.get_rings(polygon)[1:])
    if not (len(holes) and shell.is_valid and shapely.is_valid(holes).all()):
        return None
    inside = shapely.area(shapely.intersection(holes, shell))
    outside = shapely.area(holes) - inside
    left_out = inside <= _NOTHING_M2
    court = shapely.union_all(holes[~left_out])
    large = _on_grid(shapely.difference(shell, court))
    if len(large) != 1 or not large[0].is_valid:
        return None
    sticks_out = float(outside[~left_out].sum())
    if sticks_out > _NOTHING_M2:
        code, text = "HOLE_CROSSES", f"holes reach over the outline by {sticks_out:.2f} m2"
        if sticks_out > AREA_CHANGE_MAX * shell.area:
            return Reading(None, code, f"{text}; set aside")
        text += ", cut there"
    elif left_out.any():
        code, text = "HOLE_OUTSIDE", f"{left_out.sum()} holes lie outside and were left out"
    else:
        code, text = "HOLE_MERGED", "holes that share an edge or overlap were made one"
        text += f", {shapely.area(holes).sum() - court.area:.2f} m2 lay in several"
    return Reading(large[0], code, text)


def _untangle(polygon: Any) -> Reading:
    """The one large part that the structure method of `shapely.make_valid` finds."""
    before = polygon.area
    fixed = shapely.make_valid(polygon, method="structure", keep_collapsed=False)
    total = fixed.area
    large = _on_grid(fixed)
    areas = shapely.area(large)
    if not total > 0:
        return Reading(None, "AREA_ZERO", "its outline encloses nothing; set aside")
    if not len(large):
        text = f"below {AREA_MIN_M2:g} m2 is no building; set aside"
        return Reading(None, "AREA_SMALL", text)
    change = abs(areas[0] - before)
    if len(large) > 1 or change > AREA_CHANGE_MAX * before or not large[0].is_valid:
        found = " + ".join(f"{area:.2f}" for area in areas[:5].tolist())
        text = f"its rings cross: {before:.2f} m2 as drawn, {found} m2 if untangled; set aside"
        return Reading(None, "RING_SELF_CROSS", text)
    text = f"untangled, area changed by {change:.4f} m2"
    return Reading(large[0], "RING_SELF_CROSS", text)


def _on_grid(shape: Any) -> NDArray[Any]:
    """Parts of a shape that are large enough, on the grid where there is one only."""
    parts = shapely.get_parts(shape)
    large = parts[shapely.area(parts) >= AREA_MIN_M2]
    if len(large) == 1:
        large = to_grid(shapely.get_parts(shapely.set_precision(large[0], GRID_M)))
    return np.asarray(large)


def _thinness(polygons: NDArray[Any]) -> NDArray[np.float64]:
    """4 pi area / perimeter^2; NaN for None."""
    return np.asarray(4 * np.pi * shapely.area(polygons) / shapely.length(polygons) ** 2)
