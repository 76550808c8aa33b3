"""The white models of a city with light and shadow, as SVG."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from cimkit.errors import ParameterError
from cimkit.tables.models import ROOF_SURFACE
from cimkit.write.camera import (
    Camera,
    cast_shadow,
    face_normals,
    place_camera,
    visible_faces,
)
from cimkit.write.markup import Markup, element
from cimkit.write.svg import (
    FAINT,
    LABEL_CHARACTERS_MAX,
    SUBPIXELS,
    label,
    legend,
    nice_step,
    path_data,
    picture,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from cimkit.tables import Models
    from cimkit.tables._columns import FloatArray, IntArray

BUILDINGS_MAX = 1_000
"""Buildings in one picture: about 1 MB of SVG, and more cannot be told apart."""

SUN_TURN, SUN_HEIGHT = 62.0, 46.0
"""Degrees. The sun stands left behind the camera, so the two visible walls of a box differ."""

WHITE = ("#ffffff",)
TINTS = ("#fbfaf6", "#e0edf3", "#b5d5e5", "#7db2cf", "#4686ae", "#245c88")
EDGE, SHADOW = "#4d6074", "#54708f"
SHADE = (96, 118, 146)
"""Colour of a face without any light."""


def draw_models(
    models: Models,
    *,
    title: str = "",
    width: int = 1200,
    azimuth: float = 205.0,
    elevation: float = 38.0,
    by_height: bool = False,
    n_all: int | None = None,
) -> Markup:
    """Picture of the white models (白模).

    Parameters
    ----------
    models : Models
        Of more than 1,000 buildings those around the densest place are drawn; the caption
        says of how many.
    title : str, optional
        Stands above the caption.
    width : int
        Pixels.
    azimuth : float
        Where the viewer stands, degrees clockwise from north.
    elevation : float
        Height of the viewer above the horizon, degrees in [5, 90].
    by_height : bool
        Tint the buildings by their height, with a legend.
    n_all : int, optional
        Buildings of the city, where `models` holds only a part of them.

    Returns
    -------
    Markup
        An SVG document as text; each building of which anything can be seen is one group, and
        its tooltip names it.

    Raises
    ------
    ParameterError
        If `elevation` is out of range.

    Examples
    --------
    >>> from cimkit.tables import Models
    >>> nothing = Models([], "1.2", [], [0], [], [0], [0], [0], [])
    >>> "0 buildings" in draw_models(nothing)
    True
    """
    camera = camera_at(models, azimuth, elevation)
    shown = models.take(_densest(models, camera))
    heights = solid_heights(shown)
    tints, entries = _tints(heights, by_height=by_height)
    parts, face = visible_faces(shown, camera)
    shadow = cast_shadow(shown, camera)
    margin = 0.04 * width
    to_pixels, bottom = fit_shapes(np.concatenate([parts, shadow]), width, margin)
    key, key_height = legend(margin, bottom, width - 2 * margin, entries)
    height = round(bottom + (key_height + 8 if entries else 0))
    paths, shade = (
        shape_paths(shapely.transform(shapes, to_pixels)) for shapes in (parts, shadow)
    )
    groups = building_groups(
        shown, heights, face, paths, face_fills(shown, camera, tints), camera
    )
    return picture(
        width,
        height,
        title or "White models 白模",
        scene_definitions(),
        element("rect", width=width, height=height, fill="url(#paper)"),
        _caption(len(shown), n_all or len(models), title, margin),
        draw_scene("".join(shade), groups, width / 240),
        key if entries else Markup(),
    )


def camera_at(models: Models, azimuth: float, elevation: float) -> Camera:
    """Put the origin to the first vertex, so that large eastings cost no digits."""
    if not 5.0 <= elevation <= 90.0:
        raise ParameterError(f"elevation: must lie in [5, 90] degrees, not {elevation:g}")
    origin = models.vertices[0] if len(models.vertices) else np.zeros(3)
    return place_camera(azimuth, elevation, azimuth + SUN_TURN, SUN_HEIGHT, origin)


def fit_shapes(
    shapes: NDArray[Any], width: int, margin: float
) -> tuple[Callable[[FloatArray], FloatArray], float]:
    """Map metres to tenths of a pixel so that all shapes fit; also the lower end in pixels."""
    box = shapely.total_bounds(shapes) if len(shapes) else np.zeros(4)
    xmin, ymin, xmax, ymax = box.tolist()
    top = 0.1 * width
    scale = (width - 2 * margin) / max(xmax - xmin, 1.0)

    def to_pixels(xy: FloatArray) -> FloatArray:
        x = margin + (xy[:, 0] - xmin) * scale
        return np.column_stack([x, top + (ymax - xy[:, 1]) * scale]) * SUBPIXELS

    return to_pixels, top + (ymax - ymin) * scale + margin


def _densest(models: Models, camera: Camera) -> IntArray:
    """Rows to draw: all, or those around the fullest of overlapping windows of the picture."""
    if len(models) <= BUILDINGS_MAX:
        return np.arange(len(models))
    place = camera.project(models.vertices[models.vertex_offsets[:-1]])[:, :2] * [1.0, 1.6]
    low = place.min(0)
    cell = (
        max(float(np.ptp(place, axis=0).max()), 1.0)
        * math.sqrt(BUILDINGS_MAX / len(models))
        / 4
    )
    slot = np.floor((place - low) / cell).astype(np.int64)
    count = np.zeros(slot.max(0) + 4, dtype=np.int64)
    np.add.at(count, (slot[:, 0], slot[:, 1]), 1)
    window = np.lib.stride_tricks.sliding_window_view(count, (4, 4)).sum(axis=(2, 3))
    best = np.array(np.unravel_index(window.argmax(), window.shape))
    distance = np.abs(place - (low + (best + 2) * cell)).max(axis=1)
    return np.sort(np.argsort(distance, kind="stable")[:BUILDINGS_MAX])


def solid_heights(models: Models) -> FloatArray:
    """Height of each solid, shape (n,)."""
    if not len(models):
        return np.empty(0)
    z, start = models.vertices[:, 2], models.vertex_offsets[:-1]
    return np.asarray(np.maximum.reduceat(z, start) - np.minimum.reduceat(z, start))


def _tints(heights: FloatArray, *, by_height: bool) -> tuple[FloatArray, list[tuple[str, str]]]:
    """Colour of each building in light, shape (n, 3), and the legend."""
    colours = np.array([rgb(colour) for colour in (TINTS if by_height else WHITE)], dtype=float)
    if not by_height or not len(heights):
        return np.repeat(colours[:1], len(heights), axis=0), []
    step = nice_step(float(np.quantile(heights, 0.98)), len(TINTS) - 1)
    last = len(TINTS) - 1
    names = [f"{k * step:g}–{(k + 1) * step:g} m" for k in range(last)]
    names.append(f"≥ {last * step:g} m")
    level = np.minimum((heights / step).astype(np.int64), last)
    return colours[level], list(zip(TINTS, names, strict=True))


def face_fills(models: Models, camera: Camera, tints: FloatArray) -> list[str]:
    """Colour of each face by Lambert's law; the open sky lights roofs a little more."""
    light = np.clip(face_normals(models) @ camera.sun, 0.0, 1.0)
    roof = models.semantics == ROOF_SURFACE
    share = np.where(roof, 0.62 + 0.52 * light, 0.42 + 0.5 * light).clip(0.0, 1.0)[:, None]
    colour = tints[models.solid_of_face] * share + np.array(SHADE) * (1.0 - share)
    return [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in np.round(colour).astype(int).tolist()]


def rgb(colour: str) -> tuple[int, ...]:
    """Red, green and blue of ``#rrggbb``."""
    return tuple(bytes.fromhex(colour[1:]))


def shape_paths(polygons: NDArray[Any]) -> list[str]:
    """Path data of each polygon, its holes included."""
    rings, owner = shapely.get_rings(polygons, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    whole = np.split(np.round(xy).astype(np.int64), np.flatnonzero(np.diff(ring)) + 1)
    texts = [""] * len(polygons)
    for row, points in zip(owner.tolist(), whole, strict=False):
        texts[row] += path_data([points[:-1]])
    return texts


def building_groups(
    models: Models,
    heights: FloatArray,
    face: IntArray,
    paths: list[str],
    fills: list[str],
    camera: Camera,
) -> Iterator[Markup]:
    """One group for each building, the far ones first, so that near outlines lie on top."""
    solid = models.solid_of_face[face]
    first = models.vertices[models.vertex_offsets[:-1]]
    depth = camera.project(first)[:, 2]
    borders = np.searchsorted(solid, np.arange(len(models) + 1)).tolist()
    for row in np.argsort(-depth, kind="stable").tolist():
        drawn = [
            element("path", d=paths[k], fill=fills[face[k]], fill_rule="evenodd")
            for k in range(borders[row], borders[row + 1])
        ]
        if drawn:
            name = f"{models.building_id[row][:LABEL_CHARACTERS_MAX]}: {heights[row]:.1f} m"
            yield element("g", element("title", name), *drawn)


def draw_scene(shade: str, groups: Iterable[Markup], line_width: float) -> Markup:
    """Soft shadows on the ground, and the buildings with thin edges."""
    return element(
        "g",
        element("path", d=shade, fill=SHADOW, fill_opacity=0.4, filter="url(#soft)"),
        element(
            "g",
            *groups,
            stroke=EDGE,
            stroke_opacity=0.7,
            stroke_width=line_width,
            stroke_linejoin="round",
        ),
        transform=f"scale({1 / SUBPIXELS:g})",
    )


def scene_definitions() -> Markup:
    """Background and blur."""
    return element(
        "defs",
        element(
            "linearGradient",
            element("stop", offset="0", stop_color="#dfe7ee"),
            element("stop", offset="0.55", stop_color="#f3f6f8"),
            element("stop", offset="1", stop_color="#eef2f5"),
            id="paper",
            x1="0",
            y1="0",
            x2="0",
            y2="1",
        ),
        element("filter", element("feGaussianBlur", stdDeviation="12"), id="soft"),
    )


def _caption(n_shown: int, n_all: int, title: str, margin: float) -> Markup:
    """Title and count."""
    text = f"{n_shown:,} buildings 栋"
    if n_shown < n_all:
        text += f", a part of {n_all:,} 局部"
    head = label(margin, 46, title, font_size=24, font_weight=600) if title else Markup()
    return element(
        "g", head, label(margin, 70 if title else 46, text, font_size=13, fill=FAINT)
    )
