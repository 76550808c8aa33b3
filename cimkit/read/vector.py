"""Vector files through pyogrio: what may be opened, which layer, how its text is decoded."""

from __future__ import annotations

import math
import struct
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyogrio
import shapely

from cimkit.errors import EncodingError, FormatError, InputError
from cimkit.read.shapefile import check_parts, decode, text_encoding
from cimkit.tables.issue import Issue

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

DRIVERS = {
    ".gpkg": ("GPKG", b"SQLite format 3\0"),
    ".shp": ("ESRI Shapefile", b"\0\0\x27\x0a"),
    ".geojson": ("GeoJSON", b"{"),
    ".json": ("GeoJSON", b"{"),
}
"""Suffix -> driver and first bytes. GDAL picks its driver by content: a file that only pretends
to be one of these could make it open other files, or URLs."""

POLYGONS = ("Polygon", "Surface", "GeometryCollection", "Unknown")
POINTS = ("Point", "Unknown")
"""Parts of the names of geometry types that a layer of buildings or of addresses may have."""

_MESSAGE_CHARACTERS = 300
_BYTES_AS_TEXT = "ISO-8859-1"
_NAN, _INFINITY = struct.pack("<d", math.nan), struct.pack("<d", math.inf)


class Layer(NamedTuple):
    """One layer of a file that may be opened."""

    path: Path
    name: str
    driver: str
    columns: tuple[str, ...]
    crs: str
    n_features: int
    encoding: str
    fid_column: str


def local_file(path: str) -> Path:
    """A plain local file, or an error.

    Examples
    --------
    >>> local_file("/vsizip/city.zip")
    Traceback (most recent call last):
    cimkit.errors.FormatError: /vsizip/city.zip: is no plain local file. Copy ...
    """
    if str(path).startswith(("/vsi", "\\vsi")) or "://" in str(path):
        raise FormatError(
            "is no plain local file",
            path=path,
            hint="Copy it to this machine, unpacked, and name the copy.",
        )
    file = Path(path)
    if file.is_dir():
        raise FormatError("is a folder", path=path, hint="Name one file in it.")
    if not file.is_file():
        raise InputError("does not exist", path=path, hint="Check the path.")
    return file


def open_layer(path: str, layer: str, kinds: Sequence[str]) -> tuple[Layer, list[Issue]]:
    """Look into a vector file and choose the layer.

    Parameters
    ----------
    path : str
    layer : str
        Name; "" takes the only one whose geometry type is among `kinds`.
    kinds : sequence of str
        `POLYGONS` or `POINTS`.

    Raises
    ------
    FormatError
        Not a format of `DRIVERS`, not a local file, or damaged.
    EncodingError
        Text of a Shapefile that no usual encoding reads.
    InputError
        No such layer, several to choose from, or an empty one.
    """
    file = local_file(path)
    driver = check_format(file)
    encoding, issues = "", list[Issue]()
    if driver == "ESRI Shapefile":
        check_parts(file)
        encoding, issues = text_encoding(file)
    with translated(file) as remarks:
        name = _choose_layer(path, pyogrio.list_layers(file), layer, kinds)
        info = pyogrio.read_info(file, layer=name, **_as_bytes(encoding))
    issues += _issues(remarks, file)
    if info["driver"] != driver:
        raise FormatError(
            f"is {info['driver']}, not {driver}", path=path, hint=f"Convert it to {_formats()}."
        )
    if info["features"] == 0:
        raise InputError("the layer is empty", path=path, where=f"layer {name}")
    columns = [decode(c, encoding) if encoding else c for c in info["fields"].tolist()]
    found = Layer(
        file,
        name,
        driver,
        tuple(columns),
        info["crs"] or "",
        info["features"],
        encoding,
        info["fid_column"],
    )
    return found, issues


def read_layer(
    layer: Layer, columns: Sequence[str]
) -> tuple[NDArray[Any], dict[str, NDArray[Any]], list[Issue]]:
    """Geometries and the columns that are asked for; no other column is read.

    Returns
    -------
    geometry : object array, shape (n,)
        Shapely geometries as they stand in the file; None where there is none.
    values : dict of str to array, shape (n,)
    issues : list of Issue
        What GDAL remarked.

    Raises
    ------
    FormatError, EncodingError
    """
    with translated(layer.path) as remarks:
        options = {"layer": layer.name} | _as_bytes(layer.encoding)
        names = pyogrio.read_info(layer.path, **options)["fields"]
        raw_of_name = dict(zip(layer.columns, names.tolist(), strict=True))
        wanted = [raw_of_name[name] for name in columns if name in raw_of_name]
        meta, fids, wkb, data = pyogrio.raw.read(
            layer.path, columns=wanted, return_fids=True, **options
        )
    if len(wkb) < layer.n_features:
        raise FormatError(
            f"promises {layer.n_features:,} features, {len(wkb):,} can be read",
            path=str(layer.path),
            hint="It is damaged: copy it again.",
        )
    if layer.driver == "ESRI Shapefile":
        _check_records(layer.path, fids, wkb)
    values = dict(zip(meta["fields"].tolist(), data, strict=True))
    found = {name: values[raw] for name, raw in raw_of_name.items() if raw in values}
    if layer.encoding:
        found = {name: _decoded(column, layer.encoding) for name, column in found.items()}
    if layer.fid_column in columns and layer.fid_column not in found:
        found[layer.fid_column] = fids
    return _geometries(wkb), found, _issues(remarks, layer.path)


def check_format(file: Path) -> str:
    """Name of the driver, if suffix and first bytes are of one that is allowed."""
    driver, magic = DRIVERS.get(file.suffix.lower(), ("", b""))
    if not driver:
        raise FormatError(
            f"{file.suffix or 'no suffix'} is not read",
            path=str(file),
            hint=f"Use {_formats()}.",
        )
    with file.open("rb") as opened:
        start = opened.read(1024)
    if driver == "GeoJSON":
        start = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start.startswith(magic):
        raise FormatError(
            f"does not begin like {driver}", path=str(file), hint="It is damaged, or misnamed."
        )
    return driver


def _choose_layer(path: str, layers: NDArray[Any], wanted: str, kinds: Sequence[str]) -> str:
    """The layer of that name, or the only one of that kind."""
    listed = ", ".join(f"{name} ({kind})" for name, kind in layers) or "none"
    if wanted:
        if wanted in layers[:, 0]:
            return wanted
        raise InputError(f"has no layer {wanted!r}", path=path, hint=f"Layers: {listed}.")
    fitting = [name for name, kind in layers if kind and any(part in kind for part in kinds)]
    if len(fitting) == 1:
        return str(fitting[0])
    what = "several layers fit" if fitting else f"no layer holds {kinds[0]} geometry"
    raise InputError(
        what,
        path=path,
        hint=f"Name the layer (footprint_layer, address_layer). Layers: {listed}.",
    )


def _check_records(path: Path, fids: NDArray[Any], wkb: NDArray[Any]) -> None:
    """A record that the index promises must have come out as a geometry."""
    missing = fids[[shape is None for shape in wkb]]
    lost = missing[check_parts(path)[missing]].tolist() if len(missing) else []
    if lost:
        raise FormatError(
            f"{len(lost):,} records cannot be read",
            path=str(path),
            where=f"record {lost[0]}",
            hint="The .shp part is damaged: copy it again.",
        )


def _geometries(wkb: NDArray[Any]) -> NDArray[Any]:
    """Shapely geometries, open rings closed; None where there is none or GEOS cannot hold it.

    GEOS holds no ring that starts at NaN; at infinity it does, and `clean` rejects both alike.
    """
    with np.errstate(invalid="ignore"):
        geometry = np.asarray(shapely.from_wkb(wkb, on_invalid="fix"))
        for row in np.flatnonzero(shapely.is_missing(geometry)).tolist():
            if wkb[row] is not None:
                infinite = wkb[row].replace(_NAN, _INFINITY)
                geometry[row] = shapely.from_wkb(infinite, on_invalid="ignore")
    return geometry


def _decoded(column: NDArray[Any], encoding: str) -> NDArray[Any]:
    """Text of a column in its true encoding; numbers as they are."""
    if column.dtype != object:
        return column
    texts = [decode(text, encoding) if isinstance(text, str) else text for text in column]
    return np.array(texts, dtype=object)


def _as_bytes(encoding: str) -> dict[str, str]:
    """Read text of a Shapefile byte for byte; pyogrio would stop at a character cut in two."""
    return {"encoding": _BYTES_AS_TEXT} if encoding else {}


@contextmanager
def translated(file: Path) -> Iterator[list[warnings.WarningMessage]]:
    """Turn errors of GDAL into those of cimkit, and collect what it remarks."""
    try:
        with warnings.catch_warnings(record=True) as remarks:
            warnings.simplefilter("always")
            yield remarks
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise FormatError(
            f"cannot be read ({_printable(str(error))})",
            path=str(file),
            hint="It is damaged: copy it again.",
        ) from error
    except UnicodeDecodeError as error:
        raise EncodingError(
            "its text is not UTF-8",
            path=str(file),
            hint="This format must be: write the file again.",
        ) from error


def _issues(remarks: list[warnings.WarningMessage], file: Path) -> list[Issue]:
    """What GDAL remarked, without paths of this machine."""
    said = sorted({str(remark.message).replace(str(file), file.name) for remark in remarks})
    return [Issue("INFO", "READER_REMARK", "city", "", text) for text in said]


def _printable(text: str) -> str:
    """A message of GDAL, which may quote the file: short, and without control characters."""
    short = text if len(text) <= _MESSAGE_CHARACTERS else f"{text[:_MESSAGE_CHARACTERS]} ..."
    return "".join(c if c.isprintable() else "?" for c in short)


def _formats() -> str:
    return "GeoPackage (.gpkg), Shapefile (.shp) or GeoJSON (.geojson, .json)"
