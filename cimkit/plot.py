"""Pictures for notebooks: each prints itself there, and `svg` is its text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely

from cimkit.errors import ParameterError
from cimkit.tables import PointCloud
from cimkit.write.building_svg import draw_building
from cimkit.write.plan_svg import draw_plan
from cimkit.write.roof_plan_svg import RoofPlan, draw_roof_plan
from cimkit.write.svg import draw_histogram
from cimkit.write.whitemodel_svg import draw_models

if TYPE_CHECKING:
    from cimkit.steps.reconstruct.partition import RoofPartition
    from cimkit.steps.reconstruct.planes import RoofPlanes
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
    models: Models,
    building_id: str,
    points: PointCloud | FloatArray | None = None,
    *,
    buildings: Buildings | None = None,
) -> Picture:
    """Draw the levels of detail of one building side by side, after its points if given.

    Parameters
    ----------
    models : Models
        At any levels of detail.
    building_id : str
    points : PointCloud, or float64 array of shape (n, 3), optional
        Points of this building, in the CRS of `models`; at most 6,000 are drawn.
    buildings : Buildings, optional
        Says under the title how the best level was made (`method`), and why it is not better.

    Raises
    ------
    ParameterError
        If the building is unknown, also to `buildings`, or `points` has another shape.

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
    note = "" if buildings is None else _how_made(buildings, building_id)
    return Picture(draw_building(models, building_id, points, note=note))


def _how_made(buildings: Buildings, building_id: str) -> str:
    """Best level of a building, its method and reason, in one line."""
    names = buildings.building_id.tolist()
    if building_id not in names:
        raise ParameterError(
            f"buildings: no row of {building_id!r} among {len(names):,}; give the table that "
            "cimkit.reconstruct gave with these models"
        )
    row = names.index(building_id)
    parts = (f"LoD{buildings.lod[row]}", buildings.method[row], buildings.reason[row])
    return " · ".join(str(part) for part in parts if part)


def plot_partition(roof: RoofPartition | RoofPlanes, *, title: str = "") -> Picture:
    """Draw from above how a roof comes about: points by plane, lines and cells, faces.

    Parameters
    ----------
    roof : RoofPartition or RoofPlanes
        From `cimkit.steps.reconstruct.partition.partition_roof`, or from
        `cimkit.steps.reconstruct.planes.find_planes` for the points alone. A plane has the same
        colour everywhere; grey points lie on none; arrows point downhill.
    title : str, optional

    Examples
    --------
    >>> import shapely
    >>> from cimkit.steps.reconstruct.partition import partition_roof
    >>> x, y = (axis.ravel() for axis in np.mgrid[0.2:6:0.4, 0.2:4:0.4])
    >>> gable = np.column_stack([x, y, 5 - np.abs(y - 2)])
    >>> "2 faces" in plot_partition(partition_roof(gable, shapely.box(0, 0, 6, 4))).svg
    True
    """
    from cimkit.steps.reconstruct.partition import RoofPartition

    if not isinstance(roof, RoofPartition):
        none, nothing = np.empty(0, dtype=object), np.empty(0, dtype=np.int64)
        roof = RoofPartition(roof, np.empty((0, 4)), none, none, nothing, roof.planes)
    points, corner = roof.planes, np.array(roof.planes.origin[:2])
    cells, faces = (
        shapely.transform(s, lambda xy: xy - corner) for s in (roof.cells, roof.faces)
    )
    plan = RoofPlan(
        points.xyz[:, :2],
        points.plane_of_point,
        roof.coefficients[:, :2],
        roof.lines - np.tile(corner, 2),
        cells,
        faces,
        roof.plane_of_face,
    )
    return Picture(draw_roof_plan(plan, title=title))


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
