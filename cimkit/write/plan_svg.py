"""The city from above, as SVG: footprints coloured by a column, addresses as dots."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from cimkit.errors import ParameterError
from cimkit.write.markup import Markup, element
from cimkit.write.svg import (
    ACCENT,
    FAINT,
    INK,
    PAPER,
    SUBPIXELS,
    label,
    legend,
    nice_step,
    path_data,
    picture,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cimkit.tables import Addresses, Footprints
    from cimkit.tables._columns import FloatArray, IntArray, TextArray

PALETTE = ("#3c78a8", "#e08e2b", "#4f9d69", "#b6538f", "#8c6d46", "#56b4c4", "#c9b531")
DOT, GREY = "#111820", "#a3adb6"
SEQUENCE = ("#c6dbe9", "#93bfdb", "#5b9bc5", "#3274a6", "#1d4e7e", "#0d2c54")
"""Light to dark blue: also ordered for colour-blind readers and on a grey printer."""

APART_MAX = 1500
"""Footprints between which a light line is drawn; more are too small on the page for it."""

VERTICES_MAX = 60_000
"""Above this, cells stand for outlines: 60,000 vertices are half a megabyte of path."""
DOTS_MAX = 15_000
CELL = 6
"""Pixels: edge of an aggregation cell, and grid on which many addresses are merged."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where the map lies in the picture."""

    x0: float
    y0: float
    scale: float
    width: int
    height: int
    margin: int = 12
    top: int = 34

    def pixels(self, xy: FloatArray) -> FloatArray:
        """Pixel coordinates of map coordinates, shape (n, 2); y runs down."""
        x = self.margin + (xy[:, 0] - self.x0) * self.scale
        y = self.top + self.height - (xy[:, 1] - self.y0) * self.scale
        return np.column_stack([x, y])


def draw_plan(
    footprints: Footprints,
    values: FloatArray | TextArray | None = None,
    *,
    title: str,
    unit: str = "",
    colours: Mapping[str, str] | None = None,
    addresses: Addresses | None = None,
    width: int = 900,
) -> Markup:
    """Plan of the city (平面图) with legend, scale bar and north arrow.

    Parameters
    ----------
    footprints : Footprints
        n outlines. Above 60,000 vertices each cell of 6 pixels takes the colour that most of
        its buildings have, so the picture stays below 1 MB whatever the size of the city.
    values : float64 or text array, shape (n,), optional
        Numbers are coloured in up to six round classes, texts by category.
    title : str
    unit : str
        Of the numbers.
    colours : mapping of str to str, optional
        Colour of each category, in the order of the legend. By default the seven most frequent
        ones get colours of their own.
    addresses : Addresses, optional
        Drawn as dots; above 15,000 merged to one dot in 6 pixels.
    width : int
        Pixels.

    Returns
    -------
    Markup
        An SVG document as text.

    Raises
    ------
    ParameterError
        If `values` has another length than `footprints`.

    Examples
    --------
    >>> import shapely
    >>> from cimkit.tables import Footprints
    >>> one = Footprints.from_polygons(["a"], [shapely.box(0, 0, 9, 5)])
    >>> draw_plan(one, np.array(["points"]), title="Heights").count("<path")
    3
    """
    frame = _frame(footprints, width)
    group, entries = _groups(footprints, values, unit, colours)
    aggregated = len(footprints.xy) > VERTICES_MAX
    apart = len(footprints) <= APART_MAX
    shapes = (_cells if aggregated else _outlines)(footprints, frame, group, len(entries))
    drawn = [
        element("path", d=data, fill=colour, stroke=PAPER if apart else colour)
        for (colour, _), data in zip(entries, shapes, strict=True)
        if data
    ]
    if addresses is not None and addresses.located.any():
        entries = [*entries, (DOT, f"addresses 地址 ({int(addresses.located.sum()):,})")]
        drawn.append(_dots(addresses, frame))
    bottom = frame.top + frame.height
    key, key_height = legend(frame.margin, bottom + 40, width - 2 * frame.margin, entries)
    height = round(bottom + 44 + key_height)
    note = " · cells show the most frequent value 取众数" if aggregated else ""
    return picture(
        width,
        height,
        title,
        element("rect", width=width, height=height, fill=PAPER),
        label(frame.margin, 20, f"{title}{note}", font_size=14, font_weight=600),
        _map(frame, drawn),
        _scale_bar(frame, bottom + 14),
        _north_arrow(width - frame.margin - 14, bottom + 6),
        key,
    )


def _map(frame: _Frame, drawn: list[Markup]) -> Markup:
    """Paths on a light ground; their thin outline parts neighbours, or fattens small dots."""
    place = {"x": frame.margin, "y": frame.top}
    ground = element("rect", **place, width=frame.width, height=frame.height, fill="#f4f6f8")
    shapes = element(
        "g",
        *drawn,
        transform=f"scale({1 / SUBPIXELS:g})",
        stroke_width=3,
        stroke_linejoin="round",
        stroke_linecap="round",
    )
    return element("g", ground, shapes)


def _frame(footprints: Footprints, width: int) -> _Frame:
    """Fit a frame to all footprints, not flatter than 1:3 and not higher than wide."""
    xmin, ymin, xmax, ymax = footprints.total_bounds or (0.0, 0.0, 1.0, 1.0)
    inner = width - 24
    x_span, y_span = max(xmax - xmin, 1.0), max(ymax - ymin, 1.0)
    height = round(min(max(inner * y_span / x_span, inner / 3), inner))
    scale = 0.96 * min(inner / x_span, height / y_span)
    return _Frame(
        (xmin + xmax) / 2 - inner / scale / 2,
        (ymin + ymax) / 2 - height / scale / 2,
        scale,
        inner,
        height,
    )


def _groups(
    footprints: Footprints,
    values: FloatArray | TextArray | None,
    unit: str,
    colours: Mapping[str, str] | None,
) -> tuple[IntArray, list[tuple[str, str]]]:
    """Group of each footprint, and colour and label of each group."""
    n = len(footprints)
    if values is None:
        return np.zeros(n, dtype=np.int64), [(ACCENT, f"buildings 建筑 ({n:,})")]
    values = np.asarray(values)
    if len(values) != n:
        raise ParameterError(
            f"values: one for each of the {n:,} footprints, not {len(values):,}"
        )
    if values.dtype.kind in "fiu":
        return _classes(values.astype(np.float64), unit)
    names = [str(value) for value in values.tolist()]
    if colours is None:
        count = Counter(names)
        frequent = sorted(count, key=lambda name: (-count[name], name))
        colours = dict(zip(frequent, PALETTE, strict=False))
    rank = {name: k for k, name in enumerate(colours)}
    group = np.array([rank.get(name, len(rank)) for name in names], dtype=np.int64)
    entries = [(colour, name) for name, colour in colours.items()]
    return _only_used(group, [*entries, (GREY, "others 其他")])


def _classes(values: FloatArray, unit: str) -> tuple[IntArray, list[tuple[str, str]]]:
    """Round classes between the 2 % and the 98 % quantile; the outer ones are open."""
    known = values[np.isfinite(values)]
    low, high = np.quantile(known, [0.02, 0.98]).tolist() if len(known) else (0.0, 1.0)
    step = nice_step(high - low, len(SEQUENCE) - 2)
    first = np.floor(low / step) + 1
    borders = (first + np.arange(len(SEQUENCE) - 1)) * step
    group = np.where(
        np.isfinite(values), np.searchsorted(borders, values, "right"), len(SEQUENCE)
    )
    texts = [
        f"< {borders[0]:g}",
        *(f"{a:g}–{b:g}" for a, b in pairwise(borders.tolist())),
        f"≥ {borders[-1]:g}",
    ]
    entries = [(colour, f"{text} {unit}") for colour, text in zip(SEQUENCE, texts, strict=True)]
    return _only_used(group, [*entries, (GREY, "no value 无值")])


def _only_used(
    group: IntArray, entries: list[tuple[str, str]]
) -> tuple[IntArray, list[tuple[str, str]]]:
    """Leave out the groups without a footprint, and put the counts into the labels."""
    count = np.bincount(group, minlength=len(entries))
    used = np.flatnonzero(count)
    kept = [(entries[k][0], f"{entries[k][1]} ({count[k]:,})") for k in used]
    return np.searchsorted(used, group), kept


def _outlines(
    footprints: Footprints, frame: _Frame, group: IntArray, n_groups: int
) -> list[str]:
    """Path data of each group; holes run the other way round, so they stay empty."""
    pixels = np.round(frame.pixels(footprints.xy) * SUBPIXELS).astype(np.int64)
    group_of_ring = np.repeat(group, np.diff(footprints.polygon_offsets))
    rings = np.split(pixels, footprints.ring_offsets[1:-1])
    return [
        path_data(rings[ring] for ring in np.flatnonzero(group_of_ring == k))
        for k in range(n_groups)
    ]


def _cells(footprints: Footprints, frame: _Frame, group: IntArray, n_groups: int) -> list[str]:
    """Path data of each group where cells stand for buildings; equal neighbours are merged."""
    bounds = footprints.bounds
    centre = frame.pixels((bounds[:, :2] + bounds[:, 2:]) / 2)
    column, row = np.floor_divide(centre, CELL).astype(np.int64).T
    n_columns = int(column.max()) + 2
    key, count = np.unique((row * n_columns + column) * n_groups + group, return_counts=True)
    order = np.lexsort([key % n_groups, -count, key // n_groups])
    cell, best = np.unique(key[order] // n_groups, return_index=True)
    winner = (key[order] % n_groups)[best]
    edge = CELL * SUBPIXELS
    paths = []
    for k in range(n_groups):
        mine = cell[winner == k]
        start = np.flatnonzero(np.diff(mine, prepend=-2) != 1)
        length = np.diff(np.append(start, len(mine)))
        paths.append(
            "".join(
                f"M{x * edge} {y * edge}h{n * edge}v{edge}h-{n * edge}z"
                for x, y, n in zip(
                    (mine[start] % n_columns).tolist(),
                    (mine[start] // n_columns).tolist(),
                    length.tolist(),
                    strict=True,
                )
            )
        )
    return paths


def _dots(addresses: Addresses, frame: _Frame) -> Markup:
    """All located addresses as one path of points."""
    here = addresses.located
    pixels = frame.pixels(np.column_stack([addresses.x[here], addresses.y[here]]))
    grid = CELL * SUBPIXELS if len(pixels) > DOTS_MAX else 1
    spots = np.unique(np.round(pixels * SUBPIXELS / grid).astype(np.int64) * grid, axis=0)
    inside = (
        (spots >= np.array([frame.margin, frame.top]) * SUBPIXELS)
        & (
            spots
            <= np.array([frame.margin + frame.width, frame.top + frame.height]) * SUBPIXELS
        )
    ).all(axis=1)
    data = "".join(f"M{x} {y}h0" for x, y in spots[inside].tolist())
    return element("path", d=data, stroke=DOT, stroke_width=24)


def _scale_bar(frame: _Frame, y: float) -> Markup:
    """Draw a bar of round length, about a sixth of the width."""
    metres = nice_step(frame.width / frame.scale, 6)
    text = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
    x, length = frame.margin, metres * frame.scale
    return element(
        "g",
        element("path", d=f"M{x} {y - 4:.1f}v4h{length:.1f}v-4", fill="none", stroke=INK),
        label(x + length + 8, y + 1, text, fill=FAINT),
    )


def _north_arrow(x: float, y: float) -> Markup:
    """North is up."""
    return element(
        "g",
        element("path", d=f"M{x:.0f} {y:.0f}l6 20l-6-4l-6 4z", fill=INK),
        label(x - 10, y + 18, "N 北", text_anchor="end"),
    )
