"""Footprints that lie on each other: one rule for duplicates, overlaps and nested ones.

Of two footprints, with the area that they share:

- more than `SAME_SHARE` of the larger one: the same building twice. The identifier that comes
  first as text stays, the other is set aside: ``FOOTPRINT_DUPLICATE`` (ERROR).
- all but `EDGE_SHARE` of the smaller one: nested, a tower on its podium (裙楼). Both stay:
  ``FOOTPRINT_NESTED`` (INFO) at the inner one.
- more than `EDGE_SHARE` of the smaller one: both stay, ``FOOTPRINT_OVERLAP`` (WARNING) at the
  larger one.
- less: a shared wall, drawn a little off. Nothing is said.

Where both stay, a point on both belongs to the footprint of smaller area, then of the
identifier that comes first in the table: `cimkit.kernels.point_in_footprint` decides it point
by point, for overlapping and nested ones alike.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from cimkit.errors import LimitError
from cimkit.limits import OVERLAP_PAIRS_MAX
from cimkit.tables.issue import Issue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cimkit.tables._columns import FloatArray, IntArray

SAME_SHARE = 0.9
"""Two surveys of one building differ by less, two buildings by more."""

EDGE_SHARE = 0.001
"""Of a 100 m2 house 0.1 m2: a wall of 10 m drawn 1 cm off."""

_ROWS_AT_ONCE = 4096
_PAIRS_SPARE = 100_000


def settle_overlaps(polygons: NDArray[Any], names: list[str]) -> list[Issue]:
    """Set duplicates aside and report what overlaps.

    Parameters
    ----------
    polygons : object array, shape (n,)
        Valid shapely polygons, or None; those set aside become None here.
    names : list of str, length n
        Identifiers, unique.

    Returns
    -------
    list of Issue
        At most one row of each code for a footprint. The order of rows plays no part.

    Raises
    ------
    LimitError
        If far more footprints lie on each other than in any city.

    Notes
    -----
    O(n log n) with an index, where each footprint meets a few others.

    Examples
    --------
    >>> shapes = [shapely.box(0, 0, 9, 9), shapely.box(0, 0, 9, 9), shapely.box(1, 1, 3, 3)]
    >>> polygons = np.array(shapes)
    >>> [(issue.code, issue.id) for issue in settle_overlaps(polygons, ["a", "b", "c"])]
    [('FOOTPRINT_DUPLICATE', 'b'), ('FOOTPRINT_NESTED', 'c')]
    >>> polygons[1] is None
    True
    """
    order = sorted(
        np.flatnonzero(~shapely.is_missing(polygons)).tolist(), key=names.__getitem__
    )
    rows = np.array(order, dtype=np.int64)
    kept_of = _equal_outlines(polygons[rows], rows)
    rows = np.array([row for row in order if row not in kept_of], dtype=np.int64)
    one, other = _meeting(polygons[rows])
    shared = shapely.area(shapely.intersection(polygons[rows[one]], polygons[rows[other]]))
    area = shapely.area(polygons[rows])
    same = shared > SAME_SHARE * np.maximum(area[one], area[other])
    for later, earlier in sorted(zip(other[same].tolist(), one[same].tolist(), strict=True)):
        if rows[earlier] not in kept_of and rows[later] not in kept_of:
            kept_of[int(rows[later])] = int(rows[earlier])
    issues = []
    for row in sorted(kept_of, key=names.__getitem__):
        text = f"the same outline as {names[kept_of[row]]!r}, or nearly; set aside"
        issues.append(Issue("ERROR", "FOOTPRINT_DUPLICATE", "footprints", names[row], text))
        polygons[row] = None
    stay = np.array([row not in kept_of for row in rows.tolist()], dtype=np.bool_)
    both = stay[one] & stay[other] & (shared > EDGE_SHARE * np.minimum(area[one], area[other]))
    named = [names[row] for row in rows.tolist()]
    return issues + _overlap_issues(named, area, one[both], other[both], shared[both])


def _equal_outlines(polygons: NDArray[Any], rows: IntArray) -> dict[int, int]:
    """Rows that repeat an outline exactly, and the first row that has it."""
    first: dict[bytes, int] = {}
    repeated = {}
    for row, outline in zip(
        rows.tolist(), shapely.to_wkb(shapely.normalize(polygons)), strict=True
    ):
        if first.setdefault(outline, row) != row:
            repeated[row] = first[outline]
    return repeated


def _meeting(polygons: NDArray[Any]) -> tuple[IntArray, IntArray]:
    """Pairs of polygons that touch or overlap, the earlier row of each first."""
    tree, most = shapely.STRtree(polygons), OVERLAP_PAIRS_MAX * len(polygons) + _PAIRS_SPARE
    ones, others, n = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0
    for start in range(0, len(polygons), _ROWS_AT_ONCE):
        part = polygons[start : start + _ROWS_AT_ONCE]
        one, other = tree.query(part, predicate="intersects")
        above = other > one + start
        ones.append(one[above] + start)
        others.append(other[above])
        n += int(above.sum())
        if n > most:
            raise LimitError(
                f"more than {most:,} pairs of footprints lie on each other: more than "
                f"{OVERLAP_PAIRS_MAX} for each. Leave out copies of the layer, or raise "
                "cimkit.limits.OVERLAP_PAIRS_MAX."
            )
    return np.concatenate(ones), np.concatenate(others)


def _overlap_issues(
    names: list[str], area: FloatArray, one: IntArray, other: IntArray, shared: FloatArray
) -> list[Issue]:
    """One row for each footprint that lies in others, one for each that others reach into."""
    lies_in, reached_by = defaultdict[int, list[int]](list), defaultdict[int, list[int]](list)
    square_metres = defaultdict[int, float](float)
    for a, b, common in zip(one.tolist(), other.tolist(), shared.tolist(), strict=True):
        small, large = sorted((a, b), key=lambda row: (area[row], len(names[row]), names[row]))
        if common >= (1 - EDGE_SHARE) * area[small]:
            lies_in[small].append(large)
        else:
            reached_by[large].append(small)
            square_metres[large] += common
    issues = []
    for row, others in sorted(lies_in.items()):
        text = f"it lies in {_listed(names, others)}; its points are its own"
        issues.append(Issue("INFO", "FOOTPRINT_NESTED", "footprints", names[row], text))
    for row, others in sorted(reached_by.items()):
        text = (
            f"{square_metres[row]:.2f} m2 of it lie on {_listed(names, others)} too; "
            "points there belong to the smaller footprint"
        )
        issues.append(Issue("WARNING", "FOOTPRINT_OVERLAP", "footprints", names[row], text))
    return issues


def _listed(names: list[str], rows: list[int]) -> str:
    """The first three names, and how many there are besides."""
    chosen = sorted(names[row] for row in rows)
    more = f" and {len(chosen) - 3:,} more" if len(chosen) > 3 else ""
    return ", ".join(map(repr, chosen[:3])) + more
