"""Each fast kernel beside a slow way to the same answer, and input for both.

The tests hold the two against each other, `python -m benchmarks` times them. The slow ways are
shapely's, NumPy's and exact fractions; where shapely has an index, they use it, so that the
benchmark compares with the best that pip gives.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import shapely

from cimkit.kernels._jit import kernel
from cimkit.kernels.cell_neighbours import compare_neighbours, count_around
from cimkit.kernels.footprint_distance import depth_in_footprint, distance_to_footprint
from cimkit.kernels.footprint_grid import build_grid
from cimkit.kernels.grouping import group_rows, grouped_quantiles
from cimkit.kernels.nearest_footprint import nearest_footprints, values_near_footprints
from cimkit.kernels.number_chain import chain_course, chain_marginals
from cimkit.kernels.orientation import orientation
from cimkit.kernels.point_in_footprint import assign_points, covering_footprints
from cimkit.kernels.point_neighbourhoods import describe_neighbourhoods
from cimkit.kernels.progressive_morphology import (
    find_objects,
    find_pits,
    lowest_cells,
    open_surface,
)
from cimkit.kernels.roof_cover import cover_roofs
from cimkit.kernels.roof_residuals import roof_residuals
from cimkit.kernels.shared_outline import shared_outline
from cimkit.kernels.terrain_cells import empty_sums, fill_holes, halve, sum_cells
from cimkit.tables import Footprints
from tests.chain_oracles import (
    chains,
    course_by_least_squares,
    marginals_by_all_ways,
    plates,
)
from tests.ground_oracles import (
    fits_by_windows,
    lowest,
    lowest_by_numpy,
    neighbourhoods_by_pairs,
    objects_by_windows,
    open_by_windows,
    pits_by_windows,
    windows,
)
from tests.quality_oracles import (
    cover,
    cover_by_shapely,
    covered,
    residuals,
    residuals_by_shapely,
    roofs_and_points,
    rows_of_houses,
    shared,
    shared_by_shapely,
)
from tests.roof_oracles import ROOF_ORACLES
from tests.solid_oracles import SOLID_ORACLES

RADIUS = 4.0


class Oracle(NamedTuple):
    """A kernel, its oracle, and what both are called with.

    Attributes
    ----------
    fast, slow : callable
        Give an array or a tuple of arrays; whole numbers must be equal, others nearly.
    make_input : callable
        Arguments from a random generator and a size.
    kernel : callable
        The function of cimkit that `fast` calls.
    tolerance : float
        Absolute, for numbers that are not whole.
    """

    fast: Callable[..., Any]
    slow: Callable[..., Any]
    make_input: Callable[[np.random.Generator, int], tuple[Any, ...]]
    kernel: Callable[..., Any]
    tolerance: float = 1e-7


def houses(rng: np.random.Generator, n: int) -> Footprints:
    """Star-shaped outlines of 4 to 40 corners, some with a courtyard, some overlapping."""
    shapes = []
    for _ in range(n):
        m = int(rng.integers(4, 41))
        angle = 2 * np.pi * (np.arange(m) + rng.uniform(0, 0.9)) / m
        direction = np.column_stack([np.cos(angle), np.sin(angle)])
        ring = rng.uniform(4, 12, (m, 1)) * direction
        center = rng.uniform(0, 12 * np.sqrt(n) + 1, 2)
        holes = [(center + direction * 2).round(3)] if rng.random() < 0.3 else []
        shapes.append(shapely.Polygon((center + ring).round(3), holes))
    return Footprints.from_polygons([f"b{k}" for k in range(n)], shapes)


def _points_and_houses(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    footprints = houses(rng, max(1, n // 200))
    high = 12 * np.sqrt(len(footprints)) + 15
    x, y = rng.uniform(-15, high, (2, n))
    return x, y, footprints, build_grid(footprints)


def _pairs(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    x, y, footprints, grid = _points_and_houses(rng, n)
    return x, y, rng.integers(0, len(footprints), n), footprints, grid


def covering_pairs(x: Any, y: Any, footprints: Footprints) -> Any:
    """Point and footprint of all pairs in which the one lies on the other."""
    tree = shapely.STRtree(footprints.polygons())
    return tree.query(shapely.points(x, y), predicate="intersects")


def covering_by_shapely(x: Any, y: Any, footprints: Footprints) -> Any:
    """Footprints of each point by rising area, then row, and the borders of the points."""
    point, footprint = covering_pairs(x, y, footprints)
    order = np.lexsort((footprint, footprints.area[footprint], point))
    counts = np.bincount(point, minlength=len(x))
    return footprint[order], np.append(0, np.cumsum(counts))


def assign_by_shapely(x: Any, y: Any, footprints: Footprints) -> Any:
    """Smallest footprint that covers each point, or -1."""
    found, offsets = covering_by_shapely(x, y, footprints)
    return np.where(np.diff(offsets) > 0, np.append(found, -1)[offsets[:-1]], -1)


def nearest_by_shapely(x: Any, y: Any, footprints: Footprints, radius: float) -> Any:
    """Footprints within the radius of each point by rising distance, then row."""
    shapes, places = footprints.polygons(), shapely.points(x, y)
    point, footprint = shapely.STRtree(shapes).query(
        places, predicate="dwithin", distance=radius
    )
    distance = shapely.distance(places[point], shapes[footprint])
    order = np.lexsort((footprint, distance, point))
    offsets = np.append(0, np.cumsum(np.bincount(point, minlength=len(x))))
    return footprint[order], distance[order], offsets


def near_by_shapely(x: Any, y: Any, footprints: Footprints, radius: float) -> Any:
    """Points within the radius of each footprint, by row, and the borders of the footprints."""
    footprint, point = shapely.STRtree(shapely.points(x, y)).query(
        footprints.polygons(), predicate="dwithin", distance=radius
    )
    order = np.lexsort((point, footprint))
    counts = np.bincount(footprint, minlength=len(footprints))
    return point[order], np.append(0, np.cumsum(counts))


def _near(x: Any, y: Any, footprints: Footprints, _: Any) -> Any:
    rows, offsets = values_near_footprints(x, y, footprints, RADIUS)
    footprint = np.repeat(np.arange(len(footprints)), np.diff(offsets))
    return rows[np.lexsort((rows, footprint))], offsets


def group_by_numpy(group: Any, n_groups: int) -> Any:
    """Stable sort by group."""
    order = np.argsort(group, kind="stable")
    counts = np.bincount(group[group >= 0], minlength=n_groups)
    return order[np.count_nonzero(group < 0) :], np.append(0, np.cumsum(counts))


def quantiles_by_numpy(values: Any, rows: Any, borders: Any, quantiles: Any) -> Any:
    """Call `numpy.quantile` on each group."""
    groups = np.split(values[rows], borders[1:-1])
    empty = np.full(len(quantiles), np.nan)
    return np.array([np.quantile(g, quantiles) if len(g) else empty for g in groups])


def _grouped(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    n_groups = max(1, n // 100)
    rows, borders = group_rows(rng.integers(-1, n_groups, n), n_groups)
    return rng.normal(20, 5, n), rows, borders, np.array([0.0, 0.05, 0.6, 1.0])


def _ground(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    side = max(1.0, np.sqrt(n) / 3)
    x, y = rng.uniform(-side, side, (2, n))
    return x, y, rng.normal(50, 3, n).round(3), round(side)


def _sums(x: Any, y: Any, z: Any, half: int) -> Any:
    total, count = empty_sums(2 * half, 2 * half)
    used = sum_cells(x, y, z, 1.0, -half, -half, total, count)
    return total, count, np.array(used)


def sums_by_numpy(x: Any, y: Any, z: Any, half: int) -> Any:
    """Whole millimetres by `numpy.add.at`."""
    column, row = np.floor(x).astype(int) + half, np.floor(y).astype(int) + half
    inside = (column >= 0) & (column < 2 * half) & (row >= 0) & (row < 2 * half)
    total, count = empty_sums(2 * half, 2 * half)
    np.add.at(total, (row[inside], column[inside]), np.round(z[inside] * 1000).astype(int))
    np.add.at(count, (row[inside], column[inside]), 1)
    return total, count, np.array(inside.sum())


def _heights(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    rows = max(1, int(np.sqrt(n)))
    z = rng.normal(20, 3, (rows, rows + 1)).astype(np.float32)
    z[rng.random(z.shape) < 0.4] = np.nan
    return z, int(rng.integers(0, 9)), int(rng.integers(0, 9))


def halve_by_numpy(z: Any, first_row: int, first_column: int) -> Any:
    """Means of blocks of two by two in an array that is padded to whole ones."""
    odd = first_row & 1, first_column & 1
    pads = [(k, (n + k) % 2) for k, n in zip(odd, z.shape, strict=True)]
    padded = np.pad(z.astype(float), pads, constant_values=np.nan)
    blocks = padded.reshape(padded.shape[0] // 2, 2, padded.shape[1] // 2, 2)
    count = np.isfinite(blocks).sum((1, 3))
    total = np.nansum(blocks, (1, 3))
    return np.where(count, total / np.maximum(count, 1), np.nan).astype(np.float32)


def fill_by_numpy(z: Any, first_row: int, first_column: int, level: int = 0) -> Any:
    """Fill unknown cells bilinearly from the means, filled themselves, of two by two cells."""
    if z.size <= 1:
        return z
    if level >= 10:  # where the kernel stops to align the cells with the origin
        first_row = first_column = 0
    coarse = halve_by_numpy(z, first_row, first_column)
    coarse = fill_by_numpy(coarse, first_row >> 1, first_column >> 1, level + 1)
    v = (np.arange(z.shape[0]) + (first_row & 1) + 0.5) / 2 - 0.5
    u = (np.arange(z.shape[1]) + (first_column & 1) + 0.5) / 2 - 0.5
    south, west = np.floor(v).astype(int), np.floor(u).astype(int)
    dv, du = (v - south)[:, None], u - west
    north = np.minimum(south + 1, coarse.shape[0] - 1)
    east = np.minimum(west + 1, coarse.shape[1] - 1)
    south, west = np.maximum(south, 0), np.maximum(west, 0)
    lower = coarse[south][:, west] * (1 - du) + coarse[south][:, east] * du
    upper = coarse[north][:, west] * (1 - du) + coarse[north][:, east] * du
    return np.where(np.isnan(z), lower * (1 - dv) + upper * dv, z).astype(np.float32)


def _filled(z: Any, first_row: int, first_column: int) -> Any:
    z = z.copy()
    fill_holes(z, first_row, first_column)
    return z


def _surface(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    rows = max(1, int(np.sqrt(n)))
    z = rng.integers(0, 9, (rows, rows + 3)).astype(np.float32)
    return z, int(rng.integers(1, 5))


def _pitted(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    z = rng.normal(20, 0.3, (max(1, int(np.sqrt(n))), 40)).astype(np.float32)
    low = rng.random(z.shape)
    z[low < 0.03] -= 5
    z[rng.random(z.shape) < 0.3] = np.nan
    return (z,)


def _crowd(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    x, y, z = rng.uniform(-3, 3, (3, n)) * [[1], [1], [0.3]]
    wanted = rng.permutation(n)[: n // 2 + 1]
    return x, y, z, rng.random((n, 2)) < 0.4, wanted, 1.0


@kernel
def _sides(a: Any, b: Any, p: Any) -> Any:
    found = np.empty(len(a), np.int64)
    for i in range(len(a)):
        found[i] = orientation(a[i, 0], a[i, 1], b[i, 0], b[i, 1], p[i, 0], p[i, 1])
    return found


def sides_by_fractions(a: Any, b: Any, p: Any) -> Any:
    """Sign of the determinant in exact arithmetic."""
    found = []
    for row in np.hstack([a, b, p]).tolist():
        ax, ay, bx, by, px, py = map(Fraction, row)
        value = (ax - px) * (by - py) - (ay - py) * (bx - px)
        found.append((value > 0) - (value < 0))
    return np.array(found, dtype=np.int64)


def _near_lines(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    a, b = rng.uniform(-1e5, 1e5, (2, n, 2))
    p = a + rng.choice([0.25, 0.5, 1.0, 1 / 3], (n, 1)) * (b - a)
    return a, b, np.where(rng.random((n, 2)) < 0.3, np.nextafter(p, np.inf), p)


ORACLES: dict[str, Oracle] = {
    "assign_points": Oracle(
        lambda x, y, _, grid: assign_points(x, y, grid),
        lambda x, y, footprints, _: assign_by_shapely(x, y, footprints),
        _points_and_houses,
        assign_points,
    ),
    "covering_footprints": Oracle(
        lambda x, y, _, grid: covering_footprints(x, y, grid),
        lambda x, y, footprints, _: covering_by_shapely(x, y, footprints),
        _points_and_houses,
        covering_footprints,
    ),
    "nearest_footprints": Oracle(
        lambda x, y, _, grid: nearest_footprints(x, y, grid, RADIUS),
        lambda x, y, footprints, _: nearest_by_shapely(x, y, footprints, RADIUS),
        _points_and_houses,
        nearest_footprints,
    ),
    "values_near_footprints": Oracle(
        _near,
        lambda x, y, footprints, _: near_by_shapely(x, y, footprints, RADIUS),
        _points_and_houses,
        values_near_footprints,
    ),
    "distance_to_footprint": Oracle(
        lambda x, y, row, _, grid: distance_to_footprint(x, y, row, grid),
        lambda x, y, row, footprints, _: shapely.distance(
            footprints.polygons()[row], shapely.points(x, y)
        ),
        _pairs,
        distance_to_footprint,
    ),
    "depth_in_footprint": Oracle(
        lambda x, y, row, _, grid: depth_in_footprint(x, y, row, grid),
        lambda x, y, row, footprints, _: shapely.distance(
            shapely.boundary(footprints.polygons())[row], shapely.points(x, y)
        ),
        _pairs,
        depth_in_footprint,
    ),
    "chain_marginals": Oracle(chain_marginals, marginals_by_all_ways, chains, chain_marginals),
    "chain_course": Oracle(chain_course, course_by_least_squares, plates, chain_course),
    "group_rows": Oracle(
        group_rows,
        group_by_numpy,
        lambda rng, n: (rng.integers(-1, max(1, n // 9), n), max(1, n // 9)),
        group_rows,
    ),
    "grouped_quantiles": Oracle(
        grouped_quantiles, quantiles_by_numpy, _grouped, grouped_quantiles
    ),
    "sum_cells": Oracle(_sums, sums_by_numpy, _ground, sum_cells),
    "halve": Oracle(
        lambda z, row, column: halve(z, row & 1, column & 1),
        halve_by_numpy,
        _heights,
        halve,
        1e-5,
    ),
    "fill_holes": Oracle(_filled, fill_by_numpy, _heights, fill_holes, 1e-4),
    "lowest_cells": Oracle(lowest, lowest_by_numpy, _ground, lowest_cells),
    "open_surface": Oracle(open_surface, open_by_windows, _surface, open_surface),
    "find_pits": Oracle(
        lambda z, *_: find_pits(z), lambda z, *_: pits_by_windows(z), _pitted, find_pits
    ),
    "find_objects": Oracle(
        lambda z, _: find_objects(z, 0.5, 5.0, 0.25, 0.3, 2.5),
        lambda z, _: objects_by_windows(z, 0.5, 5.0, 0.25),
        _surface,
        find_objects,
    ),
    "count_around": Oracle(
        lambda z, radius: count_around(z > 4, radius),
        lambda z, radius: windows(np.pad(z > 4, radius), radius).sum((2, 3), dtype=np.int16),
        _surface,
        count_around,
    ),
    "compare_neighbours": Oracle(
        lambda z, *_: compare_neighbours(z, 0.3, 2.0)[0],
        lambda z, *_: fits_by_windows(z.astype(float), 0.3),
        _pitted,
        compare_neighbours,
    ),
    "describe_neighbourhoods": Oracle(
        describe_neighbourhoods,
        neighbourhoods_by_pairs,
        _crowd,
        describe_neighbourhoods,
        1e-5,
    ),
    "roof_residuals": Oracle(
        residuals, residuals_by_shapely, roofs_and_points, roof_residuals, 2.0
    ),
    "cover_roofs": Oracle(cover, cover_by_shapely, covered, cover_roofs, 0.011),
    "shared_outline": Oracle(shared, shared_by_shapely, rows_of_houses, shared_outline),
    "orientation": Oracle(_sides, sides_by_fractions, _near_lines, orientation),
    **{name: Oracle(*fields) for name, fields in SOLID_ORACLES.items()},
    **{name: Oracle(*fields) for name, fields in ROOF_ORACLES.items()},
}
