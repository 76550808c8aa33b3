"""Which addresses speak of the same door, and which building its name says it is.

All units and rooms of a building share one door: what is known of one holds for all.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from cimkit.steps.address.building_number import building_numbers, compare_numbers
from cimkit.steps.address.grammar import AddressKeys, address_keys, read_texts
from cimkit.tables import Addresses, Footprints
from cimkit.tables._columns import BoolArray, FloatArray, IntArray

TOWN = 300.0
"""Metres; addresses of one text that lie farther apart are taken for those of two places."""

COMMON = 8
"""A label that more footprints bear (自建房, 车库) names no building."""


class Doors(NamedTuple):
    """Distinct addresses without their units, floors and rooms, a row each.

    Attributes
    ----------
    of_address : int64 array, shape (n_addresses,)
        Door of each address; -1 where its text names none.
    keys : AddressKeys
        Of each door.
    street, plate, premises : int64 array, shape (n,)
        Number of its road, of road and plate, and of road, plate and name together; -1 where it
        has none.
    xy : float64 array, shape (n, 2)
        Middle of its located addresses, metres; NaN without one.
    scattered : bool array, shape (n,)
        The same text in several towns.
    inside : bool array, shape (n_addresses,)
        Whether the address is of a unit, floor or room behind the door.
    """

    of_address: IntArray
    keys: AddressKeys
    street: IntArray
    plate: IntArray
    premises: IntArray
    xy: FloatArray
    scattered: BoolArray
    inside: BoolArray

    def __len__(self) -> int:
        return len(self.street)

    @property
    def plain(self) -> BoolArray:
        """Doors of a number on a road, with no name and no building behind it."""
        keys = self.keys
        plain: BoolArray = (keys.number >= 0) & (keys.name == "") & (keys.building == "")
        return plain

    def of(self, column: Any, neutral: Any) -> Any:
        """A column of doors as one of addresses, `neutral` for those without a door."""
        return np.append(column, np.array([neutral], column.dtype))[self.of_address]


def find_doors(addresses: Addresses, reach: float) -> Doors:
    """Doors of all addresses; one text means one place up to `TOWN` and `reach` metres."""
    keys = address_keys(addresses)
    texts = [column.tolist() for column in keys[:-1]]  # whatever is inside
    # A bare number on no road is another door in each address.
    lone = (keys.street == "") & (keys.name == "")
    named = (keys.number >= 0) | (keys.name != "") | (keys.building != "")
    tag = np.where(lone, np.arange(len(addresses)), -1).tolist()
    door, first = _factorize(list(zip(*texts, tag, strict=True)))
    columns: Any = (column[first] for column in keys)
    whole = AddressKeys(*columns)
    located = np.flatnonzero(addresses.located)
    xy, spread = _middles(door[located], addresses.x[located], addresses.y[located], len(first))
    street, _ = _factorize(whole.street.tolist())
    street[whole.street == ""] = -1
    plate, _ = _factorize(list(zip(street.tolist(), whole.number.tolist(), strict=True)))
    premises, _ = _factorize(list(zip(plate.tolist(), whole.name.tolist(), strict=True)))
    premises[(whole.number < 0) & (whole.name == "")] = -1
    plate[(street < 0) | (whole.number < 0)] = -1
    of_address = np.where(named, door, -1)
    return Doors(
        of_address, whole, street, plate, premises, xy, spread > TOWN + 2.0 * reach, keys.inside
    )


def named_buildings(doors: Doors, footprints: Footprints, reach: float) -> IntArray:
    """The footprint whose label says what the door says, shape (n_doors,); -1 where none does.

    The name and number of the building must agree (锦绣苑3幢), and of several such footprints
    one alone must be near the door. A label that is common, or a mere number, names nothing.
    """
    found = np.full(len(doors), -1, np.int64)
    rows_of: dict[str, list[int]] = {}
    for row, label in enumerate(footprints.label.tolist()):
        rows_of.setdefault(label, []).append(row)
    labels = [label for label, rows in rows_of.items() if label and len(rows) <= COMMON]
    _, _, names, buildings, _ = read_texts(labels)
    by_name: dict[str, list[tuple[str, int]]] = {}
    for label, name, number in zip(labels, names, building_numbers(buildings), strict=True):
        if name:
            by_name.setdefault(name, []).extend((number, row) for row in rows_of[label])
    middle = (footprints.bounds[:, :2] + footprints.bounds[:, 2:]) / 2.0
    asked = np.flatnonzero((doors.keys.name != "") & ~doors.scattered).tolist()
    name, building = doors.keys.name.tolist(), doors.keys.building.tolist()
    for door in asked:
        labelled = by_name.get(name[door], [])
        exact = [row for own, row in labelled if own == building[door]]
        rows = exact or [
            row for own, row in labelled if compare_numbers(own, building[door]) > 0
        ]
        if not 0 < len(rows) <= COMMON:
            continue
        if np.isfinite(doors.xy[door, 0]):
            away = np.hypot(*(middle[rows] - doors.xy[door]).T)
            rows = [
                row
                for row, d in zip(rows, away.tolist(), strict=True)
                if d <= TOWN + 2.0 * reach
            ]
        if len(rows) == 1:
            found[door] = rows[0]
    return found


def _factorize(keys: list[object]) -> tuple[IntArray, IntArray]:
    """Number of each key by first appearance, and the row where it appears first."""
    values = np.empty(len(keys), dtype=object)
    values[:] = keys
    codes = np.asarray(pd.factorize(values)[0], np.int64)
    first = np.full(codes.max(initial=-1) + 1, len(keys), np.int64)
    np.minimum.at(first, codes, np.arange(len(keys)))
    return codes, first


def _middles(
    group: IntArray, x: FloatArray, y: FloatArray, n: int
) -> tuple[FloatArray, FloatArray]:
    """Mean place of each group, and the longer side of its box; NaN and 0 for an empty one."""
    count = np.bincount(group, minlength=n)
    with np.errstate(invalid="ignore"):
        xy = np.column_stack([np.bincount(group, v, n) / count for v in (x, y)])
    spread = np.zeros(n)
    for values in (x, y):
        low, high = np.full(n, np.inf), np.full(n, -np.inf)
        np.minimum.at(low, group, values)
        np.maximum.at(high, group, values)
        spread = np.maximum(spread, np.where(count > 0, high - low, 0.0))
    return xy, spread
