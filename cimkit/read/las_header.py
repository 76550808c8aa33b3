"""What a LAS or LAZ header says, held against the file before any decoder sees it.

LAS has no checksum and decoders believe the header: a lying point count loses points without a
word, a lying chunk table aborts the process. The checks here read at most 64 KB, and 100 bytes
of each chunk, allocate nothing from a number in the file, and need no native code.

Byte positions: LAS 1.4 R15 specification, tables 3 and 4.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn

from cimkit.errors import FormatError
from cimkit.limits import LAS_HEADER_BYTES, LAS_VLRS_MAX
from cimkit.read.laz_chunks import (
    Refuse,
    check_chunk_count,
    check_laszip_record,
    find_chunk_table,
    walk_layers,
)

_RECORD_BYTES = (20, 28, 26, 34, 57, 63, 30, 36, 38, 59, 67)
"""Smallest record of each point format 0-10."""

_HEADER_BYTES = {0: 227, 1: 227, 2: 227, 3: 235, 4: 375}
"""Header size of each minor version."""

XYZ = tuple[float, float, float]

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
    by_return : tuple of int
        Points of the first, second, ... return; all 0 where the file does not say.
    n_chunks : int
        Entries of the chunk table of a LAZ file with chunks of one size, which begins where
        they end; else 0.
    unit : tuple of float
        Metres of one unit of the file along x, y, z, which the other fields are multiplied by.
    n_missing : int
        Points that a LAS file cut short has lost; `n_points` are those that it still holds.
    moved : tuple of float
        Metres that the other fields were moved by.
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
    by_return: tuple[int, ...] = ()
    n_chunks: int = 0
    unit: tuple[float, float, float] = (1.0, 1.0, 1.0)
    n_missing: int = 0
    moved: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(xmin, ymin, xmax, ymax)."""
        return *self.low[:2], *self.high[:2]


def move_cloud(header: LasHeader, east: float, north: float) -> LasHeader:
    """Header whose points are read as if they lay elsewhere; without rounding them.

    Examples
    --------
    >>> unit, box = (0.01,) * 3, ((0.0,) * 3, (9.0,) * 3)
    >>> header = LasHeader(Path("a"), "1.2", 1, 1, unit, (0.0,) * 3, *box, True, 9)
    >>> move_cloud(header, 0.5, 0.0).bounds
    (0.5, 0.0, 9.5, 9.0)
    """
    if not (east or north):
        return header

    def moved(values: tuple[float, float, float]) -> tuple[float, float, float]:
        return values[0] + east, values[1] + north, values[2]

    return header._replace(
        offset=moved(header.offset),
        low=moved(header.low),
        high=moved(header.high),
        moved=moved(header.moved),
    )


def probe_las(path: str | Path, *, keep_short: bool = False) -> LasHeader:
    """Read and check the header of a LAS or LAZ file.

    Parameters
    ----------
    path : str or Path
    keep_short : bool, default False
        Take the whole records of a LAS file that is cut short. Of LAZ nothing can be kept: what
        says where its chunks begin stands at the end.

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
            return _probe(path, file, path.stat().st_size, keep_short=keep_short)
    except OSError as error:
        raise FormatError(
            f"cannot be read ({error.strerror})", path=str(path), hint="Check the path."
        ) from error


def _probe(path: Path, file: BinaryIO, size: int, *, keep_short: bool) -> LasHeader:
    head = file.read(LAS_HEADER_BYTES)

    def refuse(what: str, where: str = "header") -> NoReturn:
        raise FormatError(what, path=str(path), where=where, hint=_COPY_AGAIN)

    layout = _check_layout(head, size, refuse)
    minor, points_at, kind, record = layout.minor, layout.points_at, layout.kind, layout.record
    count, by_return = _check_counts(head, minor, refuse)
    compressed, n_chunks, chunk_size, kept = head[104] >= 0x80, 0, 0, count
    keep_short = keep_short and not compressed and count > (size - points_at) // record
    end = _check_extended_records(head, minor, points_at, size, refuse, is_short=keep_short)
    scale, offset, low, high = _check_space(head, count, refuse)
    laszip = _find_laszip_record(file, layout, refuse)
    if compressed:
        chunk_size = check_laszip_record(laszip, record, refuse)
        table_at, n_chunks = find_chunk_table(file, points_at, size, refuse)
        check_chunk_count(n_chunks, count, chunk_size, size - table_at, refuse)
        if kind >= 6:
            walk_layers(file, kind, record, (points_at, table_at), (count, n_chunks), refuse)
    elif keep_short:
        kept, by_return = (end - points_at) // record, ()
    else:
        _check_records(count, record, points_at, end, refuse)
    return LasHeader(
        *(path, f"1.{minor}", kind, kept, scale, offset, low, high, compressed, size),
        by_return=by_return,
        n_chunks=n_chunks if chunk_size else 0,
        n_missing=count - kept,
    )


class _Layout(NamedTuple):
    """Where the parts of the file begin, and what a record is."""

    minor: int
    header_size: int
    points_at: int
    n_vlrs: int
    kind: int
    record: int


def _check_layout(head: bytes, size: int, refuse: Refuse) -> _Layout:
    """Signature, version and sizes, which must fit into each other and the file."""
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
    if kind > 10 or record < _RECORD_BYTES[kind]:
        refuse(f"point format {kind} cannot have records of {record} bytes")
    if n_vlrs > LAS_VLRS_MAX or n_vlrs * 54 > points_at - header_size:
        refuse(f"promises {n_vlrs:,} variable length records where none fit")
    return _Layout(minor, header_size, points_at, n_vlrs, kind, record)


def _check_space(head: bytes, count: int, refuse: Refuse) -> tuple[XYZ, XYZ, XYZ, XYZ]:
    """Scale, offset and the two corners of the box."""
    numbers = struct.unpack_from("<12d", head, 131)
    scale, offset, box = numbers[:3], numbers[3:6], numbers[6:]
    if not all(math.isfinite(value) for value in numbers):
        refuse("scale, offset or bounds are not finite")
    if not all(1e-9 <= value <= 10 for value in scale):
        refuse(f"scale {scale} is outside 1e-9 … 10")
    high, low = box[0::2], box[1::2]
    if count and any(a > b for a, b in zip(low, high, strict=True)):
        refuse("minimum above maximum in the bounds")
    return scale, offset, low, high


def _check_counts(head: bytes, minor: int, refuse: Refuse) -> tuple[int, tuple[int, ...]]:
    """Number of points, in all and by return; the two must not contradict each other."""
    count = struct.unpack_from("<I", head, 107)[0]
    by_return = struct.unpack_from("<5I", head, 111)
    if minor == 4 and len(head) >= 375:
        count = struct.unpack_from("<Q", head, 247)[0]
        by_return = struct.unpack_from("<15Q", head, 255)
    total = sum(by_return)
    # Before 1.4 only the returns 1-5 are counted.
    if total > count or (minor == 4 and total not in (0, count)):
        refuse(f"promises {count:,} points, but {total:,} by return")
    return int(count), by_return


def _find_laszip_record(file: BinaryIO, layout: _Layout, refuse: Refuse) -> bytes:
    """What the variable length record of LASzip holds, b"" without one; all must fit."""
    at, found = layout.header_size, b""
    for number in range(layout.n_vlrs):
        file.seek(at)
        user, record, length = struct.unpack("<2x16sHH32x", file.read(54).ljust(54, b"\0"))
        if at + 54 + length > layout.points_at:
            refuse(f"variable length record {number} reaches into the points")
        if user.rstrip(b"\0") == b"laszip encoded" and record == 22204:
            found = file.read(length)
        at += 54 + length
    return found


def _check_extended_records(
    head: bytes, minor: int, points_at: int, size: int, refuse: Refuse, *, is_short: bool
) -> int:
    """Where the points of a LAS file end at the latest; what follows them must fit.

    A file that is cut short may have lost what followed them.
    """
    end = size
    if minor >= 3:
        waveform_at = struct.unpack_from("<Q", head, 227)[0]
        if points_at <= waveform_at < size:
            end = waveform_at
    if minor == 4:
        at, n_records = struct.unpack_from("<QI", head, 235)
        if n_records and not is_short and not points_at <= at <= size - 60 * n_records:
            refuse(f"promises {n_records:,} extended records where none fit")
        if n_records and at >= points_at:
            end = min(end, at)
    return end


def _check_records(count: int, record: int, points_at: int, end: int, refuse: Refuse) -> None:
    """Whole records between the start of the points and the end: no fewer, no more."""
    whole = (end - points_at) // record
    if count != whole:
        advice = ' (on_short = "keep" takes those)' if count > whole else ""
        refuse(
            f"promises {count:,} points, the file holds {whole:,} whole records{advice}",
            "points",
        )
