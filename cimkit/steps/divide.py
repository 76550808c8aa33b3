"""Tell in which county, township and community each building stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

from cimkit.errors import CrsError
from cimkit.tables import Footprints, Issue
from cimkit.tables._columns import TEXT, IntArray, TextArray

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cimkit.tables.divisions import Divisions

BORDER_M = 50.0
"""Metres: a building outside all divisions takes the nearest one up to here; borders are drawn
along water and roads, and seldom better."""


def divide(footprints: Footprints, divisions: Divisions) -> tuple[TextArray, list[Issue]]:
    """Find the division (行政区划) of each building.

    Parameters
    ----------
    footprints : Footprints
    divisions : Divisions
        In the CRS of the footprints.

    Returns
    -------
    code : text array, shape (n_footprints,)
        Code of the smallest division that holds a point on the surface of the footprint, of
        equal ones the first: 12, 9 or 6 digits; "" for none. A centroid would fall outside an
        L-shaped building.
    issues : list of Issue
        WARNING for a building: ``DIVISION_OUTSIDE``, in no division, with the nearest one if it
        is at most 50 m away; ``DIVISION_OVERLAP``, in several of one level;
        ``DIVISION_CROSSED``, in a township that is not of the county that it stands in.

    Raises
    ------
    CrsError
        If both have a CRS, and not the same.

    Examples
    --------
    >>> from cimkit.tables.divisions import Divisions
    >>> areas = [shapely.box(0, 0, 99, 99), shapely.box(0, 0, 50, 99)]
    >>> here = Divisions(["421002", "421002001"], ["沙市区", "中山街道"], areas)
    >>> houses = [shapely.box(x, 9, x + 9, 18) for x in (9, 60, 300)]
    >>> codes, issues = divide(Footprints.from_polygons(["a", "b", "c"], houses), here)
    >>> codes.tolist(), [(issue.code, issue.id) for issue in issues]
    (['421002001', '421002', ''], [('DIVISION_OUTSIDE', 'c')])
    """
    if footprints.crs and divisions.crs and footprints.crs != divisions.crs:
        raise CrsError(
            f"are in {divisions.crs}, the footprints in {footprints.crs}",
            where="divisions",
            hint="Bring them into one CRS.",
        )
    places = shapely.point_on_surface(footprints.polygons())
    place, row = shapely.STRtree(divisions.polygons).query(places, predicate="intersects")
    length = np.strings.str_len(divisions.code)[row]
    order = np.lexsort((row, -length, place))  # the smallest division first
    place, row, length = place[order], row[order], length[order]
    first = np.append(True, place[1:] != place[:-1])[: len(place)]
    chosen = np.full(len(footprints), -1, np.int64)
    chosen[place[first]] = row[first]
    notes = _doubts(divisions, place, row, length)
    notes |= _outside(divisions, places, chosen)
    code = np.append(divisions.code, np.array([""], TEXT))[chosen]
    names = footprints.building_id.tolist()
    issues = [
        Issue("WARNING", kind, "buildings", names[k], text)
        for k, found in sorted(notes.items())
        for kind, text in found
    ]
    return np.asarray(code, TEXT), issues


def _doubts(
    divisions: Divisions, place: IntArray, row: IntArray, length: IntArray
) -> dict[int, list[tuple[str, str]]]:
    """Buildings in several divisions of one level, or of two branches of the tree."""
    held: dict[int, list[str]] = {}
    for k, code in zip(place.tolist(), divisions.code[row].tolist(), strict=True):
        held.setdefault(k, []).append(code)
    notes: dict[int, list[tuple[str, str]]] = {}
    for k, codes in held.items():
        own = codes[0]
        same = [code for code in codes if len(code) == len(own)]
        if len(same) > 1:
            text = f"in {' and '.join(same)}, which overlap; taken for {own}"
            notes.setdefault(k, []).append(("DIVISION_OVERLAP", text))
        other = [c for c in codes if len(c) < len(own) and not own.startswith(c)]
        if other and not any(own.startswith(c) for c in codes if len(c) == len(other[0])):
            text = f"in {own} and in {other[0]}, to which that does not belong; taken for {own}"
            notes.setdefault(k, []).append(("DIVISION_CROSSED", text))
    return notes


def _outside(
    divisions: Divisions, places: NDArray[np.object_], chosen: IntArray
) -> dict[int, list[tuple[str, str]]]:
    """Buildings in no division; those near one are given to it in `chosen`."""
    rows = np.flatnonzero(chosen < 0)
    if not len(rows) or not len(divisions):
        return {}
    smallest = np.flatnonzero(
        np.strings.str_len(divisions.code) == np.strings.str_len(divisions.code).max()
    )
    tree = shapely.STRtree(divisions.polygons[smallest])
    (own, near), gaps = tree.query_nearest(
        places[rows], max_distance=BORDER_M, return_distance=True, all_matches=True
    )
    notes = {}
    best: dict[int, tuple[float, str, int]] = {}
    for k, d, gap in zip(
        rows[own].tolist(), smallest[near].tolist(), gaps.tolist(), strict=True
    ):
        key = (round(gap, 3), str(divisions.code[d]), d)
        best[k] = min(best.get(k, key), key)
    for k in rows.tolist():
        text = f"in no division, nor within {BORDER_M:g} m of one: its new code is local"
        if k in best:
            gap, code, chosen[k] = best[k]
            text = f"in no division; {code} is {gap:.1f} m away, taken for it"
        notes[k] = [("DIVISION_OUTSIDE", text)]
    return notes
