"""How a city is cut into blocks, and what a worker does with a file, a block and a tile.

A building belongs to the block that holds its representative point. A block works with all
points and all footprints within its window: the box of its buildings and a margin. The window
follows the buildings, so no result depends on the size of the blocks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import shapely

from cimkit.read.las_header import LasHeader
from cimkit.read.points import iterate_points
from cimkit.steps.ground import Bounds, sum_ground
from cimkit.steps.reconstruct.lod import HeightRules, reconstruct
from cimkit.steps.singulate import singulate
from cimkit.tables import Buildings, Footprints, Issue, PointCloud
from cimkit.tables._columns import BoolArray, IntArray, TextArray
from cimkit.write.cityjson import IntXYZ, cityjson_features
from cimkit.write.glb import encode_glb
from cimkit.write.placement import Placement
from cimkit.write.spool import (
    append_points,
    load_points,
    load_stored,
    load_terrain_window,
    save_lines,
    save_models,
    save_sums,
)
from cimkit.write.store import write_file


class Block(NamedTuple):
    """A part of the city that one worker holds in memory.

    Attributes
    ----------
    name : str
        ``column_row`` in the grid of blocks.
    rows : int64 array
        The block's buildings, rising rows of the footprints.
    window : tuple of float
        (xmin, ymin, xmax, ymax) of what the block needs to see.
    """

    name: str
    rows: IntArray
    window: Bounds


def cut_blocks(footprints: Footprints, size: float, margin: float) -> list[Block]:
    """Cut a city into blocks of `size` metres.

    Parameters
    ----------
    footprints : Footprints
    size : float
        Edge of a block in metres.
    margin : float
        What a building needs to see around it, metres.

    Returns
    -------
    list of Block
        Only blocks with buildings; each building is in exactly one.

    Examples
    --------
    >>> two = [shapely.box(1, 1, 5, 5), shapely.box(490, 0, 530, 9)]
    >>> footprints = Footprints.from_polygons(["a", "b"], two)
    >>> [(block.name, block.window) for block in cut_blocks(footprints, 500, 4)]
    [('0_0', (-3.0, -3.0, 9.0, 9.0)), ('1_0', (486.0, -4.0, 534.0, 13.0))]
    """
    if not len(footprints):
        return []
    inner = shapely.get_coordinates(shapely.point_on_surface(footprints.polygons()))
    columns, rows = np.floor(inner / size).astype(np.int64).T
    members: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row, place in enumerate(zip(columns.tolist(), rows.tolist(), strict=True)):
        members[place].append(row)
    bounds = footprints.bounds
    blocks = []
    for (column, line), chosen in sorted(members.items()):
        box = bounds[chosen]
        low, high = box[:, :2].min(0) - margin, box[:, 2:].max(0) + margin
        window = (*low.tolist(), *high.tolist())
        blocks.append(Block(f"{column}_{line}", np.array(chosen), window))
    return blocks


class DecodeTask(NamedTuple):
    """Decode one file: hand its points to the blocks, sum up its ground."""

    header: LasHeader
    number: int
    blocks: Sequence[tuple[str, Bounds]]
    city: Bounds
    cell: float
    ground_classes: tuple[int, ...]
    noise_classes: tuple[int, ...]
    crs: str
    spool: str


class Decoded(NamedTuple):
    """Points of one file by class, and where its ground sums are; "" without ground."""

    classes: IntArray
    ground_inside: int
    sums: str

    @classmethod
    def nothing(cls) -> Decoded:
        """Of a file without points."""
        return cls(np.zeros(256, dtype=np.int64), 0, "")


def decode(task: DecodeTask) -> Decoded:
    """Read one file chunk by chunk into the spool folders of the blocks that see it."""
    classes = np.zeros(256, dtype=np.int64)
    box = task.header.bounds
    area = _common(box, task.city)
    near = [block for block in task.blocks if _meet(block[1], box)]
    sums = None
    for chunk in iterate_points(task.header, crs=task.crs):
        classes += np.bincount(chunk.classification, minlength=256)
        if area is not None:
            part = sum_ground(chunk, area, task.cell, task.ground_classes)
            if sums is None:
                sums = part
            else:
                np.add(sums.total, part.total, out=sums.total)
                np.add(sums.points, part.points, out=sums.points)
        wanted = chunk.take(~np.isin(chunk.classification, task.noise_classes))
        for name, window in near:
            seen = wanted.take(_inside(wanted, window))
            if len(seen):
                append_points(f"{task.spool}/points/{name}", f"{task.number:06d}", seen)
    inside = 0 if sums is None else int(sums.points.sum())
    if sums is None or not inside:
        return Decoded(classes, 0, "")
    path = f"{task.spool}/sums/{task.number:06d}.npz"
    save_sums(path, sums)
    return Decoded(classes, inside, path)


class BlockTask(NamedTuple):
    """Singulate and reconstruct one block."""

    block: Block
    footprints: Footprints
    code: TextArray
    own: BoolArray
    with_points: bool
    with_terrain: bool
    overlapping_files: bool
    rules: HeightRules
    base: IntXYZ
    spool: str


class BlockResult(NamedTuple):
    """What a block leaves; its models are in the spool folder."""

    buildings: Buildings
    issues: list[Issue]
    line_sizes: list[int]
    n_repeated: int


def make_block(task: BlockTask) -> BlockResult:
    """Singulate the points of a block, reconstruct its buildings, keep their models."""
    name, crs = task.block.name, task.footprints.crs
    terrain = None
    if task.with_terrain:
        terrain = load_terrain_window(f"{task.spool}/terrain", task.block.window, crs)
    cloud, building_of_point, n_repeated = None, None, 0
    if task.with_points:
        cloud, source = load_points(f"{task.spool}/points/{name}", crs)
        found = singulate(cloud, task.footprints)
        rank = np.where(task.own, np.cumsum(task.own) - 1, -1)
        building_of_point = np.where(found >= 0, rank[found], -1)
        if task.overlapping_files:
            repeated = repeated_points(cloud, source)
            is_roof = np.isin(cloud.classification, task.rules.roof_classes or ())
            n_repeated = int((repeated & is_roof & (building_of_point >= 0)).sum())
            cloud, building_of_point = cloud.take(~repeated), building_of_point[~repeated]
    buildings, models, issues = reconstruct(
        task.footprints.take(task.own),
        cloud,
        building_of_point=building_of_point,
        terrain=terrain,
        rules=task.rules,
    )
    buildings = buildings.replace(code=task.code)
    save_models(f"{task.spool}/models/{name}.npz", models)
    lines = cityjson_features(buildings, [models], task.base)
    sizes = save_lines(f"{task.spool}/lines/{name}.jsonl", lines)
    return BlockResult(buildings, issues, sizes, n_repeated)


class TileTask(NamedTuple):
    """Encode one tile from the models that its blocks left."""

    buildings: Buildings
    address: TextArray
    parts: Sequence[tuple[str, TextArray, IntArray]]
    order: IntArray
    crs: str
    placement: Placement
    folder: str


class MadeTile(NamedTuple):
    """A tile that was written: its name, size and the box around it."""

    uri: str
    size_bytes: int
    box: tuple[float, ...]


def make_tile(task: TileTask) -> MadeTile:
    """Encode one tile and write it under a name made of its bytes."""
    models = load_stored(task.parts, task.order, task.crs)
    tile = encode_glb(models, task.buildings, task.address, task.placement)
    write_file(task.folder, tile.uri, tile.data)
    return MadeTile(tile.uri, len(tile.data), tile.box)


def repeated_points(cloud: PointCloud, source: IntArray) -> BoolArray:
    """Points that an earlier file holds too, at the same place and of the same class.

    Parameters
    ----------
    cloud : PointCloud
    source : int64 array, shape (n,)
        File of each point.

    Examples
    --------
    >>> cloud = PointCloud([0, 0, 0], [0, 0, 0], [1, 1, 2], [6, 6, 6])
    >>> repeated_points(cloud, np.array([0, 1, 1]))
    array([False,  True, False])
    """
    # In tenths of a millimetre: another offset in the header moves the last bits of a float.
    places = [np.round(axis * 1e4).astype(np.int64) for axis in (cloud.z, cloud.y, cloud.x)]
    keys: list[IntArray] = [cloud.classification.astype(np.int64), *places]
    order = np.lexsort([source, *keys])
    same = np.ones(len(order), dtype=np.bool_)
    for key in keys:
        same[1:] &= key[order][1:] == key[order][:-1]
    same[:1] = False
    group = np.cumsum(~same) - 1
    first = source[order][~same]
    repeated = np.empty(len(order), dtype=np.bool_)
    repeated[order] = source[order] != first[group]
    return repeated


def _meet(one: Bounds, other: Bounds) -> bool:
    return (
        one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]
    )


def _common(one: Bounds, other: Bounds) -> Bounds | None:
    if not _meet(one, other):
        return None
    west, south = max(one[0], other[0]), max(one[1], other[1])
    return west, south, min(one[2], other[2]), min(one[3], other[3])


def _inside(cloud: PointCloud, box: Bounds) -> BoolArray:
    inside: BoolArray = (cloud.x >= box[0]) & (cloud.x <= box[2])
    inside &= (cloud.y >= box[1]) & (cloud.y <= box[3])
    return inside
