"""What a worker does with a cloud, a block and a tile.

Each is a function of its task alone and keeps what it makes as a part
(`cimkit.write.partitions`), whose name says all that it depends on: the bytes of its inputs and
the fields of the task, but no path.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from cimkit.blocks import common, inside, repeated_points
from cimkit.check.solids import solid_errors
from cimkit.kernels.edge_profiles import DIRECTIONS, DISTANCES
from cimkit.kernels.grouping import group_rows
from cimkit.read.las_header import LasHeader
from cimkit.read.points import iterate_points, within
from cimkit.steps.align import edge_counts
from cimkit.steps.boxes import with_boxes
from cimkit.steps.classify import Classes, classify_points
from cimkit.steps.detail import measure_detail
from cimkit.steps.ground import add_ground, cell_bounds, empty_ground
from cimkit.steps.ground_filter import Bounds, add_lowest, empty_lowest
from cimkit.steps.party_walls import Neighbours, find_neighbours
from cimkit.steps.reconstruct.heights import HeightRules
from cimkit.steps.reconstruct.lod import leave_out_invalid, reconstruct
from cimkit.steps.reconstruct.quality import measure_quality, with_validity
from cimkit.steps.singulate import singulate
from cimkit.tables import Buildings, Footprints, Issue, Models, PointCloud, Quality, Terrain
from cimkit.tables._columns import BoolArray, ByteArray, IntArray, TextArray
from cimkit.tables.detail import Detail
from cimkit.tables.models import TILE_LODS
from cimkit.write.cityjson import IntXYZ, cityjson_features
from cimkit.write.glb import Encoding, encode_glb
from cimkit.write.partitions import Part, file_sha256, keep
from cimkit.write.placement import Placement
from cimkit.write.property_table import PropertyTable
from cimkit.write.spool import (
    append_points,
    load_points,
    load_stored,
    load_terrain_window,
    save_bytes,
    save_lines,
    save_lowest,
    save_models,
    save_sums,
)


class DecodeTask(NamedTuple):
    """Decode one file: hand its points to the blocks that meet it, sum up its ground.

    Points are kept apart by kind (``ground``, ``building``, ``other``): whether other classes
    count as roof is known only when the last file has been read. Whether the file states ground
    too, so its lowest points are summed up as well, among those that `maybe_ground`.
    """

    header: LasHeader
    blocks: Sequence[tuple[str, Bounds]]
    city: Bounds
    cell: float
    classes_of_kind: Mapping[str, tuple[int, ...]]
    maybe_ground: tuple[int, ...]
    crs: str
    folder: str


class Decoded(NamedTuple):
    """What one file holds: points in the city by class, points outside, ground that is used."""

    sha256: str
    classes: IntArray
    n_outside: int
    ground_inside: int

    @classmethod
    def nothing(cls, sha256: str, n_outside: int) -> Decoded:
        """Of a file without points in the city."""
        return cls(sha256, np.zeros(256, dtype=np.int64), n_outside, 0)


GROUND_SUMS, LOWEST, LINES = "ground.npz", "lowest.npz", "lines.jsonl"
"""Files of a decoded cloud and of a block."""

MODELS = {lod: f"models_{lod}.npz" for lod in TILE_LODS}
"""Solids of a block, a file for each level: tiles seen from afar need the simplest alone."""


def decode(task: DecodeTask) -> Part:
    """Read one file chunk by chunk; the part holds ``BLOCK.KIND`` and the ground sums."""
    sha256 = file_sha256(task.header.path)

    def make(part: str) -> Decoded:
        return _decode(task, sha256, part)

    depends_on = {**task._asdict(), "header": (sha256, task.header.moved), "folder": None}
    return keep(task.folder, depends_on, make, KINDS)


def _decode(task: DecodeTask, sha256: str, part: str) -> Decoded:
    """Points outside the cells of the city are only counted; COPC need not decode them."""
    classes, ground_inside = np.zeros(256, dtype=np.int64), 0
    area = common(task.header.bounds, task.city)
    if area is None:
        return Decoded.nothing(sha256, task.header.n_points)
    sums, lowest = empty_ground(area, task.cell), empty_lowest(area, task.cell)
    ground = list(task.classes_of_kind["ground"])
    city = cell_bounds(task.city, task.cell)
    for chunk in iterate_points(task.header, crs=task.crs, box=city):
        if not within(task.header.bounds, city):
            chunk = chunk.take(inside(chunk, city))
        classes += np.bincount(chunk.classification, minlength=256)
        ground_inside += add_ground(sums, chunk, task.classes_of_kind["ground"])
        if not classes[ground].any():
            add_lowest(lowest, chunk.take(chunk.has_class(task.maybe_ground)))
        is_kind = {kind: chunk.has_class(c) for kind, c in task.classes_of_kind.items()}
        for name, window in task.blocks:
            seen = inside(chunk, window)
            for kind, chosen in is_kind.items():
                rows = np.flatnonzero(seen & chosen)  # masks cost a pass for each column
                if len(rows):
                    append_points(f"{part}/{name}.{kind}", chunk.take(rows))
    if ground_inside:
        save_sums(f"{part}/{GROUND_SUMS}", sums)
    if not classes[ground].any() and classes[list(task.maybe_ground)].any():
        save_lowest(f"{part}/{LOWEST}", lowest)
    return Decoded(sha256, classes, task.header.n_points - int(classes.sum()), ground_inside)


class PointFile(NamedTuple):
    """Points of one block, of one kind, out of one cloud.

    Attributes
    ----------
    path, sha256 : str
    number : int
        Of the cloud; points of two clouds may be the same.
    """

    path: str
    sha256: str
    number: int


class BlockTask(NamedTuple):
    """Singulate and reconstruct one block.

    Attributes
    ----------
    window : tuple of float
        Of the block.
    footprints : Footprints
        All that meet the window.
    own : bool array
        Those among them that are the block's own.
    code : text array
        Codes of these.
    terrain : str
        Folder of the terrain; "" without.
    points : tuple of PointFile, or None without a cloud
    overlaps : sequence of tuple of float
        Boxes where two clouds can hold the same point.
    rules : HeightRules
    lod : tuple of str
        Levels of detail to make.
    classes : Classes or None
        What is to be found in the cloud; None where it states all.
    without_ground : tuple of int
        Numbers of the clouds that state no ground.
    base : tuple of int
        Origin of the CityJSON vertices.
    folder : str
        For the part.
    """

    window: Bounds
    footprints: Footprints
    own: BoolArray
    code: TextArray
    terrain: str
    points: tuple[PointFile, ...] | None
    overlaps: Sequence[Bounds]
    rules: HeightRules
    lod: tuple[str, ...]
    classes: Classes | None
    without_ground: tuple[int, ...]
    base: IntXYZ
    folder: str


class BlockResult(NamedTuple):
    """What a block leaves; its models and their lines are in its part.

    `neighbours` are rows of the footprints that the block saw; `edge_counts` of
    `cimkit.steps.align` belong to the `squares`.
    """

    buildings: Buildings
    quality: Quality
    neighbours: Neighbours
    issues: list[Issue]
    line_sizes: list[int]
    n_repeated: int
    squares: IntArray
    edge_counts: IntArray
    detail: Detail


def make_block(task: BlockTask) -> Part:
    """Singulate the points of a block, reconstruct its buildings, keep their models."""
    terrain = None
    if task.terrain:
        terrain = load_terrain_window(task.terrain, task.window, task.footprints.crs)

    def make(part: str) -> BlockResult:
        return _make_block(task, terrain, part)

    files = None if task.points is None else [(f.sha256, f.number) for f in task.points]
    depends_on = {**task._asdict(), "terrain": terrain, "points": files, "folder": None}
    return keep(task.folder, depends_on, make, KINDS)


def _make_block(task: BlockTask, terrain: Terrain | None, part: str) -> BlockResult:
    cloud, building_of_point, n_repeated, rules = None, None, 0, task.rules
    counts: dict[tuple[int, int], IntArray] = {}
    if task.points is not None:
        files = [(file.path, file.number) for file in task.points]
        cloud, source = load_points(files, task.footprints.crs)
        found = singulate(cloud, task.footprints)
        rank = np.where(task.own, np.cumsum(task.own) - 1, -1)
        building_of_point = np.where(found >= 0, rank[found], -1)
        repeated = repeated_points(cloud, source, task.overlaps)
        is_roof = cloud.has_class(task.rules.roof_classes or ())
        n_repeated = int((repeated & is_roof & (building_of_point >= 0)).sum())
        if repeated.any():
            cloud, building_of_point = cloud.take(~repeated), building_of_point[~repeated]
            found, source = found[~repeated], source[~repeated]
        if task.classes is not None:
            # Of all footprints, not the own alone: one may lie on points of another.
            unknown = np.isin(source, task.without_ground)
            kinds, kept = classify_points(cloud, unknown, found, terrain, task.classes)
            cloud = dataclasses.replace(cloud, classification=kinds).take(kept)
            building_of_point = building_of_point[kept]
            if task.classes.maybe_roof:
                rules = dataclasses.replace(rules, roof_classes=(task.classes.roof,))
        is_roof = cloud.has_class(rules.roof_classes or ())
        counts = edge_counts(
            task.footprints, np.flatnonzero(task.own), cloud.x[is_roof], cloud.y[is_roof]
        )
    buildings, models, issues = reconstruct(
        task.footprints.take(task.own),
        cloud,
        building_of_point=building_of_point,
        terrain=terrain,
        rules=rules,
        lod=task.lod,
    )
    errors = solid_errors(models)
    buildings, models, errors, more = leave_out_invalid(buildings, models, errors)
    buildings, issues = buildings.replace(code=task.code), issues + more
    quality = _measure(task, models, cloud, building_of_point, rules)
    quality = with_validity(quality, models, errors)
    neighbours = find_neighbours(task.footprints, task.own)
    shown = with_boxes(models)
    for lod, name in MODELS.items():
        save_models(f"{part}/{name}", shown.at(lod))
    lines = cityjson_features(buildings, models, task.base, quality)
    sizes = save_lines(f"{part}/{LINES}", lines)
    return BlockResult(
        buildings,
        quality,
        neighbours,
        issues,
        sizes,
        n_repeated,
        np.array(list(counts), dtype=np.int64).reshape(-1, 2),
        np.array(list(counts.values()), dtype=np.int64).reshape(-1, DIRECTIONS, DISTANCES),
        measure_detail(shown, buildings.building_id),
    )


def _measure(
    task: BlockTask,
    models: Models,
    cloud: PointCloud | None,
    building_of_point: IntArray | None,
    rules: HeightRules,
) -> Quality:
    """Quality of the models of a block, by the points on each building."""
    footprints = task.footprints.take(task.own)
    n = len(footprints)
    if cloud is None or building_of_point is None:
        nothing = np.empty(0, np.int64), np.zeros(n + 1, np.int64)
        return measure_quality(models, footprints, None, *nothing, lods=task.lod)
    is_roof = cloud.has_class(rules.roof_classes or ())
    is_ground = cloud.has_class(rules.ground_classes) & ~is_roof
    return measure_quality(
        models,
        footprints,
        (cloud.x, cloud.y, cloud.z),
        *group_rows(np.where(is_roof, building_of_point, -1), n),
        ground=group_rows(np.where(is_ground, building_of_point, -1), n),
        lods=task.lod,
    )


class StoredModels(NamedTuple):
    """Models of some buildings at one level of detail, in the part of a block.

    Attributes
    ----------
    path, sha256 : str
    building_id : text array
        Of all models there.
    rows : int64 array
        Those to take.
    """

    path: str
    sha256: str
    building_id: TextArray
    rows: IntArray


class TileTask(NamedTuple):
    """Encode one tile from the models that its blocks left.

    Attributes
    ----------
    table : PropertyTable
        Of the buildings that it shows.
    stored : sequence of StoredModels
    order : int64 array
        Place of each building among the models that are taken, one part after the other.
    placement : Placement
    encoding : Encoding
    error : float
        Geometric error of the tile, metres.
    color : uint8 array, shape (n, 4), or None
    folder : str
        For the part.
    """

    table: PropertyTable
    stored: Sequence[StoredModels]
    order: IntArray
    placement: Placement
    encoding: Encoding
    error: float
    color: ByteArray | None
    folder: str


class MadeTile(NamedTuple):
    """A tile that was written: its name, size and the box around it."""

    uri: str
    size_bytes: int
    box: tuple[float, ...]


def make_tile(task: TileTask) -> Part:
    """Encode one tile; in its part the file bears a name made of its bytes."""

    def make(part: str) -> MadeTile:
        parts = [(models.path, models.building_id, models.rows) for models in task.stored]
        models = load_stored(parts, task.order, task.placement.crs)
        tile = encode_glb(
            *(models, task.table, task.placement, task.encoding),
            error=task.error,
            color=task.color,
        )
        save_bytes(f"{part}/{tile.uri}", tile.data)
        return MadeTile(tile.uri, len(tile.data), tile.box)

    stored = [models[1:] for models in task.stored]
    return keep(task.folder, {**task._asdict(), "stored": stored, "folder": None}, make, KINDS)


KINDS = {
    kind.__name__: kind
    for kind in (Buildings, Quality, Neighbours, Issue, Decoded, BlockResult, Detail, MadeTile)
}
"""Classes in the results of parts."""
