"""City base models: singulate, reconstruct, code, link and tile buildings.

The pipeline in six lines::

    footprints, issues = cimkit.clean(cimkit.read_footprints("buildings.shp", crs=crs)[0])
    points = cimkit.read_points("tiles/", crs=crs)
    owner, terrain = cimkit.singulate(points, footprints), cimkit.ground(points)[0]
    buildings, models, issues = cimkit.reconstruct(
        footprints, points, building_of_point=owner, terrain=terrain
    )
    links, issues = cimkit.link(cimkit.read_addresses("addresses.csv", crs=crs)[0], footprints)

or all of it, block by block, into a folder: ``cimkit.build("city", footprints=..., crs=...)``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "Addresses": "tables",
    "Buildings": "tables",
    "Footprints": "tables",
    "Issue": "tables",
    "Job": "job",
    "Links": "tables",
    "Models": "tables",
    "PointCloud": "tables",
    "Terrain": "tables",
    "build": "pipeline",
    "classify_ground": "steps.ground",
    "clean": "steps.clean",
    "encode": "steps.encode",
    "export_building": "export",
    "ground": "steps.ground",
    "link": "steps.link",
    "make_sample": "sample",
    "open_city": "read.city",
    "plot_building": "plot",
    "read_addresses": "read.addresses",
    "read_footprints": "read.footprints",
    "read_points": "read.points",
    "reconstruct": "steps.reconstruct",
    "singulate": "steps.singulate",
    "tile": "steps.tile",
}
"""Where each public name lives; it is imported when it is first used."""

__all__ = [
    "Addresses",
    "Buildings",
    "Footprints",
    "Issue",
    "Job",
    "Links",
    "Models",
    "PointCloud",
    "Terrain",
    "build",
    "classify_ground",
    "clean",
    "encode",
    "export_building",
    "ground",
    "link",
    "make_sample",
    "open_city",
    "plot_building",
    "read_addresses",
    "read_footprints",
    "read_points",
    "reconstruct",
    "singulate",
    "tile",
]

if TYPE_CHECKING:
    from cimkit.export import export_building
    from cimkit.job import Job
    from cimkit.pipeline import build
    from cimkit.plot import plot_building
    from cimkit.read.addresses import read_addresses
    from cimkit.read.city import open_city
    from cimkit.read.footprints import read_footprints
    from cimkit.read.points import read_points
    from cimkit.sample import make_sample
    from cimkit.steps.clean import clean
    from cimkit.steps.encode import encode
    from cimkit.steps.ground import classify_ground, ground
    from cimkit.steps.link import link
    from cimkit.steps.reconstruct import reconstruct
    from cimkit.steps.singulate import singulate
    from cimkit.steps.tile import tile
    from cimkit.tables import (
        Addresses,
        Buildings,
        Footprints,
        Issue,
        Links,
        Models,
        PointCloud,
        Terrain,
    )


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used; ``import cimkit`` loads nothing heavy."""
    if name not in _HOME:
        raise AttributeError(f"module 'cimkit' has no attribute {name!r}")
    value = getattr(import_module(f"cimkit.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
