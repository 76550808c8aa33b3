"""Tables of a register beside the codes: history, lineage, decisions of people.

Rows of the history are added, never changed. Of decisions the last one of each person about a
link holds; those before it stand in the history.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from cimkit.errors import StoreError
from cimkit.register.addresses import ADDRESS_TABLES
from cimkit.register.claims import CLAIM_TABLES
from cimkit.register.session import Row, Session, as_json
from cimkit.tables._columns import texts
from cimkit.tables.changes import OF_ROWS, Change, HistoryMark, Origin
from cimkit.tables.coderecords import ACTIVE, RESERVED, RETIRED, Lineage
from cimkit.tables.reviews import Reviews

FORMAT, ADDRESSES_SINCE, _CODES_ALONE = 4, 3, 1
"""Of the register: the first had codes alone, the third no claims."""

TABLES = {
    "register_format": "version INTEGER NOT NULL",
    "lineage": """fid,
        code TEXT NOT NULL,
        supersedes TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('split', 'merged', 'replaced')),
        UNIQUE (code, supersedes)""",
    "reviews": """fid,
        address_id TEXT NOT NULL,
        building_code TEXT NOT NULL,
        decision TEXT NOT NULL,
        new_building TEXT NOT NULL,
        reviewer TEXT NOT NULL,
        note TEXT NOT NULL,
        data_set TEXT NOT NULL,
        UNIQUE (address_id, building_code, reviewer)""",
    "history": """fid,
        code TEXT NOT NULL,
        change TEXT NOT NULL,
        before TEXT NOT NULL,
        after TEXT NOT NULL,
        cause TEXT NOT NULL,
        data_set TEXT NOT NULL,
        as_of TEXT""",
    **ADDRESS_TABLES,
    **CLAIM_TABLES,
}
"""Columns of the tables; where one is numbered, ``fid`` comes first."""

MOVED = "register_moved"
"""Table that only a register has whose codes live elsewhere now."""

_NAMES = {
    (RESERVED, ACTIVE): "activated",
    (RETIRED, ACTIVE): "revived",
    (ACTIVE, RETIRED): "retired",
    (RESERVED, RETIRED): "retired",
}
"""Changes of state by what they are called."""

_LINEAGE = ("code", "supersedes", "kind")
_LINK = ("address_id", "building_code", "reviewer")
_DECIDED = ("decision", "new_building", "note", "data_set")
_REVIEWS = (
    "SELECT address_id, building_code, reviewer, decision, new_building, note, data_set "
    "FROM reviews"
)
_CHANGES = (
    "SELECT fid, code, change, before, after, cause, data_set, coalesce(as_of, '') FROM history"
)
_HISTORY = ("code", "change", "before", "after", "cause", "data_set", "as_of")


def check_format(session: Session) -> int:
    """Format of a register; `StoreError` for a newer one than this program knows."""
    if not session.has("register_format"):
        return 1
    ((version,),) = session.read("SELECT max(version) FROM register_format")
    if not isinstance(version, int) or version > FORMAT:
        raise StoreError(
            f"{session.name}: is a register of format {version}, this cimkit knows {FORMAT}. "
            "Use the newer cimkit that made it; nothing has been changed."
        )
    return version


def check_at_home(session: Session) -> None:
    """`StoreError` for a register that was moved: two of them would give codes out twice."""
    if session.has(MOVED):
        ((place,),) = session.read(f"SELECT max(destination) FROM {MOVED}")  # noqa: S608
        raise StoreError(
            f"{session.name}: was moved to {place}, where the codes live now. Name that "
            "(--register)."
        )


def check_unchanged(session: Session, codes: set[str], since: int) -> None:
    """`StoreError` if another build has changed rows of these codes since they were read."""
    query = "SELECT DISTINCT code, change FROM history WHERE fid > ?"
    changed = {row[0] for row in session.read(query, (since,)) if row[1] in OF_ROWS}
    if n := len(changed & codes):
        raise StoreError(
            f"{session.name}: another build has changed {n:,} of the same codes meanwhile. Run "
            "again."
        )


def upgrade(session: Session) -> None:
    """Add the tables that an older register lacks, within the transaction that is open."""
    if check_format(session) == FORMAT:
        return
    for name, columns in TABLES.items():
        if not session.has(name):
            session.create_table(name, columns)
    session.insert("register_format", ("version",), [(FORMAT,)])


def note_states(
    session: Session, before: dict[str, Row], after: dict[str, Row], origin: Origin
) -> None:
    """Put down what has changed of some codes, one row each, in the order of the codes."""
    rows = []
    for code in sorted(after):
        old, new = before.get(code), after[code]
        if old != new:
            rows.append((code, _name(old, new), *_difference(old, new)))
    _add(session, rows, origin)


def note_lineage(session: Session, lineage: Lineage, origin: Origin) -> None:
    """Put down what buildings came from; what is known already is passed over."""
    if not len(lineage.code):
        return
    known = set(session.read("SELECT code, supersedes FROM lineage"))
    rows = list(dict.fromkeys(zip(*(column.tolist() for column in lineage), strict=True)))
    rows = [row for row in rows if row[:2] not in known]
    session.insert("lineage", _LINEAGE, rows)
    _add(
        session,
        [(code, kind, "{}", as_json({"supersedes": older})) for code, older, kind in rows],
        origin,
    )


def note_reviews(session: Session, reviews: Reviews, origin: Origin) -> None:
    """Put down decisions of people; one of the same person about the same link is replaced."""
    if not len(reviews):
        return
    known = {row[:3]: row[3:] for row in session.read(_REVIEWS)}
    added, replaced, told = [], [], []
    for row in reviews.rows():
        key, new = tuple(row[name] for name in _LINK), tuple(row[name] for name in _DECIDED)
        old = known.get(key)
        if old == new:
            continue
        if old is None:
            added.append((*key, *new))
        else:
            replaced.append((*new, *key))
        known[key] = new
        named = {"address_id": key[0], "reviewer": key[2]}
        before = {} if old is None else dict(zip(_DECIDED, old, strict=True))
        after = named | dict(zip(_DECIDED, new, strict=True))
        told.append((key[1], "reviewed", as_json(before), as_json(after)))
    session.insert("reviews", (*_LINK, *_DECIDED), added)
    session.change(
        "UPDATE reviews SET decision = ?, new_building = ?, note = ?, data_set = ? "
        "WHERE address_id = ? AND building_code = ? AND reviewer = ?",
        replaced,
    )
    _add(session, told, origin)


def name_new_buildings(session: Session, code_of: dict[str, str], origin: Origin) -> None:
    """Name the right buildings of decisions by code, now that they have one.

    Identifiers change; and when a person decided, the building may have been new.
    """
    codes = set(code_of.values())
    rows = session.read(f"{_REVIEWS} WHERE decision = 'edited'")
    named = [
        (*row[:4], code_of[row[4]], *row[5:])
        for row in rows
        if row[4] in code_of and row[4] not in codes
    ]
    if named:
        note_reviews(session, _reviews(named), origin)


def read_decisions(session: Session) -> Reviews:
    """All decisions of people, by address, building and reviewer."""
    rows = [] if check_format(session) <= _CODES_ALONE else sorted(session.read(_REVIEWS))
    return _reviews(rows) if rows else Reviews.empty()


def _reviews(rows: list[tuple[Any, ...]]) -> Reviews:
    """Decisions from rows of the table."""
    address, code, reviewer, decision, new, note, data_set = zip(*rows, strict=True)
    columns = (address, code, decision, new, reviewer, note, data_set)
    return Reviews(*(texts("reviews", list(column)) for column in columns))


def read_changes(session: Session, *, after: int = 0) -> list[Change]:
    """All changes, the oldest first; none in a register that keeps no history yet."""
    if check_format(session) <= _CODES_ALONE:
        return []
    rows = session.read(f"{_CHANGES} WHERE fid > ? ORDER BY fid", (after,))
    return [Change(*row) for row in rows]


def reserved_ever(session: Session) -> set[str]:
    """Codes that the history knows from their beginning."""
    if check_format(session) <= _CODES_ALONE:
        return set()
    rows = session.read("SELECT code FROM history WHERE change = 'reserved'")
    return {str(code) for (code,) in rows}


def read_mark(session: Session, number: int | None) -> HistoryMark:
    """The change with a number, or the last one."""
    if check_format(session) > _CODES_ALONE:
        if number is None:
            ((number,),) = session.read("SELECT max(fid) FROM history")
        for row in session.read(f"{_CHANGES} WHERE fid = ?", (number or 0,)):
            text = json.dumps(row, ensure_ascii=False)
            return HistoryMark(row[0], hashlib.sha256(text.encode()).hexdigest())
    return HistoryMark(0, "")


def read_lineage(session: Session) -> Lineage:
    """What buildings came from, by code."""
    known = check_format(session) > _CODES_ALONE
    rows = sorted(session.read("SELECT code, supersedes, kind FROM lineage")) if known else []
    if not rows:
        return Lineage.empty()
    columns = zip(*rows, strict=True)
    return Lineage(*(texts("lineage", list(column)) for column in columns))


def _add(session: Session, rows: Iterable[tuple[str, ...]], origin: Origin) -> None:
    """Rows of history, all from one origin."""
    why = (origin.cause, origin.data_set, origin.as_of or None)
    session.insert("history", _HISTORY, [(*row, *why) for row in rows])


def _name(old: Row | None, new: Row) -> str:
    """What a change is called."""
    if old is None:
        return "reserved"
    if old.state != new.state:
        return _NAMES.get((old.state, new.state), new.state)
    return "redrawn" if old.outline != new.outline else "renamed"


def _difference(old: Row | None, new: Row) -> tuple[str, str]:
    """What was and what is, of the columns that differ, as JSON."""
    was = {} if old is None else _plain(old)
    now = {name: value for name, value in _plain(new).items() if was.get(name) != value}
    return as_json({name: was[name] for name in now if name in was}), as_json(now)


def _plain(row: Row) -> dict[str, Any]:
    """A row by the names of its columns, the outline as hexadecimal text."""
    return row._asdict() | {"outline": row.outline.hex()}
