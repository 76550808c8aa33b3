"""Tiles without a build: of models that somebody has made, or of outlines with heights."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import pyproj
import shapely

from cimkit.errors import CrsError, InputError
from cimkit.execute import Progress, silent
from cimkit.products import LIBRARIES
from cimkit.read.boundaries import Notes, read_boundaries
from cimkit.read.crs import check_place, working_crs
from cimkit.read.footprints import read_footprints
from cimkit.read.vector import POLYGONS, open_layer, read_layer
from cimkit.steps.adopt import adopt_solids
from cimkit.steps.boxes import with_boxes
from cimkit.steps.clean import clean
from cimkit.steps.detail import measure_detail
from cimkit.steps.reconstruct.heights import HeightRules
from cimkit.steps.reconstruct.lod import reconstruct
from cimkit.steps.tile import tile
from cimkit.tables import Buildings, Footprints, Issue, Models, count_issues, sort_issues
from cimkit.tables._columns import TEXT, FloatArray
from cimkit.tables.buildings import HEIGHT_SOURCES
from cimkit.tiling import (
    TileOptions,
    describe_buildings,
    documents,
    finish_tiles,
    tile_encoding,
)
from cimkit.write.glb import encode_glb
from cimkit.write.implicit import content_names
from cimkit.write.placement import Placement
from cimkit.write.store import MANIFEST, Staging

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TILES_FORMAT = "cimkit tiles 1"
"""What the manifest of a folder of tiles says it is."""

_EPSG = re.compile(r"EPSG(?:/[\d.]*/|:[\d.]*:|:)(\d+(?:\+\d+)?)")
"""A code in the names that OGC gives to a CRS, and to one of two parts (09-048r5, 07-092r3)."""

MODEL_SUFFIXES = (".json", ".jsonl")


class Heights(NamedTuple):
    """What leads from the heights of the source to the ellipsoid.

    Attributes
    ----------
    undulation : float or None
        Of the geoid, metres; None where nobody said.
    ellipsoidal : bool
    """

    undulation: float | None = None
    ellipsoidal: bool = False

    @property
    def reference(self) -> str:
        """A word for it."""
        if self.ellipsoidal:
            return "ellipsoidal"
        return "unresolved" if self.undulation is None else "undulation"


class Columns(NamedTuple):
    """Layer and columns of a file of outlines; `cimkit.read_footprints` tells more."""

    layer: str = ""
    id_field: str = "auto"
    height_field: str = "auto"
    floors_field: str = "auto"
    ground_field: str = ""
    source_crs: str = ""
    encoding: str = ""


class Tiled(NamedTuple):
    """What became of a file.

    Attributes
    ----------
    buildings, tiles, size_bytes : int
    new, kept : int
        Files that were written, and those that stood there with the same bytes.
    issues : list of Issue
    """

    buildings: int
    tiles: int
    size_bytes: int
    new: int
    kept: int
    issues: list[Issue]


class _Source(NamedTuple):
    """Buildings to be tiled, all in one order; `models` at all levels of detail."""

    crs: str
    buildings: Buildings
    models: Models
    address: Any
    frame: pd.DataFrame
    issues: list[Issue]


def tile_file(
    path: str,
    out: str,
    *,
    crs: str = "",
    heights: Heights | None = None,
    options: TileOptions | None = None,
    columns: Columns | None = None,
    storey_height: float = 3.0,
    keep_open: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Tiled:
    """Make 3D Tiles of a file of models, or of outlines with heights.

    Parameters
    ----------
    path : str
        CityJSON or CityJSONSeq (``.json``, ``.jsonl``), or a vector file.
    out : str
        Folder to make, with ``tileset.json`` in it.
    crs : str
        Projected CRS with heights; "" takes that of a CityJSON file.
    heights : Heights, optional
    options : TileOptions, optional
    columns : Columns, optional
        For outlines.
    storey_height : float, default 3.0
        Metres, where only the storeys of a building are known.
    keep_open : bool
        Show surfaces that close to no solid as they are, where a building has no other.
    overwrite : bool
        Replace tiles that stand at `out`; files of the same bytes are kept.
    progress : callable, optional
        Called with phase, tasks done, tasks in all.

    Returns
    -------
    Tiled

    Raises
    ------
    ParameterError, InputError, StoreError
        What stood at `out` is untouched then.

    Examples
    --------
    >>> import tempfile, shapely
    >>> import geopandas as gpd
    >>> folder = tempfile.mkdtemp()
    >>> frame = gpd.GeoDataFrame(
    ...     {"id": ["a"], "height": [9.0]},
    ...     crs="EPSG:4546",
    ...     geometry=[shapely.box(500_000, 3_000_000, 500_010, 3_000_020)],
    ... )
    >>> frame.to_file(f"{folder}/a.gpkg")
    >>> done = tile_file(
    ...     f"{folder}/a.gpkg",
    ...     f"{folder}/tiles",
    ...     crs="EPSG:4546+5737",
    ...     heights=Heights(undulation=-15.2),
    ... )
    >>> done.buildings, done.tiles
    (1, 1)
    """
    heights, options = heights or Heights(), options or TileOptions()
    encoding = tile_encoding(options)
    with Staging(out, overwrite=overwrite) as staging:
        staging.clear()
        progress("read", 0, 1)
        if path.endswith(MODEL_SUFFIXES):
            source = _read_models(path, crs, keep_open)
        else:
            source = _read_outlines(path, crs, columns or Columns(), storey_height, options)
        progress("read", 1, 1)
        issues = [*source.issues, *_datum_issues(heights)]
        described = describe_buildings(
            options, source.buildings, source.address, source.frame, {}
        )
        issues = sort_issues([*issues, *described.issues])
        placement = _placement(source, heights)
        boxes_ = _boxes(source.models, source.buildings)
        models = with_boxes(source.models)
        detail = measure_detail(models, source.buildings.building_id)
        tree = tile(boxes_, source.buildings, detail, tile_buildings=options.tile_buildings)
        # Models stand building by building, by rising level, as `there` does row by row.
        solid = (np.cumsum(detail.there) - 1).reshape(detail.there.shape)
        names, boxes, n_bytes = content_names(tree), [], 0
        for number in range(len(tree)):
            rows = tree.buildings(number)
            one = encode_glb(
                models.take(solid[rows, tree.levels(number)]),
                *(described.table.take(rows), placement, encoding),
                error=float(tree.error[number]),
                color=None if described.color is None else described.color[rows],
            )
            if not options.tiles_implicit:
                names[number] = one.uri
            staging.write(names[number], one.data)
            boxes.append(one.box)
            n_bytes += len(one.data)
            progress("tile", number + 1, len(tree))
        for name, data in documents(options, tree, boxes, names, placement).items():
            staging.write(name, data)
        finish_tiles(staging, options, "")
        n = len(source.buildings)
        staging.write(
            MANIFEST, _manifest(path, source, placement, options, n, len(tree), issues)
        )
        counts = staging.keep_unchanged("")
        staging.commit()
    return Tiled(n, len(tree), n_bytes, counts["new"], counts["kept"], issues)


def _manifest(
    path: str,
    source: _Source,
    placement: Placement,
    options: TileOptions,
    n: int,
    n_tiles: int,
    issues: Sequence[Issue],
) -> bytes:
    """What the tiles were made from, and how; no path, no clock."""
    value = {
        "format": TILES_FORMAT,
        "source": os.path.basename(path),  # noqa: PTH119
        "crs": source.crs,
        "undulation": placement.undulation,
        "height_reference": placement.height_reference,
        "parameters": options._asdict(),
        "versions": {name: version(name) for name in LIBRARIES},
        "counts": {"buildings": n, "tiles": n_tiles, "issues": len(issues)},
        "issues": count_issues(issues),
    }
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1, sort_keys=True)
    return text.encode() + b"\n"


def _datum_issues(heights: Heights) -> list[Issue]:
    """Say that nobody told what the heights refer to."""
    if heights.reference != "unresolved":
        return []
    message = (
        "no geoid height given: the tiles stand too high or too low by it. Give --undulation, "
        "or --ellipsoidal if heights are ellipsoidal already"
    )
    return [Issue("ERROR", "VERTICAL_DATUM_UNRESOLVED", "city", "", message)]


def _placement(source: _Source, heights: Heights) -> Placement:
    """The frame of the tiles: whole kilometres near the middle of all models."""
    vertices = source.models.vertices
    if len(vertices):
        low, high = vertices[:, :2].min(axis=0), vertices[:, :2].max(axis=0)
    else:
        low = high = _somewhere(source.crs)
    x, y = np.round((low + high) / 2, -3).tolist()
    undulation = heights.undulation or 0.0
    return Placement(source.crs, undulation, (x, y, 0.0), heights.reference)


def _somewhere(crs: str) -> FloatArray:
    """A place that a CRS can map: the middle of its area, for an empty city."""
    target = working_crs(crs)
    area = target.area_of_use
    if area is None:
        return np.zeros(2)
    middle = shapely.Point((area.west + area.east) / 2, (area.south + area.north) / 2)
    to_crs = pyproj.Transformer.from_crs("EPSG:4326", target, always_xy=True)
    return np.array(to_crs.transform(middle.x, middle.y))


def _boxes(models: Models, buildings: Buildings) -> Footprints:
    """The box in plan of each building: all that its place in the tree depends on."""
    row_of = {name: row for row, name in enumerate(buildings.building_id.tolist())}
    owner = np.array([row_of[name] for name in models.building_id.tolist()], dtype=np.int64)
    low = np.full((len(buildings), 2), np.inf)
    high = np.full((len(buildings), 2), -np.inf)
    if len(models):
        starts = models.vertex_offsets[:-1]
        np.minimum.at(low, owner, np.minimum.reduceat(models.vertices[:, :2], starts, axis=0))
        np.maximum.at(high, owner, np.maximum.reduceat(models.vertices[:, :2], starts, axis=0))
    boxes = shapely.box(low[:, 0], low[:, 1], high[:, 0], high[:, 1])
    return Footprints.from_polygons(buildings.building_id, boxes, crs=models.crs)


def _read_models(path: str, crs: str, keep_open: bool) -> _Source:
    """Buildings of a CityJSON file."""
    notes, issues, parts = Notes(), [], []
    named = crs
    for boundaries, found in read_boundaries(path, notes):
        named = crs or _known_crs(notes.crs, path)
        adopted = adopt_solids(boundaries, named, keep_open=keep_open)
        issues += [*found, *adopted.issues]
        parts.append(adopted.models)
    models = Models.concatenate(parts)
    target = working_crs(named)
    if len(models.vertices):
        box = np.concatenate([models.vertices[:, :2].min(0), models.vertices[:, :2].max(0)])
        check_place(box[None], target, target, path=path, option="crs")
    buildings, address = _from_attributes(models, notes.attributes)
    frame = pd.DataFrame(
        [notes.attributes.get(name, {}) for name in buildings.building_id.tolist()]
    )
    return _Source(named, buildings, models, address, frame, issues)


def _known_crs(named: str, path: str) -> str:
    """The CRS of a file in the words of cimkit: ``EPSG:4546+5737`` of a URN, URL or name."""
    codes = _EPSG.findall(named)
    if not 1 <= len(codes) <= 2:
        raise CrsError(
            "names no CRS" if not named else f"names the CRS {named!r}, which is unknown",
            path=path,
            hint="Give --crs EPSG:7415 or the like.",
        )
    return f"EPSG:{'+'.join(codes)}"


def _from_attributes(
    models: Models, attributes: Mapping[str, Mapping[str, Any]]
) -> tuple[Buildings, Any]:
    """Buildings of models, by their attributes where these say something, else by the shape."""
    best = models.best()
    ids = best.building_id.tolist()
    said = [attributes.get(name, {}) for name in ids]
    n, starts = len(ids), best.vertex_offsets[:-1]
    z = best.vertices[:, 2]
    low = np.minimum.reduceat(z, starts) if n else np.empty(0)
    high = np.maximum.reduceat(z, starts) if n else np.empty(0)
    ground = _numbers(said, ("h_ground", "h_maaiveld"), low)
    height = _numbers(said, ("height", "measuredHeight"), high - low)
    source = [str(values.get("height_source")) for values in said]
    unknown, nothing = np.full(n, np.nan), np.full(n, "", dtype=TEXT)
    buildings = Buildings(
        best.building_id,
        _texts(said, "code"),
        ground,
        np.full(n, "none", dtype=TEXT),
        *(unknown, unknown, unknown, unknown),
        height,
        np.array([s if s in HEIGHT_SOURCES else "attribute" for s in source], dtype=TEXT),
        best.lod,
        np.full(n, "file", dtype=TEXT),
        nothing,
        np.zeros(n, dtype=np.int64),
        np.zeros(n),
    )
    return buildings, _texts(said, "address")


def _numbers(
    said: Sequence[Mapping[str, Any]], names: tuple[str, ...], otherwise: FloatArray
) -> FloatArray:
    """The first finite number under one of some names."""
    result = otherwise.copy()
    for row, values in enumerate(said):
        for name in names:
            value = values.get(name)
            if isinstance(value, (int, float)) and np.isfinite(value):
                result[row] = value
                break
    return result


def _texts(said: Sequence[Mapping[str, Any]], name: str) -> Any:
    """A text attribute; "" where there is none."""
    values = (one.get(name) for one in said)
    return np.array([v if isinstance(v, str) else "" for v in values], dtype=TEXT)


def _read_outlines(
    path: str, crs: str, columns: Columns, storey_height: float, options: TileOptions
) -> _Source:
    """Buildings of a file of outlines, as blocks."""
    if not crs:
        raise InputError(
            "needs a CRS with heights for its tiles", path=path, hint="Give --crs EPSG:7415."
        )
    raw, issues = read_footprints(
        path,
        layer=columns.layer,
        id_field=columns.id_field,
        height_field=columns.height_field,
        floors_field=columns.floors_field,
        crs=crs,
        source_crs=columns.source_crs,
        encoding=columns.encoding,
    )
    footprints, more = clean(raw)
    issues += more
    rules = HeightRules(storey_height=storey_height)
    buildings, models, more = reconstruct(footprints, rules=rules, lod=("1.2",))
    wanted = [*options.tile_properties, options.tile_color, columns.ground_field]
    frame = _columns_of(path, columns, wanted, footprints)
    if columns.ground_field:
        ground = frame[columns.ground_field].to_numpy(dtype=np.float64, na_value=np.nan)
        buildings, models, found = _raised(buildings, models, ground, columns.ground_field)
        more = [issue for issue in more if issue.code != "GROUND_NOT_MEASURED"] + found
    address = np.full(len(buildings), "", dtype=TEXT)
    frame = pd.concat([frame, buildings.to_pandas()[_MADE]], axis=1)
    frame = frame.loc[:, ~frame.columns.duplicated()]
    return _Source(crs, buildings, models, address, frame, issues + more)


_MADE = ["height", "height_source", "lod", "reason"]
"""Columns that a build makes, by which buildings may be coloured too."""


def _columns_of(
    path: str, columns: Columns, wanted: Sequence[str], footprints: Footprints
) -> pd.DataFrame:
    """Columns of the file for each of the footprints."""
    layer, _ = open_layer(path, columns.layer, POLYGONS, columns.encoding)
    names = [name for name in dict.fromkeys(wanted) if name in layer.columns]
    if columns.ground_field and columns.ground_field not in names:
        raise InputError(f"has no column {columns.ground_field!r}", path=path)
    if not names:
        return pd.DataFrame(index=range(len(footprints)))
    _, values, _ = read_layer(layer, names)
    return pd.DataFrame({name: values[name][footprints.source_row] for name in names})


def _raised(
    buildings: Buildings, models: Models, ground: FloatArray, name: str
) -> tuple[Buildings, Models, list[Issue]]:
    """Stand buildings on the heights of a column; those without one stay at 0."""
    known = np.isfinite(ground)
    lift = np.where(known, ground, 0.0)
    n_vertices = np.diff(models.vertex_offsets)
    vertices = models.vertices.copy()
    vertices[:, 2] += np.repeat(lift, n_vertices)
    issues = [
        Issue("WARNING", "GROUND_NOT_MEASURED", "buildings", building, f"{name} is empty: 0")
        for building in buildings.building_id[~known].tolist()
    ]
    return buildings.replace(h_ground=lift), replace(models, vertices=vertices), issues
