"""What a build hands to its writers, and the facts and sums that go beside the tables."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np

from cimkit.blocks import Block
from cimkit.counts import totals, with_counts
from cimkit.inputs import Inputs, input_files
from cimkit.interiors import Interior, write_interior
from cimkit.job import Job
from cimkit.point_layer import PointLayer, write_point_layer
from cimkit.read.city import CITY_FORMAT
from cimkit.steps.align import add_counts, shift_issues
from cimkit.steps.classify import Classes, free_class
from cimkit.steps.encode import Encoding
from cimkit.steps.occupancy import Occupied
from cimkit.steps.party_walls import join_neighbours, share_walls
from cimkit.steps.reconstruct.heights import find_roof_classes
from cimkit.steps.reconstruct.verdict import judge
from cimkit.tables import (
    Buildings,
    Footprints,
    Issue,
    Links,
    Models,
    Quality,
    Terrain,
    TileTree,
    count_issues,
)
from cimkit.tables._columns import TEXT, ByteArray, IntArray, TextArray
from cimkit.tables.detail import Detail
from cimkit.tables.models import TILE_LODS
from cimkit.tables.pointcloud import GROUND, NEVER_GROUND
from cimkit.tables.quality import LATE
from cimkit.tables.reportfacts import Balance, ReportFacts
from cimkit.tasks import (
    LINES,
    LOWEST,
    MODELS,
    BlockResult,
    Decoded,
    PointFile,
    StoredModels,
)
from cimkit.tiling import TileOptions, finish_tiles, write_ground, write_tiles
from cimkit.write.cityjson import add_attributes, cityjson_header
from cimkit.write.frames import (
    address_frame,
    building_frame,
    issue_frame,
    write_geopackage,
    write_terrain,
)
from cimkit.write.gltf import has_meshopt
from cimkit.write.partitions import Part
from cimkit.write.placement import Placement
from cimkit.write.report import report_html
from cimkit.write.spool import load_stored, merge_lines
from cimkit.write.store import MANIFEST, Staging

LIBRARIES = (
    "cimkit",
    "numpy",
    "numba",
    "shapely",
    "pyproj",
    "pyogrio",
    "laspy",
    "lazrs",
    "rasterio",
    *(("meshopt",) if has_meshopt() else ()),
)
"""What the bytes of every city depend on."""


def libraries_of(job: Job) -> tuple[str, ...]:
    """Libraries that the bytes of a city depend on: an extra only where the job uses it."""
    return (*LIBRARIES, "py3dtiles") if job.point_tiles else LIBRARIES


SHOWN_MODELS = 2000
"""Buildings in the picture of the report; more would make the page slow."""


def maybe_ground(job: Job) -> tuple[int, ...]:
    """Classes that may be ground in a cloud that states none."""
    never = {*NEVER_GROUND, *job.building_classes, *job.noise_classes, *job.ground_classes}
    return tuple(sorted(set(range(256)) - never))


class Scan:
    """What the decoding left: classes of each file, terrain, issues."""

    def __init__(self, parts: Sequence[Part], job: Job) -> None:
        self.parts = parts
        self.decoded: list[Decoded] = [part.result for part in parts]
        decoded = self.decoded
        self.counts: IntArray = sum((d.classes for d in decoded), np.zeros(256, np.int64))
        self.roof_classes = find_roof_classes(
            np.flatnonzero(self.counts),
            building=job.building_classes,
            ground=job.ground_classes,
            noise=job.noise_classes,
        )
        has_building = bool(np.isin(self.roof_classes, job.building_classes).any())
        # Files that state no ground: it is looked for among their points of other classes.
        self.without_ground = tuple(k for k, part in enumerate(parts) if LOWEST in part.sums)
        self.maybe_roof = () if has_building else self.roof_classes
        kinds = {"building" if has_building else "other", "ground"}
        self.kinds = kinds | ({"other"} if self.without_ground else set())
        self.terrain: Terrain | None = None
        self.issues: list[Issue] = []
        if decoded and not self.counts.sum():
            message = "the cloud files hold no points in the city"
            self.issues.append(Issue("WARNING", "NO_POINTS", "points", "", message))

    def classes(self, job: Job) -> Classes | None:
        """What is to be found in the clouds; None where they state ground and buildings."""
        if not self.maybe_roof and not self.without_ground:
            return None
        ground = job.ground_classes[0] if job.ground_classes else GROUND
        stated = (*job.ground_classes, *(() if self.maybe_roof else self.roof_classes))
        roof = free_class((ground, *job.ground_classes))
        return Classes(ground, roof, stated, maybe_ground(job), self.maybe_roof)

    def points_of(self, block: str) -> tuple[PointFile, ...] | None:
        """Files with the points of a block, of the kinds that count; None without a cloud."""
        if not self.parts:
            return None
        names = sorted(f"{block}.{kind}" for kind in self.kinds)
        return tuple(
            PointFile(f"{part.folder}/{name}", part.sums[name], number)
            for number, part in enumerate(self.parts)
            for name in names
            if name in part.sums
        )


class Made:
    """Buildings of all blocks in the order of the footprints, and where their models lie.

    Parameters
    ----------
    blocks : list of Block
    parts : list of Part
        What each left.
    seen : sequence of int64 array
        Rows of the footprints that each saw.
    lod : tuple of str
        Levels of detail that were asked for.
    """

    def __init__(
        self,
        blocks: list[Block],
        parts: list[Part],
        seen: Sequence[IntArray],
        lod: tuple[str, ...],
    ) -> None:
        self.parts = parts
        results: list[BlockResult] = [part.result for part in parts]
        rows = (
            np.concatenate([block.rows for block in blocks])
            if blocks
            else np.empty(0, np.int64)
        )
        back = np.argsort(rows)
        self.buildings = Buildings.concatenate([r.buildings for r in results]).take(back)
        quality = Quality.concatenate([r.quality for r in results]).take(back)
        walls = join_neighbours([r.neighbours for r in results], seen)
        quality = share_walls(quality, self.buildings, walls)
        self.quality = judge(quality, self.buildings, lods=lod)
        found = (issue for result in results for issue in result.issues)
        self.issues = list(dict.fromkeys(found))  # what concerns the city, each block says
        self.issues += shift_issues(add_counts((r.squares, r.edge_counts) for r in results))
        self.set_aside: list[Issue] = []
        self.n_repeated = sum(result.n_repeated for result in results)
        self._parts = [(part.folder, part.sums) for part in parts]
        details = [result.detail for result in results]
        self.detail = Detail.concatenate(details).take(back)
        self.lines = [f"{part.folder}/{LINES}" for part in parts]
        self._ids = [result.buildings.building_id for result in results]
        self._there = [detail.there for detail in details]
        sizes = np.array([size for r in results for size in r.line_sizes], dtype=np.int64)
        self.line_size = sizes[back]
        self.block = np.repeat(np.arange(len(blocks)), [len(b.rows) for b in blocks])[back]
        self.place = np.concatenate([np.arange(len(block.rows)) for block in blocks])[back]

    def stored(
        self, rows: IntArray, level: ByteArray | None = None
    ) -> tuple[list[StoredModels], IntArray]:
        """Where the models of some buildings lie.

        Parameters
        ----------
        rows : int64 array, shape (n,)
        level : uint8 array, shape (n,), optional
            Level of detail of each, as a place in `TILE_LODS`; by default the best.

        Returns
        -------
        parts : list of StoredModels
        order : int64 array
            Place of each of the `rows` among the models of the parts, one after the other.
        """
        if level is None:
            level = np.argmin(self.detail.deviation[rows], axis=1).astype(np.uint8)
        parts, order, filled = [], np.empty(len(rows), dtype=np.int64), 0
        home = self.block[rows] * len(TILE_LODS) + level
        for number in np.unique(home).tolist():
            chosen = np.flatnonzero(home == number)
            order[chosen] = filled + np.arange(len(chosen))
            filled += len(chosen)
            block, lod = divmod(number, len(TILE_LODS))
            there = self._there[block][:, lod]
            place = (np.cumsum(there) - 1)[self.place[rows[chosen]]]
            (folder, sums), name = self._parts[block], MODELS[TILE_LODS[lod]]
            ids = self._ids[block][there]
            parts.append(StoredModels(f"{folder}/{name}", sums[name], ids, place))
        return parts, order

    def models_near_centre(self, footprints: Footprints, n: int) -> Models | None:
        """Models of the `n` buildings nearest to the middle of the city; None without any."""
        if not len(footprints):
            return None
        box = footprints.bounds
        middle = (box[:, :2] + box[:, 2:]) / 2
        away = np.hypot(*(middle - np.median(middle, axis=0)).T)
        rows = np.sort(np.argsort(away, kind="stable")[:n])
        parts, order = self.stored(rows)
        files = [(part.path, part.building_id, part.rows) for part in parts]
        return load_stored(files, order, footprints.crs)


class Product(NamedTuple):
    """A whole city, ready to be written."""

    job: Job
    inputs: Inputs
    scan: Scan
    made: Made
    links: Links
    address: TextArray
    tree: TileTree
    tiles: list[Part]
    placement: Placement
    encoding: Encoding
    issues: list[Issue]
    interior: Interior | None = None
    occupied: Occupied | None = None
    layer: PointLayer | None = None

    @property
    def part_counts(self) -> dict[str, dict[str, int]]:
        """Parts that the city was made of, and those that an earlier build had finished."""
        kinds = {"clouds": self.scan.parts, "blocks": self.made.parts, "tiles": self.tiles}
        # A copy of a cloud finds the part of the other: that is of this build.
        new = {part.folder for parts in kinds.values() for part in parts if not part.reused}
        return {
            kind: {"made": len(parts), "reused": sum(part.folder not in new for part in parts)}
            for kind, parts in kinds.items()
        }


def primary_addresses(inputs: Inputs, links: Links) -> TextArray:
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


def write_products(staging: Staging, city: Product) -> None:
    """Write everything of the city folder but ``run.json``."""
    staging.clear()
    broken = [balance for balance in _balances(city) if not balance.adds_up]
    for balance in broken:  # a fault of cimkit: say so rather than hide it
        message = f"{balance.in_count:,} went in, but {dict(balance.parts)} came out"
        city.issues.insert(0, Issue("ERROR", "BALANCE_BROKEN", "city", balance.name, message))
    footprints, addresses = city.inputs.footprints, city.inputs.addresses
    buildings = city.made.buildings
    head, _ = cityjson_header(footprints.crs, city.inputs.bounds)
    path = staging.path("models.city.jsonl")
    late = {name: getattr(city.made.quality, name).tolist() for name in LATE}

    def amend(row: int, line: bytes) -> bytes:
        return add_attributes(line, {name: column[row] for name, column in late.items()})

    merge_lines(path, head, city.made.lines, city.made.block, city.made.line_size, amend)
    options = TileOptions.of(city.job)
    write_tiles(staging, options, city.tree, city.tiles, city.placement)
    if city.scan.terrain is not None:
        write_terrain(staging.path("terrain.tif"), city.scan.terrain)
        if city.job.terrain_tiles:
            write_ground(staging, options, city.scan.terrain, city.placement)
    if city.layer is not None:
        write_point_layer(staging, city.layer, city.placement)
    finish_tiles(staging, options)
    address = city.address.tolist()
    layers = {
        "buildings": building_frame(
            *(footprints, buildings, city.made.quality, address),
            *(city.inputs.division, city.inputs.division_name),
        )
    }
    if addresses is not None:
        layers["addresses"] = address_frame(addresses, city.links)
    layers = with_counts(layers, city.occupied, footprints.crs)
    layers |= {"links": city.links.to_pandas(), "issues": issue_frame(city.issues)}
    if city.interior is not None:
        layers |= city.interior.layers
        write_interior(staging, city.job, city.interior, footprints, buildings, city.placement)
    write_geopackage(staging.path("city.gpkg"), layers)
    facts = _facts(city)
    shown = city.made.models_near_centre(footprints, SHOWN_MODELS)
    page = report_html(facts, footprints, buildings, addresses, city.links, shown, city.issues)
    staging.write("report.html", page)
    staging.write(MANIFEST, _manifest(staging, city, facts))


def _facts(city: Product) -> ReportFacts:
    """Inputs, balances, parameters and versions, for the report and the manifest."""
    n_bytes = sum(tile.result.size_bytes for tile in city.tiles)
    tiles = {"tiles": len(city.tree), "bytes": n_bytes}
    clouds = [
        (header, decoded.sha256, _point_counts(decoded))
        for header, decoded in zip(city.inputs.headers, city.scan.decoded, strict=True)
    ]
    return ReportFacts(
        title="City model 城市信息模型",
        inputs=tuple(input_files(city.job, city.inputs, clouds)),
        balances=tuple(_balances(city)),
        outputs={"tiles": tiles} | totals(city.occupied),
        parameters=_parameters(city.job),
        versions={name: version(name) for name in libraries_of(city.job)},
    )


def _balances(city: Product) -> list[Balance]:
    """What went in and what became of it, for footprints, points and addresses."""
    balances = list(city.inputs.balances)
    if city.inputs.headers:
        balances.append(_point_balance(city))
    if city.layer is not None:
        balances.append(city.layer.balance)
    if city.inputs.addresses is not None:
        linked = len(np.unique(city.links.address_id.astype(object)))
        parts = {"linked": linked}
        for reason in sorted(city.links.unlinked_reason.tolist()):
            parts[reason] = parts.get(reason, 0) + 1
        balances.append(Balance("addresses", len(city.inputs.addresses), parts))
    if city.occupied is not None:
        balances += city.occupied.balances
    if city.interior is not None:
        balances.append(city.interior.balance)
    return balances


def _point_balance(city: Product) -> Balance:
    """Points of the headers against points by their use."""
    job, classes = city.job, city.scan.counts
    ground = [c for c in job.ground_classes if c not in city.scan.roof_classes]
    noise = [c for c in job.noise_classes if c not in city.scan.roof_classes]
    n_roof = int(classes[list(city.scan.roof_classes)].sum())
    n_ground, n_noise = int(classes[ground].sum()), int(classes[noise].sum())
    used = int(city.made.buildings.n_points.sum())
    terrain = sum(decoded.ground_inside for decoded in city.scan.decoded)
    nowhere = "on no footprint" + (", or in a block set aside" if city.made.set_aside else "")
    if city.scan.maybe_roof:
        nowhere = f"ground that was found, low, of plants, of walls, or {nowhere}"
    parts = {
        "roof points used": used,
        "ground points used": terrain,
        nowhere: n_roof - used - city.made.n_repeated,
        "repeated in another file": city.made.n_repeated,
        "outside the city": sum(d.n_outside for d in city.scan.decoded) + n_ground - terrain,
        "noise": n_noise,
        "other classes": int(classes.sum()) - n_roof - n_ground - n_noise,
        "in a file set aside": sum(
            header.n_points
            for header, part in zip(city.inputs.headers, city.scan.parts, strict=True)
            if not part.result.sha256
        ),
    }
    return Balance("points", sum(header.n_points for header in city.inputs.headers), parts)


def _parameters(job: Job) -> dict[str, Any]:
    """The job without what no result depends on: paths, workers, blocks."""
    paths = {"footprints", "points", "sha256sums", "addresses", "dem", "register"}
    left_out = {
        *paths,
        "division_names",
        "households",
        "organisations",
        "reviews",
        "workers",
        "block_size",
    }
    if not job.division.isdigit():
        left_out.add("division")
    if job.code_scheme.endswith(".toml"):
        left_out.add("code_scheme")
    values = dataclasses.asdict(job)
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if name not in left_out
    }


def _manifest(staging: Staging, city: Product, facts: ReportFacts) -> bytes:
    """What the city was made from, how, and the sums of all files."""
    buildings = city.made.buildings
    return _json(
        {
            "format": CITY_FORMAT,
            "as_of": city.job.as_of or None,
            "inputs": [dataclasses.asdict(file) for file in facts.inputs],
            "parameters": facts.parameters,
            "versions": facts.versions,
            "balances": [dataclasses.asdict(balance) for balance in facts.balances],
            "counts": {
                "buildings": len(buildings),
                "addresses": len(city.inputs.addresses) if city.inputs.addresses else 0,
                "links": len(city.links),
                "tiles": len(city.tree),
                "issues": len(city.issues),
                **(city.interior.counts if city.interior else {}),
            },
            "issues": count_issues(city.issues),
            "outputs": facts.outputs,
            "files": staging.sums(),
        }
    )


def _point_counts(decoded: Decoded) -> dict[str, int]:
    """All points of a cloud, those of each class in the city, those outside."""
    there = {f"class {k}": int(decoded.classes[k]) for k in np.flatnonzero(decoded.classes)}
    counts = {"points": int(decoded.classes.sum()) + decoded.n_outside, **there}
    return counts | ({"outside the city": decoded.n_outside} if decoded.n_outside else {})


def _json(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1, sort_keys=True)
    return text.encode() + b"\n"
