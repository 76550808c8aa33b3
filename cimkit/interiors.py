"""Floors and rooms of a whole city (分层分户): made of its tables, written where asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cimkit.steps.reconstruct.solid import make_prisms
from cimkit.steps.storeys import find_rooms, room_balance, stack_storeys, storey_tops
from cimkit.steps.tile import tile
from cimkit.tables import Addresses, Buildings, Footprints, Issue, Links, Models
from cimkit.tables._columns import ragged_index
from cimkit.tables.reportfacts import Balance
from cimkit.tables.storeys import Rooms, Storeys
from cimkit.write.cityjson import cityjson_header
from cimkit.write.placement import Placement
from cimkit.write.spool import load_stored, save_lines
from cimkit.write.storeys import encode_storeys, storey_features
from cimkit.write.tileset import tileset_documents

if TYPE_CHECKING:
    from cimkit.inputs import Inputs
    from cimkit.job import Job
    from cimkit.products import Made
    from cimkit.tables._columns import FloatArray, IntArray
    from cimkit.write.store import Staging

MODELS, TILES = "storeys.city.jsonl", "tiles_storeys"
"""File and folder in the city."""

AT_ONCE = 1000
"""Buildings whose slabs are in memory at once."""

STOREYS_OF_BUILDING = 8
"""A tile of storeys shows so many times fewer buildings than one of buildings: it is about as
large then."""


class Interior(NamedTuple):
    """What is inside of the buildings of a city."""

    storeys: Storeys
    rooms: Rooms
    issues: list[Issue]

    @property
    def balance(self) -> Balance:
        """What became of the addresses of rooms."""
        return room_balance(self.storeys, self.rooms)

    @property
    def counts(self) -> dict[str, int]:
        """Number of storeys and of rooms in buildings."""
        return {"storeys": len(self.storeys), "rooms": len(self.rooms)}

    @property
    def layers(self) -> dict[str, Any]:
        """Frames for ``city.gpkg``: a row a storey, with its number of rooms; a row a room."""
        storeys = self.storeys.to_pandas()
        storeys.insert(0, "storey_id", self.storeys.storey_id.astype(object))
        return {
            "storeys": storeys.assign(n_rooms=self.n_rooms),
            "rooms": self.rooms.to_pandas(),
        }

    @property
    def n_rooms(self) -> IntArray:
        """Number of rooms on each storey."""
        row = self.storeys.rows_of(self.rooms.building_id, self.rooms.floor)
        return np.bincount(row[row >= 0], minlength=len(self.storeys))


def make_interior(job: Job, inputs: Inputs, made: Made, links: Links) -> Interior | None:
    """Storeys and rooms of all buildings; None where the job asks for none."""
    if not (job.storeys or job.storeys_in_tiles):
        return None
    rooms = find_rooms(inputs.addresses or Addresses.empty(job.crs), links)
    storeys, issues = stack_storeys(
        inputs.footprints,
        made.buildings.h_ground,
        _tops(inputs.footprints, made),
        rooms,
        storey_height=job.storey_height,
    )
    return Interior(storeys, rooms, issues)


def _tops(footprints: Footprints, made: Made) -> FloatArray:
    """Where the storeys of each building end; the models of one block are in memory at once."""
    top = np.empty(len(footprints))
    for block in np.unique(made.block):
        rows = np.flatnonzero(made.block == block)
        parts, order = made.stored(rows)
        files = [(part.path, part.building_id, part.rows) for part in parts]
        models = load_stored(files, order, footprints.crs)
        top[rows] = storey_tops(made.buildings.take(rows), models)
    return top


def make_slabs(footprints: Footprints, storeys: Storeys) -> Models:
    """The slab of each storey: the footprint of its building between two heights.

    Parameters
    ----------
    footprints : Footprints
        Those of the buildings of the storeys, and no others, in their order.
    storeys : Storeys

    Returns
    -------
    Models
        Named by `Storeys.storey_id`.

    Examples
    --------
    >>> import shapely
    >>> footprints = Footprints.from_polygons(["a"], [shapely.box(0, 0, 4, 5)])
    >>> storeys = Storeys(["a", "a"], [1, 2], [0.0, 3.0], [3.0, 6.0], ["floors"] * 2)
    >>> slabs = make_slabs(footprints, storeys)
    >>> slabs.building_id.tolist(), slabs.to_trimesh(1).volume
    (['a-storey-1', 'a-storey-2'], np.float64(60.0))
    """
    row = _building_rows(storeys)
    outlines = Footprints.from_polygons(
        storeys.storey_id, footprints.polygons()[row], crs=footprints.crs
    )
    return make_prisms(outlines, storeys.z_bottom, storeys.z_top)


def _building_rows(storeys: Storeys) -> IntArray:
    """Number of the building of each storey, counted from 0 in their order."""
    changes = storeys.building_id[1:] != storeys.building_id[:-1]
    first = np.zeros(min(len(storeys), 1), dtype=np.int64)
    return np.concatenate([first, np.cumsum(np.asarray(changes, dtype=np.int64))])


class _Indoors:
    """Storeys and rooms by the rows of the buildings that they are in."""

    def __init__(self, interior: Interior, footprints: Footprints) -> None:
        self.interior, self.footprints, self.n_rooms = interior, footprints, interior.n_rooms
        names = footprints.building_id.tolist()
        row_of = {name: row for row, name in enumerate(names)}
        borders = np.arange(len(names) + 1)
        of_storey = [row_of[name] for name in interior.storeys.building_id.tolist()]
        self.storey_borders = np.searchsorted(np.array(of_storey, dtype=np.int64), borders)
        of_room = [row_of[name] for name in interior.rooms.building_id.tolist()]
        building = np.array(of_room, dtype=np.int64)
        self.rooms = np.argsort(building, kind="stable")
        self.room_borders = np.searchsorted(building[self.rooms], borders)

    def storeys_of(self, rows: IntArray) -> IntArray:
        """Rows of the storeys of some buildings, building by building."""
        return ragged_index(self.storey_borders, rows)[0]

    def rooms_of(self, rows: IntArray) -> IntArray:
        """Rows of the rooms of some buildings, building by building."""
        return self.rooms[ragged_index(self.room_borders, rows)[0]]

    def slabs_of(self, rows: IntArray) -> tuple[Storeys, Models]:
        """Storeys of some buildings and their slabs."""
        storeys = self.interior.storeys.take(self.storeys_of(rows))
        return storeys, make_slabs(self.footprints.take(rows), storeys)


def write_interior(
    staging: Staging,
    job: Job,
    interior: Interior,
    footprints: Footprints,
    buildings: Buildings,
    placement: Placement,
) -> None:
    """Write the files that the job asks for.

    Parameters
    ----------
    staging : Staging
    job : Job
    interior : Interior
    footprints, buildings : Footprints and Buildings, n rows
    placement : Placement
        Root frame of the tiles.
    """
    indoors = _Indoors(interior, footprints)
    if job.storeys:
        save_lines(staging.path(MODELS), _lines(indoors, buildings))
    if job.storeys_in_tiles:
        n_shown = max(1, job.tile_buildings // STOREYS_OF_BUILDING)
        tree = tile(footprints, buildings, tile_buildings=n_shown)
        made = [
            _write_tile(staging, indoors, buildings, tree.buildings(number), placement)
            for number in range(len(tree))
        ]
        boxes, uris = [box for box, _ in made], [uri for _, uri in made]
        for name, data in tileset_documents(tree, boxes, uris, placement).items():
            staging.write(f"{TILES}/{name}", data)


def _lines(indoors: _Indoors, buildings: Buildings) -> Iterator[bytes]:
    """Lines of the CityJSONSeq file."""
    footprints, rooms = indoors.footprints, indoors.interior.rooms
    head, base = cityjson_header(footprints.crs, footprints.total_bounds or (0.0,) * 4)
    yield head
    for first in range(0, len(footprints), AT_ONCE):
        rows = np.arange(first, min(first + AT_ONCE, len(footprints)))
        storeys, slabs = indoors.slabs_of(rows)
        inside = rooms.take(indoors.rooms_of(rows))
        yield from storey_features(buildings.take(rows), storeys, slabs, inside, base)


def _write_tile(
    staging: Staging,
    indoors: _Indoors,
    buildings: Buildings,
    rows: IntArray,
    placement: Placement,
) -> tuple[tuple[float, ...], str]:
    """Write the storeys of some buildings as one tile; its box and its name."""
    storeys, slabs = indoors.slabs_of(rows)
    code = buildings.code[rows][_building_rows(storeys)]
    n_rooms = indoors.n_rooms[indoors.storeys_of(rows)]
    encoded = encode_storeys(slabs, storeys, code, n_rooms, placement)
    staging.write(f"{TILES}/{encoded.uri}", encoded.data)
    return encoded.box, encoded.uri
