"""Oracles of the kernels that find roofs; `tests/oracles.py` lists them with the others."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import shapely

from cimkit.kernels.edge_profiles import BIN, DIRECTIONS, DISTANCES, REACH, count_across_edges
from cimkit.kernels.roof_labels import LabelRules, cell_areas, cell_costs, locate_points
from cimkit.kernels.roof_levels import step_levels
from cimkit.kernels.roof_lines import LineRules, find_roof_lines
from cimkit.kernels.roof_model import local_points
from cimkit.kernels.roof_planes import PlaneRules, find_roof_planes
from tests.kernels.buildings import cell_polygons, cut, random_lines, started

TOUCH = 0.1
"""Metres of common border below which two regions only touch."""


def sorted_points(xyz: Any) -> tuple[Any, Any, Any]:
    """Columns of points in the order that the kernels expect."""
    return columns_of(xyz[np.lexsort((xyz[:, 2], xyz[:, 0], xyz[:, 1]))])


def columns_of(xyz: Any) -> tuple[Any, Any, Any]:
    """x, y, z as arrays of their own."""
    x, y, z = (np.ascontiguousarray(column) for column in np.asarray(xyz).T)
    return x, y, z


def gable_points(rng: np.random.Generator, n: int, noise: float = 0.02) -> Any:
    """Points on a gable of 12 x 8 m with a ridge of 7 m, whole millimetres."""
    x, y = rng.uniform(0, 12, n), rng.uniform(0, 8, n)
    z = 7 - 0.6 * np.abs(y - 4) + rng.normal(0, noise, n)
    return np.column_stack([x, y, z]).round(3)


# Planes: nearest points by all distances, normals by LAPACK, planes by least squares.


def neighbours_by_pairs(x: Any, y: Any, z: Any, density: float, k: int) -> Any:
    """The k nearest points of the 3 x 3 cells around each, by all distances."""
    side = np.sqrt(k / (np.pi * density))
    width, height = np.ptp(x), np.ptp(y)
    while (width / side + 1) * (height / side + 1) > 4 * len(x) + 64:
        side *= 1.5
    column, row = ((x - x.min()) / side).astype(int), ((y - y.min()) / side).astype(int)
    xyz = np.rint(np.column_stack([x, y, z]) * 1000).astype(int)  # equally near to the bit
    found = np.full((len(x), k), -1)
    for i in range(len(x)):
        near = np.flatnonzero((np.abs(column - column[i]) < 2) & (np.abs(row - row[i]) < 2))
        d = ((xyz[near] - xyz[i]) ** 2).sum(axis=1)
        d[near == i] = -1
        chosen = near[np.lexsort((near, d))][:k]
        found[i, : len(chosen)] = chosen
    return found


def normals_by_lapack(xyz: Any, near: Any) -> tuple[Any, Any]:
    """Upward normal and variance along it, by `numpy.linalg.eigh`."""
    normal, flatness = np.zeros((len(xyz), 3)), np.full(len(xyz), np.inf)
    for i, row in enumerate(near):
        own = xyz[row[row >= 0]]
        if len(own) < 4:
            continue
        centred = own - own.mean(axis=0)
        values, axes = np.linalg.eigh(centred.T @ centred / len(own))
        normal[i] = axes[:, 0] * (1 if axes[2, 0] >= 0 else -1)
        flatness[i] = values[0]
    return normal, flatness


def fit(xyz: Any) -> Any:
    """Plane z = a x + b y + c by least squares, None for points on a line."""
    if len(xyz) < 3:
        return None
    spread = np.linalg.eigvalsh(np.cov(xyz[:, :2].T, bias=True))
    if spread[0] * spread[1] <= spread.sum() * min(1e-3 * spread.sum(), 1 / 12):
        return None
    design = np.column_stack([xyz[:, :2], np.ones(len(xyz))])
    return np.linalg.lstsq(design, xyz[:, 2], rcond=None)[0]


def off(plane: Any, xyz: Any) -> Any:
    """Distance of points from a plane."""
    a, b, c = plane
    return np.abs(xyz[:, 2] - a * xyz[:, 0] - b * xyz[:, 1] - c) / np.sqrt(1 + a * a + b * b)


def _grow(xyz: Any, near: Any, tolerance: float, rules: PlaneRules, smallest: int) -> Any:
    """Sets of points, each on a plane of its own."""
    normal, flatness = normals_by_lapack(xyz, near)
    free = np.ones(len(xyz), dtype=bool)
    found = []
    for seed in np.argsort(flatness, kind="stable"):
        if not free[seed] or normal[seed, 2] < 0.3:
            continue
        n = normal[seed]
        plane: Any = np.array([-n[0] / n[2], -n[1] / n[2], xyz[seed] @ n / n[2]])
        own, refit_at = [int(seed)], 6
        for i in own:  # which grows
            for j in near[i, 1:].tolist():
                if j < 0 or not free[j] or j in own:
                    continue
                up = np.append(-plane[:2], 1.0)
                up /= np.linalg.norm(up)
                if off(plane, xyz[[j]])[0] > tolerance or up @ normal[j] < rules.cosine:
                    continue
                own.append(j)
                if len(own) >= refit_at:
                    better = fit(xyz[own])
                    plane = plane if better is None else better
                    refit_at = int(1.5 * len(own)) + 1
        if len(own) < smallest:
            continue
        rows = np.array(own)
        plane = fit(xyz[rows])
        for _ in range(2):
            plane = (
                None if plane is None else fit(xyz[rows[off(plane, xyz[rows]) <= tolerance]])
            )
        if plane is None or 1 / np.sqrt(1 + plane[:2] @ plane[:2]) < 0.3:
            continue
        kept = rows[off(plane, xyz[rows]) <= tolerance]
        free[kept] = False
        found.append(kept)
    return found


def _join(xyz: Any, owner: Any, planes: Any, joined: float) -> tuple[Any, Any]:
    """Make one of planes with nearly the same points, nearest first."""
    groups = [np.flatnonzero(owner == p) for p in range(len(planes))]
    kept = list(range(len(planes)))
    while True:
        best, pair = joined, None
        for i, j in combinations(kept, 2):
            both = fit(xyz[np.concatenate([groups[i], groups[j]])])
            if both is None:
                continue
            apart = max(np.sqrt((off(both, xyz[groups[g]]) ** 2).mean()) for g in (i, j))
            if apart < best:
                best, pair = apart, (i, j)
        if pair is None:
            break
        groups[pair[0]] = np.concatenate([groups[pair[0]], groups[pair[1]]])
        kept.remove(pair[1])
    fits = [fit(xyz[groups[p]]) for p in kept]
    owner = np.full(len(owner), -1)
    for number, p in enumerate(kept):
        owner[groups[p]] = number
    rows = [planes[p] if f is None else f for p, f in zip(kept, fits, strict=True)]
    return owner, np.array(rows).reshape(-1, 3)


def _swap(xyz: Any, near: Any, owner: Any, planes: Any, tolerance: float) -> Any:
    """Nearest plane among those of each point's neighbours, if near enough."""
    result = np.full(len(owner), -1)
    for i, row in enumerate(near):
        known = owner[row[row >= 0]]
        known = np.unique(known[known >= 0])
        if len(known):
            gaps = np.array([off(planes[p], xyz[[i]])[0] for p in known])
            result[i] = known[np.argmin(gaps)] if gaps.min() < tolerance else -1
    return result


def _refit(xyz: Any, owner: Any, planes: Any, smallest: int) -> tuple[Any, Any]:
    """Planes fitted again, without those of too few points."""
    kept, rows = [], []
    for p, plane in enumerate(planes):
        own = np.flatnonzero(owner == p)
        if len(own) < smallest:
            continue
        better = fit(xyz[own])
        if better is not None and 1 / np.sqrt(1 + better[:2] @ better[:2]) >= 0.3:
            plane = better
        kept.append(p)
        rows.append(plane)
    number = np.full(len(planes) + 1, -1)
    number[kept] = range(len(kept))
    return number[owner], np.array(rows).reshape(-1, 3)


def planes_by_numpy(x: Any, y: Any, z: Any, area: float, rules: PlaneRules) -> Any:
    """Grow planes in plain Python with NumPy's neighbours, normals and fits."""
    xyz = np.column_stack([x, y, z])
    density = len(x) / area
    wide = 2.0 if density < 3 else 1.0
    smallest = max(4, int(rules.area * density + 0.5))
    if len(x) < smallest:
        return np.empty((0, 3)), np.full(len(x), -1, np.int32)
    near = neighbours_by_pairs(x, y, z, density, 8 if density < 3 else 9)
    groups = _grow(xyz, near, wide * rules.tolerance, rules, smallest)
    owner = np.full(len(x), -1)
    for number, own in enumerate(groups):
        owner[own] = number
    planes = np.array([fit(xyz[own]) for own in groups]).reshape(-1, 3)
    for _ in range(3):
        owner, planes = _join(xyz, owner, planes, wide * rules.joined)
        owner = _swap(xyz, near, owner, planes, wide * rules.tolerance)
        owner, planes = _refit(xyz, owner, planes, smallest)
    return planes, owner.astype(np.int32)


def _bent_roof(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    """A gable with a chimney, a flat part and clutter; ten points a m²."""
    length = max(n / 80.0, 0.5)
    x, y = rng.uniform(0, length, n), rng.uniform(0, 8, n)
    z = 7 - 0.6 * np.abs(y - 4)
    z = np.where(x > 0.6 * length, 4.0, z)
    z = np.where((np.abs(x - 0.2 * length) < 0.8) & (np.abs(y - 3) < 0.8), 9.0, z)
    z = np.where(rng.random(n) < 0.05, z + rng.uniform(0.5, 3, n), z)
    xyz = np.column_stack([x, y, z + rng.normal(0, 0.02, n)]).round(3)
    return *sorted_points(xyz), 8 * length, PlaneRules()


# Lines: two planes meet in one, which is known.


def _two_planes(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    """The lower of two planes over a square, whose line runs through its middle."""
    n = max(n, 1000)
    turn, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 1.2)
    direction = np.array([np.cos(turn), np.sin(turn)])
    planes = np.zeros((2, 3))
    planes[0, :2], planes[1, :2] = slope * direction, -0.8 * slope * direction
    planes[:, 2] = 6.0 - planes[:, :2] @ (5.0, 5.0)
    xy = rng.uniform(0, 10, (n, 2)).round(3)
    both = xy @ planes[:, :2].T + planes[:, 2]
    owner = both.argmin(axis=1)
    order = np.lexsort((xy[:, 0], xy[:, 1]))
    x, y, z = (v[order].copy() for v in (*xy.T, both.min(axis=1)))
    ring = np.array([[0.0, 0], [10, 0], [10, 10], [0, 10]])
    owner = owner[order].astype(np.int32)
    return x, y, z, owner, planes, ring, np.array([0, 4]), n / 100.0, LineRules()


def _first_line(*given: Any) -> Any:
    """How far the ends of the first line are off both planes alike; whether it is long."""
    lines = find_roof_lines(*given)
    planes = given[4]
    ends = np.column_stack([lines[0, :4].reshape(2, 2), np.ones(2)])
    longest = np.hypot(*(lines[0, 2:4] - lines[0, :2]))
    return ends @ (planes[0] - planes[1]), np.array(longest > 9.0)


def _line_through_middle(*_: Any) -> Any:
    return np.zeros(2), np.array(True)


# Labels and levels: cells as shapely polygons.


def cells_of_square(rng: np.random.Generator) -> Any:
    """A square of 12 m cut by random lines."""
    cx = started(shapely.box(0, 0, 12, 12))
    return cut(cx, *random_lines(rng, cx), (3, 0, 4, 12), (0, 5, 12, 6))


def _costs(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    cx = cells_of_square(rng)
    x, y = rng.uniform(-0.9, 12.9, (2, n))
    planes = np.column_stack([rng.normal(0, 0.3, (4, 2)), rng.uniform(3, 9, 4)])
    low = rng.uniform(2, 5, 4)
    z = rng.uniform(2, 9, n)
    return cx, x, y, z, planes, low, low + rng.uniform(0, 3, 4), 5.0, LabelRules()


def _fast_costs(cx: Any, x: Any, y: Any, z: Any, *given: Any) -> Any:
    return cell_costs(cx, cell_areas(cx), x, y, z, locate_points(cx, x, y), *given)


def costs_by_shapely(
    cx: Any,
    x: Any,
    y: Any,
    z: Any,
    planes: Any,
    low: Any,
    high: Any,
    density: float,
    rules: Any,
) -> Any:
    """Price of each plane in each cell by the definition."""
    cost = np.zeros((cx.size[2], len(planes)))
    for c, shape in enumerate(cell_polygons(cx)):
        if not cx.inside[c]:
            continue
        on = shapely.contains_xy(shape, x, y)
        corners = np.array(shape.exterior.coords)
        for p, (a, b, h) in enumerate(planes):
            gap = np.abs(z - a * x - b * y - h)[on]
            near = np.clip((gap - rules.fits) / rules.fits, 0, 1)
            cost[c, p] = (near + rules.far * np.minimum(gap / 3, 1)).sum() / density
            top = corners @ (a, b) + h
            beyond = max(top.max() - high[p], low[p] - top.min()) - rules.margin
            cost[c, p] += rules.penalty * shape.area * np.clip(beyond, 0, 1)
    return cost


def _levels(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    cx = cells_of_square(rng)
    planes = np.column_stack([rng.normal(0, 0.2, (3, 2)), rng.uniform(3, 14, 3)])
    label = np.where(cx.inside[: cx.size[2]], rng.integers(0, 3, cx.size[2]), -1)
    x, y = rng.uniform(-0.9, 12.9, (2, n))
    return cx, label.astype(np.int32), planes, rng.uniform(3, 14, n), x, y, 3.0, 0.6


def _fast_levels(
    cx: Any, label: Any, planes: Any, z: Any, x: Any, y: Any, step: float, q: float
) -> Any:
    where = locate_points(cx, x, y)
    level, heights = step_levels(cx, label, cell_areas(cx), planes, z, where, step, q)
    return np.where(level < 0, np.nan, heights[level, 2])


def levels_by_merging(
    cx: Any, label: Any, planes: Any, z: Any, x: Any, y: Any, step: float, q: float
) -> Any:
    """Height of each cell at LoD1.3, from sets of cells that are joined one by one."""
    shapes, where = cell_polygons(cx), locate_points(cx, x, y)
    inner = [c for c in range(len(shapes)) if label[c] >= 0]

    def common(a: Any, b: Any) -> float:
        return sum(
            float(shapely.length(shapely.intersection(shapes[c], shapes[d])))
            for c in a
            for d in b
            if shapely.dwithin(shapes[c], shapes[d], 1e-6)
        )

    regions: list[set[int]] = []
    for c in inner:
        touching = [r for r in regions if label[min(r)] == label[c] and common({c}, r) > 1e-9]
        regions = [r for r in regions if r not in touching] + [{c}.union(*touching)]
    regions.sort(key=min)

    def by_plane(region: Any) -> float:
        middle = [np.array(shapes[c].exterior.coords)[:-1].mean(axis=0) for c in region]
        z = [
            m @ planes[label[c], :2] + planes[label[c], 2]
            for m, c in zip(middle, region, strict=True)
        ]
        return float(np.average(z, weights=[shapes[c].area for c in region]))

    def own(region: Any) -> Any:
        return z[np.isin(where, list(region))]

    heights = [
        float(np.quantile(own(r), q)) if len(own(r)) >= 3 else by_plane(r) for r in regions
    ]
    while True:
        pairs = [
            (abs(heights[i] - heights[j]), i, j)
            for i, j in combinations(range(len(regions)), 2)
            if common(regions[i], regions[j]) > TOUCH
        ]
        if not pairs or min(pairs)[0] >= step:
            break
        _, i, j = min(pairs)
        both = regions[i] | regions[j]
        if len(own(both)) >= 3:
            heights[i] = float(np.quantile(own(both), q))
        else:
            areas = [sum(shapes[c].area for c in regions[k]) for k in (i, j)]
            heights[i] = float(np.average([heights[i], heights[j]], weights=areas))
        regions[i] = both
        del regions[j], heights[j]
    result = np.full(len(shapes), np.nan)
    for region, height in zip(regions, heights, strict=True):
        result[list(region)] = height
    return result


# Points of one building in whole millimetres.


def _crowd(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    xyz = rng.uniform(0, 30, (3, n)) + np.array([[85_000], [446_000], [-2]])
    rows = rng.permutation(n)[: n // 2 + 1]
    xyz[2, ::9] -= 9999  # "no value"
    area = rng.choice([1.0, 100.0])  # crowded or not
    return *xyz, rows, 84_999_000, 445_999_000, 20.0, area


def _local(*given: Any) -> Any:
    x, y, z, z0, thinned = local_points(*given)
    return x, y, z, np.array(z0), np.array(thinned)


def local_by_numpy(
    x: Any, y: Any, z: Any, rows: Any, x0: int, y0: int, level: float, area: float
) -> Any:
    """Whole numbers first, then differences, then every so many."""
    rows = rows[np.abs(z[rows] - level) <= 524.0]
    if not len(rows):
        return *np.empty((3, 0)), np.array(0.0), np.array(False)
    units = np.rint(np.column_stack([x, y, z])[rows] * 1000).astype(int)
    units -= [x0, y0, units[:, 2].min()]
    units = units[np.lexsort((units[:, 2], units[:, 0], units[:, 1]))]
    every = max(-(-len(rows) // 100_000), int(len(rows) / max(area, 1.0) / 40.0), 1)
    z0 = np.rint(z[rows].min() * 1000) / 1000
    return *(units[::every] / 1000).T, np.array(z0), np.array(every > 1)


# Counts across edges.


def _edges(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    n_edges = max(2, n // 20)
    start = rng.uniform(0, 30, (n_edges, 2))
    turn = rng.uniform(0, 2 * np.pi, n_edges)
    along = rng.uniform(2, 9, (n_edges, 1)) * np.column_stack([np.cos(turn), np.sin(turn)])
    edges = np.hstack([start, start + along])
    x, y = rng.uniform(-5, 35, (2, n))
    return x, y, edges, rng.integers(0, 3, n_edges), 3


def counts_by_numpy(x: Any, y: Any, edges: Any, group: Any, n_groups: int) -> Any:
    """Every point against every edge."""
    counts = np.zeros((n_groups, DIRECTIONS, DISTANCES), dtype=np.int64)
    for (ax, ay, bx, by), own in zip(edges.tolist(), group.tolist(), strict=True):
        length = np.hypot(bx - ax, by - ay)
        ux, uy = (bx - ax) / length, (by - ay) / length
        direction = round(np.degrees(np.arctan2(-ux, uy)) * DIRECTIONS / 360) % DIRECTIONS
        along = ux * (x - ax) + uy * (y - ay)
        across = uy * (x - ax) - ux * (y - ay)
        near = (along >= 0) & (along <= length) & (across >= -REACH) & (across < REACH)
        place = ((across[near] + REACH) / BIN).astype(int)
        np.add.at(counts[own, direction], place, 1)
    return counts


ROOF_ORACLES = {
    "find_roof_planes": (
        find_roof_planes,
        planes_by_numpy,
        _bent_roof,
        find_roof_planes,
        1e-6,
    ),
    "find_roof_lines": (_first_line, _line_through_middle, _two_planes, find_roof_lines, 1e-9),
    "cell_costs": (_fast_costs, costs_by_shapely, _costs, cell_costs, 1e-7),
    "step_levels": (_fast_levels, levels_by_merging, _levels, step_levels, 1e-9),
    "local_points": (_local, local_by_numpy, _crowd, local_points, 0.0),
    "count_across_edges": (
        count_across_edges,
        counts_by_numpy,
        _edges,
        count_across_edges,
        0.0,
    ),
}
"""Name, then the fields of `tests.oracles.Oracle`."""
