"""The order of a build: read, clean, ground, singulate, reconstruct, encode, link, tile, write.

This file alone knows the order. Clouds, blocks and tiles are worked on in spawned processes;
the parts that these leave for each other lie in a staging folder beside the output, where the
next build finds them if this one does not end. The output appears whole or not at all.
"""

from __future__ import annotations

import os
from itertools import chain, compress
from typing import Any

import numpy as np

from cimkit.blocks import Block, common, cut_blocks, in_sight, meet
from cimkit.counts import count_occupancy, tile_columns
from cimkit.errors import FormatError, ParameterError
from cimkit.execute import Clock, Limits, Progress, Workers, silent, started
from cimkit.inputs import Inputs, data_set, file_skipped, read_inputs
from cimkit.interiors import make_interior
from cimkit.job import Job
from cimkit.kernels.warm_up import kernels_are_compiled, warm_up
from cimkit.linking import link_addresses
from cimkit.point_layer import PointLayer, make_point_layer
from cimkit.products import (
    Made,
    Product,
    Scan,
    libraries_of,
    maybe_ground,
    primary_addresses,
    write_products,
)
from cimkit.read.city import City
from cimkit.read.terrain import probe_dem, read_terrain
from cimkit.register import activating, claim, history_mark, open_register, reserve
from cimkit.registration import (
    keep_out,
    read_decided,
    save_decided,
    standing_addresses,
    standing_codes,
    still_free,
)
from cimkit.steps.encode import Encoding, encode
from cimkit.steps.ground import dem_offset, fill_terrain, fitting_cell, mean_ground
from cimkit.steps.ground_doubt import FoundGround, filter_issues
from cimkit.steps.ground_filter import Bounds, covered_cells, find_ground, join_lowest
from cimkit.steps.reconstruct.heights import HeightRules
from cimkit.steps.tile import tile
from cimkit.steps.vegetation import RADIUS
from cimkit.tables import Issue, Terrain, TileTree, sort_issues
from cimkit.tables._columns import TextArray
from cimkit.tables.changes import Origin
from cimkit.tasks import (
    GROUND_SUMS,
    LOWEST,
    BlockTask,
    Decoded,
    DecodeTask,
    TileTask,
    decode,
    make_block,
    make_tile,
)
from cimkit.tiling import (
    TILES,
    Described,
    TileOptions,
    describe_buildings,
    height_reference,
    require_extras,
    tile_encoding,
)
from cimkit.write.cityjson import cityjson_header
from cimkit.write.frames import building_frame
from cimkit.write.partitions import Part, file_sha256, software_fingerprint
from cimkit.write.placement import Placement
from cimkit.write.reservation import note_codes, read_note
from cimkit.write.spool import load_lowest, load_sums, save_terrain
from cimkit.write.store import Staging

CITY_MARGIN = 50.0
"""Metres around the footprints where the cloud is used; farther points are only counted."""

PARTS = ("clouds", "blocks", "tiles", "squares", "points")
"""Kinds of parts, each in a folder of its own."""

DECODER_MEMORY_BYTES = 2_000_000_000
"""For one decoder. It needs 0.1 GB; one that believes a lying file asks for all there is."""

DECODER_BYTES_PER_S, DECODER_START_S = 1e6, 30.0
"""In CPU seconds; a decoder that needs more hangs, for it decodes 18 MB in one."""

DECODER_WALL = 20.0
"""Wall seconds for each of them: the machine may be busy, and the disk far away."""

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
        Called with phase, tasks done (0 as it begins), tasks in all.
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
    require_extras(job)
    clock = Clock()
    with (
        Staging(out, overwrite=overwrite) as staging,
        started(job.workers, progress) as workers,
    ):
        # Beside the name that the user knows, also where that is a link to another folder.
        beside = f"{os.path.abspath(out)}.register.gpkg"  # noqa: PTH100
        register = job.register or beside
        keep_out(staging, register)
        inputs = read_inputs(job)
        place = open_register(register).identity()
        noted = read_note(staging, place)
        seen = standing_codes(register, job.crs, staging, noted)
        free = still_free(seen, noted.codes)
        encoding = encode(
            *(inputs.footprints, seen.undisputed.take(~free)),
            division=inputs.division,
            numbering=inputs.numbering,
        )
        names = inputs.footprints.building_id
        decided = read_decided(register, inputs.reviews)
        inputs = inputs._replace(reviews=decided.joined(names, encoding.codes))
        origin = Origin("build", data_set(job.footprints), job.as_of)
        clock.lap("read")
        city = _make_city(job, inputs, encoding, workers, staging, clock)
        write_products(staging, city)
        clock.lap("write")
        with note_codes(staging, place, noted, encoding.fresh.code.tolist()):
            reserve(register, encoding.fresh, owner=noted.owner, origin=origin)
        claim(register, encoding.codes, inputs.footprints, seen)
        save_decided(register, decided, inputs.footprints, encoding, origin)
        facts = _run_facts(job, city, staging) | {
            "register": history_mark(register)._asdict(),
            "tile_files": staging.keep_unchanged(TILES),
        }
        staging.write("run.json", clock.as_json(workers, facts))
        staging.settle()
        with activating(
            *(register, encoding.codes, inputs.footprints, encoding.retired),
            lineage=encoding.lineage,
            seen=seen,
            addresses=standing_addresses(
                job.addresses, inputs.addresses, city.links, encoding, names
            ),
            origin=origin,
        ):
            staging.commit()
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
    work = str(staging.work(software_fingerprint(libraries_of(job)), PARTS))
    blocks = cut_blocks(inputs.footprints, job.block_size, _margin(job))
    scan = _scan_clouds(job, inputs, blocks, workers, work)
    clock.lap("decode")
    made = _make_blocks(job, inputs, encoding.codes, blocks, scan, workers, work)
    clock.lap("blocks")
    links, link_issues = link_addresses(job, inputs, encoding.codes)
    address = primary_addresses(inputs, links)
    clock.lap("link")
    placement = _placement(job, inputs)
    tree = tile(
        inputs.footprints, made.buildings, made.detail, tile_buildings=job.tile_buildings
    )
    occupied = count_occupancy(job, inputs, links)
    frame = building_frame(
        *(inputs.footprints, made.buildings, made.quality, address.tolist()),
        *(inputs.division, inputs.division_name),
    )
    described = describe_buildings(
        TileOptions.of(job), made.buildings, address, frame, tile_columns(job, occupied)
    )
    tiles = _make_tiles(job, tree, made, described, placement, workers, work)
    layer = _make_points(job, inputs, scan, placement, workers, work)
    workers.close()
    clock.lap("tile")
    issues = [*inputs.issues, *scan.issues, *encoding.issues, *made.issues, *made.set_aside]
    interior = make_interior(job, inputs, made, links)
    more = [part.issues for part in (interior, occupied) if part is not None]
    issues = sort_issues([*issues, *link_issues, *described.issues, *chain(*more)])
    city = job, inputs, scan, made, links, address, tree, tiles, placement, encoding, issues
    return Product(*city, interior, occupied, layer)


def _margin(job: Job) -> float:
    """Metres that a block must see around its buildings, for their ground and for crowns."""
    return max(job.ground_radius, RADIUS + 0.5)


def _run_facts(job: Job, city: Product, staging: Staging) -> dict[str, Any]:
    """What depends on this run and the one before it, not on the inputs."""
    n_new = len(city.encoding.fresh)
    codes = {
        "kept": len(city.encoding.codes) - n_new,
        "new": n_new,
        "retired": len(city.encoding.retired),
    }
    return {
        "codes": codes,
        "parts": city.part_counts,
        "abandoned_by": None if staging.abandoned is None else str(staging.abandoned),
        "block_size": job.block_size,
    }


def plan(job: Job) -> dict[str, Any]:
    """What a build would do: counts, blocks, bytes to decode. Writes nothing."""
    require_extras(job)
    inputs = read_inputs(job)
    blocks = cut_blocks(inputs.footprints, job.block_size, _margin(job))
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
    job: Job, inputs: Inputs, blocks: list[Block], workers: Workers, work: str
) -> Scan:
    """Decode every file once: points to the blocks that see them, ground into the terrain."""
    bounds = _city_bounds(job, inputs)
    if bounds is None:
        empty = (
            Decoded.nothing(file_sha256(header.path), header.n_points)
            for header in inputs.headers
        )
        return Scan([Part("", {}, decoded, reused=False) for decoded in empty], job)
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
            [(b.name, b.window) for b in blocks if meet(b.window, header.bounds)],
            bounds,
            cell,
            kinds,
            maybe_ground(job),
            job.crs,
            f"{work}/clouds",
        )
        for number, header in enumerate(inputs.headers)
    }
    bad: dict[str, Exception] | None = {} if job.on_bad_file == "skip" else None
    found = workers.run(
        "decode", decode, tasks, limits=_decoder_limits, set_aside=bad, forgiven=(FormatError,)
    )
    scan = Scan([part or _NO_PART for part in found], job)
    scan.issues += issues
    scan.issues += [file_skipped(name, error) for name, error in (bad or {}).items()]
    _make_terrain(job, inputs, scan, bounds, cell, f"{work}/terrain")
    return scan


def _make_terrain(
    job: Job, inputs: Inputs, scan: Scan, bounds: Bounds, cell: float, folder: str
) -> None:
    """The terrain of what was scanned and of the elevation model, kept for the blocks."""
    sums = [f"{part.folder}/{GROUND_SUMS}" for part in scan.parts if GROUND_SUMS in part.sums]
    dem = read_terrain(job.dem, crs=job.crs, bounds=bounds, cell=cell) if job.dem else None
    found = None
    if scan.without_ground:
        found = _find_ground(job, inputs, scan, sums, bounds, cell)
    if sums or dem is not None or found is not None:
        scan.terrain = fill_terrain(load_sums(sums), bounds, cell, job.crs, dem, found)
    if dem is not None:
        scan.issues += _dem_issues(dem, scan.terrain)
    if scan.terrain is not None:
        save_terrain(folder, scan.terrain)


def _find_ground(
    job: Job, inputs: Inputs, scan: Scan, sums: list[str], bounds: Bounds, cell: float
) -> FoundGround:
    """Ground of the clouds that state none, beside that of the others."""
    files = [f"{scan.parts[number].folder}/{LOWEST}" for number in scan.without_ground]
    lowest = join_lowest(load_lowest(files), bounds, cell)
    covered = covered_cells(lowest, inputs.footprints)
    given = mean_ground(load_sums(sums), bounds, cell)[2] if sums else None
    found = find_ground(lowest, covered=covered, given=given, window=job.ground_window)
    scan.issues += filter_issues(found, job.ground_window, len(files), len(scan.parts))
    return found


_NO_PART = Part("", {}, Decoded.nothing("", 0), reused=False)
"""Of a file that was set aside."""


def _decoder_limits(task: DecodeTask) -> Limits:
    """What the decoder of one cloud may take."""
    seconds = DECODER_START_S + task.header.size_bytes / DECODER_BYTES_PER_S
    return Limits(seconds, DECODER_WALL * seconds, DECODER_MEMORY_BYTES)


def _make_blocks(
    job: Job,
    inputs: Inputs,
    code: TextArray,
    blocks: list[Block],
    scan: Scan,
    workers: Workers,
    work: str,
) -> Made:
    """Singulate and reconstruct all blocks; one that cannot be is built without its points."""
    rules = HeightRules(
        roof_quantile=job.roof_quantile,
        lod13_step=job.lod13_step,
        roof_complexity=job.roof_complexity,
        storey_height=job.storey_height,
        default_height=job.default_height,
        ground_radius=job.ground_radius,
        ground_classes=job.ground_classes,
        roof_classes=scan.roof_classes,
    )
    bounds = inputs.footprints.bounds
    _, base = cityjson_header(job.crs, inputs.bounds)
    tasks, seen = {}, [in_sight(bounds, block.window) for block in blocks]
    for block, rows in zip(blocks, seen, strict=True):
        tasks[block.name] = BlockTask(
            block.window,
            inputs.footprints.take(rows),
            np.isin(rows, block.rows),
            code[block.rows],
            f"{work}/terrain" if scan.terrain is not None else "",
            scan.points_of(block.name),
            _overlaps(inputs, block.window),
            rules,
            job.lod,
            scan.classes(job),
            scan.without_ground,
            base,
            f"{work}/blocks",
        )
    poisoned: dict[str, Exception] = {}
    parts = list(workers.run("build", make_block, tasks, set_aside=poisoned))
    bare = {name: tasks[name]._replace(points=None) for name in poisoned}
    for name, part in zip(bare, workers.run("again", make_block, bare), strict=True):
        parts[[block.name for block in blocks].index(name)] = part
    made = Made(blocks, parts, seen, job.lod)
    made.set_aside += [
        _set_aside(name, error, int(tasks[name].own.sum())) for name, error in poisoned.items()
    ]
    return made


def _set_aside(name: str, error: Exception, n_buildings: int) -> Issue:
    """What became of a block that brings down what works on it."""
    without = f"its {n_buildings:,} buildings were made without points"
    message = f"{type(error).__name__}: {error}; {without}"
    return Issue("ERROR", "BLOCK_SET_ASIDE", "city", name, message)


def _make_tiles(
    job: Job,
    tree: TileTree,
    made: Made,
    described: Described,
    placement: Placement,
    workers: Workers,
    work: str,
) -> list[Part]:
    """Encode all tiles, in the order of the tree."""
    tasks, encoding = {}, tile_encoding(TileOptions.of(job))
    for number in range(len(tree)):
        rows = tree.buildings(number)
        stored, order = made.stored(rows, tree.levels(number))
        tasks[f"tile {number}"] = TileTask(
            described.table.take(rows),
            *(stored, order, placement, encoding),
            float(tree.error[number]),
            None if described.color is None else described.color[rows],
            f"{work}/tiles",
        )
    return list(workers.run("tile", make_tile, tasks))


def _make_points(
    job: Job, inputs: Inputs, scan: Scan, placement: Placement, workers: Workers, work: str
) -> PointLayer | None:
    """The clouds as tiles, where the job asks for them; without those that were set aside."""
    if not job.point_tiles or (bounds := _city_bounds(job, inputs)) is None:
        return None
    headers = list(compress(inputs.headers, [part is not _NO_PART for part in scan.parts]))
    return make_point_layer(job, headers, bounds, placement, workers, work)


def _placement(job: Job, inputs: Inputs) -> Placement:
    """The frame of the tiles, near the middle of the city at height 0.

    In whole kilometres: a new building at the edge must not change the bytes of all tiles.
    """
    xmin, ymin, xmax, ymax = inputs.bounds
    origin = round((xmin + xmax) / 2, -3), round((ymin + ymax) / 2, -3), 0.0
    return Placement(job.crs, job.undulation or 0.0, origin, height_reference(job))


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
