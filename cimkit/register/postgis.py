"""The register of codes in a database: PostGIS, through psycopg (extra ``cimkit[postgis]``).

The tables are those of the file, in a schema of their own, so that one database holds the
registers of many cities and QGIS opens the layer ``codes``. Writers take turns by a lock on the
schema; readers see one moment and wait for nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from cimkit.errors import StoreError
from cimkit.register.history import TABLES
from cimkit.register.session import BUSY, LOCK_WAIT_S, NO_REGISTER, RIVAL, Row
from cimkit.registerurl import parse_address, shown
from cimkit.tables._columns import TextArray

try:
    import psycopg
    from psycopg import errors as said
except ImportError as error:  # an extra: most registers are files
    raise StoreError(
        'a register in a database needs psycopg: pip install "cimkit[postgis]".'
    ) from error

_PATIENCE = {
    "connect_timeout": "10",
    # A server that falls silent is noticed within a minute, not after the two hours of TCP.
    "keepalives_idle": "20",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
"""For what the address does not set itself; seconds, the last in milliseconds."""

_AWAY = (
    "the database cannot be reached. See that it runs and the address is right, then run "
    "again: finished parts of a build are kept, and the register holds whole steps only."
)
_RIGHTS = (
    "this user may not do that. Ask the administrator of the database: it takes CREATE on the "
    "database for the first build, and the schema with its tables after that."
)
_ADVICE: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    ((said.LockNotAvailable, said.DeadlockDetected), BUSY),
    (said.UniqueViolation, RIVAL),
    (said.DiskFull, "the disk of the database is full. Make room there, then run again."),
    (said.InsufficientPrivilege, _RIGHTS),
    (said.ReadOnlySqlTransaction, "it cannot be written to. Name the primary server."),
    (
        (said.UntranslatableCharacter, UnicodeEncodeError),
        "the database cannot hold Chinese. Make one with ENCODING 'UTF8'.",
    ),
    (said.InvalidPassword, "the password is wrong, or none was given (~/.pgpass)."),
    (psycopg.ProgrammingError, NO_REGISTER),
    (psycopg.OperationalError, _AWAY),
)


class PostGis:
    """A register in a database; `cimkit.register.session.Backend`.

    Parameters
    ----------
    url : str
        ``postgresql://user@host/database?schema=city``; the schema is ``cimkit`` by default,
        and what the address leaves out is taken from ``PGHOST`` and so on, as by psql.

    Raises
    ------
    ParameterError
        If it is no such address.
    """

    def __init__(self, url: str) -> None:
        address = parse_address(url)
        self.name, self.schema, self._url = shown(url), address.schema, address.url

    def is_there(self) -> bool:
        """Whether the schema holds anything."""
        with self.session(write=False) as session:
            return session.has("codes") or session.has("register_crs")

    def identity(self) -> str:
        """Server, database and schema; one that was brought back from a dump is another."""
        query = (
            "SELECT system_identifier, oid FROM pg_control_system(), pg_database "
            "WHERE datname = current_database()"
        )
        with self.session(write=False) as session:
            ((server, database),) = session.read(query)
        return f"postgresql {server} {database} {self.schema}"

    @contextmanager
    def session(self, *, write: bool) -> Iterator[PostGisSession]:
        """One transaction, on the server's disk at the end."""
        with self._explained(), self._connected() as connection:
            connection.read_only = not write
            if not write:
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            session = PostGisSession(connection, self.name, self.schema)
            session.begin(write=write)
            yield session

    def _connected(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection that commits at the end of its block, or takes all back."""
        try:
            given = psycopg.conninfo.conninfo_to_dict(self._url)
        except psycopg.Error:
            # What psycopg says repeats the address, with its password.
            raise StoreError(f"{self.name}: {_BAD_ADDRESS}") from None
        options = {**_PATIENCE, **given, "client_encoding": "utf8"}
        return psycopg.connect(**options)  # type: ignore[arg-type]  # all of them are text

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """What the database says becomes a `StoreError` that names what to do."""
        try:
            yield
        except (psycopg.Error, UnicodeEncodeError) as error:
            advice = next((text for kind, text in _ADVICE if isinstance(error, kind)), _OTHER)
            told = " ".join(str(error).split())
            raise StoreError(f"{self.name}: {told}: {advice}") from error


_BAD_ADDRESS = "the address has an option that the client does not know. Mend it (--register)."
_OTHER = "the database refuses. Nothing has been changed."


class PostGisSession:
    """`cimkit.register.session.Session` in a schema of a database."""

    def __init__(
        self, connection: psycopg.Connection[tuple[Any, ...]], name: str, schema: str
    ) -> None:
        self.connection, self.name, self.schema = connection, name, schema
        self._srid: int | None = None

    def begin(self, *, write: bool) -> None:
        """Take the turn of a writer, and let names without a schema mean the register's."""
        if write:
            self.read(f"SELECT set_config('lock_timeout', '{int(LOCK_WAIT_S * 1000)}', true)")
            self.read("SELECT set_config('synchronous_commit', 'on', true)")
            lock = "SELECT pg_advisory_xact_lock(hashtextextended(?, 0))"
            self.read(lock, (f"cimkit register {self.schema}",))
        found = self.read(
            "SELECT nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace "
            "WHERE extname = 'postgis'"
        )
        if self.read(_LOCKED_OUT, (self.schema,)):
            raise StoreError(f"{self.name}: the schema is closed to this user: {_RIGHTS}")
        path = ", ".join(f'"{name}"' for name in (self.schema, *(row[0] for row in found)))
        self.read("SELECT set_config('search_path', ?, true)", (path,))

    def read(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self.connection.execute(_statement(query), values).fetchall()

    def change(self, statement: str, rows: Iterable[Sequence[Any]] = ((),)) -> int:
        """Run a statement with each row of values; how many rows of the table it met."""
        with self.connection.cursor() as cursor:
            cursor.executemany(_statement(statement), list(rows))
            return cursor.rowcount

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Add rows, numbered without gaps: a sequence would count what was taken back too."""
        if table in _NUMBERED and "fid" not in columns:
            ((last,),) = self.read(f"SELECT coalesce(max(fid), 0) FROM {table}")  # noqa: S608
            columns = ("fid", *columns)
            rows = [(number, *row) for number, row in enumerate(rows, last + 1)]
        marks = ", ".join("?" * len(columns))
        self.change(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)  # noqa: S608

    def has(self, table: str) -> bool:
        """Whether the schema has such a table."""
        query = "SELECT 1 FROM pg_tables WHERE schemaname = ? AND tablename = ?"
        return bool(self.read(query, (self.schema, table)))

    def crs(self) -> str:
        """CRS of the outlines; "" where the schema holds no register."""
        there = self.has("codes"), self.has("register_crs")
        if there == (False, False):
            return ""
        rows = self.read("SELECT definition FROM register_crs") if there[1] else []
        if not there[0] or len(rows) != 1:
            raise StoreError(f"{self.name}: has no layer 'codes' with a CRS: {NO_REGISTER}")
        return str(rows[0][0])

    def create(self, crs: str) -> None:
        """The schema and the layer of codes.

        A CRS that the database does not list stands in the table of the register alone: the
        list of the database belongs to all who use it.
        """
        if not self.read("SELECT 1 FROM pg_extension WHERE extname = 'postgis'"):
            self.connection.execute("CREATE EXTENSION postgis SCHEMA public")
        if not self.read("SELECT 1 FROM pg_namespace WHERE nspname = ?", (self.schema,)):
            self.connection.execute(_statement(f'CREATE SCHEMA "{self.schema}"'))
        self.begin(write=True)
        own = CRS(crs).to_2d()
        epsg = own.to_epsg(min_confidence=100)
        known = self.read("SELECT 1 FROM spatial_ref_sys WHERE srid = ?", (epsg,))
        for statement in (
            "CREATE TABLE register_crs (definition TEXT NOT NULL)",
            f"""CREATE TABLE codes (
                fid BIGINT PRIMARY KEY,
                geom geometry(Geometry, {int(epsg) if epsg and known else 0}) NOT NULL,
                code TEXT NOT NULL UNIQUE,
                building_id TEXT NOT NULL,
                state TEXT NOT NULL CHECK (state IN ('reserved', 'active', 'retired')))""",
            "CREATE INDEX ON codes USING gist (geom)",
        ):
            self.connection.execute(_statement(statement))
        definition = f"EPSG:{epsg}" if epsg else own.to_wkt("WKT1_GDAL")
        self.insert("register_crs", ("definition",), [(definition,)])

    def create_table(self, name: str, columns: str) -> None:
        """Make a table."""
        columns = columns.replace("fid", "fid BIGINT PRIMARY KEY", 1)
        self.connection.execute(_statement(f"CREATE TABLE {name} ({columns})"))

    def rows_of(self, codes: TextArray) -> dict[str, Row]:
        """Those of some codes that are there."""
        query = "SELECT code, state, building_id, geom FROM codes WHERE code = ANY(?)"
        found = self.read(query, (codes.tolist(),))
        outlines = shapely.to_wkb(self.unpack([row[3] for row in found]), byte_order=1)
        return {
            row[0]: Row(row[1], row[2], outline)
            for row, outline in zip(found, outlines.tolist(), strict=True)
        }

    def pack(self, polygons: NDArray[Any]) -> list[bytes]:
        """Outlines as EWKB, which the database takes for a geometry."""
        if self._srid is None:
            query = "SELECT Find_SRID(?, 'codes', 'geom')"
            self._srid = int(self.read(query, (self.schema,))[0][0])
        with_number = shapely.set_srid(polygons, self._srid)
        packed: list[bytes] = shapely.to_wkb(
            with_number, byte_order=1, include_srid=True
        ).tolist()
        return packed

    def unpack(self, values: Sequence[Any]) -> NDArray[Any]:
        """Inverse of `pack`: a geometry comes back as hexadecimal EWKB."""
        outlines = np.asarray(shapely.from_wkb(list(values)), dtype=object)
        return np.asarray(shapely.set_srid(outlines, 0), dtype=object)

    def widen(self, polygons: NDArray[Any]) -> None:
        """Nothing to do: the database keeps the extent itself."""


_LOCKED_OUT = (
    "SELECT 1 FROM pg_namespace WHERE nspname = ? AND NOT has_schema_privilege(oid, 'USAGE')"
)
"""Such a schema is passed over without a word: the register would seem to be damaged."""

_NUMBERED = ("codes", *(name for name, columns in TABLES.items() if columns.startswith("fid")))


def _statement(text: str) -> bytes:
    """A statement as psycopg takes it."""
    return text.replace("?", "%s").encode()
