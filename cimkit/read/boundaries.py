"""Surfaces and solids from CityJSON and CityJSONSeq, read to be judged: nothing is trusted.

What cannot be read of one object becomes a finding, and the others are read on. The geometry
may break any rule; only numbers that are no coordinates, and rows that do not exist, stop here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np

from cimkit.errors import FormatError, LimitError
from cimkit.limits import CITYJSON_BYTES_MAX, CITYJSON_LINE_BYTES_MAX
from cimkit.read.boundary_rows import BoundaryRows, Frame, sound
from cimkit.tables import Issue
from cimkit.tables._columns import FloatArray
from cimkit.tables.boundaries import Boundaries

VERSIONS = ("1.0", "1.1", "2.0")

BATCH_CORNERS = 500_000
"""Corners of a table, some 40 MB; a file of any length is read in such parts."""

_AGAIN = "Write it again."


class Notes:
    """What a file says besides its geometry, filled while it is read.

    Attributes
    ----------
    crs : str
        As the file names it; "" if it names none.
    attributes : dict of str to dict
        Of each topmost object.
    """

    def __init__(self) -> None:
        self.crs = ""
        self.attributes: dict[str, dict[str, Any]] = {}

    def add_header(self, value: dict[str, Any]) -> None:
        """Take the CRS."""
        metadata = value.get("metadata")
        named = metadata.get("referenceSystem") if isinstance(metadata, dict) else None
        self.crs = str(named) if isinstance(named, str) else ""

    def add_objects(self, things: Any) -> None:
        """Take the attributes of all objects without a parent."""
        if not isinstance(things, dict):
            return
        for name, thing in things.items():
            said = thing if isinstance(thing, dict) else {}
            values = said.get("attributes")
            if not said.get("parents") and isinstance(values, dict):
                self.attributes[sound(name)] = values


def read_boundaries(
    path: str | Path, notes: Notes | None = None
) -> Iterator[tuple[Boundaries, list[Issue]]]:
    """Read all surfaces and solids of a CityJSON or CityJSONSeq file, part by part.

    Parameters
    ----------
    path : str or Path
        ``.jsonl`` is read line by line, anything else at once. Versions 1.0, 1.1 and 2.0.
    notes : Notes, optional
        Takes the CRS and the attributes.

    Yields
    ------
    Boundaries
        Objects with MultiSurface, CompositeSurface, Solid, MultiSolid and CompositeSolid; the
        geometry templates of a file come as objects of their own.
    list of Issue
        What could not be read: ``SOLID_901_INVALID_INPUT_FILE`` for an object,
        ``SOLID_905_INVALID_JSON`` for a line, ``SOLID_906_PRIMITIVE_NO_GEOMETRY`` for an object
        without surfaces and solids, ``SEMANTICS_INVALID`` for surfaces that do not fit.

    Raises
    ------
    FormatError
        If the file cannot be read, is no CityJSON, or of another version.
    LimitError
        If it, or a line of it, is too large.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            if path.suffix == ".jsonl":
                yield from _read_lines(path, file, notes)
            else:
                yield from _read_document(path, file, notes)
    except OSError as error:
        raise FormatError(
            f"cannot be read ({error.strerror})", path=str(path), hint="Check the path."
        ) from error


def _constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which are no JSON."""
    raise ValueError(f"{name} is no number of JSON")


def _parsed(text: bytes) -> Any:
    """JSON, or ValueError, also where it is nested too deep or bears huge numbers."""
    try:
        return json.loads(text, parse_constant=_constant)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def _read_document(
    path: Path, file: BinaryIO, notes: Notes | None
) -> Iterator[tuple[Boundaries, list[Issue]]]:
    text = file.read(CITYJSON_BYTES_MAX + 1)
    if len(text) > CITYJSON_BYTES_MAX:
        raise LimitError(
            f"{path}: larger than {CITYJSON_BYTES_MAX:,} bytes. Write it as CityJSONSeq."
        )
    try:
        value = _parsed(text)
    except ValueError as error:
        raise FormatError(f"is no JSON ({error})", path=str(path), hint=_AGAIN) from error
    del text
    frame = _frame(path, value)
    if notes is not None:
        notes.add_header(value)
        notes.add_objects(value.get("CityObjects"))
    rows = BoundaryRows(frame)
    rows.add_feature(value.get("vertices", []), value.get("CityObjects", {}))
    rows.add_templates(value.get("geometry-templates"))
    yield rows.table()


def _read_lines(
    path: Path, file: BinaryIO, notes: Notes | None
) -> Iterator[tuple[Boundaries, list[Issue]]]:
    rows: BoundaryRows | None = None
    number = 0
    while line := file.readline(CITYJSON_LINE_BYTES_MAX + 1):
        number += 1
        if len(line) > CITYJSON_LINE_BYTES_MAX:
            raise LimitError(
                f"{path}, line {number}: longer than {CITYJSON_LINE_BYTES_MAX:,} bytes. Make a "
                "feature of each building."
            )
        if rows is None:
            try:
                value = _parsed(line)
            except ValueError as error:
                raise FormatError(
                    f"is no JSON ({error})", path=str(path), where="line 1", hint=_AGAIN
                ) from error
            rows = BoundaryRows(_frame(path, value))
            if notes is not None:
                notes.add_header(value)
            rows.add_templates(value.get("geometry-templates"))
        elif line.strip():
            _add_line(rows, line, number, notes)
        if rows.n_corners > BATCH_CORNERS:
            yield rows.table()
            rows = BoundaryRows(rows.frame)
    if rows is None:
        raise FormatError("is empty", path=str(path), hint=_AGAIN)
    yield rows.table()


def _add_line(rows: BoundaryRows, line: bytes, number: int, notes: Notes | None) -> None:
    """Add one feature of a sequence, or a finding."""
    try:
        value, what = _parsed(line), "it is no CityJSONFeature"
    except ValueError as error:
        value, what = None, str(error)
    if isinstance(value, dict) and value.get("type") == "CityJSONFeature":
        rows.add_feature(value.get("vertices", []), value.get("CityObjects", {}))
        if notes is not None:
            notes.add_objects(value.get("CityObjects"))
        return
    message = f"line {number} cannot be read ({what}). {_AGAIN}"
    rows.issues.append(Issue("ERROR", "SOLID_905_INVALID_JSON", "buildings", "", message))


def _frame(path: Path, value: Any) -> Frame:
    """Scale and translation of a file, if it is CityJSON of a known version."""
    if not isinstance(value, dict) or value.get("type") != "CityJSON":
        raise FormatError("is no CityJSON", path=str(path), hint="Name a CityJSON file.")
    version = str(value.get("version", ""))
    if not version.startswith(VERSIONS):
        raise FormatError(
            f"is CityJSON {version[:20]!r}",
            path=str(path),
            hint=f"Known are {', '.join(VERSIONS)}: upgrade it, with cjio for example.",
        )
    transform = value.get("transform")
    if transform is None:
        return Frame(np.ones(3), np.zeros(3))
    scale, translate = (_triple(transform, name) for name in ("scale", "translate"))
    if not (np.isfinite([scale, translate]).all() and (scale > 0).all()):
        raise FormatError("has no usable transform", path=str(path), hint=_AGAIN)
    return Frame(scale, translate)


def _triple(transform: Any, name: str) -> FloatArray:
    """Three numbers of a transform, NaN where they are none."""
    try:
        numbers = np.array(transform[name], dtype=np.float64)
    except (KeyError, TypeError, ValueError, OverflowError):
        numbers = np.empty(0)
    return numbers if numbers.shape == (3,) else np.full(3, np.nan)
