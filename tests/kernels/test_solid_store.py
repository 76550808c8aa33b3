from __future__ import annotations

import numpy as np
from shapely import box

from cimkit.kernels.roof_solid import CORNER_CUT, SOLID_EMPTY, make_solid, no_solid
from cimkit.kernels.solid_store import append_solid, new_store
from cimkit.tables import Models
from tests.kernels.buildings import cut, labelled, started


def solid_of(width, n_lines):
    lines = [(x, -1, x, 99) for x in np.arange(1, n_lines + 1) * width / (n_lines + 1)]
    cx = cut(started(box(0, 0, width, 8)), *lines)
    planes = np.array([[0.0, 0.0, 5.0], [0.0, 0.1, 7.0]])
    label = labelled(cx, lambda x, _: int(x * (n_lines + 1) / width) % 2)
    return make_solid(cx, label, planes, 0.0, CORNER_CUT)


def test_a_store_grows_and_is_a_table_of_models():
    solids = [solid_of(10, 0), no_solid(SOLID_EMPTY), solid_of(40, 30), solid_of(12, 1)]
    store = new_store(0)
    for k, solid in enumerate(solids):
        store = append_solid(store, solid, 100.0 * k, 5.0, -2.0)
    n_vertices, n_used, n_rings, n_faces, n_solids = store.size
    models = Models(
        ["a", "b", "c", "d"],
        "2.2",
        store.vertices[:n_vertices],
        store.vertex_offsets[: n_solids + 1],
        store.ring_vertex[:n_used],
        store.ring_offsets[: n_rings + 1],
        store.face_offsets[: n_faces + 1],
        store.solid_offsets[: n_solids + 1],
        store.semantics[:n_faces],
    )
    for k, solid in enumerate(solids):
        one = models.take(np.array([k]))
        np.testing.assert_allclose(
            one.vertices, solid.vertices + np.array([100.0 * k, 5.0, -2.0])
        )
        np.testing.assert_array_equal(one.ring_vertex, solid.ring_vertex)
        np.testing.assert_array_equal(one.ring_offsets, solid.ring_offsets)
        np.testing.assert_array_equal(one.face_offsets, solid.face_offsets)
        np.testing.assert_array_equal(one.semantics, solid.semantics)
    np.testing.assert_array_equal(
        store.plane[:n_faces], np.concatenate([solid.plane for solid in solids])
    )
    for k in (0, 2, 3):
        mesh = models.to_trimesh(k)
        mesh.merge_vertices()
        assert mesh.is_watertight
        assert np.isclose(mesh.volume, solids[k].volume)
