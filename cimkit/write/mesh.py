"""One building as a mesh file that modelling programs open."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cimkit.errors import ParameterError, StoreError

if TYPE_CHECKING:
    from cimkit.tables import Models

SUFFIXES = (".obj", ".glb", ".stl", ".ply")
"""Formats that `write_mesh` knows; the suffix of the file chooses."""


def write_mesh(
    models: Models,
    building_id: str,
    path: str | Path,
    *,
    lod: str = "best",
    origin: tuple[float, float, float] | None = None,
) -> tuple[float, float, float]:
    """Write one building as OBJ, GLB, STL or PLY.

    Parameters
    ----------
    models : Models
        At any levels of detail.
    building_id : str
    path : str or Path
        Ends in ``.obj``, ``.glb``, ``.stl`` or ``.ply``; a file that is there is replaced.
    lod : str
        ``"1.2"``, ``"1.3"``, ``"2.2"``, or ``"best"`` for the highest the building has.
    origin : tuple of float, optional
        East, north and height in metres that become (0, 0, 0) in the file. Default: the
        south-west corner of the building, down to whole metres, and height 0.

    Returns
    -------
    tuple of float
        The origin; add it to the coordinates of the file to be on the map again.

    Raises
    ------
    ParameterError
        If the suffix, the building or the level is unknown, or the origin is no place.
    StoreError
        If the file cannot be written.

    Notes
    -----
    GLB, STL and PLY hold float32: its steps are 0.25 m at a northing of 4 000 000 m, 8 µm at
    100 m; hence the origin near the building. OBJ, STL and PLY are east, north, up; GLB is
    east, up, south, as glTF wants the y axis up.

    Examples
    --------
    >>> import tempfile
    >>> import shapely, trimesh, cimkit
    >>> shape = shapely.box(500_000.5, 4_000_000.5, 500_010.5, 4_000_006.5)
    >>> footprints = cimkit.Footprints.from_polygons(["a"], [shape], floors=[2])
    >>> _, models, _ = cimkit.reconstruct(footprints)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     print(write_mesh(models, "a", f"{folder}/a.ply"))
    ...     print(trimesh.load_mesh(f"{folder}/a.ply").bounds[:, 0].tolist())
    (500000.0, 4000000.0, 0.0)
    [0.5, 10.5]
    """
    import trimesh

    path = Path(path)
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise ParameterError(
            f"path: {path.name!r} must end in one of {', '.join(SUFFIXES)}; the ending "
            "chooses the format"
        )
    one = _solid_at(solids_of(models, building_id), lod)
    if origin is None:
        west, south = np.floor(one.vertices[:, :2].min(0)).tolist()
        origin = (west, south, 0.0)
    if np.shape(origin) != (3,) or not np.isfinite(origin).all():
        raise ParameterError(f"origin: must be three finite numbers, not {origin!r}")
    vertices = one.vertices - np.array(origin)
    if kind == ".glb":
        vertices = vertices[:, [0, 2, 1]] * [1.0, 1.0, -1.0]
    mesh = trimesh.Trimesh(vertices, one.triangles()[0], process=False)
    data: Any = mesh.export(file_type=kind[1:])
    try:
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be written ({error.strerror}). Name a file in a folder that "
            "exists and that you may write to"
        ) from error
    return origin


def solids_of(models: Models, building_id: str) -> Models:
    """All solids of one building, the lowest level of detail first.

    Raises
    ------
    ParameterError
        If no solid has this id.
    """
    rows = np.flatnonzero(models.building_id == building_id)
    if not len(rows):
        names = sorted(set(models.building_id.tolist()))
        near = difflib.get_close_matches(str(building_id), names, n=3) or names[:3]
        hint = f"near to it: {', '.join(near)}" if near else "the table is empty"
        raise ParameterError(
            f"building_id: no solid of {building_id!r} among {len(names):,} buildings "
            f"({hint}); take one of models.building_id"
        )
    return models.take(rows[np.argsort(models.lod[rows], kind="stable")])


def _solid_at(solids: Models, lod: str) -> Models:
    """Choose one level of a building."""
    if lod == "best":
        return solids.take(np.array([-1]))
    levels = solids.lod.tolist()
    if lod not in levels:
        raise ParameterError(
            f"lod: {solids.building_id[0]!r} has no LoD{lod}, only {', '.join(levels)}; take "
            'one of these or "best", and reconstruct with lod=("1.2", "1.3", "2.2") for more'
        )
    return solids.take(np.array([levels.index(lod)]))
