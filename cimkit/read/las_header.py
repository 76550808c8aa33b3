"""What a LAS or LAZ header says, held against the file before any decoder sees it.

LAS has no checksum and decoders believe the header: a lying point count loses points without a
word, a lying chunk table aborts the process. The checks here read at most 64 KB, allocate
nothing from a number in the file, and need no native code.

Byte positions: LAS 1.4 R15 specification, tables 3 and 4; LASzip chunk table as in its own
record (user id ``laszip encoded``, record 22204).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn

from cimkit.errors import FormatError
from cimkit.limits import LAS_HEADER_BYTES, LAS_VLRS_MAX

_RECORD_BYTES = (20, 28, 26, 34, 57, 63, 30, 36, 38, 59, 67)
"""Smallest record of each point format 0-10."""

_HEADER_BYTES = {0: 227, 1: 227, 2: 227, 3: 235, 4: 375}
"""Header size of each minor version."""

Refuse = Callable[..., NoReturn]

_COPY_AGAIN = "Copy the file again from its source, or leave it out."


class LasHeader(NamedTuple):
    """The part of a header that cimkit relies on, checked.

    Attributes
    ----------
    path : Path
    version : str
        Such as ``1.4``.
    point_format : int
    n_points : int
    scale, offset : tuple of float
        Of x, y and z.
    low, high : tuple of float
        Corners of the box of all points, metres (x, y, z).
    compressed : bool
    size_bytes : int
    unit : tuple of float
        Metres of one unit of the file along x, y, z, which the other fields are multiplied by.
    """

    path: Path
    version: str
    point_format: int
    n_points: int
    scale: tuple[float, float, float]
    offset: tuple[float, float, float]
    low: tuple[float, float, float]
    high: tuple[float, float, float]
    compressed: bool
    size_bytes: int
    unit: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(xmin, ymin, xmax, ymax)."""
        return *self.low[:2], *self.high[:2]


def probe_las(path: str | Path) -> LasHeader:
    """Read and check the header of a LAS or LAZ file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    LasHeader

    Raises
    ------
    FormatError
        If the file is no LAS file, is cut off, or its header contradicts itself or the file.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return _probe(path, file, path.stat().st_size)
    except OSError as error:
        raise FormatError(
            f"cannot be read ({error.strerror})", path=str(path), hint="Check the path."
        ) from error


def _probe(path: Path, file: BinaryIO, size: int) -> LasHeader:
    head = file.read(LAS_HEADER_BYTES)

    def refuse(what: str, where: str = "header") -> NoReturn:
        raise FormatError(what, path=str(path), where=where, hint=_COPY_AGAIN)

    if head[:4] != b"LASF":
        refuse("is no LAS or LAZ file: it does not begin with LASF")
    if len(head) < 227:
        refuse(f"is cut off: {len(head)} bytes are less than a header")
    major, minor = head[24], head[25]
    if major != 1 or minor not in _HEADER_BYTES:
        refuse(f"has unknown version {major}.{minor}")
    header_size, points_at, n_vlrs = struct.unpack_from("<HII", head, 94)
    if not _HEADER_BYTES[minor] <= header_size <= points_at <= size or header_size > len(head):
        refuse(
            f"header of {header_size} bytes and points at byte {points_at} do not fit "
            f"into {size:,} bytes"
        )
    kind, record = head[104] & 0x3F, struct.unpack_from("<H", head, 105)[0]
    compressed = head[104] >= 0x80
    if kind > 10 or record < _RECORD_BYTES[kind]:
        refuse(f"point format {kind} cannot have records of {record} bytes")
    if n_vlrs > LAS_VLRS_MAX or n_vlrs * 54 > points_at - header_size:
        refuse(f"promises {n_vlrs:,} variable length records where none fit")
    count = _check_counts(head, minor, refuse)
    numbers = struct.unpack_from("<12d", head, 131)
    scale, offset, box = numbers[:3], numbers[3:6], numbers[6:]
    if not all(math.isfinite(value) for value in numbers):
        refuse("scale, offset or bounds are not finite")
    if not all(1e-9 <= value <= 10 for value in scale):
        refuse(f"scale {scale} is outside 1e-9 … 10")
    high, low = box[0::2], box[1::2]
    if count and any(a > b for a, b in zip(low, high, strict=True)):
        refuse("minimum above maximum in the bounds")
    chunk_size = _chunk_size(head, header_size, n_vlrs, points_at, refuse)
    if compressed:
        _check_chunks(file, points_at, size, count, chunk_size, refuse)
    elif count * record > size - points_at:
        refuse(
            f"promises {count:,} points, the file holds {(size - points_at) // record:,} "
            "whole records",
            "points",
        )
    return LasHeader(
        path, f"{major}.{minor}", kind, count, scale, offset, low, high, compressed, size
    )


def _check_counts(head: bytes, minor: int, refuse: Refuse) -> int:
    """Number of points; the counts by return must not contradict it."""
    count = struct.unpack_from("<I", head, 107)[0]
    by_return = sum(struct.unpack_from("<5I", head, 111))
    if minor == 4 and len(head) >= 375:
        count = struct.unpack_from("<Q", head, 247)[0]
        by_return = sum(struct.unpack_from("<15Q", head, 255))
        if by_return not in (0, count):
            refuse(f"promises {count:,} points, but {by_return:,} by return")
    elif by_return > count:  # before 1.4 only the returns 1-5 are counted
        refuse(f"promises {count:,} points, but {by_return:,} by return")
    return int(count)


def _chunk_size(head: bytes, start: int, n_vlrs: int, points_at: int, refuse: Refuse) -> int:
    """Points of one LASzip chunk; 0 where the file does not say or chunks vary."""
    at, size = start, 0
    for number in range(n_vlrs):
        if at + 54 > min(len(head), points_at):
            break
        user, record, length = struct.unpack_from("<2x16sHH", head, at)
        if at + 54 + length > points_at:
            refuse(f"variable length record {number} reaches into the points")
        is_laszip = user.rstrip(b"\0") == b"laszip encoded" and record == 22204
        if is_laszip and at + 70 <= len(head):
            size = struct.unpack_from("<I", head, at + 54 + 12)[0]
        at += 54 + length
    return 0 if size == 0xFFFFFFFF else size


def _check_chunks(
    file: BinaryIO, points_at: int, size: int, count: int, chunk_size: int, refuse: Refuse
) -> None:
    """The chunk table must lie in the file and hold the chunks that the points need."""
    file.seek(points_at)
    first = file.read(8)
    table_at = struct.unpack("<q", first)[0] if len(first) == 8 else 0
    if table_at == -1:
        file.seek(max(size - 8, 0))
        table_at = struct.unpack("<q", file.read(8))[0]
    if not points_at + 8 <= table_at <= size - 8:
        refuse("its chunk table lies outside the file: it is cut off", "points")
    file.seek(table_at)
    n_chunks = struct.unpack("<4xI", file.read(8))[0]
    expected = -(-count // chunk_size) if chunk_size else n_chunks
    if count == 0:
        expected = min(n_chunks, 1)  # some writers end an empty file with an empty chunk
    if n_chunks > size - table_at + 1 or n_chunks != expected:
        refuse(
            f"promises {count:,} points, its {n_chunks:,} chunks hold another number", "points"
        )
