"""Who and what is behind an address, as counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cimkit.errors import TableError
from cimkit.tables._columns import (
    BoolArray,
    IntArray,
    TextArray,
    describe,
    identifiers,
    integers,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

MEASURES = ("rooms", "households", "population", "organisations")
"""What is counted."""

OF_PERSONS = ("households", "population")
"""Small counts of these can point at a person."""

UNKNOWN = -1


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Occupancy:
    """Actual housing, units and population (一标三实) by address: counts, never persons.

    Parameters
    ----------
    address_id : text array, shape (n,)
        Unique.
    rooms : int64 array, shape (n,)
        户室; -1 where nothing is said, here and below.
    households, population : int64 array, shape (n,)
        实有户数, 实有人口.
    organisations : int64 array, shape (n,)
        实有单位.

    Examples
    --------
    >>> Occupancy(["1"], [12], [11], [33], [-1]).population
    array([33])
    """

    address_id: TextArray
    rooms: IntArray
    households: IntArray
    population: IntArray
    organisations: IntArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "address_id", identifiers("address_id", self.address_id))
        n = len(self.address_id)
        for name in MEASURES:
            column = integers(name, getattr(self, name), n)
            if (column < UNKNOWN).any():
                row = int(np.flatnonzero(column < UNKNOWN)[0])
                raise TableError(f"Occupancy: {name}: row {row} is below 0")
            object.__setattr__(self, name, column)

    def __len__(self) -> int:
        return len(self.address_id)

    def __repr__(self) -> str:
        return describe(self, len(self), "", None)

    def columns(self) -> Mapping[str, IntArray]:
        """The counts by name."""
        return {name: getattr(self, name) for name in MEASURES}


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Counts of places, as they may be shown.

    Parameters
    ----------
    value : mapping of str to int64 array, shape (n,)
        For each of `MEASURES`; -1 where nothing is said, or hidden.
    hidden : mapping of str to bool array, shape (n,)
        Where something is said, and suppressed.
    """

    value: Mapping[str, IntArray]
    hidden: Mapping[str, BoolArray]

    def __len__(self) -> int:
        return len(self.value["rooms"])
