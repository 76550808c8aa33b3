"""Decisions of people about links, from the sheets that they have filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cimkit.codes.text import eaten_by_spreadsheet, half_width
from cimkit.errors import InputError
from cimkit.read.delimited import open_delimited, read_columns
from cimkit.read.formats import local_file
from cimkit.read.spreadsheet import open_sheet, read_sheet
from cimkit.read.vector import open_layer, read_layer
from cimkit.tables._columns import TEXT
from cimkit.tables.issue import Issue
from cimkit.tables.reviews import Reviews

if TYPE_CHECKING:
    from pathlib import Path

WORDS = {
    "accepted": ("accept", "accepted", "yes", "y", "ok", "接受", "通过", "正确", "是"),
    "rejected": ("reject", "rejected", "no", "n", "拒绝", "错误", "不通过", "否"),
    "edited": ("edit", "edited", "修改", "更正", "改"),
}
"""What a person may write for each decision, in lower case."""

_NEEDED = ("address_id", "building_code", "decision")
_COLUMNS = (*_NEEDED, "new_building", "reviewer", "note")
_CODE_LENGTH = 15
"""Shorter numbers are identifiers, no codes that have lost digits."""


def read_reviews(path: str) -> tuple[Reviews, list[Issue]]:
    """Read the decisions in a sheet that `cimkit review` wrote.

    Parameters
    ----------
    path : str
        CSV (UTF-8 or GB18030), XLSX or GeoPackage. Other columns are passed over, and so are
        rows without a decision.

    Returns
    -------
    reviews : Reviews
    issues : list of Issue
        ``REVIEW_UNUSABLE`` (ERROR) a row whose decision cannot be understood, or whose code a
        spreadsheet has spoilt: never guessed, left out. ``REVIEW_OPEN`` (INFO) how many rows
        are not decided yet.

    Raises
    ------
    InputError
        If a column of the sheet is missing.
    """
    file = local_file(path)
    columns, rows, issues = _cells(file)
    if missing := [name for name in _NEEDED if name not in columns]:
        raise InputError(
            f"has no column {missing[0]!r}",
            path=path,
            hint="Fill in the sheet that `cimkit review` wrote, and keep its columns.",
        )
    n = len(columns["address_id"])
    blank = [""] * n
    cells = [[_plain(t) for t in columns.get(name, blank)] for name in _COLUMNS]
    taken: list[tuple[str, ...]] = []
    n_open = 0
    for place, row in zip(rows, zip(*cells, strict=True), strict=True):
        address, code, written, new, reviewer, note = row
        if not written:
            n_open += 1
            continue
        decision = next((d for d, words in WORDS.items() if written.lower() in words), "")
        if reason := _unusable(address, code, written, decision, new):
            text = f"row {place} of {file.name}: {reason}; left out"
            issues.append(Issue("ERROR", "REVIEW_UNUSABLE", "addresses", address, text))
        else:
            taken.append((address, code, decision, new, reviewer, note, file.name))
    if n_open:
        text = f"{n_open:,} of {n:,} rows of {file.name} are not decided yet"
        issues.append(Issue("INFO", "REVIEW_OPEN", "addresses", "", text))
    if not taken:
        return Reviews.empty(), issues
    return Reviews(*(np.array(list(c), TEXT) for c in zip(*taken, strict=True))), issues


def _unusable(address: str, code: str, written: str, decision: str, new: str) -> str:
    """Why a decision cannot be taken; "" if it can."""
    if not address:
        return "no address_id"
    for name, text in (("building_code", code), ("new_building", new)):
        is_code = len(text) >= _CODE_LENGTH or "E+" in text.upper()
        if is_code and (reason := eaten_by_spreadsheet(text, 0)):
            return f"{name} {text}: {reason}"
    if not decision:
        known = ", ".join(words[0] for words in WORDS.values())
        return f"decision {written!r}: one of {known}"
    if decision == "edited" and not new:
        return "edit without new_building"
    if decision != "edited" and new:
        return f"new_building {new!r} with {written!r}: write edit"
    if decision == "rejected" and not code:
        return "nothing to reject: the address has no link"
    return ""


def _cells(file: Path) -> tuple[dict[str, list[str]], list[int], list[Issue]]:
    """Columns of a sheet as text, the number of each row below the header, and remarks."""
    suffix = file.suffix.lower()
    if suffix == ".xlsx":
        sheet = open_sheet(file)
        names = [name for name in _COLUMNS if name in sheet.columns]
        values, rows, issues = read_sheet(sheet, names)
        for issue in issues:
            if issue.code == "NUMBER_CUT":  # an empty code would mean "no building"
                raise InputError(issue.message, path=str(file), hint="Fill in the sheet again.")
        return values, [row + 1 for row in rows], issues
    if suffix == ".gpkg":
        layer, issues = open_layer(str(file), "", ("LineString",), "")
        names = [name for name in _COLUMNS if name in layer.columns]
        _, found, remarks = read_layer(layer, names)
        texts = {k: ["" if v is None else str(v) for v in found[k].tolist()] for k in names}
        n = len(next(iter(texts.values()), []))
        return texts, list(range(1, n + 1)), issues + remarks
    table, issues = open_delimited(file)
    names = [name for name in _COLUMNS if name in table.columns]
    values, rows, remarks = read_columns(table, names)
    return values, [row + 1 for row in rows], issues + remarks


def _plain(text: str) -> str:
    """A cell without blanks around it, and without the apostrophe before a formula."""
    text = half_width(text).strip()
    return text[1:] if text[:1] == "'" and text[1:2] in ("=", "+", "-", "@") else text
