"""What a file holds and how cimkit would read it, before anything is built."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from cimkit.errors import FormatError, InputError
from cimkit.job import AUTO
from cimkit.read.city import open_city
from cimkit.read.cloud_crs import cloud_crs, cloud_units
from cimkit.read.columns import find_columns, numbers
from cimkit.read.copc import is_copc, read_octree
from cimkit.read.crs import looks_like_degrees, parse_crs
from cimkit.read.delimited import SUFFIXES, open_delimited, read_columns
from cimkit.read.footprints import choose_identifiers
from cimkit.read.formats import GEODATABASE, SPREADSHEETS, check_format, local_file
from cimkit.read.las_header import probe_las
from cimkit.read.spreadsheet import list_sheets, open_sheet, read_sheet
from cimkit.read.terrain import SUFFIXES as RASTERS
from cimkit.read.terrain import describe_dem
from cimkit.read.vector import POINTS, POLYGONS, list_layers, open_layer, read_layer
from cimkit.tables.issue import Issue, count_issues

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from cimkit.tables._columns import FloatArray

FOOTPRINT_ROLES = ("building id", "height", "floors", "label")
ADDRESS_ROLES = ("address id", "address text", "building")


def describe(path: str | Path) -> dict[str, Any]:
    r"""Facts of a vector file, a table, a LAS or LAZ file, or a city folder.

    Geometries and rows are read to the end, so that damage shows; of a point cloud only the
    header is. Of attributes only the columns that a build would take are read.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict
        ``path``, ``kind`` and what belongs to the kind, as JSON can hold it; None where a file
        does not say. ``as_footprints`` and ``as_addresses`` name the column that would be taken
        for each role, by the usual names. ``notes`` are the messages of the reader.

    Raises
    ------
    InputError
        The file is damaged, or of no kind that is read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "doors.csv")
    ...     _ = path.write_text("门牌,标准地址,x,y\n1,学院路1号,500000,3400000\n", "utf-8")
    ...     facts = describe(path)
    >>> facts["rows"], facts["as_addresses"]["address text"]
    (1, '标准地址')
    """
    file = Path(path)
    if file.is_dir() and file.suffix.lower() != GEODATABASE:
        facts = _city(file)
    elif file.suffix.lower() in (".las", ".laz"):
        facts = _cloud(file)
    elif file.suffix.lower() in SUFFIXES:
        facts = _table(local_file(str(path)))
    elif file.suffix.lower() in RASTERS:
        dem = describe_dem(str(path))
        facts = {"kind": "elevation model", **dem, **_crs(dem["crs"], file)}
    elif file.suffix.lower() in SPREADSHEETS:
        facts = _workbook(local_file(str(path)))
    else:
        facts = _vector(local_file(str(path)))
    return {"path": str(path), **facts}


def _city(folder: Path) -> dict[str, Any]:
    """What the manifest of a finished city says."""
    city = open_city(folder)
    return {
        "kind": "city",
        **_crs(city.crs, folder),
        "counts": city.counts,
        "issues": city.manifest["issues"],
    }


def _cloud(file: Path) -> dict[str, Any]:
    """Header of a LAS or LAZ file, checked against the file, without decoding a point."""
    header = probe_las(file)
    units = cloud_units(header)
    east, north = ((header.high[axis] - header.low[axis]) * units.xy_metres for axis in (0, 1))
    area = east * north
    kind = f"{'LAZ' if header.compressed else 'LAS'} {header.version}"
    if is_copc(header):
        read_octree(header)  # damage shows
        kind = f"COPC ({kind})"
    return {
        "kind": "point cloud",
        "format": f"{kind}, point format {header.point_format}",
        "points": header.n_points,
        "points_per_m2": round(header.n_points / area, 2) if area else None,
        **_crs(cloud_crs(header), file),
        "units": [units.xy, units.z],
        "bounds": _bounds(np.array([header.bounds])) if header.n_points else None,
        "heights": [round(header.low[2], 3), round(header.high[2], 3)],
    }


def _table(file: Path) -> dict[str, Any]:
    """A table of delimited text, as addresses would be read from it."""
    table, issues = open_delimited(file)
    roles = _roles(table.columns, (*ADDRESS_ROLES, "x", "y"), file)
    values, rows, found = read_columns(table, sorted({name for name in roles.values() if name}))
    return {
        "kind": "table",
        "text_encoding": table.encoding,
        "delimiter": table.delimiter,
        **_rows(values, len(rows), table.columns, roles, issues + found),
    }


def _workbook(file: Path) -> dict[str, Any]:
    """The sheets of a workbook, as addresses would be read from them."""
    sheets = []
    for name in list_sheets(file):
        try:
            sheet = open_sheet(file, name)
        except FormatError:
            raise
        except InputError:  # an empty one
            sheets.append({"layer": name, "rows": 0})
            continue
        roles = _roles(sheet.columns, (*ADDRESS_ROLES, "x", "y"), file)
        wanted = sorted({column for column in roles.values() if column})
        values, rows, found = read_sheet(sheet, wanted)
        facts = _rows(values, len(rows), sheet.columns, roles, found)
        sheets.append({"layer": name, **facts})
    return {"kind": "workbook", "format": "XLSX", "layers": sheets}


def _rows(
    values: Mapping[str, list[str]],
    n: int,
    columns: Sequence[str],
    roles: dict[str, str | None],
    issues: list[Issue],
) -> dict[str, Any]:
    """Rows of a table without geometry: their places, columns and roles."""
    xy = np.empty((0, 2))
    if roles["x"] and roles["y"]:
        xy = np.column_stack([numbers(values[roles["x"]]), numbers(values[roles["y"]])])
    notes = _notes(issues)
    if looks_like_degrees(xy):
        notes.append("x and y look like degrees: state their CRS with --addresses-crs")
    return {
        "rows": n,
        "bounds": _bounds(np.hstack([xy, xy])),
        "columns": list(columns),
        "as_addresses": roles,
        "notes": notes,
    }


def _vector(file: Path) -> dict[str, Any]:
    """The layers of a vector file."""
    driver, issues = check_format(file), list[Issue]()
    layers = [_layer(file, *layer, issues) for layer in list_layers(file, driver)]
    return {"kind": "vector", "format": driver, "layers": layers, "notes": _notes(issues)}


def _layer(file: Path, name: str, kind: str, n: int, issues: list[Issue]) -> dict[str, Any]:
    """One layer; what its reader remarks is added to the issues."""
    if not n or not kind:
        return {"layer": name, "features": n, "geometry": {}}
    layer, found = open_layer(str(file), name, (kind,))
    issues += found
    candidates = find_columns(layer.columns, AUTO, "building id", str(file))
    geometry, values, found = read_layer(layer, candidates)
    issues += found
    types = _geometry_types(geometry)
    roles = {
        use: _roles(layer.columns, parts, file)
        for use, parts, kinds in (
            ("as_footprints", FOOTPRINT_ROLES, POLYGONS),
            ("as_addresses", ADDRESS_ROLES, POINTS),
        )
        if any(part in found_type for found_type in types for part in kinds)
    }
    if "as_footprints" in roles:
        roles["as_footprints"]["building id"] = _first_usable(values, candidates, n)
    return {
        "layer": name,
        "features": n,
        "geometry": types,
        **_crs(layer.crs, file),
        "bounds": _bounds(shapely.bounds(geometry)),
        "text_encoding": layer.encoding or "utf-8",
        "columns": list(layer.columns),
        **roles,
    }


def _roles(columns: Sequence[str], roles: Sequence[str], file: Path) -> dict[str, str | None]:
    """The column that would be taken for each role, None where no usual name is found."""
    chosen = {role: find_columns(columns, AUTO, role, str(file)) for role in roles}
    return {role: found[0] if found else None for role, found in chosen.items()}


def _first_usable(
    values: dict[str, NDArray[Any]], candidates: Sequence[str], n: int
) -> str | None:
    """The first column that tells the features apart; None leaves them to their numbers."""
    usable = (name for name in candidates if not choose_identifiers(values, [name], n, AUTO)[1])
    return next(usable, None)


def _geometry_types(geometry: NDArray[Any]) -> dict[str, int]:
    """Features of each geometry type, the commonest first."""
    types = Counter("none" if shape is None else shape.geom_type for shape in geometry)
    return dict(sorted(types.items(), key=lambda item: (-item[1], item[0])))


def _crs(text: str, file: Path) -> dict[str, str | None]:
    """Code of a CRS as it is stated, in the form of ``--crs``, and its name."""
    if not text:
        return {"crs": None, "crs_name": None}
    stated = parse_crs(text, path=str(file)).to_json_dict()
    parts = [stated] if "id" in stated else stated.get("components", [])
    codes = [str(part["id"]["code"]) for part in parts if _is_epsg(part)]
    whole = bool(codes) and len(codes) == len(parts)
    return {"crs": f"EPSG:{'+'.join(codes)}" if whole else None, "crs_name": stated["name"]}


def _is_epsg(part: dict[str, Any]) -> bool:
    return bool(part.get("id", {}).get("authority") == "EPSG")


def _bounds(boxes: FloatArray) -> list[float] | None:
    """(xmin, ymin, xmax, ymax) of all boxes that are finite; None without one."""
    boxes = boxes[np.isfinite(boxes).all(axis=1)]
    if not len(boxes):
        return None
    box = [*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist()]
    digits = 7 if max(map(abs, box)) <= 360 else 3  # degrees, or metres
    return [round(value, digits) for value in box]


def _notes(issues: list[Issue]) -> list[str]:
    """Messages, each code once, with how often it occurs."""
    first = {issue.code: issue.message for issue in reversed(issues)}
    counts = count_issues(issues)
    return [
        first[code] + (f" (and {n - 1:,} more)" if n > 1 else "") for code, n in counts.items()
    ]
