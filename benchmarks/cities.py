"""Cities to build: the real block of Delft repeated on a grid, else the sample city.

The real block is found beside `$CIMKIT_DATA`; without it the figures are those of an invented
city, whose points are fewer for each building.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import shapely

import cimkit
from benchmarks.measuring import ROOT
from cimkit.read.job import read_job
from cimkit.sample import make_sample
from cimkit.tables import Addresses, Footprints, PointCloud
from cimkit.tables._columns import TEXT
from cimkit.tables.rawfootprints import RawFootprints
from cimkit.write.points import write_points

DATA = Path(os.environ.get("CIMKIT_DATA", ROOT.parent / "shared" / "data"))
REPEAT = DATA.parent / "yardstick" / "repeat_city.py"
BUILDINGS = 160
"""Of one block, real or invented."""

_JOB = """footprints = "footprints.gpkg"
footprint_id = "bid"
points = ["points"]
addresses = "addresses.csv"
address_id = "address_id"
crs = "EPSG:7415"
undulation = 43.0
"""


def has_real_block() -> bool:
    """Whether the real block and the script that repeats it are there."""
    return REPEAT.is_file() and (DATA / "delft_centre").is_dir()


def make_city(folder: Path, side: int) -> Path:
    """A city of `side` by `side` blocks; returns its job file."""
    if not has_real_block():
        return Path(make_sample(folder, buildings=BUILDINGS * side**2, seed=1).job)
    subprocess.run(
        [sys.executable, str(REPEAT), str(folder), str(side), str(side)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    job = folder / "city.toml"
    job.write_text(_JOB)
    return job


def make_tiny_city(folder: Path, job: Path) -> Path:
    """One building and one point, all else as in `job`: a build of it is all start-up."""
    values = read_job(str(job))
    crs = values["crs"]
    footprints, _ = cimkit.clean(
        cimkit.read_footprints(values["footprints"], layer="", crs=crs)[0]
    )
    folder.mkdir(parents=True)
    one = footprints.take(np.array([0])).to_geopandas()
    one.to_file(folder / "one.gpkg", layer="one")
    x, y = shapely.get_coordinates(one.geometry.representative_point())[0]
    write_points(folder / "one.laz", np.array([[x, y, 9.0]]), np.array([6], np.uint8), crs=crs)
    tiny = folder / "tiny.toml"
    tiny.write_text(
        f'footprints = "one.gpkg"\npoints = "one.laz"\ncrs = "{crs}"\nundulation = 0.0\n'
    )
    return tiny


class Block(NamedTuple):
    """One block in memory."""

    paths: list[str]
    raw: RawFootprints
    footprints: Footprints
    cloud: PointCloud
    addresses: Addresses


def load_block(folder: Path) -> Block:
    """The real block of Delft, or an invented one."""
    if has_real_block():
        crs, paths = "EPSG:7415", [str(DATA / "delft_centre")]
        outlines, layer = str(DATA / "delft_centre" / "bgt.gpkg"), "pand"
        numbers = gpd.read_file(DATA / "delft_centre" / "house_numbers.gpkg")
        texts, xy = numbers.housenumbers, shapely.get_coordinates(numbers.geometry)
        ids = np.array([f"A{k}" for k in range(len(xy))], TEXT)
        addresses = Addresses(ids, texts, xy[:, 0], xy[:, 1], crs=crs)
    else:
        values = read_job(str(make_sample(folder, buildings=BUILDINGS, seed=1).job))
        crs, paths, layer = values["crs"], list(values["points"]), ""
        outlines = values["footprints"]
        addresses = cimkit.read_addresses(values["addresses"], crs=crs)[0]
    raw = cimkit.read_footprints(outlines, layer=layer, crs=crs)[0]
    cloud = cimkit.read_points(paths, crs=crs)
    return Block(paths, raw, cimkit.clean(raw)[0], cloud, addresses)
