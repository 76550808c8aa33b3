"""Clean footprints: repair what is cosmetic, set aside what is not, say which.

Rules F1-F3 and F6-F8: an outline is accepted if it is, or has one obvious reading as, a single
polygon of sensible size. Nothing is dropped silently: the rows accepted and the issues of
severity ERROR add up to the features plus the issues ``MULTIPART_SPLIT``, one a further part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from cimkit.errors import CrsError, InputError, ParameterError
from cimkit.limits import COORDINATE_MAX, FOOTPRINT_VERTICES_MAX
from cimkit.steps.rings import (
    GRID_M,
    TOUCH_GAP_M,
    drop_needless_vertices,
    part_touching_rings,
    to_grid,
)
from cimkit.tables.footprints import Footprints
from cimkit.tables.identifiers import suffix_duplicates
from cimkit.tables.issue import Issue, Severity
from cimkit.tables.rawfootprints import RawFootprints

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cimkit.tables._columns import IntArray

AREA_MIN_M2 = 1.0
"""Smaller outlines are digitising crumbs."""

THINNESS_MIN = 1e-3
"""Of 4 pi area / perimeter^2, 1 for a disc; a strip 3,000 times longer than wide has this."""

AREA_CHANGE_MAX = 0.01
"""Share of the area that the repair of a self-crossing ring may change."""


def clean(raw: Any, *, on_duplicate: str = "suffix") -> tuple[Footprints, list[Issue]]:
    """Turn raw features into footprints that every later step can rely on.

    Each accepted footprint is one valid polygon on the millimetre grid, of at least
    `AREA_MIN_M2`, whose rings do not touch. Z and M of vertices are dropped.

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
        ``AREA_ZERO``, ``AREA_SMALL``, ``SLIVER``, ``RING_SELF_CROSS``.
        WARNING, kept: ``RING_SELF_CROSS`` repaired, ``ID_DUPLICATE``, ``ID_INVALID``.
        INFO, kept: ``RING_CLEANED``, ``RING_TOUCHES``, ``MULTIPART_SPLIT``.

    Raises
    ------
    InputError
        With ``on_duplicate="error"``, naming the first ten doubled identifiers.
    CrsError
        If a GeoDataFrame is in degrees.
    ParameterError
        If `raw` or `on_duplicate` is something else.

    Notes
    -----
    Self-crossing rings go through the structure method of `shapely.make_valid`: accepted if one
    polygon results whose area differs from that of the rings by at most `AREA_CHANGE_MAX`;
    crumbs below `AREA_MIN_M2` that fall off count as change. Needless vertices and touching
    rings: `cimkit.steps.rings`.

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
    polygons, notes = _repair_all(polygons, names)
    issues += notes
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
            return (True, (), b"", 0.0, 0.0, row)
        values = np.nan_to_num([raw.height[row], raw.floors[row]], nan=-1.0).tolist()
        return (False, shape.bounds, shapely.normalize(shape).wkb, *values, row)

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


def _repair_all(polygons: NDArray[Any], names: list[str]) -> tuple[NDArray[Any], list[Issue]]:
    """Polygons that keep the promise of `clean`; None for those that cannot."""
    issues: list[Issue] = []

    def note(severity: Severity, code: str, row: int, text: str) -> None:
        issues.append(Issue(severity, code, "footprints", names[row], text))

    polygons, n_removed = drop_needless_vertices(to_grid(polygons))
    collapsed = shapely.is_missing(polygons)
    for row in np.flatnonzero(collapsed).tolist():
        note("ERROR", "AREA_ZERO", row, "its outline encloses nothing; set aside")
    for row in np.flatnonzero((n_removed > 0) & ~collapsed).tolist():
        text = f"{n_removed[row]} vertices removed: duplicate, spike, or on a straight line"
        note("INFO", "RING_CLEANED", row, text)
    for row in np.flatnonzero(~shapely.is_valid(polygons) & ~collapsed).tolist():
        why = shapely.is_valid_reason(polygons[row])
        polygons[row], code, text = _repair(polygons[row])
        note("ERROR" if polygons[row] is None else "WARNING", code, row, f"{text} ({why})")
    for row, parted in sorted(part_touching_rings(polygons).items()):
        before, after = polygons[row], to_grid(np.array([parted]))[0]
        if after.is_valid and after.geom_type == "Polygon":
            polygons[row] = after
            text = f"rings touch; {TOUCH_GAP_M * 100:g} cm of wall put between them, "
            note("INFO", "RING_TOUCHES", row, text + f"{after.area - before.area:+.4f} m2")
        else:
            polygons[row] = None
            note("ERROR", "RING_TOUCHES", row, "rings touch and cannot be parted; set aside")
    area, thinness = shapely.area(polygons), _thinness(polygons)
    for row in np.flatnonzero(area < AREA_MIN_M2).tolist():
        note("ERROR", "AREA_SMALL", row, f"{area[row]:.3f} m2 is no building; set aside")
    for row in np.flatnonzero((thinness < THINNESS_MIN) & (area >= AREA_MIN_M2)).tolist():
        text = f"{area[row]:.1f} m2 within {shapely.length(polygons[row]):.1f} m of outline"
        note("ERROR", "SLIVER", row, f"{text}; set aside")
    polygons[(area < AREA_MIN_M2) | (thinness < THINNESS_MIN)] = None
    return polygons, issues


def _repair(polygon: Any) -> tuple[Any, str, str]:
    """The one reading of a self-crossing outline or None, the issue code, and what was done."""
    before = polygon.area
    try:
        fixed = shapely.make_valid(polygon, method="structure", keep_collapsed=False)
        parts = shapely.get_parts(fixed)
        large = parts[shapely.area(parts) >= AREA_MIN_M2]
        if len(large) == 1:
            large = to_grid(shapely.get_parts(shapely.set_precision(large[0], GRID_M)))
    except shapely.GEOSException:
        return None, "RING_SELF_CROSS", "its rings cross and cannot be untangled; set aside"
    areas = shapely.area(large)
    if not shapely.area(parts).sum() > 0:
        return None, "AREA_ZERO", "its outline encloses nothing; set aside"
    if not len(large):
        return None, "AREA_SMALL", f"below {AREA_MIN_M2:g} m2 is no building; set aside"
    change = abs(areas[0] - before)
    if len(large) > 1 or change > AREA_CHANGE_MAX * before or not large[0].is_valid:
        found = " + ".join(f"{area:.2f}" for area in areas[:5].tolist())
        text = f"its rings cross: {before:.2f} m2 as drawn, {found} m2 if untangled; set aside"
        return None, "RING_SELF_CROSS", text
    return large[0], "RING_SELF_CROSS", f"untangled, area changed by {change:.4f} m2"


def _thinness(polygons: NDArray[Any]) -> NDArray[np.float64]:
    """4 pi area / perimeter^2; NaN for None."""
    return np.asarray(4 * np.pi * shapely.area(polygons) / shapely.length(polygons) ** 2)
