"""Chunks of a LAZ file, counted without decoding them.

Points are packed in chunks, by default 50,000 each. The table of chunks stands at the end; a
number before the points says where. Formats 6-10 pack each field into a layer of its own, and
each chunk begins with its first point, the number of its points, and the sizes of its layers:
so its length can be added up. Layouts: LASzip (Isenburg 2013) and its source for layers.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import BinaryIO, NoReturn

Refuse = Callable[..., NoReturn]
"""Raises a FormatError: what is wrong, and where."""

_LAYERS = {6: 9, 7: 10, 8: 11, 9: 10, 10: 12}
"""Layers of each point format: 9 of format 6, one each for colour, infrared, wave packet."""

_RECORD_BYTES = {6: 30, 7: 36, 8: 38, 9: 59, 10: 67}


_VARYING = 0xFFFFFFFF
"""Instead of a number of points: chunks differ in size."""


def check_laszip_record(data: bytes, record: int, refuse: Refuse) -> int:
    """Points of one chunk, 0 where chunks vary; the fields must add up to one point.

    Decoders allocate by the sizes of the fields.
    """
    if len(data) < 34:
        refuse("is compressed, but holds no whole record of LASzip that says how")
    compressor, chunk_size, n_items = struct.unpack_from("<H10xI16xH", data)
    if compressor not in (2, 3) or not chunk_size or len(data) < 34 + 6 * n_items:
        refuse("its record of LASzip contradicts itself")
    sizes = [struct.unpack_from("<2xH2x", data, 34 + 6 * k)[0] for k in range(n_items)]
    if sum(sizes) != record:
        refuse(f"points of {record} bytes are packed as fields of {sum(sizes):,} bytes")
    return 0 if chunk_size == _VARYING else int(chunk_size)


def find_chunk_table(
    file: BinaryIO, points_at: int, size: int, refuse: Refuse
) -> tuple[int, int]:
    """First byte of the chunk table, and the number of chunks that it claims."""
    file.seek(points_at)
    first = file.read(8)
    table_at = struct.unpack("<q", first)[0] if len(first) == 8 else 0
    if table_at == -1:  # the writer could not go back: it put the number at the end
        file.seek(max(size - 8, 0))
        table_at = struct.unpack("<q", file.read(8))[0]
    if not points_at + 8 <= table_at <= size - 8:
        refuse("its chunk table lies outside the file: it is cut off", "points")
    file.seek(table_at)
    version, n_chunks = struct.unpack("<II", file.read(8))
    if version:
        refuse(f"its chunk table has unknown version {version}", "points")
    return table_at, n_chunks


def check_chunk_count(
    n_chunks: int, count: int, chunk_size: int, bytes_left: int, refuse: Refuse
) -> None:
    """As many chunks as the points need; `chunk_size` is 0 where it varies."""
    expected = -(-count // chunk_size) if chunk_size else n_chunks
    if count == 0:
        expected = min(n_chunks, 1)  # some writers end an empty file with an empty chunk
    if n_chunks > bytes_left + 1 or n_chunks != expected:
        refuse(
            f"promises {count:,} points, its {n_chunks:,} chunks hold another number", "points"
        )


def walk_layers(
    file: BinaryIO,
    point_format: int,
    record: int,
    within: tuple[int, int],
    promised: tuple[int, int],
    refuse: Refuse,
) -> None:
    """Add up lengths and points of all chunks of a file packed in layers.

    Parameters
    ----------
    point_format, record : int
        6-10, and the bytes of one point.
    within : tuple of int
        First byte of the points, and of the chunk table.
    promised : tuple of int
        Points, and chunks.
    """
    n_layers = _LAYERS[point_format] + record - _RECORD_BYTES[point_format]
    head, (start, end), (count, n_chunks) = record + 4 + 4 * n_layers, within, promised
    at, n_points, n_found = start + 8, 0, 0
    while at < end and n_found < n_chunks:
        file.seek(at)
        found = file.read(head)
        if len(found) < head:
            break
        points, *layers = struct.unpack_from(f"<{n_layers + 1}I", found, record)
        at, n_points, n_found = at + head + sum(layers), n_points + points, n_found + 1
    if count and (at, n_points, n_found) != (end, count, n_chunks):
        refuse(
            f"promises {count:,} points in {n_chunks:,} chunks up to byte {end:,}; "
            f"{n_points:,} in {n_found:,} up to byte {at:,} were counted",
            "points",
        )
