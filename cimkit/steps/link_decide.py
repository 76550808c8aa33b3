"""Which rule has the say: texts where places do not decide, or are not to be trusted."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from cimkit.kernels.footprint_grid import FootprintGrid
from cimkit.steps.link_accuracy import weigh
from cimkit.steps.link_doors import Doors, find_doors, named_buildings
from cimkit.steps.link_evidence import (
    Pairs,
    calibrated,
    choose,
    distances,
    join,
    pairs,
    rank_of_footprints,
)
from cimkit.steps.link_numbers import follow_numbers
from cimkit.steps.link_text import (
    compound_pairs,
    inherited_pairs,
    label_pairs,
)
from cimkit.tables import Addresses, Footprints, elements
from cimkit.tables._columns import BoolArray, IntArray

NUMBERED, TRIED = 0.98, 5
"""Factor on what the neighbours of a door plate say, before it is tried; share of plates it is
tried on."""

OTHER_NAME = 0.5
"""Factor where the building bears another name, without observations."""


class City(NamedTuple):
    """What is linked: `accuracy` of the points and `reach` of a name, metres."""

    addresses: Addresses
    footprints: Footprints
    grid: FootprintGrid
    accuracy: float
    reach: float


class _Decided:
    """Links so far; each address is decided once."""

    def __init__(self, n: int) -> None:
        self.footprint = np.full(n, -1, np.int64)
        self.confidence = np.zeros(n)
        self.parts: list[Pairs] = []

    def take(self, found: Pairs) -> None:
        """Add links of addresses that had none."""
        new = choose(found, np.flatnonzero(self.is_open(found.address)))
        self.parts.append(new)
        self.footprint[new.address] = new.footprint
        self.confidence[new.address] = new.confidence

    def is_open(self, rows: IntArray) -> BoolArray:
        """Which addresses have no link yet."""
        none: BoolArray = self.footprint[rows] < 0
        return none


def decide(city: City, given: Pairs, placed: Pairs, without: IntArray) -> Pairs:
    """Links of all rules.

    Parameters
    ----------
    city : City
    given, placed : Pairs
        By rule R0, and by R1 to R3.
    without : int64 array
        Addresses that none of these has linked.

    Returns
    -------
    Pairs

    Notes
    -----
    With exact points no text is read as long as all addresses are linked and no building number
    contradicts its building: that is what makes such tables fast.
    """
    known = _Decided(len(city.addresses))
    known.take(given)
    compounds = city.addresses.elements.kind[placed.address] == elements.COMPOUND
    held, placed = choose(placed, compounds), choose(placed, ~compounds)
    without = np.union1d(without, held.address)
    contradicted = placed.agreement < 0
    if city.accuracy <= 0.0 and not len(without) and not contradicted.any():
        known.take(trust(placed))
        return join(*known.parts)
    doors = find_doors(city.addresses, city.accuracy)
    label_of = named_buildings(doors, city.footprints, city.accuracy)
    asked = placed.address if city.accuracy > 0.0 else placed.address[contradicted]
    _by_label(city, known, doors, label_of, placed, np.union1d(asked, without))
    named = np.unique(label_of[label_of >= 0])
    if city.accuracy > 0.0:
        _by_number(city, known, doors, named, np.union1d(placed.address, without))
        rest = choose(placed, np.flatnonzero(known.is_open(placed.address)))
        rest = _doubt_other_names(rest, placed, doors, label_of, named)
        rank = rank_of_footprints(city.footprints)
        area = city.footprints.area
        known.take(weigh(rest, city.addresses, city.grid, area, rank, city.accuracy))
        known.take(_inherited(city, known, doors, without))
    else:
        known.take(trust(placed))
        known.take(_inherited(city, known, doors, without))
        _by_number(city, known, doors, named, without)
    known.take(_compounds(city, known, doors, named, without))
    known.take(trust(held))  # a compound of which nothing else is known is where its point is
    return join(*known.parts)


def trust(placed: Pairs) -> Pairs:
    """Bases of R1 and R3 by how often the building number agrees where there is one.

    Whether a rule is right cannot be seen where nothing is to compare; it is taken to be right
    as often as elsewhere in the same data.
    """
    base = placed.base.copy()
    for rule in ("R1", "R3"):
        of_rule = placed.rule == rule
        right = int((of_rule & (placed.agreement > 0)).sum())
        wrong = int((of_rule & (placed.agreement < 0)).sum())
        fine = of_rule & (placed.agreement >= 0)
        if fine.any():
            base[fine] = calibrated(float(base[fine][0]), right, right + wrong)
    return placed._replace(base=base)


def _by_label(
    city: City,
    known: _Decided,
    doors: Doors,
    label_of: IntArray,
    placed: Pairs,
    asked: IntArray,
) -> None:
    """Addresses whose name is that of a footprint: where the place agrees, by their place."""
    target = doors.of(label_of, -1)
    own = np.full(len(city.addresses), -1, np.int64)
    own[placed.address] = placed.footprint
    agree = (target[placed.address] == placed.footprint) & (placed.agreement >= 0)
    if city.accuracy > 0.0:
        known.take(trust(choose(placed, np.flatnonzero(agree))))
    rows = asked[(target[asked] >= 0) & (target[asked] != own[asked])]
    known.take(
        label_pairs(city.addresses, city.grid, rows, target[rows], own[rows], city.reach)
    )


def _doubt_other_names(
    rest: Pairs, placed: Pairs, doors: Doors, label_of: IntArray, named: IntArray
) -> Pairs:
    """Lower the confidence where a building is called by another name than the address says.

    How much, is learnt from addresses whose building the name tells: where their points lie in
    another named building, the point was wrong each time.
    """
    target = doors.of(label_of, -1)[placed.address]
    wrong = (target >= 0) & (target != placed.footprint) & np.isin(placed.footprint, named)
    share = calibrated(OTHER_NAME, 0, int(wrong.sum()))
    own = doors.of(doors.keys.name, "")[rest.address]
    other = (own != "") & np.isin(rest.footprint, named)
    return rest._replace(text=np.where(other, rest.text * share, rest.text))


def _by_number(
    city: City, known: _Decided, doors: Doors, named: IntArray, asked: IntArray
) -> None:
    """Rule R4: plates by their place, if they have one, and by their neighbours."""
    said = follow_numbers(
        city.addresses,
        city.footprints,
        city.grid,
        doors,
        known.footprint,
        named,
        city.accuracy,
    )
    rows = asked[known.is_open(asked)]
    rows = rows[said.footprint[rows] >= 0]
    base = _tried(city, known, doors, named) if len(rows) and city.accuracy <= 0.0 else NUMBERED
    footprint = said.footprint[rows]
    distance = distances(city.addresses, city.grid, rows, footprint)
    second = said.runner_up[rows] >= 0
    known.take(
        pairs(
            rows,
            footprint,
            "R4",
            np.full(len(rows), base),
            np.zeros(len(rows), np.int64),
            distance=distance,
            n_candidates=said.n_candidates[rows],
            text=said.probability[rows],
            runner_up=said.runner_up[rows],
            runner_up_confidence=np.where(second, base * said.second[rows], np.nan),
        )
    )


def _tried(city: City, known: _Decided, doors: Doors, named: IntArray) -> float:
    """Base of R4: how often it finds the building of plates of which that is known.

    Every `TRIED`-th door is looked for as if it had no place.
    """
    hidden = doors.plain & (np.arange(len(doors)) % TRIED == 0)
    rows = np.flatnonzero(doors.of(hidden, False) & (known.footprint >= 0))
    settled, addresses = known.footprint.copy(), city.addresses
    settled[rows] = -1
    x, y = addresses.x.copy(), addresses.y.copy()
    x[rows] = y[rows] = np.nan
    blind = replace(addresses, x=x, y=y)
    said = follow_numbers(blind, city.footprints, city.grid, doors, settled, named, 0.0)
    rows = rows[np.unique(doors.of_address[rows], return_index=True)[1]]  # one of each door
    found = said.footprint[rows] >= 0
    right = int((said.footprint[rows] == known.footprint[rows]).sum())
    return calibrated(NUMBERED, right, int(found.sum()))


def _inherited(city: City, known: _Decided, doors: Doors, without: IntArray) -> Pairs:
    rows = without[known.is_open(without)]
    return inherited_pairs(
        city.addresses, city.grid, doors, rows, known.footprint, known.confidence
    )


def _compounds(
    city: City, known: _Decided, doors: Doors, named: IntArray, without: IntArray
) -> Pairs:
    kind = city.addresses.elements.kind[without]
    rows = without[known.is_open(without) & ((kind == "") | (kind == elements.COMPOUND))]
    own_name = np.zeros(len(city.footprints), np.bool_)
    own_name[named] = True
    return compound_pairs(city.addresses, city.grid, doors, rows, known.footprint, own_name)
