"""The tileset of a city: what its tiles say, how they are encoded, what files they become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cimkit.errors import ParameterError
from cimkit.limits import TILE_TEXT_CHARACTERS_MAX
from cimkit.tables import Buildings, Issue, TileTree
from cimkit.tables._columns import TEXT, ByteArray, TextArray
from cimkit.write.archive import pack_archive
from cimkit.write.colors import colors_by
from cimkit.write.glb import Encoding
from cimkit.write.gltf import has_meshopt, require_meshopt
from cimkit.write.implicit import content_names, implicit_documents
from cimkit.write.property_table import PropertyTable, building_table
from cimkit.write.tileset import tileset_documents

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from cimkit.job import Job
    from cimkit.tasks import MadeTile
    from cimkit.write.partitions import Part
    from cimkit.write.placement import Placement
    from cimkit.write.store import Staging

TILES = "tiles"
"""Folder of the tileset in a city."""


class Described(NamedTuple):
    """What tiles say of all buildings, and the colour of each.

    Attributes
    ----------
    table : PropertyTable, n rows
    color : uint8 array, shape (n, 4), or None
        None leaves them white.
    issues : list of Issue
    """

    table: PropertyTable
    color: ByteArray | None
    issues: list[Issue]


def tile_encoding(job: Job) -> Encoding:
    """How the job wants its tiles encoded.

    Raises
    ------
    ParameterError
        If it asks for a compression that is not installed.
    """
    wanted = job.tiles_compression
    if wanted == "meshopt":
        require_meshopt()
    compressed = wanted == "meshopt" or (
        wanted == "auto" and job.tiles_version == "1.1" and has_meshopt()
    )
    return Encoding(job.tiles_version, compressed, job.tiles_outline)


def height_reference(job: Job) -> str:
    """What leads from the heights of the job to the ellipsoid, in a word."""
    if job.ellipsoidal:
        return "ellipsoidal"
    return "unresolved" if job.undulation is None else "undulation"


def describe_buildings(
    job: Job,
    buildings: Buildings,
    address: TextArray,
    frame: pd.DataFrame,
    counts: Mapping[str, NDArray[Any]],
) -> Described:
    """What the tiles of a city say of its buildings.

    Parameters
    ----------
    job : Job
        `tile_properties` and `tile_color` are used.
    buildings : Buildings, n rows
    address : text array, shape (n,)
    frame : DataFrame, n rows
        The layer ``buildings``, whose columns may be asked for.
    counts : mapping of str to array, shape (n,)
        Columns that are told in any case.

    Raises
    ------
    ParameterError
        If a column is asked for that is not there.
    """
    columns = [name for name in frame.columns if name != "geometry"]
    for key, names in (
        ("tile_properties", job.tile_properties),
        ("tile_color", [job.tile_color]),
    ):
        unknown = [name for name in names if name and name not in columns]
        if unknown:
            known = ", ".join(columns)
            raise ParameterError(f"{key}: no column {unknown[0]!r}; there are {known}")
    more: dict[str, Any] = {}
    issues: list[Issue] = []
    for name in dict.fromkeys(job.tile_properties):
        if name in building_table(buildings.take(np.arange(0)), address[:0]).columns:
            continue
        more[name], shortened = shorten(_array(frame[name]))
        issues += shortened_issues(name, buildings.building_id, shortened)
    address, shortened = shorten(address)
    issues += shortened_issues("address", buildings.building_id, shortened)
    table = building_table(buildings, address, {**counts, **more})
    color = colors_by(_array(frame[job.tile_color])) if job.tile_color else None
    return Described(table, color, issues)


def shorten(column: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Cut texts that a tile should not carry, and name their rows; numbers stay."""
    if column.dtype.kind != "T":
        return column, np.empty(0, dtype=np.int64)
    long = np.flatnonzero(np.strings.str_len(column) > TILE_TEXT_CHARACTERS_MAX)
    if len(long):
        column = column.copy()
        for row in long.tolist():
            column[row] = str(column[row])[: TILE_TEXT_CHARACTERS_MAX - 1] + "…"
    return column, long


def shortened_issues(name: str, ids: TextArray, rows: NDArray[np.int64]) -> list[Issue]:
    """Say of which buildings a text was cut."""
    message = (
        f"{name}: more than {TILE_TEXT_CHARACTERS_MAX:,} characters, cut in the tiles; whole in "
        "the tables"
    )
    return [
        Issue("WARNING", "TILE_TEXT_SHORTENED", "buildings", str(ids[row]), message)
        for row in rows.tolist()
    ]


def _array(column: pd.Series[Any]) -> NDArray[Any]:
    """A column of a frame as texts ("" where empty), whole numbers or numbers."""
    if column.dtype.kind in "iufb":
        numbers: NDArray[Any] = column.to_numpy()
        return numbers.astype(np.int64) if numbers.dtype.kind == "b" else numbers
    texts = ["" if value is None or value != value else str(value) for value in column.tolist()]
    return np.array(texts, dtype=TEXT)


def write_tiles(
    staging: Staging, job: Job, tree: TileTree, tiles: Sequence[Part], placement: Placement
) -> None:
    """Put the tiles of a build into its city, with their documents.

    Parameters
    ----------
    staging : Staging
    job : Job
    tree : TileTree, n tiles
    tiles : sequence of Part, length n
        What `cimkit.tasks.make_tile` left.
    placement : Placement
    """
    made: list[MadeTile] = [part.result for part in tiles]
    names = content_names(tree) if job.tiles_implicit else [tile.uri for tile in made]
    for name, part, tile in zip(names, tiles, made, strict=True):
        staging.adopt(f"{TILES}/{name}", f"{part.folder}/{tile.uri}")
    boxes = [tile.box for tile in made]
    for name, data in documents(job, tree, boxes, names, placement).items():
        staging.write(f"{TILES}/{name}", data)


def documents(
    job: Job,
    tree: TileTree,
    boxes: Sequence[Sequence[float]],
    names: Sequence[str],
    placement: Placement,
) -> dict[str, bytes]:
    """The documents of a tileset, explicit or implicit; an empty city has no implicit tiles."""
    if job.tiles_implicit and len(tree):
        return implicit_documents(tree, boxes, placement)
    return tileset_documents(tree, boxes, names, placement, version=job.tiles_version)


def finish_tiles(staging: Staging, job: Job, folder: str = TILES) -> None:
    """Pack the tiles into one file, and put a compressed twin beside each, where asked for."""
    if job.tiles_package:
        pack_archive(staging.path(folder), staging.path(f"{folder}.3tz"))
    if job.tiles_gzip:
        staging.compress(folder)
