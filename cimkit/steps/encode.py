"""Give every building its permanent code (编码赋码)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import shapely
from pyproj import CRS, Transformer

from cimkit.codes.beidou import beidou_code
from cimkit.codes.uic21 import SERIAL_MAX, mint
from cimkit.errors import CrsError, LimitError
from cimkit.tables import Footprints, Issue
from cimkit.tables._columns import TEXT, IntArray, TextArray, texts
from cimkit.tables.coderecords import ACTIVE, RESERVED, RETIRED, CodeRecords
from cimkit.tables.coerce import as_footprints

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

UNKNOWN_COUNTY, UNKNOWN_TOWNSHIP, LOCAL_CLASS = "000000", "000", "990100"

SAME_IOU = 0.5
"""Intersection over union from which two outlines are the same building (standards.md 8.2)."""

SAME_ID_SHARE = 0.25
"""Share of the smaller outline that must be common where the identifier speaks for the same
building: neighbours may overlap a little, and feature numbers move from one to the next."""

STEADY_DIGITS = 9
"""Decimals of degrees (0.1 mm) and of shares that count: rounding errors must not decide."""


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
    """

    codes: TextArray
    fresh: CodeRecords
    retired: TextArray
    issues: list[Issue]


def encode(
    footprints: Footprints | gpd.GeoDataFrame,
    known: CodeRecords,
    *,
    county: str | TextArray = UNKNOWN_COUNTY,
    township: str | TextArray = UNKNOWN_TOWNSHIP,
    class_code: str = LOCAL_CLASS,
) -> Encoding:
    """Keep the codes of known buildings, give new buildings new ones, retire what has vanished.

    Parameters
    ----------
    footprints : Footprints, or GeoDataFrame with `building_id`
        All buildings of this build, with a CRS.
    known : CodeRecords
        All codes ever given out, as `cimkit.register` reads them; empty at the first build.
    county, township : str, or text array of shape (n_footprints,)
        Segments of new codes, 6 and 3 digits. Old codes stay when a border moves.
    class_code : str
        The third segment, 6 digits.

    Returns
    -------
    Encoding
        Codes, new records, retired codes, issues.

    Raises
    ------
    CrsError
        If the footprints have no CRS, or the known outlines cannot be brought into it.
    LimitError
        If the serial numbers of county, class and township are used up.
    ParameterError
        If a segment is not of its length.

    Notes
    -----
    *Keep*: pairs of outlines with an intersection over union of at least 0.5, the best first, a
    tie to the smaller code, each outline and each code once; then pairs of equal `building_id`
    that share at least a quarter of the smaller outline. Active codes come before retired ones;
    from these a building that reappears gets its own code back. Reserved codes, left by a build
    that died, are never given out.

    *New*: serial numbers above all that were ever used with this county, class and township, in
    the order of the BeiDou grid code of a point on the surface, then of area, then of
    `building_id`.

    *Retire*: active codes that no footprint kept and whose outline lies within the box of the
    present footprints. Those outside may belong to a district that is not built now.

    Neither the order of the footprints nor that of the records matters.

    Examples
    --------
    >>> outlines = [shapely.box(500000 + x, 3300000, 500008 + x, 3300008) for x in (0, 50)]
    >>> city = Footprints.from_polygons(["a", "b"], outlines, crs="EPSG:4546")
    >>> first = encode(city, CodeRecords.empty(), county="421002", township="001")
    >>> first.codes.tolist()
    ['421002990100001000001', '421002990100001000002']
    """
    city = as_footprints(footprints)
    if not city.crs:
        raise CrsError(
            "have no CRS", where="footprints", hint="Name it: codes follow the place."
        )
    known, polygons = known.to_crs(city.crs), city.polygons()
    record_of = _match(city.building_id, polygons, known)
    rows = np.flatnonzero(record_of < 0)
    rows = rows[_spatial_order(city.building_id[rows], polygons[rows], city.crs)]
    counties, townships = (
        np.broadcast_to(np.asarray(part, dtype=TEXT), len(city)) for part in (county, township)
    )
    new, rows = _new_codes(known.code, rows, counties[rows], townships[rows], class_code)
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
    issues = _division_issue(bool((counties == UNKNOWN_COUNTY).all()))
    return Encoding(codes, fresh, _vanished(known, record_of, city), issues)


def _new_codes(
    known: TextArray, rows: IntArray, county: TextArray, township: TextArray, class_code: str
) -> tuple[TextArray, IntArray]:
    """Codes of new buildings, rising, and their rows: serial numbers go on in each township."""
    prefixes = [
        mint(*parts, 1)[:-6]
        for parts in zip(
            county.tolist(), [class_code] * len(rows), township.tolist(), strict=True
        )
    ]
    start = _last_serials(known, set(prefixes))
    serial = dict(start)
    numbers = []
    for prefix in prefixes:
        serial[prefix] += 1
        numbers.append(serial[prefix])
    for prefix, last in serial.items():
        if last > SERIAL_MAX:
            raise LimitError(
                f"{last - start[prefix]:,} new buildings after serial {start[prefix]:,} of "
                f"county {prefix[:6]}, class {prefix[6:12]}, township {prefix[12:]}: 6 digits "
                "are used up. Name another township or class_code."
            )
    codes = [f"{p}{number:06d}" for p, number in zip(prefixes, numbers, strict=True)]
    order = sorted(range(len(codes)), key=codes.__getitem__)
    return texts("code", (codes[k] for k in order)), rows[order]


def _match(building_id: TextArray, polygons: NDArray[Any], known: CodeRecords) -> IntArray:
    """Record of each footprint, -1 for none: the best pairs first, each side once."""
    row, record, iou, share = _overlaps(building_id, polygons, known)
    same_id = (building_id[row] == known.building_id[record]) & (share >= SAME_ID_SHARE)
    best_first = np.lexsort((building_id[row], known.code[record], -iou))
    record_of = np.full(len(polygons), -1, dtype=np.int64)
    taken = np.zeros(len(known), dtype=np.bool_)
    for state in (ACTIVE, RETIRED):
        for agree in (iou >= SAME_IOU, same_id):
            usable = agree & (known.state[record] == state)
            pairs = best_first[usable[best_first]]
            for i, j in zip(row[pairs].tolist(), record[pairs].tolist(), strict=True):
                if record_of[i] < 0 and not taken[j]:
                    record_of[i], taken[j] = j, True
    return record_of


def _overlaps(
    building_id: TextArray, polygons: NDArray[Any], known: CodeRecords
) -> tuple[IntArray, IntArray, NDArray[np.float64], NDArray[np.float64]]:
    """Pairs of footprint and record that may be one building, with IoU and common share.

    Boxes alone rule out most neighbours: the common area is at most that of the common box.
    """
    usable = np.flatnonzero(known.state != RESERVED)
    outlines = known.polygons[usable]
    broken = ~shapely.is_valid(outlines)
    outlines[broken] = shapely.make_valid(
        outlines[broken], method="structure", keep_collapsed=False
    )
    row, near = shapely.STRtree(outlines).query(polygons)
    a, b = shapely.area(polygons)[row], shapely.area(outlines)[near]
    box, other = shapely.bounds(polygons)[row], shapely.bounds(outlines)[near]
    sides = np.minimum(box[:, 2:], other[:, 2:]) - np.maximum(box[:, :2], other[:, :2])
    at_most = np.minimum(np.minimum(a, b), sides.prod(axis=1)) / np.maximum(a, b)
    possible = np.round(at_most, STEADY_DIGITS) >= SAME_IOU
    kept = possible | (building_id[row] == known.building_id[usable[near]])
    row, near, a, b = row[kept], near[kept], a[kept], b[kept]
    common = shapely.area(shapely.intersection(polygons[row], outlines[near]))
    iou = np.round(common / (a + b - common), STEADY_DIGITS)
    share = np.round(common / np.minimum(a, b), STEADY_DIGITS)
    return row, usable[near], iou, share


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


def _last_serials(codes: TextArray, prefixes: set[str]) -> dict[str, int]:
    """Largest serial number ever used with each prefix, in any state; 0 for none."""
    last = dict.fromkeys(sorted(prefixes), 0)
    for code in codes.tolist():
        if code[:-6] in last:
            last[code[:-6]] = max(last[code[:-6]], int(code[-6:]))
    return last


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
