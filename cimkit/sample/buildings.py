"""The buildings of each kind of block, with their exact roofs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import shapely
from shapely.geometry import Polygon

from cimkit.sample.layout import Block, compound_name, ground_height, place, to_map
from cimkit.sample.roofs import RoofFace, flat_roof, gable_roof, hip_roof
from cimkit.sample.shapes import Strip, cross, rectangle, strip
from cimkit.sample.streams import stream
from cimkit.tables._columns import FloatArray

PLINTH = 0.3
"""Ground floor above the mean ground along the outline, metres."""


class Building(NamedTuple):
    """A building with its truth; heights in metres above the vertical datum."""

    number: int
    kind: str
    roof: str
    label: str
    structure: str
    floors: int
    outline: Polygon
    front: FloatArray
    """The wall with the doors, shape (2, 2); outside is on its right."""
    faces: list[RoofFace]
    h_ground: float
    """Lowest ground along the outline."""
    h_eave: float
    """Deck of a flat roof, else the eave."""

    @property
    def building_id(self) -> str:
        """Identifier in the footprint file."""
        return f"B{self.number + 1:04d}"

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
    def h_roof_max(self) -> float:
        """Height of the highest corner of the roof."""
        return max(face.highest for face in self.faces)

    @property
    def volume(self) -> float:
        """Volume between `h_ground` and the roof, m3."""
        return self.roof_area * (self.h_roof_mean - self.h_ground)


class Roof(NamedTuple):
    """What is decided about a roof before its height is known."""

    kind: str
    pitch: float = 0.0
    stair_houses: tuple[Polygon, ...] = ()


class Draft(NamedTuple):
    """A building before it is set on the ground; `body` is a strip or the ring of a tower."""

    kind: str
    label: str
    structure: str
    floors: int
    storey: float
    body: Strip | FloatArray
    roof: Roof


def build_block(block: Block, seed: int) -> list[Building]:
    """All buildings of a block.

    Examples
    --------
    >>> house = build_block(Block(0, 0, 0, "self-built", 0, 1), seed=7)[0]
    >>> house.building_id, house.label
    ('B0001', '自建房')
    """
    if block.n == 0:
        return []
    drafts = _DRAFTS[block.kind](block, seed)
    return [
        _erect(block.first + k, draft) for k, draft in zip(range(block.n), drafts, strict=False)
    ]


def _slabs(block: Block, seed: int) -> Iterator[Draft]:
    """Draw slabs (板楼): two columns of three, with six or seven floors."""
    u, v = block.centre
    for k in range(block.n):
        rng = stream(seed, "building", block.first + k)
        half = rng.uniform(21.0, 25.0)
        at = (u + (k % 2 - 0.5) * 55.0, v + (k // 2 - 1) * 30.0)
        body = strip(place([(-half, 0.0), (half, 0.0)], *at), 12.0)
        stairs = [rectangle(side * half / 2, 2.5, 3.0, 5.0) for side in (-1, 1)]
        kind = rng.choice(["flat", "gable", "hip"], p=[0.5, 0.3, 0.2])
        if kind == "flat":
            roof = Roof("flat", stair_houses=tuple(Polygon(place(s, *at)) for s in stairs))
        else:
            roof = Roof(str(kind), rng.uniform(0.35, 0.5))
        label = f"{compound_name(block)}{k + 1}幢"
        yield Draft("slab", label, "砖混", int(rng.integers(6, 8)), 2.9, body, roof)


def _towers(block: Block, seed: int) -> Iterator[Draft]:
    """Draw point towers (点式高层) with cut-out corners and a machine room on the roof."""
    u, v = block.centre
    for k in range(block.n):
        rng = stream(seed, "building", block.first + k)
        at = (u + (k % 2 - 0.5) * 56.0, v + (k // 2 - 0.5) * 44.0)
        ring = cross(rng.uniform(24.0, 28.0), rng.uniform(20.0, 24.0), rng.uniform(2.5, 4.5))
        machines = Polygon(place(rectangle(0.0, 0.0, 9.0, 7.0), *at))
        label = f"{compound_name(block)}{k + 1}幢"
        floors = int(rng.integers(18, 34))
        body = place(ring, *at).round(3)
        yield Draft("tower", label, "剪力墙", floors, 3.0, body, Roof("flat", 0.0, (machines,)))


def _self_built(block: Block, seed: int) -> Iterator[Draft]:
    """Draw self-built houses (自建房): four rows along the street, walls shared in a row."""
    u, v = block.centre
    for row in range(4):
        widths = stream(seed, "row", 4 * block.number + row).uniform(8.0, 12.0, 8)
        borders = u - widths.sum() / 2.0 + np.concatenate([[0.0], widths.cumsum()])
        across = v + (-33.0, -11.0, 11.0, 33.0)[row]
        houses = strip(to_map(borders, np.full(9, across)), 12.0).cut()
        for k, body in enumerate(houses):
            rng = stream(seed, "building", block.first + 8 * row + k)
            roof = Roof("gable", rng.uniform(0.35, 0.55))
            if rng.random() < 0.6:
                middle = (borders[k] + borders[k + 1]) / 2.0
                stairs = place(rectangle(rng.uniform(-1.0, 1.0), 3.0, 2.8, 4.0), middle, across)
                roof = Roof("flat", 0.0, (Polygon(stairs),) if rng.random() < 0.7 else ())
            floors = int(rng.choice([2, 3, 4, 5], p=[0.2, 0.4, 0.3, 0.1]))
            yield Draft(
                "self-built", "自建房", "砖混", floors, rng.uniform(2.9, 3.2), body, roof
            )


def _school(block: Block, seed: int) -> Iterator[Draft]:
    """Draw a school: classrooms as U and L, a courtyard house, a sports hall, a canteen."""
    classrooms = [(-48, 2), (-48, 30), (-12, 30), (-12, 2)]
    laboratory = [(10, 32), (46, 32), (46, 6)]
    library = [(-46, -34), (-20, -34), (-20, -12), (-46, -12)]
    buildings = [
        ("U-shape", "教学楼", 4, 3.4, classrooms, 10.0, "flat"),
        ("L-shape", "实验楼", 3, 3.4, laboratory, 10.0, "gable"),
        ("courtyard", "图书馆", 2, 3.3, library, 8.0, "gable"),
        ("hall", "体育馆", 3, 3.1, [(-8, -24), (26, -24)], 20.0, "hip"),
        ("canteen", "食堂", 2, 3.2, [(34, -26), (52, -26)], 11.0, "gable"),
    ]
    for k, (kind, label, floors, storey, spine, width, roof) in enumerate(buildings):
        pitch = stream(seed, "building", block.first + k).uniform(0.3, 0.45)
        body = strip(place(spine, *block.centre), width, closed=kind == "courtyard")
        yield Draft(kind, label, "框架", floors, storey, body, Roof(roof, pitch))


_DRAFTS = {
    "slabs": _slabs,
    "self-built": _self_built,
    "towers": _towers,
    "school": _school,
}


def _erect(number: int, draft: Draft) -> Building:
    """Set a building on the ground and put its roof on."""
    kind, label, structure, floors, storey, body, roof = draft
    if isinstance(body, Strip):
        outline, front = body.outline, body.right[:2]
    else:
        outline, front = Polygon(body), body[:2]
    ground = ground_height(*shapely.get_coordinates(outline.segmentize(1.0)).T)
    h_eave = round(float(ground.mean()) + PLINTH + floors * storey, 3)
    if isinstance(body, Strip) and roof.kind != "flat":
        slopes = {"gable": gable_roof, "hip": hip_roof}[roof.kind]
        faces = slopes(body, h_eave, roof.pitch)
    else:
        faces = flat_roof(outline, h_eave, roof.stair_houses)
    h_ground = float(ground.min())
    return Building(
        number,
        kind,
        roof.kind,
        label,
        structure,
        floors,
        outline,
        front,
        faces,
        h_ground,
        h_eave,
    )
