"""Counts across edges at the edges of the grid."""

from __future__ import annotations

import numpy as np
import pytest

from cimkit.kernels.edge_profiles import DIRECTIONS, DISTANCES, count_across_edges
from tests.roof_oracles import counts_by_numpy


def counted(x, y, edges):
    group = np.zeros(len(edges), np.int64)
    return count_across_edges(x, y, np.asarray(edges, dtype=float).reshape(-1, 4), group, 1)[0]


def test_nothing_counts_nothing():
    none, one = np.empty(0), np.ones(1)
    assert counted(none, none, [[0, 0, 1, 0]]).sum() == 0
    assert counted(one, one, []).sum() == 0
    assert counted(one, one, []).shape == (DIRECTIONS, DISTANCES)


def test_the_footprint_lies_at_the_left():
    """Of a square run counter-clockwise, inner points have negative distances."""
    x, y = np.array([5.0, 5.0]), np.array([1.05, -2.95])
    counts = counted(x, y, [[0, 0, 10, 0]])
    ((direction, inner), (_, outer)) = np.argwhere(counts)
    assert direction == round(0.75 * DIRECTIONS)  # southward
    assert (inner, outer) == (29, 69)


@pytest.mark.parametrize(
    "edge",
    [
        [-100, 5, -90, 5],
        [200, 5, 210, 5],
        [5, -100, 15, -100],
        [5, 300, 15, 300],
        [-50, -50, 60, 60],
        [3, 3, 3.0001, 3],
    ],
)
def test_edges_far_from_the_points_or_across_them(edge):
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 20, (2, 300))
    edges, group = np.array([edge], dtype=float), np.zeros(1, np.int64)
    np.testing.assert_array_equal(
        count_across_edges(x, y, edges, group, 1), counts_by_numpy(x, y, edges, group, 1)
    )
