"""Slow ways to find ground: NumPy's windows, all pairs of points, and a cloth that falls.

The cloth shares no idea with the filter of cimkit, and so is a second opinion on real data.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cimkit.kernels.progressive_morphology import NO_HEIGHT, lowest_cells


def lowest_by_numpy(x: Any, y: Any, z: Any, half: int) -> Any:
    """Whole millimetres by `numpy.minimum.at`."""
    column, row = np.floor(x).astype(int) + half, np.floor(y).astype(int) + half
    inside = (column >= 0) & (column < 2 * half) & (row >= 0) & (row < 2 * half)
    inside &= np.abs(z) < 2e6
    low = np.full((2 * half, 2 * half), NO_HEIGHT, dtype=np.int32)
    heights = np.round(z[inside] * 1000).astype(np.int32)
    np.minimum.at(low, (row[inside], column[inside]), heights)
    return low


def lowest(x: Any, y: Any, z: Any, half: int) -> Any:
    """The same by the kernel."""
    low = np.full((2 * half, 2 * half), NO_HEIGHT, dtype=np.int32)
    lowest_cells(x, y, z, 1.0, -half, -half, low)
    return low


def windows(z: Any, radius: int) -> Any:
    """Squares around all cells; shape (rows, columns, 2 radius + 1, 2 radius + 1)."""
    size = 2 * radius + 1
    return sliding_window_view(z, (size, size))


def open_by_windows(z: Any, radius: int) -> Any:
    """Highest of the lowest of all windows that hold a cell; +inf is empty."""
    padded = np.pad(z, 2 * radius, constant_values=np.inf)
    lowest_of = windows(padded, radius).min((2, 3))
    lowest_of = np.where(np.isinf(lowest_of), -np.inf, lowest_of)
    return windows(lowest_of, radius).max((2, 3)).astype(np.float32)


def pits_by_windows(z: Any) -> Any:
    """Cells 0.5 m below what is around them, with less than 1 % of company within 10 cells."""
    closed = -open_by_windows(np.where(np.isnan(z), np.inf, -z), 2)
    padded = np.pad(z, 10, constant_values=np.nan)
    around = windows(padded, 10)
    known = np.isfinite(around).sum((2, 3)) - 1
    near = (np.abs(around - z[:, :, None, None]) <= 0.5).sum((2, 3)) - 1
    return (closed - z > 0.5) & (near < 0.01 * known)


def objects_by_windows(z: Any, cell: float, window: float, slope: float) -> Any:
    """What falls by more than 0.3 m and the slope, or 2.5 m, from one window to the next."""
    found, radius, before = np.zeros(z.shape, dtype=bool), 1, 0
    while True:
        opened = open_by_windows(z, radius)
        found |= z - opened > min(0.3 + slope * 2 * (radius - before) * cell, 2.5)
        if (2 * radius + 1) * cell > window:
            return found
        z, before, radius = opened, radius, radius + max(1, radius // 5)


def fits_by_windows(z: Any, tolerance: float) -> Any:
    """0 not judged, 1 off the mean of the known cells of 5 by 5, 2 near it."""
    around = windows(np.pad(z, 2, constant_values=np.nan), 2)
    known = np.isfinite(around).sum((2, 3)) - 1
    with np.errstate(invalid="ignore"):
        mean = (np.nansum(around, (2, 3)) - z) / np.maximum(known, 1)
        near = np.abs(mean - z) <= tolerance
    return np.where(np.isfinite(z) & (known >= 3), 1 + near, 0).astype(np.int8)


def neighbourhoods_by_pairs(
    x: Any, y: Any, z: Any, flags: Any, wanted: Any, radius: float
) -> Any:
    """All distances to the first point of each cube of 0.25 m, and the vectors of LAPACK."""
    xyz = np.round(np.column_stack([x, y, z]) * 1000)
    at = xyz[wanted]
    kept: dict[tuple[float, ...], int] = {}
    for row in np.lexsort((*flags.T[::-1], *xyz.T[::-1])).tolist():
        kept.setdefault(tuple((xyz[row] // 250).tolist()), row)
    rows = list(kept.values())
    xyz, flags = xyz[rows], flags[rows]
    gap = at[:, None] - xyz[None]
    beside = (gap[:, :, :2] ** 2).sum(2) <= (radius * 1000) ** 2
    near = (gap**2).sum(2) <= (radius * 1000) ** 2
    shape = np.array([_shape(xyz[row]) for row in near])
    n_flagged = near.astype(int) @ flags.astype(int)
    return near.sum(1), beside.sum(1), n_flagged, shape[:, 0], shape[:, 1]


def _shape(xyz: Any) -> tuple[float, float]:
    """Distance from the best plane, and the sine of its slope; no plane below three points."""
    off = xyz - xyz.mean(0)
    values, vectors = np.linalg.eigh(off.T @ off / len(xyz))
    rough = float(np.sqrt(max(values[0], 0.0)) / 1000)
    return rough, float(np.hypot(*vectors[:2, 0])) if len(xyz) > 2 else 0.0


def fall_cloth(low: Any, *, rigidness: int = 2, rounds: int = 500) -> Any:
    """Height of a cloth that falls upon the land turned upside down.

    Zhang et al. 2016, An easy-to-use airborne LiDAR data filtering method based on cloth
    simulation (Remote Sensing 8, 501), with one particle a cell.

    Parameters
    ----------
    low : array, shape (rows, columns)
        Lowest heights, known everywhere.
    """
    hard = -np.asarray(low, dtype=np.float64)
    cloth = np.full(hard.shape, hard.max() + 0.05)
    before, free = cloth.copy(), np.ones(hard.shape, dtype=bool)
    for _ in range(rounds):
        moved = cloth + np.where(free, (cloth - before) * 0.99 - 0.2 * 0.65**2, 0.0)
        before, cloth = cloth, moved
        for _ in range(rigidness):
            _pull(cloth, free)
            _pull(cloth.T, free.T)
        landed = cloth <= hard
        cloth = np.where(landed, hard, cloth)
        free &= ~landed
        if np.abs(cloth - before).max() < 0.005:
            break
    return -cloth


def _pull(cloth: Any, free: Any) -> None:
    """Neighbours along the rows draw each other, even pairs and then odd ones."""
    for first in (0, 1):
        n = (cloth.shape[1] - first) // 2 * 2
        one, other = cloth[:, first : first + n : 2], cloth[:, first + 1 : first + n : 2]
        free_one = free[:, first : first + n : 2]
        free_other = free[:, first + 1 : first + n : 2]
        gap = other - one
        share = np.where(free_one & free_other, 0.3, 0.5)
        one += np.where(free_one, share * gap, 0.0)
        other -= np.where(free_other, share * gap, 0.0)
