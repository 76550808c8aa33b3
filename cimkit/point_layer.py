"""The point cloud as a layer of its own beside the tiles of the buildings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cimkit.blocks import common, inside
from cimkit.read.las_header import LasHeader
from cimkit.read.points import iterate_points
from cimkit.steps.ground_filter import Bounds
from cimkit.tables._columns import ByteArray, IntArray
from cimkit.tables.reportfacts import Balance
from cimkit.write.partitions import Part, file_sha256, keep
from cimkit.write.placement import Placement
from cimkit.write.point_tiles import (
    SAMPLE,
    SquareOfPoints,
    compile_tiler,
    encode_square,
    join_squares,
)
from cimkit.write.spool import append_points, load_points

if TYPE_CHECKING:
    from cimkit.execute import Workers
    from cimkit.job import Job
    from cimkit.write.store import Staging

POINTS = "tiles/points"
"""Folder of the layer in a city."""

SIDES = (1000.0, 500.0, 250.0, 125.0, 62.5)
"""Metres. Squares that clouds are cut into, the largest first."""

SQUARE_POINTS = 2e6
"""Points of a square on average, at most: one with four times as many needs 0.8 GB."""


class SplitTask(NamedTuple):
    """Cut one cloud into squares, without the noise.

    Attributes
    ----------
    header : LasHeader
    city : tuple of float
        Points outside are left out.
    side : float
        Of the squares, metres; they are multiples of it.
    noise_classes : tuple of int
    crs : str
    folder : str
        For the part.
    """

    header: LasHeader
    city: Bounds
    side: float
    noise_classes: tuple[int, ...]
    crs: str
    folder: str


class SplitCloud(NamedTuple):
    """What became of the points of one cloud: noise, and those in squares."""

    n_noise: int
    n_kept: int


def split_cloud(task: SplitTask) -> Part:
    """Read one cloud; its part holds a file ``COLUMN_ROW`` for each square."""

    def make(part: str) -> SplitCloud:
        n_noise = n_kept = 0
        for chunk in iterate_points(task.header, crs=task.crs, box=task.city):
            chunk = chunk.take(inside(chunk, task.city))
            noise = chunk.has_class(task.noise_classes)
            n_noise, n_kept = n_noise + int(noise.sum()), n_kept + int((~noise).sum())
            chunk = chunk.take(~noise)
            square = np.floor(np.column_stack([chunk.x, chunk.y]) / task.side).astype(int)
            for key in np.unique(square, axis=0):
                rows = np.flatnonzero((square == key).all(axis=1))
                append_points(f"{part}/{key[0]}_{key[1]}", chunk.take(rows))
        return SplitCloud(n_noise, n_kept)

    sha256 = file_sha256(task.header.path)
    depends_on = {**task._asdict(), "header": (sha256, task.header.moved), "folder": None}
    return keep(task.folder, depends_on, make, KINDS)


class SquareTask(NamedTuple):
    """Make the tiles of one square out of what all clouds hold there.

    Attributes
    ----------
    files : sequence of (path, sum)
    placement : Placement
    folder : str
        For the part.
    """

    files: Sequence[tuple[str, str]]
    placement: Placement
    folder: str


class MadeSquare(NamedTuple):
    """The tiles of one square: the root as JSON, its sample, and what became of its points."""

    root: str
    steps: IntArray
    classification: ByteArray
    n_written: int
    n_repeated: int


def make_square(task: SquareTask) -> Part:
    """Encode one square; its part holds the tiles."""

    def make(part: str) -> MadeSquare:
        cloud, _ = load_points([(path, 0) for path, _ in task.files], task.placement.crs)
        xyz = task.placement.to_root_fast(cloud.xyz)
        points = SquareOfPoints.of(xyz, cloud.classification)
        del cloud, xyz  # the tiler needs the room
        root, n_written = encode_square(points, part)
        steps, classification, _ = points.head(SAMPLE)
        return MadeSquare(json.dumps(root), steps, classification, n_written, points.n_repeated)

    sums = sorted(sha256 for _, sha256 in task.files)
    depends_on = {**task._asdict(), "files": sums, "folder": None}
    return keep(task.folder, depends_on, make, KINDS)


class PointLayer(NamedTuple):
    """The layer of points, made but not yet written.

    Attributes
    ----------
    clouds, squares : list of Part
    keys : list of (column, row)
        Of the squares.
    """

    clouds: list[Part]
    squares: list[Part]
    keys: list[tuple[int, int]]

    @property
    def balance(self) -> Balance:
        """What became of the points in the city."""
        written = sum(part.result.n_written for part in self.squares)
        repeated = sum(part.result.n_repeated for part in self.squares)
        noise = sum(part.result.n_noise for part in self.clouds)
        kept = sum(part.result.n_kept for part in self.clouds)
        parts = {"in tiles": written, "noise": noise, "repeated": repeated}
        return Balance("points of the layer", kept + noise, parts)


def make_point_layer(
    job: Job,
    headers: Sequence[LasHeader],
    city: Bounds,
    placement: Placement,
    workers: Workers,
    work: str,
) -> PointLayer:
    """Cut all clouds into squares, and make the tiles of each.

    Parameters
    ----------
    job : Job
    headers : sequence of LasHeader
    city : tuple of float
        Points outside are left out.
    placement : Placement
    workers : Workers
    work : str
        Folder with the parts.
    """
    headers = [header for header in headers if common(header.bounds, city) is not None]
    side = square_side(headers)
    splits = {
        f"{header.path.name} ({number})": SplitTask(
            header, city, side, job.noise_classes, job.crs, f"{work}/squares"
        )
        for number, header in enumerate(headers)
    }
    clouds = list(workers.run("split", split_cloud, splits))
    files: dict[tuple[int, int], list[tuple[str, str]]] = {}
    for part in clouds:
        for name, sha256 in part.sums.items():
            column, row = map(int, name.split("_"))
            files.setdefault((column, row), []).append((f"{part.folder}/{name}", sha256))
    keys = sorted(files)
    tasks = {
        f"square {column}_{row}": SquareTask(
            sorted(files[column, row], key=lambda file: file[1]), placement, f"{work}/points"
        )
        for column, row in keys
    }
    if len(tasks) > 1:
        list(workers.run("compile", compile_tiler, {"py3dtiles": None}))
    return PointLayer(clouds, list(workers.run("points", make_square, tasks)), keys)


def square_side(headers: Sequence[LasHeader]) -> float:
    """Side of the squares, by the density of the densest cloud."""
    density = 0.0
    for header in headers:
        xmin, ymin, xmax, ymax = header.bounds
        density = max(density, header.n_points / max((xmax - xmin) * (ymax - ymin), 1.0))
    fitting = (side for side in SIDES if density * side**2 <= SQUARE_POINTS)
    return next(fitting, SIDES[-1])


def write_point_layer(staging: Staging, layer: PointLayer, placement: Placement) -> None:
    """Put the layer into the city; without points there is none."""
    squares = {}
    for key, part in zip(layer.keys, layer.squares, strict=True):
        made: MadeSquare = part.result
        squares[key] = json.loads(made.root), SquareOfPoints(made.steps, made.classification, 0)
        for name in part.sums:
            staging.adopt(f"{POINTS}/{name}", f"{part.folder}/{name}")
    if squares:
        join_squares(
            squares, placement, lambda name, data: staging.write(f"{POINTS}/{name}", data)
        )


KINDS = {kind.__name__: kind for kind in (SplitCloud, MadeSquare)}
"""Classes in the results of parts."""
