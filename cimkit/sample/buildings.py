"""A building set on the ground, with its exact roof and walls."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import shapely
from shapely.geometry import Polygon

from cimkit.sample.ground import ground_height
from cimkit.sample.roofs import (
    RoofFace,
    flat_roof,
    gable_roof,
    hip_roof,
    sawtooth_roof,
    shed_roof,
)
from cimkit.sample.shapes import Strip
from cimkit.tables._columns import FloatArray

PLINTH = 0.3
"""Ground floor above the mean ground along the outline, metres."""

LATER = 10_000_000
"""Numbers from here on are those of buildings of the second epoch: this, or twice it, and the
number of the building that stood there."""

_SLOPES = {
    "gable": gable_roof,
    "hip": hip_roof,
    "shed": shed_roof,
    "sawtooth": sawtooth_roof,
}


class Roof(NamedTuple):
    """What is decided about a roof before its height is known."""

    kind: str
    pitch: float = 0.0
    stair_houses: tuple[Polygon, ...] = ()
    """On the highest deck that covers them."""


class Level(NamedTuple):
    """A higher part of a building: where it stands, and storeys above the part below."""

    polygon: Polygon
    floors: int


class Draft(NamedTuple):
    """A building before it is set on the ground; `body` is a strip or the ring of a tower."""

    kind: str
    label: str
    structure: str
    floors: int
    """Of the whole building; `levels` take theirs off the lowest part."""
    storey: float
    body: Strip | FloatArray
    roof: Roof
    levels: tuple[Level, ...] = ()
    """Each stands on the highest part before it that holds it."""


class Mass(NamedTuple):
    """A part with upright walls, from `base` (NaN: the ground) up to its deck or eave."""

    polygon: Polygon
    base: float
    top: float


class Building(NamedTuple):
    """A building with its truth; heights in metres above the vertical datum."""

    number: int
    building_id: str
    """Identifier in the footprint file."""
    draft: Draft
    outline: Polygon
    drawn: Polygon
    """The outline as the survey office drew it."""
    front: FloatArray
    """The wall with the doors, shape (2, 2); outside is on its right."""
    masses: tuple[Mass, ...]
    faces: list[RoofFace]
    h_ground: float
    """Lowest ground along the outline."""

    @property
    def kind(self) -> str:
        """What the building is, such as ``slab``."""
        return self.draft.kind

    @property
    def label(self) -> str:
        """Name with the number of the building (幢号), as the survey office writes it."""
        return self.draft.label

    @property
    def h_eave(self) -> float:
        """Lowest deck of a flat roof, else the eave."""
        return self.masses[0].top

    @property
    def roof_area(self) -> float:
        """Area of the roof as seen from above, m2."""
        return float(sum(face.polygon.area for face in self.faces))

    @property
    def h_roof_mean(self) -> float:
        """Mean height of the roof."""
        total = sum(face.polygon.area * face.mean_height for face in self.faces)
        return float(total / self.roof_area)

    @property
    def h_roof_min(self) -> float:
        """Height of the lowest corner of the roof."""
        return min(face.z_range[0] for face in self.faces)

    @property
    def h_roof_max(self) -> float:
        """Height of the highest corner of the roof."""
        return max(face.z_range[1] for face in self.faces)

    @property
    def volume(self) -> float:
        """Volume between `h_ground` and the roof, m3."""
        return self.roof_area * (self.h_roof_mean - self.h_ground)


def erect(number: int, draft: Draft) -> Building:
    """Set a building on the ground and put its roof on.

    Examples
    --------
    >>> from cimkit.sample.shapes import strip
    >>> body = strip([(620200.0, 3356300.0), (620240.0, 3356300.0)], 12.0)
    >>> house = erect(0, Draft("slab", "锦绣苑1幢", "砖混", 6, 3.0, body, Roof("gable", 0.4)))
    >>> house.building_id, house.outline.area, len(house.faces)
    ('B0001', 480.0, 2)
    """
    body = draft.body
    outline = body.outline if isinstance(body, Strip) else Polygon(body)
    front = body.right[:2] if isinstance(body, Strip) else body[:2]
    ground = ground_height(*shapely.get_coordinates(outline.segmentize(1.0)).T)
    masses = _masses(draft, outline, float(ground.mean()) + PLINTH)
    if isinstance(body, Strip) and draft.roof.kind in _SLOPES:
        faces = _SLOPES[draft.roof.kind](body, masses[0].top, draft.roof.pitch)
    else:
        faces = _decks(masses, draft.roof.stair_houses)
    name, lowest = f"B{number + 1:04d}", float(ground.min())
    return Building(number, name, draft, outline, outline, front, masses, faces, lowest)


def _masses(draft: Draft, outline: Polygon, floor: float) -> tuple[Mass, ...]:
    """Stack the levels: each on the highest part that holds it."""
    lowest = draft.floors - _tallest(draft.levels)
    masses = [Mass(outline, np.nan, round(floor + lowest * draft.storey, 3))]
    for level in draft.levels:
        inner = level.polygon.representative_point()
        base = max(mass.top for mass in masses if mass.polygon.contains(inner))
        masses.append(Mass(level.polygon, base, round(base + level.floors * draft.storey, 3)))
    return tuple(masses)


def _tallest(levels: tuple[Level, ...]) -> int:
    """Count the storeys above the lowest part, where levels stand highest."""
    above: list[int] = []
    for k, level in enumerate(levels):
        inner = level.polygon.representative_point()
        below = [above[j] for j in range(k) if levels[j].polygon.contains(inner)]
        above.append(level.floors + max(below, default=0))
    return max(above, default=0)


def _decks(masses: tuple[Mass, ...], stair_houses: tuple[Polygon, ...]) -> list[RoofFace]:
    """Cover each part with a deck, but for what stands on it."""
    faces = []
    for k, (polygon, _, top) in enumerate(masses):
        upon = [
            m.polygon for m in masses[k + 1 :] if m.base == top and m.polygon.within(polygon)
        ]
        here = [
            house
            for house in stair_houses
            if polygon.contains(house) and not any(part.intersects(house) for part in upon)
        ]
        faces += flat_roof(polygon, top, here, upon)
    return faces
