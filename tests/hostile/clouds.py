"""Sound clouds, and every way to spoil one that the corpus knows.

Nothing is stored: files are made from a seed when a test asks for them.
"""

from __future__ import annotations

import functools
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


@functools.cache
def sound(
    kind: str = "laz",
    *,
    n: int = 60_000,
    version: str = "1.4",
    point_format: int = 6,
    crs: str = CRS,
) -> bytes:
    """A strip of town as a scanner sees it: lines across, ground, roofs, trees, two returns."""
    rng = np.random.default_rng(0)
    header = laspy.LasHeader(version=version, point_format=point_format)
    header.scales, header.offsets = [STEP_M] * 3, [500_000, 3_350_000, 0]
    if crs:
        header.add_crs(pyproj.CRS(crs))
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


def _corpus() -> Iterator[tuple[str, bytes]]:
    """Name of each fault and the file that has it; names end with the suffix of the file."""
    laz, las = sound("laz"), sound("las")
    old = sound("laz", version="1.2", point_format=1)
    n, table = 60_000, chunk_table_at(laz)
    for suffix, data in (("laz", laz), ("las", las)):
        yield f"sound.{suffix}", data
        for name, count in (
            ("doubled", 2 * n), ("one_more", n + 1), ("one_less", n - 1), ("halved", n // 2),
            ("zero", 0), ("2_31", 2**31), ("10_12", 10**12), ("2_64", 2**64 - 1),
        ):  # fmt: skip
            alone = patched(data, COUNT_AT, "<Q", count)
            yield f"count_{name}.{suffix}", alone
            by_return = patched(alone, RETURNS_AT, "<15Q", count, *[0] * 14)
            yield f"count_{name}_by_return_too.{suffix}", by_return
        for name, at, kind, value in _LIES:
            yield f"{name}.{suffix}", patched(data, at, kind, value)
        yield f"returns_swapped.{suffix}", _returns_swapped(data)
        yield f"bytes_after_the_end.{suffix}", data + bytes(64)
    for name, count in (("one_less", n - 1), ("one_more", n + 1)):
        lying = patched(patched(old, 107, "<I", count), 111, "<5I", count, *[0] * 4)
        yield f"old_count_{name}.laz", lying
    yield "sound_old.laz", old
    for name, value in (("2_24", 2**24), ("2_32", 2**32 - 1), ("zero", 0), ("one", 1)):
        yield f"chunk_table_of_{name}.laz", patched(laz, table + 4, "<I", value)
    yield "chunk_table_version.laz", patched(laz, table, "<I", 7)
    start = points_at(laz)
    for name, value in (("nowhere", -1), ("outside", len(laz)), ("before", 10), ("far", 2**62)):
        yield f"chunk_table_{name}.laz", patched(laz, start, "<q", value)
    at = laz.index(b"laszip encoded") - 2
    yield "laszip_record_missing.laz", patched(laz, at + 2, "14s", b"laszip encodex")
    yield "laszip_record_too_long.laz", patched(laz, at + 20, "<H", 65_535)
    yield "laszip_chunk_of_one.laz", patched(laz, at + 54 + 12, "<I", 1)
    yield "laszip_chunk_of_zero.laz", patched(laz, at + 54 + 12, "<I", 0)
    yield "laszip_items_2_16.laz", patched(laz, at + 54 + 32, "<H", 65_535)
    yield "laszip_item_size.laz", patched(laz, at + 54 + 36, "<H", 65_535)
    yield "laszip_compressor.laz", patched(laz, at + 54, "<H", 9)
    yield "layer_longer.laz", patched(laz, start + 8 + 30 + 4, "<I", 2**31)
    yield "chunk_points.laz", patched(laz, start + 8 + 30, "<I", 49_999)
    yield "no_points.laz", sound("laz", n=0)
    yield "no_points.las", sound("las", n=0)
    yield "one_point.laz", sound("laz", n=1)
    yield "empty_file.las", b""
    yield "four_bytes.laz", b"LASF"
    yield "only_zeros.laz", bytes(10_000)
    yield "text.las", b"x y z\n1 2 3\n" * 100
    yield "crs_elsewhere.laz", sound("laz", n=10, crs="EPSG:32650")
    yield "crs_missing.laz", sound("laz", n=10, crs="")


_LIES = (
    ("signature", 0, "4s", b"LASX"),
    ("version_9", 25, "B", 9),
    ("header_of_zero_bytes", 94, "<H", 0),
    ("header_of_65535_bytes", 94, "<H", 65_535),
    ("points_before_the_header", POINTS_AT, "<I", 10),
    ("points_after_the_end", POINTS_AT, "<I", 2**31),
    ("records_2_31", VLRS_AT, "<I", 2**31),
    ("records_1000", VLRS_AT, "<I", 1000),
    ("record_too_long", 375 + 20, "<H", 65_535),
    ("extended_records_2_31", EVLR_AT + 8, "<I", 2**31),
    ("extended_records_where_none_fit", EVLR_AT + 8, "<I", 3),
    ("format_30", 104, "B", 30),
    ("record_of_one_byte", 105, "<H", 1),
    ("scale_nan", SCALE_AT, "<d", float("nan")),
    ("scale_zero", SCALE_AT + 8, "<d", 0.0),
    ("scale_negative", SCALE_AT, "<d", -0.001),
    ("scale_1e300", SCALE_AT + 16, "<d", 1e300),
    ("scale_tenfold", SCALE_AT, "<d", 0.01),
    ("offset_infinite", OFFSET_AT, "<d", float("inf")),
    ("offset_1e300", OFFSET_AT, "<d", 1e300),
    ("offset_a_kilometre_off", OFFSET_AT, "<d", 501_000.0),
    ("box_nan", BOX_AT + 8, "<d", float("nan")),
    ("box_inside_out", BOX_AT, "<d", -1e6),
    ("box_too_small", BOX_AT, "<d", 500_010.0),
)  # fmt: skip


def _returns_swapped(data: bytes) -> bytes:
    """First and second returns in each other's place: the sum stays right."""
    first, second = struct.unpack_from("<2Q", data, RETURNS_AT)
    return patched(data, RETURNS_AT, "<2Q", second, first)


@functools.cache
def corpus() -> dict[str, bytes]:
    """All files of the corpus by name."""
    return dict(_corpus())


def cuts(data: bytes) -> list[int]:
    """Where to cut a file: at every percent and at every border within it."""
    start, size = points_at(data), len(data)
    (header,) = struct.unpack_from("<H", data, 94)
    borders = {227, header, header + 54, start, start + 8, size - 1, size - 8}
    if data[104] >= 0x80:
        table = chunk_table_at(data)
        borders |= {table, table + 4, table + 8}
    else:
        borders |= {start + 30 * k for k in (1, 1000, 59_999)}
    return sorted({size * percent // 100 for percent in range(100)} | borders)
