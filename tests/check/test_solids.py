from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cimkit.check.solids import check_solids, solid_errors
from cimkit.tables import Models
from tests.extruded import boxes, extrude

OPEN, INVERTED = "SOLID_302_SHELL_NOT_CLOSED", "SOLID_405_WRONG_ORIENTATION_SHELL"


def codes(models):
    return [issue.code for issue in check_solids(models)]


def box_with(**columns):
    """A box of 4 x 4 x 3 m between two sound ones, with something changed in it."""
    city = extrude([shapely.box(x, 0, x + 4, 4) for x in (0, 10, 20)], 3.0, ids=list("abc"))
    return replace(city.models, **columns)


def rings_of(models):
    return np.split(models.ring_vertex, models.ring_offsets[1:-1])


def rebuilt(rings, *, faces=(6, 6, 6), semantics=None):
    """Models of the boxes with other rings, one for each face."""
    models = box_with()
    return replace(
        models,
        ring_vertex=np.concatenate(rings),
        ring_offsets=np.cumsum([0, *(len(ring) for ring in rings)]),
        face_offsets=np.arange(len(rings) + 1),
        solid_offsets=np.cumsum([0, *faces]),
        semantics=models.semantics if semantics is None else semantics,
    )


def test_sound_cities_pass():
    assert check_solids(boxes(200).models) == []
    assert check_solids(extrude([], []).models) == []
    far = shapely.affinity.translate(shapely.box(0, 0, 3, 3), 4e7, 3.4e6)
    assert check_solids(extrude([far], 2.5).models) == []


def test_numbers_of_each_building():
    rings, semantics = rings_of(box_with()), box_with().semantics
    models = rebuilt(rings[:8] + rings[9:], faces=(6, 5, 6), semantics=np.delete(semantics, 8))
    assert solid_errors(models) == [(), (302,), ()]
    lifted = box_with().vertices.copy()
    lifted[12, 2] += 0.01
    assert solid_errors(box_with(vertices=lifted)) == [(), (), ()]
    assert solid_errors(box_with(vertices=lifted), planarity=0.001) == [(), (203,), ()]
    assert codes(box_with(vertices=lifted)) == []
    assert len(check_solids(box_with(vertices=lifted), planarity=0.001)) == 1


def test_a_missing_face_leaves_the_solid_open():
    rings, semantics = rings_of(box_with()), box_with().semantics
    models = rebuilt(rings[:8] + rings[9:], faces=(6, 5, 6), semantics=np.delete(semantics, 8))
    assert [(i.code, i.id) for i in check_solids(models)] == [(OPEN, "b")]


def test_one_face_turned_round():
    rings = rings_of(box_with())
    rings[8] = rings[8][::-1]
    assert codes(rebuilt(rings)) == ["SOLID_307_POLYGON_WRONG_ORIENTATION"]


def test_all_faces_turned_round():
    rings = [ring[::-1] if 6 <= i < 12 else ring for i, ring in enumerate(rings_of(box_with()))]
    assert [(i.code, i.id) for i in check_solids(rebuilt(rings))] == [(INVERTED, "b")]


def test_a_face_twice():
    rings, semantics = rings_of(box_with()), box_with().semantics
    models = rebuilt(
        [*rings[:9], rings[8], *rings[9:]],
        faces=(6, 7, 6),
        semantics=np.insert(semantics, 8, semantics[8]),
    )
    assert codes(models) == ["SOLID_303_NON_MANIFOLD_CASE"]


def test_an_edge_that_a_face_uses_both_ways():
    """A slit in the roof: each edge has a counterpart, but in the same face."""
    rings = rings_of(box_with())
    a, b, c, d = rings[7]
    rings[7] = np.array([a, b, c, b, c, d])
    assert codes(rebuilt(rings)) == ["SOLID_104_RING_SELF_INTERSECTION"]


def test_a_corner_lifted_off_its_faces():
    vertices = box_with().vertices.copy()
    vertices[12, 2] += 0.1
    name = "SOLID_203_NON_PLANAR_POLYGON_DISTANCE_PLANE"
    assert codes(box_with(vertices=vertices)) == [name]
    vertices[12, 2] -= 0.09
    assert codes(box_with(vertices=vertices)) == []


def test_a_solid_without_height():
    flat = extrude([shapely.box(0, 0, 4, 4)], 0.0).models
    assert set(codes(flat)) == {"SOLID_102_CONSECUTIVE_POINTS_SAME"}


def test_no_faces():
    models = rebuilt(
        rings_of(box_with())[:12], faces=(6, 6, 0), semantics=box_with().semantics[:12]
    )
    assert [(i.code, i.id) for i in check_solids(models)] == [
        ("SOLID_902_EMPTY_PRIMITIVE", "c")
    ]


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_surfaces_of_every_kind_are_needed(kind):
    semantics = box_with().semantics.copy()
    here = np.flatnonzero(semantics[6:12] == kind) + 6
    semantics[here] = (kind + 1) % 3
    assert codes(box_with(semantics=semantics)) == ["SOLID_SURFACE_MISSING"]


def test_an_unknown_kind_of_surface():
    semantics = box_with().semantics.copy()
    semantics[9] = 7
    assert codes(box_with(semantics=semantics)) == ["SOLID_SURFACE_MISSING"]


def test_courtyards_that_touch_along_an_edge_have_four_faces_there():
    """As the yardsticks see it: vertices at one place are one, whatever their rows."""
    shape = shapely.Polygon(
        [(0, 0), (9, 0), (9, 9), (0, 9)],
        [[(1, 1), (4, 1), (4, 4), (1, 4)], [(4, 4), (7, 4), (7, 7), (4, 7)]],
    )
    assert codes(extrude([shape], 3.0).models) == ["SOLID_303_NON_MANIFOLD_CASE"]


def test_vertices_of_two_buildings_at_one_place_are_two():
    shapes = [shapely.box(0, 0, 4, 4), shapely.box(4, 0, 8, 4)]
    assert check_solids(extrude(shapes, 3.0).models) == []


@settings(max_examples=50, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(0, 400),
    st.sampled_from(["sound", "turn", "drop", "flip"]),
)
def test_closed_and_outward_agree_with_trimesh(seed, pick, fault):
    """Trimesh judges the triangles; the same damage must be seen in the rings."""
    models = boxes(3, seed=seed).models
    one = models.take(np.array([seed % 3]))
    rings = rings_of(one)
    face_of_ring = one.face_of_ring
    face = pick % len(one.semantics)
    if fault == "turn":
        rings = [r[::-1] if f == face else r for r, f in zip(rings, face_of_ring, strict=True)]
    if fault == "flip":
        rings = [r[::-1] for r in rings]
    keep = face_of_ring != face if fault == "drop" else np.ones(len(rings), bool)
    sizes = np.bincount(face_of_ring[keep])
    damaged = Models(
        one.building_id,
        one.lod,
        one.vertices,
        one.vertex_offsets,
        np.concatenate([r for r, k in zip(rings, keep, strict=True) if k]),
        np.cumsum([0, *(len(r) for r, k in zip(rings, keep, strict=True) if k)]),
        np.cumsum([0, *sizes[sizes > 0]]),
        np.array([0, (sizes > 0).sum()]),
        one.semantics if fault != "drop" else np.delete(one.semantics, face),
    )
    mesh = damaged.to_trimesh(0)
    closed = mesh.is_watertight and mesh.is_winding_consistent
    found = set(codes(damaged)) - {"SOLID_SURFACE_MISSING"}
    assert bool(found & {OPEN, "SOLID_307_POLYGON_WRONG_ORIENTATION"}) == (not closed)
    if closed:
        assert (INVERTED in found) == (mesh.volume < 0)
        assert abs(abs(mesh.volume) - models.to_trimesh(seed % 3).volume) < 1e-6
