"""Input files as offices hand them over: GBK Shapefile, CSV with byte order mark, job file.

All functions raise `cimkit.errors.StoreError` where the disk does not take what they write.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, Self

import geopandas as gpd
import pandas as pd
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError

from cimkit.write.faults import disk_faults

DBF_DATE = "2024-01-01"
"""Date in the header of the attribute file, where GDAL would put today."""


GPKG_DATE = "2024-01-01T00:00:00.000Z"
"""Time of the last change in a GeoPackage, where GDAL would put now."""


class SamplePaths(NamedTuple):
    """Where the files of a sample city lie; None where one was not asked for."""

    footprints: Path
    points: Path
    addresses: Path
    job: Path
    truth_buildings: Path
    truth_roofs: Path
    truth_links: Path
    divisions: Path
    households: Path
    organisations: Path
    addresses_full: Path | None = None
    truth_links_full: Path | None = None
    truth_changes: Path | None = None
    second_epoch: SamplePaths | None = None

    @property
    def tables(self) -> list[Path]:
        """The CSV files."""
        return [path for path in self if isinstance(path, Path) and path.suffix == ".csv"]


_STALE = (
    "points/sample_*.laz", "footprints.*", "addresses*.csv", "truth_*.csv", "divisions.gpkg",
    "households.csv", "organisations.csv", "city.toml",
)  # fmt: skip
"""What an earlier sample may have left in its folder."""


def sample_paths(
    out: str | PathLike[str],
    *,
    footprint_suffix: str = ".shp",
    rooms: bool = False,
    second_epoch: bool = False,
) -> SamplePaths:
    """Folders for a sample city, made where they are missing, cleared of an older sample.

    Parameters
    ----------
    out : str or path
    footprint_suffix : {".shp", ".gpkg"}
    rooms : bool
        Whether there are tables of all addresses down to the rooms.
    second_epoch : bool
        Whether there is a folder ``epoch2`` with the city some years later.

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
        for later in ("", "epoch2/"):
            for stale in (
                path for kind in _STALE for path in sorted(folder.glob(later + kind))
            ):
                stale.unlink()
    paths = SamplePaths(
        folder / f"footprints{footprint_suffix}",
        points,
        folder / "addresses.csv",
        folder / "city.toml",
        folder / "truth_buildings.csv",
        folder / "truth_roofs.csv",
        folder / "truth_links.csv",
        folder / "divisions.gpkg",
        folder / "households.csv",
        folder / "organisations.csv",
    )
    if rooms:
        paths = paths._replace(
            addresses_full=folder / "addresses_full.csv",
            truth_links_full=folder / "truth_links_full.csv",
        )
    if second_epoch:
        later_paths = sample_paths(
            folder / "epoch2", footprint_suffix=footprint_suffix, rooms=rooms
        )
        changes = later_paths.job.with_name("truth_changes.csv")
        paths = paths._replace(second_epoch=later_paths._replace(truth_changes=changes))
    return paths


class FootprintFile:
    """A file of footprints that grows piece by piece; a context, which ends the file.

    A Shapefile gets all at once, in GBK that nothing states; a GeoPackage grows in pieces of
    ROWS_AT_ONCE rows, and its only layer is called ``footprints``.

    Examples
    --------
    >>> import tempfile
    >>> from shapely import box
    >>> frame = gpd.GeoDataFrame({"层数": [6]}, geometry=[box(0, 0, 9, 9)], crs="EPSG:4546")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with FootprintFile(Path(folder, "a.gpkg")) as file:
    ...         file.write(frame)
    ...         file.write(frame)
    ...     print(len(gpd.read_file(folder + "/a.gpkg")))
    2
    """

    ROWS_AT_ONCE = 10_000

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting: list[gpd.GeoDataFrame] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None and self._waiting:
            self._flush()

    def write(self, frame: gpd.GeoDataFrame) -> None:
        """Add rows; all pieces have the same columns and CRS."""
        self._waiting.append(frame)
        full = sum(len(piece) for piece in self._waiting) >= self.ROWS_AT_ONCE
        if full and self.path.suffix == ".gpkg":
            self._flush()

    def _flush(self) -> None:
        frame = pd.concat(self._waiting, ignore_index=True)
        self._waiting.clear()
        if self.path.suffix == ".gpkg":
            append_layer(self.path, "footprints", frame)
        else:
            write_gbk_shapefile(self.path, frame)


def append_layer(path: Path, layer: str, frame: gpd.GeoDataFrame) -> None:
    """Write a layer of a GeoPackage, or add rows to it; no clock enters the file."""
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": GPKG_DATE})
    with disk_faults(path, DataSourceError, DataLayerError):
        pyogrio.write_dataframe(frame, path, layer=layer, driver="GPKG", append=path.exists())


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


class TableFile:
    """A CSV in UTF-8 that grows piece by piece; floats with three decimals, NaN as empty.

    Parameters
    ----------
    path : str or Path
        File to write; one of that name is replaced.
    bom : bool, default False
        Start with a byte order mark, as Excel does.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table = TableFile(folder + "/a.csv")
    ...     table.write({"id": ["a"], "x": [1.0]})
    ...     table.write({"id": ["b"], "x": [float("nan")]})
    ...     print(Path(folder, "a.csv").read_text(encoding="utf-8").split())
    ['id,x', 'a,1.000', 'b,']
    """

    def __init__(self, path: str | Path, *, bom: bool = False) -> None:
        self.path, self._bom, self._begun = path, bom, False

    def write(self, columns: Mapping[str, Any]) -> None:
        """Add rows: columns of one length, the same ones each time."""
        encoding = "utf-8-sig" if self._bom and not self._begun else "utf-8"
        mode = "a" if self._begun else "w"
        with (
            disk_faults(self.path),
            Path(self.path).open(mode, encoding=encoding, newline="") as file,
        ):
            rows = csv.writer(file, lineterminator="\n")
            if not self._begun:
                rows.writerow(columns)
            rows.writerows(zip(*map(_cells, columns.values()), strict=True))
        self._begun = True


def _cells(column: Iterable[Any]) -> list[Any]:
    """Values as they are written."""
    return [_decimals(value) if isinstance(value, float) else value for value in column]


def _decimals(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"


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
