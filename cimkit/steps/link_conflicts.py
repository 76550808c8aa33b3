"""What speaks against links: shown for a person to look at, never hidden and never mended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import shapely

from cimkit.steps.address.room import floor_number, floor_of_room
from cimkit.steps.link_doors import Doors, find_doors
from cimkit.tables import Addresses, Footprints, Issue, Links
from cimkit.tables._columns import TEXT, FloatArray, IntArray, TextArray
from cimkit.tables.divisions import Divisions

FAR_APART = 50.0
"""Metres between two buildings that bear the same address, from which on it is a conflict."""

OUT_OF_LINE, LEAST_LEAP = 3.0, 60.0
"""A number is out of order where both neighbours are farther than so many times their own
distance from each other, and so many metres more."""

BORDER = 50.0
"""Metres by which a point may lie outside its township; borders are seldom drawn better."""

TIE = 0.05
"""Two addresses of a building whose confidence differs by less claim it alike."""


class Conflict(NamedTuple):
    """One conflict; `link` is a row of the links, -1 for an address without one."""

    link: int
    kind: str
    table: str
    id: str
    message: str


def mark_conflicts(
    links: Links,
    addresses: Addresses,
    footprints: Footprints,
    *,
    codes: TextArray | None = None,
    division: TextArray | None = None,
    divisions: Divisions | None = None,
    as_of: str = "",
) -> tuple[Links, list[Issue]]:
    """List what contradicts links, kind by kind (挂接冲突).

    Parameters
    ----------
    links : Links
    addresses : Addresses
    footprints : Footprints
    codes : text array, shape (n_footprints,), optional
        Codes of the buildings.
    division : text array, shape (n_footprints,), optional
        Code of the division in which each building stands; "" where unknown.
    divisions : Divisions, optional
        For the names of townships in texts, and for points outside of them.
    as_of : str
        Date of the city; addresses whose `valid_to` lies before are stale.

    Returns
    -------
    links : Links
        With the kinds added to the column `conflicts`.
    issues : list of Issue
        A ``LINK_CONFLICT`` (WARNING) for each, which begins with its kind: ``DUPLICATE_CODE``
        two buildings have one code; ``ADDRESS_TWICE`` one address on two buildings far apart;
        ``TWO_PRIMARIES`` two addresses claim a building alike; ``DIVISION_DIFFERS`` the address
        names another township than its building stands in; ``OUT_OF_ORDER`` the number does not
        fit its neighbours; ``OUTSIDE_TOWNSHIP`` the point lies outside the township that the
        address names; ``FLOOR_BEYOND`` floor or room lie above the topmost floor, as the
        columns say; ``STALE`` the address is no longer in force.

    Examples
    --------
    >>> houses = Footprints.from_polygons(["a"], [shapely.box(0, 0, 8, 8)])
    >>> from cimkit.steps.link import link
    >>> from cimkit.tables.elements import Elements
    >>> until = Elements.of(1, valid_to=["2020-12-31"])
    >>> here = Addresses(["1"], ["中山路5号"], [4.0], [4.0], elements=until)
    >>> links, issues = mark_conflicts(link(here, houses)[0], here, houses, as_of="2026-06-30")
    >>> links.conflicts.tolist(), issues[0].message
    (['STALE'], 'STALE: in force until 2020-12-31 only; retire it, or mend the date')
    """
    doors = find_doors(addresses, 0.0)
    row_of = {name: row for row, name in enumerate(addresses.address_id.tolist())}
    building_of = {name: row for row, name in enumerate(footprints.building_id.tolist())}
    address = np.array([row_of[name] for name in links.address_id.tolist()], np.int64)
    building = np.array([building_of[name] for name in links.building_id.tolist()], np.int64)
    middle = (footprints.bounds[:, :2] + footprints.bounds[:, 2:]) / 2.0
    said = said_divisions(addresses, divisions)
    found = [
        *_duplicate_codes(footprints, codes),
        *_twice(links, addresses, address, middle[building]),
        *_two_primaries(links, doors, address),
        *_other_division(links, said[address], division, building),
        *_out_of_order(links, doors, address, middle[building]),
        *_outside(addresses, said, divisions, address),
        *_too_high(links, addresses, address, np.nan_to_num(footprints.floors[building])),
        *_stale(addresses, address, as_of),
    ]
    marks = defaultdict[int, list[str]](list)
    for one in found:
        if one.link >= 0 and one.kind not in marks[one.link]:
            marks[one.link].append(one.kind)
    conflicts = links.conflicts.tolist()
    for row, kinds in marks.items():
        conflicts[row] = ";".join([*filter(None, [conflicts[row]]), *kinds])
    issues = {
        Issue("WARNING", "LINK_CONFLICT", one.table, one.id, f"{one.kind}: {one.message}")
        for one in found
    }
    ordered = sorted(issues, key=lambda issue: (issue.id, issue.message))
    return replace(links, conflicts=np.array(conflicts, TEXT)), ordered


def said_divisions(addresses: Addresses, divisions: Divisions | None) -> TextArray:
    """Code of the division that each address names, by column or in its text; "" for none.

    Of the names in a text only those of townships count, and only where one has it.
    """
    said = addresses.elements.division.copy()
    if divisions is None:
        return said
    town = np.strings.str_len(divisions.code) == 9
    names = divisions.name[town].tolist()
    own = {
        name: code
        for name, code in zip(names, divisions.code[town].tolist(), strict=True)
        if name and names.count(name) == 1
    }
    for name, code in own.items():
        here = (said == "") & (np.strings.find(addresses.address_text, name) >= 0)
        said[here] = code
    return said


def _duplicate_codes(footprints: Footprints, codes: TextArray | None) -> Iterator[Conflict]:
    if codes is None:
        return
    first: dict[str, str] = {}
    for code, name in zip(codes.tolist(), footprints.building_id.tolist(), strict=True):
        if code and first.setdefault(code, name) != name:
            text = f"{code} is the code of {first[code]}, too; one of them needs another"
            yield Conflict(-1, "DUPLICATE_CODE", "buildings", name, text)


def _twice(
    links: Links, addresses: Addresses, address: IntArray, place: FloatArray
) -> Iterator[Conflict]:
    """The same text on buildings far from each other; a compound is meant to have several."""
    rows = np.flatnonzero(links.rule != "R6")
    by_text = defaultdict[str, list[int]](list)
    for row, text in zip(
        rows.tolist(), addresses.address_text[address[rows]].tolist(), strict=True
    ):
        if text:
            by_text[text].append(row)
    for text, same in by_text.items():
        if len(same) < 2:
            continue
        away = np.hypot(*(place[same] - place[same[0]]).T)
        if away.max() > FAR_APART:
            for row in same:
                message = (
                    f"{text} is on {len(same)} buildings up to {away.max():.0f} m apart: "
                    "tell them apart, or correct the point"
                )
                yield Conflict(
                    row, "ADDRESS_TWICE", "addresses", str(links.address_id[row]), message
                )


def _two_primaries(links: Links, doors: Doors, address: IntArray) -> Iterator[Conflict]:
    """Another plate of another street or number claims the building as surely."""
    own = doors.of(doors.plate, -1)[address]
    claims = (own >= 0) & ~doors.inside[address] & (links.rule != "R6")
    primary = dict(
        zip(
            links.building_id[links.primary].tolist(),
            np.flatnonzero(links.primary).tolist(),
            strict=True,
        )
    )
    for row in np.flatnonzero(claims & ~links.primary).tolist():
        first = primary.get(str(links.building_id[row]), -1)
        if first < 0 or not claims[first] or own[first] == own[row]:
            continue
        if links.confidence[first] - links.confidence[row] < TIE:
            text = (
                f"{links.building_id[row]} has {links.address_id[first]} for its address, and "
                "this one claims it as surely: accept one (cimkit review)"
            )
            yield Conflict(row, "TWO_PRIMARIES", "addresses", str(links.address_id[row]), text)


def _other_division(
    links: Links, said: TextArray, division: TextArray | None, building: IntArray
) -> Iterator[Conflict]:
    if division is None:
        return
    stands = division[building]
    for row in np.flatnonzero((said != "") & (stands != "") & (said != stands)).tolist():
        one, other = str(said[row]), str(stands[row])
        n = min(len(one), len(other))
        if one[:n] != other[:n]:
            text = f"names division {one}, but {links.building_id[row]} stands in {other}"
            yield Conflict(
                row, "DIVISION_DIFFERS", "addresses", str(links.address_id[row]), text
            )


def _out_of_order(
    links: Links, doors: Doors, address: IntArray, place: FloatArray
) -> Iterator[Conflict]:
    """Plates that are far from both neighbours on their side, which are near each other."""
    plain = doors.of(doors.plain, False)[address] & (doors.of(doors.street, -1)[address] >= 0)
    rows = np.flatnonzero(plain)
    street = doors.of(doors.street, -1)[address[rows]]
    number = doors.of(doors.keys.number, -1)[address[rows]]
    side = number % 2
    order = np.lexsort((number, side, street))
    rows, street, side, number = rows[order], street[order], side[order], number[order]
    new = np.append(True, np.diff(street * 2 + side) | np.diff(number))[: len(rows)] != 0
    first = np.flatnonzero(new)  # of each plate one address serves
    at, line = place[rows[first]], (street * 2 + side)[first]
    if len(first) < 3:
        return
    before, after = at[:-2] - at[1:-1], at[2:] - at[1:-1]
    between = np.hypot(*(at[2:] - at[:-2]).T)
    leap = np.minimum(np.hypot(*before.T), np.hypot(*after.T))
    same = (line[:-2] == line[1:-1]) & (line[2:] == line[1:-1])
    for k in np.flatnonzero(same & (leap > OUT_OF_LINE * between + LEAST_LEAP)).tolist():
        row = int(rows[first[k + 1]])
        text = (
            f"its building is {leap[k]:.0f} m from both neighbours on its side of the street, "
            f"which are {between[k]:.0f} m apart: check number and point"
        )
        yield Conflict(row, "OUT_OF_ORDER", "addresses", str(links.address_id[row]), text)


def _outside(
    addresses: Addresses, said: TextArray, divisions: Divisions | None, address: IntArray
) -> Iterator[Conflict]:
    """Points outside the township that the address names; on its link where it has one."""
    if divisions is None:
        return
    link_of = dict(zip(address.tolist(), range(len(address)), strict=True))
    area = dict(zip(divisions.code.tolist(), divisions.polygons, strict=True))
    named = np.flatnonzero(addresses.located & (said != ""))
    for code in sorted(set(said[named].tolist()) & set(area)):
        rows = named[said[named] == code]
        points = shapely.points(addresses.x[rows], addresses.y[rows])
        shapely.prepare(area[code])
        for row in rows[~shapely.dwithin(area[code], points, BORDER)].tolist():
            text = f"its point lies outside {code}, which it names: check both"
            yield Conflict(
                link_of.get(row, -1),
                *("OUTSIDE_TOWNSHIP", "addresses", str(addresses.address_id[row]), text),
            )


def _too_high(
    links: Links, addresses: Addresses, address: IntArray, floors: FloatArray
) -> Iterator[Conflict]:
    """Floors and rooms above the number of floors that the footprint states."""
    parts = addresses.elements
    said = parts.floor[address], parts.room[address]
    number = {text: floor_number(text) for text in set(said[0].tolist())}
    number_of_room = {text: floor_of_room(text) for text in set(said[1].tolist())}
    found = [
        number[floor] or number_of_room[room]
        for floor, room in zip(*(column.tolist() for column in said), strict=True)
    ]
    for row in np.flatnonzero((np.array(found, np.int64) > floors) & (floors > 0)).tolist():
        text = f"is on floor {found[row]}, but {links.building_id[row]} has {floors[row]:.0f}"
        yield Conflict(row, "FLOOR_BEYOND", "addresses", str(links.address_id[row]), text)


def _stale(addresses: Addresses, address: IntArray, as_of: str) -> Iterator[Conflict]:
    until = addresses.elements.valid_to[address]
    for row in np.flatnonzero((until != "") & (until < (as_of or ""))).tolist():
        text = f"in force until {until[row]} only; retire it, or mend the date"
        name = str(addresses.address_id[address[row]])
        yield Conflict(row, "STALE", "addresses", name, text)
