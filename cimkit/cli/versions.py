"""``cimkit --version``."""

from __future__ import annotations

from importlib.metadata import version

import typer


def print_versions(wanted: bool) -> None:
    """Print the versions of cimkit and of the native libraries that it calls, and leave."""
    if not wanted:
        return
    import pyogrio
    import pyproj
    import rasterio
    import shapely

    print(f"cimkit {version('cimkit')}")
    print(f"GDAL   {pyogrio.__gdal_version_string__} in pyogrio {pyogrio.__version__}")
    print(f"GDAL   {rasterio.__gdal_version__} in rasterio {rasterio.__version__}")
    print(f"GEOS   {shapely.geos_version_string} in shapely {shapely.__version__}")
    print(f"PROJ   {pyproj.proj_version_str} in pyproj {pyproj.__version__}")
    print(f"numba  {version('numba')}")
    print(f"lazrs  {version('lazrs')}")
    raise typer.Exit
