"""What is known of each link while rules work on it, and the table and issues made of it."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import numpy as np
import pyproj

from cimkit.kernels.footprint_distance import distance_to_footprint
from cimkit.kernels.footprint_grid import FootprintGrid
from cimkit.steps.address.building_number import (
    building_number,
    building_numbers,
    compare_numbers,
    label_numbers,
)
from cimkit.tables import Addresses, Footprints, Issue, Links
from cimkit.tables._columns import TEXT, BoolArray, FloatArray, IntArray, TextArray

_CRS_CHARACTERS = 40
"""A longer text is the whole definition of a CRS; its name serves in each row."""


PRIOR = 20
"""A base counts as so many observations beside those of the data."""


class Pairs(NamedTuple):
    """Links as columns of one length.

    `address`, `footprint` and `runner_up` are rows, the last -1 where nothing came second;
    `agreement` of the building numbers is 1, 0 (not comparable) or -1; `conflict` says whether
    a person should look.
    """

    address: IntArray
    footprint: IntArray
    rule: TextArray
    base: FloatArray
    point: FloatArray
    text: FloatArray
    distance: FloatArray
    inside: BoolArray
    n_candidates: IntArray
    runner_up: IntArray
    runner_up_confidence: FloatArray
    agreement: IntArray
    far: BoolArray

    @property
    def confidence(self) -> FloatArray:
        """Product of the factors."""
        return self.base * self.point * self.text


def pairs(
    address: IntArray,
    footprint: IntArray,
    rule: str,
    base: FloatArray,
    agreement: IntArray,
    *,
    distance: FloatArray,
    n_candidates: IntArray,
    text: FloatArray | None = None,
    runner_up: IntArray | None = None,
    runner_up_confidence: FloatArray | None = None,
    far: BoolArray | None = None,
) -> Pairs:
    """Pairs of one rule; what is not given is neutral."""
    n = len(address)
    return Pairs(
        address,
        footprint,
        np.full(n, rule, TEXT),
        base,
        np.ones(n),
        np.ones(n) if text is None else text,
        distance,
        distance == 0.0,
        n_candidates,
        np.full(n, -1, np.int64) if runner_up is None else runner_up,
        np.full(n, np.nan) if runner_up_confidence is None else runner_up_confidence,
        agreement,
        np.zeros(n, np.bool_) if far is None else far,
    )


def join(*parts: Pairs) -> Pairs:
    """Pairs of several rules, one below the other."""
    return Pairs(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def choose(found: Pairs, rows: IntArray | BoolArray | slice) -> Pairs:
    """The pairs chosen by index or mask, in that order."""
    columns: Any = (column[rows] for column in found)
    return Pairs(*columns)


def distances(
    addresses: Addresses, grid: FootprintGrid, address: IntArray, footprint: IntArray
) -> FloatArray:
    """From addresses to footprints, metres; NaN without a place."""
    found = np.full(len(address), np.nan)
    here = addresses.located[address]
    x, y = addresses.x[address[here]], addresses.y[address[here]]
    found[here] = distance_to_footprint(x, y, footprint[here], grid)
    return found


def calibrated(base: float, right: int, n: int) -> float:
    """A base after `n` observations, of which so many were right.

    Examples
    --------
    >>> calibrated(0.85, 0, 0), round(calibrated(0.85, 380, 380), 4)
    (0.85, 0.9925)
    """
    return (PRIOR * base + right) / (PRIOR + n)


def number_agreement(
    addresses: Addresses, footprints: Footprints, address: IntArray, footprint: IntArray
) -> IntArray:
    """Whether the building numbers of pairs agree: 1, 0 where one is missing, or -1."""
    found = np.zeros(len(address), np.int64)
    rows = np.flatnonzero(footprints.label[footprint] != "")
    labels = footprints.label[footprint[rows]].tolist()
    known = list(dict.fromkeys(labels))
    number = dict(zip(known, label_numbers(known), strict=True))
    theirs = [number[label] for label in labels]
    numbered = np.array([text != "" for text in theirs], np.bool_)
    own = iter(building_numbers(addresses.address_text[address[rows[numbered]]].tolist()))
    found[rows] = [compare_numbers(next(own), other) if other else 0 for other in theirs]
    return found


def rank_of_footprints(footprints: Footprints) -> IntArray:
    """Place of each footprint in the order of identifiers, which decides between equals."""
    names = footprints.building_id.tolist()
    rank = np.empty(len(names), np.int64)
    rank[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    return rank


def link_table(
    addresses: Addresses, footprints: Footprints, found: Pairs, reasons: dict[int, str]
) -> Links:
    """All links by address and building, with the primary one of each building."""
    address, footprint = found.address, found.footprint
    order = np.lexsort((rank_of_footprints(footprints)[footprint], address))
    best = np.lexsort((address, found.distance, -found.confidence, footprint))
    primary = np.zeros(len(address), np.bool_)
    best = best[found.rule[best] != "R6"]  # a compound is nobody's own address
    primary[best[np.append(True, np.diff(footprint[best]) != 0)[: len(best)]]] = True
    found, primary = choose(found, order), primary[order]
    unlinked = np.array(sorted(reasons), np.int64)
    second = found.runner_up >= 0
    runner_up = np.full(len(order), "", TEXT)
    runner_up[second] = footprints.building_id[found.runner_up[second]]
    source = _crs_name(addresses.source_crs)
    moved = source not in ("", addresses.crs)
    return Links(
        footprints.building_id[found.footprint],
        addresses.address_id[found.address],
        found.rule,
        found.confidence,
        found.distance,
        found.inside,
        found.n_candidates,
        primary,
        addresses.address_id[unlinked],
        np.array([reasons[row] for row in unlinked.tolist()], TEXT),
        factors=_factors(found),
        runner_up_id=runner_up,
        runner_up_confidence=found.runner_up_confidence,
        text_similarity=np.array([0.0, np.nan, 1.0])[found.agreement + 1],
        matched_elements=_matched(found),
        conflicts=_conflicts(found),
        source_row=addresses.source_row[found.address],
        crs_in=np.full(len(order), source, TEXT),
        transform=np.full(len(order), f"{source} -> {addresses.crs}" if moved else "", TEXT),
    )


def conflict_issues(addresses: Addresses, footprints: Footprints, found: Pairs) -> list[Issue]:
    """A row for each link that contradicts its point or its text."""
    issues = []
    for k in np.flatnonzero(found.far | (found.agreement < 0)).tolist():
        name = footprints.building_id[found.footprint[k]]
        if found.far[k]:
            what = (
                f"names building {name}, but lies {found.distance[k]:.1f} m outside it; "
                "linked all the same: check the point and the name"
            )
        else:
            number = building_number(str(addresses.address_text[found.address[k]]))
            what = (
                f"its text says building {number}, building {name} is labelled "
                f"{footprints.label[found.footprint[k]]}; linked all the same: check both"
            )
        address = str(addresses.address_id[found.address[k]])
        issues.append(Issue("WARNING", "LINK_CONFLICT", "addresses", address, what))
    return issues


def _matched(found: Pairs) -> TextArray:
    """What of the address led to the building, or agrees with it."""
    numbered = np.where(found.rule == "R4", "number", "")
    return np.where(found.agreement == 1, "building", numbered).astype(TEXT)


def _factors(found: Pairs) -> TextArray:
    """Factors of the confidence as JSON, with six decimals."""
    columns = (found.base.tolist(), found.point.tolist(), found.text.tolist())
    names = ("base", "point", "text")
    written: dict[tuple[float, ...], str] = {}
    for row in set(zip(*columns, strict=True)):
        shown = {name: round(factor, 6) for name, factor in zip(names, row, strict=True)}
        written[row] = json.dumps(shown)
    return np.array([written[row] for row in zip(*columns, strict=True)], dtype=TEXT)


def _conflicts(found: Pairs) -> TextArray:
    """Names of the conflicts of each link."""
    names = ("", "BUILDING_NUMBER", "FAR_FROM_GIVEN", "FAR_FROM_GIVEN;BUILDING_NUMBER")
    which = 2 * found.far.astype(np.int64) + (found.agreement < 0)
    return np.array(names, dtype=TEXT)[which]


def _crs_name(crs: str) -> str:
    """A CRS in few characters."""
    return crs if len(crs) <= _CRS_CHARACTERS else str(pyproj.CRS.from_user_input(crs).name)
