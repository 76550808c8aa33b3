"""Damage to a cloud that shows only when it is decoded.

LAS and LAZ have no checksum. What the header says about all points is held against what came
out; most silent damage shows there.
"""

from __future__ import annotations

import struct

import laspy

from cimkit.errors import FormatError
from cimkit.read.las_header import LasHeader
from cimkit.tables import PointCloud
from cimkit.tables._columns import IntArray


def damaged(header: LasHeader, what: str) -> FormatError:
    """The error that says so."""
    return FormatError(
        what,
        path=str(header.path),
        hint="The file is damaged: copy it again from its source, or leave it out.",
    )


def check_inside(header: LasHeader, cloud: PointCloud) -> None:
    """All points lie in the box of the header."""
    for values, low, high, step in zip(
        (cloud.x, cloud.y, cloud.z), header.low, header.high, header.scale, strict=True
    ):
        # One step of the scale, because writers round the box their own way.
        if len(values) and (
            values.min() < low - 1.01 * step or values.max() > high + 1.01 * step
        ):
            raise damaged(header, "holds points outside the box of its header")


def check_whole(header: LasHeader, by_return: IntArray, reader: laspy.LasReader) -> None:
    """A file that was read from the first to the last point kept all its promises.

    The counts by return must be those of the header, where it has any. And the decoder of a LAZ
    file must stop where the chunk table begins: damage near the end of the points shows there.
    """
    stated = header.by_return
    found = tuple(by_return[1 : len(stated) + 1].tolist())
    if any(stated) and not by_return[0] and found != stated:
        raise damaged(header, f"promises {stated} points by return, {found} were read")
    if header.n_chunks and header.n_points:
        table = bytearray(8)
        reader.point_source.decompressor.read_raw_bytes_into(table)
        if table != struct.pack("<II", 0, header.n_chunks):
            raise damaged(header, "its compressed points end at another byte than promised")
