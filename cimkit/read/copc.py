"""Cloud-optimised LAZ (COPC): its octree, checked, and the points of chosen nodes.

A COPC file is a LAZ 1.4 file whose chunks are the nodes of an octree. Where only a part of it
is needed, only the nodes that meet that part are read. The hierarchy is believed in nothing: a
node that lies about its place would lose points without a word.

Layout: COPC specification 1.0, the VLR ``copc``/1, hierarchy pages of 32 bytes an entry.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple, NoReturn

import lazrs
import numpy as np
from numpy.typing import NDArray

from cimkit.errors import FormatError, LimitError
from cimkit.limits import COPC_LEVELS_MAX, COPC_NODE_POINTS_MAX, COPC_NODES_MAX
from cimkit.read.crs import Box
from cimkit.read.las_header import LasHeader
from cimkit.tables import PointCloud
from cimkit.tables._columns import FloatArray, IntArray

_HEADER_BYTES = 375
_INFO_AT = _HEADER_BYTES + 54
"""The COPC record is the first one behind the header."""

_ENTRY = np.dtype([("key", "<i4", 4), ("offset", "<u8"), ("size", "<i4"), ("n", "<i4")])
_IS_PAGE = -1

_FIELDS = (
    lazrs.SELECTIVE_DECOMPRESS_XY_RETURNS_CHANNEL
    | lazrs.SELECTIVE_DECOMPRESS_Z
    | lazrs.SELECTIVE_DECOMPRESS_CLASSIFICATION
)
_RETURNS_AT, _CLASS_AT = 14, 16
"""Bytes of both return numbers and of the class in the records of point formats 6-8, the only
ones of COPC."""


class Octree(NamedTuple):
    """The nodes of a COPC file that hold points, by their place in the file.

    Attributes
    ----------
    header : LasHeader
    offset, size : int64 array, shape (n,)
        Place of the compressed points in the file, bytes.
    n_points : int64 array, shape (n,)
    low, high : float64 array, shape (n, 3)
        Corners of the cubes, in the units of the header.
    record_bytes : int
        Of one point, decompressed.
    laszip : bytes
        The record that tells the decoder what was compressed.
    """

    header: LasHeader
    offset: IntArray
    size: IntArray
    n_points: IntArray
    low: FloatArray
    high: FloatArray
    record_bytes: int
    laszip: bytes

    def meeting(self, box: Box) -> IntArray:
        """Rows of the nodes that can hold points of the box, rising."""
        slack = self._slack[:2]
        meets = (self.low[:, :2] - slack <= box[2:]).all(axis=1)
        meets &= (self.high[:, :2] + slack >= box[:2]).all(axis=1)
        return np.flatnonzero(meets)

    @property
    def _slack(self) -> FloatArray:
        """How far a point may lie outside its node: writers round in their own way."""
        return 2 * np.array(self.header.scale)


def is_copc(header: LasHeader) -> bool:
    """Whether the file says that it is COPC."""
    if not (header.compressed and header.version == "1.4"):
        return False
    with header.path.open("rb") as file:
        file.seek(_HEADER_BYTES)
        start = file.read(54)
    return start[2:18].rstrip(b"\0") == b"copc" and start[18:20] == b"\1\0"


def read_octree(header: LasHeader) -> Octree:
    """Read the hierarchy of a COPC file and hold it against the file.

    Raises
    ------
    FormatError
        If a page or node lies outside the file or stands there twice, a node is none of the
        octree, chunks overlap, or the nodes together do not hold the points of the header.
    LimitError
        If it has more nodes, or a node more points, than `cimkit.limits` allows.
    """
    with header.path.open("rb") as file:
        head = file.read(_INFO_AT + 160)
        if len(head) < _INFO_AT + 160 or header.point_format not in (6, 7, 8):
            _refuse(header, "is no COPC file, though it says so")
        points_at, n_vlrs = struct.unpack_from("<II", head, 96)
        record_bytes = struct.unpack_from("<H", head, 105)[0]
        *middle, half, _ = struct.unpack_from("<5d", head, _INFO_AT)
        root_at, root_size = struct.unpack_from("<QQ", head, _INFO_AT + 40)
        entries = _read_pages(header, file, root_at, root_size)
        laszip = _laszip_record(header, file, n_vlrs)
    slack = 2 * np.array(header.scale)
    unit = np.array(header.unit)
    low, high = (np.array(middle) - half) * unit, (np.array(middle) + half) * unit
    low, high = low + header.moved, high + header.moved
    if not (np.isfinite([*middle, half]).all() and half > 0):
        _refuse(header, "its octree has no size")
    if (low - slack > header.low).any() or (high + slack < header.high).any():
        _refuse(header, "its octree does not hold the box of its header")
    nodes = entries[entries["n"] != _IS_PAGE]
    _check_keys(header, nodes["key"], entries["key"][entries["n"] == _IS_PAGE])
    nodes = nodes[nodes["n"] != 0]
    nodes = nodes[np.argsort(nodes["offset"], kind="stable")]
    _check_chunks(header, nodes, points_at)
    level, place = nodes["key"][:, :1], nodes["key"][:, 1:]
    side = 2 * half / 2.0**level * unit
    low = low + place * side
    return Octree(
        header,
        nodes["offset"].astype(np.int64),
        nodes["size"].astype(np.int64),
        nodes["n"].astype(np.int64),
        low,
        low + side,
        record_bytes,
        laszip,
    )


def iterate_nodes(octree: Octree, rows: IntArray, crs: str) -> Iterator[PointCloud]:
    """Decode some nodes, one after the other.

    Raises
    ------
    FormatError
        If a point lies outside of its node.
    """
    with octree.header.path.open("rb") as file:
        for row in rows.tolist():
            file.seek(octree.offset[row])
            packed = file.read(octree.size[row])
            n = int(octree.n_points[row])
            raw = np.zeros((n, octree.record_bytes), dtype=np.uint8)
            # One chunk a call: the decoder has no use for a second thread then.
            lazrs.decompress_points_with_chunk_table(
                packed,
                octree.laszip,
                raw.reshape(-1),
                [(n, len(packed))],
                lazrs.DecompressionSelection(_FIELDS),
            )
            yield _points(octree, row, raw, crs)


def _points(octree: Octree, row: int, raw: NDArray[np.uint8], crs: str) -> PointCloud:
    """Points of a node as a table, each of them inside the node."""
    whole = raw[:, :12].copy().view("<i4")
    header = octree.header
    x, y, z = (whole[:, axis] * header.scale[axis] + header.offset[axis] for axis in range(3))
    for axis, values in enumerate((x, y, z)):
        slack = octree._slack[axis]
        if (
            values.min() < octree.low[row, axis] - slack
            or values.max() > octree.high[row, axis] + slack
        ):
            _refuse(header, "a node of its octree holds points of another place")
    returns = raw[:, _RETURNS_AT]
    number, total = np.bitwise_and(returns, 15), np.right_shift(returns, 4)
    return PointCloud(x, y, z, raw[:, _CLASS_AT], crs, number, total)


def _read_pages(
    header: LasHeader, file: BinaryIO, root_at: int, root_size: int
) -> NDArray[Any]:
    """Entries of all pages, each page once."""
    waiting, seen, pages = [(root_at, root_size)], set[int](), []
    n_entries = 0
    while waiting:
        at, size = waiting.pop()
        if size <= 0 or size % _ENTRY.itemsize or not at >= _HEADER_BYTES:
            _refuse(header, "a page of its hierarchy has an impossible place or size")
        if at + size > header.size_bytes:
            _refuse(header, "a page of its hierarchy lies outside the file: it is cut off")
        if at in seen:
            _refuse(header, "a page of its hierarchy leads back to another")
        seen.add(at)
        n_entries += size // _ENTRY.itemsize
        if n_entries > COPC_NODES_MAX:
            raise LimitError(
                f"{header.path}: more than {COPC_NODES_MAX:,} nodes. "
                "Write it again with larger ones."
            )
        file.seek(at)
        page = np.frombuffer(file.read(size), _ENTRY)
        if (page["n"] < _IS_PAGE).any():
            _refuse(header, "a node of its hierarchy has a negative number of points")
        pages.append(page)
        further = page[page["n"] == _IS_PAGE]
        waiting += zip(further["offset"].tolist(), further["size"].tolist(), strict=True)
    return np.concatenate(pages)


def _check_keys(header: LasHeader, key: NDArray[np.int32], paged: NDArray[np.int32]) -> None:
    """Each node is a place of the octree, stands there once, and hangs on another."""
    level = key[:, 0].astype(np.int64)
    if ((level < 0) | (level > COPC_LEVELS_MAX)).any():
        _refuse(header, f"a node of its octree is deeper than {COPC_LEVELS_MAX} levels")
    if ((key[:, 1:] < 0) | (key[:, 1:] >= 2 ** level[:, None])).any():
        _refuse(header, "a node of its hierarchy lies outside the octree")
    known = np.unique(key, axis=0)
    if len(known) != len(key):
        _refuse(header, "a node of its octree stands there twice")
    below = known[known[:, 0] > 0]
    parents = np.unique(np.column_stack([below[:, :1] - 1, below[:, 1:] >> 1]), axis=0)
    if len(np.unique(np.concatenate([known, parents, paged]), axis=0)) != len(known):
        _refuse(header, "a node of its octree has no parent")


def _check_chunks(header: LasHeader, nodes: NDArray[Any], points_at: int) -> None:
    """The chunks lie apart, in the file, and hold all points together."""
    offset, size = nodes["offset"], nodes["size"].astype(np.int64)
    inside = (offset >= points_at + 8) & (offset <= header.size_bytes) & (size > 0)
    ends = np.where(inside, offset, 0).astype(np.int64) + size
    if not inside.all() or (ends > header.size_bytes).any():
        _refuse(header, "a node of its hierarchy lies outside the file: it is cut off")
    if (ends[:-1] > offset[1:].astype(np.int64)).any():
        _refuse(header, "two nodes of its hierarchy share bytes")
    if len(nodes) and nodes["n"].max() > COPC_NODE_POINTS_MAX:
        raise LimitError(
            f"{header.path}: a node of {nodes['n'].max():,} points, at most "
            f"{COPC_NODE_POINTS_MAX:,} are decoded at once. Write it again with smaller ones."
        )
    total = int(nodes["n"].sum(dtype=np.int64))
    if total != header.n_points:
        _refuse(header, f"promises {header.n_points:,} points, its octree holds {total:,}")


def _laszip_record(header: LasHeader, file: BinaryIO, n_vlrs: int) -> bytes:
    """The record of LASzip, behind the header."""
    file.seek(_HEADER_BYTES)
    found = b""
    for _ in range(n_vlrs):  # the probe has seen that they fit
        user, record, length = struct.unpack("<2x16sHH32x", file.read(54))
        body = file.read(length)
        if user.rstrip(b"\0") == b"laszip encoded" and record == 22204:
            found = body
    if not found:
        _refuse(header, "has no record of LASzip")
    return found


def _refuse(header: LasHeader, what: str) -> NoReturn:
    raise FormatError(
        what,
        path=str(header.path),
        hint="The file is damaged: copy it again from its source, or leave it out.",
    )
