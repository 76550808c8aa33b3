"""What the text of an address says about its building: its label, its siblings, its compound.

And what that tells of the rules: where text and place can both be asked, one judges the other.
"""

from __future__ import annotations

import math

import numpy as np

from cimkit.kernels.footprint_distance import distance_to_footprint
from cimkit.kernels.footprint_grid import FootprintGrid
from cimkit.steps.link_doors import Doors, find_doors, named_buildings
from cimkit.steps.link_evidence import Pairs, calibrated, distances, pairs
from cimkit.tables import Addresses, Footprints, elements
from cimkit.tables._columns import BoolArray, FloatArray, IntArray

INHERITED, LABEL, PREMISES, COMPOUND = 0.90, 0.75, 0.75, 0.60
"""Bases: R5 by the same door or the address above, by the label, by the same plate; R6."""

SAMPLE, ENOUGH = 20_000, 30
"""Addresses looked at, and labelled ones needed, to say how exact the points are."""

SET_BACK = 2.0
"""Metres that address points lie inside the wall as a rule; a guess that the error rests on."""


def measure_accuracy(
    addresses: Addresses, footprints: Footprints, grid: FootprintGrid, edge: float
) -> float:
    """Root mean square error of the points, from addresses that name a labelled building.

    Parameters
    ----------
    addresses, footprints, grid
    edge : float
        Metres that a good point may lie outside.

    Returns
    -------
    float
        Metres; 0 where the points are good, or too few addresses name a building.

    Notes
    -----
    A point that lies `SET_BACK` inside a straight wall, moved by a Gaussian error of standard
    deviation s in each direction, lies on average s^2 ((1 + t^2) Q(t) - t p(t)) outside of
    `edge`, squared, with t = (edge + SET_BACK) / s, the density p and the upper tail Q of the
    normal distribution. That is solved for s; the error in both directions is s times the root
    of 2.
    """
    if not (footprints.label != "").any():
        return 0.0
    step = max(len(addresses) // SAMPLE, 1)
    some = addresses.take(np.arange(0, len(addresses), step))
    doors = find_doors(some, 0.0)
    target = doors.of(named_buildings(doors, footprints, 50.0), -1)
    rows = np.flatnonzero((target >= 0) & some.located)
    if len(rows) < ENOUGH:
        return 0.0
    distance = distance_to_footprint(some.x[rows], some.y[rows], target[rows], grid)
    beyond = np.maximum(np.minimum(distance, 100.0) - edge, 0.0)
    outside = float((beyond**2).mean())
    return _error_of(outside, edge + SET_BACK) if outside > 0.25 else 0.0


def _error_of(outside: float, back: float) -> float:
    """Solve for the error by halving: the law rises with it."""
    low, high = 0.0, 200.0
    for _ in range(40):
        s = (low + high) / 2.0
        t = back / s
        tail = 0.5 * math.erfc(t / math.sqrt(2.0))
        density = math.exp(-0.5 * t * t) / math.sqrt(2.0 * math.pi)
        low, high = (
            (s, high) if s * s * ((1.0 + t * t) * tail - t * density) < outside else (low, s)
        )
    return low * math.sqrt(2.0)


def label_pairs(
    addresses: Addresses,
    grid: FootprintGrid,
    rows: IntArray,
    target: IntArray,
    placed: IntArray,
    reach: float,
) -> Pairs:
    """Rule R5 for addresses whose name is that of a footprint.

    Parameters
    ----------
    rows, target : int64 array, shape (n,)
        Addresses and their footprints.
    placed : int64 array, shape (n,)
        Where their place alone would put them; -1 for nowhere.
    reach : float
        A footprint farther than this from the point is a conflict, metres.
    """
    distance = distances(addresses, grid, rows, target)
    known = ~np.isnan(distance)
    far = distance > reach
    base = calibrated(LABEL, int((known & ~far).sum()), int(known.sum()))
    return pairs(
        rows,
        target,
        "R5",
        np.where(far, np.minimum(base, COMPOUND), base),
        np.ones(len(rows), np.int64),
        distance=distance,
        n_candidates=1 + (placed >= 0).astype(np.int64),
        runner_up=placed,
        runner_up_confidence=np.where(placed >= 0, 1.0 - base, np.nan),
        far=far,
    )


def inherited_pairs(
    addresses: Addresses,
    grid: FootprintGrid,
    doors: Doors,
    open_rows: IntArray,
    settled: IntArray,
    sure: FloatArray,
) -> Pairs:
    """Rule R5 for addresses whose siblings, or the address above them, have one building.

    `settled` is the footprint of each address, -1 without one, and `sure` the confidence of
    that: who inherits is no surer than the surest that he has it from. The same door goes
    before the address above, that before another door of the same plate.
    """
    door = np.where(doors.of(doors.scattered, True), -1, doors.of_address)
    plain = (door >= 0) & (doors.of(doors.keys.building, "") == "")
    plate = np.where(plain, doors.of(doors.plate, -1), -1)
    # One row more than there are addresses stands for nothing, as -1.
    settled, sure = np.append(settled, -1), np.append(sure, 0.0)
    of_door, of_plate = (_representative(group, settled, sure) for group in (door, plate))
    known = np.where(settled[:-1] >= 0, np.arange(len(addresses)), -1)
    source, base = of_door[door[open_rows]], np.full(len(open_rows), INHERITED)
    source = np.where(source < 0, addresses.nearest_above(known)[open_rows], source)
    by_plate = (source < 0) & (doors.of(doors.keys.name, "")[open_rows] != "")
    source[by_plate], base[by_plate] = of_plate[plate[open_rows[by_plate]]], PREMISES
    found = source >= 0
    rows, source, base = open_rows[found], source[found], base[found]
    return pairs(
        rows,
        settled[source],
        "R5",
        np.minimum(base, sure[source]),
        np.zeros(len(rows), np.int64),
        distance=distances(addresses, grid, rows, settled[source]),
        n_candidates=np.ones(len(rows), np.int64),
    )


def _representative(group: IntArray, settled: IntArray, sure: FloatArray) -> IntArray:
    """The surest address of each group of which all settled ones have one footprint.

    -1 where they have none or several, and last, for those in no group.
    """
    n = int(group.max(initial=-1)) + 1
    rows = np.flatnonzero((group >= 0) & (settled[:-1] >= 0))
    low, high = np.full(n + 1, np.iinfo(np.int64).max), np.full(n + 1, -1, np.int64)
    np.minimum.at(low, group[rows], settled[rows])
    np.maximum.at(high, group[rows], settled[rows])
    found = np.full(n + 1, -1, np.int64)
    rows = rows[np.argsort(sure[rows], kind="stable")]
    found[group[rows]] = rows  # the last one stays
    return np.where(low == high, found, -1)


def compound_pairs(
    addresses: Addresses,
    grid: FootprintGrid,
    doors: Doors,
    rows: IntArray,
    settled: IntArray,
    own_name: BoolArray,
) -> Pairs:
    """Rule R6: a compound (院落) is linked to all buildings of the addresses in it.

    In it are the addresses below it, those of the same road, plate and name with a building
    number, and, where the source calls it a compound, all of its plate. `rows` are the
    addresses that may be compounds; `own_name` says of each footprint whether its label bears
    the name by which an address called it.
    """
    premises, plate = doors.of(doors.premises, -1), doors.of(doors.plate, -1)
    building = doors.of(doors.keys.building, "")
    whole = ~doors.inside & (building == "")
    rows = rows[whole[rows]]
    stated = rows[addresses.elements.kind[rows] == elements.COMPOUND]
    up = addresses.above
    members = [
        _members(rows, premises, settled, building != ""),
        _members(stated, plate, settled, np.ones(len(addresses), np.bool_)),
    ]
    below = np.flatnonzero((up >= 0) & (settled >= 0))
    below = below[np.isin(up[below], rows)]
    members.append(np.column_stack([up[below], settled[below]]))
    address, footprint = np.unique(np.concatenate(members), axis=0).T.copy()
    named = int(own_name[footprint].sum())
    base = calibrated(COMPOUND, named, named)
    return pairs(
        address,
        footprint,
        "R6",
        np.full(len(address), base),
        np.zeros(len(address), np.int64),
        distance=distances(addresses, grid, address, footprint),
        n_candidates=np.bincount(address, minlength=len(addresses))[address],
    )


def _members(rows: IntArray, group: IntArray, settled: IntArray, counts: BoolArray) -> IntArray:
    """Pairs of an address and each footprint of its group, shape (n, 2)."""
    known = (group >= 0) & (settled >= 0) & counts
    pair = np.unique(np.column_stack([group[known], settled[known]]), axis=0)
    rows = rows[group[rows] >= 0]
    first, last = (np.searchsorted(pair[:, 0], group[rows], side) for side in ("left", "right"))
    count = last - first
    place = np.arange(count.sum()) + np.repeat(first - np.cumsum(count) + count, count)
    return np.column_stack([np.repeat(rows, count), pair[place, 1]])
