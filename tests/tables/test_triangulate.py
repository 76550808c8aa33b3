from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cimkit.errors import TableError
from tests.extruded import extrude


def edges_of(triangles):
    return Counter((int(t[k]), int(t[k - 2])) for t in triangles for k in range(3))


def assert_closed(models):
    triangles, face = models.triangles()
    edges = edges_of(triangles)
    assert max(edges.values()) == 1
    assert all((b, a) in edges for a, b in edges)
    assert (np.diff(face) >= 0).all()
    a, b, c = (models.vertices[triangles[:, k]] - models.vertices[0] for k in range(3))
    return float((np.cross(a, b) * c).sum() / 6)


@settings(max_examples=150, deadline=None)
@given(st.integers(2, 7), st.integers(2, 7), st.randoms(use_true_random=False))
def test_blocks_with_vertices_on_straight_walls_stay_closed(rows, columns, random):
    """Neighbours need a vertex on a straight line; ear clipping leaves such vertices out."""
    cells = [
        shapely.box(i, j, i + 1, j + 1)
        for i in range(rows)
        for j in range(columns)
        if random.random() < 0.7
    ]
    for shape in shapely.get_parts(shapely.segmentize(shapely.union_all(cells), 1.0)):
        if len(np.unique(shapely.get_coordinates(shape), axis=0)) < (
            shapely.get_num_coordinates(shape) - 1 - shapely.get_num_interior_rings(shape)
        ):
            continue  # rings that touch make an edge of four faces
        models = extrude([shape], 3.0).models
        assert assert_closed(models) == pytest.approx(3 * shape.area)


def test_fans_and_other_faces_keep_the_order_of_the_faces():
    shapes = [shapely.box(0, 0, 4, 4), shapely.box(9, 0, 13, 4) - shapely.box(10, 1, 11, 2)]
    models = extrude([*shapes, shapely.Point(20, 0).buffer(3)], 5.0).models
    assert assert_closed(models) == pytest.approx(
        5 * (16 + 15 + shapely.Point(0, 0).buffer(3).area), rel=1e-4
    )
    triangles, face = models.triangles()
    assert set(face.tolist()) == set(range(len(models.semantics)))
    a, b, c = (models.vertices[triangles[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    assert (normal[models.semantics[face] == 2][:, 2] > 0).all()
    assert (normal[models.semantics[face] == 0][:, 2] < 0).all()


def test_far_from_the_origin():
    shape = shapely.affinity.translate(
        shapely.box(0, 0, 9, 9) - shapely.box(1, 1, 2, 2), 4e7, 3.4e6
    )
    assert assert_closed(extrude([shape], 3.0).models) == pytest.approx(240)


def test_a_face_that_crosses_itself_names_the_building():
    bow_tie = shapely.Polygon([(0, 0), (4, 4), (4, 0), (0, 3)])
    with pytest.raises(TableError, match=r"crosses itself: b$"):
        extrude([shapely.box(5, 5, 6, 6), bow_tie], 3.0, ids=["a", "b"]).models.triangles()
