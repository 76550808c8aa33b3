"""Which building of today is which of those known: kept, split, merged, replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import shapely

from cimkit.tables.coderecords import ACTIVE, RESERVED, RETIRED, CodeRecords

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cimkit.tables._columns import BoolArray, FloatArray, IntArray, TextArray

SAME_IOU = 0.5
"""Intersection over union from which two outlines are the same building (standards.md 8.2)."""

SAME_ID_SHARE = 0.25
"""Share of the smaller outline that must be common where the identifier speaks for the same
building: neighbours may overlap a little, and feature numbers move from one to the next."""

PART_SHARE = 0.8
"""Share of a part that must lie in the whole, and of the whole that its parts must cover."""

REPLACED_SHARE = 0.5
"""Share of the smaller of a building that has vanished and a new one in its place."""

STEADY_DIGITS = 9
"""Decimals of degrees (0.1 mm) and of shares that count: rounding errors must not decide."""


class Overlaps(NamedTuple):
    """Pairs of a footprint of today and a known outline that have a place in common.

    Attributes
    ----------
    row, record : int64 array, shape (n_pairs,)
    iou : float64 array
        Intersection over union.
    of_row, of_record : float64 array
        Share of each of both that is common.
    """

    row: IntArray
    record: IntArray
    iou: FloatArray
    of_row: FloatArray
    of_record: FloatArray

    @property
    def of_smaller(self) -> FloatArray:
        """Share of the smaller outline that is common."""
        return np.maximum(self.of_row, self.of_record)


class Descent(NamedTuple):
    """Footprints that came from known buildings whose codes they do not bear.

    Attributes
    ----------
    row, record : int64 array, shape (n,)
        By row, then record.
    kind : list of str
        ``split``, ``merged`` or ``replaced``.
    """

    row: IntArray
    record: IntArray
    kind: list[str]


def find_overlaps(
    building_id: TextArray, polygons: NDArray[np.object_], known: CodeRecords
) -> Overlaps:
    """Pairs that may have to do with each other; codes that are only reserved are left out.

    Boxes alone rule out most neighbours: the common area is at most that of the common box.
    """
    usable = np.flatnonzero(known.state != RESERVED)
    outlines = known.polygons[usable]
    broken = ~shapely.is_valid(outlines)
    outlines[broken] = shapely.make_valid(
        outlines[broken], method="structure", keep_collapsed=False
    )
    row, near = shapely.STRtree(outlines).query(polygons)
    a, b = shapely.area(polygons)[row], shapely.area(outlines)[near]
    box, other = shapely.bounds(polygons)[row], shapely.bounds(outlines)[near]
    sides = np.minimum(box[:, 2:], other[:, 2:]) - np.maximum(box[:, :2], other[:, :2])
    at_most = np.minimum(np.minimum(a, b), sides.prod(axis=1))
    possible = np.round(at_most / np.minimum(a, b), STEADY_DIGITS) >= REPLACED_SHARE
    kept = possible | (building_id[row] == known.building_id[usable[near]])
    row, near, a, b = row[kept], near[kept], a[kept], b[kept]
    common = shapely.area(shapely.intersection(polygons[row], outlines[near]))
    shares = (np.round(common / d, STEADY_DIGITS) for d in (a + b - common, a, b))
    return Overlaps(row, usable[near], *shares)


def match(building_id: TextArray, n_rows: int, known: CodeRecords, pairs: Overlaps) -> IntArray:
    """Record of each footprint, -1 for none: the best pairs first, each side once.

    Active codes come before retired ones; of each first outlines that are the same, then the
    largest part of what was split and the largest of what was merged, then equal identifiers.
    """
    row, record = pairs.row, pairs.record
    same_id = (building_id[row] == known.building_id[record]) & (
        pairs.of_smaller >= SAME_ID_SHARE
    )
    best_first = np.lexsort((building_id[row], known.code[record], -pairs.iou))
    record_of = np.full(n_rows, -1, dtype=np.int64)
    taken = np.zeros(len(known), dtype=np.bool_)
    for state in (ACTIVE, RETIRED):
        part = _splits(pairs) | _merges(pairs) if state == ACTIVE else np.zeros(len(row), bool)
        for agree in (pairs.iou >= SAME_IOU, part, same_id):
            usable = agree & (known.state[record] == state)
            chosen = best_first[usable[best_first]]
            for i, j in zip(row[chosen].tolist(), record[chosen].tolist(), strict=True):
                if record_of[i] < 0 and not taken[j]:
                    record_of[i], taken[j] = j, True
    return record_of


def descent(known: CodeRecords, pairs: Overlaps, record_of: IntArray) -> Descent:
    """What today's footprints came from, besides the buildings whose codes they bear.

    Parameters
    ----------
    known : CodeRecords
    pairs : Overlaps
    record_of : int64 array, shape (n_footprints,)
        As `match` gives it.

    Returns
    -------
    Descent
    """
    row, record = pairs.row, pairs.record
    split, merged = _splits(pairs), _merges(pairs)
    was_active = known.state[record] == ACTIVE
    kept = np.zeros(len(known), dtype=np.bool_)
    kept[record_of[record_of >= 0]] = True
    bears_another = record_of[row] != record
    replaced = (record_of[row] < 0) & ~kept[record] & (pairs.of_smaller >= REPLACED_SHARE)
    split &= record_of[row] < 0  # a part with a code of its own did not come from the split
    merged &= ~kept[record]
    there = was_active & bears_another & (split | merged | replaced)
    chosen = np.flatnonzero(there)
    chosen = chosen[np.lexsort((record[chosen], row[chosen]))]
    kind = [
        "split" if s else "merged" if m else "replaced"
        for s, m in zip(split[chosen].tolist(), merged[chosen].tolist(), strict=True)
    ]
    return Descent(row[chosen], record[chosen], kind)


def _splits(pairs: Overlaps) -> BoolArray:
    """Pairs in which the footprint is one of several parts that make up the known outline."""
    return _parts(pairs.record, pairs.of_row, pairs.of_record)


def _merges(pairs: Overlaps) -> BoolArray:
    """Pairs in which the known outline is one of several that make up the footprint."""
    return _parts(pairs.row, pairs.of_record, pairs.of_row)


def _parts(whole: IntArray, of_part: FloatArray, of_whole: FloatArray) -> BoolArray:
    """Pairs whose part lies in the whole, where at least two such parts cover it."""
    inside = of_part >= PART_SHARE
    n = int(whole.max(initial=-1)) + 1
    count = np.bincount(whole[inside], minlength=n)
    cover = np.round(np.bincount(whole[inside], of_whole[inside], n), STEADY_DIGITS)
    return np.asarray(inside & (count[whole] > 1) & (cover[whole] >= PART_SHARE))
