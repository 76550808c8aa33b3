"""Address points from tables or vector files, believed in nothing."""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import shapely

from cimkit.errors import CrsError, InputError, ParameterError
from cimkit.job import AUTO
from cimkit.read.china_offsets import GEODETIC, from_web_map, is_web_map
from cimkit.read.columns import find_columns, numbers
from cimkit.read.crs import check_place, looks_like_degrees, reproject, source_of, working_crs
from cimkit.read.encodings import report_mojibake
from cimkit.read.formats import local_file
from cimkit.read.privacy import refuse_personal
from cimkit.read.table import Table, is_table, open_table
from cimkit.read.vector import POINTS, open_layer, read_layer
from cimkit.tables._columns import texts
from cimkit.tables.addresses import Addresses
from cimkit.tables.elements import Elements
from cimkit.tables.identifiers import suffix_duplicates, tidy_identifiers
from cimkit.tables.issue import Issue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cimkit.tables._columns import FloatArray

_OPTION = "--addresses-crs"
_STARTS = {"x": ("经", "lng", "lon", "x"), "y": ("纬", "lat", "y")}
"""How columns of coordinates may begin: too weak to take one, enough to propose it."""


class _Columns(NamedTuple):
    """What a file gave, before it is checked."""

    ids: list[Any]
    texts: list[str]
    buildings: list[str]
    xy: FloatArray
    rows: NDArray[np.int64]
    elements: dict[str, list[str]]
    stated_crs: str
    issues: list[Issue]


_ELEMENT_ROLES = {
    "kind": "address kind",
    "parent_id": "parent address",
    "division": "address division",
    "street": "street",
    "number": "street number",
    "estate": "estate",
    "building": "building number",
    "unit": "unit",
    "floor": "floor",
    "room": "room",
    "valid_from": "valid from",
    "valid_to": "valid to",
}
"""Columns of elements, and what they are called in `cimkit.read.columns.ALIASES`."""


def read_addresses(
    path: str,
    *,
    layer: str = "",
    id_field: str = AUTO,
    text_field: str = AUTO,
    x_field: str = AUTO,
    y_field: str = AUTO,
    building_field: str = AUTO,
    crs: str,
    source_crs: str = "",
    encoding: str = "",
) -> tuple[Addresses, list[Issue]]:
    """Read standard addresses (标准地址) and bring their points into the working CRS.

    Only the columns for identifier, text, place, building and the elements of the address are
    read, no other one ever: an address table may name residents, and nothing of that is kept or
    reaches products. A column of identity-card numbers in one of these parts is refused.

    Columns of elements (`cimkit.tables.elements.Elements`) are found by usual names, also those
    of police address systems: DZLX, SJDZBM, SQDM or XZJDDM, JLXMC, MPH, XQMC, JZWMC, DYH or
    HAOZUO, LCH, DYFH. Where several columns may be one element, the first one filled counts.

    Parameters
    ----------
    path : str
        CSV (``.csv``, ``.tsv``, ``.txt``), a workbook (``.xlsx``), or a vector file with points
        of the formats of `read_footprints`.
    layer : str
        Of a vector file, where several layers hold points; sheet of a workbook with several.
    id_field, text_field, building_field : str
        Columns; "auto" finds them by usual names, "" switches them off.
    x_field, y_field : str
        The same, for the coordinates in a table (x east or longitude, y north or latitude); the
        points of a vector file are its geometry.
    crs : str
        Working CRS, projected, in metres.
    source_crs : str
        CRS of the coordinates; "" takes what the file states, for tables the working CRS.
        ``GCJ-02`` and ``BD-09`` are those of Chinese web maps.
    encoding : str
        Of the text of a CSV or a Shapefile; "" finds it.

    Returns
    -------
    addresses : Addresses
        In the order of the file, all rows but ragged ones; x and y NaN without a usable place.
    issues : list of Issue
        ``ROW_RAGGED`` (ERROR), ``ID_INVALID``, ``ID_DUPLICATE``, ``COORD_SUSPECT``,
        ``GEOM_TYPE_SKIPPED`` (WARNING) a row; ``ID_UNUSABLE``, ``COORD_COLUMN_MISSING``,
        ``ENCODING_GIVEN``, ``ENCODING_DECLARED``, ``ENCODING_GUESSED``, ``ENCODING_REPLACED``,
        ``ENCODING_SUSPECT``, ``NUMBER_CUT``, ``VALUE_UNUSABLE``, ``ROWS_BLANK``,
        ``OFFSET_REMOVED``, ``REPROJECTED`` a file.

    Raises
    ------
    FormatError, EncodingError, CrsError, InputError, LimitError
        A file that cannot be used at all.
    """
    target = working_crs(crs)
    file = local_file(path)
    fields: dict[str, str] = {
        "address id": id_field,
        "address text": text_field,
        "x": x_field,
        "y": y_field,
        "building": building_field,
    }
    if is_table(file):
        table = open_table(file, layer, encoding)
        with_places = source_crs != "" and "" not in (x_field, y_field)
        given = _from_table(path, table, fields, with_places=with_places)
    else:
        given = _from_vector(path, layer, fields, encoding)
    for name in {"valid_from", "valid_to"} & set(given.elements):
        given.elements[name] = [_as_date(text) for text in given.elements[name]]
    issues = given.issues
    issues += report_mojibake("addresses", file.name, given.texts)
    for part, values in (
        ("id", given.ids),
        ("text", given.texts),
        ("building", given.buildings),
        *given.elements.items(),
    ):
        refuse_personal(path, part, values, pseudonym=False)
    names, notes = _identifiers(given)
    issues += notes
    if is_web_map(source_crs):
        given, notes = _without_offset(given, source_crs, path)
        issues += notes
        source_crs = GEODETIC
    xy, notes = _into(target, given, names, path, crs, source_crs)
    addresses = Addresses(
        texts("address_id", names),
        texts("address_text", given.texts),
        xy[:, 0],
        xy[:, 1],
        texts("building_ref", given.buildings),
        given.rows,
        crs,
        source_crs or given.stated_crs or crs,
        Elements.of(len(names), **given.elements),
    )
    return addresses, issues + notes


def _from_table(
    path: str, table: Table, fields: dict[str, str], *, with_places: bool
) -> _Columns:
    """The columns of a table; `with_places` refuses one without coordinates."""
    chosen, parts = _choose(table.columns, fields, path), _find_elements(table.columns, path)
    values, rows, notes = table.read(sorted({*chosen.values(), *chain(*parts.values())}))
    issues = table.issues + notes
    if not rows:
        raise InputError("holds no address", path=path)
    blank = [""] * len(rows)
    xy = np.full((len(rows), 2), np.nan)
    missing = [part for part in _STARTS if part not in chosen]
    if not missing:
        xy = np.column_stack([numbers(values[chosen["x"]]), numbers(values[chosen["y"]])])
        for column, found in zip((chosen["x"], chosen["y"]), xy.T, strict=True):
            issues += _no_numbers(column, values[column], found)
    else:
        text = f"no column for {' and '.join(missing)} has a usual name"
        hint = _advise_places(missing, table.columns)
        if with_places:
            raise InputError(f"a CRS of places is given, but {text}", path=path, hint=hint)
        text = f"{text}: addresses have no place. {hint}"
        issues.append(Issue("WARNING", "COORD_COLUMN_MISSING", "addresses", "", text))
    return _Columns(
        values[chosen["address id"]] if "address id" in chosen else [None] * len(rows),
        values[chosen["address text"]] if "address text" in chosen else blank,
        values[chosen["building"]] if "building" in chosen else blank,
        xy,
        np.array(rows, dtype=np.int64),
        {
            part: _first_filled([values[name] for name in names])
            for part, names in parts.items()
        },
        "",
        issues,
    )


def _no_numbers(column: str, written: list[str], found: FloatArray) -> list[Issue]:
    """Report coordinates that are written, but not as numbers."""
    lost = [
        text
        for text, number in zip(written, found.tolist(), strict=True)
        if number != number and text
    ]
    if not lost:
        return []
    message = (
        f"column {column}: {len(lost):,} of {len(written):,} values are no numbers, such as "
        f"{lost[0][:40]!r}; those addresses have no place. Write them as 123.45"
    )
    return [Issue("WARNING", "VALUE_UNUSABLE", "addresses", "", message)]


def _advise_places(missing: list[str], columns: tuple[str, ...]) -> str:
    """How to name the columns of the coordinates, and those that may be meant."""
    keys = []
    for part in missing:
        like = [
            name
            for start in _STARTS[part]
            for name in columns
            if name.strip().lower().startswith(start)
        ]
        keys.append(f'address_{part} = "{like[0] if like else "..."}"')
    return f"State {', '.join(keys)} in city.toml. Columns: {', '.join(columns)}."


def _from_vector(path: str, layer: str, fields: dict[str, str], encoding: str) -> _Columns:
    """The columns and points of a vector file."""
    if fields.pop("x") not in (AUTO, "") or fields.pop("y") not in (AUTO, ""):
        raise ParameterError(
            "address_x, address_y: the geometry of a vector file gives the place"
        )
    found, issues = open_layer(path, layer, POINTS, encoding)
    chosen, parts = _choose(found.columns, fields, path), _find_elements(found.columns, path)
    wanted = sorted({*chosen.values(), *chain(*parts.values())})
    geometry, values, notes = read_layer(found, wanted)
    issues += notes
    is_point = shapely.get_type_id(geometry) == shapely.GeometryType.POINT.value
    xy = np.full((len(geometry), 2), np.nan)
    xy[is_point] = np.column_stack([shapely.get_x(geometry), shapely.get_y(geometry)])[is_point]
    for row in np.flatnonzero(~is_point).tolist():
        text = f"feature {row} has no point geometry; kept without a place"
        issues.append(Issue("WARNING", "GEOM_TYPE_SKIPPED", "addresses", str(row), text))

    def written(column: str | None) -> list[str]:
        found = values[column].tolist() if column else [""] * len(geometry)
        return ["" if value is None or value != value else str(value) for value in found]

    def identifiers(role: str) -> list[Any]:
        return values[chosen[role]].tolist() if role in chosen else [None] * len(geometry)

    return _Columns(
        identifiers("address id"),
        written(chosen.get("address text")),
        tidy_identifiers(identifiers("building")).tolist(),
        xy,
        np.arange(len(geometry)),
        {
            part: _first_filled([written(name) for name in names])
            for part, names in parts.items()
        },
        found.crs,
        issues,
    )


def _choose(columns: tuple[str, ...], fields: dict[str, str], path: str) -> dict[str, str]:
    """The column for each part, where there is one."""
    chosen = {}
    for role, wanted in fields.items():
        found = find_columns(columns, wanted, role, path)
        if found:
            chosen[role] = found[0]
    if "address text" not in chosen and fields["address text"] != "":
        raise InputError(
            "has no column for the address text with a usual name",
            path=path,
            hint=f'Name it with address_text, or "". Columns: {", ".join(columns)}.',
        )
    return chosen


def _find_elements(columns: tuple[str, ...], path: str) -> dict[str, list[str]]:
    """Columns of each element, the preferred one first."""
    found = {
        part: find_columns(columns, AUTO, role, path) for part, role in _ELEMENT_ROLES.items()
    }
    return {part: names for part, names in found.items() if names}


def _as_date(text: str) -> str:
    """A date as YYYY-MM-DD; "" for what is none.

    Examples
    --------
    >>> _as_date("2025/6/30"), _as_date("20250630"), _as_date("9999"), _as_date("无")
    ('2025-06-30', '2025-06-30', '', '')
    """
    found = re.match(r"(\d{4})[-/.年]?(\d{1,2})[-/.月]?(\d{1,2})(?!\d)", text.strip())
    return f"{found[1]}-{int(found[2]):02d}-{int(found[3]):02d}" if found else ""


def _first_filled(columns: list[list[str]]) -> list[str]:
    """In each row the first of several columns that holds something."""
    if len(columns) == 1:
        return columns[0]
    return [next((text for text in row if text), "") for row in zip(*columns, strict=True)]


def _identifiers(given: _Columns) -> tuple[list[str], list[Issue]]:
    """Unique identifiers, and what had to be done to get them."""
    found = tidy_identifiers(given.ids).tolist()
    number = [str(row) for row in given.rows.tolist()]
    issues = []
    if not any(found):
        text = "no column with identifiers; the row number serves as address_id"
        return number, [Issue("INFO", "ID_UNUSABLE", "addresses", "", text)]
    for i, name in enumerate(found):
        if not name:
            found[i] = number[i]
            text = f"row {number[i]}: identifier missing or unusable; the row number serves"
            issues.append(Issue("WARNING", "ID_INVALID", "addresses", number[i], text))
    if len(set(found)) == len(found):
        return found, issues
    place = np.nan_to_num(given.xy, nan=np.inf)
    keys = list(zip(found, given.texts, *place.T.tolist(), given.buildings, strict=True))
    order = sorted(range(len(found)), key=keys.__getitem__)
    for row, name in sorted(suffix_duplicates(found, order).items()):
        text = f"row {number[row]}: {found[row]!r} occurs again; renamed"
        issues.append(Issue("WARNING", "ID_DUPLICATE", "addresses", name, text))
        found[row] = name
    return found, issues


def _without_offset(given: _Columns, system: str, path: str) -> tuple[_Columns, list[Issue]]:
    """Longitudes and latitudes of a Chinese web map as those of the earth."""
    known = np.isfinite(given.xy).all(axis=1)
    if known.any() and not looks_like_degrees(given.xy):
        raise CrsError(
            f"its coordinates are no degrees, as those of {system} would be",
            path=path,
            hint=f"State the CRS that they are in with {_OPTION}.",
        )
    xy = from_web_map(given.xy, system)
    zero = (given.xy == 0).all(axis=1)
    xy[zero] = 0.0
    text = f"the offset of {system} was taken back"
    issues = [Issue("INFO", "OFFSET_REMOVED", "addresses", "", text)]
    return given._replace(xy=xy), issues


def _into(
    target: Any, given: _Columns, names: list[str], path: str, crs: str, source_crs: str
) -> tuple[FloatArray, list[Issue]]:
    """Places in the working CRS; NaN, with an issue, for those that cannot be one."""
    xy = given.xy.copy()
    xy[~np.isfinite(xy).all(axis=1)] = np.nan
    zero = (xy == 0).all(axis=1)
    xy[zero] = np.nan
    told = source_crs or ("" if given.stated_crs else crs)
    source, issues = source_of(
        given.stated_crs, told, xy, path=path, table="addresses", option=_OPTION
    )
    if not source_crs and not given.stated_crs and looks_like_degrees(xy):
        raise CrsError(
            "its coordinates look like degrees, the working CRS is in metres",
            path=path,
            hint=f"State their CRS: {_OPTION} EPSG:4490 for CGCS2000.",
        )
    boxes = np.hstack([xy, xy])
    outside = check_place(boxes, source, target, path=path, option=_OPTION)
    moved = reproject(xy, source, target)
    if moved is not xy:
        text = f"from {source.name} to {target.name}"
        issues.append(Issue("INFO", "REPROJECTED", "addresses", "", text))
    for reason, rows in (
        ("are 0, 0", zero),
        (f"lie outside the area of {target.name}", outside),
    ):
        for row in np.flatnonzero(rows).tolist():
            text = f"row {given.rows[row]}: the coordinates {reason}; kept without a place"
            issues.append(Issue("WARNING", "COORD_SUSPECT", "addresses", names[row], text))
    moved = np.where(outside[:, None] | ~np.isfinite(moved), np.nan, moved)
    return moved, issues
