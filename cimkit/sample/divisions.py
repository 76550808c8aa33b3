"""Administrative divisions: county (区), townships (街道, 镇, 乡), communities (社区).

A community holds three by three blocks, but its borders run one block beside those of the
quarters, so that every quarter lies in several. Borders are street axes; a division is exactly
the union of those below it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import shapely
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from cimkit.errors import LimitError
from cimkit.sample.ground import RIVER_EDGE
from cimkit.sample.layout import BLOCK, QUARTER, Block, shell_number, to_map
from cimkit.sample.names import COUNTIES, community_name, township_name

TOWNSHIP = 8
"""A township has so many communities by so many; the one by the old town is but one wide."""

COUNTY_COLUMNS = 3
"""Columns of townships that belong to the first county; the others are the second's."""

TOWNSHIP_CODES = (
    *((code, "街道") for code in range(51, 100)),
    *((code, "镇") for code in range(150, 200)),
    *((code, "乡") for code in range(250, 400)),
)
"""Digits 7 to 9 by kind of township; those of real townships lie below these."""

_STEP = 31.0
"""Metres between corners along streets that bend."""


class Community(NamedTuple):
    """A community and what it belongs to; `column` and `row` count communities."""

    column: int
    row: int
    county_code: str
    township_code: str
    township: str
    code: str
    name: str

    @property
    def county(self) -> str:
        """Name of the county."""
        return COUNTIES[self.county_code]


class Division(NamedTuple):
    """A row of the table of divisions."""

    level: str
    code: str
    name: str
    parent: str
    polygon: BaseGeometry


def community_of(block: Block) -> Community:
    """Tell to which community a block belongs.

    Examples
    --------
    >>> found = community_of(Block(2, 2, 0, "self-built", 11, 32))
    >>> found.code, found.county, found.township
    ('421002052001', '沙市区', '澜禾街道')
    """
    column, row = (block.column + 1) // QUARTER, (block.row + 1) // QUARTER
    across, up = (column + TOWNSHIP - 1) // TOWNSHIP, row // TOWNSHIP
    first, second = COUNTIES
    county, number = first, up * COUNTY_COLUMNS + across
    if across >= COUNTY_COLUMNS:
        county, number = second, shell_number(across - COUNTY_COLUMNS, up)
    code, name = township(county, number)
    within = (row % TOWNSHIP) * TOWNSHIP + (column + TOWNSHIP - 1) % TOWNSHIP
    return Community(
        column, row, county, code, name, f"{code}{within + 1:03d}", community_name(within)
    )


def township(county: str, number: int) -> tuple[str, str]:
    """Code and name of the number-th township of a county, from 0.

    Raises
    ------
    LimitError
        If the county has no more codes; that takes a city of millions of buildings.
    """
    if number >= len(TOWNSHIP_CODES):
        raise LimitError(
            f"make_sample: a county has {len(TOWNSHIP_CODES)} townships: ask for less"
        )
    code, kind = TOWNSHIP_CODES[number]
    shift = 0 if county == next(iter(COUNTIES)) else 100
    return f"{county}{code:03d}", township_name(number + shift, kind)


def outline(community: Community) -> Polygon:
    """Polygon of a community; neighbours share their corners to the last bit."""
    column, row = community.column, community.row
    west, east = max(QUARTER * column - 1, 0) * BLOCK[0], (QUARTER * column + 2) * BLOCK[0]
    south = (QUARTER * row - 1) * BLOCK[1] if row else RIVER_EDGE
    u = np.linspace(west, east, round((east - west) / _STEP) + 1)
    lower = to_map(u, np.full(len(u), south))
    upper = to_map(u, np.full(len(u), (QUARTER * row + 2) * BLOCK[1]))
    return Polygon(np.concatenate([lower, upper[::-1]]).round(3))


def division_table(communities: Iterable[Community]) -> list[Division]:
    """All divisions that hold these communities, counties first, by code.

    Examples
    --------
    >>> here = community_of(Block(0, 0, 0, "slabs", 0, 6))
    >>> [(row.level, row.code, row.name) for row in division_table([here])][:2]
    [('county', '421002', '沙市区'), ('township', '421002051', '云溪街道')]
    """
    here = sorted(set(communities), key=lambda community: community.code)
    shapes = [outline(community) for community in here]
    rows = [
        Division("community", c.code, c.name, c.township_code, shape)
        for c, shape in zip(here, shapes, strict=True)
    ]
    names = {c.township_code: ("township", c.township, c.county_code) for c in here}
    names |= {c.county_code: ("county", c.county, c.county_code[:4] + "00") for c in here}
    for code, (level, name, parent) in names.items():
        parts = [
            shape for c, shape in zip(here, shapes, strict=True) if c.code[: len(code)] == code
        ]
        whole = shapely.normalize(shapely.union_all(parts))
        rows.append(Division(level, code, name, parent, whole))
    return sorted(rows, key=lambda row: (len(row.code), row.code))
