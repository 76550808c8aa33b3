"""The tileset of a city: what its tiles say, how they are encoded, what files they become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cimkit.errors import ParameterError
from cimkit.limits import TILE_TEXT_CHARACTERS_MAX
from cimkit.steps.terrain_tiles import terrain_tiles
from cimkit.tables import Buildings, Issue, Terrain, TileTree
from cimkit.tables._columns import TEXT, ByteArray, TextArray
from cimkit.write.archive import pack_archive
from cimkit.write.colors import colors_by
from cimkit.write.glb import Encoding
from cimkit.write.gltf import has_meshopt, require_meshopt
from cimkit.write.implicit import content_names, implicit_documents
from cimkit.write.point_tiles import require_py3dtiles
from cimkit.write.property_table import PropertyTable, building_table
from cimkit.write.terrain_tiles import write_terrain_tiles
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

GROUND = "terrain"
"""Folder of the ground beside it."""


class TileOptions(NamedTuple):
    """What can be chosen of a tileset; the keys of `cimkit.Job` of the same names tell more."""

    tile_buildings: int = 256
    tile_properties: tuple[str, ...] = ()
    tile_color: str = ""
    tiles_version: str = "1.1"
    tiles_compression: str = "auto"
    tiles_implicit: bool = False
    tiles_outline: bool = False
    tiles_gzip: bool = False
    tiles_package: bool = False

    @classmethod
    def of(cls, job: Job) -> TileOptions:
        """Those of a job."""
        return cls(*(getattr(job, name) for name in cls._fields))


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


def require_extras(job: Job) -> None:
    """Refuse, before any work, a job whose tiles need what is not installed.

    Raises
    ------
    ParameterError
    """
    tile_encoding(TileOptions.of(job))
    if job.point_tiles:
        require_py3dtiles()


def tile_encoding(options: TileOptions) -> Encoding:
    """How tiles are to be encoded.

    Raises
    ------
    ParameterError
        If a compression is asked for that is not installed, or what one version has not.
    """
    wanted, version = options.tiles_compression, options.tiles_version
    if wanted == "meshopt":
        require_meshopt()
    if version == "1.0" and options.tiles_implicit:
        raise ParameterError(
            "tiles_implicit: 3D Tiles 1.0 has no implicit tiling; leave it out"
        )
    compressed = wanted == "meshopt" or (
        wanted == "auto" and version == "1.1" and has_meshopt()
    )
    encoding = Encoding(version, compressed, options.tiles_outline)
    encoding.check()
    return encoding


def height_reference(job: Job) -> str:
    """What leads from the heights of the job to the ellipsoid, in a word."""
    if job.ellipsoidal:
        return "ellipsoidal"
    return "unresolved" if job.undulation is None else "undulation"


def describe_buildings(
    options: TileOptions,
    buildings: Buildings,
    address: TextArray,
    frame: pd.DataFrame,
    counts: Mapping[str, NDArray[Any]],
) -> Described:
    """What the tiles of a city say of its buildings.

    Parameters
    ----------
    options : TileOptions
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
    properties, color_by = options.tile_properties, options.tile_color
    asked = {"tile_properties": properties, "tile_color": (color_by,)}
    for key, names in asked.items():
        unknown = [name for name in names if name and name not in columns]
        if unknown:
            known = ", ".join(columns)
            raise ParameterError(f"{key}: no column {unknown[0]!r}; there are {known}")
    more: dict[str, Any] = {}
    issues: list[Issue] = []
    for name in dict.fromkeys(properties):
        if name in building_table(buildings.take(np.arange(0)), address[:0]).columns:
            continue
        more[name], shortened = shorten(_array(frame[name]))
        issues += shortened_issues(name, buildings.building_id, shortened)
    address, shortened = shorten(address)
    issues += shortened_issues("address", buildings.building_id, shortened)
    table = building_table(buildings, address, {**counts, **more})
    color = colors_by(_array(frame[color_by])) if color_by else None
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
        f"{name}: more than {TILE_TEXT_CHARACTERS_MAX:,} characters, cut in the tiles; whole "
        "in the tables"
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
    staging: Staging,
    options: TileOptions,
    tree: TileTree,
    tiles: Sequence[Part],
    placement: Placement,
) -> None:
    """Put the tiles of a build into its city, with their documents.

    Parameters
    ----------
    staging : Staging
    options : TileOptions
    tree : TileTree, n tiles
    tiles : sequence of Part, length n
        What `cimkit.tasks.make_tile` left.
    placement : Placement
    """
    made: list[MadeTile] = [part.result for part in tiles]
    implicit = options.tiles_implicit
    names = content_names(tree) if implicit else [tile.uri for tile in made]
    for name, part, tile in zip(names, tiles, made, strict=True):
        staging.adopt(f"{TILES}/{name}", f"{part.folder}/{tile.uri}")
    boxes = [tile.box for tile in made]
    for name, data in documents(options, tree, boxes, names, placement).items():
        staging.write(f"{TILES}/{name}", data)


def write_ground(
    staging: Staging, options: TileOptions, terrain: Terrain, placement: Placement
) -> None:
    """Put the ground beside the tiles, as a tileset of its own."""
    encoding = tile_encoding(options)

    def write(name: str, data: bytes) -> None:
        staging.write(f"{TILES}/{GROUND}/{name}", data)

    squares = terrain_tiles(terrain)
    write_terrain_tiles(squares, terrain, placement, write, meshopt=encoding.meshopt)


def documents(
    options: TileOptions,
    tree: TileTree,
    boxes: Sequence[Sequence[float]],
    names: Sequence[str],
    placement: Placement,
) -> dict[str, bytes]:
    """The documents of a tileset, explicit or implicit; an empty city has no implicit tiles."""
    if options.tiles_implicit and len(tree):
        return implicit_documents(tree, boxes, placement)
    return tileset_documents(tree, boxes, names, placement, version=options.tiles_version)


def finish_tiles(staging: Staging, options: TileOptions, folder: str = TILES) -> None:
    """Pack the tiles into one file, and put a compressed twin beside each, where asked for.

    The package lies beside a folder of tiles; where they are all there is, among them.
    """
    if options.tiles_package:
        pack_archive(staging.path(folder), staging.path(f"{folder or TILES}.3tz"))
    if options.tiles_gzip:
        staging.compress(folder)
