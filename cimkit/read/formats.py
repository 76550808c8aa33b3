"""Which files may be opened at all: plain local ones, of a known format, that begin like it.

GDAL picks its driver by content: a file that only pretends to be one of these could make it
open other files, or URLs.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from cimkit.errors import FormatError, InputError
from cimkit.limits import GEOJSON_KEYS_BYTES

DRIVERS = {
    ".gpkg": ("GPKG", b"SQLite format 3\0"),
    ".shp": ("ESRI Shapefile", b"\0\0\x27\x0a"),
    ".geojson": ("GeoJSON", b"{"),
    ".json": ("GeoJSON", b"{"),
    ".fgb": ("FlatGeobuf", b"fgb\x03fgb"),
    ".gdb": ("OpenFileGDB", b"\x03\0\0\0"),
    ".parquet": ("Parquet", b"PAR1"),
    ".geoparquet": ("Parquet", b"PAR1"),
}
"""Suffix -> driver and first bytes; of a file geodatabase those of its first table."""

SPREADSHEETS = {".xlsx": ("XLSX", b"PK\x03\x04")}
"""The same, for tables without geometry."""

GEODATABASE = ".gdb"
_FIRST_TABLE = "a00000001.gdbtable"
_START_BYTES = 1024


def local_file(path: str) -> Path:
    """A plain local file, or a file geodatabase, which is a folder; else an error.

    Examples
    --------
    >>> local_file("/vsizip/city.zip")
    Traceback (most recent call last):
    cimkit.errors.FormatError: /vsizip/city.zip: is no plain local file. Copy ...
    """
    if str(path).startswith(("/vsi", "\\vsi")) or "://" in str(path):
        raise FormatError(
            "is no plain local file",
            path=path,
            hint="Copy it to this machine, unpacked, and name the copy.",
        )
    file = Path(path)
    if file.is_dir():
        if file.suffix.lower() == GEODATABASE:
            return file
        raise FormatError("is a folder", path=path, hint="Name one file in it.")
    if not file.is_file():
        raise InputError("does not exist", path=path, hint="Check the path.")
    return file


def check_format(file: Path) -> str:
    """Name of the driver, if suffix and first bytes are of one that is allowed.

    Raises
    ------
    FormatError
    """
    driver, magic = (DRIVERS | SPREADSHEETS).get(file.suffix.lower(), ("", b""))
    if not driver:
        raise FormatError(
            f"{file.suffix or 'no suffix'} is not read",
            path=str(file),
            hint=f"Use {list_formats()}.",
        )
    begins = _first_table(file) if driver == "OpenFileGDB" else file
    with begins.open("rb") as opened:
        start = opened.read(_START_BYTES)
    if driver == "GeoJSON":
        start = start.removeprefix(b"\xef\xbb\xbf").lstrip()
        if re.search(rb'"CityObjects"\s*:|"type"\s*:\s*"CityJSON', start):
            raise FormatError(
                "is a city model (CityJSON), no layer of a map",
                path=str(file),
                hint="Give the footprints that it was made from.",
            )
    if not start.startswith(magic):
        raise FormatError(
            f"does not begin like {driver}", path=str(file), hint="It is damaged, or misnamed."
        )
    return driver


def check_json_keys(file: Path) -> None:
    """Refuse a GeoJSON with an object that has a key twice: one of its values would be lost.

    Raises
    ------
    FormatError
        It names the key. What is no JSON at all is left to the reader.
    """
    if file.stat().st_size > GEOJSON_KEYS_BYTES:
        return

    def once(pairs: list[tuple[str, Any]]) -> None:
        keys = [key for key, _ in pairs]
        if len(set(keys)) < len(keys):
            key = max(keys, key=keys.count)
            raise FormatError(
                f"an object has the key {key!r} more than once",
                path=str(file),
                hint="Only one of the values can count: export the layer anew.",
            )

    with suppress(ValueError, RecursionError):
        json.loads(file.read_bytes(), object_pairs_hook=once)


def geodatabase_parts(path: str) -> list[str]:
    """Files of a file geodatabase that hold its data, sorted; none for other formats."""
    folder = Path(path)
    if folder.suffix.lower() != GEODATABASE or not folder.is_dir():
        return []
    return [str(part) for part in sorted(folder.iterdir()) if part.suffix != ".lock"]


def list_formats() -> str:
    """What may be read, for a hint."""
    return (
        "GeoPackage (.gpkg), Shapefile (.shp), GeoJSON (.geojson, .json), FlatGeobuf (.fgb), "
        "file geodatabase (.gdb) or GeoParquet (.parquet)"
    )


def _first_table(folder: Path) -> Path:
    """The catalogue of a file geodatabase; nothing in the folder may lead out of it."""
    table = folder / _FIRST_TABLE
    if not folder.is_dir() or not table.is_file():
        raise FormatError(
            f"is no file geodatabase: it holds no {_FIRST_TABLE}",
            path=str(folder),
            hint="Copy the whole .gdb folder.",
        )
    for part in sorted(folder.iterdir()):
        if part.is_symlink() or not part.is_file():
            raise FormatError(
                f"{part.name} in it is no plain file",
                path=str(folder),
                hint="Copy the geodatabase with what its links point at.",
            )
    return table
