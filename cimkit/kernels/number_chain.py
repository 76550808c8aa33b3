"""House numbers along a street: which building each belongs to, given all others of its chain.

A chain holds the door plates (门牌) of one side of a street by rising number. For each plate
some buildings come into question, with evidence of their own; from one plate to the next a
building is the likelier the better its place fits the way that the numbers go. Sums over all
ways through a chain by the forward-backward algorithm (Rabiner 1989, doi 10.1109/5.18626).

Time: O(plates x candidates^2).
"""

from __future__ import annotations

import numpy as np

from cimkit.kernels._jit import kernel
from cimkit.tables._columns import FloatArray, IntArray

WINDOW = 9
"""Plates on either side that say where the numbers lead."""

BANDWIDTH = 3.0
"""Plates; beyond some of these a plate counts little."""

ALONG_SHARE, ALONG, ACROSS = 0.3, 2.0, 6.0
"""Spread of a step along the street, a share of its length and metres; across it, metres."""

SAME = 4.0
"""How much less likely two plates of one building are, unless the data say: e^-SAME."""


def chain_course(
    starts: IntArray, key: FloatArray, x: FloatArray, y: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Where the numbers of each chain lead, by straight lines through a few plates each.

    Parameters
    ----------
    starts : int64 array, shape (n_chains + 1,)
        First plate of each chain.
    key : float64 array, shape (n,)
        House number, rising within a chain.
    x, y : float64 array, shape (n,)
        Metres; NaN for a plate whose place is unknown.

    Returns
    -------
    place : float64 array, shape (n, 2)
        Where each plate is expected; NaN in a chain without any place.
    pace : float64 array, shape (n, 2)
        Way for each step of 1 of the number, metres.

    Examples
    --------
    >>> place, pace = chain_course(
    ...     np.array([0, 3]), np.array([1.0, 3, 5]), np.array([0.0, np.nan, 20]), np.zeros(3)
    ... )
    >>> place[:, 0].round(1), pace[1].round(1)
    (array([ 3.2, 10. , 16.8]), array([3.3, 0. ]))
    """
    return _course(starts, key, x, y)


def chain_marginals(
    starts: IntArray,
    offsets: IntArray,
    footprint: IntArray,
    xy: FloatArray,
    evidence: FloatArray,
    step: FloatArray,
    same: float = SAME,
) -> FloatArray:
    """Probability of each candidate, given the evidence of all plates of its chain.

    Parameters
    ----------
    starts : int64 array, shape (n_chains + 1,)
        First plate of each chain.
    offsets : int64 array, shape (n_plates + 1,)
        First candidate of each plate; each has at least one.
    footprint : int64 array, shape (n,)
        Row of each candidate's footprint.
    xy : float64 array, shape (n, 2)
        Its middle, metres.
    evidence : float64 array, shape (n,)
        Logarithm of its own likelihood.
    step : float64 array, shape (n_plates, 2)
        Way expected to the next plate, metres; that of the last one of a chain is not read.
    same : float
        Two plates in one building are e^-same times as likely as in two.

    Returns
    -------
    float64 array, shape (n,)
        In [0, 1]; those of one plate add up to 1.

    Examples
    --------
    >>> chain_marginals(
    ...     np.array([0, 2]),
    ...     np.array([0, 2, 3]),
    ...     np.array([0, 1, 1]),
    ...     np.array([[0.0, 0], [8, 0], [8, 0]]),
    ...     np.zeros(3),
    ...     np.array([[8.0, 0], [0, 0]]),
    ... ).round(2)
    array([1., 0., 1.])
    """
    return _marginals(starts, offsets, footprint, xy, evidence, step, float(same))


@kernel
def _course(
    starts: IntArray, key: FloatArray, x: FloatArray, y: FloatArray
) -> tuple[FloatArray, FloatArray]:
    n = len(key)
    place, pace = np.full((n, 2), np.nan), np.zeros((n, 2))
    for c in range(len(starts) - 1):
        first, last = starts[c], starts[c + 1]
        if last - first < 1:
            continue
        typical = (key[last - 1] - key[first]) / max(last - first - 1, 1)
        ridge = max(typical, 1.0) ** 2
        for k in range(first, last):
            total = mean_key = mean_x = mean_y = 0.0
            low, high = max(first, k - WINDOW), min(last, k + WINDOW + 1)
            for m in range(low, high):
                if not np.isnan(x[m]):
                    weight = np.exp(-0.5 * ((m - k) / BANDWIDTH) ** 2)
                    total += weight
                    mean_key += weight * key[m]
                    mean_x += weight * x[m]
                    mean_y += weight * y[m]
            if total == 0.0:
                continue
            mean_key, mean_x, mean_y = mean_key / total, mean_x / total, mean_y / total
            spread, along_x, along_y = ridge, 0.0, 0.0
            for m in range(low, high):
                if not np.isnan(x[m]):
                    weight = np.exp(-0.5 * ((m - k) / BANDWIDTH) ** 2)
                    spread += weight * (key[m] - mean_key) ** 2
                    along_x += weight * (key[m] - mean_key) * (x[m] - mean_x)
                    along_y += weight * (key[m] - mean_key) * (y[m] - mean_y)
            pace[k, 0], pace[k, 1] = along_x / spread, along_y / spread
            place[k, 0] = mean_x + pace[k, 0] * (key[k] - mean_key)
            place[k, 1] = mean_y + pace[k, 1] * (key[k] - mean_key)
    return place, pace


@kernel
def _marginals(
    starts: IntArray,
    offsets: IntArray,
    footprint: IntArray,
    xy: FloatArray,
    evidence: FloatArray,
    step: FloatArray,
    same: float,
) -> FloatArray:
    forward, backward = np.empty(len(footprint)), np.ones(len(footprint))
    own = np.empty(len(footprint))
    for k in range(len(offsets) - 1):
        a, b = offsets[k], offsets[k + 1]
        own[a:b] = np.exp(evidence[a:b] - evidence[a:b].max())
    for c in range(len(starts) - 1):
        for k in range(starts[c], starts[c + 1]):
            a, b = offsets[k], offsets[k + 1]
            for j in range(a, b):
                way = 1.0
                if k > starts[c]:
                    way = 0.0
                    for i in range(offsets[k - 1], a):
                        way += forward[i] * _fit(xy, footprint, i, j, step[k - 1], same)
                forward[j] = way * own[j]
            forward[a:b] /= forward[a:b].sum()
        for k in range(starts[c + 1] - 2, starts[c] - 1, -1):
            a, b = offsets[k], offsets[k + 1]
            for i in range(a, b):
                way = 0.0
                for j in range(b, offsets[k + 2]):
                    way += backward[j] * own[j] * _fit(xy, footprint, i, j, step[k], same)
                backward[i] = way
            backward[a:b] /= backward[a:b].sum()
    for k in range(len(offsets) - 1):
        a, b = offsets[k], offsets[k + 1]
        forward[a:b] *= backward[a:b]
        forward[a:b] /= forward[a:b].sum()
    return forward


@kernel
def _fit(
    xy: FloatArray, footprint: IntArray, i: int, j: int, step: FloatArray, same: float
) -> float:
    """How well the way between two candidates fits what is expected; above 0."""
    length = np.hypot(step[0], step[1])
    dx, dy = xy[j, 0] - xy[i, 0], xy[j, 1] - xy[i, 1]
    if length > 0.0:
        along = (dx * step[0] + dy * step[1]) / length
        across = (dy * step[0] - dx * step[1]) / length
    else:
        along, across = np.hypot(dx, dy), 0.0
    misfit = ((along - length) / (ALONG_SHARE * length + ALONG)) ** 2 + (across / ACROSS) ** 2
    penalty = same if footprint[i] == footprint[j] else 0.0
    return float(np.exp(-min(0.5 * misfit + penalty, 20.0)))
