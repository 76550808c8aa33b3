from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from cimkit.errors import TableError
from cimkit.kernels.face_triangles import solid_triangles
from cimkit.tables import Models
from cimkit.tables._triangulate import newell_normals
from tests.extruded import extrude
from tests.tables.test_triangulate import edges_of

STAR = [(0, 3), (1, 1), (3, 0), (1, -1), (0, -3), (-1, -1), (-3, 0), (-1, 1)]
SHAPES = {
    "box": shapely.box(0, 0, 4, 4),
    "L": shapely.box(0, 0, 9, 9) - shapely.box(4, 4, 9, 9),
    "courtyard": shapely.box(0, 0, 9, 9) - shapely.box(3, 3, 6, 6),
    "star": shapely.Polygon(STAR),
    "round": shapely.Point(0, 0).buffer(5),
}


def areas(models, corners, face):
    a, b, c = (models.vertices[corners[:, k]] for k in range(3))
    return np.bincount(face, np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2)


@given(
    st.lists(st.sampled_from(sorted(SHAPES)), min_size=1, max_size=5),
    st.sampled_from([0.0, 4e7]),
)
def test_the_same_faces_are_covered_as_by_geos(names, far):
    """`Models.triangles` is the oracle: each face has the same area, and solids close."""
    shapes = [
        shapely.affinity.translate(SHAPES[name], far + 20 * k) for k, name in enumerate(names)
    ]
    models = extrude(shapes, 5.0).models
    rows, face, normals = solid_triangles(models)
    corners, face_of_oracle = models.triangles()
    np.testing.assert_array_equal(face, face_of_oracle)
    np.testing.assert_allclose(
        areas(models, models.ring_vertex[rows], face),
        areas(models, corners, face_of_oracle),
        atol=1e-6,
    )
    np.testing.assert_allclose(normals, newell_normals(models), atol=1e-6)
    edges = edges_of(models.ring_vertex[rows])
    assert all((b, a) in edges for a, b in edges)


def test_each_corner_belongs_to_its_face():
    models = extrude(list(SHAPES.values()), 5.0).models
    rows, face, _ = solid_triangles(models)
    face_of_corner = np.repeat(models.face_of_ring, np.diff(models.ring_offsets))
    np.testing.assert_array_equal(face_of_corner[rows], np.repeat(face[:, None], 3, axis=1))


def test_a_hole_that_crosses_its_outline_is_named():
    outer, hole = [[0, 0], [4, 0], [4, 4], [0, 4]], [[1, 1], [1, 6], [2, 6], [2, 1]]
    xyz = np.column_stack([np.array(outer + hole, dtype=float), np.zeros(8)])
    models = Models(["x"], "1.2", xyz, [0, 8], range(8), [0, 4, 8], [0, 2], [0, 1], [0])
    with pytest.raises(TableError, match="crosses itself: x"):
        solid_triangles(models)
