from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings

from cimkit.errors import ParameterError
from cimkit.kernels import footprint_grid
from cimkit.kernels.footprint_grid import GRID_SIZE_MAX, FootprintGrid, build_grid
from cimkit.kernels.point_in_footprint import assign_points
from tests.kernels.shapes import CALM, FAR, POLYGONS, box, footprints_of, lattice_polygons


def cells_by_shapely(polygons: Any, grid: FootprintGrid, slack: float) -> Any:
    """Entries of each cell: 1 covered wholly, 2 crossed by the boundary, by exact geometry."""
    x = grid.shift_x + grid.x0 + grid.cell * np.arange(grid.columns)
    y = grid.shift_y + grid.y0 + grid.cell * np.arange(grid.rows)
    west, south = [v.ravel() for v in np.meshgrid(x, y)]
    cells = shapely.box(
        west - slack, south - slack, west + grid.cell + slack, south + grid.cell + slack
    )
    covered = np.array([shapely.covers(p, cells) for p in polygons])
    crossed = np.array([shapely.intersects(p.boundary, cells) for p in polygons])
    return covered, crossed


def cells_of(grid: FootprintGrid, n: int) -> Any:
    inside, touched = np.zeros((2, n, grid.columns * grid.rows), bool)
    for c in range(grid.columns * grid.rows):
        for k in range(grid.cell_offsets[c], grid.cell_offsets[c + 1]):
            kind = inside if grid.entry_slab[k] < 0 else touched
            kind[grid.entry_footprint[k], c] = True
    return inside, touched


def check_cells(polygons: Any, cell: float) -> None:
    footprints = footprints_of(polygons)
    grid = build_grid(footprints, cell=cell)
    inside, touched = cells_of(grid, len(polygons))
    must_cover, might_cross = cells_by_shapely(polygons, grid, 1e-5)
    might_cover, must_cross = cells_by_shapely(polygons, grid, -1e-5)
    assert not (inside & touched).any()
    assert (inside <= might_cover).all()
    assert (must_cover <= inside).all()
    assert (touched <= might_cross).all()
    assert (must_cross <= touched).all()


@pytest.mark.parametrize("name", CALM)
@pytest.mark.parametrize("cell", [0.7, 2.0])
def test_cells_agree_with_shapely(name, cell):
    check_cells(POLYGONS[name], cell)


@settings(max_examples=15, deadline=None)
@given(lattice_polygons())
def test_cells_of_any_shape_agree_with_shapely(polygons):
    check_cells(polygons, 0.9)


@pytest.mark.parametrize("name", POLYGONS)
def test_entries_of_a_cell_rise_by_area_then_row(name):
    footprints = footprints_of(POLYGONS[name])
    grid = build_grid(footprints)
    rank = np.empty(len(footprints), int)
    rank[np.lexsort((np.arange(len(footprints)), footprints.area))] = np.arange(len(footprints))
    cell = np.repeat(np.arange(len(grid.cell_offsets) - 1), np.diff(grid.cell_offsets))
    step = np.diff(rank[grid.entry_footprint])
    assert (step[np.diff(cell) == 0] > 0).all()


@pytest.mark.parametrize("x", [FAR[0], -FAR[0], 0.1, -7.3, 1.9])
def test_shift_loses_no_bit(x):
    polygons = [box(x, 0.3, x + 0.7, 1.1)]
    grid = build_grid(footprints_of(polygons))
    here = shapely.get_coordinates(polygons)[:, 0]
    assert set(grid.edges[:, 0] + grid.shift_x) == set(here)
    assert set(here - grid.shift_x) == set(grid.edges[:, 0])
    assert abs(grid.edges[:, 0]).max() <= max(2.0, abs(x) % 1 + 2)


def test_huge_extent_takes_no_huge_grid():
    polygons = [box(0, 0, 3, 3), box(9e6, 8e6, 9e6 + 4, 8e6 + 3)]
    grid = build_grid(footprints_of(polygons), cell=1.0)
    assert grid.columns * grid.rows <= GRID_SIZE_MAX
    assert assign_points([1.0, 9e6 + 1, 5.0], [1.0, 8e6 + 1, 5.0], grid).tolist() == [0, 1, -1]


def test_many_long_edges_take_no_huge_index(monkeypatch):
    monkeypatch.setattr(footprint_grid, "GRID_SIZE_MAX", 50_000)
    n = 1000
    teeth = np.column_stack(
        [np.repeat(np.arange(n) * 100.0, 2), np.tile([9e4, 0, 0, 9e4], n // 2)]
    )
    comb = shapely.Polygon([*teeth, (teeth[-1, 0], 1e5), (0, 1e5)])
    grid = build_grid(footprints_of([comb]), cell=1.0)
    assert len(grid.slab_edge) <= 2 * 50_000
    assert len(grid.entry_slab) <= 2 * 50_000
    assert assign_points([50.0, 150.0], [99_000.0, 50.0], grid).tolist() == [0, -1]


def test_many_vertices():
    n = 20_000
    angle = 2 * np.pi * np.arange(n) / n
    radius = 100 + 3 * np.sin(500 * angle)
    ring = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    polygon = shapely.Polygon(ring)
    grid = build_grid(footprints_of([polygon]), cell=4.0)
    points = np.random.default_rng(0).uniform(-105, 105, (500, 2))
    points[:100] = ring[::200]
    expected = np.where(shapely.covers(polygon, shapely.points(points)), 0, -1)
    assert assign_points(points[:, 0], points[:, 1], grid).tolist() == expected.tolist()


def test_margin_is_covered():
    grid = build_grid(footprints_of([box(0, 0, 4, 4)]), cell=1.0, margin=6.0)
    assert (grid.x0, grid.y0) == (-6.0, -6.0)
    assert grid.columns >= 16
    assert grid.rows >= 16


@pytest.mark.parametrize("wrong", [{"cell": 0.0}, {"cell": np.nan}, {"margin": -1.0}])
def test_wrong_sizes_are_refused(wrong):
    with pytest.raises(ParameterError, match="cell"):
        build_grid(footprints_of([box(0, 0, 1, 1)]), **wrong)
