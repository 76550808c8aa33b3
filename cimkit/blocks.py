"""How a city is cut into blocks, and what a worker does with a file, a block and a tile.

A building belongs to the block that holds its representative point. A block works with all
points and all footprints within its window: the box of its buildings and a margin. The window
follows the buildings, so no result depends on the size of the blocks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from cimkit.read.las_header import LasHeader
from cimkit.read.points import iterate_points, within
from cimkit.steps.ground import Bounds, add_ground, cell_bounds, empty_ground
from cimkit.steps.reconstruct.lod import HeightRules, reconstruct
from cimkit.steps.singulate import singulate
from cimkit.tables import Buildings, Footprints, Issue, PointCloud
from cimkit.tables._columns import BoolArray, FloatArray, IntArray, TextArray
from cimkit.write.cityjson import IntXYZ, cityjson_features
from cimkit.write.glb import encode_glb
from cimkit.write.placement import Placement
from cimkit.write.spool import (
    PointSpool,
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
    """Decode one file: hand its points to the blocks that meet it, sum up its ground.

    Points are kept apart by kind (``ground``, ``building``, ``other``): whether other classes
    count as roof is known only when the last file has been read.
    """

    header: LasHeader
    number: int
    blocks: Sequence[tuple[str, Bounds]]
    city: Bounds
    cell: float
    classes_of_kind: Mapping[str, tuple[int, ...]]
    crs: str
    spool: str


class Decoded(NamedTuple):
    """Points of one file in the city by class, and how many it has outside; its ground sums.

    `sums` is the path of the sums, "" without ground.
    """

    classes: IntArray
    n_outside: int
    ground_inside: int
    sums: str

    @classmethod
    def nothing(cls, n_outside: int = 0) -> Decoded:
        """Of a file without points in the city."""
        return cls(np.zeros(256, dtype=np.int64), n_outside, 0, "")


def decode(task: DecodeTask) -> Decoded:
    """Read one file chunk by chunk into the spool folders of the blocks that see it.

    Points outside the cells of the city are only counted; a COPC file need not decode them.
    """
    classes, inside = np.zeros(256, dtype=np.int64), 0
    area = common(task.header.bounds, task.city)
    if area is None:
        return Decoded.nothing(task.header.n_points)
    sums = empty_ground(area, task.cell)
    city = cell_bounds(task.city, task.cell)
    spool = PointSpool(task.spool, task.number)
    for chunk in iterate_points(task.header, crs=task.crs, box=city):
        if not within(task.header.bounds, city):
            chunk = chunk.take(_inside(chunk, city))
        classes += np.bincount(chunk.classification, minlength=256)
        inside += add_ground(sums, chunk, task.classes_of_kind["ground"])
        is_kind = {kind: chunk.has_class(c) for kind, c in task.classes_of_kind.items()}
        for name, window in task.blocks:
            seen = _inside(chunk, window)
            for kind, chosen in is_kind.items():
                rows = np.flatnonzero(seen & chosen)  # masks cost a pass for each column
                if len(rows):
                    spool.append(name, kind, chunk.take(rows))
    n_outside = task.header.n_points - int(classes.sum())
    if not inside:
        return Decoded(classes, n_outside, 0, "")
    path = f"{task.spool}/sums/{task.number:06d}.npz"
    save_sums(path, sums)
    return Decoded(classes, n_outside, inside, path)


class BlockTask(NamedTuple):
    """Singulate and reconstruct one block."""

    block: Block
    footprints: Footprints
    code: TextArray
    own: BoolArray
    with_terrain: bool
    kinds: tuple[str, ...]
    overlaps: Sequence[Bounds]
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
    if task.kinds:
        cloud, source = load_points(task.spool, name, task.kinds, crs)
        found = singulate(cloud, task.footprints)
        rank = np.where(task.own, np.cumsum(task.own) - 1, -1)
        building_of_point = np.where(found >= 0, rank[found], -1)
        repeated = repeated_points(cloud, source, task.overlaps)
        is_roof = cloud.has_class(task.rules.roof_classes or ())
        n_repeated = int((repeated & is_roof & (building_of_point >= 0)).sum())
        if repeated.any():
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


def repeated_points(
    cloud: PointCloud, source: IntArray, overlaps: Sequence[Bounds]
) -> BoolArray:
    """Points that an earlier file holds too, at the same place and of the same class.

    Parameters
    ----------
    cloud : PointCloud
    source : int64 array, shape (n,)
        File of each point.
    overlaps : sequence of tuple of float
        Boxes (xmin, ymin, xmax, ymax) where files overlap; only there it can happen.

    Examples
    --------
    >>> cloud = PointCloud([0, 0, 0], [0, 0, 0], [1, 1, 2], [6, 6, 6])
    >>> repeated_points(cloud, np.array([0, 1, 1]), [(0, 0, 1, 1)])
    array([False,  True, False])
    """
    repeated = np.zeros(len(cloud), dtype=np.bool_)
    inside = np.zeros(len(cloud), dtype=np.bool_)
    for box in overlaps:
        inside |= _inside(cloud, box)
    rows = np.flatnonzero(inside)
    if not len(rows):
        return repeated
    # In tenths of a millimetre: another offset in the header moves the last bits of a float.
    keys = [_tenths(axis[rows]) for axis in (cloud.z, cloud.y, cloud.x)]
    keys.append(cloud.classification[rows].astype(np.int32))
    file = source[rows].astype(np.int32)
    order = np.lexsort([file, *keys])
    same = np.ones(len(order), dtype=np.bool_)
    for key in keys:
        in_order = key[order]
        same[1:] &= in_order[1:] == in_order[:-1]
    same[0] = False
    first = file[order][~same][np.cumsum(~same) - 1]
    repeated[rows[order]] = file[order] != first
    return repeated


def _tenths(axis: FloatArray) -> NDArray[np.int32]:
    """Whole tenths of millimetres; in 32 bits that is a window of 200 km."""
    return np.asarray(np.round((axis - np.floor(axis.min())) * 1e4), dtype=np.int32)


def meet(one: Bounds, other: Bounds) -> bool:
    """Whether two boxes have a point in common."""
    return (
        one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]
    )


def common(one: Bounds, other: Bounds) -> Bounds | None:
    """The box that two boxes have in common, or None."""
    if not meet(one, other):
        return None
    west, south = max(one[0], other[0]), max(one[1], other[1])
    return west, south, min(one[2], other[2]), min(one[3], other[3])


def _inside(cloud: PointCloud, box: Bounds) -> BoolArray:
    inside: BoolArray = (cloud.x >= box[0]) & (cloud.x <= box[2])
    inside &= (cloud.y >= box[1]) & (cloud.y <= box[3])
    return inside
