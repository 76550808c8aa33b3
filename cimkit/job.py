"""Everything that a build can be told, with its default."""

from __future__ import annotations

import datetime
import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from cimkit.errors import ParameterError
from cimkit.registerurl import is_url, parse_address

AUTO = "auto"

LODS = ("1.2", "1.3", "2.2")
"""Levels of detail that can be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Inputs and parameters of one build; each field is also a key of ``city.toml``.

    Parameters
    ----------
    footprints : str
        Vector file with building outlines.
    points : tuple of str
        LAS/LAZ files, folders or patterns; none is a normal case.
    sha256sums : str
        List of the fingerprints of all clouds, as ``sha256sum`` writes it; "" checks none.
    addresses : str
        CSV, workbook (.xlsx) or vector file; "" for none.
    cloud_shift : tuple of two float
        Metres east and north that the clouds are moved by, as `CLOUD_SHIFTED` proposes where
        roofs lie beside their footprints.
    dem : str
        Elevation model, a GeoTIFF of ground heights in metres above the vertical datum of
        `crs`; "" for none. Measured ground wins: the model fills the cells of the terrain that
        hold no ground point, and gives the ground of buildings without ground points around
        them (`ground_source` is ``dem`` then). With a cloud it is looked at whether both agree.
    crs : str
        Projected working CRS with a vertical part: ``EPSG:7415`` or ``EPSG:4546+5737``.
    footprint_layer, footprint_id : str
        Layer of the file; column of the identifier ("auto": by usual names).
    footprints_crs : str
        CRS of a footprint file that states none.
    footprints_encoding, addresses_encoding : str
        Text encoding of a Shapefile or CSV, such as GB18030; "" finds it.
    height_field, floors_field, label_field : str
        Columns; "auto" finds them by usual names, "" switches them off.
    on_duplicate : {"suffix", "error"}
        Doubled identifiers become ``id~2``, or stop the build.
    on_bad_file : {"error", "skip"}
        A damaged cloud stops the build, or is set aside with an ERROR issue.
    on_short : {"error", "keep"}
        A LAS file that is cut short counts as damaged, or its whole records are kept.
    address_layer, address_id, address_text, address_x, address_y, address_building : str
        Layer and columns of the addresses; "auto" finds them by usual names, "" switches off.
    addresses_crs : str
        CRS of the address coordinates, also ``GCJ-02`` or ``BD-09``; "" takes that of the
        file, else `crs`.
    address_accuracy_m : float
        Root mean square error of the address points, metres; 0 if they are exact.
    reviews : tuple of str
        Sheets in which people have decided about links (`cimkit review`); what they say goes
        before all rules.
    undulation : float or None
        Geoid height above the ellipsoid, metres, constant over the city.
    ellipsoidal : bool
        The heights are ellipsoidal already.
    storey_height, default_height : float
        Metres for one storey; height of a building of which nothing is known.
    households, organisations : str
        Tables of actual housing and population, and of actual units, by address (一标三实);
        "" for none. `cimkit.read.occupancy.read_occupancy` tells their columns.
    suppress_below : int
        Smaller counts of households and persons are hidden; at least 2.
    occupancy_in_tiles : bool
        Let tiles tell the counts of each building.
    storeys : bool
        Write floors and rooms (分层分户): ``storeys.city.jsonl`` and layers of ``city.gpkg``.
    storeys_in_tiles : bool
        Write ``tiles_storeys``, a tileset in which each storey is a feature.
    roof_quantile : float
        Quantile of the roof points that gives the LoD1.2 height, and that of each part at
        LoD1.3.
    lod13_step : float
        Parts of a roof closer in height than this are one at LoD1.3, metres.
    roof_complexity : float
        How much detail LoD2.2 has: 2 halves the price of a roof face, 0.5 doubles it.
    ground_radius : float
        Ground points this near to a footprint give its ground height, metres.
    terrain_cell : float
        Cell of the terrain grid, metres.
    ground_window : float
        Where a cloud states no ground, it is looked for, and what stands on no footprint and is
        wider than this is taken for ground, metres.
    ground_classes, building_classes, noise_classes : tuple of int
        LAS classes, 0 to 255; those of the ground are neither buildings nor noise. Where the
        cloud holds none of `building_classes`, roofs are looked for among all points that are
        neither ground, water nor noise; where a file holds none of `ground_classes`, ground is
        looked for among those that are no plants, water, wires, bridges, buildings or noise.
    lod : tuple of str
        Levels of detail to make.
    division : str
        Code of the county (6 digits) or township (9 digits) for the building codes; or a file
        with the polygons of divisions, of which each building takes its own.
    division_names : str
        Table of codes and names of divisions; fills in names, and codes that it does not hold
        are reported. "" for none.
    code_scheme : str
        How new buildings are coded: ``uic21``, or a layout file (.toml) of the city, which
        `cimkit.codes.numbering` tells about. Buildings keep the codes that they have.
    class_code : str
        Class segment of codes of ``uic21``, 6 digits.
    register : str
        File of the code register, or a database: ``postgresql://user@host/db?schema=city``;
        "" puts it beside the city.
    edge_distance : float
        An address outside all footprints is linked up to this distance, metres.
    tile_buildings : int
        Most buildings in a tile at full detail; 256 are some 100 KB compressed, 300 KB plain.
    tile_properties : tuple of str
        Columns of the layer ``buildings`` that tiles tell besides the default ones.
    tile_color : str
        Column that the buildings of the tiles are coloured by; "" leaves them white.
    tiles_version : {"1.1", "1.0"}
        Of 3D Tiles; 1.0 (b3dm with batch tables) for platforms that need it.
    tiles_compression : {"auto", "meshopt", "none"}
        EXT_meshopt_compression; "auto" where its encoder is installed (``cimkit[meshopt]``)
        and the version is 1.1.
    tiles_implicit : bool
        Implicit tiling with subtrees instead of a tree that is written down.
    tiles_outline : bool
        Edges of the buildings for CesiumJS (CESIUM_primitive_outline).
    tiles_gzip : bool
        Put a ``.gz`` beside each file of the tiles, for servers that send it.
    tiles_package : bool
        Write ``tiles.3tz`` too: all tiles in one file.
    terrain_tiles : bool
        Write the ground as tiles too, ``tiles/terrain``.
    point_tiles : bool
        Write the clouds as tiles too, ``tiles/points``, without noise; a million points take
        some 7 s and 20 MB.
    workers : int
        Worker processes; 0 takes all cores.
    block_size : float
        Edge of the blocks that are worked on at once, metres; no result depends on it.
    as_of : str
        Date (YYYY-MM-DD) to put into the products; none by default.
    """

    footprints: str = ""
    points: tuple[str, ...] = ()
    sha256sums: str = ""
    addresses: str = ""
    cloud_shift: tuple[float, ...] = (0.0, 0.0)
    dem: str = ""
    crs: str = ""
    footprint_layer: str = ""
    footprint_id: str = AUTO
    footprints_crs: str = ""
    footprints_encoding: str = ""
    addresses_encoding: str = ""
    height_field: str = AUTO
    floors_field: str = AUTO
    label_field: str = AUTO
    on_duplicate: str = "suffix"
    on_bad_file: str = "error"
    on_short: str = "error"
    address_layer: str = ""
    address_id: str = AUTO
    address_text: str = AUTO
    address_x: str = AUTO
    address_y: str = AUTO
    address_building: str = AUTO
    addresses_crs: str = ""
    address_accuracy_m: float = 0.0
    reviews: tuple[str, ...] = ()
    undulation: float | None = None
    ellipsoidal: bool = False
    storey_height: float = 3.0
    default_height: float = 3.0
    households: str = ""
    organisations: str = ""
    suppress_below: int = 5
    occupancy_in_tiles: bool = False
    storeys: bool = False
    storeys_in_tiles: bool = False
    roof_quantile: float = 0.6
    lod13_step: float = 3.0
    roof_complexity: float = 1.0
    ground_radius: float = 4.0
    terrain_cell: float = 1.0
    ground_window: float = 60.0
    ground_classes: tuple[int, ...] = (2,)
    building_classes: tuple[int, ...] = (6,)
    noise_classes: tuple[int, ...] = (7, 18)
    lod: tuple[str, ...] = LODS
    division: str = ""
    division_names: str = ""
    code_scheme: str = "uic21"
    class_code: str = "990100"
    register: str = field(default="", repr=False)  # may hold a password
    edge_distance: float = 3.0
    tile_buildings: int = 256
    tile_properties: tuple[str, ...] = ()
    tile_color: str = ""
    tiles_version: str = "1.1"
    tiles_compression: str = "auto"
    tiles_implicit: bool = False
    tiles_outline: bool = False
    tiles_gzip: bool = False
    tiles_package: bool = False
    terrain_tiles: bool = True
    point_tiles: bool = False
    workers: int = 0
    block_size: float = 500.0
    as_of: str = ""

    def __post_init__(self) -> None:
        if not self.footprints:
            raise ParameterError("footprints: name a vector file with building outlines")
        if not self.crs:
            raise ParameterError(
                "crs: name the projected CRS to work in, such as EPSG:4546+5737 "
                "(CGCS2000 / 3-degree zone CM 111E + 1985 height)"
            )
        if self.undulation is not None and self.ellipsoidal:
            raise ParameterError("undulation and ellipsoidal exclude each other: give one")
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ParameterError(f"{name}: must lie in [{low:g}, {high:g}], not {value}")
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                choices = " or ".join(map(repr, allowed))
                raise ParameterError(f"{name}: {choices}, not {getattr(self, name)!r}")
        _check_classes(self)
        if len(self.cloud_shift) != 2 or not all(abs(m) <= 1000 for m in self.cloud_shift):
            raise ParameterError(
                f"cloud_shift: metres east and north, at most 1000, not {self.cloud_shift}"
            )
        unknown = [lod for lod in self.lod if lod not in LODS]
        if unknown or not self.lod:
            raise ParameterError(
                f"lod: of {', '.join(LODS)}, not {', '.join(unknown) or 'none'}"
            )
        if self.division.isdigit() and len(self.division) not in (6, 9):
            raise ParameterError(f"division: 6 or 9 digits, or a file, not {self.division!r}")
        if self.division_names and (self.division.isdigit() or not self.division):
            raise ParameterError("division_names: belongs to a file of divisions (division)")
        if is_url(self.register):
            parse_address(self.register)
        counted = self.households or self.organisations
        if counted and not self.addresses:
            raise ParameterError(f"addresses: needed to tell where {counted} is counted")
        if self.occupancy_in_tiles and not counted:
            raise ParameterError("occupancy_in_tiles: needs households or organisations")
        if self.tiles_version == "1.0" and self.tiles_compression == "meshopt":
            raise ParameterError("tiles_compression: meshopt needs tiles_version 1.1")
        if self.tiles_version == "1.0" and self.tiles_implicit:
            raise ParameterError("tiles_implicit: needs tiles_version 1.1")
        if self.as_of and not _is_date(self.as_of):
            raise ParameterError(f"as_of: a date such as 2026-06-30, not {self.as_of!r}")
        if not (self.class_code.isdigit() and len(self.class_code) == 6):
            raise ParameterError(f"class_code: 6 digits, not {self.class_code!r}")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """A job from keys and values, as they stand in a TOML file.

        Raises
        ------
        ParameterError
            On an unknown key, with the nearest known one, or on a value of the wrong type.

        Examples
        --------
        >>> Job.from_mapping({"footprint": "a.gpkg", "crs": "EPSG:7415"})
        Traceback (most recent call last):
        cimkit.errors.ParameterError: footprint: unknown key; did you mean footprints?
        """
        kinds = {field.name: field for field in fields(cls)}
        given: dict[str, Any] = {}
        for key, value in values.items():
            if key not in kinds:
                near = difflib.get_close_matches(key, kinds, n=1)
                advice = f"did you mean {near[0]}?" if near else f"known: {', '.join(kinds)}"
                raise ParameterError(f"{key}: unknown key; {advice}")
            given[key] = _typed(key, value, kinds[key].default)
        return cls(**given)


_CHOICES = {
    "on_duplicate": ("suffix", "error"),
    "on_bad_file": ("error", "skip"),
    "on_short": ("error", "keep"),
    "tiles_version": ("1.1", "1.0"),
    "tiles_compression": ("auto", "meshopt", "none"),
}

_RANGES = (
    ("address_accuracy_m", 0.0, 1000.0),
    ("undulation", -200.0, 200.0),
    ("suppress_below", 2, 1000),
    ("storey_height", 1.0, 20.0),
    ("default_height", 0.5, 1000.0),
    ("roof_quantile", 0.0, 1.0),
    ("lod13_step", 0.1, 100.0),
    ("roof_complexity", 0.01, 100.0),
    ("ground_radius", 0.0, 50.0),
    ("terrain_cell", 0.1, 100.0),
    ("ground_window", 1.0, 1000.0),
    ("edge_distance", 0.0, 1000.0),
    ("tile_buildings", 1, 10_000),
    ("workers", 0, 256),
    ("block_size", 50.0, 100_000.0),
)


def _check_classes(job: Job) -> None:
    """Each class once: a point that is ground and building would count twice."""
    lists = {"building_classes": job.building_classes, "noise_classes": job.noise_classes}
    for name, classes in {"ground_classes": job.ground_classes, **lists}.items():
        if not all(0 <= number <= 255 for number in classes):
            raise ParameterError(f"{name}: LAS classes are 0 to 255, not {list(classes)}")
        if len(set(classes)) < len(classes):
            raise ParameterError(f"{name}: name each class once, not {list(classes)}")
    for name, classes in lists.items():
        if both := sorted({*classes} & {*job.ground_classes}):
            raise ParameterError(
                f"{name}: {both} are among the ground_classes too; leave them in one of the two"
            )


def _is_date(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _typed(key: str, value: Any, default: Any) -> Any:
    """The value in the type of the field's default, or an error that says what is expected."""
    value = os.fspath(value) if isinstance(value, os.PathLike) else value
    if isinstance(default, tuple):
        items = tuple(value) if isinstance(value, (list, tuple)) else (value,)
        items = tuple(os.fspath(v) if isinstance(v, os.PathLike) else v for v in items)
        kind = type(default[0]) if default else str
        if kind is float and len(items) == len(default):
            items = tuple(float(i) if isinstance(i, int) else i for i in items)
        if not all(isinstance(item, kind) for item in items):
            raise ParameterError(f"{key}: a list of {kind.__name__} expected, not {value!r}")
        return items
    if isinstance(default, bool) or isinstance(value, bool):
        expected = isinstance(default, bool) and isinstance(value, bool)
    elif default is None or isinstance(default, float):
        expected = isinstance(value, (int, float))
        value = float(value) if expected else value
    else:
        expected = isinstance(value, type(default))
    if not expected:
        name = "float" if default is None else type(default).__name__
        raise ParameterError(f"{key}: {name} expected, not {value!r}")
    return value
