"""Cities for the tests of the register, builds of them, and what a register then holds."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from cimkit.register import (
    activate,
    activating,
    open_register,
    read_history,
    read_register,
    reserve,
)
from cimkit.steps.encode import Encoding, encode
from cimkit.tables import Footprints
from cimkit.tables._columns import TEXT
from cimkit.tables.changes import Origin
from cimkit.tables.reviews import Reviews

CRS = "EPSG:4546+5737"
X, Y = 500_000, 3_300_000
NO_CODES = np.array([], dtype=TEXT)
TABLES = ("codes", "lineage", "reviews", "history")

numbers = itertools.count()
"""For registers that no other test has."""


def city(places: list[int], crs: str = CRS) -> Footprints:
    """Houses with a courtyard, 20 m apart."""
    shapes = [
        shapely.box(X + x, Y, X + x + 12, Y + 12).difference(
            shapely.box(X + x + 4, Y + 4, X + x + 8, Y + 8)
        )
        for x in (20 * place for place in places)
    ]
    return Footprints.from_polygons([f"号{place}" for place in places], shapes, crs=crs)


def row_of_houses(pieces: list[tuple[int, int]]) -> Footprints:
    """Houses in a row of plots of 10 m, each from one plot to another."""
    shapes = [shapely.box(X + 10 * a, Y, X + 10 * b, Y + 8) for a, b in pieces]
    return Footprints.from_polygons([f"{a}-{b}" for a, b in pieces], shapes, crs=CRS)


def build(
    place: str | Path, footprints: Footprints, *, dies: bool = False, **origin: str
) -> Encoding:
    """One build: read, encode, reserve, (write the city), activate."""
    made = encode(footprints, read_register(place, footprints.crs))
    why = Origin(**origin)
    reserve(place, made.fresh, origin=why)
    if not dies:
        activate(place, made.codes, footprints, made.retired, lineage=made.lineage, origin=why)
    return made


@contextmanager
def dying_after_the_commit(*values: Any, **options: Any) -> Iterator[None]:
    """In the place of `cimkit.pipeline.activating`: the city stands, its codes do not."""
    with activating(*values, **options):
        yield
        raise KeyboardInterrupt


def states(place: str | Path) -> dict[str, str]:
    """State of each code."""
    records = read_register(place, CRS)
    return dict(zip(records.code.tolist(), records.state.tolist(), strict=True))


def decided(*rows: tuple[str, ...]) -> Reviews:
    """Rows of address, code, decision, new building, reviewer."""
    return Reviews(*map(list, zip(*((*row, "", "s.csv") for row in rows), strict=True)))


def held(place: str | Path) -> dict[str, dict[str, Any]]:
    """The table of codes, outlines as hexadecimal WKB."""
    rows = tables(place)["codes"]
    return {c: {"state": s, "building_id": b, "outline": g} for _, c, s, b, g in rows}


def tables(place: str | Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, by number."""
    found = dict[str, list[tuple[Any, ...]]]()
    with open_register(place).session(write=False) as session:
        for name, columns in {
            "codes": "fid, code, state, building_id, geom",
            "lineage": "fid, code, supersedes, kind",
            "reviews": "fid, address_id, building_code, decision, new_building, reviewer, "
            "note, data_set",
            "history": "fid, code, change, before, after, cause, data_set, as_of",
        }.items():
            found[name] = session.read(f"SELECT {columns} FROM {name} ORDER BY fid")
        codes = found["codes"]
        outlines = shapely.to_wkb(session.unpack([row[-1] for row in codes]), hex=True)
        found["codes"] = [
            (*row[:-1], str(wkb).lower()) for row, wkb in zip(codes, outlines, strict=True)
        ]
    return found


def replayed(place: Path) -> dict[str, dict[str, Any]]:
    """The register as its history alone tells it."""
    state: dict[str, dict[str, Any]] = {}
    for change in read_history(place):
        before, after = json.loads(change.before), json.loads(change.after)
        if change.change == "reviewed" or "supersedes" in after:
            continue
        own = state.setdefault(change.code, {})
        assert {name: own[name] for name in before} == before
        own |= after
    return state
