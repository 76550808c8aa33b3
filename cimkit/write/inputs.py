"""Input files as offices hand them over: GBK Shapefile, CSV with byte order mark, job file.

All functions raise `cimkit.errors.StoreError` where the disk does not take what they write.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import pandas as pd
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError

from cimkit.write.faults import disk_faults

DBF_DATE = "2024-01-01"
"""Date in the header of the attribute file, where GDAL would put today."""


class SamplePaths(NamedTuple):
    """Where the files of a sample city lie."""

    footprints: Path
    points: Path
    addresses: Path
    job: Path
    truth_buildings: Path
    truth_roofs: Path
    truth_links: Path


def sample_paths(out: str | PathLike[str]) -> SamplePaths:
    """Folders for a sample city, made where they are missing, cleared of older sample tiles.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     print(sample_paths(folder).points.name)
    points
    """
    folder = Path(out)
    points = folder / "points"
    with disk_faults(points):
        points.mkdir(parents=True, exist_ok=True)
        for stale in sorted(points.glob("sample_*.laz")):
            stale.unlink()
    return SamplePaths(
        folder / "footprints.shp",
        points,
        folder / "addresses.csv",
        folder / "city.toml",
        folder / "truth_buildings.csv",
        folder / "truth_roofs.csv",
        folder / "truth_links.csv",
    )


def write_gbk_shapefile(path: str | Path, frame: gpd.GeoDataFrame) -> None:
    """Write a Shapefile with GBK text that nowhere says so, as most Chinese offices deliver it.

    Parameters
    ----------
    path : str or Path
        The ``.shp``; its companions get the same name. There will be no ``.cpg``.
    frame : GeoDataFrame
        Column names of at most five Chinese characters.

    Examples
    --------
    >>> import tempfile
    >>> import geopandas as gpd
    >>> from shapely import box
    >>> frame = gpd.GeoDataFrame({"层数": [6]}, geometry=[box(0, 0, 9, 9)], crs="EPSG:4546")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_gbk_shapefile(folder + "/a.shp", frame)
    ...     print(gpd.read_file(folder + "/a.shp", encoding="GBK")["层数"].tolist())
    [6]
    """
    target = Path(path)
    with disk_faults(target, DataSourceError, DataLayerError):
        pyogrio.write_dataframe(
            frame,
            target,
            driver="ESRI Shapefile",
            encoding="GBK",
            DBF_DATE_LAST_UPDATE=DBF_DATE,
        )
        target.with_suffix(".cpg").unlink(missing_ok=True)


def write_table(path: str | Path, columns: Mapping[str, Any], *, bom: bool = False) -> None:
    """Write columns as CSV in UTF-8; floats with three decimals, NaN as empty.

    Parameters
    ----------
    path : str or Path
        File to write.
    columns : mapping of str to sequence
        All of one length.
    bom : bool, default False
        Start with a byte order mark, as Excel does.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_table(folder + "/a.csv", {"id": ["a", "b"], "x": [1.0, float("nan")]})
    ...     print(Path(folder, "a.csv").read_text(encoding="utf-8").split())
    ['id,x', 'a,1.000', 'b,']
    """
    encoding = "utf-8-sig" if bom else "utf-8"
    table = pd.DataFrame(dict(columns))
    with disk_faults(path):
        table.to_csv(
            path, index=False, encoding=encoding, float_format="%.3f", lineterminator="\n"
        )


def write_job(path: str | Path, values: Mapping[str, Any], *, note: str) -> None:
    """Write a job file (``city.toml``) that starts with a note.

    Parameters
    ----------
    path : str or Path
        File to write.
    values : mapping
        Text, numbers and lists of text, keyed by fields of `cimkit.job.Job`.
    note : str
        One line or several, put in front as a comment.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_job(folder + "/a.toml", {"points": ["points"]}, note="A city.")
    ...     print(Path(folder, "a.toml").read_text(encoding="utf-8"))
    # A city.
    points = ["points"]
    <BLANKLINE>
    """
    lines = [f"# {line}" for line in note.splitlines()]
    # JSON text, numbers and lists of text are TOML as well.
    lines += [
        f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()
    ]
    with disk_faults(path):
        Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
