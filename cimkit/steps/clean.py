"""Clean footprints: repair what is cosmetic, set aside what is not, say which.

An outline is accepted if it is, or has one obvious reading as, a single polygon of sensible
size (`cimkit.steps.repair`) that no other footprint repeats (`cimkit.steps.overlaps`). Nothing
is dropped silently: the rows accepted and the issues of severity ERROR add up to the features
plus the issues ``MULTIPART_SPLIT``, one a further part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from cimkit.errors import CrsError, InputError, ParameterError
from cimkit.limits import COORDINATE_MAX, FOOTPRINT_VERTICES_MAX
from cimkit.steps.overlaps import settle_overlaps
from cimkit.steps.repair import repair
from cimkit.tables.footprints import Footprints
from cimkit.tables.identifiers import suffix_duplicates
from cimkit.tables.issue import Issue
from cimkit.tables.rawfootprints import RawFootprints

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cimkit.tables._columns import IntArray


def clean(raw: Any, *, on_duplicate: str = "suffix") -> tuple[Footprints, list[Issue]]:
    """Turn raw features into footprints that every later step can rely on.

    Each accepted footprint is one valid polygon on the millimetre grid, of at least a square
    metre, whose rings do not touch. Z and M of vertices are dropped.

    Parameters
    ----------
    raw : RawFootprints or GeoDataFrame
        A GeoDataFrame may have columns `building_id`, `height`, `floors`, `source_row`,
        `label`; its coordinates must be metres.
    on_duplicate : {"suffix", "error"}
        Rows that share an identifier become ``id``, ``id~2``, ``id~3`` from west to east
        (south first where equal),
        whatever their order in the file; or they are an error.

    Returns
    -------
    footprints : Footprints
        Sorted by length, then text of `building_id`. The parts of a multipart feature are
        ``id#1``, ``id#2``, in the order of their south-west corners.
    issues : list of Issue
        ERROR, set aside: ``GEOM_TYPE_SKIPPED``, ``COORD_NOT_FINITE``, ``VERTICES_TOO_MANY``,
        ``AREA_ZERO``, ``AREA_SMALL``, ``SLIVER``, ``RING_SELF_CROSS``, ``RING_TANGLED``,
        ``RING_TOUCHES``, ``HOLE_CROSSES``, ``FOOTPRINT_DUPLICATE``.
        WARNING, kept: ``RING_SELF_CROSS``, ``HOLE_CROSSES``, ``HOLE_OUTSIDE``, ``HOLE_MERGED``
        repaired, ``FOOTPRINT_OVERLAP``, ``ID_DUPLICATE``, ``ID_INVALID``.
        INFO, kept: ``RING_CLEANED``, ``RING_TOUCHES``, ``MULTIPART_SPLIT``,
        ``FOOTPRINT_NESTED``.

    Raises
    ------
    InputError
        With ``on_duplicate="error"``, naming the first ten doubled identifiers.
    CrsError
        If a GeoDataFrame is in degrees.
    LimitError
        If the footprints lie on each other by the hundred.
    ParameterError
        If `raw` or `on_duplicate` is something else.

    Notes
    -----
    Self-crossing rings go through the structure method of `shapely.make_valid`: accepted if one
    polygon results whose area differs from that of the rings by at most 1 %; crumbs below a
    square metre that fall off count as change. Needless vertices and touching
    rings: `cimkit.steps.rings`. Duplicates and overlaps: `cimkit.steps.overlaps`.

    Vertices that neighbours share stay shared: all are rounded alike, and none is moved farther
    than that without an issue.

    Examples
    --------
    >>> import geopandas as gpd
    >>> bow_tie = shapely.Polygon([(0, 0), (9, 9), (9, 0), (0, 9)])
    >>> frame = gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 4, 4), bow_tie])
    >>> footprints, issues = clean(frame)
    >>> footprints.building_id.tolist(), [issue[:4] for issue in issues]
    (['0'], [('ERROR', 'RING_SELF_CROSS', 'footprints', '1')])
    """
    if on_duplicate not in ("suffix", "error"):
        raise ParameterError(f"on_duplicate: 'suffix' or 'error', not {on_duplicate!r}")
    raw = _as_raw(raw)
    shapes, issues_of_row = _screen(raw.geometry)
    names, issues = _names(raw, shapes, on_duplicate)
    issues += [
        Issue("ERROR", code, "footprints", names[row], text)
        for row, (code, text) in sorted(issues_of_row.items())
    ]
    polygons, row_of_polygon, names, notes = _split(shapes, names)
    issues += notes
    polygons, notes = repair(polygons, names)
    issues += notes
    issues += settle_overlaps(polygons, names)
    accepted = np.flatnonzero(~shapely.is_missing(polygons))
    accepted = np.array(
        sorted(accepted.tolist(), key=lambda i: (len(names[i]), names[i])), dtype=np.int64
    )
    rows = row_of_polygon[accepted]
    footprints = Footprints.from_polygons(
        [names[i] for i in accepted],
        polygons[accepted],
        height=raw.height[rows],
        floors=raw.floors[rows],
        source_row=raw.source_row[rows],
        crs=raw.crs,
        label=raw.label[rows],
    )
    return footprints, issues


def _as_raw(raw: Any) -> RawFootprints:
    """Raw footprints from either of the accepted types."""
    if isinstance(raw, RawFootprints):
        return raw
    if hasattr(raw, "geometry") and hasattr(raw, "columns"):
        if raw.crs is not None and raw.crs.is_geographic:
            raise CrsError(
                f"footprints in degrees ({raw.crs.name}) cannot be measured",
                hint="Project them first: frame.to_crs('EPSG:4547').",
            )
        return RawFootprints.from_geopandas(raw)
    raise ParameterError(
        f"raw: RawFootprints or a GeoDataFrame expected, not {type(raw).__name__}"
    )


def _screen(geometry: NDArray[Any]) -> tuple[NDArray[Any], dict[int, tuple[str, str]]]:
    """2D (multi)polygons with finite coordinates; None, with code and reason, for all others.

    First of all checks: NaN passes every filter by boxes.
    """
    shapes = shapely.force_2d(geometry)
    reasons: dict[int, tuple[str, str]] = {}
    kind = shapely.get_type_id(shapes)
    areal = (kind == shapely.GeometryType.POLYGON) | (kind == shapely.GeometryType.MULTIPOLYGON)
    for row in np.flatnonzero(~areal | shapely.is_empty(shapes)).tolist():
        kind_of = "no readable geometry" if shapes[row] is None else shapes[row].geom_type
        reasons[row] = "GEOM_TYPE_SKIPPED", f"{kind_of}, no polygon with an area; set aside"
        shapes[row] = None
    xy, row_of_vertex = shapely.get_coordinates(shapes, return_index=True)
    wrong = ~(np.abs(xy) <= COORDINATE_MAX).all(axis=1)  # NaN compares false
    for row in np.unique(row_of_vertex[wrong]).tolist():
        text = f"a coordinate is no finite number below {COORDINATE_MAX:g} m; set aside"
        reasons[row] = "COORD_NOT_FINITE", text
        shapes[row] = None
    n_vertices = np.bincount(row_of_vertex, minlength=len(shapes))
    for row in np.flatnonzero(n_vertices > FOOTPRINT_VERTICES_MAX).tolist():
        if row not in reasons:
            text = (
                f"{n_vertices[row]:,} vertices, at most {FOOTPRINT_VERTICES_MAX:,}; set aside"
            )
            reasons[row] = "VERTICES_TOO_MANY", text
            shapes[row] = None
    return shapes, reasons


def _names(
    raw: RawFootprints, shapes: NDArray[Any], on_duplicate: str
) -> tuple[list[str], list[Issue]]:
    """A unique identifier for every feature."""
    names, issues = raw.feature_id.tolist(), []
    for row, name in enumerate(names):
        if not name:
            names[row] = str(raw.source_row[row])
            if raw.has_ids:
                text = "identifier missing or unusable; the feature number serves"
                issues.append(Issue("WARNING", "ID_INVALID", "footprints", names[row], text))
    seen: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        seen.setdefault(name, []).append(row)
    doubled = {name: rows for name, rows in seen.items() if len(rows) > 1}
    if doubled and on_duplicate == "error":
        raise InputError(
            f"identifiers of footprints occur more than once, {len(doubled):,} in all: "
            + ", ".join(map(repr, sorted(doubled)[:10])),
            hint="Make them unique, choose another column, or allow suffixes (id~2).",
        )

    def place(row: int) -> tuple[Any, ...]:
        shape = shapes[row]
        if shape is None:
            return (True, (), b"", 0.0, 0.0, "", row)
        values = np.nan_to_num([raw.height[row], raw.floors[row]], nan=-1.0).tolist()
        outline = shapely.normalize(shape).wkb
        return (False, shape.bounds, outline, *values, raw.label[row], row)

    order = [row for name in sorted(doubled) for row in sorted(doubled[name], key=place)]
    for row, name in sorted(suffix_duplicates(names, order).items()):
        text = f"identifier {names[row]!r} occurs again; renamed"
        issues.append(Issue("WARNING", "ID_DUPLICATE", "footprints", name, text))
        names[row] = name
    return names, issues


def _split(
    shapes: NDArray[Any], names: list[str]
) -> tuple[NDArray[Any], IntArray, list[str], list[Issue]]:
    """Single polygons, the feature of each, and their names."""
    parts, row_of_part = shapely.get_parts(shapes, return_index=True)
    there = ~shapely.is_empty(parts)
    parts, row_of_part = parts[there], row_of_part[there]
    corner = shapely.bounds(parts)
    order = np.lexsort((shapely.area(parts), *corner.T[::-1], row_of_part))
    parts, row_of_part = parts[order], row_of_part[order]
    n_parts = np.bincount(row_of_part, minlength=len(shapes))
    number = np.arange(len(parts)) - np.searchsorted(row_of_part, row_of_part) + 1
    multiple = n_parts[row_of_part] > 1
    part_names = [
        f"{names[row]}#{k}" if many else names[row]
        for row, k, many in zip(row_of_part.tolist(), number.tolist(), multiple, strict=True)
    ]
    issues = []
    for part in np.flatnonzero(number > 1).tolist():
        text = f"part {number[part]} of {names[row_of_part[part]]!r}, a footprint of its own"
        issues.append(Issue("INFO", "MULTIPART_SPLIT", "footprints", part_names[part], text))
    whole_first = np.argsort(multiple, kind="stable").tolist()
    for part, name in sorted(suffix_duplicates(part_names, whole_first).items()):
        text = f"identifier {part_names[part]!r} occurs again; renamed"
        issues.append(Issue("WARNING", "ID_DUPLICATE", "footprints", name, text))
        part_names[part] = name
    return parts, row_of_part.astype(np.int64), part_names, issues
