"""What a register needs of the place that keeps it: a file or a database.

Everything that a register means stands once, in the modules beside, in SQL that both
understand. A back end opens transactions and knows how outlines and the CRS lie in its tables.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from cimkit.tables._columns import TextArray

LOCK_WAIT_S = 10.0
"""Seconds to wait for another build, which holds the register while it writes its codes."""

NO_REGISTER = (
    "damaged, or no code register. Bring it back from a backup, or name another "
    "(--register); an empty one in its place would give codes out twice."
)
RIVAL = "another build took the same codes meanwhile. Run again."
BUSY = "another program is writing to it. Wait for it, then run again."
LOCAL_SRS_ID = 100_000
"""Number of a CRS that has none of EPSG."""


def as_json(values: dict[str, Any]) -> str:
    """Values by name as one text, the same for equal ones."""
    return json.dumps(values, ensure_ascii=False, sort_keys=True)


class Row(NamedTuple):
    """A code in the register; the outline as WKB, little-endian, in the CRS of the register."""

    state: str
    building_id: str
    outline: bytes


class Session(Protocol):
    """One transaction. Values take the place of ``?`` in statements.

    Attributes
    ----------
    name : str
        Of the register, in messages.
    """

    name: str

    def read(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""

    def change(self, statement: str, rows: Iterable[Sequence[Any]] = ((),)) -> int:
        """Run a statement with each row of values; how many rows of the table it met."""

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Add rows, numbered on in their order where ``fid`` is not among the columns."""

    def has(self, table: str) -> bool:
        """Whether there is such a table."""

    def crs(self) -> str:
        """CRS of the outlines; "" where there is no register yet."""

    def create(self, crs: str) -> None:
        """Make the table of codes, with outlines in the horizontal part of a CRS."""

    def create_table(self, name: str, columns: str) -> None:
        """Make a table without geometry."""

    def rows_of(self, codes: TextArray) -> dict[str, Row]:
        """Those of some codes that are there."""

    def pack(self, polygons: NDArray[Any]) -> list[bytes]:
        """Outlines as values of the column ``geom``."""

    def unpack(self, values: Sequence[Any]) -> NDArray[Any]:
        """Outlines from values of the column ``geom``, also as other programs write them."""

    def widen(self, polygons: NDArray[Any]) -> None:
        """Let the extent of the layer hold these outlines too."""


class Backend(Protocol):
    """A place where a register is or will be.

    Attributes
    ----------
    name : str
        In messages; without password.
    """

    name: str

    def is_there(self) -> bool:
        """Whether reading finds anything; asking makes nothing."""

    def identity(self) -> str:
        """Same text for the same register, another for any other; without password."""

    def session(self, *, write: bool) -> AbstractContextManager[Session]:
        """All or nothing, lasting at the end. What goes wrong becomes a `StoreError`."""
