"""A small Chinese neighbourhood, invented from a seed, with the truth about it.

Its files look as offices hand them over, so a build can be tried, tested and shown without
anybody's data; what the scan and the addresses were drawn from is written beside them.
"""

from __future__ import annotations

from os import PathLike

import geopandas as gpd
import numpy as np
import shapely

from cimkit.errors import ParameterError
from cimkit.sample.addresses import Address, block_addresses
from cimkit.sample.buildings import Building, build_block
from cimkit.sample.layout import CRS, Block, plan_blocks
from cimkit.sample.scan import scan_block
from cimkit.write.inputs import (
    SamplePaths,
    sample_paths,
    write_gbk_shapefile,
    write_job,
    write_table,
)
from cimkit.write.points import write_points

__all__ = ["SamplePaths", "make_sample"]

HEIGHTS = "5737"
"""EPSG code of the 1985 national height datum."""

TILE_BLOCKS = 3
"""A file of points holds so many blocks by so many."""

UNDULATION = -15.0
"""Metres; made up, like the place."""


def make_sample(
    out: str | PathLike[str], *, buildings: int = 120, seed: int = 7
) -> SamplePaths:
    """Write a sample city: footprints, point cloud, addresses, job file, and the truth.

    Parameters
    ----------
    out : str or path
        Folder, made if missing; files of an earlier sample in it are replaced.
    buildings : int, default 120
        At least 1. More buildings make more blocks; a block holds up to 32.
    seed : int, default 7
        Not negative.

    Returns
    -------
    SamplePaths
        Where the files lie.

    Raises
    ------
    ParameterError
        If `buildings` or `seed` is out of range.

    Notes
    -----
    The same arguments give the same bytes. At most the points of one tile are in memory. Points
    lie on the faces of ``truth_roofs.csv`` but for a range noise of 2.5 cm.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = make_sample(folder, buildings=2)
    ...     print(len(gpd.read_file(paths.footprints, encoding="GBK")))
    2
    """
    if buildings < 1 or seed < 0:
        raise ParameterError("make_sample: buildings must be at least 1 and seed at least 0")
    paths = sample_paths(out)
    blocks = plan_blocks(buildings)
    built = [build_block(block, seed) for block in blocks]
    addresses = [
        address
        for block, there in zip(blocks, built, strict=True)
        for address in block_addresses(block, there, seed)
    ]
    _write_points(paths, blocks, built, seed)
    everything = [building for there in built for building in there]
    _write_footprints(paths, everything)
    _write_truth(paths, everything)
    _write_addresses(paths, addresses)
    job = {
        "footprints": paths.footprints.name,
        "points": [paths.points.name],
        "addresses": paths.addresses.name,
        "crs": f"{CRS}+{HEIGHTS}",
        "undulation": UNDULATION,
    }
    write_job(paths.job, job, note="An invented neighbourhood; the undulation is made up too.")
    return paths


def _write_points(
    paths: SamplePaths, blocks: list[Block], built: list[list[Building]], seed: int
) -> None:
    """Scan the blocks tile by tile."""
    tiles: dict[tuple[int, int], list[int]] = {}
    for block in blocks:
        tile = (block.column // TILE_BLOCKS, block.row // TILE_BLOCKS)
        tiles.setdefault(tile, []).append(block.number)
    for (column, row), members in tiles.items():
        scans = [scan_block(blocks[k], built[k], seed) for k in members]
        write_points(
            paths.points / f"sample_{column:02d}_{row:02d}.laz",
            np.concatenate([scan.xyz for scan in scans]),
            np.concatenate([scan.classification for scan in scans]),
            crs=f"{CRS}+{HEIGHTS}",
        )


def _write_footprints(paths: SamplePaths, buildings: list[Building]) -> None:
    """Write footprints with the usual fields of a survey office."""
    columns = {
        "编号": [b.building_id for b in buildings],
        "名称": [b.label for b in buildings],
        "结构": [b.structure for b in buildings],
        "层数": np.array([b.floors for b in buildings], dtype=np.int32),
    }
    outlines = [b.outline for b in buildings]
    write_gbk_shapefile(paths.footprints, gpd.GeoDataFrame(columns, geometry=outlines, crs=CRS))


def _write_truth(paths: SamplePaths, buildings: list[Building]) -> None:
    """Write one row for each building and one for each face of its roof."""
    columns = {
        "building_id": [b.building_id for b in buildings],
        "kind": [b.kind for b in buildings],
        "roof": [b.roof for b in buildings],
        "floors": [b.floors for b in buildings],
        "h_ground": [b.h_ground for b in buildings],
        "h_eave": [b.h_eave for b in buildings],
        "h_roof_mean": [b.h_roof_mean for b in buildings],
        "h_roof_max": [b.h_roof_max for b in buildings],
        "area_m2": [b.outline.area for b in buildings],
        "volume_m3": [b.volume for b in buildings],
    }
    write_table(paths.truth_buildings, columns)
    faces = [face for b in buildings for face in b.faces]
    columns = {
        "building_id": [b.building_id for b in buildings for _ in b.faces],
        "part": [face.part for face in faces],
        "x0": [face.x0 for face in faces],
        "y0": [face.y0 for face in faces],
        "z0": [face.z0 for face in faces],
        "dz_dx": [repr(face.dz_dx) for face in faces],
        "dz_dy": [repr(face.dz_dy) for face in faces],
        "wkt": shapely.to_wkt([face.polygon for face in faces], rounding_precision=3),
    }
    write_table(paths.truth_roofs, columns)


def _write_addresses(paths: SamplePaths, addresses: list[Address]) -> None:
    """Write the address table, and to which building each address truly belongs."""
    ids = [f"A{number + 1:05d}" for number in range(len(addresses))]
    table = {
        "地址编码": ids,
        "标准地址": [address.text for address in addresses],
        "x": [address.x for address in addresses],
        "y": [address.y for address in addresses],
    }
    write_table(paths.addresses, table, bom=True)
    belongs = [address.building_id for address in addresses]
    write_table(paths.truth_links, {"building_id": belongs, "address_id": ids})
