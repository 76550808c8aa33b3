"""Building outlines from vector files, believed in nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from cimkit.job import AUTO
from cimkit.read.columns import find_columns, numbers
from cimkit.read.crs import (
    check_place,
    reproject,
    source_of,
    working_crs,
)
from cimkit.read.encodings import report_mojibake
from cimkit.read.vector import POLYGONS, Layer, open_layer, read_layer
from cimkit.tables.identifiers import tidy_identifiers
from cimkit.tables.issue import Issue, Severity
from cimkit.tables.rawfootprints import RawFootprints

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cimkit.tables._columns import FloatArray, TextArray

HEIGHT_MAX = 1500.0
"""Metres. No building is that high; 9999 and the like stand for "unknown"."""

FLOORS_MAX = 300.0

_OPTION = "footprints_crs"


def read_footprints(
    path: str,
    *,
    layer: str = "",
    id_field: str = AUTO,
    height_field: str = AUTO,
    floors_field: str = AUTO,
    label_field: str = AUTO,
    crs: str,
    source_crs: str = "",
    encoding: str = "",
) -> tuple[RawFootprints, list[Issue]]:
    """Read the features of a footprint layer into the working CRS.

    Parameters
    ----------
    path : str
        A plain local GeoPackage, Shapefile, GeoJSON, FlatGeobuf or GeoParquet file, or a file
        geodatabase (.gdb).
    layer : str
        Needed where several layers hold polygons.
    id_field, height_field, floors_field, label_field : str
        Columns; "auto" finds them by usual names (`cimkit.read.columns.ALIASES`), "" switches
        them off. Of several columns with usual names the first is taken; of identifiers the
        first that identifies.
    crs : str
        Working CRS, projected, in metres; only its horizontal part matters here.
    source_crs : str
        CRS of the coordinates; "" takes what the file states.
    encoding : str
        Of the text of a Shapefile; "" finds it: its ``.cpg`` part, its language byte, UTF-8 or
        GB18030, the first that decodes all.

    Returns
    -------
    raw : RawFootprints
        All features but those that lie far outside; nothing is repaired yet.
    issues : list of Issue
        ``COORD_OUTSIDE`` (ERROR) a feature left out; ``ID_UNUSABLE``, ``VALUE_UNUSABLE``,
        ``ENCODING_GIVEN``, ``ENCODING_DECLARED``, ``ENCODING_GUESSED``, ``REPROJECTED``,
        ``READER_REMARK`` (INFO), ``ENCODING_REPLACED``, ``ENCODING_SUSPECT``,
        ``CRS_OVERRIDDEN`` (WARNING) a file.

    Raises
    ------
    FormatError, EncodingError, CrsError, InputError
        A file that cannot be used at all.
    ParameterError
        An unknown encoding, or one for a format that has its own.
    """
    target = working_crs(crs)
    found, issues = open_layer(path, layer, POLYGONS, encoding)
    names = [*found.columns, *([found.fid_column] if found.fid_column == id_field else [])]
    columns = {
        "building id": find_columns(names, id_field, "building id", path),
        "height": find_columns(names, height_field, "height", path),
        "floors": find_columns(names, floors_field, "floors", path),
        "label": find_columns(names, label_field, "label", path)[:1],
    }
    wanted = list(dict.fromkeys(name for chosen in columns.values() for name in chosen))
    geometry, values, remarks = read_layer(found, wanted)
    issues += remarks
    texts = (text for column in values.values() for text in column if isinstance(text, str))
    issues += report_mojibake("footprints", found.path.name, texts)
    ids, notes = choose_identifiers(values, columns["building id"], len(geometry), id_field)
    issues += notes
    attributes = {}
    for role, limit in (("height", HEIGHT_MAX), ("floors", FLOORS_MAX)):
        attributes[role], notes = _positive(values, columns[role], len(geometry), role, limit)
        issues += notes
    labels = tidy_identifiers(
        values[columns["label"][0]] if columns["label"] else [None] * len(geometry)
    )
    geometry, outside, notes = into_crs(
        target, geometry, found, path, source_crs, "footprints", _OPTION
    )
    issues += notes
    rows = np.flatnonzero(~outside)
    has_ids = bool((ids != "").any())
    for row in np.flatnonzero(outside).tolist():
        name = str(ids[row]) or str(row)
        issues.append(
            Issue(
                "ERROR", "COORD_OUTSIDE", "footprints", name,
                f"feature {row} lies outside the area of {target.name}; left out",
            )
        )  # fmt: skip
    raw = RawFootprints(
        geometry[rows],
        ids[rows],
        attributes["height"][rows],
        attributes["floors"][rows],
        rows,
        has_ids,
        crs,
        labels[rows],
    )
    return raw, issues


def into_crs(
    target: Any,
    geometry: NDArray[Any],
    layer: Layer,
    path: str,
    source_crs: str,
    table: str,
    option: str,
) -> tuple[NDArray[Any], NDArray[np.bool_], list[Issue]]:
    """Geometries in the working CRS, and which of them lie outside of it.

    `table` and `option` name the table, and the key that sets the CRS, in messages.
    """
    bounds = shapely.bounds(geometry)
    source, issues = source_of(
        layer.crs, source_crs, bounds[:, :2], path=path, table=table, option=option
    )
    outside = check_place(bounds, source, target, path=path, option=option)
    xy, row = shapely.get_coordinates(geometry, return_index=True)
    movable = np.ones(len(geometry), dtype=np.bool_)
    movable[row[~np.isfinite(xy).all(axis=1)]] = False  # clean rejects them as they are
    xy = xy[movable[row]]
    moved = reproject(xy, source, target)
    if moved is not xy:
        geometry[movable] = shapely.set_coordinates(geometry[movable], moved)
        text = f"from {source.name} to {target.name}"
        issues.append(Issue("INFO", "REPROJECTED", table, "", text))
    return geometry, outside, issues


def choose_identifiers(
    values: dict[str, NDArray[Any]], columns: list[str], n: int, wanted: str
) -> tuple[TextArray, list[Issue]]:
    """The first column that tells features apart; all "" where none does."""
    filled_enough = n / 2 if wanted == AUTO else 0
    for name in columns:
        ids = tidy_identifiers(values[name].tolist())
        filled = ids[ids != ""].tolist()
        if len(filled) >= filled_enough and (len(set(filled)) > 1 or len(filled) == n == 1):
            return ids, []
    reason = (
        f"{', '.join(columns)}: the same in all features, or mostly empty"
        if columns
        else "no column with a usual name"
    )
    ids = tidy_identifiers([None] * n)
    message = f"{reason}; the feature number serves as building_id"
    severity: Severity = "INFO" if wanted == AUTO else "WARNING"
    return ids, [Issue(severity, "ID_UNUSABLE", "footprints", "", message)]


def _positive(
    values: dict[str, NDArray[Any]], columns: list[str], n: int, role: str, limit: float
) -> tuple[FloatArray, list[Issue]]:
    """Numbers above 0 of the first column found, else NaN, and a count of what was dropped."""
    if not columns:
        return np.full(n, np.nan), []
    written = values[columns[0]]
    column = numbers(written)
    column[~((column > 0) & (column <= limit))] = np.nan
    blank = np.array(
        [value is None or value != value or value == "" for value in written.tolist()]
    )
    dropped = int((np.isnan(column) & ~blank).sum())
    if not dropped:
        return column, []
    message = (
        f"column {columns[0]}: {dropped:,} of {n:,} values are no {role} (0, negative, above "
        f"{limit:g}, or no number); taken as unknown"
    )
    return column, [Issue("INFO", "VALUE_UNUSABLE", "footprints", "", message)]
