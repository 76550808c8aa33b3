"""A Chinese city of any size, invented from a seed, with the truth about it.

Its files look as offices hand them over, so a build can be tried, tested and measured without
anybody's data; what the scan and the addresses were drawn from is written beside them.
"""

from __future__ import annotations

from contextlib import ExitStack
from os import PathLike

from cimkit.errors import LimitError, ParameterError
from cimkit.sample.blocks import build_block
from cimkit.sample.change import next_epoch
from cimkit.sample.layout import CRS, plan
from cimkit.sample.noise import WITHOUT_COORDINATES, AddressNoise
from cimkit.sample.survey import HEIGHTS, Survey, Wanted
from cimkit.write.inputs import SamplePaths, sample_paths, write_job

__all__ = ["SamplePaths", "make_sample"]

CLOUDS = ("classified", "unclassified", "photogrammetric", "none")

BUILDINGS_MAX = 1_000_000
"""So many fit into the codes of the townships of two counties."""

SHAPEFILE_MAX = 10_000
"""More footprints come as a GeoPackage: a Shapefile has no index and cannot grow in pieces, and
an office that hands over a whole city takes a database."""

UNDULATION = -15.0
"""Metres; made up, like the place."""


def make_sample(
    out: str | PathLike[str],
    *,
    buildings: int = 120,
    seed: int = 7,
    cloud: str = "classified",
    rooms: bool = False,
    second_epoch: bool = False,
    jitter: float = 0.0,
    wrong_township: float = 0.0,
    without_coordinates: float = WITHOUT_COORDINATES,
    typing_variants: float = 0.0,
) -> SamplePaths:
    """Write a sample city: footprints, cloud, addresses, divisions, counts, job, and the truth.

    Parameters
    ----------
    out : str or path
        Folder, made if missing; files of an earlier sample in it are replaced.
    buildings : int, default 120
        1 to 1,000,000; 120 fill a quarter of nine blocks.
    seed : int, default 7
        Not negative.
    cloud : {"classified", "unclassified", "photogrammetric", "none"}
        A classified laser scan with thinned ground, the same scan in full with class 1 only, or
        points matched in images: coloured, class 0, nothing below trees, rough at edges.
    rooms : bool
        Write ``addresses_full.csv`` as well, down to floors and rooms: some ten times as many
        rows, under the column names of police systems.
    second_epoch : bool
        Write the folder ``epoch2``, the same city five years later, and what has changed.
    jitter : float
        Standard deviation of both coordinates of the addresses, metres.
    wrong_township, without_coordinates, typing_variants : float
        Shares of the addresses, in [0, 1], that name another township, have no coordinates, or
        are typed in another way: full-width digits, 栋 or 号楼 for 幢, Chinese numbers, spaces,
        doubled or missing beginnings.

    Returns
    -------
    SamplePaths
        Where the files lie.

    Raises
    ------
    ParameterError, LimitError
        If an argument is out of range.
    StoreError
        If the disk does not take it.

    Notes
    -----
    The same arguments give the same bytes. A larger city begins with the smaller ones: same
    buildings, same ids, same points of all quarters that were whole. At most one quarter is in
    memory. Roof points lie on the faces of ``truth_roofs.csv`` but for a range noise of 2.5 cm.

    Examples
    --------
    >>> import tempfile
    >>> import geopandas as gpd
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = make_sample(folder, buildings=2, cloud="none")
    ...     print(gpd.read_file(paths.footprints, encoding="GBK")["名称"].tolist())
    ['锦绣苑1幢', '锦绣苑2幢']
    """
    if buildings < 1 or seed < 0:
        raise ParameterError("make_sample: buildings must be at least 1 and seed at least 0")
    if buildings > BUILDINGS_MAX:
        raise LimitError(f"make_sample: at most {BUILDINGS_MAX:,} buildings, not {buildings:,}")
    if cloud not in CLOUDS:
        raise ParameterError(f"make_sample: cloud is one of {', '.join(CLOUDS)}, not {cloud!r}")
    noise = AddressNoise(jitter, wrong_township, without_coordinates, typing_variants)
    noise.check()
    paths = sample_paths(
        out,
        footprint_suffix=".shp" if buildings <= SHAPEFILE_MAX else ".gpkg",
        rooms=rooms,
        second_epoch=second_epoch,
    )
    _survey(paths, buildings, Wanted(seed, cloud, noise))
    for epoch in (paths, paths.second_epoch):
        if epoch is not None:
            _write_job(epoch, cloud)
    return paths


def _survey(paths: SamplePaths, buildings: int, wanted: Wanted) -> None:
    """Build the city quarter by quarter, and survey each in both epochs."""
    with ExitStack() as stack:
        now = stack.enter_context(Survey(paths, wanted))
        later = None
        if paths.second_epoch is not None:
            later = stack.enter_context(Survey(paths.second_epoch, wanted._replace(epoch=2)))
        for quarter in plan(buildings, wanted.seed):
            there = [build_block(block, wanted.seed) for block in quarter.blocks]
            now.add(quarter, there)
            if later is not None:
                epoch = next_epoch(quarter, there, wanted.seed)
                later.add(quarter, epoch.blocks, order=epoch.order, changes=epoch.changes)


def _write_job(paths: SamplePaths, cloud: str) -> None:
    """Write the job that builds a city from these files."""
    job = {
        "footprints": paths.footprints.name,
        "points": [paths.points.name],
        "addresses": paths.addresses.name,
        "households": paths.households.name,
        "organisations": paths.organisations.name,
        "crs": f"{CRS}+{HEIGHTS}",
        "undulation": UNDULATION,
    }
    if cloud == "none":
        del job["points"]
    write_job(paths.job, job, note="An invented city; the undulation is made up too.")
