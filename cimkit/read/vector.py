"""Vector files through pyogrio: which layer, which columns, how its text is decoded."""

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

from cimkit.errors import EncodingError, FormatError, InputError, ParameterError
from cimkit.read.encodings import decode, report_replaced
from cimkit.read.formats import check_format, check_json_keys, list_formats, local_file
from cimkit.read.geoparquet import open_parquet, read_parquet
from cimkit.read.shapefile import check_parts, text_encoding
from cimkit.tables.issue import Issue

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

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
    geometry_column: str = ""


def open_layer(
    path: str, layer: str, kinds: Sequence[str], encoding: str = ""
) -> tuple[Layer, list[Issue]]:
    """Look into a vector file and choose the layer.

    Parameters
    ----------
    path : str
    layer : str
        Name; "" takes the only one whose geometry type is among `kinds`.
    kinds : sequence of str
        `POLYGONS` or `POINTS`.
    encoding : str
        Of the text of a Shapefile; "" finds it (`cimkit.read.encodings`). The other formats
        are in UTF-8 by their standards.

    Raises
    ------
    FormatError
        Not a format of `DRIVERS`, not a local file, or damaged.
    EncodingError
        Text of a Shapefile that no usual encoding reads.
    InputError
        No such layer, several to choose from, or an empty one; GeoParquet without pyarrow.
    ParameterError
        An unknown encoding, or one for a format that has its own.
    """
    file = local_file(path)
    driver = check_format(file)
    if encoding and driver != "ESRI Shapefile":
        raise ParameterError(f"{file.name}: {driver} is in UTF-8, no encoding can be given")
    chosen, issues = "", list[Issue]()
    if driver == "GeoJSON":
        check_json_keys(file)
    if driver == "ESRI Shapefile":
        check_parts(file)
        chosen, issues = text_encoding(file, encoding)
    named = list_layers(file, driver)
    name = _choose_layer(path, [(name, kind) for name, kind, _ in named], layer, kinds)
    if driver == "Parquet":
        found = _parquet_layer(file)
    else:
        with translated(file) as remarks:
            info = pyogrio.read_info(file, layer=name, **_as_bytes(chosen))
        issues += _issues(remarks, file)
        if info["driver"] != driver:
            hint = f"Convert it to {list_formats()}."
            raise FormatError(f"is {info['driver']}, not {driver}", path=path, hint=hint)
        columns = [decode(c, chosen) if chosen else c for c in info["fields"].tolist()]
        found = Layer(
            file,
            name,
            driver,
            tuple(columns),
            info["crs"] or "",
            info["features"],
            chosen,
            info["fid_column"],
        )
    if found.n_features == 0:
        raise InputError("the layer is empty", path=path, where=f"layer {name}")
    return found, issues


def list_layers(file: Path, driver: str) -> list[tuple[str, str, int]]:
    """Name, geometry type and number of features of each layer; "" for no geometry."""
    if driver == "Parquet":
        stated = open_parquet(file)
        return [(file.stem, stated.kinds, stated.n_features)]
    with translated(file):
        # Latin-1 decodes column names of any encoding; they are not used here.
        options = {"encoding": _BYTES_AS_TEXT} if driver == "ESRI Shapefile" else {}
        return [
            (name, kind or "", pyogrio.read_info(file, layer=name, **options)["features"])
            for name, kind in pyogrio.list_layers(file).tolist()
        ]


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
        What GDAL remarked; ``ENCODING_REPLACED`` where text does not decode as it was told.

    Raises
    ------
    FormatError, EncodingError
    """
    if layer.driver == "Parquet":
        wanted = [name for name in columns if name in layer.columns]
        wkb, values = read_parquet(layer.path, layer.geometry_column, wanted)
        return _geometries(wkb), values, []
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
    issues = _issues(remarks, layer.path)
    if layer.encoding:
        found = {name: _decoded(column, layer.encoding) for name, column in found.items()}
        issues += report_replaced(layer.path.name, layer.encoding, found.values())
    if layer.fid_column in columns and layer.fid_column not in found:
        found[layer.fid_column] = fids
    return _geometries(wkb), found, issues


def _parquet_layer(file: Path) -> Layer:
    """The one layer of a GeoParquet file."""
    stated = open_parquet(file)
    return Layer(
        file,
        file.stem,
        "Parquet",
        stated.columns,
        stated.crs,
        stated.n_features,
        "",
        "",
        stated.geometry,
    )


def _choose_layer(
    path: str, layers: list[tuple[str, str]], wanted: str, kinds: Sequence[str]
) -> str:
    """The layer of that name, or the only one of that kind."""
    listed = ", ".join(f"{name} ({kind or None})" for name, kind in layers) or "none"
    if wanted:
        if wanted in dict(layers):
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
