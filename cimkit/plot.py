"""Pictures for notebooks: each prints itself there, and `svg` is its text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cimkit.tables import PointCloud
from cimkit.write.building_svg import draw_building
from cimkit.write.plan_svg import draw_plan
from cimkit.write.svg import draw_histogram
from cimkit.write.whitemodel_svg import draw_models

if TYPE_CHECKING:
    from cimkit.tables import Buildings, Footprints, Models
    from cimkit.tables._columns import FloatArray, TextArray


@dataclass(frozen=True, slots=True, repr=False)
class Picture:
    """A drawing.

    Parameters
    ----------
    svg : str
        A whole SVG document.
    """

    svg: str

    def __repr__(self) -> str:
        return f"Picture({len(self.svg):,} characters of SVG)"

    def _repr_svg_(self) -> str:
        return self.svg


def plot_models(models: Models, *, title: str = "", by_height: bool = False) -> Picture:
    """Draw the white models with light and shadow.

    Examples
    --------
    >>> from cimkit.tables import Models
    >>> plot_models(Models([], "1.2", [], [0], [], [0], [0], [0], [])).svg[:4]
    '<svg'
    """
    return Picture(draw_models(models, title=title, by_height=by_height))


def plot_building(
    models: Models, building_id: str, points: PointCloud | FloatArray | None = None
) -> Picture:
    """Draw the levels of detail of one building side by side, after its points if given.

    Parameters
    ----------
    models : Models
        At any levels of detail.
    building_id : str
    points : PointCloud, or float64 array of shape (n, 3), optional
        Points of this building, in the CRS of `models`; at most 6,000 are drawn.

    Raises
    ------
    ParameterError
        If the building is unknown, or `points` has another shape.

    Examples
    --------
    >>> import shapely, cimkit
    >>> footprints = cimkit.Footprints.from_polygons(["a"], [shapely.box(0, 0, 9, 9)])
    >>> _, models, _ = cimkit.reconstruct(footprints)
    >>> "LoD1.2: 1 roof face" in plot_building(models, "a").svg
    True
    """
    if isinstance(points, PointCloud):
        points = np.column_stack([points.x, points.y, points.z])
    return Picture(draw_building(models, building_id, points))


def plot_plan(
    footprints: Footprints,
    values: FloatArray | TextArray | None = None,
    *,
    title: str = "Plan 平面图",
    unit: str = "",
) -> Picture:
    """Draw the footprints, coloured by numbers or categories.

    Examples
    --------
    >>> from cimkit.tables import Footprints
    >>> plot_plan(Footprints.from_polygons([], [])).svg[:4]
    '<svg'
    """
    return Picture(draw_plan(footprints, values, title=title, unit=unit))


def plot_heights(buildings: Buildings) -> Picture:
    """Draw the histogram of the heights."""
    return Picture(draw_histogram(buildings.height, title="Height 高度", unit="m"))
