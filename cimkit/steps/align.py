"""Whether the cloud lies beside the footprints, and by how much."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from cimkit.kernels.edge_profiles import BIN, DIRECTIONS, DISTANCES, REACH, count_across_edges
from cimkit.kernels.footprint_grid import build_grid
from cimkit.kernels.point_in_footprint import assign_points
from cimkit.tables import Footprints, Issue
from cimkit.tables._columns import FloatArray, IntArray

EDGE_MIN = 2.0
"""Metres. Shorter edges are bays and corners."""

FREE = (0.7, 2.0, 3.5)
"""Metres outside an edge that no other footprint may cover: party walls tell nothing."""

PLACE = 500.0
"""Metres of the squares in which a shift is looked for; a fixed grid, whatever the blocks."""

SHIFT_MAX = 2.5
"""Metres that are looked through; REACH less the width of a step."""

WIDTH = 1.0
"""Metres on both sides of the place where the points end, whose counts are compared."""

POINTS_MIN = 2000
"""Points across the edges of a square; fewer give no direction."""

CONTRAST_MIN = 0.35
"""Share by which inner points outnumber outer ones, below which nothing is said: trees."""

REPORTED_M = 0.3
"""Metres: eaves and outlines of walls differ by less; more is worth a look."""


class Shift(NamedTuple):
    """Where the roofs of a square lie, seen from the footprints (平面偏移).

    Attributes
    ----------
    dx, dy : float
        Metres east and north from the footprints to the points.
    contrast : float
        0 to 1: how sharply the points end there.
    n_points : int
        Points across the edges.
    """

    dx: float
    dy: float
    contrast: float
    n_points: int


def edge_counts(
    footprints: Footprints, rows: IntArray, x: FloatArray, y: FloatArray
) -> dict[tuple[int, int], IntArray]:
    """Count roof points across the free edges of footprints, by squares of a fixed grid.

    Parameters
    ----------
    footprints : Footprints
    rows : int64 array
        Those whose edges count; the others only cover.
    x, y : float64 array, shape (n,)
        Roof points around them, metres.

    Returns
    -------
    dict
        Counts of `cimkit.kernels.edge_profiles` by (column, row) of the squares.
    """
    grid = build_grid(footprints, margin=REACH)
    following = np.arange(1, len(footprints.xy) + 1)
    following[footprints.ring_offsets[1:] - 1] = footprints.ring_offsets[:-1]
    edges = np.hstack([footprints.xy, footprints.xy[following]])
    sizes = np.diff(footprints.ring_offsets[footprints.polygon_offsets])
    own = np.zeros(len(footprints), dtype=np.bool_)
    own[rows] = True
    across = edges[:, 2:] - edges[:, :2]
    length = np.hypot(*across.T)
    chosen = np.repeat(own, sizes) & (length >= EDGE_MIN)
    edges, across = edges[chosen], across[chosen] / length[chosen, None]
    middle = (edges[:, :2] + edges[:, 2:]) / 2
    normal = np.column_stack([across[:, 1], -across[:, 0]])
    free = np.ones(len(edges), dtype=np.bool_)
    for away in FREE:
        place = middle + away * normal
        free &= assign_points(place[:, 0].copy(), place[:, 1].copy(), grid) < 0
    squares, group = np.unique(
        np.floor(middle[free] / PLACE).astype(np.int64), axis=0, return_inverse=True
    )
    counts = count_across_edges(x, y, edges[free], group.reshape(-1), len(squares))
    return {(int(c), int(r)): counts[k] for k, (c, r) in enumerate(squares)}


def find_shift(counts: IntArray) -> Shift | None:
    """Find the shift that fits the counts across edges best.

    Parameters
    ----------
    counts : int64 array, shape (DIRECTIONS, DISTANCES)

    Returns
    -------
    Shift or None
        None where too few points or no clear end of the roofs are seen, or edges of one
        direction only.

    Notes
    -----
    For each direction, the count of the metre inside a place less that of the metre outside is
    largest where the roof ends. A shift d moves this place by d · n in the direction n, eaves
    move it by the same b in all; (d, b) with the largest sum over the directions is looked for
    in steps of 10 cm, then between them by a parabola.

    Examples
    --------
    >>> counts = np.zeros((DIRECTIONS, DISTANCES), dtype=np.int64)
    >>> for direction in range(0, DIRECTIONS, DIRECTIONS // 4):  # a square, moved 1 m east
    ...     end = round((REACH + math.cos(2 * math.pi * direction / DIRECTIONS)) / BIN)
    ...     counts[direction, :end] = 100
    >>> round(find_shift(counts).dx, 2), round(find_shift(counts).dy, 2)
    (1.0, 0.0)
    """
    if counts.sum() < POINTS_MIN:
        return None
    angle = 2.0 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    nx, ny = np.cos(angle), np.sin(angle)
    weight = counts.sum(axis=1) / counts.sum()
    spread = np.array(
        [[weight @ (nx * nx), weight @ (nx * ny)], [weight @ (nx * ny), weight @ (ny * ny)]]
    )
    if np.linalg.eigvalsh(spread)[0] < 0.1:
        return None
    contrast = _contrast(counts)
    steps = np.arange(-round(SHIFT_MAX / BIN), round(SHIFT_MAX / BIN) + 1)
    eaves = np.arange(-3, 9)
    total = np.zeros((len(eaves), len(steps), len(steps)))
    for d in np.flatnonzero(counts.any(axis=1)):
        away = nx[d] * steps[:, None] + ny[d] * steps[None, :]
        place = away[None] + eaves[:, None, None] + REACH / BIN
        low = np.clip(np.floor(place).astype(np.int64), 0, DISTANCES - 1)
        part = np.clip(place - low, 0.0, 1.0)
        total += (1.0 - part) * contrast[d, low] + part * contrast[d, low + 1]
    e, i, j = (int(place) for place in np.unravel_index(np.argmax(total), total.shape))
    best = total[e, i, j]
    inner = np.abs(contrast).max(axis=1).sum()
    last = len(steps) - 1
    if best < CONTRAST_MIN * max(inner, 1.0) or not (0 < i < last and 0 < j < last):
        return None
    dx = steps[i] + _peak(total[e, i - 1, j], best, total[e, i + 1, j])
    dy = steps[j] + _peak(total[e, i, j - 1], best, total[e, i, j + 1])
    return Shift(float(dx * BIN), float(dy * BIN), float(best / inner), int(counts.sum()))


def _contrast(counts: IntArray) -> FloatArray:
    """Points in the `WIDTH` inside each place across an edge, less those outside."""
    wide = round(WIDTH / BIN)
    before = np.zeros((len(counts), DISTANCES + 1))
    before[:, 1:] = np.cumsum(counts, axis=1)
    place = np.arange(DISTANCES + 1)
    low, high = np.maximum(place - wide, 0), np.minimum(place + wide, DISTANCES)
    return 2.0 * before - before[:, low] - before[:, high]


def _peak(left: float, middle: float, right: float) -> float:
    """Place of the top of a parabola through three values, in steps from the middle one."""
    bend = left - 2.0 * middle + right
    return 0.0 if bend >= 0.0 else 0.5 * (left - right) / bend


def add_counts(
    parts: Iterable[tuple[IntArray, IntArray]],
) -> dict[tuple[int, int], IntArray]:
    """Sums by square, in the order of the squares, from (squares, counts) of blocks."""
    total: dict[tuple[int, int], IntArray] = {}
    for squares, values in parts:
        for (column, row), counts in zip(squares.tolist(), values, strict=True):
            square = (column, row)
            total[square] = total[square] + counts if square in total else counts
    return dict(sorted(total.items()))


def shift_issues(counts: dict[tuple[int, int], IntArray]) -> list[Issue]:
    """One row for each square whose cloud lies beside its footprints, and one for the city.

    The city's row proposes the `cloud_shift` that moves the cloud back.
    """
    issues = []
    for (column, row), own in counts.items():
        shift = find_shift(own)
        if shift is not None and math.hypot(shift.dx, shift.dy) > REPORTED_M:
            message = (
                f"roofs lie {shift.dx:+.2f} m east and {shift.dy:+.2f} m north of the "
                f"footprints in the square from {column * PLACE:.0f}, {row * PLACE:.0f}"
            )
            name = f"{column}_{row}"
            issues.append(Issue("WARNING", "CLOUD_SHIFTED", "points", name, message))
    whole = find_shift(sum(counts.values(), np.zeros((DIRECTIONS, DISTANCES), np.int64)))
    if whole is not None and math.hypot(whole.dx, whole.dy) > REPORTED_M:
        message = (
            f"roofs lie {whole.dx:+.2f} m east and {whole.dy:+.2f} m north of the footprints; "
            f"if the footprints are right, build with cloud_shift = "
            f"[{-whole.dx:.2f}, {-whole.dy:.2f}]"
        )
        issues.append(Issue("WARNING", "CLOUD_SHIFTED", "city", "", message))
    return issues
