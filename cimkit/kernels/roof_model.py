"""Solids of one building from its points: all steps in one kernel.

Planes, lines, partition, labels and solids follow each other without going back to Python,
which took a quarter of the time in a trial. Guards and fallbacks are decided here:

- no roof rises more than 0.4 m above the highest point that lies on one of its planes: where
  it would, a horizontal cap plane and its lines of intersection join the partition, and a cell
  that still rises higher takes its cheapest plane that does not;
- no roof lies lower than 0.5 m above the ground;
- a solid that fails its own checks is made again with lines drawn more coarsely, then with
  dearer regions; then LoD2.2 gives way to LoD1.3, and this to LoD1.2.

Work is bounded by counts (points, planes, lines), never by a clock: the result must not depend
on how busy the machine is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cimkit.kernels._jit import helper, kernel
from cimkit.kernels.cell_complex import insert_segment
from cimkit.kernels.cell_contraction import (
    absorb_thin_cells,
    contract_short_edges,
    flag_thin_cells,
)
from cimkit.kernels.cell_outline import start_complex
from cimkit.kernels.half_edges import (
    COMPLEX_FULL,
    COMPLEX_OK,
    CellComplex,
    new_complex,
)
from cimkit.kernels.roof_labels import (
    LabelRules,
    cell_areas,
    cell_costs,
    height_limits,
    height_range,
    label_cells,
    locate_points,
)
from cimkit.kernels.roof_levels import step_levels
from cimkit.kernels.roof_lines import LineRules, find_roof_lines
from cimkit.kernels.roof_planes import PlaneRules, find_roof_planes, largest_planes
from cimkit.kernels.roof_solid import CORNER_CUT, Solid, make_solid, no_solid

if TYPE_CHECKING:
    from cimkit.tables._columns import FloatArray, WholeArray

POINTS_MAX = 100_000
"""Of one building. More, or more than `DENSITY_MAX`, are thinned."""

HEIGHTS = 524.0
"""Metres above and below the roof at LoD1.2 in which points count: -9999 and the like stand for
"no value", and heights in millimetres must go into 20 bits."""

OWNED_MIN = 0.15
"""Share of the points that lie on planes, below which these are chance: the tip of a spire, a
few points of a crown. Of 160, 5,554 and 3,313 roofs with planes 0, 4 and 6 have less."""

DENSITY_MAX = 40.0
"""Points per m²; roofs gain nothing from more."""

PLANES_MAX, LINES_MAX = 400, 1200
"""Of one building; the largest, the longest. A 300 m hall has fewer."""

MARGIN = 0.4
"""Metres of roof above the highest point on a plane."""

OVER_MAX = 1.0
"""Metres above the highest point of the building that no roof of LoD2.2 reaches."""

LOW_ROOF = 0.5
"""Metres: least height of a roof above the ground."""

EPS, EPS_COARSE, COARSE_CUT = 0.05, 0.10, 0.20
"""Metres: a roof line that passes a vertex so near goes through it; corner cuts then."""

SHORT = 0.02
"""Metres: shorter edges of the partition are contracted; solids would be slivers there."""

THIN_CELL = 0.05
"""Metres: a thinner cell takes the label of the neighbour with the longest common edge."""

BOX, STEPPED, ROOFED = 1, 2, 4
"""Levels that a building reached, as bits: LoD1.2, LoD1.3, LoD2.2."""

CAPPED, COARSE, DEAR, THINNED, FLAT_FIT, NO_PLANE, LOST, CROWDED = 1, 2, 4, 8, 16, 32, 64, 128
"""What had to be done: bits of `RoofModel.notes`."""


class RoofRules(NamedTuple):
    """Parameters of `model_roof`.

    Attributes
    ----------
    planes, lines, labels : NamedTuple
        Of the single steps.
    step : float
        Least difference of height between two parts at LoD1.3, metres.
    quantile : float
        Of a part's points that gives its height at LoD1.3.
    """

    planes: PlaneRules = PlaneRules()
    lines: LineRules = LineRules()
    labels: LabelRules = LabelRules()
    step: float = 3.0
    quantile: float = 0.6


class RoofModel(NamedTuple):
    """Solids of one building at three levels, and how they were made.

    Attributes
    ----------
    box, stepped, roofed : Solid
        LoD1.2, LoD1.3, LoD2.2 in metres from the south-west corner of the footprint and from
        `base`; without faces where the level was not reached.
    base : float
        Height that the solids are relative to.
    reached : int
        Bits `BOX`, `STEPPED` and `ROOFED`.
    notes : int
        Bits `CAPPED` and the like.
    n_planes : int
        Planes that were found.
    """

    box: Solid
    stepped: Solid
    roofed: Solid
    base: float
    reached: int
    notes: int
    n_planes: int


@helper
def local_points(
    x: FloatArray,
    y: FloatArray,
    z: FloatArray,
    rows: WholeArray,
    x0: int,
    y0: int,
    level: float,
    area: float,
) -> tuple[FloatArray, FloatArray, FloatArray, float, bool]:
    """Points of a building in metres from a corner, sorted, thinned where they are too many.

    Coordinates become whole millimetres before the corner is taken off, so that the same
    building elsewhere on the map gives the same bits, and one number each, so that sorting
    needs no index. Points farther than `HEIGHTS` from a level are left out. Returns also the
    height that z is relative to.
    """
    n = 0
    base = np.inf
    for i in rows:
        if abs(z[i] - level) <= HEIGHTS:
            base = min(base, z[i])
            n += 1
    if n == 0:
        nothing = np.empty(0)
        return nothing, nothing, nothing, 0.0, False
    z0 = int(np.rint(base * 1000.0))
    keys = np.empty(n, np.int64)
    m = 0
    for i in rows:
        if abs(z[i] - level) > HEIGHTS:
            continue
        ix = min(max(int(np.rint(x[i] * 1000.0)) - x0, 0), 2097151)
        iy = min(max(int(np.rint(y[i] * 1000.0)) - y0, 0), 2097151)
        iz = int(np.rint(z[i] * 1000.0)) - z0
        keys[m] = (iy << 41) | (ix << 20) | iz
        m += 1
    keys.sort()
    every = max(math.ceil(n / POINTS_MAX), int(n / max(area, 1.0) / DENSITY_MAX), 1)
    count = (n + every - 1) // every
    px, py, pz = np.empty(count), np.empty(count), np.empty(count)
    for m in range(count):
        key = keys[m * every]
        px[m] = ((key >> 20) & 2097151) / 1000.0
        py[m] = (key >> 41) / 1000.0
        pz[m] = (key & 1048575) / 1000.0
    return px, py, pz, z0 / 1000.0, every > 1


@helper
def flat_plane(z: FloatArray, tolerance: float) -> tuple[float, int]:
    """Height that most points keep to within a tolerance, and how many do."""
    ordered = np.sort(z)
    best, at, last = 0, 0, 0
    for first in range(len(ordered)):
        while last < len(ordered) and ordered[last] <= ordered[first] + 2.0 * tolerance:
            last += 1
        if last - first >= best:  # of equal ones the highest
            best, at = last - first, first
    return float(ordered[at : at + best].mean()), best


@helper
def cut_cells(
    ring_xy: FloatArray, ring_offsets: WholeArray, lines: FloatArray, eps: float
) -> tuple[CellComplex, int]:
    """Partition of a footprint by lines, in a complex that is large enough."""
    n = len(ring_xy)
    capacity = 64 + 12 * n + 8 * len(lines)
    while True:
        cx = new_complex(capacity)
        status = start_complex(cx, ring_xy, ring_offsets)
        if status == COMPLEX_OK:
            for m in range(len(lines)):
                status = insert_segment(
                    cx, lines[m, 0], lines[m, 1], lines[m, 2], lines[m, 3], n + m, eps, True
                )
                if status != COMPLEX_OK:
                    break
        if status == COMPLEX_OK:
            contract_short_edges(cx, SHORT)
        if status != COMPLEX_FULL or capacity > 2_000_000:
            return cx, status
        capacity *= 4


@helper
def iso_lines(
    cx: CellComplex, label: WholeArray, planes: FloatArray, height: float
) -> FloatArray:
    """Lines at one height on the planes that rise above it, across the cells where they do."""
    lines = np.empty((len(planes), 5))
    count = 0
    for p in range(len(planes)):
        slope = math.hypot(planes[p, 0], planes[p, 1])
        if slope < 1e-6:
            continue
        a, b = planes[p, 0] / slope, planes[p, 1] / slope
        c = (planes[p, 2] - height) / slope
        low, high = np.inf, -np.inf
        for cell in range(cx.size[2]):
            if label[cell] != p or height_range(cx, cell, planes[p])[1] <= height:
                continue
            start = cx.first[cell]
            h = start
            while True:
                v = cx.origin[h]
                along = -b * cx.xy[v, 0] + a * cx.xy[v, 1]
                low, high = min(low, along), max(high, along)
                h = cx.following[h]
                if h == start:
                    break
        if high > low:
            lines[count, 0], lines[count, 1] = -a * c - b * low, -b * c + a * low
            lines[count, 2], lines[count, 3] = -a * c - b * high, -b * c + a * high
            lines[count, 4] = high - low
            count += 1
    return lines[:count].copy()


@helper
def highest_cell(cx: CellComplex, label: WholeArray, planes: FloatArray) -> float:
    """Highest point of a labelled partition."""
    top = -np.inf
    for c in range(cx.size[2]):
        if label[c] >= 0:
            top = max(top, height_range(cx, c, planes[label[c]])[1])
    return top


@helper
def keep_within(
    cx: CellComplex,
    label: WholeArray,
    cost: FloatArray,
    planes: FloatArray,
    low: float,
    high: float,
) -> bool:
    """Give cells beyond the limits their cheapest plane within; whether all have one."""
    done = True
    for c in range(cx.size[2]):
        if label[c] < 0:
            continue
        bottom, top = height_range(cx, c, planes[label[c]])
        if top <= high and bottom >= low:
            continue
        best, chosen = np.inf, -1
        for p in range(len(planes)):
            bottom, top = height_range(cx, c, planes[p])
            if top <= high and bottom >= low and cost[c, p] < best:
                best, chosen = cost[c, p], p
        if chosen >= 0:
            label[c] = chosen
        else:
            done = False
    return done


@helper
def with_plane(planes: FloatArray, height: float) -> FloatArray:
    """Planes and one more, horizontal."""
    out = np.zeros((len(planes) + 1, 3))
    out[:-1] = planes
    out[-1, 2] = height
    return out


class Labelled(NamedTuple):
    """A partition whose cells have planes."""

    cx: CellComplex
    label: WholeArray
    planes: FloatArray
    area: FloatArray
    cell_of_point: WholeArray
    capped: bool
    status: int


@helper
def label_roof(
    ring_xy: FloatArray,
    ring_offsets: WholeArray,
    x: FloatArray,
    y: FloatArray,
    z: FloatArray,
    owner: WholeArray,
    planes: FloatArray,
    lines: FloatArray,
    density: float,
    z_ground: float,
    eps: float,
    dear: float,
    rules: LabelRules,
) -> Labelled:
    """Partition and label one roof within its limits of height."""
    low, high = height_limits(z, owner, len(planes))
    top = high.max() + MARGIN
    floor = z_ground + LOW_ROOF
    capped = False
    while True:
        cx, status = cut_cells(ring_xy, ring_offsets, lines, eps)
        area = cell_areas(cx)
        cell_of_point = locate_points(cx, x, y)
        cost = cell_costs(cx, area, x, y, z, cell_of_point, planes, low, high, density, rules)
        label = label_cells(cx, cost, dear * rules.border, dear * rules.region)
        flag_thin_cells(cx, THIN_CELL)
        absorb_thin_cells(cx, label)
        if status != COMPLEX_OK:
            return Labelled(cx, label, planes, area, cell_of_point, capped, status)
        if capped or highest_cell(cx, label, planes) <= top + 1e-6:
            break
        lines = np.concatenate((lines, iso_lines(cx, label, planes, top)))
        planes = with_plane(planes, top)
        low, high = np.append(low, top), np.append(high, top)
        capped = True
    if not keep_within(cx, label, cost, planes, floor, top + 1e-6):
        planes = with_plane(planes, max(floor, min(low.min(), top)))
        wider = np.zeros((len(cost), len(planes)))
        wider[:, :-1] = cost
        keep_within(cx, label, wider, planes, floor, max(top, floor) + 1e-6)
    return Labelled(cx, label, planes, area, cell_of_point, capped, status)


@helper
def ring_area(ring_mm: WholeArray, ring_offsets: WholeArray) -> float:
    """Area of a footprint in m², courtyards taken off: exact, so the same wherever it stands.

    The last bits of the area set the raster; from coordinates on the map they would differ.
    """
    twice = 0
    for r in range(len(ring_offsets) - 1):
        j = ring_offsets[r + 1] - 1
        for i in range(ring_offsets[r], ring_offsets[r + 1]):
            twice += ring_mm[j, 0] * ring_mm[i, 1] - ring_mm[i, 0] * ring_mm[j, 1]
            j = i
    return abs(twice) / 2e6


@kernel
def model_roof(
    cloud_x: FloatArray,
    cloud_y: FloatArray,
    cloud_z: FloatArray,
    rows: WholeArray,
    ring_mm: WholeArray,
    ring_offsets: WholeArray,
    h_ground: float,
    h_roof: float,
    rules: RoofRules,
) -> RoofModel:
    """Make the solids of one building at LoD1.2, LoD1.3 and LoD2.2.

    Parameters
    ----------
    cloud_x, cloud_y, cloud_z : float64 array, shape (n_points,)
        Metres.
    rows : int64 array
        Rows of the building's roof points.
    ring_mm : int64 array, shape (n_vertices, 2)
        Outline and courtyards in whole millimetres.
    ring_offsets : int64 array, shape (n_rings + 1,)
        Borders of the rings in `ring_mm`.
    h_ground, h_roof : float
        Heights of the floor and of the roof at LoD1.2, metres.
    rules : RoofRules

    Returns
    -------
    RoofModel
    """
    x0, y0 = ring_mm[:, 0].min(), ring_mm[:, 1].min()
    ring_xy = np.empty((len(ring_mm), 2))
    for i in range(len(ring_mm)):
        ring_xy[i, 0] = (ring_mm[i, 0] - x0) / 1000.0
        ring_xy[i, 1] = (ring_mm[i, 1] - y0) / 1000.0
    area = ring_area(ring_mm - np.array([x0, y0]), ring_offsets)
    x, y, z, base, thinned = local_points(cloud_x, cloud_y, cloud_z, rows, x0, y0, h_roof, area)
    z_ground, z_roof = h_ground - base, h_roof - base
    none = no_solid(0)
    notes = THINNED if thinned else 0
    n = len(x)
    density = max(n, 1) / max(area, 1e-3)
    no_lines = np.empty((0, 5))
    flat = np.zeros((1, 3))
    flat[0, 2] = z_roof
    cx, status = cut_cells(ring_xy, ring_offsets, no_lines, EPS)
    if status != COMPLEX_OK:
        return RoofModel(none, none, none, base, 0, notes | LOST, 0)
    everywhere = np.where(cx.inside[: cx.size[2]], 0, -1).astype(np.int32)
    box = make_solid(cx, everywhere, flat, z_ground, CORNER_CUT)
    if box.status != 0:
        return RoofModel(none, none, none, base, 0, notes | LOST, 0)
    if n < 3:
        return RoofModel(box, none, none, base, BOX, notes | NO_PLANE, 0)
    planes, owner = find_roof_planes(x, y, z, area, rules.planes)
    n_planes = len(planes)
    if (owner >= 0).sum() < OWNED_MIN * n:
        n_planes = 0
    if n_planes == 0:
        tolerance = 2.0 * rules.planes.tolerance
        height, count = flat_plane(z, tolerance)
        if count < max(3, n // 2) or height < z_ground + LOW_ROOF:
            return RoofModel(box, none, none, base, BOX, notes | NO_PLANE, 0)
        notes |= FLAT_FIT
        planes = with_plane(planes[:0], height)
        owner = np.where(np.abs(z - height) <= tolerance, 0, -1).astype(np.int32)
    if n_planes > PLANES_MAX:
        notes |= CROWDED
        planes, owner = largest_planes(planes, owner, PLANES_MAX)
    lines = find_roof_lines(x, y, z, owner, planes, ring_xy, ring_offsets, density, rules.lines)
    if len(lines) > LINES_MAX:
        notes |= CROWDED
        lines = lines[:LINES_MAX]
    stepped = none
    reached = BOX
    for attempt in range(3):
        eps = EPS if attempt == 0 else EPS_COARSE
        cut = CORNER_CUT if attempt == 0 else COARSE_CUT
        dear = 4.0 if attempt == 2 else 1.0
        roof = label_roof(
            ring_xy, ring_offsets, x, y, z, owner, planes, lines, density, z_ground, eps, dear,
            rules.labels,
        )  # fmt: skip
        if roof.status != COMPLEX_OK:
            continue
        if reached == BOX:
            level, heights = step_levels(
                roof.cx, roof.label, roof.area, roof.planes, z, roof.cell_of_point,
                rules.step, rules.quantile,
            )  # fmt: skip
            for r in range(len(heights)):
                heights[r, 2] = max(heights[r, 2], z_ground + LOW_ROOF)
            solid = make_solid(roof.cx, level, heights, z_ground, cut)
            if solid.status == 0:
                stepped = solid
                reached |= STEPPED
        roofed = make_solid(roof.cx, roof.label, roof.planes, z_ground, cut)
        # Thin cells and cut corners take the plane beside them, which may rise there.
        if roofed.status == 0 and roofed.vertices[:, 2].max() <= z.max() + OVER_MAX:
            notes |= CAPPED if roof.capped else 0
            notes |= COARSE if attempt > 0 else 0
            notes |= DEAR if attempt > 1 else 0
            return RoofModel(box, stepped, roofed, base, reached | ROOFED, notes, n_planes)
    return RoofModel(box, stepped, none, base, reached, notes | COARSE | DEAR, n_planes)
