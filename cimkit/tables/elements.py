"""What an address says, part by part."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Self

import numpy as np

from cimkit.errors import TableError
from cimkit.tables._columns import TEXT, BoolArray, IntArray, TextArray, texts

if TYPE_CHECKING:
    from collections.abc import Mapping

COMPOUND, BUILDING, UNIT, FLOOR, ROOM = "院落", "建筑物", "单元", "楼层", "户室"
KINDS = ("", COMPOUND, BUILDING, UNIT, FLOOR, ROOM)
"""Kinds of addresses, each a parent of the next; "" where the source does not say."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Elements:
    """Elements (地址元素) of addresses, as the source gives them in columns; "" elsewhere.

    Parameters
    ----------
    kind : text array, shape (n,)
        One of `KINDS`; another word counts as "".
    parent_id : text array, shape (n,)
        `address_id` of the address above this one.
    division : text array, shape (n,)
        Code of the finest division named: 6, 9 or 12 digits.
    street, number : text array, shape (n,)
        Road (街路巷) and door plate on it (门牌号).
    estate, building : text array, shape (n,)
        Compound (小区) and building in it (幢号).
    unit, floor, room : text array, shape (n,)
        Entrance (单元, 号座), storey (楼层) and room (户室).
    valid_from, valid_to : text array, shape (n,)
        First and last day on which the address is in force, YYYY-MM-DD.

    Examples
    --------
    >>> elements = Elements.of(2, street=["向阳路", ""], number=["1号", "5号"])
    >>> elements.number.tolist(), elements.room.tolist()
    (['1号', '5号'], ['', ''])
    """

    kind: TextArray
    parent_id: TextArray
    division: TextArray
    street: TextArray
    number: TextArray
    estate: TextArray
    building: TextArray
    unit: TextArray
    floor: TextArray
    room: TextArray
    valid_from: TextArray
    valid_to: TextArray

    def __post_init__(self) -> None:
        n = len(self.kind)
        for field in fields(self):
            column = texts(field.name, getattr(self, field.name), n)
            object.__setattr__(self, field.name, column)
        known = np.isin(self.kind.astype(object), np.array(KINDS, dtype=object))
        if not known.all():
            object.__setattr__(self, "kind", np.where(known, self.kind, "").astype(TEXT))

    @classmethod
    def of(cls, n: int, **columns: object) -> Self:
        """`n` rows with some columns; the others are empty.

        Raises
        ------
        TableError
            If there is no such column, or one has another length.
        """
        if unknown := sorted(set(columns) - set(ELEMENTS)):
            raise TableError(f"Elements: no column {unknown[0]!r}; there are {ELEMENTS}")
        nothing = np.full(n, "", dtype=TEXT)
        return cls(**{name: columns.get(name, nothing) for name in ELEMENTS})  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.kind)

    def __repr__(self) -> str:
        filled = [name for name in ELEMENTS if (getattr(self, name) != "").any()]
        return f"Elements({len(self):,} rows: {', '.join(filled) or 'none'})"

    def take(self, rows: IntArray | BoolArray) -> Self:
        """The rows chosen by index or mask, in that order."""
        n = len(np.arange(len(self))[rows])
        filled = {name: column for name, column in self.columns().items() if column.any()}
        return self.of(n, **{name: column[rows] for name, column in filled.items()})

    def columns(self) -> Mapping[str, TextArray]:
        """All columns by name."""
        return {name: getattr(self, name) for name in ELEMENTS}


ELEMENTS = tuple(field.name for field in fields(Elements))
"""Names of the columns."""
