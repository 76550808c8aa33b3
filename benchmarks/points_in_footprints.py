"""Points in footprints and addresses beside footprints, cimkit and its peers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from benchmarks.cities import load_block
from benchmarks.measuring import Row, best_cpu_s
from cimkit.kernels.footprint_grid import build_grid
from cimkit.kernels.nearest_footprint import nearest_footprints
from cimkit.kernels.point_in_footprint import assign_points

RADIUS = 15.0


def points_in_footprints(
    folder: Path, *, repeats: int = 15, peer_points: int = 100_000
) -> list[Row]:
    """Millions of points a CPU second; peers get the first `peer_points` of the same ones."""
    block = load_block(folder)
    footprints, polygons = block.footprints, block.footprints.polygons()
    x, y = block.cloud.x, block.cloud.y
    mixed = np.random.default_rng(0).permutation(len(x))
    orders = {"scan order": (x, y), "shuffled": (x[mixed], y[mixed])}
    group = f"Points in footprints: {len(footprints)} footprints, {len(x) / 1e6:.2f} M points"
    grid = build_grid(footprints)
    rows = [
        Row(
            group,
            "index of the footprints",
            best_cpu_s(lambda: build_grid(footprints), 3),
            "CPU s",
        )
    ]
    for order, (px, py) in orders.items():
        seconds = best_cpu_s(partial(assign_points, px, py, grid), repeats)
        speed = len(x) / seconds / 1e6
        rows.append(Row(group, f"cimkit, {order}", speed, "M/CPU s"))
        places = shapely.points(px[:peer_points], py[:peer_points])
        tree = shapely.STRtree(polygons)
        frame = gpd.GeoDataFrame(geometry=polygons)
        points = gpd.GeoDataFrame(geometry=places)
        peers: dict[str, Callable[[], Any]] = {
            "shapely STRtree": partial(tree.query, places, predicate="intersects"),
            "geopandas sjoin": partial(gpd.sjoin, points, frame, predicate="intersects"),
        }
        for name, peer in peers.items():
            theirs = len(places) / best_cpu_s(peer, 2) / 1e6
            rows.append(
                Row(group, f"{name}, {order}", theirs, "M/CPU s", speed / theirs, "is cimkit")
            )
    return rows


def addresses_beside_footprints(
    folder: Path, *, repeats: int = 5, n: int = 20_000
) -> list[Row]:
    """All footprints within 15 m of each address, in thousands of addresses a CPU second."""
    footprints = load_block(folder).footprints
    polygons = footprints.polygons()
    low, high = footprints.xy.min(axis=0), footprints.xy.max(axis=0)
    x, y = np.random.default_rng(1).uniform(low, high, (n, 2)).T
    places, tree = shapely.points(x, y), shapely.STRtree(polygons)
    grid = build_grid(footprints, cell=RADIUS / 2)

    def peer() -> Any:
        place, found = tree.query(places, predicate="dwithin", distance=RADIUS)
        distance = shapely.distance(places[place], polygons[found])
        return np.lexsort((found, distance, place))

    ours = n / best_cpu_s(lambda: nearest_footprints(x, y, grid, RADIUS), repeats) / 1e3
    theirs = n / best_cpu_s(peer, repeats) / 1e3
    group = f"Footprints within {RADIUS:g} m of {n:,} addresses"
    return [
        Row(group, "cimkit", ours, "k/CPU s"),
        Row(group, "shapely STRtree", theirs, "k/CPU s", ours / theirs, "is cimkit"),
    ]
