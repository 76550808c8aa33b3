"""Group values by an index and take quantiles of each group.

Counting sort, O(n + groups); quantiles O(n log n) by sorting each group.
"""

from __future__ import annotations

import numpy as np

from cimkit.errors import TableError
from cimkit.kernels._jit import kernel
from cimkit.limits import ROWS_MAX
from cimkit.tables._columns import FloatArray, IntArray, floats, integers, offsets


def group_rows(group: IntArray, n_groups: int) -> tuple[IntArray, IntArray]:
    """Rows of each group, in their order; rows of group -1 belong to none.

    Parameters
    ----------
    group : int64 array, shape (n,)
        Group of each row, -1 for none.
    n_groups : int

    Returns
    -------
    rows : int64 array
        Rows, group by group.
    borders : int64 array, shape (n_groups + 1,)
        Borders of the groups in `rows`.

    Raises
    ------
    TableError
        If a group is outside -1 … n_groups - 1, or `n_groups` outside 0 … `ROWS_MAX`.

    Examples
    --------
    >>> group_rows(np.array([1, -1, 0, 1]), 2)
    (array([2, 0, 3]), array([0, 1, 3]))
    """
    group = integers("group", group)
    if not 0 <= n_groups <= ROWS_MAX:
        raise TableError(f"groups: 0 to {ROWS_MAX:,}, not {n_groups:,}")
    if len(group) and not -1 <= group.min() <= group.max() < n_groups:
        raise TableError(f"group: must lie in [-1, {n_groups - 1}]")
    return _group_rows(group, n_groups)


def grouped_quantiles(
    values: FloatArray, rows: IntArray, borders: IntArray, quantiles: FloatArray
) -> FloatArray:
    """Quantiles of the values of each group.

    Parameters
    ----------
    values : float64 array, shape (n,)
        Finite.
    rows : int64 array
        Rows of `values`, group by group.
    borders : int64 array, shape (n_groups + 1,)
        Borders of the groups in `rows`.
    quantiles : float64 array, shape (k,)
        In [0, 1].

    Returns
    -------
    float64 array, shape (n_groups, k)
        NaN for an empty group.

    Notes
    -----
    Linear interpolation between order statistics: type 7 of Hyndman & Fan (1996), as in NumPy.
    The order of the rows does not matter.

    Examples
    --------
    >>> grouped_quantiles(
    ...     np.array([3.0, 9.0]), np.array([0, 1]), np.array([0, 2, 2]), np.array([0.5])
    ... )
    array([[ 6.],
           [nan]])
    """
    values, rows = floats("values", values), integers("rows", rows)
    borders, quantiles = offsets("borders", borders, len(rows)), floats("quantiles", quantiles)
    if len(rows) and not 0 <= rows.min() <= rows.max() < len(values):
        raise TableError("rows: points outside values")
    if len(quantiles) and not 0 <= quantiles.min() <= quantiles.max() <= 1:
        raise TableError("quantiles: must lie in [0, 1]")
    return _grouped_quantiles(values, rows, borders, quantiles)


@kernel
def _group_rows(group: IntArray, n_groups: int) -> tuple[IntArray, IntArray]:
    borders = np.zeros(n_groups + 1, dtype=np.int64)
    for g in group:
        if g >= 0:
            borders[g + 1] += 1
    for g in range(n_groups):
        borders[g + 1] += borders[g]
    place = borders[:-1].copy()
    rows = np.empty(borders[-1], dtype=np.int64)
    for row, g in enumerate(group):
        if g >= 0:
            rows[place[g]] = row
            place[g] += 1
    return rows, borders


@kernel
def _grouped_quantiles(
    values: FloatArray, rows: IntArray, borders: IntArray, quantiles: FloatArray
) -> FloatArray:
    n_groups = len(borders) - 1
    result = np.full((n_groups, len(quantiles)), np.nan)
    for g in range(n_groups):
        n = borders[g + 1] - borders[g]
        if n == 0:
            continue
        part = np.sort(values[rows[borders[g] : borders[g + 1]]])
        for k, q in enumerate(quantiles):
            place = q * (n - 1)
            below = int(np.floor(place))
            above = min(below + 1, n - 1)
            result[g, k] = part[below] + (part[above] - part[below]) * (place - below)
    return result
