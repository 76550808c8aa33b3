"""Tables of delimited text (CSV), decoded strictly and split by Python's own reader."""

from __future__ import annotations

import codecs
import csv
from typing import TYPE_CHECKING, NamedTuple

from cimkit.errors import EncodingError, FormatError, InputError, LimitError
from cimkit.limits import CSV_BYTES_MAX
from cimkit.read.encodings import known_encoding
from cimkit.tables.issue import Issue

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SUFFIXES = (".csv", ".tsv", ".txt")
_DELIMITERS = ",;\t"
_CHUNK_BYTES = 1 << 20


class Delimited(NamedTuple):
    """A file of delimited text that is known to decode."""

    path: Path
    encoding: str
    delimiter: str
    columns: tuple[str, ...]


def open_delimited(path: Path, told: str = "") -> tuple[Delimited, list[Issue]]:
    """Find encoding, delimiter and column names.

    The encoding is what the user told, else that of a byte order mark, else UTF-8, else
    GB18030, whichever decodes the whole file without an error; the delimiter the commonest of
    ``, ; tab`` in the first line.

    Returns
    -------
    table : Delimited
    issues : list of Issue
        ``ENCODING_GIVEN`` where it was told, ``ENCODING_GUESSED`` where it was GB18030,
        ``ENCODING_REPLACED`` where bytes mean nothing in the one that was told.

    Raises
    ------
    LimitError, EncodingError, FormatError, ParameterError
    """
    size = path.stat().st_size
    if size > CSV_BYTES_MAX:
        raise LimitError(
            f"{path}: {size:,} bytes, at most {CSV_BYTES_MAX:,} are read. Split it."
        )
    encoding, issues = _encoding(path, known_encoding(told) if told else "")
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        line = file.readline()
        delimiter = max(_DELIMITERS, key=line.count)
        file.seek(0)
        try:
            header = next(csv.reader(file, delimiter=delimiter, strict=True), [])
        except csv.Error as error:
            raise _unreadable(path, 1, error) from error
    columns = tuple(name.strip() for name in header)
    if not any(columns):
        raise FormatError("has no line of column names", path=str(path))
    return Delimited(path, encoding, delimiter, columns), issues


def read_columns(
    table: Delimited, wanted: Sequence[str]
) -> tuple[dict[str, list[str]], list[int], list[Issue]]:
    """The columns that are asked for, without blanks around the values; nothing else is kept.

    Parameters
    ----------
    table : Delimited
    wanted : sequence of str
        Names among ``table.columns``.

    Returns
    -------
    values : dict of str to list of str, length n
    rows : list of int, length n
        Number of each row in the file, from 0.
    issues : list of Issue
        ``ROW_RAGGED`` (ERROR) a row set aside for its number of cells; ``ROWS_BLANK`` (INFO).

    Raises
    ------
    FormatError
        On a quote that is not closed, or an endless cell.
    InputError
        If a wanted name stands twice in the header.
    """
    for name in wanted:
        if table.columns.count(name) > 1:
            raise InputError(f"column {name!r} stands there twice", path=str(table.path))
    places = [table.columns.index(name) for name in wanted]
    kept: list[list[str]] = [[] for _ in places]
    rows, issues, n_blank = list[int](), list[Issue](), 0
    with table.path.open(encoding=table.encoding, errors="replace", newline="") as file:
        reader = csv.reader(file, delimiter=table.delimiter, strict=True)
        try:
            next(reader)
            for number, cells in enumerate(reader):
                if not any(cells):
                    n_blank += 1
                elif len(cells) != len(table.columns):
                    found = f"line {reader.line_num} has {len(cells)} cells"
                    message = f"{found}, the header {len(table.columns)}; set aside"
                    issues.append(
                        Issue("ERROR", "ROW_RAGGED", "addresses", str(number), message)
                    )
                else:
                    rows.append(number)
                    for column, place in zip(kept, places, strict=True):
                        column.append(cells[place].strip())
        except csv.Error as error:
            raise _unreadable(table.path, reader.line_num, error) from error
    if n_blank:
        message = f"{n_blank:,} blank rows passed over"
        issues.append(Issue("INFO", "ROWS_BLANK", "addresses", "", message))
    return dict(zip(wanted, kept, strict=True)), rows, issues


def _encoding(path: Path, told: str) -> tuple[str, list[Issue]]:
    """The encoding that was told, else the first that decodes the whole file."""
    with path.open("rb") as file:
        start = file.read(4)
    if told:
        told = "utf-8-sig" if told == "utf-8" else told  # a byte order mark is no text
        n_replaced = _count_replaced(path, told, "replace")
        said = Issue(
            "INFO", "ENCODING_GIVEN", "city", "", f"text of {path.name} read as {told}: as told"
        )
        if not n_replaced:
            return told, [said]
        message = (
            f"{n_replaced:,} characters of {path.name} mean nothing in {told}; each is lost"
        )
        return told, [said, Issue("WARNING", "ENCODING_REPLACED", "city", "", message)]
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        candidates = ["utf-16"]
    else:
        candidates = ["utf-8-sig", "gb18030"]
    for encoding in candidates:
        try:
            _count_replaced(path, encoding, "strict")
        except UnicodeDecodeError:
            continue
        if encoding != "gb18030":
            return encoding, []
        message = f"text of {path.name} read as GB18030: it is not UTF-8"
        return encoding, [Issue("INFO", "ENCODING_GUESSED", "city", "", message)]
    raise EncodingError(
        f"its text is none of {', '.join(candidates)}",
        path=str(path),
        hint="Save it as UTF-8, or state its encoding with addresses_encoding in city.toml.",
    )


def _count_replaced(path: Path, encoding: str, errors: str) -> int:
    """Decode the whole file; how many characters had to be replaced."""
    decoder, n = codecs.getincrementaldecoder(encoding)(errors), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            text = decoder.decode(chunk)
            if "\0" in text:
                raise FormatError("holds NUL characters: it is no text", path=str(path))
            n += text.count("\N{REPLACEMENT CHARACTER}")
    return n + decoder.decode(b"", final=True).count("\N{REPLACEMENT CHARACTER}")


def _unreadable(path: Path, line: int, error: csv.Error) -> FormatError:
    return FormatError(
        f"cannot be split into cells ({error})",
        path=str(path),
        where=f"line {line}",
        hint="A quote is not closed, or a cell has no end.",
    )
