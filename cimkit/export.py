"""Single buildings out of a finished city."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cimkit.write.mesh import write_mesh

if TYPE_CHECKING:
    from cimkit.read.city import City
    from cimkit.tables import Models


def export_building(
    city: City | Models,
    building_id: str,
    path: str,
    *,
    lod: str = "best",
    origin: tuple[float, float, float] | None = None,
) -> tuple[float, float, float]:
    """Write one building of a city as OBJ, GLB, STL or PLY.

    Parameters
    ----------
    city : City or Models
        What `cimkit.open_city` or `cimkit.reconstruct` gave.
    building_id, path, lod, origin
        As in `cimkit.write.mesh.write_mesh`.

    Returns
    -------
    tuple of float
        East, north and height, metres, of the file's (0, 0, 0).

    Raises
    ------
    ParameterError, StoreError
        As `write_mesh`.

    Examples
    --------
    >>> import tempfile
    >>> import shapely, cimkit
    >>> footprints = cimkit.Footprints.from_polygons(["a"], [shapely.box(2.5, 3.5, 9, 9)])
    >>> _, models, _ = cimkit.reconstruct(footprints)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export_building(models, "a", f"{folder}/a.glb")
    (2.0, 3.0, 0.0)
    """
    from cimkit.read.city import City

    models = city.models("all") if isinstance(city, City) else city
    return write_mesh(models, building_id, path, lod=lod, origin=origin)
