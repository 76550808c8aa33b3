"""How much of each building a simpler level of detail leaves out, and what each level costs."""

from __future__ import annotations

import numpy as np

from cimkit.errors import ParameterError
from cimkit.kernels.face_triangles import solid_triangles
from cimkit.kernels.roof_deviation import roof_deviations
from cimkit.tables import Models
from cimkit.tables._columns import TextArray
from cimkit.tables.detail import Detail
from cimkit.tables.models import TILE_LODS, tile_levels


def measure_detail(models: Models, building_id: TextArray) -> Detail:
    """Measure the solids of each building against its best one.

    Parameters
    ----------
    models : Models
        At all levels of detail.
    building_id : text array, shape (n,)
        The buildings, each with at least one solid.

    Returns
    -------
    Detail
        In the order of `building_id`.

    Raises
    ------
    ParameterError
        If a building has no solid.

    Notes
    -----
    The deviation bounds the Hausdorff distance of the surfaces of two solids:
    `cimkit.kernels.roof_deviation`. It is the geometric error of a tile that shows the simpler
    one.

    Examples
    --------
    >>> import shapely
    >>> import cimkit
    >>> footprints = cimkit.Footprints.from_polygons(["a"], [shapely.box(0, 0, 9, 9)])
    >>> _, models, _ = cimkit.reconstruct(footprints)
    >>> measure_detail(models, models.building_id).deviation
    array([[inf,  0., inf, inf]])
    """
    names = building_id.tolist()
    row_of = {name: row for row, name in enumerate(names)}
    owner = np.array([row_of.get(name, -1) for name in models.building_id.tolist()], np.int64)
    level = tile_levels(models.lod)
    solids = np.full((len(names), len(TILE_LODS)), -1, dtype=np.int64)
    solids[owner[owner >= 0], level[owner >= 0]] = np.flatnonzero(owner >= 0)
    bare = np.flatnonzero((solids < 0).all(axis=1))
    if len(bare):
        raise ParameterError(f"measure_detail: building {names[bare[0]]!r} has no solid")
    ends = models.ring_offsets[models.face_offsets[models.solid_offsets]]
    n_rings = np.diff(models.face_offsets[models.solid_offsets])
    corners_of_solid = np.diff(ends)
    # A face of n corners in r rings has n + 2 (r - 1) - 2 triangles.
    triangles_of_solid = corners_of_solid + 2 * n_rings - 4 * np.diff(models.solid_offsets)
    there = solids >= 0
    return Detail(
        np.where(there, corners_of_solid[solids], 0),
        np.where(there, triangles_of_solid[solids], 0),
        _deviations(models, solids),
    )


def _deviations(models: Models, solids: np.ndarray) -> np.ndarray:
    """Deviation of each solid from the best of its building; infinite where there is none."""
    there = solids >= 0
    best = len(TILE_LODS) - 1 - np.argmax(there[:, ::-1], axis=1)
    simpler = there & (np.arange(len(TILE_LODS)) < best[:, None])
    row, column = np.nonzero(simpler)
    deviation = np.where(there, 0.0, np.inf)
    if len(row):
        first, second = solids[row, column], solids[row, best[row]]
        used = np.unique(np.concatenate([first, second]))
        chosen = models if len(used) == len(models) else models.take(used)
        corners, face, _ = solid_triangles(chosen)
        triangles = chosen.ring_vertex[corners]
        starts = np.searchsorted(chosen.solid_of_face[face], np.arange(len(chosen) + 1))
        place = np.searchsorted(used, first), np.searchsorted(used, second)
        deviation[row, column] = roof_deviations(chosen.vertices, triangles, starts, *place)
    return deviation
