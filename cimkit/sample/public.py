"""Where people work, learn and buy: a school, a commercial centre, factories."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from shapely.geometry import Polygon

from cimkit.sample.buildings import Draft, Level, Roof
from cimkit.sample.layout import Block, place
from cimkit.sample.names import centre_name, school_name, works_name
from cimkit.sample.shapes import Strip, rectangle, strip
from cimkit.sample.streams import stream


def school(block: Block, seed: int) -> Iterator[Draft]:
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
        label = school_name(block) + label
        yield Draft(kind, label, "框架", floors, storey, body, Roof(roof, pitch))


def centre(block: Block, seed: int) -> Iterator[Draft]:
    """Draw a commercial centre: podiums (裙楼) with towers, and stepped buildings (退台)."""
    u, v = block.centre
    name = centre_name(block)
    for k, at in enumerate([(-29.0, 18.0), (29.0, 18.0)]):
        rng = stream(seed, "building", block.first + k)
        body = strip(place([(-25.0, 0.0), (25.0, 0.0)], u + at[0], v + at[1]), 40.0)
        floors, sides = int(rng.integers(3, 6)), ((-12.5, 12.5) if k == 0 else (-4.0,))
        rises = [int(rng.integers(14, 25)) for _ in sides]
        levels, rooms = [], []
        for side, rise in zip(sides, rises, strict=True):
            middle = (u + at[0] + side, v + at[1] + 4.0)
            ring = rectangle(0.0, 0.0, rng.uniform(17.0, 20.0), rng.uniform(17.0, 20.0))
            levels.append(Level(Polygon(place(ring, *middle).round(3)), rise))
            rooms.append(Polygon(place(rectangle(0.0, 0.0, 7.0, 6.0), *middle)))
        roof = Roof("podium", 0.0, tuple(rooms))
        label = f"{name}{k + 1}号楼"
        yield Draft(
            "podium", label, "框剪", floors + max(rises), 3.6, body, roof, tuple(levels)
        )
    for k, (label, west) in enumerate([("宾馆", -29.0), ("门诊部", 29.0)], start=2):
        rng = stream(seed, "building", block.first + k)
        cuts = np.cumsum([-22.0, *rng.uniform(11.0, 17.0, 3)])
        body = strip(place([(cut, 0.0) for cut in cuts], u + west, v - 25.0), 16.0)
        rises = [int(rng.integers(2, 4)) for _ in range(2)]
        levels = [Level(_beyond(body, i + 1).outline, rise) for i, rise in enumerate(rises)]
        floors = int(rng.integers(3, 5)) + sum(rises)
        yield Draft(
            "stepped", name + label, "框架", floors, 3.5, body, Roof("stepped"), tuple(levels)
        )


def works(block: Block, seed: int) -> Iterator[Draft]:
    """Draw a factory: sawtooth halls, a gabled one, an office, a gatehouse with a shed roof."""
    u, v = block.centre
    name = works_name(block)
    plans = [
        ("sawtooth", "一车间", "factory", (-52.0, 0.0), 25.0, 28.0, 2),
        ("sawtooth", "二车间", "factory", (4.0, 52.0), 25.0, 28.0, 2),
        ("gable", "仓库", "warehouse", (-52.0, -2.0), -14.0, 24.0, 2),
        ("flat", "办公楼", "office", (10.0, 50.0), -14.0, 14.0, 4),
        ("shed", "门卫", "gatehouse", (-4.0, 3.0), -36.0, 5.0, 1),
    ]
    for k, (roof, label, kind, (west, east), north, width, floors) in enumerate(plans):
        rng = stream(seed, "building", block.first + k)
        bays = int(rng.integers(4, 7)) if roof == "sawtooth" else 1
        middle = (west + east) / 2.0
        spine = [(x - middle, 0.0) for x in np.linspace(west, east, bays + 1)]
        body = strip(place(spine, u + middle, v + north), width)
        pitch = rng.uniform(0.25, 0.35) if roof == "sawtooth" else rng.uniform(0.1, 0.2)
        storey = 3.6 if kind in ("office", "gatehouse") else rng.uniform(3.6, 4.4)
        yield Draft(kind, name + label, "钢结构", floors, storey, body, Roof(roof, pitch))


def _beyond(body: Strip, first: int) -> Strip:
    """Cut off the segments before the first-th; the rest shares its walls to the last bit."""
    return Strip(body.spine[first:], body.left[first:], body.right[first:])
