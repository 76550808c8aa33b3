"""The levels of detail of one building side by side, as SVG."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from cimkit.errors import ParameterError
from cimkit.tables.models import ROOF_SURFACE
from cimkit.write.camera import cast_shadow, visible_faces
from cimkit.write.markup import Markup, element
from cimkit.write.mesh import solids_of
from cimkit.write.svg import (
    FAINT,
    LABEL_CHARACTERS_MAX,
    SUBPIXELS,
    label,
    picture,
)
from cimkit.write.whitemodel_svg import (
    TINTS,
    WHITE,
    building_groups,
    camera_at,
    draw_scene,
    face_fills,
    fit_shapes,
    rgb,
    scene_definitions,
    shape_paths,
    solid_heights,
)

if TYPE_CHECKING:
    from cimkit.tables import Models
    from cimkit.tables._columns import FloatArray
    from cimkit.write.camera import Camera

POINTS_MAX = 6_000
"""Dots in one picture: about 60 kB of SVG, and more run into each other."""

GAP = 0.12
"""Space between two panels, as a share of the widest."""


def draw_building(
    models: Models,
    building_id: str,
    xyz: FloatArray | None = None,
    *,
    note: str = "",
    width: int = 1200,
    azimuth: float = 205.0,
    elevation: float = 38.0,
) -> Markup:
    """Picture of one building: its points, if given, then each level of detail.

    Parameters
    ----------
    models : Models
        At any levels of detail.
    building_id : str
    xyz : float64 array, shape (n, 3), optional
        Points of this building in the CRS of `models`, metres; of more than 6,000 every k-th
        is drawn, in the order of their coordinates. Points that are not finite are left out.
    note : str, optional
        Stands under the title, such as how the best level was made.
    width : int
        Pixels.
    azimuth, elevation : float
        Where the viewer stands, degrees, as in `draw_models`.

    Returns
    -------
    Markup
        An SVG document as text. All panels have one scale.

    Raises
    ------
    ParameterError
        If the building is unknown, `xyz` has another shape, or `elevation` is out of range.

    Examples
    --------
    >>> import shapely, cimkit
    >>> footprints = cimkit.Footprints.from_polygons(["a"], [shapely.box(0, 0, 9, 9)])
    >>> _, models, _ = cimkit.reconstruct(footprints)
    >>> "LoD1.2" in draw_building(models, "a")
    True
    """
    solids = solids_of(models, building_id)
    camera = camera_at(solids, azimuth, elevation)
    dots = np.empty((0, 3)) if xyz is None else _thinned(xyz)
    row = _side_by_side(solids, camera, dots, first=0 if xyz is None else 1)
    parts, face = visible_faces(row, camera)
    shadow = cast_shadow(row, camera)
    seen = camera.project(dots)
    margin = 0.04 * width
    shapes = np.concatenate([parts, shadow, shapely.points(seen[:, :2])])
    to_pixels, bottom = fit_shapes(shapes, width, margin)
    paths, shade = (shape_paths(shapely.transform(s, to_pixels)) for s in (parts, shadow))
    tints = np.tile(np.array(rgb(WHITE[0]), dtype=float), (len(row), 1))
    fills = face_fills(row, camera, tints)
    groups = building_groups(row, solid_heights(row), face, paths, fills, camera)
    centres = [camera.project(row.take(np.array([k])).vertices) for k in range(len(row))]
    texts = _captions(row)
    if xyz is not None:
        centres.insert(0, camera.project(solids.vertices))
        texts.insert(0, f"{len(xyz):,} points 点")
    x = to_pixels(np.array([(c.min(0) + c.max(0))[:2] / 2 for c in centres]))[:, 0] / SUBPIXELS
    title = f"Building 建筑 {building_id}"[:LABEL_CHARACTERS_MAX]
    height = round(bottom + 40)
    return picture(
        width,
        height,
        title,
        scene_definitions(),
        element("rect", width=width, height=height, fill="url(#paper)"),
        label(margin, 46, title, font_size=24, font_weight=600),
        label(margin, 70, note, font_size=13, fill=FAINT) if note else Markup(),
        _cloud(to_pixels(seen[:, :2]), dots[:, 2]),
        draw_scene("".join(shade), groups, width / 150),
        *(
            label(at, bottom + 14, text, font_size=14, fill=FAINT, text_anchor="middle")
            for at, text in zip(x.tolist(), texts, strict=True)
        ),
    )


def _thinned(xyz: FloatArray) -> FloatArray:
    """Points to draw, the same ones whatever their order."""
    xyz = np.asarray(xyz, dtype=np.float64)
    if xyz.ndim != 2 or xyz.shape[1] != 3:
        raise ParameterError(
            f"points: an array of shape (n, 3) expected, not {xyz.shape}; stack x, y and z"
        )
    xyz = xyz[np.isfinite(xyz).all(axis=1)]
    xyz = xyz[np.lexsort(xyz.T)]
    return xyz[:: -(-len(xyz) // POINTS_MAX) or 1]


def _side_by_side(solids: Models, camera: Camera, dots: FloatArray, *, first: int) -> Models:
    """Copies of the solids, moved to the right of each other, and named by their levels."""
    shadow = cast_shadow(solids, camera)
    x = np.concatenate(
        [
            camera.project(solids.vertices)[:, 0],
            camera.project(dots)[:, 0],
            shapely.get_coordinates(shadow)[:, 0],
        ]
    )
    step = (1 + GAP) * float(np.ptp(x)) * camera.axes[0]
    panel = first + np.repeat(np.arange(len(solids)), np.diff(solids.vertex_offsets))
    names: Any = [f"LoD{lod}" for lod in solids.lod.tolist()]
    return replace(solids, building_id=names, vertices=solids.vertices + panel[:, None] * step)


def _captions(row: Models) -> list[str]:
    """Level and number of roof faces of each solid."""
    n = np.bincount(row.solid_of_face[row.semantics == ROOF_SURFACE], minlength=len(row))
    names = row.building_id.tolist()
    return [
        f"{name}: {k:,} roof face{'s' if k != 1 else ''} 屋面"
        for name, k in zip(names, n.tolist(), strict=True)
    ]


def _cloud(at: FloatArray, z: FloatArray) -> Markup:
    """Dots, darker the higher; the low ones first."""
    if not len(z):
        return Markup()
    tints = TINTS[2:]
    share = (z - z.min()) / max(float(np.ptp(z)), 1e-9)
    level = np.minimum((share * len(tints)).astype(np.int64), len(tints) - 1)
    places = np.round(at).astype(np.int64)
    return element(
        "g",
        *(
            element(
                "path",
                d="".join(f"M{x} {y}h0" for x, y in places[level == k].tolist()),
                stroke=tint,
            )
            for k, tint in enumerate(tints)
            if (level == k).any()
        ),
        stroke_width=24,
        stroke_linecap="round",
        transform=f"scale({1 / SUBPIXELS:g})",
    )
