"""Addresses in a register: a tree of them, the buildings that they hang on, every change.

An address is told apart by its identifier. What a build says of it replaces what was there; an
address that a build no longer has, and that hung on buildings of this build alone, retires. It
is never deleted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from cimkit.register.session import Session, as_json
from cimkit.tables.addressrecords import AddressRecord
from cimkit.tables.changes import Origin
from cimkit.tables.elements import ELEMENTS

ACTIVE, RETIRED = "active", "retired"

_SAID = ("address_text", "x", "y", *ELEMENTS)
_HUNG = ("building_code", "role", "rule", "confidence", "review_state")
_TOLD = ("address_id", "change", "before", "after", "cause", "data_set", "as_of")
ADDRESS_TABLES = {
    "addresses": "fid, address_id TEXT NOT NULL UNIQUE, "
    "state TEXT NOT NULL CHECK (state IN ('active', 'retired')), digest TEXT NOT NULL, "
    "address_text TEXT NOT NULL, x DOUBLE PRECISION, y DOUBLE PRECISION, "
    + ", ".join(f"{name} TEXT NOT NULL" for name in ELEMENTS),
    "links": "fid, address_id TEXT NOT NULL, building_code TEXT NOT NULL, role TEXT NOT NULL, "
    "rule TEXT NOT NULL, confidence DOUBLE PRECISION NOT NULL, review_state TEXT NOT NULL, "
    "UNIQUE (address_id, building_code)",
    "address_history": "fid, address_id TEXT NOT NULL, change TEXT NOT NULL, "
    "before TEXT NOT NULL, after TEXT NOT NULL, cause TEXT NOT NULL, data_set TEXT NOT NULL, "
    "as_of TEXT",
}
"""Columns of the tables, as those of `cimkit.register.history.TABLES`."""

BATCH = 20_000
"""Addresses in memory at once."""


def note_addresses(
    session: Session, records: Iterable[AddressRecord], ours: set[str], origin: Origin
) -> None:
    """Put down the addresses of a city, with a row of history for each that has changed.

    Parameters
    ----------
    session : Session
    records : iterable of AddressRecord
    ours : set of str
        Codes of the buildings that this build has, or has retired.
    origin : Origin
    """
    known = dict(session.read("SELECT address_id, digest FROM addresses"))
    seen = set[str]()
    rows = iter(records)
    while part := list(islice(rows, BATCH)):
        seen.update(record.address_id for record in part)
        both = ((record, _digest(record)) for record in part)
        new = [pair for pair in both if known.get(pair[0].address_id) != pair[1]]
        _write(session, new, known, origin)
    _retire(session, set(known) - seen, ours, origin)


def read_addresses(session: Session) -> list[dict[str, Any]]:
    """All addresses as rows by name of column, by rising identifier."""
    names = ("address_id", "state", *_SAID)
    rows = session.read(f"SELECT {', '.join(names)} FROM addresses ORDER BY address_id")  # noqa: S608
    return [dict(zip(names, row, strict=True)) for row in rows]


def read_links(session: Session) -> list[dict[str, Any]]:
    """All links as rows by name of column, by address and building."""
    names = ("address_id", *_HUNG)
    query = f"SELECT {', '.join(names)} FROM links ORDER BY address_id, building_code"  # noqa: S608
    return [dict(zip(names, row, strict=True)) for row in session.read(query)]


def read_address_changes(session: Session, address_id: str = "") -> list[dict[str, Any]]:
    """What happened to addresses, the oldest change first."""
    names = ("number", *_TOLD)
    query = f"SELECT fid, {', '.join(_TOLD)} FROM address_history"  # noqa: S608
    where = (" WHERE address_id = ?", (address_id,)) if address_id else ("", ())
    rows = session.read(f"{query}{where[0]} ORDER BY fid", where[1])
    return [dict(zip(names, row, strict=True)) for row in rows]


def _write(
    session: Session,
    new: list[tuple[AddressRecord, str]],
    known: dict[str, str],
    origin: Origin,
) -> None:
    """Replace what is there of some addresses."""
    added, changed, told = [], [], []
    for record, digest in new:
        name = record.address_id
        said = (ACTIVE, digest, record.address_text, record.x, record.y, *record.elements)
        if name in known:
            before = _held(session, name) if known[name] else {}
            change = "changed" if known[name] else "revived"
            changed.append((*said, name))
        else:
            before, change = {}, "added"
            added.append((name, *said))
        told.append((name, change, as_json(before), as_json(_plain(record))))
    session.change("DELETE FROM links WHERE address_id = ?", [(row[-1],) for row in changed])
    columns = ("state", "digest", *_SAID)
    session.insert("addresses", ("address_id", *columns), added)
    places = ", ".join(f"{column} = ?" for column in columns)
    session.change(f"UPDATE addresses SET {places} WHERE address_id = ?", changed)  # noqa: S608
    links = [(record.address_id, *link) for record, _ in new for link in record.links]
    session.insert("links", ("address_id", *_HUNG), links)
    _tell(session, told, origin)


def _retire(session: Session, gone: set[str], ours: set[str], origin: Origin) -> None:
    """Addresses that are gone, and hung on nothing but our buildings."""
    hung: dict[str, set[str]] = {}
    for name, code in session.read("SELECT address_id, building_code FROM links"):
        if name in gone:
            hung.setdefault(name, set()).add(code)
    names = sorted(name for name, codes in hung.items() if codes <= ours)
    told = [(name, RETIRED, as_json(_held(session, name)), "{}") for name in names]
    session.change(
        "UPDATE addresses SET state = 'retired', digest = '' WHERE address_id = ?",
        [(name,) for name in names],
    )
    session.change("DELETE FROM links WHERE address_id = ?", [(name,) for name in names])
    _tell(session, told, origin)


def _held(session: Session, name: str) -> dict[str, Any]:
    """What stands in the register of one address."""
    query = f"SELECT {', '.join(_SAID)} FROM addresses WHERE address_id = ?"  # noqa: S608
    (row,) = session.read(query, (name,))
    query = f"SELECT {', '.join(_HUNG)} FROM links WHERE address_id = ?"  # noqa: S608
    return _told(row, sorted(session.read(query, (name,))))


def _plain(record: AddressRecord) -> dict[str, Any]:
    """The same of a record."""
    said = (record.address_text, record.x, record.y, *record.elements)
    return _told(said, record.links)


def _told(said: Sequence[Any], links: Iterable[Sequence[Any]]) -> dict[str, Any]:
    """What is said of an address, without what is empty, and where it hangs."""
    filled = {n: value for n, value in zip(_SAID, said, strict=True) if value not in ("", None)}
    return filled | {"links": [list(link) for link in links]}


def _digest(record: AddressRecord) -> str:
    """The same for equal records only."""
    return hashlib.blake2b(as_json(_plain(record)).encode(), digest_size=16).hexdigest()


def _tell(session: Session, rows: Sequence[tuple[str, ...]], origin: Origin) -> None:
    why = (origin.cause, origin.data_set, origin.as_of or None)
    session.insert("address_history", _TOLD, [(*row, *why) for row in rows])
