"""How a roof comes about, from above, as SVG: points, lines and cells, faces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import shapely

from cimkit.write.markup import Markup, element
from cimkit.write.plan_svg import GREY, PALETTE
from cimkit.write.svg import FAINT, INK, PAPER, SUBPIXELS, label, nice_step, picture
from cimkit.write.whitemodel_svg import shape_paths

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from cimkit.tables._columns import FloatArray, IntArray

POINTS_MAX = 6_000
"""Dots in one picture: about 60 kB of SVG, and more run into each other."""

LABEL_ROOM = 16.0
"""Pixels: radius of the largest circle in a face below which its slope is not written."""

LEVEL_DEG = 0.5
"""A face less steep has no arrow: the direction would be that of rounding."""

MARGIN, TOP, CAPTION = 24.0, 64.0, 56.0


class RoofPlan(NamedTuple):
    """What is drawn, in metres from one origin.

    Attributes
    ----------
    xy : float64 array, shape (n_points, 2)
    plane_of_point : int array, shape (n_points,)
        -1 for none.
    slopes : float64 array, shape (n_planes, 2)
        dz/dx and dz/dy of each plane.
    lines : float64 array, shape (n_lines, 4)
        x, y of both ends.
    cells, faces : object array of Polygon
    plane_of_face : int array, shape (n_faces,)
    """

    xy: FloatArray
    plane_of_point: IntArray
    slopes: FloatArray
    lines: FloatArray
    cells: NDArray[Any]
    faces: NDArray[Any]
    plane_of_face: IntArray


def draw_roof_plan(plan: RoofPlan, *, title: str = "", width: int = 1200) -> Markup:
    """Picture of one roof from above; each plane has one colour in all panels.

    Parameters
    ----------
    plan : RoofPlan
        Of more than 6,000 points every k-th is drawn. Without cells there is one panel only.
    title : str, optional
    width : int
        Pixels.

    Returns
    -------
    Markup
        An SVG document as text: the points in the colours of their planes (grey: of none); the
        lines, red, and the cells; the faces, with an arrow down the slope and its degrees.

    Examples
    --------
    >>> none = np.empty(0, dtype=object)
    >>> one = np.zeros(1, dtype=np.int64)
    >>> flat = RoofPlan(
    ...     np.ones((1, 2)), one, np.zeros((1, 2)), np.empty((0, 4)), none, none, one[:0]
    ... )
    >>> "1 point 点, 1 plane 平面" in draw_roof_plan(flat)
    True
    """
    n_panels = 3 if len(plan.cells) else 1
    span = (width - MARGIN) / 3 - MARGIN
    low, scale, high = _fit(plan, span)
    tints = _colours(plan)

    def to_pixels(xy: FloatArray) -> FloatArray:
        x = (span - scale * (high[0] - low[0])) / 2 + (xy[:, 0] - low[0]) * scale
        return np.column_stack([x, (high[1] - xy[:, 1]) * scale]) * SUBPIXELS

    cells, faces = (shapely.transform(shape, to_pixels) for shape in (plan.cells, plan.faces))
    panels = [_points(plan, to_pixels(plan.xy), tints)]
    if n_panels == 3:
        ends = to_pixels(plan.lines.reshape(-1, 2)).reshape(-1, 4)
        panels += [_lines(ends, cells), _faces(plan, faces, tints)]
    bottom = TOP + scale * (high[1] - low[1])
    height = round(bottom + CAPTION)
    width = round(MARGIN + n_panels * (span + MARGIN))
    title = title or "Roof from above 屋顶平面"
    return picture(
        width,
        height,
        title,
        element("rect", width=width, height=height, fill=PAPER),
        label(MARGIN, 32, title, font_size=18, font_weight=600),
        *(
            element("g", panel, transform=f"translate({_left(k, span):.1f} {TOP:g})")
            for k, panel in enumerate(panels)
        ),
        *(
            label(
                *(_left(k, span) + span / 2, bottom + 24, text),
                font_size=14,
                fill=FAINT,
                text_anchor="middle",
            )
            for k, text in enumerate(_captions(plan)[:n_panels])
        ),
        _scale_bar(span / scale, scale, bottom + 44),
    )


def _left(panel: int, span: float) -> float:
    """Left end of a panel, pixels."""
    return MARGIN + panel * (span + MARGIN)


def _fit(plan: RoofPlan, span: float) -> tuple[FloatArray, float, FloatArray]:
    """Lower corner, pixels a metre, and upper corner of what is drawn."""
    boxes = [shapely.bounds(plan.cells).reshape(-1, 2), plan.xy]
    xy = np.concatenate([box for box in boxes if len(box)] or [np.zeros((1, 2))])
    low, high = xy.min(0), xy.max(0)
    size = np.maximum(high - low, 1.0)
    return low, float(min(span / size[0], 1.4 * span / size[1])), np.maximum(high, low + 1.0)


def _colours(plan: RoofPlan) -> list[str]:
    """Colour of each plane: of those that no neighbour has, the one that is used least."""
    n = len(plan.slopes)
    beside: list[set[int]] = [set() for _ in range(n)]
    one, other = shapely.STRtree(plan.faces).query(plan.faces, predicate="intersects")
    pairs = zip(
        plan.plane_of_face[one].tolist(), plan.plane_of_face[other].tolist(), strict=True
    )
    for plane, neighbour in pairs:
        beside[plane].add(neighbour)
    tints: list[str] = []
    for plane in range(n):
        taken = {tints[k] for k in beside[plane] if k < plane}
        free = [tint for tint in PALETTE if tint not in taken] or list(PALETTE)
        tints.append(min(free, key=tints.count))
    return tints


def _points(plan: RoofPlan, at: FloatArray, tints: list[str]) -> Markup:
    """Dots by plane; those of no plane lie below."""
    step = -(-len(at) // POINTS_MAX) or 1
    places = np.round(at[::step]).astype(np.int64)
    owner = plan.plane_of_point[::step]
    return _scaled(
        (
            element(
                "path",
                d="".join(f"M{x} {y}h0" for x, y in places[owner == plane].tolist()),
                stroke=tints[plane] if plane >= 0 else GREY,
            )
            for plane in range(-1, len(tints))
            if (owner == plane).any()
        ),
        stroke_width=28,
        stroke_linecap="round",
    )


def _lines(ends: FloatArray, cells: NDArray[Any]) -> Markup:
    """Cells on light ground, and over them the lines that cut them."""
    data = "".join(
        f"M{x0} {y0}L{x1} {y1}" for x0, y0, x1, y1 in np.round(ends).astype(int).tolist()
    )
    return _scaled(
        (
            element(
                "path",
                d="".join(shape_paths(cells)),
                fill="#eef2f5",
                stroke=GREY,
                stroke_width=8,
            ),
            element("path", d=data, stroke="#c0392b", stroke_width=22, fill="none"),
        ),
        stroke_linejoin="round",
        stroke_linecap="round",
    )


def _faces(plan: RoofPlan, faces: NDArray[Any], tints: list[str]) -> Markup:
    """Faces with dark edges; slope and its direction where there is room."""
    paths = shape_paths(faces)
    planes = plan.plane_of_face.tolist()
    shapes = _scaled(
        (
            element("path", d=path, fill=tints[plane], fill_rule="evenodd")
            for path, plane in zip(paths, planes, strict=True)
        ),
        fill_opacity=0.6,
        stroke=INK,
        stroke_width=16,
        stroke_linejoin="round",
    )
    marks = []
    for face, plane in zip(faces.tolist(), planes, strict=True):
        circle = shapely.maximum_inscribed_circle(face, tolerance=SUBPIXELS)
        room = circle.length / SUBPIXELS
        if room >= LABEL_ROOM:
            x, y = (np.array(circle.coords[0]) / SUBPIXELS).tolist()
            marks.append(_mark(x, y, room, plan.slopes[plane]))
    return element("g", shapes, *marks)


def _mark(x: float, y: float, room: float, slope: FloatArray) -> Markup:
    """Degrees of a face, and an arrow downhill from them."""
    steepness = float(np.hypot(*slope))
    degrees = float(np.degrees(np.arctan(steepness)))
    text = label(
        x, y + 4, f"{degrees:.0f}°", font_size=12, font_weight=600, text_anchor="middle"
    )
    if degrees < LEVEL_DEG:
        return text
    length = min(room, 40.0)
    right, down = -float(slope[0]) / steepness, float(slope[1]) / steepness
    near, far, wing = 0.45 * length, 0.85 * length, 4.0
    tip = (x + far * right, y + far * down)
    back = (tip[0] - 1.6 * wing * right, tip[1] - 1.6 * wing * down)
    head = [
        (back[0] - side * wing * down, back[1] + side * wing * right) for side in (1.0, -1.0)
    ]
    data = (
        f"M{x + near * right:.1f} {y + near * down:.1f}L{tip[0]:.1f} {tip[1]:.1f}"
        f"M{head[0][0]:.1f} {head[0][1]:.1f}L{tip[0]:.1f} {tip[1]:.1f}"
        f"L{head[1][0]:.1f} {head[1][1]:.1f}"
    )
    return element(
        "g", text, element("path", d=data, fill="none", stroke=INK, stroke_width=1.5)
    )


def _captions(plan: RoofPlan) -> list[str]:
    """What each panel shows, and how many."""
    used = plan.plane_of_point[plan.plane_of_point >= 0]
    return [
        f"{_count(len(plan.xy), 'point')} 点, {_count(len(np.unique(used)), 'plane')} 平面",
        f"{_count(len(plan.lines), 'line')} 线, {_count(len(plan.cells), 'cell')} 单元",
        f"{_count(len(plan.faces), 'face')} 屋面",
    ]


def _count(n: int, noun: str) -> str:
    """Number and noun."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def _scale_bar(metres_wide: float, scale: float, y: float) -> Markup:
    """Draw a bar of round length, a third of a panel at most."""
    metres = nice_step(metres_wide / 6, 1)
    end = MARGIN + metres * scale
    return element(
        "g",
        element("path", d=f"M{MARGIN:g} {y - 4:.1f}v4H{end:.1f}v-4", fill="none", stroke=INK),
        label(end + 8, y + 1, f"{metres:g} m", fill=FAINT),
    )


def _scaled(children: Iterable[Markup], **style: object) -> Markup:
    """Group of paths in tenths of a pixel."""
    return element("g", *children, transform=f"scale({1 / SUBPIXELS:g})", **style)
