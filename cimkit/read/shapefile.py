"""What GDAL does not check in a Shapefile: that its parts are whole, how its text is encoded.

GDAL reads a cut ``.shp`` as features without geometry, and text of an undeclared encoding as
mojibake, both without an error. Layouts: ESRI Shapefile Technical Description (1998); dBASE.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cimkit.errors import FormatError
from cimkit.read.encodings import choose_encoding, declared_encoding, known_encoding
from cimkit.tables._columns import BoolArray
from cimkit.tables.issue import Issue

_HEADER_BYTES = 100
_NULL_SHAPE_BYTES = 4
_LANGUAGE_CP936 = 0x4D
_CHUNK_BYTES = 64_000_000

_NUMBER_OF_NAME = re.compile(rb"_?\d{1,2}$")
"""GDAL puts a number over the end of a column name that stands there already."""


def check_parts(path: Path) -> BoolArray:
    """Make sure that ``.shp``, ``.shx`` and ``.dbf`` are there, whole, and of the same length.

    Returns
    -------
    bool array, shape (n_records,)
        Whether the index promises a geometry for the record.

    Raises
    ------
    FormatError
    """
    index = _sibling(path, ".shx").read_bytes()
    size = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    for part, found, head in ((".shp", size, header), (".shx", len(index), index)):
        if found < _HEADER_BYTES or 2 * struct.unpack_from(">i", head, 24)[0] > found:
            raise FormatError(
                f"its {part} part is cut off",
                path=str(path),
                hint="Copy all parts of it again.",
            )
    table = index[_HEADER_BYTES : len(index) - (len(index) - _HEADER_BYTES) % 8]
    records = np.frombuffer(table, ">i4").reshape(-1, 2).astype(np.int64) * 2
    if len(records) and (records.sum(axis=1) + 8).max() > size:
        raise FormatError(
            f"its index promises {len(records):,} records, the .shp part ends before the last",
            path=str(path),
            hint="Copy all parts of it again.",
        )
    _, n_rows, _, _ = _dbf_header(path)
    if n_rows != len(records):
        raise FormatError(
            f"has {len(records):,} geometries and {n_rows:,} rows of attributes",
            path=str(path),
            hint="Its parts belong to different files, or one is damaged: copy them again.",
        )
    return np.asarray(records[:, 1] > _NULL_SHAPE_BYTES)


def shapefile_parts(path: str) -> list[str]:
    """The other files that a Shapefile is read from, sorted; none for other formats."""
    shp = Path(path)
    if shp.suffix.lower() != ".shp":
        return []
    suffixes = (".cpg", ".dbf", ".prj", ".shx")
    return [
        str(part)
        for part in sorted(shp.parent.iterdir())
        if any(_is_part(part, shp, suffix) for suffix in suffixes)
    ]


def text_encoding(path: Path, told: str = "") -> tuple[str, list[Issue]]:
    """How the names and texts of the ``.dbf`` are encoded: `encodings.choose_encoding`.

    A character that the width of a column cut in two is no error.

    Returns
    -------
    encoding : str
    issues : list of Issue
        ``ENCODING_GIVEN``, ``ENCODING_DECLARED`` or ``ENCODING_GUESSED``.

    Raises
    ------
    EncodingError
        If none decodes.
    ParameterError
        If the one that was told is unknown.
    """
    told = known_encoding(told) if told else ""
    return choose_encoding(_texts_beyond_ascii(path), told, _declared(path), path=str(path))


def _declared(path: Path) -> dict[str, str]:
    """Encodings that the ``.cpg`` part and the language byte state, and which of them does."""
    declared = {}
    note = next((p for p in path.parent.iterdir() if _is_part(p, path, ".cpg")), None)
    if note is not None:
        with note.open("rb") as file:
            found = declared_encoding(file.read(64).decode("ascii", "replace"))
        if found:
            declared[found] = "its .cpg part"
    if _dbf_header(path)[0] == _LANGUAGE_CP936:
        declared.setdefault("gb18030", "the language byte of its .dbf part")
    return declared


def _texts_beyond_ascii(path: Path) -> Iterator[set[bytes]]:
    """Column names, then chunk by chunk the values of text columns, without the plain ones."""
    _, n_rows, start, width = _dbf_header(path)
    dbf = _sibling(path, ".dbf")
    with dbf.open("rb") as file:
        head = file.read(start)
        fields, offset, names = [], 1, set()
        for at in range(32, start - 31, 32):
            if head[at] == 0x0D:
                break
            length = head[at + 16]
            if head[at + 11 : at + 12] == b"C":
                length += 256 * head[at + 17]
                fields.append(slice(offset, offset + length))
            offset += length
            names.add(head[at : at + 11].split(b"\0")[0])
        stems = {_NUMBER_OF_NAME.sub(b"", name) for name in names}
        yield {name for name in stems if not name.isascii()}
        rows_at_once = max(1, _CHUNK_BYTES // max(width, 1))
        for first in range(0, n_rows, rows_at_once):
            n = min(rows_at_once, n_rows - first)
            rows = np.frombuffer(file.read(n * width), np.uint8).reshape(n, width)
            for field in fields:
                column = rows[:, field]
                yield {row.tobytes().rstrip() for row in column[(column >= 0x80).any(axis=1)]}


def _dbf_header(path: Path) -> tuple[int, int, int, int]:
    """Language byte, number of rows, start of the rows, bytes of a row."""
    dbf = _sibling(path, ".dbf")
    size = dbf.stat().st_size
    with dbf.open("rb") as file:
        head = file.read(32)
    if len(head) == 32:
        n_rows, start, width = struct.unpack_from("<IHH", head, 4)
        if start + n_rows * width <= size:
            return head[29], n_rows, start, width
    raise FormatError("its .dbf part is cut off", path=str(path), hint="Copy all parts again.")


def _sibling(path: Path, suffix: str) -> Path:
    """Another part of the Shapefile, in any case."""
    for part in sorted(path.parent.iterdir()):
        if _is_part(part, path, suffix):
            return part
    raise FormatError(
        f"its {suffix} part is missing",
        path=str(path),
        hint="A Shapefile is at least .shp, .shx and .dbf: copy them all.",
    )


def _is_part(part: Path, path: Path, suffix: str) -> bool:
    return part.stem == path.stem and part.suffix.lower() == suffix
