"""Places of which it is known which points are ground, made up to be hard for a filter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import shapely

from cimkit.tables import Footprints, PointCloud

NOISE = 0.03


class Scene(NamedTuple):
    """A cloud without classes, its truth, and the outlines that stand on it.

    Attributes
    ----------
    cloud : PointCloud
    is_ground : bool array, shape (n,)
    ground : callable
        True height of the ground at x, y.
    footprints : Footprints
    """

    cloud: PointCloud
    is_ground: Any
    ground: Callable[[Any, Any], Any]
    footprints: Footprints


def scene(
    ground: Callable[[Any, Any], Any],
    roofs: list[tuple[Any, Callable[[Any, Any], Any]]],
    *,
    size: tuple[float, float] = (120.0, 90.0),
    density: float = 4.0,
    seed: int = 0,
) -> Scene:
    """Points on the ground and on roofs, each roof an outline and its height above 0."""
    rng = np.random.default_rng(seed)
    n = int(size[0] * size[1] * density)
    x, y = rng.uniform(0, size[0], n), rng.uniform(0, size[1], n)
    z, is_ground = ground(x, y), np.ones(n, dtype=bool)
    for outline, height in roofs:
        on = shapely.contains_xy(outline, x, y)
        z, is_ground = np.where(on, height(x, y), z), is_ground & ~on
    z = z + rng.normal(0, NOISE, n)
    outlines = [outline for outline, _ in roofs] or [shapely.box(-50, -50, -45, -45)]
    footprints = Footprints.from_polygons([f"b{k}" for k in range(len(outlines))], outlines)
    return Scene(PointCloud(x, y, z, np.zeros(n)), is_ground, ground, footprints)


def flat(x: Any, y: Any) -> Any:
    """Ground at 3 m."""
    return 3.0 + 0 * x


def dike_height(x: Any, y: Any) -> Any:
    """A dike across a plain: 5 m high, 4 m wide at its crest, sides of 1 : 2.5."""
    return 5.0 - np.clip((np.abs(x - 60 - 0.1 * y) - 2) / 2.5, 0, 5)


def slope_height(x: Any, y: Any) -> Any:
    """A hillside that rises by 30 %."""
    return 0.3 * x + 0.02 * y


def bank_height(x: Any, y: Any) -> Any:
    """A river 4 m below the town, behind a bank of 1 : 1.5."""
    return 6.0 - np.clip((x - 70) / 1.5, 0, 4)


def at(height: float) -> Callable[[Any, Any], Any]:
    """A flat roof."""
    return lambda x, _: height + 0 * x


def above(ground: Callable[[Any, Any], Any], height: float) -> Callable[[Any, Any], Any]:
    """A roof that follows its ground."""
    return lambda x, y: ground(x, y) + height


def gable(west: float, east: float, eaves: float, pitch: float) -> Callable[[Any, Any], Any]:
    """A roof with its ridge in the middle between west and east."""
    middle, half = (west + east) / 2, (east - west) / 2
    return lambda x, _: eaves + pitch * (half - np.abs(x - middle))


def houses(height: float = 9.0) -> list[tuple[Any, Callable[[Any, Any], Any]]]:
    """Six houses in two rows."""
    return [
        (shapely.box(x, y, x + 12, y + 20), gable(x, x + 12, height, 0.8))
        for x in (10, 40, 95)
        for y in (12, 50)
    ]


def town() -> Scene:
    return scene(flat, houses())


def dike() -> Scene:
    return scene(dike_height, [(shapely.box(10, 20, 22, 50), gable(10, 22, 6, 0.7))])


def hillside() -> Scene:
    boxes = [shapely.box(x, y, x + 12, y + 10) for x in (20, 50, 80) for y in (10, 40, 65)]
    return scene(slope_height, [(box, at(slope_height(box.bounds[2], 0) + 6)) for box in boxes])


def bank() -> Scene:
    return scene(bank_height, [(shapely.box(40, 20, 60, 50), gable(40, 60, 11, 0.5))])


def hall() -> Scene:
    """A hall of 300 m by 200 m, 12 m high."""
    return scene(flat, [(shapely.box(50, 50, 350, 250), at(15.0))], size=(400, 300), density=2)


def courtyard() -> Scene:
    """A block of flats around a court of 14 m by 10 m."""
    ring = shapely.box(30, 20, 80, 60).difference(shapely.box(48, 35, 62, 45))
    return scene(flat, [(ring, at(21.0))])


def stray(ground: Scene, n: int = 60, seed: int = 5) -> Scene:
    """The scene with points 1 to 30 m below the ground, some of them two by two."""
    rng = np.random.default_rng(seed)
    chosen = np.flatnonzero(ground.is_ground)
    first = rng.choice(chosen, n, replace=False)
    x = np.concatenate([ground.cloud.x[first], ground.cloud.x[first[: n // 4]] + 0.4])
    y = np.concatenate([ground.cloud.y[first], ground.cloud.y[first[: n // 4]] + 0.3])
    z = ground.ground(x, y) - rng.uniform(1, 30, len(x))
    cloud = PointCloud(
        np.append(ground.cloud.x, x),
        np.append(ground.cloud.y, y),
        np.append(ground.cloud.z, z),
        np.zeros(len(ground.cloud) + len(x)),
    )
    truth = np.append(ground.is_ground, np.zeros(len(x), dtype=bool))
    return Scene(cloud, truth, ground.ground, ground.footprints)


def park(seed: int = 3) -> Scene:
    """Cars, hedges and trees that let one pulse in four through."""
    base = scene(flat, houses(), density=6)
    rng = np.random.default_rng(seed)
    x, y, z = base.cloud.x, base.cloud.y, base.cloud.z.copy()
    is_ground = base.is_ground.copy()
    for _ in range(25):
        place, radius = rng.uniform(5, 85, 2) * [1.3, 1], rng.uniform(2, 5)
        crown = np.hypot(x - place[0], y - place[1]) < radius
        crown &= is_ground & (rng.random(len(x)) < 0.75)
        z[crown] += rng.uniform(1.5, 9, int(crown.sum()))
        is_ground &= ~crown
    for _ in range(30):
        west, south = rng.uniform(5, 110), rng.uniform(5, 80)
        car = (x > west) & (x < west + 4.5) & (y > south) & (y < south + 1.8) & is_ground
        z[car] += 1.5
        is_ground &= ~car
    return Scene(PointCloud(x, y, z, np.zeros(len(x))), is_ground, base.ground, base.footprints)


SCENES: dict[str, Callable[[], Scene]] = {
    "town": town,
    "dike": dike,
    "hillside": hillside,
    "bank": bank,
    "hall": hall,
    "courtyard": courtyard,
    "park": park,
    "stray points": lambda: stray(town()),
    "stray points on a hillside": lambda: stray(hillside()),
    "stray points by a dike": lambda: stray(dike()),
}
