"""Tables that one worker leaves for another, in the parts of the build's work folder.

Plain arrays without pickles. No other version of cimkit reads them, so the layout is free to
change.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cimkit.tables import Models, PointCloud, Terrain
from cimkit.tables._columns import IntArray, TextArray
from cimkit.tables.groundsums import GroundSums, LowestCells

_BYTES = ("classification", "return_number", "number_of_returns")
_POINT = np.dtype(
    [("x", "<f8"), ("y", "<f8"), ("z", "<f8"), *((name, "u1") for name in _BYTES)]
)
_LAYERS = ("from_dem", "found")
"""What a terrain may have besides its heights."""

_PIECE = 1_000_000
"""Points read at once."""

_OPEN_FILES = 256
"""Files read at the same time; systems allow a process 1,024 or fewer."""

_MODEL_ARRAYS = (
    "vertices",
    "vertex_offsets",
    "ring_vertex",
    "ring_offsets",
    "face_offsets",
    "solid_offsets",
    "semantics",
)


def append_points(path: str | Path, cloud: PointCloud) -> None:
    """Add points to a file."""
    packed = np.empty(len(cloud), dtype=_POINT)
    for field in _POINT.names or ():
        column = getattr(cloud, field)
        packed[field] = 0 if column is None else column
    with Path(path).open("ab") as file:
        file.write(packed.view(np.uint8).data)


def load_points(files: Sequence[tuple[str, int]], crs: str) -> tuple[PointCloud, IntArray]:
    """The points of several files, and the number that each file is given.

    Parameters
    ----------
    files : sequence of (path, number)
    crs : str
        Written into the table.
    """
    sizes = [Path(path).stat().st_size // _POINT.itemsize for path, _ in files]
    x, y, z = (np.empty(sum(sizes)) for _ in range(3))
    small, start = {name: np.empty(sum(sizes), dtype=np.uint8) for name in _BYTES}, 0
    for (path, _), size in zip(files, sizes, strict=True):
        # Piece by piece: the arrays above are all that stays.
        for first in range(0, size, _PIECE):
            count = min(_PIECE, size - first)
            offset = first * _POINT.itemsize
            packed = np.fromfile(path, dtype=_POINT, count=count, offset=offset)
            here = slice(start, start + count)
            x[here], y[here], z[here] = packed["x"], packed["y"], packed["z"]
            for name, column in small.items():
                column[here] = packed[name]
            start += count
    source = np.repeat([number for _, number in files], sizes).astype(np.int64)
    return PointCloud(x, y, z, crs=crs, **small), source


def save_sums(path: str | Path, sums: GroundSums) -> None:
    """Keep the ground sums of one file."""
    place = np.array([sums.first_row, sums.first_column])
    np.savez(path, place=place, cell=sums.cell, total=sums.total, points=sums.points)


def load_sums(paths: Sequence[str | Path]) -> Iterator[GroundSums]:
    """The ground sums of several files, one at a time."""
    for path in paths:
        with np.load(path) as arrays:
            row, column = arrays["place"].tolist()
            yield GroundSums(
                row, column, float(arrays["cell"]), arrays["total"], arrays["points"]
            )


def save_lowest(path: str | Path, lowest: LowestCells) -> None:
    """Keep the lowest heights of the cells of one file."""
    place = np.array([lowest.first_row, lowest.first_column])
    np.savez(path, place=place, cell=lowest.cell, low=lowest.low)


def load_lowest(paths: Sequence[str | Path]) -> Iterator[LowestCells]:
    """The lowest heights of several files, one at a time."""
    for path in paths:
        with np.load(path) as arrays:
            row, column = arrays["place"].tolist()
            yield LowestCells(row, column, float(arrays["cell"]), arrays["low"])


def save_terrain(folder: str | Path, terrain: Terrain) -> None:
    """Keep a terrain so that workers can map it into memory, in the place of an earlier one."""
    shutil.rmtree(folder, ignore_errors=True)
    Path(folder).mkdir(parents=True)
    np.save(Path(folder, "z.npy"), terrain.z)
    np.save(Path(folder, "measured.npy"), terrain.measured)
    for name in _LAYERS:
        layer = getattr(terrain, name)
        if layer is not None:
            np.save(Path(folder, f"{name}.npy"), layer)
    np.save(Path(folder, "place.npy"), np.array([terrain.x0, terrain.y0, terrain.cell]))


def load_terrain_window(
    folder: str | Path, bounds: tuple[float, float, float, float], crs: str
) -> Terrain:
    """The part of a kept terrain that heights within `bounds` depend on."""
    x0, y0, cell = np.load(Path(folder, "place.npy")).tolist()
    z = np.load(Path(folder, "z.npy"), mmap_mode="r")
    measured = np.load(Path(folder, "measured.npy"), mmap_mode="r")
    files = {name: Path(folder, f"{name}.npy") for name in _LAYERS}
    layers = {
        name: np.load(file, mmap_mode="r") for name, file in files.items() if file.exists()
    }
    return Terrain(z, measured, x0, y0, cell, crs, **layers).window(bounds)


def save_models(path: str | Path, models: Models) -> None:
    """Keep the models of one block, without their identifiers."""
    arrays = {name: getattr(models, name) for name in _MODEL_ARRAYS}
    np.savez(path, lod=models.lod.astype("U3"), **arrays)


def load_stored(
    parts: Sequence[tuple[str, TextArray, IntArray]], order: IntArray, crs: str
) -> Models:
    """Models of chosen buildings out of several blocks.

    Parameters
    ----------
    parts : sequence of (path, building_id of all models there, rows to take)
    order : int64 array
        Row of each wanted model among those taken, one part after the other.
    crs : str
    """
    taken = []
    for path, building_id, rows in parts:
        with np.load(path) as arrays:
            columns = {name: arrays[name] for name in _MODEL_ARRAYS}
            taken.append(Models(building_id, arrays["lod"], crs=crs, **columns).take(rows))
    return Models.concatenate(taken).take(order)


def save_bytes(path: str | Path, data: bytes) -> None:
    """Write a file at once."""
    Path(path).write_bytes(data)


def save_lines(path: str | Path, lines: Iterator[bytes]) -> list[int]:
    """Write lines and return their sizes."""
    with Path(path).open("wb") as file:
        return [file.write(line) for line in lines]


def merge_lines(
    out: str | Path,
    head: bytes,
    files: Sequence[str | Path],
    file_of_line: IntArray,
    sizes: IntArray,
    amend: Callable[[int, bytes], bytes],
) -> None:
    """Write lines of several files into one, in a new order.

    Parameters
    ----------
    out : str or Path
    head : bytes
        First line.
    files : sequence of path
        Each holds some of the lines, in the new order among themselves.
    file_of_line, sizes : int64 array, shape (n_lines,)
        Where each line is, in the new order, and how long it is.
    amend : callable
        What to write for a line, given its row in the new order and its bytes.
    """
    at = np.zeros(len(files), dtype=np.int64)
    with ExitStack() as stack:
        target = stack.enter_context(Path(out).open("wb"))
        target.write(head)
        opened: dict[int, BinaryIO] = {}
        rows = enumerate(zip(file_of_line.tolist(), sizes.tolist(), strict=True))
        for row, (number, size) in rows:
            if number not in opened:
                if len(opened) == _OPEN_FILES:
                    opened.pop(next(iter(opened))).close()
                opened[number] = stack.enter_context(Path(files[number]).open("rb"))
                opened[number].seek(at[number])
            target.write(amend(row, opened[number].read(size)))
            at[number] += size
