from __future__ import annotations

import numpy as np
import pytest
import shapely

from cimkit.kernels.douglas_peucker import thin_out, thin_out_ring


@pytest.mark.parametrize("seed", range(40))
def test_a_line_is_thinned_out_as_by_shapely(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 40))
    xy = np.cumsum(rng.normal(0, 1, (n, 2)), axis=0)
    keep = np.zeros(n, np.bool_)
    keep[[0, -1]] = True
    tolerance = float(rng.choice([0.01, 0.5, 2.0, 9.0]))
    thin_out(xy, np.arange(n), 0, n - 1, tolerance, keep)
    expected = shapely.simplify(shapely.LineString(xy), tolerance, preserve_topology=False)
    np.testing.assert_array_equal(xy[keep], shapely.get_coordinates(expected))


@pytest.mark.parametrize("seed", range(40))
def test_where_a_ring_starts_and_how_it_runs_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 40))
    xy = rng.integers(0, 9, (n, 2)).astype(float)  # whole numbers: many ties
    kept = []
    for ring in (xy, np.roll(xy, int(rng.integers(n)), axis=0), xy[::-1]):
        keep = np.zeros(n, np.bool_)
        thin_out_ring(
            np.ascontiguousarray(ring), np.append(np.arange(n), np.zeros(n, int)), n, 1.0, keep
        )
        kept.append({tuple(p) for p in ring[keep].tolist()})
    if len(np.unique(xy, axis=0)) == n:
        assert kept[0] == kept[1] == kept[2]


def test_a_circle_keeps_few_vertices_and_a_square_its_corners():
    angle = np.linspace(0, 2 * np.pi, 1000, endpoint=False)
    xy = np.column_stack([np.cos(angle), np.sin(angle)])
    keep = np.zeros(1000, np.bool_)
    thin_out_ring(xy, np.append(np.arange(1000), np.zeros(1000, int)), 1000, 0.01, keep)
    assert 15 < keep.sum() < 40
    left = shapely.Polygon(xy[keep])
    assert shapely.hausdorff_distance(left, shapely.Polygon(xy)) < 0.0101
    square = shapely.get_coordinates(shapely.segmentize(shapely.box(0, 0, 10, 8), 0.7))[:-1]
    keep = np.zeros(len(square), np.bool_)
    thin_out_ring(square, np.tile(np.arange(len(square)), 2), len(square), 1e-9, keep)
    assert keep.sum() == 4
