"""Point clouds from LAS and LAZ files."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import laspy
import numpy as np

from cimkit.errors import FormatError, InputError
from cimkit.read.cloud_crs import check_cloud_crs, open_cloud
from cimkit.read.copc import is_copc, iterate_nodes, read_octree
from cimkit.read.crs import Box
from cimkit.read.damage import check_inside, check_whole, damaged
from cimkit.read.las_header import LasHeader
from cimkit.tables import PointCloud

CHUNK_POINTS = 500_000
"""Points decoded at once: 16 MB of coordinates; larger chunks are no faster."""

_FIELDS = (
    laspy.DecompressionSelection.base()
    | laspy.DecompressionSelection.Z
    | laspy.DecompressionSelection.CLASSIFICATION
)
"""Point formats 6-10 keep other fields in layers that can be skipped (a third of the time)."""


def find_clouds(paths: Iterable[str]) -> list[Path]:
    """LAS and LAZ files of the given files, folders and patterns, each once, sorted.

    Raises
    ------
    InputError
        If one of them holds no LAS or LAZ file.
    """
    found: dict[Path, Path] = {}  # by the real path: a link and its target are one file
    for given in paths:
        place = Path(given)
        if place.is_dir():
            files = [
                file for file in place.rglob("*") if file.suffix.lower() in (".las", ".laz")
            ]
        elif place.is_file():
            files = [place]
        else:
            files = [Path(name) for name in glob.glob(given, recursive=True)]  # noqa: PTH207
        if not files:
            raise InputError(
                "no LAS or LAZ file found",
                path=given,
                hint="Name a file, a folder, or a pattern in quotes.",
            )
        for file in files:
            found[file.resolve()] = min(file, found.get(file.resolve(), file))
    return sorted(found.values(), key=lambda file: (file.name, str(file)))


def read_points(paths: str | Path | Sequence[str], *, crs: str = "") -> PointCloud:
    """Read whole clouds into memory; a build reads them chunk by chunk instead.

    Parameters
    ----------
    paths : str, Path or sequence of str
        Files, folders or patterns.
    crs : str, optional
        CRS of the cloud; must not contradict the headers.

    Returns
    -------
    PointCloud
        In metres: a file whose CRS is in feet is converted, its projection kept
        (`cimkit.read.cloud_crs`).

    Raises
    ------
    FormatError
        If a file is damaged.
    CrsError
        If a header states another horizontal CRS; one in feet fits the same projection in
        metres.
    """
    given = [str(paths)] if isinstance(paths, (str, Path)) else list(paths)
    parts = []
    for file in find_clouds(given):
        header = open_cloud(file)
        check_cloud_crs(header, crs)
        parts += list(iterate_points(header, crs=crs))
    x, y, z = (
        np.concatenate([np.empty(0), *(getattr(part, name) for part in parts)])
        for name in ("x", "y", "z")
    )
    classes, number, total = (
        np.concatenate([np.empty(0, np.uint8), *(getattr(part, name) for part in parts)])
        for name in ("classification", "return_number", "number_of_returns")
    )
    return PointCloud(x, y, z, classes, crs, number, total)


def iterate_points(
    header: LasHeader, *, crs: str = "", chunk: int = CHUNK_POINTS, box: Box | None = None
) -> Iterator[PointCloud]:
    """Decode a probed file, chunk by chunk.

    Parameters
    ----------
    header : LasHeader
        From `open_cloud`, or `probe_las` to keep the units of the file.
    crs : str, optional
        Written into the tables.
    chunk : int
        Points at once.
    box : tuple of float, optional
        (xmin, ymin, xmax, ymax). Points outside may be left out, where the file is COPC: only
        the nodes of its octree that meet the box are decoded.

    Raises
    ------
    FormatError
        If the decoder fails, finds another number of points than promised, in all or of a
        return, or finds points outside the box of the header: LAZ has no checksum, and most
        silent damage shows there.
    """
    n_read, n_wanted, clouds = 0, header.n_points, _decode(header, chunk, crs)
    if box is not None and not within(header.bounds, box) and is_copc(header):
        octree = read_octree(header)
        nodes = octree.meeting(box)
        n_wanted, clouds = int(octree.n_points[nodes].sum()), iterate_nodes(octree, nodes, crs)
    try:
        for cloud in clouds:
            n_read += len(cloud)
            check_inside(header, cloud)
            yield cloud
    except (FormatError, GeneratorExit, KeyboardInterrupt):
        raise
    except BaseException as error:  # a panic of the decoder is no Exception
        raise damaged(header, f"cannot be decoded ({type(error).__name__}: {error})") from error
    if n_read != n_wanted:
        raise damaged(header, f"promises {n_wanted:,} points, {n_read:,} could be read")


def _decode(header: LasHeader, chunk: int, crs: str) -> Iterator[PointCloud]:
    """All points in the order of the file; at its end, what the header says of the whole."""
    n_read, by_return = 0, np.zeros(16, dtype=np.int64)
    with laspy.open(
        str(header.path),
        read_evlrs=False,
        laz_backend=laspy.LazBackend.Lazrs,
        decompression_selection=_FIELDS,
    ) as reader:
        # Not its chunks: it would go on to the count of the file, which may be cut short.
        while n_read < header.n_points:
            points = reader.read_points(min(chunk, header.n_points - n_read))
            if not len(points):
                break
            n_read += len(points)
            number = np.asarray(points.return_number)
            by_return += np.bincount(number, minlength=16)
            # Not points.x: the header may be in metres where the file is in feet.
            x, y, z = (
                points.array[name] * header.scale[axis] + header.offset[axis]
                for axis, name in enumerate("XYZ")
            )
            total = np.asarray(points.number_of_returns)
            yield PointCloud(x, y, z, np.asarray(points.classification), crs, number, total)
        if n_read == header.n_points:
            check_whole(header, by_return, reader)


def within(inner: Box, outer: Box) -> bool:
    """Whether a box lies inside another."""
    return (
        inner[0] >= outer[0]
        and inner[1] >= outer[1]
        and inner[2] <= outer[2]
        and inner[3] <= outer[3]
    )
