"""The order of a build: read, clean, ground, singulate, reconstruct, encode, link, tile, write.

This file alone knows the order. Blocks and tiles are worked on in spawned processes; what they
leave for each other lies in a work folder beside the output, and the output appears whole or
not at all.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from cimkit.blocks import (
    Block,
    BlockTask,
    Decoded,
    DecodeTask,
    MadeTile,
    TileTask,
    common,
    cut_blocks,
    decode,
    make_block,
    make_tile,
    meet,
)
from cimkit.errors import InputError, ParameterError
from cimkit.execute import Clock, Progress, Workers, silent, started
from cimkit.inputs import Inputs, read_inputs
from cimkit.job import Job
from cimkit.kernels.warm_up import kernels_are_compiled, warm_up
from cimkit.products import Made, Product, Scan, write_products
from cimkit.read.city import City
from cimkit.read.terrain import probe_dem, read_terrain
from cimkit.register.geopackage import activate, read_register, reserve
from cimkit.steps.encode import Encoding, encode
from cimkit.steps.ground import Bounds, dem_offset, fill_terrain, fitting_cell
from cimkit.steps.link import link
from cimkit.steps.reconstruct.lod import HeightRules
from cimkit.steps.tile import tile
from cimkit.tables import Addresses, Issue, Links, Terrain, TileTree, sort_issues
from cimkit.tables._columns import TEXT, TextArray
from cimkit.tables.coderecords import RESERVED, CodeRecords
from cimkit.write.cityjson import cityjson_header
from cimkit.write.placement import Placement
from cimkit.write.spool import load_sums, save_terrain
from cimkit.write.store import Staging

CITY_MARGIN = 50.0
"""Metres around the footprints where the cloud is used; farther points are only counted."""

DEM_OFFSET_MAX = 3.0
"""Metres. Coarse elevation models are off by as much; datums differ by tens of metres."""


def build(
    out: Any,
    job: Job | None = None,
    *,
    overwrite: bool = False,
    progress: Progress = silent,
    **keys: Any,
) -> City:
    """Build a city: white models, tiles, codes and links from footprints, points and addresses.

    Parameters
    ----------
    out : str or Path
        City folder to make. The code register lies beside it, as ``OUT.register.gpkg``.
    job : Job, optional
        What to build; or give its fields as keywords.
    overwrite : bool
        Replace a city that stands at `out`.
    progress : callable, optional
        Called with phase, tasks done, tasks in all.
    **keys
        Fields of `cimkit.Job`.

    Returns
    -------
    City
        The finished city; its `issues` say what is doubtful.

    Raises
    ------
    ParameterError, InputError, StoreError, WorkerError
        The old output is untouched then. Only if the register fails after the commit does the
        new city stand; its codes are activated by the next build.
    """
    job = _as_job(job, keys)
    clock = Clock()
    with (
        Staging(out, overwrite=overwrite) as staging,
        started(job.workers, progress) as workers,
    ):
        # Beside the name that the user knows, also where that is a link to another folder.
        beside = f"{os.path.abspath(out)}.register.gpkg"  # noqa: PTH100
        register = job.register or beside
        staging.keep_out(register)
        inputs = read_inputs(job)
        known = _standing_codes(register, job.crs, staging)
        encoding = encode(inputs.footprints, known, **_division(job))
        clock.lap("read")
        city = _make_city(job, inputs, encoding, workers, staging, clock)
        write_products(staging, city)
        clock.lap("write")
        staging.write("run.json", clock.as_json(workers.n, job.block_size, workers.cpu_s))
        reserve(register, encoding.fresh)
        staging.commit()
        activate(register, encoding.codes, inputs.footprints, encoding.retired)
    return City(staging.out)


def _make_city(
    job: Job,
    inputs: Inputs,
    encoding: Encoding,
    workers: Workers,
    staging: Staging,
    clock: Clock,
) -> Product:
    """Everything between reading and writing. Tiles are the only files that it leaves."""
    if not kernels_are_compiled():
        list(workers.run("compile", warm_up, {"kernels": None}))
    clock.lap("compile")
    blocks = cut_blocks(inputs.footprints, job.block_size, job.ground_radius)
    scan = _scan_clouds(job, inputs, blocks, workers, str(staging.work))
    clock.lap("decode")
    made = _make_blocks(job, inputs, encoding.codes, blocks, scan, workers, str(staging.work))
    clock.lap("blocks")
    links, link_issues = _link(job, inputs, encoding.codes)
    address = _primary_addresses(inputs, links)
    clock.lap("link")
    placement = _placement(job, inputs)
    tree = tile(inputs.footprints, made.buildings, tile_buildings=job.tile_buildings)
    tiles = _make_tiles(tree, made, address, placement, workers, staging)
    workers.close()
    clock.lap("tile")
    issues = [*inputs.issues, *scan.issues, *encoding.issues, *made.issues, *link_issues]
    issues = sort_issues([*issues, *_datum_issues(job)])
    return Product(
        job, inputs, scan, made, links, address, tree, tiles, placement, encoding, issues
    )


def plan(job: Job) -> dict[str, Any]:
    """What a build would do: counts, blocks, bytes to decode. Writes nothing."""
    inputs = read_inputs(job)
    blocks = cut_blocks(inputs.footprints, job.block_size, job.ground_radius)
    return {
        "footprints": len(inputs.footprints),
        "addresses": 0 if inputs.addresses is None else len(inputs.addresses),
        "cloud_files": len(inputs.headers),
        "cloud_bytes": sum(header.size_bytes for header in inputs.headers),
        "points": sum(header.n_points for header in inputs.headers),
        "blocks": len(blocks),
        "issues": len(inputs.issues),
    }


def _scan_clouds(
    job: Job, inputs: Inputs, blocks: list[Block], workers: Workers, spool: str
) -> Scan:
    """Decode every file once: points to the blocks that see them, ground into the terrain."""
    bounds = _city_bounds(job, inputs)
    if bounds is None:
        return Scan([Decoded.nothing(h.n_points) for h in inputs.headers], job)
    cell, issues = fitting_cell(bounds, job.terrain_cell)
    known = {*job.ground_classes, *job.building_classes, *job.noise_classes}
    kinds = {
        "ground": job.ground_classes,
        "building": job.building_classes,
        "other": tuple(sorted(set(range(256)) - known)),
    }
    tasks = {
        f"{header.path.name} ({number})": DecodeTask(
            header,
            number,
            [(b.name, b.window) for b in blocks if meet(b.window, header.bounds)],
            bounds,
            cell,
            kinds,
            job.crs,
            spool,
        )
        for number, header in enumerate(inputs.headers)
    }
    scan = Scan(list(workers.run("decode", decode, tasks)), job)
    scan.issues += issues
    sums = [decoded.sums for decoded in scan.decoded if decoded.sums]
    dem = read_terrain(job.dem, crs=job.crs, bounds=bounds, cell=cell) if job.dem else None
    if sums or dem is not None:
        scan.terrain = fill_terrain(load_sums(sums), bounds, cell, job.crs, dem)
    if dem is not None:
        scan.issues += _dem_issues(dem, scan.terrain)
    if scan.terrain is not None:
        save_terrain(f"{spool}/terrain", scan.terrain)
    return scan


def _make_blocks(
    job: Job,
    inputs: Inputs,
    code: TextArray,
    blocks: list[Block],
    scan: Scan,
    workers: Workers,
    spool: str,
) -> Made:
    """Singulate and reconstruct all blocks."""
    rules = HeightRules(
        roof_quantile=job.roof_quantile,
        storey_height=job.storey_height,
        default_height=job.default_height,
        ground_radius=job.ground_radius,
        ground_classes=job.ground_classes,
        roof_classes=scan.roof_classes,
    )
    bounds = inputs.footprints.bounds
    _, base = cityjson_header(job.crs, inputs.bounds)
    tasks = {}
    for block in blocks:
        low, high = block.window[:2], block.window[2:]
        seen = (bounds[:, :2] <= high).all(1) & (bounds[:, 2:] >= low).all(1)
        rows = np.flatnonzero(seen)
        tasks[block.name] = BlockTask(
            block,
            inputs.footprints.take(rows),
            code[block.rows],
            np.isin(rows, block.rows),
            scan.terrain is not None,
            scan.kinds if inputs.headers else (),
            _overlaps(inputs, block.window),
            rules,
            base,
            spool,
        )
    return Made(blocks, list(workers.run("build", make_block, tasks)), spool)


def _make_tiles(
    tree: TileTree,
    made: Made,
    address: TextArray,
    placement: Placement,
    workers: Workers,
    staging: Staging,
) -> list[MadeTile]:
    """Encode all tiles, in the order of the tree."""
    tasks = {}
    for number in range(len(tree)):
        rows = tree.buildings(number)
        parts, order = made.stored(rows)
        tasks[f"tile {number}"] = TileTask(
            made.buildings.take(rows),
            address[rows],
            parts,
            order,
            placement.crs,
            placement,
            str(staging.path("tiles")),
        )
    return list(workers.run("tile", make_tile, tasks))


def _link(job: Job, inputs: Inputs, codes: TextArray) -> tuple[Links, list[Issue]]:
    """Links of all addresses; none without addresses."""
    addresses = inputs.addresses or Addresses.empty(job.crs)
    return link(
        addresses,
        inputs.footprints,
        codes=codes,
        edge_distance=job.edge_distance,
        accuracy=job.address_accuracy_m,
    )


def _primary_addresses(inputs: Inputs, links: Links) -> TextArray:
    """Text of the primary address of each building, "" without one."""
    if inputs.addresses is None:
        return np.full(len(inputs.footprints), "", TEXT)
    text = dict(
        zip(
            inputs.addresses.address_id.tolist(),
            inputs.addresses.address_text.tolist(),
            strict=True,
        )
    )
    chosen = zip(
        links.building_id[links.primary].tolist(),
        links.address_id[links.primary].tolist(),
        strict=True,
    )
    address = {building: text[name] for building, name in chosen}
    names = inputs.footprints.building_id.tolist()
    return np.array([address.get(name, "") for name in names], dtype=TEXT)


def _standing_codes(register: str, crs: str, staging: Staging) -> CodeRecords:
    """The register; codes of the city at OUT that were never activated are, first.

    A build that dies between its commit and the activation leaves them reserved.
    """
    known = read_register(register, crs)
    reserved = known.code[known.state == RESERVED]
    if not len(reserved):
        return known
    try:
        city = City(staging.out)
    except InputError:
        return known
    mine = np.isin(city.buildings.code.astype(object), reserved.astype(object))
    if not mine.any():
        return known
    codes, footprints = city.buildings.code[mine], city.footprints.take(mine)
    activate(register, codes, footprints, np.empty(0, dtype=TEXT))
    return read_register(register, crs)


def _division(job: Job) -> dict[str, str]:
    """Segments of the codes that the job fixes."""
    parts = {"class_code": job.class_code}
    if job.division:
        parts["county"] = job.division[:6]
    if len(job.division) == 9:
        parts["township"] = job.division[6:]
    return parts


def _placement(job: Job, inputs: Inputs) -> Placement:
    """The frame of the tiles, near the middle of the city at height 0.

    In whole kilometres: a new building at the edge must not change the bytes of all tiles.
    """
    xmin, ymin, xmax, ymax = inputs.bounds
    origin = round((xmin + xmax) / 2, -3), round((ymin + ymax) / 2, -3), 0.0
    return Placement(job.crs, job.undulation or 0.0, origin)


def _datum_issues(job: Job) -> list[Issue]:
    """Tiles need heights above the ellipsoid; without a word on the geoid they are wrong."""
    if job.ellipsoidal or job.undulation is not None:
        return []
    message = (
        "tiles need heights above the ellipsoid: give --undulation M, or --ellipsoidal if they "
        "are; the tiles were placed as if the undulation were 0"
    )
    return [Issue("ERROR", "VERTICAL_DATUM_UNRESOLVED", "city", "", message)]


def _dem_issues(dem: Terrain, terrain: Terrain | None) -> list[Issue]:
    """How much of the ground is from the elevation model, and whether it agrees with points."""
    if terrain is None or terrain.from_dem is None:
        message = "the elevation model has no height in the city"
        return [Issue("WARNING", "DEM_EMPTY", "city", "", message)]
    share = float(terrain.from_dem.mean())
    message = f"{share:.0%} of the ground is from the elevation model".replace("%", " %")
    issues = [Issue("INFO", "DEM_USED", "city", "", message)]
    offset = dem_offset(dem, terrain)
    if abs(offset) > DEM_OFFSET_MAX:
        message = (
            f"the elevation model lies {offset:+.1f} m from the ground points (median): "
            "is it in another vertical datum, or a surface model?"
        )
        issues.append(Issue("WARNING", "DEM_OFFSET", "city", "", message))
    return issues


def _city_bounds(job: Job, inputs: Inputs) -> Bounds | None:
    """Where ground is known: around the footprints, within clouds and elevation model."""
    boxes = [header.bounds for header in inputs.headers if header.n_points]
    if job.dem:
        boxes.append(probe_dem(job.dem, job.crs).bounds)
    city = inputs.bounds
    if not boxes:
        return None
    low, high = np.min(boxes, axis=0)[:2], np.max(boxes, axis=0)[2:]
    west, south = np.maximum(low, np.array(city[:2]) - CITY_MARGIN).tolist()
    east, north = np.minimum(high, np.array(city[2:]) + CITY_MARGIN).tolist()
    return west, south, east, north


def _overlaps(inputs: Inputs, window: Bounds) -> list[Bounds]:
    """Boxes within the window where two files can hold the same point."""
    boxes = [common(header.bounds, window) for header in inputs.headers if header.n_points]
    here = [box for box in boxes if box is not None]
    shared = {common(one, other) for k, one in enumerate(here) for other in here[:k]}
    return sorted(box for box in shared if box is not None)


def _as_job(job: Job | None, keys: dict[str, Any]) -> Job:
    if job is not None and keys:
        raise ParameterError(f"give a job or its fields, not both: {', '.join(sorted(keys))}")
    return job or Job.from_mapping(keys)
