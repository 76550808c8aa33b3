"""Rings: pairs of edges counted against all pairs, spikes dropped until none is left."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings

from cimkit.steps import rings
from cimkit.steps.rings import count_edge_pairs, drop_needless_vertices, to_grid
from tests import strategies as make


def pairs_one_by_one(polygon):
    """Pairs of edges whose boxes meet; each edge of a ring meets the next one, too."""
    n_pairs, boxes = 0, []
    for ring in shapely.get_rings(polygon):
        xy = shapely.get_coordinates(ring)
        boxes.append(np.hstack([np.minimum(xy[:-1], xy[1:]), np.maximum(xy[:-1], xy[1:])]))
    box = np.vstack(boxes)
    for k in range(len(box)):
        other = box[:k]
        n_pairs += int(
            ((other[:, :2] <= box[k, 2:]) & (other[:, 2:] >= box[k, :2])).all(axis=1).sum()
        )
    return n_pairs - len(box)


@pytest.mark.parametrize("at_once", [1, 500_000])
@settings(max_examples=60)
@given(make.polygons())
def test_pairs_of_edges(at_once, polygon):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rings, "_PAIRS_AT_ONCE", at_once)
        found = count_edge_pairs(polygon, 10**9)
        assert found == pairs_one_by_one(polygon)
        if found > 2:
            assert count_edge_pairs(polygon, 1) > 1


@settings(max_examples=150)
@given(make.rings(max_size=20))
def test_nothing_needless_is_left_and_all_at_once_is_one_by_one(corners):
    polygons = np.array([shapely.Polygon(corners), shapely.Polygon(corners + 500)])
    once, n_removed, endless = drop_needless_vertices(to_grid(polygons))
    assert not endless.any()
    assert n_removed[0] == n_removed[1]
    if once[0] is not None:
        again, n_more, _ = drop_needless_vertices(once)
        assert n_more.tolist() == [0, 0]
        assert again[0].equals_exact(once[0])
        kept = shapely.get_num_coordinates(once[0]) - 1
        assert kept + n_removed[0] == shapely.get_num_coordinates(polygons[0]) - 1
