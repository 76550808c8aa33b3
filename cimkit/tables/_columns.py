"""Checks that the constructors of all tables share, and the array types they speak of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cimkit.errors import LimitError, TableError
from cimkit.limits import ROWS_MAX

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
WholeArray = NDArray[Any]
"""Whole numbers of any width, in kernels that save memory by narrow ones."""

ByteArray = NDArray[np.uint8]
BoolArray = NDArray[np.bool_]
TextArray = NDArray[Any]
"""NumPy array of `numpy.dtypes.StringDType`: text of any length, indexed like numbers."""

TEXT = np.dtypes.StringDType()


def floats(
    name: str, values: ArrayLike, n: int | None = None, *, finite: bool = True
) -> FloatArray:
    """One contiguous float64 column of length `n`; NaN allowed only where `finite` is off."""
    _check_size(name, values)
    column = np.ascontiguousarray(values, dtype=np.float64)
    _check_length(name, column, n)
    if finite and not np.isfinite(column).all():
        raise TableError(f"{name}: row {_first(~np.isfinite(column))} is not a finite number")
    return column


def integers(name: str, values: ArrayLike, n: int | None = None) -> IntArray:
    """One contiguous int64 column of length `n`."""
    _check_size(name, values)
    column = np.ascontiguousarray(values, dtype=np.int64)
    _check_length(name, column, n)
    return column


def texts(name: str, values: Iterable[Any], n: int | None = None) -> TextArray:
    """One text column of length `n`; every value is turned into `str`."""
    if isinstance(values, np.ndarray) and values.dtype == TEXT:
        column: TextArray = values
    else:
        column = np.array([str(value) for value in values], dtype=TEXT)
    _check_length(name, column, n)
    return column


def identifiers(name: str, values: Iterable[Any], n: int | None = None) -> TextArray:
    """One text column of unique, non-empty values."""
    column = texts(name, values, n)
    found = column.tolist()
    if all(found) and len(set(found)) == len(found):
        return column
    seen: set[str] = set()
    for row, value in enumerate(found):
        if not value:
            raise TableError(f"{name}: row {row} is empty")
        if value in seen:
            raise TableError(f"{name}: {value!r} occurs twice")
        seen.add(value)
    return column


def offsets(name: str, values: ArrayLike, n_values: int, n: int | None = None) -> IntArray:
    """Borders of ragged rows: n + 1 rising numbers from 0 to `n_values`."""
    column = integers(name, values, None if n is None else n + 1)
    if (
        len(column) == 0
        or column[0] != 0
        or column[-1] != n_values
        or (np.diff(column) < 0).any()
    ):
        raise TableError(f"{name}: must rise from 0 to {n_values}")
    return column


def ragged_index(starts: IntArray, rows: IntArray) -> tuple[IntArray, IntArray]:
    """Positions of the values of chosen ragged rows, and the offsets of the new table.

    Examples
    --------
    >>> ragged_index(np.array([0, 2, 5]), np.array([1, 0]))
    (array([2, 3, 4, 0, 1]), array([0, 3, 5]))
    """
    return index_ranges(starts[rows], starts[rows + 1])


def index_ranges(first: IntArray, last: IntArray) -> tuple[IntArray, IntArray]:
    """All numbers of some ranges, each without its last, and where the ranges begin and end.

    Examples
    --------
    >>> index_ranges(np.array([7, 2]), np.array([9, 5]))
    (array([7, 8, 2, 3, 4]), array([0, 2, 5]))
    """
    sizes = last - first
    ends = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return np.arange(ends[-1], dtype=np.int64) + np.repeat(first - ends[:-1], sizes), ends


def describe(table: object, n: int, crs: str, bounds: tuple[float, ...] | None) -> str:
    """One line for `repr`: count, CRS, bounds (where the table has a place), memory."""
    arrays = [getattr(table, name) for name in getattr(table, "__slots__", ())]
    size = sum(array.nbytes for array in arrays if isinstance(array, np.ndarray))
    place = ""
    if hasattr(table, "crs"):
        box = "empty" if bounds is None else " ".join(f"{value:.1f}" for value in bounds)
        place = f"{crs or 'no CRS'}, [{box}], "
    return f"{type(table).__name__}({n:,} rows, {place}{size / 1e6:.1f} MB)"


def _check_size(name: str, values: ArrayLike) -> None:
    """Refuse before anything is copied."""
    if isinstance(values, np.ndarray) and values.size > ROWS_MAX:
        raise LimitError(
            f"{name}: {values.size:,} rows, at most {ROWS_MAX:,}; work on one part at a time"
        )


def _check_length(name: str, column: NDArray[Any], n: int | None) -> None:
    if column.ndim != 1:
        raise TableError(f"{name}: one dimension expected, not shape {column.shape}")
    if n is not None and len(column) != n:
        raise TableError(f"{name}: {n} rows expected, {len(column)} given")


def _first(mask: BoolArray) -> int:
    return int(np.flatnonzero(mask)[0])
