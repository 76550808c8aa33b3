"""Floors of buildings as slabs, and the rooms on them.

Three functions, in this order: `find_rooms` takes the rooms out of the addresses, `storey_tops`
the height up to which there are storeys from the models, and `stack_storeys` divides what lies
between that and the ground. `room_balance` counts what became of the rooms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cimkit.errors import ParameterError, TableError
from cimkit.steps.address.room import floor_number, floor_of_room, parse_room
from cimkit.tables import Addresses, Buildings, Issue, Links, Models
from cimkit.tables._columns import TEXT, floats, texts
from cimkit.tables.coerce import as_addresses, as_footprints
from cimkit.tables.elements import BUILDING, ROOM
from cimkit.tables.models import ROOF_SURFACE
from cimkit.tables.reportfacts import Balance
from cimkit.tables.storeys import Rooms, Storeys
from cimkit.tables.surfaces import face_vectors

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cimkit.tables._columns import FloatArray, IntArray, TextArray

TOWER_SHARE = 0.1
"""Part of a roof, seen from above, that is a tower on its podium, if it stands out far."""

ON_ROOF_SHARE, ON_ROOF_HEIGHT = 1 / 3, 4.0
"""What rises less than so many metres above a roof, and covers less of it, stands on the roof:
stair houses (楼梯间) and parapets, which cover up to 0.21 of flat roofs in samples."""

STOREY_MIN = 2.0
"""Metres. No storey is lower: a greatest floor among the rooms that makes lower ones is an
error of typing, and a number of storeys from the footprints that does is reported."""

HEIGHT_MIN, SLAB_MIN = 0.5, 0.1
"""Metres. Lower than any model; thinner than any slab, however many storeys are stated."""

STOREYS_MAX = 300
"""No building has more; `cimkit.read.footprints` takes no more either."""


def find_rooms(addresses: Any, links: Links) -> Rooms:
    """Rooms (分户) among addresses, each bound to the building of its surest link.

    An address is a room if its kind is 户室, or if it states no kind and has a room in its
    columns; without both, if its text ends in one (`cimkit.steps.address.room.parse_room`).
    What the columns say goes before what the text says, and a floor that is written before
    one that the number of the room shows.

    Parameters
    ----------
    addresses : Addresses, or GeoDataFrame of points with a column `address_id`
    links : Links
        Of these addresses.

    Returns
    -------
    Rooms
        In the order of the addresses. Of links that are equally sure the nearer one counts,
        then the least `building_id`. A link to all buildings of a compound binds no room: it is
        unbound, with the reason ``COMPOUND``.

    Examples
    --------
    >>> import cimkit, shapely
    >>> addresses = cimkit.Addresses(
    ...     ["1", "2", "3"], ["3幢", "3幢1单元301室", "3幢402室"], [1.0, 1.0, 99.0], [1.0] * 3
    ... )
    >>> footprints = cimkit.Footprints.from_polygons(["a"], [shapely.box(0, 0, 8, 8)])
    >>> rooms = find_rooms(addresses, cimkit.link(addresses, footprints)[0])
    >>> rooms.address_id.tolist(), rooms.building_id.tolist(), rooms.floor
    (['2'], ['a'], array([3]))
    >>> rooms.unbound_id.tolist(), rooms.unbound_reason.tolist()
    (['3'], ['TOO_FAR'])
    """
    addresses = as_addresses(addresses)
    found = _name_rooms(addresses)
    building_of = links.surest()
    reason_of = dict(
        zip(links.unlinked_id.tolist(), links.unlinked_reason.tolist(), strict=True)
    )
    rows = np.arange(len(addresses))
    whole = addresses.nearest_above(np.where(addresses.elements.kind == BUILDING, rows, -1))
    bound: list[tuple[str, str, int, str, str, str]] = []
    unbound: dict[str, str] = {}
    reason_of |= dict.fromkeys(links.address_id[links.role == "compound"].tolist(), "COMPOUND")
    names = [*addresses.address_id.tolist(), ""]
    for row, (unit, floor, room) in found.items():
        name = names[row]
        building = building_of.get(name)
        if building is None:
            unbound[name] = reason_of.get(name, "UNLINKED")
        else:
            bound.append((name, building, floor, unit, room, names[whole[row]]))
    columns = list(zip(*bound, strict=True)) or [()] * 6
    return Rooms(
        columns[0],  # type: ignore[arg-type]
        columns[1],  # type: ignore[arg-type]
        np.array(columns[2], dtype=np.int64),
        columns[3],  # type: ignore[arg-type]
        columns[4],  # type: ignore[arg-type]
        columns[5],  # type: ignore[arg-type]
        list(unbound),  # type: ignore[arg-type]
        list(unbound.values()),  # type: ignore[arg-type]
    )


def _name_rooms(addresses: Addresses) -> dict[int, tuple[str, int, str]]:
    """Unit, floor and room of the rows that are rooms."""
    elements = addresses.elements
    columns = (elements.kind, elements.unit, elements.floor, elements.room)
    rows = zip(addresses.address_text.tolist(), *(c.tolist() for c in columns), strict=True)
    found = {}
    for row, (text, kind, unit, floor, room) in enumerate(rows):
        if kind not in ("", ROOM):
            continue
        if room:
            number = floor_number(floor) or floor_of_room(room)
            found[row] = unit, number, room
            continue
        said = parse_room(text)
        if said.room or kind:
            found[row] = unit or said.unit, floor_number(floor) or said.floor, said.room
    return found


def storey_tops(buildings: Buildings, models: Models) -> FloatArray:
    """Height at which the topmost storey of each building ends, metres, shape (n,).

    The lowest point of a roof face is its foot: the eave (檐口) of a sloped one, so what is
    below a gable (阁楼) is no storey. That foot is looked for which the highest tenth of the
    roof reaches, seen from above: a tower on its podium. Of the roof that lies less than
    `ON_ROOF_HEIGHT` below it the highest third decides: stair houses and parapets do not count.
    Roofs that come down to the ground have no foot to speak of: there the height of the
    building counts.

    Parameters
    ----------
    buildings : Buildings, n rows
    models : Models, n rows
        The same buildings in the same order, each with one solid, such as `models.best()`.

    Raises
    ------
    TableError
        If the rows do not belong together, or a solid has no roof.

    Examples
    --------
    >>> import cimkit, shapely
    >>> footprints = cimkit.Footprints.from_polygons(
    ...     ["a"], [shapely.box(0, 0, 9, 9)], height=[7.5]
    ... )
    >>> buildings, models, _ = cimkit.reconstruct(footprints)
    >>> storey_tops(buildings, models.best())
    array([7.5])
    """
    if models.building_id.tolist() != buildings.building_id.tolist():
        raise TableError("storey_tops: buildings and models must have the same rows")
    foot = _roof_feet(models)
    enough = foot - buildings.h_ground >= np.minimum(STOREY_MIN, buildings.height)
    return np.where(enough, foot, buildings.h_ground + buildings.height)


def _roof_feet(models: Models) -> FloatArray:
    """The foot of the roof of each solid."""
    faces = np.flatnonzero(models.semantics == ROOF_SURFACE)
    solid, n = models.solid_of_face[faces], len(models)
    size = np.bincount(solid, minlength=n)
    if not size.all():
        raise TableError("storey_tops: a solid has no roof")
    face_of_corner = np.repeat(models.face_of_ring, np.diff(models.ring_offsets))
    lowest = np.full(len(models.semantics), np.inf)
    np.minimum.at(lowest, face_of_corner, models.vertices[models.ring_vertex, 2])
    foot, area = lowest[faces], np.abs(face_vectors(models)[faces, 2])
    order = np.lexsort((-foot, solid))
    foot, area = foot[order], area[order]
    first = np.cumsum(size) - size
    total = np.concatenate([[0.0], np.cumsum(area)])
    covered = total[1:] - total[first][solid]  # by a face and all those above it

    def foot_of(share: float, whole: FloatArray) -> FloatArray:
        """The foot that the highest part of so much of the roof reaches."""
        short = covered < (share * (1.0 - 1e-9) * whole)[solid]
        n_short = np.bincount(solid[short], minlength=n)
        return np.asarray(foot[first + np.minimum(n_short, size - 1)])

    tower = foot_of(TOWER_SHARE, total[first + size] - total[first])
    near = area * (foot >= tower[solid] - ON_ROOF_HEIGHT)
    return foot_of(ON_ROOF_SHARE, np.asarray(np.bincount(solid, near, n), np.float64))


def stack_storeys(
    footprints: Any,
    z_ground: ArrayLike,
    z_top: ArrayLike,
    rooms: Rooms,
    *,
    storey_height: float = 3.0,
) -> tuple[Storeys, list[Issue]]:
    """Divide buildings into storeys (分层) of equal height, from the ground up.

    How many there are say the footprints (`floors`), else the greatest floor among the rooms,
    else the height: as many storeys of `storey_height` as fit it best. Of storeys under the
    ground footprints say nothing: there are none, and rooms there have no slab.

    Parameters
    ----------
    footprints : Footprints or GeoDataFrame, n rows
    z_ground, z_top : float64 array, shape (n,)
        Metres; the storeys lie between. Buildings below `HEIGHT_MIN` are raised to it.
    rooms : Rooms
    storey_height : float, default 3.0
        Metres.

    Returns
    -------
    storeys : Storeys
        Building by building in the order of the footprints; heights in whole millimetres.
    issues : list of Issue
        ``FLOOR_BEYOND_BUILDING`` for each room above the topmost storey, which keeps its floor
        but has no slab; ``STOREYS_LOW`` for each building with more storeys than its height
        has room for.

    Raises
    ------
    ParameterError
        If `storey_height` is below `HEIGHT_MIN` or not finite.

    Notes
    -----
    Of the rooms only floors that leave each storey `STOREY_MIN` count: one room on floor 99
    does not make a house a tower.

    Examples
    --------
    >>> import cimkit, shapely
    >>> footprints = cimkit.Footprints.from_polygons(
    ...     ["a", "b"], [shapely.box(0, 0, 8, 8), shapely.box(20, 0, 28, 8)], floors=[2, np.nan]
    ... )
    >>> rooms = Rooms(["1"], ["a"], [3], [""], ["301"], [""])
    >>> storeys, issues = stack_storeys(footprints, [0.0, 0.0], [6.4, 10.0], rooms)
    >>> storeys.number.tolist(), storeys.z_top.tolist()
    ([1, 2, 1, 2, 3], [3.2, 6.4, 3.333, 6.667, 10.0])
    >>> storeys.source.tolist()[1:3], [issue.code for issue in issues]
    (['floors', 'height'], ['FLOOR_BEYOND_BUILDING'])
    """
    if not HEIGHT_MIN <= storey_height < np.inf:
        raise ParameterError(f"storey_height: at least {HEIGHT_MIN} m, not {storey_height}")
    footprints = as_footprints(footprints)
    names, n = footprints.building_id, len(footprints)
    bottom = np.round(floats("z_ground", z_ground, n), 3)
    height = np.round(np.maximum(floats("z_top", z_top, n) - bottom, HEIGHT_MIN), 3)
    greatest = _greatest_floors(names, rooms, height)
    count, source = _count_storeys(footprints.floors, greatest, height, storey_height)
    row = np.repeat(np.arange(n), count)
    number = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + 1
    step = (height / count)[row]
    storeys = Storeys(
        names[row],
        number,
        np.round(bottom[row] + step * (number - 1), 3),
        np.round(bottom[row] + step * number, 3),
        source[row],
    )
    issues = _low_storeys(names, count, height) + _floors_beyond(names, count, rooms)
    return storeys, issues


def _greatest_floors(names: TextArray, rooms: Rooms, height: FloatArray) -> IntArray:
    """Greatest floor among the rooms of each building that its height has room for; 0: none."""
    row_of = {name: row for row, name in enumerate(names.tolist())}
    most = np.floor(height / STOREY_MIN)
    greatest = np.zeros(len(names), dtype=np.int64)
    for name, floor in zip(rooms.building_id.tolist(), rooms.floor.tolist(), strict=True):
        row = row_of.get(name, -1)
        if row >= 0 and greatest[row] < floor <= most[row]:
            greatest[row] = floor
    return greatest


def _count_storeys(
    stated: FloatArray, greatest: IntArray, height: FloatArray, storey_height: float
) -> tuple[IntArray, TextArray]:
    """Number of storeys of each building, and where it is from."""
    count = np.maximum(np.rint(height / storey_height), 1.0)
    source = np.full(len(count), "height", TEXT)
    for column, known, name in (
        (greatest, greatest > 0, "rooms"),
        (np.rint(stated), stated >= 0.5, "floors"),
    ):
        count[known], source[known] = column[known], name
    most = np.minimum(np.floor(height / SLAB_MIN), STOREYS_MAX)
    return np.minimum(count, most).astype(np.int64), texts("source", source)


def _low_storeys(names: TextArray, count: IntArray, height: FloatArray) -> list[Issue]:
    """Buildings whose storeys are lower than any; one of a single storey may be a shed."""
    issues = []
    for row in np.flatnonzero((count > 1) & (height < count * STOREY_MIN)).tolist():
        each = f"{height[row] / count[row]:.1f} m each"
        message = (
            f"{count[row]} storeys in {height[row]:.1f} m would be {each}; look at its height "
            "and at its number of floors"
        )
        issues.append(Issue("WARNING", "STOREYS_LOW", "buildings", str(names[row]), message))
    return issues


def _floors_beyond(names: TextArray, count: IntArray, rooms: Rooms) -> list[Issue]:
    """Rooms above the topmost storey of their building."""
    n_storeys = dict(zip(names.tolist(), count.tolist(), strict=True))
    issues = []
    columns = (rooms.address_id.tolist(), rooms.building_id.tolist(), rooms.floor.tolist())
    for address, building, floor in zip(*columns, strict=True):
        if floor > n_storeys.get(building, floor):
            message = (
                f"is on floor {floor} of {building}, which has {n_storeys[building]}; kept "
                "without a slab. Correct the floor, or the number of floors"
            )
            issues.append(
                Issue("WARNING", "FLOOR_BEYOND_BUILDING", "addresses", address, message)
            )
    return issues


def room_balance(storeys: Storeys, rooms: Rooms) -> Balance:
    """What became of the addresses of rooms: on a storey, in a building only, or unbound.

    Examples
    --------
    >>> storeys = Storeys(["a"], [1], [0.0], [3.0], ["floors"])
    >>> rooms = Rooms(["1", "2"], ["a", "a"], [1, 0], [""] * 2, ["101", "东户"], [""] * 2)
    >>> room_balance(storeys, rooms).parts
    {'on a storey': 1, 'on an unknown floor': 1}
    """
    on_storey = storeys.rows_of(rooms.building_id, rooms.floor) >= 0
    kinds = {
        "on a storey": on_storey,
        "on an unknown floor": rooms.floor == 0,
        "under the ground": ~on_storey & (rooms.floor < 0),
        "beyond the building": ~on_storey & (rooms.floor > 0),
    }
    parts = {kind: int(rows.sum()) for kind, rows in kinds.items() if rows.any()}
    for reason in sorted(rooms.unbound_reason.tolist()):
        parts[reason] = parts.get(reason, 0) + 1
    return Balance("rooms", len(rooms) + len(rooms.unbound_id), parts)
