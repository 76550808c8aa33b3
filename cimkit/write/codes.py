"""Codes of a register as a table."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from pyogrio.errors import DataLayerError, DataSourceError

from cimkit.errors import StoreError
from cimkit.tables.coderecords import CodeRecords, Lineage
from cimkit.write.faults import disk_faults
from cimkit.write.frames import write_geopackage
from cimkit.write.spreadsheet import harmless


def write_codes(path: Path, records: CodeRecords, lineage: Lineage) -> None:
    """Write codes with their state, building and what they supersede, as CSV or GeoPackage.

    Parameters
    ----------
    path : Path
        Its suffix tells the format; it must not exist.
    records : CodeRecords
    lineage : Lineage

    Raises
    ------
    StoreError
        If the file exists, or cannot be written.

    Notes
    -----
    CSV is UTF-8 with a byte order mark, so that spreadsheets know it. Let them take the codes
    as text: of a number they keep 15 digits. An identifier that a spreadsheet would run as a
    formula gets an apostrophe before it.
    """
    if path.exists():
        raise StoreError(f"{path}: exists already. Name another file.")
    older: dict[str, list[str]] = {}
    for code, former in zip(lineage.code.tolist(), lineage.supersedes.tolist(), strict=True):
        older.setdefault(code, []).append(former)
    frame = records.to_geopandas()
    frame["supersedes"] = [";".join(older.get(code, ())) for code in records.code.tolist()]
    if path.suffix.lower() == ".gpkg":
        write_geopackage(path, {"codes": frame})
        return
    table = frame.drop(columns=frame.geometry.name)
    table["building_id"] = [harmless(text) for text in table["building_id"]]
    with disk_faults(path, DataSourceError, DataLayerError):
        table.to_csv(path, index=False, encoding="utf-8-sig")


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as CSV that a spreadsheet reads as text.

    Parameters
    ----------
    path : Path
    rows : list of dict
        All with the same keys; none writes an empty file.

    Raises
    ------
    StoreError
        If the disk does not take it.
    """
    with disk_faults(path), path.open("w", newline="", encoding="utf-8-sig") as file:
        table = csv.writer(file)
        table.writerows([list(rows[0])] if rows else [])
        table.writerows([harmless(value) for value in row.values()] for row in rows)
