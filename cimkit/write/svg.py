"""Parts of which the pictures are made (frame, legend, paths), and the histogram."""

from __future__ import annotations

import math
import unicodedata
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from cimkit.write.markup import Markup, element

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from cimkit.tables._columns import FloatArray

FONTS = "system-ui, 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif"
INK, FAINT, PAPER, ACCENT = "#24323f", "#6b7b8a", "#ffffff", "#3c78a8"
LABEL_CHARACTERS_MAX = 60
SUBPIXELS = 10
"""Paths are written in whole tenths of a pixel: short, and the same bytes everywhere."""


def picture(width: float, height: float, title: str, *children: Markup) -> Markup:
    """Frame parts as a whole SVG document."""
    return element(
        "svg",
        element("title", title),
        *children,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=f"{width:.0f}",
        height=f"{height:.0f}",
        role="img",
        font_family=FONTS,
    )


def label(x: float, y: float, text: object, **attributes: object) -> Markup:
    """One line of text."""
    style: dict[str, object] = {"font_size": 12, "fill": INK}
    return element("text", text, x=x, y=y, **(style | attributes))


def text_width(text: str, size: float = 12.0) -> float:
    """Rough width of a line in pixels: wide (Chinese) characters count double.

    Examples
    --------
    >>> text_width("高度", 10.0) == text_width("abcd", 10.0)
    True
    """
    cells = sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)
    return cells * size * 0.56


def legend(
    x: float, y: float, width: float, entries: Sequence[tuple[str, str]]
) -> tuple[Markup, float]:
    """Coloured squares with their labels, wrapped to `width`; also the height it takes."""
    parts, left, top = [], x, y
    for colour, name in entries:
        text = name if len(name) <= LABEL_CHARACTERS_MAX else f"{name[:LABEL_CHARACTERS_MAX]}…"
        needed = 18 + text_width(text) + 16
        if left > x and left + needed > x + width:
            left, top = x, top + 20
        parts.append(element("rect", x=left, y=top, width=12, height=12, rx=2, fill=colour))
        parts.append(label(left + 18, top + 10, text))
        left += needed
    return element("g", *parts), top + 20 - y


def nice_step(span: float, n: int) -> float:
    """Smallest of 1, 2, 5, 10, 20, 50 ... that covers `span` in at most `n` steps.

    Examples
    --------
    >>> nice_step(33.0, 10), nice_step(0.9, 10), nice_step(0.0, 10)
    (5.0, 0.1, 1.0)
    """
    if not span > 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(span / n))
    return next(power * m for m in (1, 2, 5, 10, 20) if power * m * n >= span * (1 - 1e-12))


def path_data(rings: Iterable[NDArray[np.int64]]) -> str:
    """Write closed rings of whole numbers as the data of one path, in relative steps.

    Examples
    --------
    >>> path_data([np.array([[0, 0], [5, 0], [5, -3]])])
    'M0 0l5 0 0-3z'
    """
    parts = []
    for ring in rings:
        steps = np.diff(ring, axis=0)
        steps = steps[steps.any(axis=1)]
        line = f"l{' '.join(map(str, steps.ravel().tolist()))}" if len(steps) else ""
        parts.append(f"M{ring[0, 0]} {ring[0, 1]}{line}z")
    return "".join(parts).replace(" -", "-")


def draw_histogram(
    values: FloatArray, *, title: str, unit: str, width: int = 720, height: int = 260
) -> Markup:
    """Histogram (直方图) with round class borders.

    Parameters
    ----------
    values : float64 array, shape (n,)
        NaN is left out, and counted in the subtitle.
    title, unit : str
        What is measured, and in which unit.
    width, height : int
        Pixels.

    Returns
    -------
    Markup
        An SVG document as text.

    Examples
    --------
    >>> draw_histogram(np.array([3.0, 4.0, 9.0]), title="Height", unit="m").count("<rect")
    4
    """
    known = values[np.isfinite(values)]
    counts, edges = _classes(known)
    left, right, top, bottom = 66.0, width - 16.0, 44.0, height - 44.0
    x_scale = (right - left) / (edges[-1] - edges[0])
    row = max(1.0, nice_step(float(counts.max()), 4))
    n_rows = max(math.ceil(counts.max() / row), 1)
    y_scale = (bottom - top) / (row * n_rows)
    step = nice_step(edges[-1] - edges[0], 12)
    ticks = range(math.ceil(edges[0] / step - 1e-9), math.floor(edges[-1] / step + 1e-9) + 1)
    middle = (top + bottom) / 2
    return picture(
        width,
        height,
        title,
        element("rect", width=width, height=height, fill=PAPER),
        label(left, 18, title, font_size=14, font_weight=600),
        label(left, 34, _summary(known, len(values) - len(known), unit), fill=FAINT),
        *(
            _grid_line(left, right, bottom - k * row * y_scale, k * row)
            for k in range(n_rows + 1)
        ),
        _bars(counts.tolist(), edges, unit, (left, bottom), (x_scale, y_scale)),
        *(
            _centred(left + (k * step - edges[0]) * x_scale, bottom + 17, f"{k * step:g}")
            for k in ticks
        ),
        label(right, height - 8, f"{title} [{unit}]", text_anchor="end"),
        element(
            "g",
            _centred(0, 0, "buildings 栋"),
            transform=f"translate(14 {middle:.0f}) rotate(-90)",
        ),
    )


def _bars(
    counts: list[int],
    edges: list[float],
    unit: str,
    origin: tuple[float, float],
    scale: tuple[float, float],
) -> Markup:
    """One bar for each class that holds anything; its tooltip says how much."""
    bars = [
        element(
            "rect",
            element("title", f"{low:g}–{high:g} {unit}: {count:,}"),
            x=origin[0] + (low - edges[0]) * scale[0] + 0.5,
            y=origin[1] - count * scale[1],
            width=(high - low) * scale[0] - 1,
            height=count * scale[1],
        )
        for (low, high), count in zip(pairwise(edges), counts, strict=True)
        if count
    ]
    return element("g", *bars, fill=ACCENT)


def _summary(known: FloatArray, n_missing: int, unit: str) -> str:
    """Count, median and maximum in one line."""
    parts = [f"n = {len(known):,}"]
    if n_missing:
        parts.append(f"{n_missing:,} without a value 无值")
    if len(known):
        parts.append(
            f"median 中位数 {np.median(known):.1f} {unit}, max {known.max():.1f} {unit}"
        )
    return ", ".join(parts)


def _grid_line(left: float, right: float, y: float, count: float) -> Markup:
    """One line across, with its count."""
    return element(
        "g",
        element(
            "path", d=f"M{left:.0f} {y:.1f}H{right:.0f}", stroke="#e3e8ed" if count else INK
        ),
        label(left - 8, y + 4, f"{count:,.0f}", text_anchor="end", fill=FAINT),
    )


def _centred(x: float, y: float, text: str) -> Markup:
    """A faint label around its place."""
    return label(x, y, text, text_anchor="middle", fill=FAINT)


def _classes(known: FloatArray) -> tuple[NDArray[np.int64], list[float]]:
    """Count in at most 40 classes with round borders; return these borders as well."""
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 10.0)
    step = max(nice_step(high - low, 40), 0.1)
    first = math.floor(low / step)
    n = max(math.floor(high / step) - first + 1, 1)
    slot = np.clip(np.floor(known / step).astype(np.int64) - first, 0, n - 1)
    return np.bincount(slot, minlength=n), [(first + i) * step for i in range(n + 1)]
