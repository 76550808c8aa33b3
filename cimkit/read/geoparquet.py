"""Layers of GeoParquet files, through pyarrow: the extra ``cimkit[parquet]``.

The GDAL that comes with pyogrio has no Parquet driver. Metadata: GeoParquet 1.1.0.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cimkit.errors import FormatError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_LONGITUDE_LATITUDE = "OGC:CRS84"
"""What GeoParquet means where a file does not speak of a CRS."""


class ParquetLayer(NamedTuple):
    """What the metadata of a GeoParquet file say.

    Attributes
    ----------
    columns : tuple of str
        Those of numbers and text, without the geometry.
    geometry : str
        Column of the geometry.
    kinds : str
        Its geometry types, or ``Unknown``.
    crs : str
        "" where the file says that it is unknown.
    n_features : int
    """

    columns: tuple[str, ...]
    geometry: str
    kinds: str
    crs: str
    n_features: int


def open_parquet(path: Path) -> ParquetLayer:
    """Read the metadata of a GeoParquet file.

    Raises
    ------
    InputError
        Without pyarrow.
    FormatError
        A damaged file, one without geometry, or with geometry that is not WKB.
    """
    with _opened(path) as file:
        schema = file.schema_arrow
        stated = _geo(path, schema.metadata or {})
        name = stated.get("primary_column")
        about = stated.get("columns", {}).get(name)
        if not isinstance(about, dict) or name not in schema.names:
            raise FormatError("its metadata name no column of geometry", path=str(path))
        if about.get("encoding") != "WKB":
            raise FormatError(
                f"its geometry is {about.get('encoding')}, not WKB",
                path=str(path),
                hint="Write it again with geometry as WKB.",
            )
        crs = about.get("crs", _LONGITUDE_LATITUDE)
        return ParquetLayer(
            tuple(field.name for field in schema if _is_plain(field.type)),
            str(name),
            " ".join(map(str, about.get("geometry_types") or ["Unknown"])),
            crs if isinstance(crs, str) else json.dumps(crs) if crs else "",
            file.metadata.num_rows,
        )


def read_parquet(
    path: Path, geometry: str, columns: Sequence[str]
) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
    """WKB of all features, None where there is none, and the columns that are asked for.

    Raises
    ------
    InputError, FormatError
    """
    with _opened(path) as file:
        table = file.read(columns=[geometry, *columns])
        wkb = _objects(table[geometry].to_pylist())
        values = {}
        for name in columns:
            column = table[name]
            # With a gap, whole numbers would become floats, and identifiers inexact.
            is_number = column.null_count == 0 and np.dtype(
                column.type.to_pandas_dtype()
            ).kind in ("iuf")
            values[name] = column.to_numpy() if is_number else _objects(column.to_pylist())
    return wkb, values


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file, with the errors of pyarrow as those of cimkit."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise InputError(
            "GeoParquet needs pyarrow, which is not installed",
            path=str(path),
            hint='Install the extra: pip install "cimkit[parquet]".',
        ) from error
    try:
        # Checksums of pages are checked where the writer left some.
        with pyarrow.parquet.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise FormatError(
            f"cannot be read ({error})", path=str(path), hint="It is damaged: copy it again."
        ) from error


def _geo(path: Path, metadata: dict[bytes, bytes]) -> dict[str, Any]:
    """The part of the metadata that speaks of geometry."""
    try:
        stated = json.loads(metadata[b"geo"])
    except (KeyError, ValueError, RecursionError) as error:
        raise FormatError(
            "is Parquet without the metadata of GeoParquet",
            path=str(path),
            hint="Write it with geometry, as GeoPandas does with to_parquet.",
        ) from error
    return stated if isinstance(stated, dict) else {}


def _is_plain(kind: Any) -> bool:
    """Whether a column holds a number or a text a row."""
    import pyarrow.types as types

    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_decimal(kind)
        or types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_string_view(kind)
    )


def _objects(values: list[Any]) -> NDArray[Any]:
    """An array of objects, shape (n,), also where they are sequences."""
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column
