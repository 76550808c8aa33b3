"""Housing, units and population by building and by grid cell, with small counts hidden.

A count goes to one building: that of the surest link of its address. What is shown never lets a
small count of persons be read off: below `k` it is hidden, and where a total would give away a
single hidden one, a second is hidden with it, or the total. That protects against subtraction
within one city, not against who knows the others in a cell, nor against two editions held side
by side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cimkit.tables import Addresses, Footprints, Issue, Links
from cimkit.tables._columns import TEXT, BoolArray, FloatArray, IntArray, TextArray
from cimkit.tables.occupancy import MEASURES, OF_PERSONS, UNKNOWN, Counts, Occupancy
from cimkit.tables.reportfacts import Balance

if TYPE_CHECKING:
    from collections.abc import Mapping

K = 5
"""Counts of persons below this are hidden (standards.md 8.5 after GB/T 37964)."""

CELL = 100.0
"""Edge of a grid cell, metres, on the grid of the working CRS."""


class Occupied(NamedTuple):
    """Counts at three levels, as they may be shown, and what became of all of them.

    Attributes
    ----------
    addresses : Counts, n_addresses rows
    buildings : Counts, n_footprints rows
    cells : Counts, n_cells rows
    cell_xy : float64 array, shape (n_cells, 2)
        South-west corner of each cell, metres.
    balances : list of Balance
        One for each measure: in buildings, or not placed, with the reason.
    issues : list of Issue
        ``OCCUPANCY_UNPLACED`` (WARNING) an address that is not in the list, or has no building.
    """

    addresses: Counts
    buildings: Counts
    cells: Counts
    cell_xy: FloatArray
    balances: list[Balance]
    issues: list[Issue]


def occupy(
    occupancy: Occupancy,
    addresses: Addresses,
    footprints: Footprints,
    links: Links,
    *,
    k: int = K,
) -> Occupied:
    """Add counts up by building and grid cell.

    Parameters
    ----------
    occupancy : Occupancy
    addresses : Addresses
    footprints : Footprints
    links : Links
        Of these addresses; a link to a whole compound gives no building.
    k : int, default 5
        Smaller counts of households and persons are hidden; 0 is never hidden.

    Returns
    -------
    Occupied

    Examples
    --------
    >>> import shapely
    >>> from cimkit.steps.link import link
    >>> boxes = [shapely.box(x, 0, x + 8, 8) for x in (0, 20)]
    >>> houses = Footprints.from_polygons(["a", "b"], boxes)
    >>> here = Addresses(["1", "2"], ["甲", "乙"], [4.0, 24.0], [4.0, 4.0])
    >>> counts = Occupancy(["1", "2"], [4, 1], [4, 1], [9, 3], [-1, 2])
    >>> found = occupy(counts, here, houses, link(here, houses)[0])
    >>> found.buildings.value["population"], found.buildings.value["rooms"]
    (array([-1, -1]), array([4, 1]))
    >>> found.cells.value["population"], found.balances[2].parts
    (array([12]), {'in buildings': 12})
    """
    row_of = {name: row for row, name in enumerate(addresses.address_id.tolist())}
    rows = [row_of.get(name, -1) for name in occupancy.address_id.tolist()]
    address = np.array(rows, np.int64)
    own = _buildings(addresses, footprints, links)
    building = np.where(address >= 0, own[address] if len(own) else -1, -1)
    raw = {name: np.full(len(addresses), UNKNOWN, np.int64) for name in MEASURES}
    known = address >= 0
    for name, column in occupancy.columns().items():
        raw[name][address[known]] = column[known]
    cell, corner = _cells(footprints)
    by_building = {n: _sum(column, own, len(footprints)) for n, column in raw.items()}
    by_cell = {n: _sum(column, cell, len(corner)) for n, column in by_building.items()}
    hidden = {name: _hide(name, raw, by_building, by_cell, own, cell, k) for name in MEASURES}
    levels = [
        _shown(values, {name: hidden[name][level] for name in MEASURES})
        for level, values in enumerate((raw, by_building, by_cell))
    ]
    issues, reasons = _unplaced(occupancy, links, address, building)
    balances = _balances(occupancy, building, reasons)
    return Occupied(levels[0], levels[1], levels[2], corner, balances, issues)


def _buildings(addresses: Addresses, footprints: Footprints, links: Links) -> IntArray:
    """Footprint of the surest link of each address, shape (n_addresses,); -1 without one."""
    number = {name: row for row, name in enumerate(footprints.building_id.tolist())}
    building_of = links.surest()
    number[""] = -1
    found = [number[building_of.get(name, "")] for name in addresses.address_id.tolist()]
    return np.array(found, np.int64)


def _cells(footprints: Footprints) -> tuple[IntArray, FloatArray]:
    """Cell of each footprint by the middle of its box, and the corners of all cells."""
    middle = (footprints.bounds[:, :2] + footprints.bounds[:, 2:]) / 2.0
    place = np.floor(middle / CELL).astype(np.int64)
    corner, cell = np.unique(place, axis=0, return_inverse=True)
    return cell.ravel().astype(np.int64), corner.astype(np.float64) * CELL


def _sum(values: IntArray, group: IntArray, n: int) -> IntArray:
    """Sums of what is known by group; unknown where a group has nothing."""
    known = (values >= 0) & (group >= 0)
    total = np.bincount(group[known], values[known], n).astype(np.int64)
    return np.where(np.bincount(group[known], minlength=n) > 0, total, UNKNOWN)


def _hide(
    name: str,
    raw: Mapping[str, IntArray],
    by_building: Mapping[str, IntArray],
    by_cell: Mapping[str, IntArray],
    own: IntArray,
    cell: IntArray,
    k: int,
) -> tuple[BoolArray, BoolArray, BoolArray]:
    """What is hidden of addresses, buildings and cells."""
    values = raw[name], by_building[name], by_cell[name]
    if name not in OF_PERSONS:
        none = [np.zeros(len(column), np.bool_) for column in values]
        return none[0], none[1], none[2]
    addresses, buildings, cells = ((column > 0) & (column < k) for column in values)
    before = -1
    while before < (now := int(addresses.sum() + buildings.sum() + cells.sum())):
        before = now  # what hides one level can ask for more on the next: until all is quiet
        addresses |= np.append(buildings, False)[own] & (values[0] > 0)
        addresses |= _second(values[0], addresses, own, len(buildings))
        buildings |= _lone(addresses, values[0], own, len(buildings))
        buildings |= _second(values[1], buildings, cell, len(cells))
        cells |= _lone(buildings, values[1], cell, len(cells))
    return addresses, buildings, cells


def _second(values: IntArray, hidden: BoolArray, group: IntArray, n: int) -> BoolArray:
    """The smallest other count of each group that hides one alone."""
    more = np.zeros(len(values), np.bool_)
    inside = group >= 0
    alone = np.bincount(group[inside & hidden], minlength=n) == 1
    rows = np.flatnonzero(inside & ~hidden & (values > 0))
    rows = rows[alone[group[rows]]]
    order = rows[np.lexsort((rows, values[rows], group[rows]))]
    first = np.append(True, np.diff(group[order]) != 0)[: len(order)]
    more[order[first]] = True
    return more


def _lone(hidden: BoolArray, values: IntArray, group: IntArray, n: int) -> BoolArray:
    """Groups that hide one count alone, so that their total would be that count."""
    inside = (group >= 0) & (values > 0)
    found: BoolArray = np.bincount(group[inside & hidden], minlength=n) == 1
    return found


def _shown(values: Mapping[str, IntArray], hidden: Mapping[str, BoolArray]) -> Counts:
    shown = {n: np.where(hidden[n], UNKNOWN, column) for n, column in values.items()}
    return Counts(shown, hidden)


def _unplaced(
    occupancy: Occupancy, links: Links, address: IntArray, building: IntArray
) -> tuple[list[Issue], TextArray]:
    """Why a count has no building."""
    why = dict(zip(links.unlinked_id.tolist(), links.unlinked_reason.tolist(), strict=True))
    reasons = np.full(len(address), "", TEXT)
    issues = []
    for row in np.flatnonzero(building < 0).tolist():
        name = str(occupancy.address_id[row])
        if address[row] < 0:
            reason, text = "UNKNOWN_ADDRESS", "is not among the addresses; correct its code"
        else:
            reason = why.get(name, "COMPOUND")
            text = f"has no building of its own ({reason}); link it, or count by its units"
        reasons[row] = reason
        issues.append(Issue("WARNING", "OCCUPANCY_UNPLACED", "addresses", name, text))
    return issues, reasons


def _balances(occupancy: Occupancy, building: IntArray, reasons: TextArray) -> list[Balance]:
    """Where each count went."""
    found = []
    for name, column in occupancy.columns().items():
        known = column >= 0
        if not known.any():
            continue
        parts = {"in buildings": int(column[known & (building >= 0)].sum())}
        for reason in sorted(set(reasons[known & (building < 0)].tolist())):
            lost = column[known & (building < 0) & (reasons == reason)].sum()
            parts[f"not placed: {reason}"] = int(lost)
        found.append(Balance(name, int(column[known].sum()), parts))
    return found
