"""Where a register lies, and what keeps it there."""

from __future__ import annotations

from pathlib import Path

from cimkit.errors import StoreError
from cimkit.register.geopackage import GeoPackage
from cimkit.register.session import Backend
from cimkit.registerurl import is_url

Place = str | Path
"""Path of a GeoPackage, or ``postgresql://user@host/database?schema=name``."""


def open_register(place: Place) -> Backend:
    """What keeps the register at a place; nothing is read or made yet.

    Raises
    ------
    ParameterError
        If a database is meant, but its address is none.
    StoreError
        If the folder of a file does not exist, or the client of the database is missing.
    """
    if is_url(str(place)):
        from cimkit.register.postgis import PostGis

        return PostGis(str(place))
    return GeoPackage(place)


def existing_register(place: Place) -> Backend:
    """A register that is there; reading makes none."""
    backend = open_register(place)
    if not backend.is_there():
        raise StoreError(f"{backend.name}: does not exist. Check the path or address.")
    return backend
