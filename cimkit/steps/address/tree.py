"""The tree of addresses (地址树): compound, building, unit, floor, room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cimkit.tables.elements import KINDS
from cimkit.tables.issue import Issue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cimkit.tables import Addresses, Links
    from cimkit.tables._columns import IntArray


def check_tree(addresses: Addresses, links: Links) -> list[Issue]:
    """Find addresses that stand wrongly in the tree; all of them are kept as they are.

    Parameters
    ----------
    addresses : Addresses
    links : Links
        Of these addresses.

    Returns
    -------
    list of Issue
        ``ADDRESS_TREE`` (WARNING) for an address: the one above it is not in the list; it
        stands below itself; the one above is of a lower kind (a room above a building); or
        its building is not that of the one above, so that branches cross.

    Examples
    --------
    >>> from cimkit.tables import Addresses, Links
    >>> from cimkit.tables.elements import Elements
    >>> nothing = [[]] * 10
    >>> parts = Elements.of(2, parent_id=["b", "a"])
    >>> two = Addresses(["a", "b"], ["甲", "乙"], [0.0, 1.0], [0.0, 1.0], elements=parts)
    >>> [issue.message for issue in check_tree(two, Links(*nothing))]
    ['stands below itself: correct the address above it (b)', \
'stands below itself: correct the address above it (a)']
    """
    if not addresses.elements.parent_id.any():
        return []
    names, parents = addresses.address_id.tolist(), addresses.elements.parent_id.tolist()
    row_of = {name: row for row, name in enumerate(names)}
    up = addresses.above
    found = [
        *_lost(parents, up),
        *_circles(parents, up),
        *_wrong_kinds(addresses, up),
        *_crossings(links, row_of, up),
    ]
    return [
        Issue("WARNING", "ADDRESS_TREE", "addresses", names[row], text)
        for row, text in sorted(found)
    ]


def _lost(parents: list[str], up: IntArray) -> Iterator[tuple[int, str]]:
    """Rows whose parent is missing."""
    for row in np.flatnonzero(up < 0).tolist():
        if parents[row]:
            yield row, f"the address above it ({parents[row]}) is not in the list"


def _circles(parents: list[str], up: IntArray) -> Iterator[tuple[int, str]]:
    """Rows that are left when all on which nothing hangs are taken away, again and again."""
    below = np.bincount(up[up >= 0], minlength=len(up))
    free = np.flatnonzero(below == 0).tolist()
    left = np.ones(len(up), np.bool_)
    while free:
        row = free.pop()
        left[row] = False
        if up[row] >= 0:
            below[up[row]] -= 1
            if not below[up[row]]:
                free.append(int(up[row]))
    for row in np.flatnonzero(left).tolist():
        yield row, f"stands below itself: correct the address above it ({parents[row]})"


def _wrong_kinds(addresses: Addresses, up: IntArray) -> Iterator[tuple[int, str]]:
    """Rows whose parent is not of a higher kind."""
    kind = addresses.elements.kind
    level = np.array([KINDS.index(text) for text in kind.tolist()], np.int64)
    known = (up >= 0) & (level > 0) & (level[up] > 0)
    for row in np.flatnonzero(known & (level[up] >= level)).tolist():
        yield row, f"is a {kind[row]} below a {kind[up[row]]}: one of the kinds is wrong"


def _crossings(links: Links, row_of: dict[str, int], up: IntArray) -> Iterator[tuple[int, str]]:
    """Rows of which no building is one of their parent's."""
    of: dict[int, set[str]] = {}
    pairs = zip(links.address_id.tolist(), links.building_id.tolist(), strict=True)
    for name, building in pairs:
        of.setdefault(row_of[name], set()).add(building)
    for row, own in of.items():
        theirs = of.get(int(up[row]), own) if up[row] >= 0 else own
        if not own & theirs:
            one, other = min(own), min(theirs)
            yield row, f"is in building {one}, the address above it in {other}: they cross"
