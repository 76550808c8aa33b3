"""Tables without geometry, whatever they are stored as: CSV, or a sheet of a workbook."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from cimkit.errors import ParameterError
from cimkit.read.delimited import SUFFIXES, open_delimited, read_columns
from cimkit.read.formats import SPREADSHEETS
from cimkit.read.spreadsheet import open_sheet, read_sheet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cimkit.tables.issue import Issue


class Table(NamedTuple):
    """A table that is open.

    Attributes
    ----------
    columns : tuple of str
    read : callable
        Values of some columns by name, the number of each row in the file, and issues.
    issues : list of Issue
        Of opening it.
    """

    columns: tuple[str, ...]
    read: Callable[[list[str]], tuple[dict[str, list[str]], list[int], list[Issue]]]
    issues: list[Issue]


def is_table(file: Path) -> bool:
    """Whether the name of a file is that of a CSV or a workbook."""
    return file.suffix.lower() in (*SUFFIXES, *SPREADSHEETS)


def open_table(file: Path, layer: str = "", encoding: str = "") -> Table:
    """Open a CSV, or a sheet.

    Raises
    ------
    ParameterError
        If an encoding is stated for a workbook, or a layer for a CSV.
    FormatError, EncodingError
        If it cannot be used.
    """
    if file.suffix.lower() in SPREADSHEETS:
        if encoding:
            raise ParameterError("addresses_encoding: a workbook is in UTF-8")
        sheet = open_sheet(file, layer)
        return Table(sheet.columns, partial(read_sheet, sheet), [])
    if layer:
        raise ParameterError("address_layer: a CSV file has no layers")
    table, issues = open_delimited(file, encoding)
    return Table(table.columns, partial(read_columns, table), issues)
