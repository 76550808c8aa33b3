"""Door plates along a street: how well a building fits a plate, its neighbours tell.

A plate (门牌) stands between its neighbours on the same side, and two plates seldom belong
to one building. `cimkit.kernels.number_chain` weighs all ways to hand out buildings along a
chain; then each plate gets a building, the surest first. Where no street is named, plates are
chained by rising number of the same parity and by nearness.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import shapely

from cimkit.kernels.footprint_grid import FootprintGrid
from cimkit.kernels.nearest_footprint import nearest_footprints
from cimkit.kernels.number_chain import SAME, chain_course, chain_marginals
from cimkit.steps.link_accuracy import CHUNK, possible_buildings
from cimkit.steps.link_doors import Doors
from cimkit.steps.link_evidence import calibrated
from cimkit.tables import Addresses, Footprints
from cimkit.tables._columns import BoolArray, FloatArray, IntArray

NEAR = 30.0
"""Metres from where a plate is expected to the buildings that come into question."""

CANDIDATES = 24
"""Buildings that come into question for one plate, the nearest ones."""

GAP = 40
"""A chain breaks where the numbers make a greater leap."""

LONE_GAP, LONE_NEAR, LONE_WEIGHT = 6, 20.0, 2.0
"""Without a street: greatest leap, greatest distance in metres beside the error of the points,
and how many numbers that distance counts for in the choice of the next plate."""

FLOOR = 1e-3
"""Likelihood of a building that no possible place of the point hits, at most 1."""

NAMED = 3.0
"""How much less likely a building is that another address calls by its name: e^-NAMED."""

NONE = 0.05
"""Likelihood that a plate belongs to none of the buildings, where the best one may have 1."""

AT_POINT, EXPECTED = 8.0, 6.0
"""Metres by which a plate may lie beside its building: at a good point, and where only its
neighbours lead; half a step of the numbers comes on top there."""

TOO_LITTLE, CLEAR = 0.02, 0.9
"""A plate gets no building below the first, and one that is taken only above the second."""

COMMON_ROOF = 0.1
"""Share of neighbours with one building, from which on a building belongs to no plate alone."""

QUARTER = 500.0
"""Metres without a plate, from which on (to twice as many) a name means another street."""

ROUNDS = 10
"""In which plates settle who claims which building. Chosen on samples with errors of 10 and
15 m: with fewer confidence is too low."""

WIDER = 1.2
"""Errors are taken this much larger than stated: they have longer tails than any law, and a
plate is not in the middle of its house. More links are right, and confidence fits better, on
real house numbers as on samples."""

_GAUSS, _RING = 144, 48


class Numbered(NamedTuple):
    """What the numbers say, a row for each address; -1 and 0 where they say nothing.

    Attributes
    ----------
    footprint, runner_up : int64 array, shape (n_addresses,)
    probability, second : float64 array, shape (n_addresses,)
    n_candidates : int64 array, shape (n_addresses,)
    """

    footprint: IntArray
    probability: FloatArray
    runner_up: IntArray
    second: FloatArray
    n_candidates: IntArray


class _Plates(NamedTuple):
    """Plates in the order of their chains, and the address rows of each."""

    starts: IntArray
    key: FloatArray
    xy: FloatArray
    of_address: IntArray


def follow_numbers(
    addresses: Addresses,
    footprints: Footprints,
    grid: FootprintGrid,
    doors: Doors,
    settled: IntArray,
    named: IntArray,
    accuracy: float,
) -> Numbered:
    """Find the building of each plate by its place and by its neighbours.

    Parameters
    ----------
    addresses, footprints, grid
    doors : Doors
        Of the addresses; only `Doors.plain` ones take part.
    settled : int64 array, shape (n_addresses,)
        Footprint of addresses that is certain; -1 where it is to be found.
    named : int64 array
        Footprints that doors call by their name.
    accuracy : float
        Root mean square error of the points, metres.

    Returns
    -------
    Numbered
    """
    accuracy *= WIDER
    plates = _chain(addresses, doors, accuracy)
    if not len(plates.key):
        nothing: Any = (np.empty(0, kind) for kind in _COLUMNS)
        return _spread(Numbered(*nothing), plates.of_address)
    place, pace = chain_course(plates.starts, plates.key, *plates.xy.T.copy())
    fixed = _fixed(plates.of_address, settled)
    plate, found, evidence = _candidates(
        addresses, footprints, grid, plates, place, pace, fixed, accuracy
    )
    claimed = np.isin(found, named)
    # Plates without any candidate drop out of their chains.
    keep = np.bincount(plate, minlength=len(place)) > 0
    number = np.where(keep, np.cumsum(keep) - 1, -1)
    starts = np.unique(np.append(0, np.cumsum(keep))[plates.starts])
    plate = number[plate]
    offsets = np.searchsorted(plate, np.arange(keep.sum() + 1))
    step = pace[keep] * np.append(np.diff(plates.key[keep]), 0.0)[:, None]
    middle = (footprints.bounds[:, :2] + footprints.bounds[:, 2:]) / 2.0
    evidence -= NAMED * claimed
    shared = _sharing(plates.starts, fixed)
    same = min(np.log(1.0 / shared - 1.0), SAME)
    share = chain_marginals(starts, offsets, found, middle[found], evidence, step, same)
    best = np.exp(np.minimum(np.maximum.reduceat(evidence, offsets[:-1]), 0.0))
    share *= (best / (best + NONE))[plate]
    located = np.isfinite(plates.xy[keep, 0])
    settled_plates = number[np.unique(fixed[:, 0])]
    exclusive = shared < COMMON_ROOF
    chosen = _hand_out(offsets, found, share, settled_plates, located, exclusive=exclusive)
    return _spread(chosen, np.append(number, -1)[plates.of_address])


_COLUMNS = (np.int64, np.float64, np.int64, np.float64, np.int64)


def _spread(chosen: Numbered, of_address: IntArray) -> Numbered:
    """What plates got, for the addresses of each; -1 and 0 for those without a plate."""
    nothing = (-1, 0.0, -1, 0.0, 0)
    columns: Any = (
        np.append(column, neutral)[of_address].astype(column.dtype)
        for column, neutral in zip(chosen, nothing, strict=True)
    )
    return Numbered(*columns)


def _sharing(starts: IntArray, fixed: IntArray) -> float:
    """How often two neighbours of a chain have one building, in (0, 0.5].

    Of the settled ones, with what `SAME` says as the base.
    """
    one = fixed[np.append(True, np.diff(fixed[:, 0]) > 0)[: len(fixed)]]
    next_to = np.diff(one[:, 0]) == 1
    next_to &= ~np.isin(one[1:, 0], starts)  # the first of another chain
    n, same = int(next_to.sum()), int((next_to & (np.diff(one[:, 1]) == 0)).sum())
    return min(calibrated(1.0 / (1.0 + math.exp(SAME)), same, n), 0.5)


def _hand_out(
    offsets: IntArray,
    found: IntArray,
    share: FloatArray,
    fixed: IntArray,
    located: BoolArray,
    *,
    exclusive: bool,
) -> Numbered:
    """Give each plate a building, the surest first; a row for each plate.

    What is left to a plate counts: where a building is taken, the others share what it had. A
    second plate in one building must have a place that says so. If not `exclusive`, plates
    share buildings as they like.
    """
    n = len(offsets) - 1
    plate = np.repeat(np.arange(n), np.diff(offsets))
    taken, open_plate = np.zeros(int(found.max(initial=-1)) + 1, np.bool_), np.ones(n, np.bool_)
    open_plate[fixed] = False
    if exclusive:
        share = _without_rivals(plate, found, share)
        taken[found[~open_plate[plate]]] = True
    left = np.ones(n)
    best, probability = np.full(n, -1, np.int64), np.zeros(n)
    order = np.lexsort((found, plate, -share))
    pairs = zip(*(column[order].tolist() for column in (plate, found, share)), strict=True)
    for row, footprint, value in pairs:
        if not open_plate[row] or value < TOO_LITTLE:
            continue
        if taken[footprint] and (value < CLEAR or not located[row]):
            left[row] -= value
            continue
        best[row], probability[row] = footprint, value / max(left[row], value)
        taken[footprint], open_plate[row] = exclusive, False
    rival = np.where(found == best[plate], -1.0, share)
    order = np.lexsort((found, -rival, plate))
    second = order[offsets[:-1]]
    there = rival[second] > 0.0
    return Numbered(
        best,
        np.minimum(probability, 1.0),
        np.where(there, found[second], -1),
        np.where(there, rival[second], 0.0),
        np.diff(offsets),
    )


def _without_rivals(plate: IntArray, found: IntArray, share: FloatArray) -> FloatArray:
    """Shares where a building goes to one plate: each loses what its rivals claim (mean field).

    Half of each round is kept, so that two plates that want each other's building settle.
    """
    claim = share
    for _ in range(ROUNDS):
        free = np.log1p(-np.minimum(claim, 1.0 - FLOOR))
        others = np.bincount(found, free)[found] - free
        left = share * np.exp(others)
        total = np.bincount(plate, left)[plate]
        claim = (claim + np.divide(left, total, out=share.copy(), where=total > 0.0)) / 2.0
    return claim


def _chain(addresses: Addresses, doors: Doors, accuracy: float) -> _Plates:
    """Put the plates into chains."""
    plain = doors.plain & ~doors.scattered
    here = np.flatnonzero(plain)
    keys = doors.keys
    one = np.column_stack([doors.street[here], keys.number[here], keys.letter[here]])
    lone = one[:, 0] < 0
    one[lone, 0] = -2 - here[lone]  # each its own
    rows, plate_of_door = np.unique(one, axis=0, return_inverse=True)
    n = len(rows)
    of_door = np.full(len(doors), -1, np.int64)
    of_door[here] = plate_of_door.ravel()
    of_address = np.where(doors.of_address >= 0, of_door[doors.of_address], -1)
    located = np.flatnonzero(addresses.located & (of_address >= 0))
    count = np.bincount(of_address[located], minlength=n)
    with np.errstate(invalid="ignore"):
        xy = np.column_stack(
            [
                np.bincount(of_address[located], v[located], n) / count
                for v in (addresses.x, addresses.y)
            ]
        )
    rows[:, 0] = _quarters(rows[:, 0], xy)
    key = rows[:, 1] + rows[:, 2] / 30.0
    order, starts = _along_streets(rows, key)
    if (rows[:, 0] < -1).any():
        order, starts = _by_nearness(order, starts, rows, key, xy, accuracy)
    # A plate without neighbours is left to its place.
    long = np.diff(starts) > 1
    order = order[np.repeat(long, np.diff(starts))]
    starts = np.append(0, np.cumsum(np.diff(starts)[long]))
    place = np.full(n + 1, -1, np.int64)
    place[order] = np.arange(len(order))
    return _Plates(starts, key[order], xy[order], place[of_address])


def _quarters(street: IntArray, xy: FloatArray) -> IntArray:
    """Streets told apart where one name stands for several, `QUARTER` metres apart and more.

    A plate without a place belongs to the one street of its name, or else to a chain of none.
    """
    here = np.flatnonzero((street >= 0) & np.isfinite(xy[:, 0]))
    cell = np.floor(xy[here] / QUARTER).astype(np.int64)
    known, node = np.unique(np.column_stack([street[here], cell]), axis=0, return_inverse=True)
    number = {tuple(row): k for k, row in enumerate(known.tolist())}
    quarter = np.full(len(known), -1, np.int64)
    for k in range(len(known)):
        if quarter[k] >= 0:
            continue
        quarter[k], open_nodes = k, [k]
        while open_nodes:
            name, x, y = known[open_nodes.pop()].tolist()
            for dx, dy in product((-1, 0, 1), repeat=2):
                other = number.get((name, x + dx, y + dy), -1)
                if other >= 0 and quarter[other] < 0:
                    quarter[other] = k
                    open_nodes.append(other)
    only = np.full(int(street.max(initial=-1)) + 1, -1, np.int64)
    np.maximum.at(only, known[:, 0], quarter)
    least = np.full(len(only), len(known), np.int64)
    np.minimum.at(least, known[:, 0], quarter)
    only[least != only] = -1  # several streets
    found = street.copy()
    named = street >= 0
    found[named] = only[street[named]]
    found[here] = quarter[node.ravel()]
    lost = np.flatnonzero(named & (found < 0))
    found[lost] = street.min(initial=0) - 2 - lost  # each its own, as those without a street
    return found


def _along_streets(rows: IntArray, key: FloatArray) -> tuple[IntArray, IntArray]:
    """Plates of one street and parity by number; a chain for each run."""
    street, parity = rows[:, 0], rows[:, 1] % 2
    order = np.lexsort((key, parity, street))
    street, parity, key = street[order], parity[order], key[order]
    new = (np.diff(street) != 0) | (np.diff(parity) != 0) | (np.diff(key) > GAP)
    return order, np.concatenate([[0], np.flatnonzero(new) + 1, [len(order)]]).astype(np.int64)


def _by_nearness(
    order: IntArray,
    starts: IntArray,
    rows: IntArray,
    key: FloatArray,
    xy: FloatArray,
    accuracy: float,
) -> tuple[IntArray, IntArray]:
    """Chains of the plates without a street, before those with one."""
    lone = np.flatnonzero((rows[:, 0] < -1) & np.isfinite(xy[:, 0]))
    reach = LONE_NEAR + 2.0 * accuracy
    points = shapely.points(xy[lone])
    a, b = shapely.STRtree(points).query(points, predicate="dwithin", distance=reach)
    a, b = lone[a], lone[b]
    leap = key[b] - key[a]
    fit = (leap > 0.0) & (leap <= LONE_GAP) & ((rows[a, 1] - rows[b, 1]) % 2 == 0)
    a, b, leap = a[fit], b[fit], leap[fit]
    cost = leap + LONE_WEIGHT * np.hypot(*(xy[a] - xy[b]).T) / reach
    after, before = np.full(len(rows), -1), np.full(len(rows), -1)
    for k in np.lexsort((b, a, cost)).tolist():
        if after[a[k]] < 0 and before[b[k]] < 0:
            after[a[k]], before[b[k]] = b[k], a[k]
    chains = []
    for head in np.flatnonzero((rows[:, 0] < -1) & (before < 0)).tolist():
        chain = [head]
        while after[chain[-1]] >= 0:
            chain.append(int(after[chain[-1]]))
        chains.append(chain)
    streets = order[rows[order, 0] >= -1]
    n_lone = len(order) - len(streets)
    own = np.cumsum([0, *(len(chain) for chain in chains)])
    rest = starts[starts > n_lone]
    joined = np.concatenate([*(np.array(chain) for chain in chains), streets]).astype(np.int64)
    return joined, np.concatenate([own, rest]).astype(np.int64)


def _fixed(of_address: IntArray, settled: IntArray) -> IntArray:
    """Plate and footprint of plates that are settled, a row for each pair."""
    known = (of_address >= 0) & (settled >= 0)
    return np.unique(np.column_stack([of_address[known], settled[known]]), axis=0)


def _candidates(
    addresses: Addresses,
    footprints: Footprints,
    grid: FootprintGrid,
    plates: _Plates,
    place: FloatArray,
    pace: FloatArray,
    fixed: IntArray,
    accuracy: float,
) -> tuple[IntArray, IntArray, FloatArray]:
    """Plate, footprint and evidence of all pairs that come into question, by plate."""
    n_footprints = len(footprints)
    open_plate = np.ones(len(plates.key), np.bool_)
    open_plate[fixed[:, 0]] = False
    located = np.isfinite(plates.xy[:, 0])
    at = np.where(located[:, None], plates.xy, place)
    rows = np.flatnonzero(open_plate & np.isfinite(at[:, 0]))
    reach = NEAR + accuracy
    x, y = at[rows].T.copy()
    near, distance, ends = nearest_footprints(x, y, grid, reach)
    rank = np.arange(len(near)) - np.repeat(ends[:-1], np.diff(ends))
    plate = np.repeat(rows, np.diff(ends))
    few = rank < CANDIDATES
    plate, near, distance = plate[few], near[few], distance[few]
    evidence = np.empty(len(plate))
    blind = ~located[plate] | (accuracy <= 0.0)
    spread = np.where(located, AT_POINT, EXPECTED + 0.5 * np.hypot(*pace.T) + accuracy / 2.0)
    evidence[blind] = -0.5 * (distance[blind] / spread[plate[blind]]) ** 2
    if accuracy > 0.0:
        key = plate * n_footprints + near
        seen = np.flatnonzero(~blind)
        pair, gain = _evidence_of_points(
            addresses, footprints, grid, plates, open_plate, accuracy
        )
        hit = np.searchsorted(pair[:-1], key[seen])
        evidence[seen] = np.where(pair[hit] == key[seen], gain[hit], 0.0)
    plate = np.concatenate([fixed[:, 0], plate])
    found = np.concatenate([fixed[:, 1], near])
    evidence = np.concatenate([np.zeros(len(fixed)), evidence])
    order = np.lexsort((found, plate))
    return plate[order], found[order], evidence[order]


def _evidence_of_points(
    addresses: Addresses,
    footprints: Footprints,
    grid: FootprintGrid,
    plates: _Plates,
    open_plate: BoolArray,
    accuracy: float,
) -> tuple[IntArray, FloatArray]:
    """Pairs of plate and footprint as one number, rising, -1 last; what speaks for them."""
    rows = np.flatnonzero(addresses.located & (plates.of_address >= 0))
    rows = rows[open_plate[plates.of_address[rows]]]
    offsets = possible_errors(accuracy)
    n = len(footprints)
    keys, gains = [np.empty(0, np.int64)], [np.empty(0)]
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        x, y = addresses.x[part], addresses.y[part]
        own, found, weight = possible_buildings(x, y, offsets, grid, footprints.area)
        pair, where = np.unique(own * n + found, return_inverse=True)
        mass = np.bincount(where, weight, len(pair))
        total = np.bincount(pair // n, mass, len(part))
        share = mass / np.maximum(total[pair // n], np.finfo(float).tiny)
        keys.append(plates.of_address[part][pair // n] * n + pair % n)
        gains.append(np.log((share + FLOOR) / FLOOR))
    key, where = np.unique(np.concatenate(keys), return_inverse=True)
    gain = np.bincount(where, np.concatenate(gains), len(key))
    return np.append(key, -1), np.append(gain, 0.0)


def possible_errors(accuracy: float) -> FloatArray:
    """Errors of a point, metres, shape (n, 2): a quarter of one length, the rest Gaussian.

    The error of which only the root mean square is known may be either.
    """
    turn = np.pi * (3.0 - np.sqrt(5.0))  # the golden angle spreads them evenly
    k = np.arange(_GAUSS + _RING)
    radius = np.full(len(k), float(accuracy))
    radius[:_GAUSS] *= np.sqrt(-np.log(1.0 - (k[:_GAUSS] + 0.5) / _GAUSS))
    errors: FloatArray = radius[:, None] * np.column_stack([np.cos(turn * k), np.sin(turn * k)])
    return errors
