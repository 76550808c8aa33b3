"""Tables of a register beside the codes: history, lineage, decisions of people.

Rows of the history are added, never changed. Of decisions the last one of each person about a
link holds; those before it stand in the history.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cimkit.errors import StoreError
from cimkit.tables._columns import texts
from cimkit.tables.changes import Change, Origin
from cimkit.tables.coderecords import ACTIVE, RESERVED, RETIRED, Lineage
from cimkit.tables.reviews import Reviews

FORMAT = 2
"""Of the register: 1 had codes alone."""

_TABLES = {
    "register_format": "CREATE TABLE register_format (version INTEGER NOT NULL)",
    "lineage": """CREATE TABLE lineage (
        fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
        code TEXT NOT NULL,
        supersedes TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('split', 'merged', 'replaced')),
        UNIQUE (code, supersedes))""",
    "reviews": """CREATE TABLE reviews (
        fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
        address_id TEXT NOT NULL,
        building_code TEXT NOT NULL,
        decision TEXT NOT NULL,
        new_building TEXT NOT NULL,
        reviewer TEXT NOT NULL,
        note TEXT NOT NULL,
        data_set TEXT NOT NULL,
        UNIQUE (address_id, building_code, reviewer))""",
    "history": """CREATE TABLE history (
        fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
        code TEXT NOT NULL,
        change TEXT NOT NULL,
        before TEXT NOT NULL,
        after TEXT NOT NULL,
        cause TEXT NOT NULL,
        data_set TEXT NOT NULL,
        as_of TEXT)""",
}

_NAMES = {
    (RESERVED, ACTIVE): "activated",
    (RETIRED, ACTIVE): "revived",
    (ACTIVE, RETIRED): "retired",
    (RESERVED, RETIRED): "retired",
}
"""Changes of state by what they are called."""

_DECIDED = ("decision", "new_building", "note", "data_set")
_REVIEWS = (
    "SELECT address_id, building_code, reviewer, decision, new_building, note, data_set "
    "FROM reviews ORDER BY address_id, building_code, reviewer"
)

Row = tuple[str, str, bytes]
"""State, identifier and outline of a code."""


def check_format(connection: sqlite3.Connection, file: Path) -> int:
    """Format of a register; `StoreError` for a newer one than this program knows."""
    query = "SELECT 1 FROM sqlite_master WHERE name = 'register_format'"
    if not connection.execute(query).fetchone():
        return 1
    (version,) = connection.execute("SELECT max(version) FROM register_format").fetchone()
    if not isinstance(version, int) or version > FORMAT:
        raise StoreError(
            f"{file}: is a register of format {version}, this cimkit knows {FORMAT}. Use the "
            "newer cimkit that made it; nothing has been changed."
        )
    return version


def upgrade(connection: sqlite3.Connection, file: Path) -> None:
    """Add the tables that an older register lacks, within the transaction that is open."""
    if check_format(connection, file) == FORMAT:
        return
    for name, statement in _TABLES.items():
        connection.execute(statement)
        if name != "register_format":
            connection.execute(
                "INSERT INTO gpkg_contents (table_name, data_type, identifier) "
                "VALUES (?, 'attributes', ?)",
                (name, name),
            )
    connection.execute("INSERT INTO register_format VALUES (?)", (FORMAT,))


def note_states(
    connection: sqlite3.Connection,
    before: dict[str, Row],
    after: dict[str, Row],
    origin: Origin,
) -> None:
    """Put down what has changed of some codes, one row each, in the order of the codes."""
    rows = []
    for code in sorted(after):
        old, new = before.get(code), after[code]
        if old != new:
            rows.append((code, _name(old, new), *_difference(old, new)))
    _add(connection, rows, origin)


def note_lineage(connection: sqlite3.Connection, lineage: Lineage, origin: Origin) -> None:
    """Put down what buildings came from; what is known already is passed over."""
    rows = []
    for code, supersedes, kind in zip(*(column.tolist() for column in lineage), strict=True):
        added = connection.execute(
            "INSERT OR IGNORE INTO lineage (code, supersedes, kind) VALUES (?, ?, ?)",
            (code, supersedes, kind),
        )
        if added.rowcount:
            rows.append((code, kind, "{}", _json({"supersedes": supersedes})))
    _add(connection, rows, origin)


def note_reviews(connection: sqlite3.Connection, reviews: Reviews, origin: Origin) -> None:
    """Put down decisions of people; one of the same person about the same link is replaced."""
    known = {row[:3]: row[3:] for row in connection.execute(_REVIEWS).fetchall()}
    rows = []
    for row in reviews.rows():
        key = row["address_id"], row["building_code"], row["reviewer"]
        new = row["decision"], row["new_building"], row["note"], row["data_set"]
        old = known.get(key)
        if old == new:
            continue
        connection.execute(
            "INSERT INTO reviews (address_id, building_code, reviewer, decision, "
            "new_building, note, data_set) VALUES (?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (address_id, building_code, reviewer) DO UPDATE SET "
            "decision = excluded.decision, new_building = excluded.new_building, "
            "note = excluded.note, data_set = excluded.data_set",
            (*key, *new),
        )
        named = {"address_id": key[0], "reviewer": key[2]}
        before = {} if old is None else dict(zip(_DECIDED, old, strict=True))
        after = named | dict(zip(_DECIDED, new, strict=True))
        rows.append((key[1], "reviewed", _json(before), _json(after)))
    _add(connection, rows, origin)


def read_decisions(connection: sqlite3.Connection, file: Path) -> Reviews:
    """All decisions of people, by address, building and reviewer."""
    if check_format(connection, file) < FORMAT:
        return Reviews.empty()
    rows = connection.execute(_REVIEWS).fetchall()
    if not rows:
        return Reviews.empty()
    address, code, reviewer, decision, new, note, data_set = zip(*rows, strict=True)
    columns = (address, code, decision, new, reviewer, note, data_set)
    return Reviews(*(texts("reviews", list(column)) for column in columns))


def read_changes(connection: sqlite3.Connection, file: Path) -> list[Change]:
    """All changes, the oldest first; none in a register that keeps no history yet."""
    if check_format(connection, file) < FORMAT:
        return []
    query = (
        "SELECT fid, code, change, before, after, cause, data_set, coalesce(as_of, '') "
        "FROM history ORDER BY fid"
    )
    return [Change(*row) for row in connection.execute(query)]


def read_lineage(connection: sqlite3.Connection, file: Path) -> Lineage:
    """What buildings came from, by code."""
    if check_format(connection, file) < FORMAT:
        return Lineage.empty()
    query = "SELECT code, supersedes, kind FROM lineage ORDER BY code, supersedes"
    rows = connection.execute(query).fetchall()
    if not rows:
        return Lineage.empty()
    columns = zip(*rows, strict=True)
    return Lineage(*(texts("lineage", list(column)) for column in columns))


def _add(
    connection: sqlite3.Connection, rows: Iterable[tuple[str, ...]], origin: Origin
) -> None:
    """Rows of history, all from one origin."""
    connection.executemany(
        "INSERT INTO history (code, change, before, after, cause, data_set, as_of) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        ((*row, origin.cause, origin.data_set, origin.as_of or None) for row in rows),
    )


def _name(old: Row | None, new: Row) -> str:
    """What a change is called."""
    if old is None:
        return "reserved"
    if old[0] != new[0]:
        return _NAMES.get((old[0], new[0]), new[0])
    return "redrawn" if old[2] != new[2] else "renamed"


def _difference(old: Row | None, new: Row) -> tuple[str, str]:
    """What was and what is, of the columns that differ, as JSON."""
    before, after = dict[str, Any](), dict[str, Any]()
    for k, name in enumerate(("state", "building_id", "outline")):
        was = None if old is None else old[k]
        if was != new[k]:
            after[name] = _plain(new[k])
            if old is not None:
                before[name] = _plain(was)
    return _json(before), _json(after)


def _plain(value: Any) -> Any:
    """A geometry as hexadecimal text: the whole of it, as the register holds it."""
    return value.hex() if isinstance(value, bytes) else value


def _json(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, sort_keys=True)
