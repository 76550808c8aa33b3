"""Where people live: slabs, point towers, self-built houses."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from shapely.geometry import Polygon

from cimkit.sample.buildings import Draft, Roof
from cimkit.sample.layout import Block, place, to_map
from cimkit.sample.names import compound_name
from cimkit.sample.shapes import cross, rectangle, strip
from cimkit.sample.streams import stream


def slabs(block: Block, seed: int) -> Iterator[Draft]:
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


def towers(block: Block, seed: int) -> Iterator[Draft]:
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


def self_built(block: Block, seed: int) -> Iterator[Draft]:
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
            elif rng.random() < 0.2:
                roof = Roof("shed", rng.uniform(0.12, 0.2))
            floors = int(rng.choice([2, 3, 4, 5], p=[0.2, 0.4, 0.3, 0.1]))
            yield Draft(
                "self-built", "自建房", "砖混", floors, rng.uniform(2.9, 3.2), body, roof
            )
