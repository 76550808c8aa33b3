"""Give every building its permanent code (编码赋码)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import shapely
from pyproj import CRS, Transformer

from cimkit.codes.beidou import beidou_code
from cimkit.codes.numbering import Numbering, building_numbering, next_codes
from cimkit.errors import CrsError
from cimkit.steps.succession import (
    STEADY_DIGITS,
    Descent,
    descent,
    find_overlaps,
    match,
)
from cimkit.tables import Footprints, Issue
from cimkit.tables._columns import TEXT, IntArray, TextArray
from cimkit.tables.coderecords import ACTIVE, RESERVED, CodeRecords, Lineage
from cimkit.tables.coerce import as_footprints

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray


class Encoding(NamedTuple):
    """Result of `encode`.

    Attributes
    ----------
    codes : text array, shape (n_footprints,)
        Code of each building, in the order of the footprints.
    fresh : CodeRecords
        The new codes among them, reserved, in rising order.
    retired : text array
        Active codes whose building has vanished, in rising order.
    issues : list of Issue
        ``DIVISION_UNKNOWN`` where the codes are local.
    lineage : Lineage
        Buildings that came from known ones whose codes they do not bear.
    """

    codes: TextArray
    fresh: CodeRecords
    retired: TextArray
    issues: list[Issue]
    lineage: Lineage


def encode(
    footprints: Footprints | gpd.GeoDataFrame,
    known: CodeRecords,
    *,
    division: str | TextArray = "",
    numbering: Numbering | None = None,
) -> Encoding:
    """Keep the codes of known buildings, give new buildings new ones, retire what has vanished.

    Parameters
    ----------
    footprints : Footprints, or GeoDataFrame with `building_id`
        All buildings of this build, with a CRS.
    known : CodeRecords
        All codes ever given out, as `cimkit.register` reads them; empty at the first build.
    division : str, or text array of shape (n_footprints,)
        Code of the county, township or community of each building, 6, 9 or 12 digits; "" where
        it is not known. Old codes stay when a border moves.
    numbering : Numbering, optional
        How new codes are counted: `cimkit.codes.numbering.building_numbering` by default, with
        a class that marks them as local.

    Returns
    -------
    Encoding
        Codes, new records, retired codes, issues.

    Raises
    ------
    CrsError
        If the footprints have no CRS, or the known outlines cannot be brought into it.
    LimitError
        If the digits of the number are used up.

    Notes
    -----
    *Keep*: pairs of outlines with an intersection over union of at least 0.5, the best first, a
    tie to the smaller code, each outline and each code once. Then splits and merges: where two
    or more parts lie in a whole to 80 % and cover 80 % of it, the largest part bears the code
    of what was split, and what was merged the code of its largest part; `lineage` says what
    the others came from. Then pairs of equal `building_id` that share at least a quarter of
    the smaller outline. Active codes come before retired ones;
    from these a building that reappears gets its own code back. Reserved codes, left by a build
    that died, are never given out.

    *New*: numbers above all that were ever used between the same texts, which county, class and
    township give, in the order of the BeiDou grid code of a point on the surface, then of area,
    then of `building_id`.

    *Retire*: active codes that no footprint kept and whose outline lies within the box of the
    present footprints. Those outside may belong to a district that is not built now.

    Neither the order of the footprints nor that of the records matters.

    Examples
    --------
    >>> outlines = [shapely.box(500000 + x, 3300000, 500008 + x, 3300008) for x in (0, 50)]
    >>> city = Footprints.from_polygons(["a", "b"], outlines, crs="EPSG:4546")
    >>> first = encode(city, CodeRecords.empty(), division="421002001")
    >>> first.codes.tolist()
    ['421002990100001000001', '421002990100001000002']
    """
    city = as_footprints(footprints)
    if not city.crs:
        raise CrsError(
            "have no CRS", where="footprints", hint="Name it: codes follow the place."
        )
    known, polygons = known.to_crs(city.crs), city.polygons()
    pairs = find_overlaps(city.building_id, polygons, known)
    record_of = match(city.building_id, len(city), known, pairs)
    rows = np.flatnonzero(record_of < 0)
    rows = rows[_spatial_order(city.building_id[rows], polygons[rows], city.crs)]
    divisions = np.broadcast_to(np.asarray(division, dtype=TEXT), len(city))
    counted = numbering or building_numbering()
    new = next_codes(counted, known.code.tolist(), divisions[rows].tolist())
    order = np.argsort(new.astype(object), kind="stable")
    new, rows = new[order], rows[order]
    codes = np.empty(len(city), dtype=TEXT)
    codes[record_of >= 0] = known.code[record_of[record_of >= 0]]
    codes[rows] = new
    fresh = CodeRecords(
        new,
        city.building_id[rows],
        np.full(len(new), RESERVED, dtype=TEXT),
        polygons[rows],
        city.crs,
    )
    issues = _division_issue(counted.uses_division and bool((divisions == "").all()))
    retired = _vanished(known, record_of, city)
    lineage = _lineage(codes, known, descent(known, pairs, record_of))
    return Encoding(codes, fresh, retired, issues, lineage)


def ancestry(footprints: Footprints, codes: TextArray, known: CodeRecords) -> Lineage:
    """What buildings came from whose codes stand already, but are not active in the register.

    Parameters
    ----------
    footprints : Footprints
    codes : text array, shape (n_footprints,)
        As `encode` gave them, with `known` as it is now.
    known : CodeRecords

    Returns
    -------
    Lineage
        That of the same `encode`.
    """
    known = known.to_crs(footprints.crs)
    usable = np.flatnonzero(known.state != RESERVED)
    number = dict(zip(known.code[usable].tolist(), usable.tolist(), strict=True))
    record_of = np.array([number.get(code, -1) for code in codes.tolist()], dtype=np.int64)
    pairs = find_overlaps(footprints.building_id, footprints.polygons(), known)
    return _lineage(codes, known, descent(known, pairs, record_of))


def _lineage(codes: TextArray, known: CodeRecords, found: Descent) -> Lineage:
    """Codes of today and those that they came from."""
    kind = np.array(found.kind, dtype=TEXT)
    return Lineage(codes[found.row], known.code[found.record], kind)


def _spatial_order(building_id: TextArray, polygons: NDArray[Any], crs: str) -> IntArray:
    """Order of buildings by grid code, area and identifier.

    Degrees are those of the datum of the CRS itself, which is CGCS2000 in China: no shift
    between datums, better or worse by the grid files that a machine has, can change the order.
    """
    projected = CRS(crs).to_2d()
    to_degrees = Transformer.from_crs(projected, projected.geodetic_crs, always_xy=True)
    inside = shapely.get_coordinates(shapely.point_on_surface(polygons))
    # As lists: pyproj takes an array of one place for a single number, and NumPy warns.
    lon, lat = to_degrees.transform(*inside.T.tolist())
    cell = beidou_code(np.round(lon, STEADY_DIGITS), np.round(lat, STEADY_DIGITS))
    order: IntArray = np.lexsort((building_id, shapely.area(polygons), cell))
    return order


def _vanished(known: CodeRecords, record_of: IntArray, city: Footprints) -> TextArray:
    """Active codes that no footprint kept, within the box of the footprints."""
    if city.total_bounds is None:
        return np.empty(0, dtype=TEXT)
    xmin, ymin, xmax, ymax = city.total_bounds
    box = shapely.bounds(known.polygons)
    within = ((box[:, :2] >= (xmin, ymin)) & (box[:, 2:] <= (xmax, ymax))).all(axis=1)
    kept = np.zeros(len(known), dtype=np.bool_)
    kept[record_of[record_of >= 0]] = True
    return np.sort(known.code[(known.state == ACTIVE) & within & ~kept])


def _division_issue(is_unknown: bool) -> list[Issue]:
    """One row where the codes cannot be told from those of another county."""
    if not is_unknown:
        return []
    message = (
        "no division given: new codes begin with county 000000 and are local to this register. "
        "Give the county or township (--division 421002001) before you hand codes out."
    )
    return [Issue("WARNING", "DIVISION_UNKNOWN", "city", "", message)]
