"""Whether what a filter took for ground looks like ground, over the city and in each place."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cimkit.kernels.cell_neighbours import compare_neighbours, count_around
from cimkit.kernels.progressive_morphology import Heights
from cimkit.tables import Issue
from cimkit.tables._columns import BoolArray, ByteArray
from cimkit.tables.terrain import DOUBTFUL, FOUND, GIVEN

FIT = 0.1
"""Metres between a cell and the mean of its neighbours, on ground: 0.88 of the cells in Delft,
0.75 with one point a m2, 0.88 in a marsh with trees. Hedges, cars and lower branches: 0.3.
Times the root of the cell: 0.77 and 0.53 at 4 m."""

FIT_SHARE, FOUND_SHARE = 0.6, 0.3
"""Least share of found cells that fit, and of cells with points that are ground, in a city
whose ground is believed. A cloud of roofs alone has 0.52 and 0.23, Delft without its ground
0.3 and 0.4."""

NEAR, SEEN_SHARE = 8, 0.2
"""Of the cells within 8 of a footprint, at least so many hold points where the ground was
scanned: 0.94 in Delft, 0.55 and 0.35 of it with 1 and 0.5 points a m2, 0.09 of its roofs alone,
0.00 in clouds of single buildings."""

LOCAL_RADIUS, LOCAL_SHARE, LOCAL_CELLS = 32, 0.5, 100
"""Cells to each side, share of them that fit, and fewest cells to judge one place by."""

CLIFF = 2.0
"""Metres. Two ground cells beside each other that differ by more have a wall between them."""


class FoundGround(NamedTuple):
    """Ground of a grid.

    Attributes
    ----------
    z : float32 array, shape (rows, columns)
        Height of the middle of the cells; NaN where no ground was found.
    kind : uint8 array, shape (rows, columns)
        `GIVEN`, `FOUND` or `DOUBTFUL`: what the ground around is.
    share : float
        Of the cells with points outside footprints, those that are ground.
    is_doubtful : bool
        Whether the points taken for ground look as ground does, over the whole city.
    cliffs : float
        Metres of walls between ground and ground.
    """

    z: Heights
    kind: ByteArray
    share: float
    is_doubtful: bool
    cliffs: float


def judge_ground(
    z: Heights,
    is_given: BoolArray,
    known: BoolArray,
    covered: BoolArray | None,
    cell: float,
    share: float,
) -> tuple[ByteArray, float, bool, float]:
    """Look at the ground that was found.

    Parameters
    ----------
    z : float32 array, shape (rows, columns)
        Lowest heights of the ground, given or found; NaN elsewhere.
    is_given, known, covered : bool array, shape (rows, columns)
        Cells whose ground is given; with points, outside of footprints; on or beside those.
    cell : float
        Metres.
    share : float
        Of the known cells, those that were found to be ground.

    Returns
    -------
    kind, share, is_doubtful, cliffs
        As in `FoundGround`.
    """
    coarse = max(cell, 1.0)
    fits, steps = compare_neighbours(z, FIT * coarse**0.5, CLIFF * coarse)
    fits[is_given] = 0
    near = np.zeros(z.shape, dtype=np.bool_)
    if covered is not None:
        near = (count_around(covered, NEAR) > 0) & ~covered
    seen = near & (known | is_given)
    is_doubtful = bool(
        share < FOUND_SHARE
        or np.count_nonzero(fits == 2) < FIT_SHARE * np.count_nonzero(fits)
        or np.count_nonzero(seen) < SEEN_SHARE * np.count_nonzero(near)
    )
    kind = _kinds(np.isfinite(z) & ~is_given, is_given)
    doubt = np.full(z.shape, is_doubtful)
    if not is_doubtful:
        doubt = _lacks(fits == 2, fits > 0, LOCAL_SHARE) | _lacks(seen, near, SEEN_SHARE)
    kind[(kind == FOUND) & doubt] = DOUBTFUL
    return kind, share, is_doubtful, steps * cell / 2


def filter_issues(found: FoundGround, window: float, n_files: int, n_all: int) -> list[Issue]:
    """What to say of ground that was found."""
    which = "the cloud states" if n_files == n_all else f"{n_files:,} of {n_all:,} clouds state"
    message = (
        f"{which} no ground: it was found by a filter, in {found.share:.0%} of the cells with "
        "points outside of footprints"
    ).replace("%", " %")
    issues = [Issue("INFO", "GROUND_FILTERED", "points", "", message)]
    if found.is_doubtful:
        message = (
            "the cloud states no ground, and few of its points look like any: ground heights "
            "are guesses"
        )
        issues.append(Issue("WARNING", "GROUND_DOUBTFUL", "points", "", message))
    elif found.cliffs > 4 * window:
        message = (
            f"in the ground that was found stand {found.cliffs:,.0f} m of walls of more than "
            f"{CLIFF:g} m: quays and terraces, or roofs on no footprint, wider than "
            f"ground_window = {window:g} m"
        )
        issues.append(Issue("WARNING", "GROUND_WINDOW_SMALL", "points", "", message))
    return issues


def _kinds(found: BoolArray, given: BoolArray) -> ByteArray:
    """Whether the ground around each cell was found, by the cells in a square around it."""
    if not given.any():  # also far from any ground
        return np.full(found.shape, FOUND, dtype=np.uint8)
    more = count_around(found, LOCAL_RADIUS) > count_around(given, LOCAL_RADIUS)
    return np.where(more, np.uint8(FOUND), np.uint8(GIVEN))


def _lacks(good: BoolArray, judged: BoolArray, share: float) -> BoolArray:
    """Where too few of the cells around that can be judged are good."""
    n_good, n_judged = count_around(good, LOCAL_RADIUS), count_around(judged, LOCAL_RADIUS)
    lacks = n_judged >= LOCAL_CELLS
    for row in range(len(lacks)):  # not at once: a grid of float64 is 0.25 GB at most
        lacks[row] &= n_good[row] < share * n_judged[row]
    return lacks
