"""Hypothesis strategies: rings, footprints, clouds, identifiers, addresses.

Public names:

``millimetres(low, high)``
    Coordinates in metres, in whole millimetres.
``rings(...)``
    float64 array (n, 2), open: any corners; may cross itself, turn back, enclose nothing.
``simple_rings(...)``
    float64 array (n, 2), open, counter-clockwise: corners around a centre, never crossing.
``polygons(...)``
    A valid shapely Polygon on the millimetre grid, with up to three courtyards.
``lattices(...)``
    Valid polygons made of unit squares: courtyards, corners that touch, shared walls.
``subdivisions(...)``
    A rectangle cut into polygons that share their walls vertex by vertex.
``footprint_tables(...)``
    `cimkit.tables.Footprints` of a few polygons; they may overlap.
``clouds(...)``
    `cimkit.tables.PointCloud`; with a footprint table given, its corners and edges are hit.
``identifiers(...)``
    Identifiers as users write them: numbers, Chinese, leading zeros; hostile ones on demand.
``address_texts()``
    Address strings as a register exports them, with typing variants.
``places()``
    Shifts (dx, dy) in whole metres, up to zone-prefixed Gauss-Krüger eastings.

All coordinates are metres, x east and y north.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from hypothesis import strategies as st

from cimkit.tables import Footprints, PointCloud

HOSTILE_TEXTS = (
    "a\x00b", "\x1b[31m", "\u202eexe.dwg", "\ud800", "é", "e\u0301", " ", "", "x" * 10_001,
    "../../x", "CON", "=1+1", "<b>", "id#1", "id~2", "\ufeffa", "0x10", "1e5", "NaN", "٣",
)  # fmt: skip
"""Identifiers that went wrong somewhere."""


def millimetres(low: float, high: float) -> st.SearchStrategy[float]:
    """Coordinates in [low, high] metres, in whole millimetres."""
    return st.integers(round(low * 1000), round(high * 1000)).map(lambda mm: mm / 1000)


def places() -> st.SearchStrategy[tuple[float, float]]:
    """Shifts in whole metres, so that what lies on the millimetre grid stays on it."""
    near, far = st.integers(-500, 500), st.sampled_from([0, 10_000_000, -38_500_000])
    shift = st.tuples(near, far).map(lambda pair: float(sum(pair)))
    return st.tuples(shift, shift)


@st.composite
def rings(
    draw: st.DrawFn, *, min_size: int = 3, max_size: int = 9, size: float = 20.0, step: int = 10
) -> Any:
    """Any open ring at all; corners on a grid of `step` millimetres within ± `size` metres.

    Repeated corners, spikes and straight runs are put in on purpose.
    """
    n = round(size * 1000) // step
    corner = st.tuples(st.integers(-n, n), st.integers(-n, n))
    corners = draw(st.lists(corner, min_size=min_size, max_size=max_size))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(corners) - 1))
        kind = draw(st.sampled_from(["double", "spike", "middle"]))
        (xa, ya), (xb, yb) = corners[at - 1], corners[at]
        if kind == "double":
            corners.insert(at, corners[at])
        elif kind == "spike":
            corners[at:at] = [(xa, ya), draw(corner)]
        else:
            corners.insert(at, ((xa + xb) // 2, (ya + yb) // 2))
    return np.array(corners) * step / 1000


@st.composite
def simple_rings(
    draw: st.DrawFn,
    *,
    min_size: int = 3,
    max_size: int = 12,
    low: float = 3.0,
    high: float = 9.0,
) -> Any:
    """Corners at radii of `low` to `high` metres around (0, 0), in whole millimetres."""
    n = draw(st.integers(min_size, max_size))
    radius = np.array(draw(st.lists(millimetres(low, high), min_size=n, max_size=n)))
    angle = 2 * np.pi * (np.arange(n) + draw(st.floats(0, 0.9))) / n
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]).round(3)


@st.composite
def polygons(draw: st.DrawFn, *, max_holes: int = 3) -> Any:
    """A valid polygon with area; courtyards do not touch."""
    shell = shapely.Polygon(draw(simple_rings(low=6.0, high=20.0, min_size=4)))
    if not shell.is_valid or shell.area < 1:
        shell = shapely.box(-6, -6, 6, 6)
    holes = []
    for k in range(draw(st.integers(0, max_holes))):
        angle = 2 * np.pi * k / 3 + 0.5
        ring = draw(simple_rings(low=0.3, high=1.0, max_size=6))
        hole = shapely.Polygon((ring + 2.5 * np.array([np.cos(angle), np.sin(angle)])).round(3))
        if hole.is_valid and shell.buffer(-0.1).contains(hole):
            holes.append(hole.exterior)
    return shapely.Polygon(shell.exterior, holes)


@st.composite
def lattices(draw: st.DrawFn, *, side: int = 5, owners: int = 2) -> Any:
    """Polygons of unit squares: each cell belongs to one of `owners` shapes or to none."""
    n = side * side
    cells = draw(st.lists(st.integers(0, owners), min_size=n, max_size=n))
    shapes: list[Any] = []
    for owner in range(1, owners + 1):
        squares = [
            shapely.box(k % side, k // side, k % side + 1, k // side + 1)
            for k in range(n)
            if cells[k] == owner
        ]
        shapes += list(shapely.get_parts(shapely.union_all(squares)))
    return [s for s in shapes if s.geom_type == "Polygon" and not s.is_empty] or [
        shapely.box(0, 0, 1, 1)
    ]


@st.composite
def subdivisions(
    draw: st.DrawFn,
    *,
    width: float = 60.0,
    depth: float = 40.0,
    max_cuts: int = 8,
    turned: bool = True,
) -> Any:
    """List of polygons that tile a rectangle; neighbours have the same vertices on their wall.

    A wall of one that ends on the wall of another is a vertex of both. With `turned` the whole
    is turned and rounded to millimetres, vertex by vertex, so that walls are not axis-parallel.
    """
    cells = [(0, 0, round(width * 1000), round(depth * 1000))]
    for _ in range(draw(st.integers(1, max_cuts))):
        at = draw(st.integers(0, len(cells) - 1))
        west, south, east, north = cells[at]
        along_x = draw(st.booleans())
        low, high = (west, east) if along_x else (south, north)
        if high - low < 6000:
            continue
        cut = draw(st.integers(low + 3000, high - 3000))
        cells[at : at + 1] = (
            [(west, south, cut, north), (cut, south, east, north)]
            if along_x
            else [(west, south, east, cut), (west, cut, east, north)]
        )
    corners = np.array(
        sorted({(x, y) for w, s, e, n in cells for x in (w, e) for y in (s, n)}),
        dtype=np.float64,
    )
    angle = draw(st.sampled_from([0.0, 0.3, 1.1])) if turned else 0.0
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return [shapely.Polygon(np.round(_around(cell, corners) @ turn) / 1000) for cell in cells]


def _around(cell: tuple[int, int, int, int], corners: Any) -> Any:
    """All corners on the outline of a cell, counter-clockwise."""
    west, south, east, north = cell
    x, y = corners.T
    within = (x >= west) & (x <= east) & (y >= south) & (y <= north)
    sides = [
        (within & (y == south) & (x < east), (1, 0)),
        (within & (x == east) & (y < north), (0, 1)),
        (within & (y == north) & (x > west), (-1, 0)),
        (within & (x == west) & (y > south), (0, -1)),
    ]
    return np.vstack(
        [c[np.argsort(c @ np.array(way))] for c, way in ((corners[m], way) for m, way in sides)]
    )


@st.composite
def footprint_tables(draw: st.DrawFn, *, max_size: int = 6, crs: str = "EPSG:4547") -> Any:
    """Valid footprints, somewhere near each other; some share walls, some overlap."""
    shapes: list[Any] = list(draw(lattices()))
    for _ in range(draw(st.integers(0, max_size - 1))):
        dx, dy = draw(st.integers(-15, 15)), draw(st.integers(-15, 15))
        moved = shapely.transform(
            draw(polygons()), lambda xy, d=(dx, dy): np.round(xy + np.array(d), 3)
        )
        shapes.append(moved)
    shapes = [shape for shape in shapes if shape.is_valid][:max_size] or [
        shapely.box(0, 0, 2, 2)
    ]
    return Footprints.from_polygons([f"b{k}" for k in range(len(shapes))], shapes, crs=crs)


@st.composite
def clouds(
    draw: st.DrawFn,
    *,
    min_size: int = 0,
    max_size: int = 60,
    size: float = 30.0,
    on: Footprints | None = None,
) -> Any:
    """Points within ± `size` metres, z from -10 to 120; some of them doubled.

    With `on`, vertices and middles of edges of these footprints are among them.
    """
    n = draw(st.integers(min_size, max_size))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    xy = rng.uniform(-size, size, (n, 2)).round(draw(st.sampled_from([0, 3, 12])))
    if on is not None and len(on):
        hits = np.vstack([on.xy, (on.xy + np.roll(on.xy, -1, axis=0)) / 2])
        xy = np.vstack([xy, hits[rng.integers(len(hits), size=draw(st.integers(0, 20)))]])
    if len(xy) and draw(st.booleans()):
        xy = np.vstack([xy, xy[:3]])
    z = rng.uniform(-10, 120, len(xy)).round(2)
    classes = rng.choice(np.array([1, 2, 6, 7, 9], dtype=np.uint8), len(xy))
    return PointCloud(xy[:, 0], xy[:, 1], z, classes)


def identifiers(*, hostile: bool = False) -> st.SearchStrategy[str]:
    """Identifiers as files hold them; with `hostile` also those that cannot serve."""
    plain = st.one_of(
        st.integers(0, 10**12).map(str),
        st.integers(0, 999).map(lambda k: f"{k:06d}"),
        st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=12),
        st.sampled_from(["3幢", "NL.IMBAG.Pand.0503100000000033", "a-1", "A-1", "{6f9619ff}"]),
    )
    return (
        st.one_of(plain, st.sampled_from(HOSTILE_TEXTS), st.text(max_size=8))
        if hostile
        else plain
    )


_STREETS = ("和平路", "人民东路", "解放大道", "三元里大街", "新华巷", "Kerkstraat ")
_TAILS = ("", "号", "幢", "栋2单元", "号3幢1单元502室", "弄7号", "号-1", "-3-502", " bis")


@st.composite
def address_texts(draw: st.DrawFn) -> str:
    """Addresses with the typing variants of a real register: width, blanks, numerals."""
    county = draw(st.sampled_from(["", "某市某区", "某县某镇"]))
    number = str(draw(st.integers(1, 2999)))
    text = f"{county}{draw(st.sampled_from(_STREETS))}{number}{draw(st.sampled_from(_TAILS))}"
    variant = draw(st.sampled_from(["as is", "full width", "blanks", "numerals", "lower"]))
    if variant == "full width":
        text = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)
    elif variant == "blanks":
        text = f"  {text[:3]} {text[3:]}\u3000"
    elif variant == "numerals":
        text = text.translate(str.maketrans("0123456789", "〇一二三四五六七八九"))
    elif variant == "lower":
        text = text.lower()
    return text
