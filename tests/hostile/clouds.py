"""Sound clouds, and every way to spoil one that the corpus knows.

Nothing is stored: files are made from a seed when a test asks for them.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import NamedTuple

import laspy
import numpy as np
import pyproj

COUNT_AT, RETURNS_AT, VLRS_AT, POINTS_AT = 247, 255, 100, 96
CRS, STEP_M = "EPSG:4546", 0.001
SCALE_AT, OFFSET_AT, BOX_AT, EVLR_AT = 131, 155, 179, 235
"""Bytes of a LAS 1.4 header."""


def sound(
    kind: str = "laz",
    *,
    n: int = 60_000,
    version: str = "1.4",
    point_format: int = 6,
    seed: int = 0,
) -> bytes:
    """A strip of town as a scanner sees it: lines across, ground, roofs, trees, two returns."""
    rng = np.random.default_rng(seed)
    header = laspy.LasHeader(version=version, point_format=point_format)
    header.scales, header.offsets = [STEP_M] * 3, [500_000, 3_350_000, 0]
    header.add_crs(pyproj.CRS(CRS))
    cloud = laspy.LasData(header)
    cloud.points = laspy.ScaleAwarePointRecord.zeros(n, header=header)
    line, across = np.divmod(np.arange(n), 250)
    x = line * 0.4 + rng.normal(0, 0.02, n)
    y = np.where(line % 2, 250 - across, across) * 0.4 + rng.normal(0, 0.02, n)
    roof = (x % 20 < 12) & (y % 25 < 15)
    tree = ~roof & (rng.random(n) < 0.1)
    z = 30 + 0.01 * x + np.where(roof, 9 + (x // 20) % 7, 0) + tree * rng.uniform(2, 9, n)
    cloud.x, cloud.y = 500_000 + x, 3_350_000 + y
    cloud.z = z + rng.normal(0, 0.02, n)
    cloud.classification = np.where(roof, 6, np.where(tree, 5, 2)).astype(np.uint8)
    cloud.return_number = np.where(tree & (rng.random(n) < 0.5), 2, 1).astype(np.uint8)
    cloud.number_of_returns = np.where(tree, 2, 1).astype(np.uint8)
    cloud.intensity = rng.integers(0, 2000, n).astype(np.uint16)
    if "gps_time" in cloud.point_format.dimension_names:
        cloud.gps_time = 3e8 + np.arange(n) * 1e-5
    out = io.BytesIO()
    cloud.write(out, do_compress=kind == "laz", laz_backend=laspy.LazBackend.Lazrs)
    return out.getvalue()


def patched(data: bytes, at: int, kind: str, *values: float | bytes) -> bytes:
    """The file with some bytes written over."""
    changed = bytearray(data)
    struct.pack_into(kind, changed, at, *values)
    return bytes(changed)


def points_at(data: bytes) -> int:
    """First byte of the points."""
    return int(struct.unpack_from("<I", data, POINTS_AT)[0])


def chunk_table_at(data: bytes) -> int:
    """First byte of the chunk table of a LAZ file."""
    return int(struct.unpack_from("<q", data, points_at(data))[0])


class Flip(NamedTuple):
    """A damage: where, in which part of the file, and the bytes to put there."""

    at: int
    part: str
    new: bytes

    def spoil(self, data: bytes) -> bytes:
        """The damaged file."""
        return data[: self.at] + self.new + data[self.at + len(self.new) :]


TAIL_BYTES = 1024
"""The end of a file: the last points and the chunk table."""


def flips(data: bytes, n: int, seed: int) -> Iterator[Flip]:
    """`n` damages of 1, 4 or 32 random bytes: to header and records, points, tail by turns."""
    rng = np.random.default_rng(seed)
    start, size = points_at(data), len(data)
    tail = size - TAIL_BYTES
    parts = {"head": (0, start), "points": (start, tail), "tail": (tail, size)}
    for k in range(n):
        part = list(parts)[k % 3]
        low, high = parts[part]
        width = int(rng.choice([1, 4, 32]))
        at = int(rng.integers(low, high - width + 1))
        new = old = data[at : at + width]
        while new == old:
            new = rng.bytes(width)
        yield Flip(at, part, new)
