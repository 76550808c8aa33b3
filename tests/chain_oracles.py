"""House numbers along a street by brute force: all ways through a chain, and polyfit."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from cimkit.kernels import number_chain as chain


def chains(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    """Chains of one to five plates with one to three candidates each, near a line."""
    starts = [0]
    while starts[-1] < n:
        starts.append(min(starts[-1] + int(rng.integers(1, 6)), n))
    count = rng.integers(1, 4, n)
    offsets = np.append(0, np.cumsum(count))
    footprint = np.concatenate([np.sort(rng.choice(6, k, replace=False)) for k in count])
    xy = np.column_stack([8.0 * footprint, rng.normal(0.0, 3.0, len(footprint))])
    step = rng.normal(0.0, 2.0, (n, 2)) + (rng.choice([0.0, 8.0, -16.0], n)[:, None] * [1, 0])
    step[rng.random(n) < 0.1] = 0.0
    return (
        *(np.array(starts), offsets.astype(np.int64), footprint.astype(np.int64), xy),
        *(rng.normal(0.0, 2.0, len(footprint)), step),
    )


def marginals_by_all_ways(
    starts: Any, offsets: Any, footprint: Any, xy: Any, evidence: Any, step: Any
) -> Any:
    """Each way through each chain, with its weight."""
    share = np.zeros(len(footprint))
    for first, last in itertools.pairwise(starts.tolist()):
        choices = [range(offsets[k], offsets[k + 1]) for k in range(first, last)]
        for way in itertools.product(*choices):
            weight = sum(evidence[i] for i in way)
            for k, (i, j) in enumerate(itertools.pairwise(way)):
                weight += _fit(xy[j] - xy[i], step[first + k], footprint[i] == footprint[j])
            share[list(way)] += np.exp(weight)
    plate = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    return share / np.bincount(plate, share)[plate]


def _fit(way: Any, step: Any, same: bool) -> float:
    length = float(np.linalg.norm(step))
    if length:
        turn = np.array([step, [step[1], -step[0]]]) / length
        along, across = turn @ way
    else:
        along, across = np.linalg.norm(way), 0.0
    spread = chain.ALONG_SHARE * length + chain.ALONG
    misfit = ((along - length) / spread) ** 2 + (across / chain.ACROSS) ** 2
    return -min(0.5 * misfit + chain.SAME * same, 20.0)


def plates(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    """Plates of several chains, a third without a place."""
    starts = np.unique(np.append([0, n], rng.integers(0, n + 1, n // 12)))
    key = np.cumsum(rng.integers(1, 5, n)).astype(float)
    x, y = rng.normal(0.0, 50.0, (2, n))
    lost = rng.random(n) < 0.3
    return starts, key, np.where(lost, np.nan, x), np.where(lost, np.nan, y)


def course_by_least_squares(starts: Any, key: Any, x: Any, y: Any) -> Any:
    """The same lines as ridge regressions solved by NumPy."""
    place, pace = np.full((len(key), 2), np.nan), np.zeros((len(key), 2))
    for first, last in itertools.pairwise(starts.tolist()):
        rows = np.arange(first, last)
        typical = max((key[last - 1] - key[first]) / max(last - first - 1, 1), 1.0)
        for k in rows:
            near = rows[(np.abs(rows - k) <= chain.WINDOW) & np.isfinite(x[rows])]
            if not len(near):
                continue
            weight = np.exp(-0.5 * ((near - k) / chain.BANDWIDTH) ** 2)
            middle = np.average(key[near], weights=weight)
            root = np.sqrt(weight)
            design = np.column_stack([root, root * (key[near] - middle)])
            design = np.vstack([design, [0.0, typical]])
            for axis, values in enumerate((x, y)):
                goal = np.append(root * values[near], 0.0)
                (level, slope), *_ = np.linalg.lstsq(design, goal, rcond=None)
                place[k, axis] = level + slope * (key[k] - middle)
                pace[k, axis] = slope
    return place, pace
