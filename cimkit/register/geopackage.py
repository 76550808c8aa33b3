"""The register of codes as a GeoPackage that QGIS opens: layer ``codes``, beside the city.

Tables ``history``, ``lineage`` and ``reviews`` say what happened to each code, what it came
from, and what people have decided about links.

A build reserves its new codes here, writes the city, then activates its codes here. A crash
between leaves reserved codes, which are never given out again; at no moment does a city hold a
code that the register does not know. Rows are added and change their state, and are never
deleted. Each step is one SQLite transaction, on disk before it returns.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from cimkit.codes.uic21 import validate
from cimkit.errors import StoreError, TableError
from cimkit.register.history import (
    Row,
    check_format,
    note_lineage,
    note_reviews,
    note_states,
    read_changes,
    read_decisions,
    read_lineage,
    upgrade,
)
from cimkit.tables import Footprints
from cimkit.tables._columns import TEXT, TextArray, texts
from cimkit.tables.changes import Change, Origin
from cimkit.tables.coderecords import ACTIVE, RETIRED, CodeRecords, Lineage
from cimkit.tables.reviews import Reviews

LOCK_WAIT_S = 10.0
"""Seconds to wait for another build, which holds the file only while it writes its codes."""

_SCHEMA = (
    "PRAGMA application_id = 0x47504B47",
    "PRAGMA user_version = 10200",
    """CREATE TABLE gpkg_spatial_ref_sys (
        srs_name TEXT NOT NULL,
        srs_id INTEGER NOT NULL PRIMARY KEY,
        organization TEXT NOT NULL,
        organization_coordsys_id INTEGER NOT NULL,
        definition TEXT NOT NULL,
        description TEXT)""",
    # The standard fills last_change from the clock; equal builds must give equal bytes.
    """CREATE TABLE gpkg_contents (
        table_name TEXT NOT NULL PRIMARY KEY,
        data_type TEXT NOT NULL,
        identifier TEXT UNIQUE,
        description TEXT DEFAULT '',
        last_change DATETIME NOT NULL DEFAULT '2000-01-01T00:00:00.000Z',
        min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE,
        srs_id INTEGER REFERENCES gpkg_spatial_ref_sys(srs_id))""",
    """CREATE TABLE gpkg_geometry_columns (
        table_name TEXT NOT NULL UNIQUE REFERENCES gpkg_contents(table_name),
        column_name TEXT NOT NULL,
        geometry_type_name TEXT NOT NULL,
        srs_id INTEGER NOT NULL REFERENCES gpkg_spatial_ref_sys(srs_id),
        z TINYINT NOT NULL,
        m TINYINT NOT NULL,
        PRIMARY KEY (table_name, column_name))""",
    """CREATE TABLE codes (
        fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
        geom POLYGON NOT NULL,
        code TEXT NOT NULL UNIQUE,
        building_id TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('reserved', 'active', 'retired')))""",
)
_LOCAL_SRS_ID = 100_000
_ENVELOPE_BYTES = (0, 32, 48, 48, 64)
"""Length of the envelope by its number in the flags of a geometry (GeoPackage 1.2, 2.1.3)."""

_NO_REGISTER = (
    "damaged, or no code register. Bring it back from a backup, or name another file "
    "(--register); an empty one in its place would give codes out twice."
)
_ADVICE = {
    sqlite3.SQLITE_BUSY: "another program is writing to it. Wait for it, then run again.",
    sqlite3.SQLITE_CONSTRAINT: "another build took the same codes meanwhile. Run again.",
    sqlite3.SQLITE_FULL: "the disk is full. Make room, then run again.",
    sqlite3.SQLITE_READONLY: "it cannot be written to. Change its permissions.",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened. Check the path and its permissions.",
    sqlite3.SQLITE_IOERR: "the disk fails. Check it, then run again.",
}


def read_register(path: str | Path, crs: str) -> CodeRecords:
    """All codes ever given out, sorted, with their outlines in the CRS of the build.

    Parameters
    ----------
    path : str or Path
        A register; one that does not exist yet is empty.
    crs : str
        CRS to bring the outlines into; only its horizontal part counts.

    Returns
    -------
    CodeRecords

    Raises
    ------
    StoreError
        If the file is damaged, locked or something else than a register.
    CrsError
        If there is no exact way from the CRS of the register to `crs`.
    """
    file = _checked(path)
    if not file.exists():
        return CodeRecords.empty(crs)
    with _transaction(file, "BEGIN") as connection:
        srs = _srs(connection, file)
        query = "SELECT code, building_id, state, geom FROM codes ORDER BY code"
        rows = connection.execute(query).fetchall() if srs else []
        check_format(connection, file)
    if not srs or not rows:
        return CodeRecords.empty(crs)
    code, building_id, state, blobs = zip(*rows, strict=True)
    faults = [f"code {text!r}: {fault}" for text in code for fault in validate(text)]
    if faults:
        raise StoreError(f"{file}: {faults[0]}: {_NO_REGISTER}")
    try:
        records = CodeRecords(
            texts("code", code),
            texts("building_id", building_id),
            texts("state", state),
            _polygons(blobs),
            srs[1],
        )
    except (shapely.GEOSException, TableError, TypeError, IndexError) as error:
        raise StoreError(f"{file}: {error}: {_NO_REGISTER}") from error
    return records.to_crs(crs)


def reserve(
    path: str | Path,
    fresh: CodeRecords,
    *,
    unused: TextArray | None = None,
    origin: Origin = Origin(),  # noqa: B008  (immutable)
) -> None:
    """Add new codes, before the city that uses them is written; makes the file if needed.

    Parameters
    ----------
    path : str or Path
        The register; its folder must exist.
    fresh : CodeRecords
        New codes as `cimkit.steps.encode` returns them. The CRS of the first build becomes that
        of the register.
    unused : text array, optional
        Codes that this build reserved before it died, and which no city ever held: they may be
        among the new ones again.
    origin : Origin
        For the history.

    Raises
    ------
    StoreError
        If one of the codes was given out meanwhile, or the file cannot be written. Nothing has
        changed then.
    """
    file = _checked(path)
    mine = set() if unused is None else set(unused.tolist())
    with _transaction(file, "BEGIN IMMEDIATE") as connection:
        srs_id, crs = _srs(connection, file) or _create(connection, fresh.crs)
        upgrade(connection, file)
        records = fresh.to_crs(crs)
        before = _rows_of(connection, records.code)
        rows = zip(
            records.building_id.tolist(),
            records.state.tolist(),
            _blobs(records, srs_id),
            records.code.tolist(),
            strict=True,
        )
        for row in rows:
            again = row[-1] in mine and connection.execute(
                "UPDATE codes SET building_id = ?, state = ?, geom = ? "
                "WHERE code = ? AND state = 'reserved'",
                row,
            )
            if not (again and again.rowcount):
                connection.execute(
                    "INSERT INTO codes (building_id, state, geom, code) VALUES (?, ?, ?, ?)",
                    row,
                )
        note_states(connection, before, _rows_of(connection, records.code), origin)
        _widen(connection, records)


def activate(
    path: str | Path,
    codes: TextArray,
    footprints: Footprints,
    retired: TextArray,
    *,
    lineage: Lineage | None = None,
    reviews: Reviews | None = None,
    origin: Origin = Origin(),  # noqa: B008  (immutable)
) -> None:
    """Record which buildings stand, after the city has been written.

    Parameters
    ----------
    path : str or Path
        The register.
    codes : text array, shape (n,)
        Code of each footprint. They become active, with the identifier and outline of it.
    footprints : Footprints, length n
        The buildings of the city.
    retired : text array
        Active codes whose building has vanished.
    lineage : Lineage, optional
        What buildings of the city came from.
    reviews : Reviews, optional
        What people have decided about links; kept for all later builds.
    origin : Origin
        For the history.

    Raises
    ------
    StoreError
        If a code is not in the register, or the file cannot be written. Nothing has changed
        then.
    """
    file = _checked(path)
    standing = CodeRecords(
        codes,
        footprints.building_id,
        np.full(len(footprints), ACTIVE, dtype=TEXT),
        footprints.polygons(),
        footprints.crs,
    )
    with _transaction(file, "BEGIN IMMEDIATE") as connection:
        srs = _srs(connection, file)
        if not srs:
            raise StoreError(f"{file}: holds no codes to activate: {_NO_REGISTER}")
        upgrade(connection, file)
        records = standing.to_crs(srs[1])
        touched = np.concatenate([records.code, retired])
        before = _rows_of(connection, touched)
        changed = connection.executemany(
            "UPDATE codes SET state = 'active', building_id = ?, geom = ? WHERE code = ?",
            zip(
                records.building_id.tolist(),
                _blobs(records, srs[0]),
                records.code.tolist(),
                strict=True,
            ),
        ).rowcount
        if len(records) and changed != len(records):
            missing = (
                f"{len(records) - changed} of {len(records)} codes of the city are not in it"
            )
            raise StoreError(f"{file}: {missing}: {_NO_REGISTER}")
        connection.executemany(
            "UPDATE codes SET state = ? WHERE code = ?",
            [(RETIRED, code) for code in retired.tolist()],
        )
        note_states(connection, before, _rows_of(connection, touched), origin)
        note_lineage(connection, lineage or Lineage.empty(), origin)
        note_reviews(connection, reviews or Reviews.empty(), origin)
        _widen(connection, records)


def register_crs(path: str | Path) -> str:
    """CRS of the outlines in a register; "" for one without any code.

    Raises
    ------
    StoreError
        If there is no such file, or it is no register.
    """
    file = _existing(path)
    with _transaction(file, "BEGIN") as connection:
        srs = _srs(connection, file)
    return srs[1] if srs else ""


def read_history(path: str | Path) -> list[Change]:
    """What happened to the codes of a register, the oldest change first.

    Raises
    ------
    StoreError
        If there is no such file, or it is no register.
    """
    file = _existing(path)
    with _transaction(file, "BEGIN") as connection:
        return read_changes(connection, file) if _srs(connection, file) else []


def read_descent(path: str | Path) -> Lineage:
    """What the buildings of a register came from, by code.

    Raises
    ------
    StoreError
        If there is no such file, or it is no register.
    """
    file = _existing(path)
    with _transaction(file, "BEGIN") as connection:
        return read_lineage(connection, file) if _srs(connection, file) else Lineage.empty()


def read_register_reviews(path: str | Path) -> Reviews:
    """What people have decided about links; nothing in a register that is not there yet.

    Raises
    ------
    StoreError
        If the file is damaged, or no register.
    """
    file = _checked(path)
    if not file.exists():
        return Reviews.empty()
    with _transaction(file, "BEGIN") as connection:
        there = _srs(connection, file)
        return read_decisions(connection, file) if there else Reviews.empty()


def _existing(path: str | Path) -> Path:
    """The path of a file that is there; SQLite would make an empty one."""
    file = _checked(path)
    if not file.is_file():
        raise StoreError(f"{file}: does not exist. Check the path.")
    return file


def _rows_of(connection: sqlite3.Connection, codes: TextArray) -> dict[str, Row]:
    """State, identifier and outline of codes that are there."""
    query = "SELECT state, building_id, geom FROM codes WHERE code = ?"
    found = {code: connection.execute(query, (code,)).fetchone() for code in codes.tolist()}
    return {code: row for code, row in found.items() if row}


def _checked(path: str | Path) -> Path:
    """The path, where its folder exists."""
    file = Path(path)
    if not file.parent.is_dir():
        raise StoreError(f"{file}: the folder {file.parent} does not exist. Make it first.")
    return file


@contextmanager
def _transaction(file: Path, begin: str) -> Iterator[sqlite3.Connection]:
    """All or nothing, on disk at the end; what SQLite says becomes a StoreError.

    EXTRA also syncs the folder: after a power cut the old journal must not come back and undo
    codes that a city already holds.
    """
    try:
        with closing(
            sqlite3.connect(file, timeout=LOCK_WAIT_S, isolation_level=None)
        ) as connection:
            connection.execute("PRAGMA synchronous = EXTRA")
            connection.execute(begin)
            yield connection
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        primary = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        raise StoreError(f"{file}: {error}: {_ADVICE.get(primary, _NO_REGISTER)}") from error


def _create(connection: sqlite3.Connection, crs: str) -> tuple[int, str]:
    """The tables of an empty register; number and text of its CRS."""
    for statement in _SCHEMA:
        connection.execute(statement)
    own = CRS(crs).to_2d()
    epsg = own.to_epsg(min_confidence=100)
    srs_id, authority = (epsg, "EPSG") if epsg else (_LOCAL_SRS_ID, "NONE")
    wgs84 = CRS("EPSG:4326")
    systems = {
        -1: ("Undefined Cartesian", -1, "NONE", -1, "undefined"),
        0: ("Undefined geographic", 0, "NONE", 0, "undefined"),
        4326: (wgs84.name, 4326, "EPSG", 4326, wgs84.to_wkt("WKT1_GDAL")),
        srs_id: (own.name, srs_id, authority, srs_id, own.to_wkt("WKT1_GDAL")),
    }
    connection.executemany(
        "INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, NULL)", systems.values()
    )
    connection.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id) "
        "VALUES ('codes', 'features', 'codes', ?)",
        (srs_id,),
    )
    connection.execute(
        "INSERT INTO gpkg_geometry_columns VALUES ('codes', 'geom', 'POLYGON', ?, 0, 0)",
        (srs_id,),
    )
    return srs_id, own.to_string()


def _srs(connection: sqlite3.Connection, file: Path) -> tuple[int, str] | None:
    """Number and text of the register's CRS; None for a file without any table."""
    if not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        return None
    found = connection.execute(
        "SELECT srs_id, organization, organization_coordsys_id, definition "
        "FROM gpkg_geometry_columns JOIN gpkg_spatial_ref_sys USING (srs_id) "
        "WHERE table_name = 'codes'"
    ).fetchone()
    if not found:
        raise StoreError(f"{file}: has no layer 'codes': {_NO_REGISTER}")
    srs_id, organization, number, definition = found
    return srs_id, f"EPSG:{number}" if organization.upper() == "EPSG" else definition


def _blobs(records: CodeRecords, srs_id: int) -> list[bytes]:
    """Outlines as GeoPackage geometries: header with the box, then WKB, all little-endian."""
    header = np.zeros(
        len(records),
        dtype=[("magic", "S2"), ("flags", "u1", 2), ("srs", "<i4"), ("box", "<f8", 4)],
    )
    header["magic"], header["srs"] = b"GP", srs_id
    header["flags"] = (0, 0b11)
    header["box"] = shapely.bounds(records.polygons)[:, [0, 2, 1, 3]]
    bodies = shapely.to_wkb(records.polygons, byte_order=1)
    return [head.tobytes() + body for head, body in zip(header, bodies, strict=True)]


def _polygons(blobs: tuple[bytes, ...]) -> NDArray[Any]:
    """Inverse of `_blobs`, also for geometries that another program has written."""
    bodies = [blob[8 + _ENVELOPE_BYTES[blob[3] >> 1 & 7] :] for blob in blobs]
    return np.asarray(shapely.from_wkb(bodies))


def _widen(connection: sqlite3.Connection, records: CodeRecords) -> None:
    """Let the extent of the layer, to which QGIS zooms, hold these outlines too."""
    if len(records):
        connection.execute(
            "UPDATE gpkg_contents SET min_x = min(coalesce(min_x, ?1), ?1), "
            "min_y = min(coalesce(min_y, ?2), ?2), max_x = max(coalesce(max_x, ?3), ?3), "
            "max_y = max(coalesce(max_y, ?4), ?4) WHERE table_name = 'codes'",
            shapely.total_bounds(records.polygons).tolist(),
        )
