"""Polygons of administrative divisions, and tables of their names."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely

from cimkit.codes.text import eaten_by_spreadsheet, half_width
from cimkit.errors import InputError
from cimkit.job import AUTO
from cimkit.read.columns import find_columns
from cimkit.read.crs import working_crs
from cimkit.read.delimited import open_delimited, read_columns
from cimkit.read.footprints import into_crs
from cimkit.read.formats import local_file
from cimkit.read.vector import POLYGONS, open_layer, read_layer
from cimkit.tables.divisions import LENGTHS, Divisions
from cimkit.tables.identifiers import tidy_identifiers
from cimkit.tables.issue import Issue

_OPTION = "crs"


def read_divisions(
    path: str, *, layer: str = "", crs: str, names: dict[str, str] | None = None
) -> tuple[Divisions, list[Issue]]:
    """Read the polygons of divisions into the working CRS.

    Parameters
    ----------
    path : str
        A vector file with a column of codes (code, 区划代码, ...) and one of names.
    layer : str
        Needed where several layers hold polygons.
    crs : str
        Working CRS, projected, in metres.
    names : dict of str to str, optional
        Names by code, as `read_division_names` gives them; they fill in what the file lacks.

    Returns
    -------
    divisions : Divisions
        By rising length, then code; rows of one code are one division.
    issues : list of Issue
        ``DIVISION_UNUSABLE`` (ERROR) a row whose code or polygon cannot be used, left out;
        ``DIVISION_UNLISTED`` (WARNING) a code that `names` does not hold.

    Raises
    ------
    InputError
        If there is no column of codes, or no row can be used.
    """
    target = working_crs(crs)
    found, issues = open_layer(path, layer, POLYGONS, "")
    columns = {
        role: find_columns(found.columns, AUTO, role, path)[:1]
        for role in ("division code", "division name")
    }
    if not columns["division code"]:
        raise InputError(
            "has no column of division codes",
            path=path,
            hint=f"Call it code or 区划代码. Columns: {', '.join(found.columns)}.",
        )
    wanted = [name for chosen in columns.values() for name in chosen]
    geometry, values, remarks = read_layer(found, wanted)
    geometry, outside, notes = into_crs(target, geometry, found, path, "", "divisions", _OPTION)
    issues += remarks + notes
    # Digits as text: a column of numbers is read as whole ones, and blanks mean nothing.
    codes = [
        half_width(c) for c in tidy_identifiers(values[columns["division code"][0]]).tolist()
    ]
    written = (
        values[columns["division name"][0]] if columns["division name"] else [""] * len(codes)
    )
    labels = tidy_identifiers(written).tolist()
    parts: dict[str, list[int]] = {}
    for row, code in enumerate(codes):
        if reason := _unusable(code, geometry[row], bool(outside[row])):
            text = f"row {row}, code {code!r}: {reason}; left out"
            issues.append(Issue("ERROR", "DIVISION_UNUSABLE", "divisions", code, text))
        else:
            parts.setdefault(code, []).append(row)
    if not parts:
        raise InputError("no division in it can be used", path=path, hint="See the issues.")
    order = sorted(parts, key=lambda code: (len(code), code))
    known = names or {}
    for code in order if known else ():
        if code not in known:
            text = "the table of names does not hold this code: one of the two is out of date"
            issues.append(Issue("WARNING", "DIVISION_UNLISTED", "divisions", code, text))
    areas = [_valid(shapely.union_all(_valid(geometry[parts[code]]))) for code in order]
    titles = [labels[parts[code][0]] or known.get(code, "") for code in order]
    return Divisions(order, titles, np.array(areas, dtype=object), crs), issues  # type: ignore[arg-type]


def read_division_names(path: str) -> tuple[dict[str, str], list[Issue]]:
    """Names of divisions by code, from a table with columns ``code`` and ``name``.

    Parameters
    ----------
    path : str
        CSV; other columns are passed over. Codes of 2 and 4 digits (province, city) are taken
        as well.

    Returns
    -------
    names : dict of str to str
    issues : list of Issue
        ``DIVISION_UNUSABLE`` a row whose code is none.
    """
    table, _ = open_delimited(local_file(path))
    (code,) = find_columns(table.columns, AUTO, "division code", path)[:1] or ["code"]
    (name,) = find_columns(table.columns, AUTO, "division name", path)[:1] or ["name"]
    for column in (code, name):
        find_columns(table.columns, column, "divisions", path)
    values, rows, issues = read_columns(table, [code, name])
    names: dict[str, str] = {}
    for row, text, title in zip(rows, values[code], values[name], strict=True):
        digits = half_width(text.strip())
        if digits.isascii() and digits.isdigit() and len(digits) in (2, 4, *LENGTHS):
            names[digits] = title.strip()
        else:
            reason = eaten_by_spreadsheet(digits, 6) or "no code of a division"
            message = f"row {row + 1} of {local_file(path).name}: {reason}"
            issues.append(Issue("WARNING", "DIVISION_UNUSABLE", "divisions", text, message))
    return names, issues


def _unusable(code: str, shape: Any, is_outside: bool) -> str:
    """Why a row is no division; "" if it is one."""
    if not (code.isascii() and code.isdigit() and len(code) in LENGTHS):
        expected = "6, 9 or 12 digits expected"
        return eaten_by_spreadsheet(code, LENGTHS[0]) or expected
    if shape is None or shapely.is_empty(shape) or not shapely.area(shape) > 0:
        return "no polygon with an area"
    return "it lies outside the area of the CRS" if is_outside else ""


def _valid(shapes: Any) -> Any:
    """Polygons as the structure method of `shapely.make_valid` reads them."""
    return shapely.make_valid(shapes, method="structure", keep_collapsed=False)
