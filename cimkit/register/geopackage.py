"""The register of codes as a GeoPackage that QGIS opens: layer ``codes``, beside the city.

SQLite from the standard library. Each session is one transaction, on disk before it returns.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from cimkit.errors import StoreError
from cimkit.register.session import BUSY, LOCAL_SRS_ID, LOCK_WAIT_S, NO_REGISTER, RIVAL, Row
from cimkit.tables._columns import TextArray

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
_ENVELOPE_BYTES = (0, 32, 48, 48, 64)
"""Length of the envelope by its number in the flags of a geometry (GeoPackage 1.2, 2.1.3)."""

_ADVICE = {
    sqlite3.SQLITE_BUSY: BUSY,
    sqlite3.SQLITE_CONSTRAINT: RIVAL,
    sqlite3.SQLITE_FULL: "the disk is full. Make room, then run again.",
    sqlite3.SQLITE_READONLY: "it cannot be written to. Change its permissions.",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened. Check the path and its permissions.",
    sqlite3.SQLITE_IOERR: "the disk fails. Check it, then run again.",
}


class GeoPackage:
    """A register in a file; `cimkit.register.session.Backend`.

    Parameters
    ----------
    path : str or Path
        Its folder must exist.

    Raises
    ------
    StoreError
        If the folder does not exist.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.name = str(path)
        if not self.path.parent.is_dir():
            folder = self.path.parent
            raise StoreError(f"{path}: the folder {folder} does not exist. Make it first.")

    def is_there(self) -> bool:
        """Whether the path names anything; SQLite would make an empty file."""
        return self.path.exists()

    def identity(self) -> str:
        """The file, whatever links lead to it."""
        return os.path.realpath(self.path)

    @contextmanager
    def session(self, *, write: bool) -> Iterator[GeoPackageSession]:
        """One transaction of SQLite.

        EXTRA also syncs the folder: after a power cut the old journal must not come back and
        undo codes that a city already holds.
        """
        try:
            with closing(
                sqlite3.connect(self.path, timeout=LOCK_WAIT_S, isolation_level=None)
            ) as connection:
                connection.execute("PRAGMA synchronous = EXTRA")
                connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                yield GeoPackageSession(connection, self.name)
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            primary = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            advice = _ADVICE.get(primary, NO_REGISTER)
            raise StoreError(f"{self.name}: {error}: {advice}") from error


class GeoPackageSession:
    """`cimkit.register.session.Session` on a file."""

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self.connection, self.name = connection, name

    def read(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self.connection.execute(query, values).fetchall()

    def change(self, statement: str, rows: Iterable[Sequence[Any]] = ((),)) -> int:
        """Run a statement with each row of values; how many rows of the table it met."""
        return self.connection.executemany(statement, rows).rowcount

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Add rows; SQLite numbers them."""
        marks = ", ".join("?" * len(columns))
        self.connection.executemany(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})",  # noqa: S608
            rows,
        )

    def has(self, table: str) -> bool:
        """Whether there is such a table."""
        query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        return bool(self.read(query, (table,)))

    def crs(self) -> str:
        """CRS of the outlines; "" for a file without any table."""
        found = self._srs()
        return found[1] if found else ""

    def create(self, crs: str) -> None:
        """The tables of the standard, and the layer of codes."""
        for statement in _SCHEMA:
            self.connection.execute(statement)
        own = CRS(crs).to_2d()
        epsg = own.to_epsg(min_confidence=100)
        srs_id, authority = (epsg, "EPSG") if epsg else (LOCAL_SRS_ID, "NONE")
        wgs84 = CRS("EPSG:4326")
        systems = {
            -1: ("Undefined Cartesian", -1, "NONE", -1, "undefined"),
            0: ("Undefined geographic", 0, "NONE", 0, "undefined"),
            4326: (wgs84.name, 4326, "EPSG", 4326, wgs84.to_wkt("WKT1_GDAL")),
            srs_id: (own.name, srs_id, authority, srs_id, own.to_wkt("WKT1_GDAL")),
        }
        self.connection.executemany(
            "INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, NULL)", systems.values()
        )
        self.connection.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id) "
            "VALUES ('codes', 'features', 'codes', ?)",
            (srs_id,),
        )
        self.connection.execute(
            "INSERT INTO gpkg_geometry_columns VALUES ('codes', 'geom', 'POLYGON', ?, 0, 0)",
            (srs_id,),
        )

    def create_table(self, name: str, columns: str) -> None:
        """Make a table; those with rows of their own are listed as attributes."""
        number = "fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL"
        columns = columns.replace("DOUBLE PRECISION", "DOUBLE")
        self.connection.execute(f"CREATE TABLE {name} ({columns.replace('fid', number, 1)})")
        if columns.startswith("fid"):
            self.connection.execute(
                "INSERT INTO gpkg_contents (table_name, data_type, identifier) "
                "VALUES (?, 'attributes', ?)",
                (name, name),
            )

    def rows_of(self, codes: TextArray) -> dict[str, Row]:
        """Those of some codes that are there."""
        query = "SELECT state, building_id, geom FROM codes WHERE code = ?"
        cursor = self.connection.cursor()
        found = {code: cursor.execute(query, (code,)).fetchone() for code in codes.tolist()}
        return {
            code: Row(row[0], row[1], self._wkb(row[2])) for code, row in found.items() if row
        }

    def pack(self, polygons: NDArray[Any]) -> list[bytes]:
        """Outlines as GeoPackage geometries: header with the box, then WKB, little-endian."""
        found = self._srs()
        header = np.zeros(
            len(polygons),
            dtype=[("magic", "S2"), ("flags", "u1", 2), ("srs", "<i4"), ("box", "<f8", 4)],
        )
        header["magic"], header["srs"] = b"GP", found[0] if found else 0
        header["flags"] = (0, 0b11)
        header["box"] = shapely.bounds(polygons)[:, [0, 2, 1, 3]]
        bodies = shapely.to_wkb(polygons, byte_order=1)
        return [head.tobytes() + body for head, body in zip(header, bodies, strict=True)]

    def unpack(self, values: Sequence[Any]) -> NDArray[Any]:
        """Inverse of `pack`, also for geometries that another program has written."""
        return np.asarray(shapely.from_wkb([self._wkb(value) for value in values]))

    def widen(self, polygons: NDArray[Any]) -> None:
        """Let the extent of the layer, to which QGIS zooms, hold these outlines too."""
        if len(polygons):
            self.connection.execute(
                "UPDATE gpkg_contents SET min_x = min(coalesce(min_x, ?1), ?1), "
                "min_y = min(coalesce(min_y, ?2), ?2), max_x = max(coalesce(max_x, ?3), ?3), "
                "max_y = max(coalesce(max_y, ?4), ?4) WHERE table_name = 'codes'",
                shapely.total_bounds(polygons).tolist(),
            )

    def _wkb(self, value: Any) -> bytes:
        """A geometry without its header."""
        if not isinstance(value, bytes) or len(value) < 8 or (value[3] >> 1 & 7) > 4:
            raise StoreError(f"{self.name}: an outline is no geometry: {NO_REGISTER}")
        return value[8 + _ENVELOPE_BYTES[value[3] >> 1 & 7] :]

    def _srs(self) -> tuple[int, str] | None:
        """Number and text of the CRS; None for a file without any table."""
        if not self.read("SELECT 1 FROM sqlite_master LIMIT 1"):
            return None
        found = self.read(
            "SELECT srs_id, organization, organization_coordsys_id, definition "
            "FROM gpkg_geometry_columns JOIN gpkg_spatial_ref_sys USING (srs_id) "
            "WHERE table_name = 'codes'"
        )
        if not found:
            raise StoreError(f"{self.name}: has no layer 'codes': {NO_REGISTER}")
        srs_id, organization, number, definition = found[0]
        return srs_id, f"EPSG:{number}" if organization.upper() == "EPSG" else definition
