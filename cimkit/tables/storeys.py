"""Floors of buildings and the rooms on them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Self

import numpy as np

from cimkit.errors import TableError
from cimkit.tables._columns import (
    BoolArray,
    FloatArray,
    IntArray,
    TextArray,
    describe,
    floats,
    identifiers,
    integers,
    texts,
)

if TYPE_CHECKING:
    import pandas as pd

STOREY_SOURCES = ("floors", "rooms", "height")
"""What the number of storeys was taken from: the footprint, the greatest floor of its rooms, or
its height and the usual height of a storey."""


_NUMBERS = 2**20
"""More than storeys of one building can have numbers, above and below the ground."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Storeys:
    """Storeys (分层) of buildings, each a slab between two heights.

    Storeys of one building follow each other from the lowest up, and each begins where the one
    below it ends.

    Parameters
    ----------
    building_id : text array, shape (n,)
        No two storeys have the same building and number.
    number : int64 array, shape (n,)
        ..., -1, 1, 2, ...; no storey is 0.
    z_bottom, z_top : float64 array, shape (n,)
        Metres in the vertical datum; the top lies above the bottom.
    source : text array, shape (n,)
        One of `STOREY_SOURCES`.

    Examples
    --------
    >>> storeys = Storeys(["a", "a"], [1, 2], [10.0, 13.0], [13.0, 16.0], ["floors"] * 2)
    >>> storeys
    Storeys(2 rows, 0.0 MB)
    >>> storeys.rows_of(["a", "a", "b"], [2, 9, 1])
    array([ 1, -1, -1])
    >>> Storeys.empty().to_pandas().empty
    True
    """

    building_id: TextArray
    number: IntArray
    z_bottom: FloatArray
    z_top: FloatArray
    source: TextArray

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "building_id", texts("building_id", self.building_id))
        n = len(self.building_id)
        put(self, "number", integers("number", self.number, n))
        for name in ("z_bottom", "z_top"):
            put(self, name, floats(name, getattr(self, name), n))
        put(self, "source", texts("source", self.source, n))
        if unknown := set(self.source.tolist()) - set(STOREY_SOURCES):
            raise TableError(f"Storeys: source {min(unknown)!r}; there are {STOREY_SOURCES}")
        if (self.number == 0).any():
            raise TableError("Storeys: a storey is 0; the one above the ground is 1")
        if (np.abs(self.number) >= _NUMBERS // 2).any():
            raise TableError("Storeys: a number is none of a storey")
        if (self.z_top <= self.z_bottom).any():
            raise TableError("Storeys: a storey ends no higher than it begins")
        self._check_order()

    @classmethod
    def empty(cls) -> Self:
        """No storeys."""
        nothing = np.empty(0)
        return cls(nothing, np.empty(0, dtype=np.int64), nothing, nothing, nothing)

    def _check_order(self) -> None:
        """One run of rows for each building, each row on top of the one before it."""
        same = self._continued[1:]
        if len(self) - same.sum() > len(set(self.building_id.tolist())):
            raise TableError("Storeys: those of a building must follow each other")
        if (np.diff(self.number)[same] <= 0).any():
            raise TableError("Storeys: numbers of a building must rise")
        if (self.z_bottom[1:] != self.z_top[:-1])[same].any():
            raise TableError("Storeys: a storey does not begin where the one below it ends")

    def __len__(self) -> int:
        return len(self.building_id)

    def __repr__(self) -> str:
        return describe(self, len(self), "", None)

    def take(self, rows: IntArray) -> Self:
        """The storeys chosen by index, in that order."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    @property
    def storey_id(self) -> TextArray:
        """Identifier of each storey in products, such as ``B1-storey-3``."""
        pairs = zip(self.building_id.tolist(), self.number.tolist(), strict=True)
        return texts("storey_id", (f"{name}-storey-{number}" for name, number in pairs))

    def rows_of(self, building_id: TextArray, number: IntArray) -> IntArray:
        """Row of the storey with each building and number, -1 where there is none."""
        number = integers("number", number, len(building_id))
        first = np.flatnonzero(~self._continued)
        run_of = {name: run for run, name in enumerate(self.building_id[first].tolist())}
        run = np.array([run_of.get(str(name), -1) for name in building_id], dtype=np.int64)
        known = (run >= 0) & (np.abs(number) < _NUMBERS // 2)
        keys = (np.cumsum(~self._continued) - 1) * _NUMBERS + self.number  # they rise
        wanted = run[known] * _NUMBERS + number[known]
        place = np.searchsorted(keys, wanted)
        rows = np.full(len(run), -1, dtype=np.int64)
        rows[known] = np.where(np.append(keys, -1)[place] == wanted, place, -1)
        return rows

    @property
    def _continued(self) -> BoolArray:
        """Whether the row before belongs to the same building, shape (n,)."""
        same = np.asarray(self.building_id[1:] == self.building_id[:-1], dtype=np.bool_)
        return np.concatenate([np.zeros(min(len(self), 1), dtype=np.bool_), same])

    def to_pandas(self) -> pd.DataFrame:
        """All columns as a DataFrame."""
        return _frame({field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def from_pandas(cls, frame: pd.DataFrame) -> Self:
        """Inverse of `to_pandas`."""
        return cls(*(frame[field.name].to_numpy() for field in fields(cls)))


_ROOM_COLUMNS = ("address_id", "building_id", "floor", "unit", "room", "building_address")


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Rooms:
    """Rooms (分户, 户室): each an address in a building, on a floor where that is known.

    Addresses only: nothing is said of who lives there.

    Parameters
    ----------
    address_id : text array, shape (n,)
        Of the room. Unique.
    building_id : text array, shape (n,)
        The building that it is in.
    floor : int64 array, shape (n,)
        Number as in `Storeys`; 0 where unknown.
    unit, room : text array, shape (n,)
        Entrance (单元, 号座) and room (户室) as written; "" where none.
    building_address : text array, shape (n,)
        `address_id` of the address of the whole building above it; "" where none is named.
    unbound_id, unbound_reason : text array, shape (m,)
        Addresses of rooms that are in no building, each with the reason why it is unlinked.

    Examples
    --------
    >>> rooms = Rooms(["A1"], ["a"], [3], ["1单元"], ["301室"], [""], ["A2"], ["TOO_FAR"])
    >>> rooms
    Rooms(1 rows, 0.0 MB, 1 unbound)
    >>> Rooms.empty().to_pandas().empty
    True
    """

    address_id: TextArray
    building_id: TextArray
    floor: IntArray
    unit: TextArray
    room: TextArray
    building_address: TextArray
    unbound_id: TextArray = ()  # type: ignore[assignment]
    unbound_reason: TextArray = ()  # type: ignore[assignment]

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "address_id", identifiers("address_id", self.address_id))
        n = len(self.address_id)
        for name in ("building_id", "unit", "room", "building_address"):
            put(self, name, texts(name, getattr(self, name), n))
        put(self, "floor", integers("floor", self.floor, n))
        if (self.building_id == "").any():
            raise TableError("Rooms: a room is in no building; list it as unbound")
        put(self, "unbound_id", identifiers("unbound_id", self.unbound_id))
        reason = texts("unbound_reason", self.unbound_reason, len(self.unbound_id))
        put(self, "unbound_reason", reason)
        if (reason == "").any():
            raise TableError("Rooms: an unbound address without a reason")
        if both := set(self.address_id.tolist()) & set(self.unbound_id.tolist()):
            raise TableError(f"Rooms: {min(both)!r} is bound and unbound")

    @classmethod
    def empty(cls) -> Self:
        """No rooms."""
        return cls(*([np.empty(0, dtype=np.int64)] * 6))

    def __len__(self) -> int:
        return len(self.address_id)

    def __repr__(self) -> str:
        return f"{describe(self, len(self), '', None)[:-1]}, {len(self.unbound_id):,} unbound)"

    def take(self, rows: IntArray) -> Self:
        """The rooms chosen by index, in that order; the unbound addresses stay."""
        chosen = {name: getattr(self, name)[rows] for name in _ROOM_COLUMNS}
        return type(self)(
            **chosen, unbound_id=self.unbound_id, unbound_reason=self.unbound_reason
        )

    def to_pandas(self) -> pd.DataFrame:
        """The rooms as a DataFrame; the unbound addresses are in `unbound_to_pandas`."""
        return _frame({name: getattr(self, name) for name in _ROOM_COLUMNS})

    def unbound_to_pandas(self) -> pd.DataFrame:
        """Addresses of rooms in no building: `address_id` and `reason`."""
        return _frame({"address_id": self.unbound_id, "reason": self.unbound_reason})

    @classmethod
    def from_pandas(cls, frame: pd.DataFrame, unbound: pd.DataFrame | None = None) -> Self:
        """Inverse of `to_pandas` and `unbound_to_pandas`."""
        columns = {
            name: frame[name] if name == "floor" else frame[name].fillna("")
            for name in _ROOM_COLUMNS
        }
        if unbound is None:
            return cls(**columns)
        return cls(
            **columns, unbound_id=unbound["address_id"], unbound_reason=unbound["reason"]
        )


def _frame(columns: dict[str, TextArray | IntArray | FloatArray]) -> pd.DataFrame:
    """Columns as a DataFrame, text as Python strings."""
    import pandas as pd

    return pd.DataFrame(
        {
            name: column if column.dtype.kind in "iuf" else column.astype(object)
            for name, column in columns.items()
        }
    )
