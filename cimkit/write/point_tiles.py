"""Points as 3D Tiles, by py3dtiles; what it leaves to chance or the clock is settled here."""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import laspy
import numpy as np

from cimkit import __version__
from cimkit.errors import ParameterError
from cimkit.write.gltf import json_bytes
from cimkit.write.tileset import box_of, city_metadata, tileset_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from py3dtiles.tilers.point.point_tiler import PointTiler

    from cimkit.tables._columns import ByteArray, FloatArray, IntArray
    from cimkit.write.placement import Placement

STEP_M = 0.001
"""Metres. Places of points are multiples of it."""

SAMPLE = 5_000
"""Points of a square that far views show; those of four are a tile of 320 kB."""

ROOM_M = 0.01
"""Metres around the tiles of far views, for their rounding."""

CACHE_MB = 200
"""What py3dtiles may hold in memory; the rest lies on the disk."""

CLASS_COLOR: dict[int, tuple[int, int, int]] = {
    2: (166, 144, 112),
    3: (158, 184, 108),
    4: (118, 160, 84),
    5: (76, 130, 72),
    6: (214, 122, 84),
    9: (92, 142, 196),
    17: (150, 120, 170),
}
"""Colours of ground, low, medium and high plants, buildings, water, bridges (LAS 1.4 R15)."""

OTHER_COLOR = (176, 176, 176)


def require_py3dtiles() -> None:
    """Refuse to go on without the library that makes the octree.

    Raises
    ------
    ParameterError
    """
    if importlib.util.find_spec("py3dtiles") is None:
        raise ParameterError(
            'point_tiles: py3dtiles is not installed. Run pip install "cimkit[points]", or '
            "leave the layer out."
        )


class SquareOfPoints(NamedTuple):
    """Points in the root frame, in an order that samples them evenly.

    Attributes
    ----------
    steps : int64 array, shape (n, 3)
        Places, in multiples of `STEP_M`.
    classification : uint8 array, shape (n,)
    n_repeated : int
        Points left out because another one of the same class stands at the same place.
    """

    steps: IntArray
    classification: ByteArray
    n_repeated: int

    @classmethod
    def of(cls, xyz: FloatArray, classification: ByteArray) -> SquareOfPoints:
        """Bring points into the order of a hash of their places.

        So the result depends on no order of files, and the first n points are a fair sample of
        all, whatever n is.
        """
        steps = np.rint(xyz / STEP_M).astype(np.int64)
        columns = [classification.astype(np.int64), *steps.T[::-1]]
        order = np.lexsort([*columns, _mixed(steps)])
        steps, classes = steps[order], classification[order]
        same = (steps[1:] == steps[:-1]).all(axis=1) & (classes[1:] == classes[:-1])
        kept = np.concatenate([np.ones(min(len(steps), 1), dtype=np.bool_), ~same])
        return cls(steps[kept], classes[kept], int(same.sum()))

    def head(self, n: int) -> SquareOfPoints:
        """The first n points."""
        return SquareOfPoints(self.steps[:n], self.classification[:n], 0)

    @classmethod
    def concatenate(cls, parts: list[SquareOfPoints]) -> SquareOfPoints:
        """All points of several, in their own order again."""
        steps = np.concatenate([part.steps for part in parts])
        return cls.of(steps * STEP_M, np.concatenate([part.classification for part in parts]))


def _mixed(steps: IntArray) -> IntArray:
    """A hash of places: the last rounds of SplitMix64 (Steele, Lea, Flood 2014)."""
    factors = np.array(
        [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64
    )
    mixed = np.bitwise_xor.reduce(steps.astype(np.uint64) * factors, axis=1)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def encode_square(points: SquareOfPoints, folder: str | Path) -> tuple[dict[str, Any], int]:
    """Make the tiles of one square.

    Parameters
    ----------
    points : SquareOfPoints
        One at least.
    folder : str or Path
        Takes the tiles, named by their bytes.

    Returns
    -------
    dict
        The root tile with all below it, as tileset JSON has it.
    int
        Points in these tiles, counted in what was written.

    Notes
    -----
    py3dtiles builds an octree in which each tile adds points between those above it; spacing
    halves from level to level, and the geometric error is ten times the spacing. Its own
    command hands the points to processes as these come free, so that the outcome depends on
    their pace; here one worker does all tasks in turn.
    """
    from py3dtiles.tilers.point.point_tiler import PointTiler  # takes a second

    work = Path(folder, "py3dtiles")
    out = work / "points"
    (work / "store").mkdir(parents=True)
    out.mkdir()
    cloud = work / "points.las"
    _write_las(points, cloud)
    tiler = PointTiler(
        cache_size=CACHE_MB, number_of_jobs=1, rgb=True, extra_fields=["classification"]
    )
    tiler.initialize([cloud], work / "store", out)
    with warnings.catch_warnings():  # its kernels take lists, of which numba warns
        warnings.filterwarnings("ignore", "(?s).*reflected list")
        root = _run(tiler)
    # It reckons in units of 1, 10 or 100 m, and its root says so; here all tiles are in metres,
    # because clients differ in whether the geometric error follows the scale of a tile.
    transform = root.get("transform", np.eye(4).ravel().tolist())
    unit = float(transform[0])
    root["transform"] = [*np.eye(4).ravel()[:12].tolist(), *transform[12:]]
    tile, n_written = _in_metres(root, unit, out, Path(folder))
    shutil.rmtree(work)
    return tile, n_written


def compile_tiler(_: object = None) -> None:
    """Let numba compile what py3dtiles has for it, before several processes do so at once."""
    with tempfile.TemporaryDirectory() as folder:
        places = np.stack(np.meshgrid(*[np.arange(16.0)] * 3), axis=-1).reshape(-1, 3)
        encode_square(SquareOfPoints.of(places, np.zeros(len(places), dtype=np.uint8)), folder)


def _run(tiler: PointTiler) -> dict[str, Any]:
    """Do all tasks of a tiler in turn; the root tile."""
    worker = tiler.get_worker()
    while tasks := list(tiler.get_tasks()):
        for command, content in tasks:
            for kind, *message in worker.execute(command, content):
                tiler.process_message(kind, message)
        tiler.memory_control()
    tiler.validate()
    return dict(tiler.get_root_tile(use_process_pool=False).to_dict())


def _write_las(points: SquareOfPoints, path: Path) -> None:
    """Points with colours by class, as py3dtiles reads them."""
    header = laspy.LasHeader(version="1.4", point_format=7)
    header.scales = np.full(3, STEP_M)
    cloud = laspy.LasData(header)
    cloud.X, cloud.Y, cloud.Z = points.steps.T.astype(np.int32)
    cloud.classification = points.classification
    cloud.red, cloud.green, cloud.blue = class_colors(points.classification).T * np.uint16(257)
    cloud.write(str(path))


def class_colors(classification: ByteArray) -> ByteArray:
    """Colour of each point by its class, shape (n, 3)."""
    table = np.full((256, 3), OTHER_COLOR, dtype=np.uint8)
    for number, color in CLASS_COLOR.items():
        table[number] = color
    return table[classification]


def _in_metres(
    tile: Mapping[str, Any], unit: float, source: Path, target: Path
) -> tuple[dict[str, Any], int]:
    """A tile with all below it, in metres, its contents named by their bytes; and its points.

    Where py3dtiles has put a part of the tree into a document of its own, it comes back.
    """
    from py3dtiles.tileset.content import Pnts
    from py3dtiles.tileset.tileset import TileSet

    made = dict(tile)
    uri = made.get("content", {}).get("uri", "")
    if uri.endswith(".json"):
        part = TileSet.from_file(source / uri).root_tile.to_dict()
        return _in_metres({**part, "refine": "ADD"}, unit, source, target)
    made["boundingVolume"] = {
        "box": [float(value) * unit for value in made["boundingVolume"]["box"]]
    }
    n_written = 0
    if uri:
        content = Pnts.from_file(source / uri)
        table = content.body.feature_table.body
        table.position = np.asarray(table.position * np.float32(unit), dtype=np.float32)
        n_written = len(table.position) // 3
        data = content.to_array().tobytes()
        name = f"{hashlib.sha256(data).hexdigest()[:16]}.pnts"
        (target / name).write_bytes(data)
        made["content"] = {"uri": name}
    if "children" in made:
        below = [_in_metres(child, unit, source, target) for child in made["children"]]
        made["children"] = [child for child, _ in below]
        if made.get("refine") == "REPLACE":  # what it shows is below once more
            n_written = 0
        n_written += sum(n for _, n in below)
    return made, n_written


def join_squares(
    squares: Mapping[tuple[int, int], tuple[dict[str, Any], SquareOfPoints]],
    placement: Placement,
    write: Callable[[str, bytes], None],
) -> None:
    """Write the documents of the squares, the tiles above them, and ``tileset.json``.

    Parameters
    ----------
    squares : mapping of (column, row) to (root tile, sample)
        From `encode_square`, and the first `SAMPLE` points of each.
    placement : Placement
        Root frame.
    write : callable
        Takes the name of a file and its bytes.

    Notes
    -----
    Four squares meet in one that shows their samples, until one is left; the error doubles.
    """
    level: Level = {}
    for key in sorted(squares):
        tile, sample = squares[key]
        data = json_bytes(_document(tile, tile["geometricError"]))
        uri = f"{hashlib.sha256(data).hexdigest()[:16]}.json"
        write(uri, data)
        low, high = _corners(tile)
        level[key] = _tile(low, high, tile["geometricError"], uri), sample
    while len(level) > 1:
        level = _next_level(level, write)
    root, _ = next(iter(level.values()))
    error = tileset_error(root["geometricError"], *(end[None] for end in _corners(root)))
    top = {"transform": placement.root_transform, "refine": "REPLACE", **root}
    extras = {"extras": {"content": "points", **city_metadata(placement)}}
    write("tileset.json", json_bytes({**_document(top, error), **extras}))


Level = dict[tuple[int, int], tuple[dict[str, Any], SquareOfPoints]]


def _next_level(level: Level, write: Callable[[str, bytes], None]) -> Level:
    """The tiles above those of one level; where only one lies below, itself."""
    from py3dtiles.points import Points
    from py3dtiles.tileset.content import Pnts

    below: dict[tuple[int, int], list[tuple[int, int]]] = {}
    # Halves of -1 and 0 are themselves: what lies on either side of the axes meets at last.
    last = {*itertools.chain(*level)} <= {-1, 0}
    for column, row in level:
        key = (0, 0) if last else (column // 2, row // 2)
        below.setdefault(key, []).append((column, row))
    made: Level = {}
    for key, parts in below.items():
        if len(parts) == 1:
            made[key] = level[parts[0]]
            continue
        tiles = [level[part][0] for part in parts]
        shown = SquareOfPoints.concatenate([level[part][1] for part in parts])
        # Float32 in the root frame: 2 mm off at 30 km, where a tile so high is seen from.
        places = (shown.steps * STEP_M).astype(np.float32)
        fields = {"classification": shown.classification}
        cloud = Pnts.from_points(Points(places, class_colors(shown.classification), fields))
        data = cloud.to_array().tobytes()
        uri = f"{hashlib.sha256(data).hexdigest()[:16]}.pnts"
        write(uri, data)
        ends = [_corners(tile) for tile in tiles]
        low, high = np.min(ends, axis=(0, 1)) - ROOM_M, np.max(ends, axis=(0, 1)) + ROOM_M
        error = 2 * max(tile["geometricError"] for tile in tiles)
        tile = {**_tile(low, high, error, uri), "children": tiles}
        made[key] = tile, shown.head(SAMPLE)
    return made


def _tile(low: FloatArray, high: FloatArray, error: float, uri: str) -> dict[str, Any]:
    box = {"box": box_of(low, high)}
    return {"boundingVolume": box, "geometricError": error, "content": {"uri": uri}}


def _corners(tile: Mapping[str, Any]) -> tuple[FloatArray, FloatArray]:
    """Corners of the box of a tile, along the axes around it; it is moved, not turned."""
    box = np.array(tile["boundingVolume"]["box"])
    moved = np.array(tile.get("transform", np.eye(4).ravel()))[12:15]
    half = np.abs(box[3:].reshape(3, 3)).sum(axis=0)
    return box[:3] + moved - half, box[:3] + moved + half


def _document(root: dict[str, Any], error: float) -> dict[str, Any]:
    """A tileset of 3D Tiles 1.0, of which ``pnts`` is a content."""
    asset = {"version": "1.0", "generator": f"cimkit {__version__}"}
    return {"asset": asset, "geometricError": error, "root": root}
