"""Take a register from one place to another, such as from a file into a database."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import shapely

from cimkit.errors import StoreError
from cimkit.register.claims import Claim
from cimkit.register.history import FORMAT, MOVED, TABLES, check_at_home, upgrade
from cimkit.register.place import Place, existing_register, open_register
from cimkit.register.session import Session
from cimkit.tables.elements import ELEMENTS

_COLUMNS = {
    "codes": ("fid", "code", "building_id", "state", "geom"),
    "lineage": ("fid", "code", "supersedes", "kind"),
    "reviews": (
        *("fid", "address_id", "building_code", "decision", "new_building"),
        *("reviewer", "note", "data_set"),
    ),
    "history": ("fid", "code", "change", "before", "after", "cause", "data_set", "as_of"),
    "addresses": (
        *("fid", "address_id", "state", "digest", "address_text", "x", "y"),
        *ELEMENTS,
    ),
    "links": (
        *("fid", "address_id", "building_code", "role", "rule", "confidence"),
        "review_state",
    ),
    "claims": ("fid", *Claim._fields),
    "address_history": (
        *("fid", "address_id", "change", "before", "after", "cause", "data_set", "as_of"),
    ),
}


class Moved(NamedTuple):
    """How many rows a register had when it was moved."""

    codes: int
    lineage: int
    reviews: int
    history: int
    addresses: int
    links: int
    address_history: int


def move_register(source: Place, target: Place) -> Moved:
    """Copy all rows of a register to where there is none, and close the old one.

    A closed register can still be read, but no build takes codes from it any more: two of them
    would give the same codes out twice.

    Parameters
    ----------
    source, target : str or Path
        Path of a GeoPackage, or ``postgresql://user@host/database?schema=name``.

    Returns
    -------
    Moved

    Raises
    ------
    StoreError
        If there is no register at `source` or it was moved before, or another one at `target`.
        Nothing has changed then.

    Notes
    -----
    The copy is whole before the old one is closed. Where this dies in between, the same move
    again finds the copy, sees that nothing differs, and closes the old one.
    """
    old, new = existing_register(source), open_register(target)
    if old.identity() == new.identity():
        raise StoreError(f"{new.name}: is the register itself. Name another place.")
    with old.session(write=True) as giver:
        crs = giver.crs()
        if not crs:
            raise StoreError(f"{old.name}: holds no register to move.")
        upgrade(giver)
        check_at_home(giver)
        with new.session(write=True) as taker:
            if taker.crs():
                check_at_home(taker)
                _check_same(giver, taker)
            else:
                _copy(giver, taker, crs)
            rows = Moved(*(len(_rows(taker, name)) for name in Moved._fields))
        giver.create_table(MOVED, "destination TEXT NOT NULL")
        giver.insert(MOVED, ("destination",), [(new.name,)])
    return rows


def _copy(giver: Session, taker: Session, crs: str) -> None:
    """Tables and all their rows, with their numbers."""
    taker.create(crs)
    for name, definition in TABLES.items():
        taker.create_table(name, definition)
    taker.insert("register_format", ("version",), [(FORMAT,)])
    for name, columns in _COLUMNS.items():
        rows = giver.read(f"SELECT {', '.join(columns)} FROM {name} ORDER BY fid")  # noqa: S608
        if name == "codes" and rows:
            outlines = shapely.force_2d(giver.unpack([row[-1] for row in rows]))
            taker.widen(outlines)
            packed = taker.pack(np.asarray(outlines))
            rows = [(*row[:-1], geom) for row, geom in zip(rows, packed, strict=True)]
        taker.insert(name, columns, rows)


def _check_same(giver: Session, taker: Session) -> None:
    """Whether what stands at the target is a whole copy."""
    for name in _COLUMNS:
        if _rows(giver, name) != _rows(taker, name):
            raise StoreError(f"{taker.name}: holds another register. Name another place.")


def _rows(session: Session, name: str) -> list[tuple[Any, ...]]:
    """Rows of a table in a form that does not depend on what keeps it."""
    columns = _COLUMNS[name]
    rows = session.read(f"SELECT {', '.join(columns)} FROM {name} ORDER BY fid")  # noqa: S608
    if name != "codes" or not rows:
        return rows
    outlines = shapely.force_2d(session.unpack([row[-1] for row in rows]))
    wkb = shapely.to_wkb(outlines, byte_order=1).tolist()
    return [(*row[:-1], outline) for row, outline in zip(rows, wkb, strict=True)]
