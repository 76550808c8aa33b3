"""Sheets of Excel workbooks (.xlsx) through the XLSX driver of GDAL, every cell as text.

A reader that guesses types loses the leading zeros of identifiers, or half of their digits.
"""

from __future__ import annotations

import re
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import pyogrio

from cimkit.errors import FormatError, InputError, LimitError
from cimkit.limits import XLSX_BYTES_MAX
from cimkit.read.formats import check_format
from cimkit.read.vector import translated
from cimkit.tables.issue import Issue

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_AS_TEXT = {"OGR_XLSX_FIELD_TYPES": "STRING", "OGR_XLSX_HEADERS": "FORCE"}
"""As options of the driver, since GDAL 3.12 minds its open options for the first sheet only."""

_SCIENTIFIC = re.compile(r"\d(\.\d+)?E\+\d+", re.IGNORECASE)
"""How Excel stores a number that outgrew its 15 digits: what it was is lost."""


class Sheet(NamedTuple):
    """One sheet whose first row names the columns."""

    path: Path
    name: str
    columns: tuple[str, ...]


def list_sheets(path: Path) -> list[str]:
    """Names of the sheets of a workbook.

    Raises
    ------
    FormatError
        A damaged workbook.
    LimitError
        One that unpacks to more than `cimkit.limits.XLSX_BYTES_MAX`.
    """
    check_format(path)
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(part.file_size for part in packed.infolist())
    except (zipfile.BadZipFile, OSError) as error:
        raise FormatError(
            f"cannot be unpacked ({error})",
            path=str(path),
            hint="It is damaged: copy it again.",
        ) from error
    if size > XLSX_BYTES_MAX:
        raise LimitError(
            f"{path}: unpacks to {size:,} bytes, at most {XLSX_BYTES_MAX:,} are read. "
            "Save it as CSV."
        )
    with translated(path):
        return [str(name) for name in pyogrio.list_layers(path)[:, 0]]


def open_sheet(path: Path, name: str = "") -> Sheet:
    """Choose a sheet: that of the name, or the only one that holds something.

    Raises
    ------
    FormatError, LimitError
        As `list_sheets`.
    InputError
        No such sheet, several to choose from, or an empty one.
    """
    names = list_sheets(path)
    hint = f"Sheets: {', '.join(names) or 'none'}."
    if name and name not in names:
        raise InputError(f"has no sheet {name!r}", path=str(path), hint=hint)
    found = []
    for each in [name] if name else names:
        with _as_text(), translated(path):
            info = pyogrio.read_info(path, layer=each)
        if info["driver"] != "XLSX":
            raise FormatError(f"is {info['driver']}, not XLSX", path=str(path))
        if info["features"]:
            columns = tuple(str(column).strip() for column in info["fields"].tolist())
            found.append(Sheet(path, each, columns))
    if len(found) == 1:
        return found[0]
    if not found:
        raise InputError("holds no row below its column names", path=str(path), hint=hint)
    raise InputError(
        "holds several sheets", path=str(path), hint=f"Name one with address_layer. {hint}"
    )


def read_sheet(
    sheet: Sheet, wanted: Sequence[str]
) -> tuple[dict[str, list[str]], list[int], list[Issue]]:
    """The columns that are asked for, as they are stored, without blanks around; nothing else.

    Returns
    -------
    values : dict of str to list of str, length n
        "" where a cell is empty, or is a number that Excel had cut to 15 digits.
    rows : list of int, length n
        Number of each row below the column names, from 0.
    issues : list of Issue
        ``ROWS_BLANK`` (INFO); ``NUMBER_CUT`` (WARNING) a column with such numbers.

    Raises
    ------
    FormatError
        If the sheet cannot be read to its end.
    InputError
        If a wanted name stands twice in the header.
    """
    for name in wanted:
        if sheet.columns.count(name) > 1:
            raise InputError(f"column {name!r} stands there twice", path=str(sheet.path))
    with _as_text(), translated(sheet.path):
        # All columns: which of them are blank in all of a row shows only then.
        _, _, _, data = pyogrio.raw.read(sheet.path, layer=sheet.name)
    cells = [["" if cell is None else str(cell).strip() for cell in column] for column in data]
    rows = [row for row, line in enumerate(zip(*cells, strict=True)) if any(line)]
    issues = []
    n_blank = (len(cells[0]) if cells else 0) - len(rows)
    if n_blank:
        message = f"{n_blank:,} blank rows passed over"
        issues.append(Issue("INFO", "ROWS_BLANK", "addresses", "", message))
    values = {}
    for name in wanted:
        column = cells[sheet.columns.index(name)]
        kept = [column[row] for row in rows]
        cut = [bool(_SCIENTIFIC.fullmatch(cell)) for cell in kept]
        if any(cut):
            message = (
                f"column {name}: {sum(cut):,} numbers have lost digits in Excel, such as "
                f"{kept[cut.index(True)]}; taken as empty. Format the column as text"
            )
            issues.append(Issue("WARNING", "NUMBER_CUT", "addresses", "", message))
        values[name] = ["" if gone else cell for cell, gone in zip(kept, cut, strict=True)]
    return values, rows, issues


@contextmanager
def _as_text() -> Iterator[None]:
    """Every cell as text, the first row as names, for as long as this lasts."""
    before = {name: pyogrio.get_gdal_config_option(name) for name in _AS_TEXT}
    pyogrio.set_gdal_config_options(_AS_TEXT)
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options(before)
