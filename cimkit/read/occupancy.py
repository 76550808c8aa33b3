"""Counts of households, persons and organisations by address, from tables."""

from __future__ import annotations

from typing import Any

import numpy as np

from cimkit.codes.text import half_width
from cimkit.codes.uscc import validate
from cimkit.errors import InputError
from cimkit.job import AUTO
from cimkit.read.columns import find_columns, numbers
from cimkit.read.formats import local_file
from cimkit.read.privacy import pseudonyms, refuse_personal
from cimkit.read.table import open_table
from cimkit.tables._columns import IntArray
from cimkit.tables.identifiers import tidy_identifiers
from cimkit.tables.issue import Issue
from cimkit.tables.occupancy import MEASURES, UNKNOWN, Occupancy

_COUNTED = ("rooms", "households", "population")


def read_occupancy(
    households: str = "", organisations: str = "", *, key: str = ""
) -> tuple[Occupancy, dict[str, int], list[Issue]]:
    """Read what is counted by address (实有房屋, 实有人口, 实有单位).

    Parameters
    ----------
    households : str
        CSV or workbook: a row for each address with counts (户室数, 实有户数, 实有人口), or,
        where no column counts anything, a row for each person; "" for none.
    organisations : str
        CSV or workbook: a row for each organisation with its unified social credit code
        (统一社会信用代码) and its address; "" for none. Names are not read.
    key : str
        Secret for pseudonyms; with it a column of identity numbers serves to count persons
        once, without it such a table is refused.

    Returns
    -------
    occupancy : Occupancy
        By rising address; rows of one address are added up.
    rows : dict of str to int
        Rows of each file.
    issues : list of Issue
        ``CREDIT_CODE_INVALID`` (WARNING) an organisation, which is counted all the same;
        ``ORGANISATION_TWICE`` (WARNING) one that occurs again at its address, counted once;
        ``OCCUPANCY_UNUSABLE`` (WARNING) a row without address or with a count that is none.

    Raises
    ------
    InputError
        If a column looks like identity-card or telephone numbers, or the address is missing.
    FormatError, EncodingError
        If a file cannot be used at all.
    """
    sums: dict[str, dict[str, int]] = {}
    rows: dict[str, int] = {}
    issues: list[Issue] = []
    for path, add in ((households, _add_households), (organisations, _add_organisations)):
        if path:
            columns, notes = _read_all(path)
            rows[path] = len(next(iter(columns.values()), []))
            issues += notes + add(path, columns, sums, key)
    names = sorted(sums)
    counts = [[sums[name].get(measure, UNKNOWN) for name in names] for measure in MEASURES]
    columns_of: list[IntArray] = [np.array(column, np.int64) for column in counts]
    return Occupancy(names, *columns_of), rows, issues  # type: ignore[arg-type]


def _read_all(path: str) -> tuple[dict[str, list[str]], list[Issue]]:
    """Every column of a table: what is in it decides whether it may be used."""
    table = open_table(local_file(path))
    values, _, issues = table.read(list(table.columns))
    return values, table.issues + issues


def _addresses(path: str, columns: dict[str, list[str]]) -> list[str]:
    found = find_columns(tuple(columns), AUTO, "address id", path)
    if not found:
        raise InputError(
            "has no column for the address with a usual name",
            path=path,
            hint=f"Name it address_id or 地址编码. Columns: {', '.join(columns)}.",
        )
    names: list[str] = tidy_identifiers(columns[found[0]]).tolist()
    return names


def _add_households(
    path: str, columns: dict[str, list[str]], sums: dict[str, dict[str, int]], key: str
) -> list[Issue]:
    """Counts of a table of addresses, or of one of persons."""
    persons = [
        name
        for name, values in columns.items()
        if refuse_personal(path, name, values, pseudonym=bool(key))
    ]
    address = _addresses(path, columns)
    counted = {
        measure: found[0]
        for measure in _COUNTED
        if (found := find_columns(tuple(columns), AUTO, measure, path))
    }
    issues = []
    if not counted:
        rows = list(range(len(address)))
        if persons:
            names = [half_width(text).strip().upper() for text in columns[persons[0]]]
            who = zip(address, pseudonyms(names, key), strict=True)
            rows = list({pair: row for row, pair in enumerate(who)}.values())
        for row in sorted(rows):
            issues += _add(sums, address[row], "population", 1.0, row)
        return issues
    for measure, column in counted.items():
        for row, count in enumerate(numbers(columns[column]).tolist()):
            if columns[column][row] != "":
                issues += _add(sums, address[row], measure, count, row)
    return issues


def _add_organisations(
    path: str, columns: dict[str, list[str]], sums: dict[str, dict[str, int]], key: str
) -> list[Issue]:
    """One for each organisation at an address."""
    for name, values in columns.items():
        refuse_personal(path, name, values, pseudonym=False)
    address = _addresses(path, columns)
    found = find_columns(tuple(columns), AUTO, "credit code", path)
    codes = [half_width(text).strip().upper() for text in columns[found[0]]] if found else []
    issues = []
    for row, code in enumerate(codes):
        for fault in validate(code)[:1]:
            text = f"row {row}: credit code {codes[row]!r}: {fault}; counted all the same"
            issues.append(
                Issue("WARNING", "CREDIT_CODE_INVALID", "addresses", address[row], text)
            )
    seen = set[tuple[str, str]]()
    for row, name in enumerate(address):
        code = codes[row] if codes else ""
        if code and (name, code) in seen:
            text = f"row {row}: organisation {code} stands at this address before; counted once"
            issues.append(Issue("WARNING", "ORGANISATION_TWICE", "addresses", name, text))
            continue
        seen.add((name, code))
        issues += _add(sums, name, "organisations", 1.0, row)
    return issues


def _add(
    sums: dict[str, dict[str, int]], address: str, measure: str, count: Any, row: int
) -> list[Issue]:
    """Add a count to its address, or say why not."""
    if address and count >= 0 and count == int(count):
        own = sums.setdefault(address, {})
        own[measure] = own.get(measure, 0) + int(count)
        return []
    what = f"{measure} are no whole number from 0" if address else "has no address"
    text = f"row {row}: {what}; left out"
    return [Issue("WARNING", "OCCUPANCY_UNUSABLE", "addresses", address, text)]
