from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely

from cimkit.steps.adopt import adopt_solids
from cimkit.steps.closed import are_closed, turned, volumes
from cimkit.tables import Models
from cimkit.tables.boundaries import Boundaries
from tests.extruded import boxes, extrude

CRS = "EPSG:4546+5737"


def without_face(models, face):
    """Models of one solid each that lack a face."""
    keep = np.setdiff1d(np.arange(len(models.semantics)), [face])
    rings = [models.face_rings(f) for f in keep.tolist()]
    points = np.concatenate([ring for face in rings for ring in face])
    sizes = [len(ring) for face in rings for ring in face]
    return Models(
        *(models.building_id, models.lod, points, [0, len(points)], range(len(points))),
        *(np.cumsum([0, *sizes]), np.cumsum([0, *map(len, rings)]), [0, len(keep)]),
        models.semantics[keep],
    )


def test_blocks_are_closed_and_as_large_as_they_are():
    city = boxes(40)
    assert are_closed(city.models).all()
    expected = city.footprints.area * city.buildings.height
    np.testing.assert_allclose(volumes(city.models), expected, rtol=1e-3)


def test_turning_changes_the_sign_alone():
    city = boxes(9)
    rows = np.arange(9) % 2 == 0
    other = turned(city.models, rows)
    np.testing.assert_allclose(
        volumes(other), volumes(city.models) * np.where(rows, -1, 1), rtol=1e-9
    )
    np.testing.assert_array_equal(turned(other, rows).ring_vertex, city.models.ring_vertex)


@pytest.mark.parametrize("face", range(6))
def test_a_face_less_leaves_it_open(face):
    models = extrude([shapely.box(0, 0, 9, 9)], 5.0, ids=["x"]).models
    assert are_closed(models).tolist() == [True]
    assert are_closed(without_face(models, face)).tolist() == [False]


def test_what_is_sound_comes_back():
    city = boxes(12)
    adopted = adopt_solids(Boundaries.from_models(city.models), CRS)
    assert adopted.issues == []
    order = np.argsort(adopted.models.building_id.astype(object))
    again = adopted.models.take(order)
    expected = city.models.take(np.argsort(city.models.building_id.astype(object)))
    assert again.building_id.tolist() == expected.building_id.tolist()
    np.testing.assert_allclose(volumes(again), volumes(expected), rtol=1e-6)
    assert set(again.semantics.tolist()) == {0, 1, 2}


def test_a_solid_that_looks_inward_is_turned():
    models = extrude([shapely.box(0, 0, 9, 9)], 5.0, ids=["x"]).models
    adopted = adopt_solids(Boundaries.from_models(turned(models, np.array([True]))), CRS)
    assert [issue.code for issue in adopted.issues] == ["SOLID_TURNED"]
    assert volumes(adopted.models).tolist() == pytest.approx([405.0])


def test_an_open_roof_gives_way_to_a_closed_block():
    """The lower level is whole, so it is shown; the open one is named."""
    block = extrude([shapely.box(0, 0, 9, 9)], 5.0, ids=["x"]).models
    roof = replace(without_face(block, 1), lod=["2.2"])
    both = Boundaries.from_models(Models.concatenate([block, roof]))
    adopted = adopt_solids(both, CRS)
    assert adopted.models.lod.tolist() == ["1.2"]
    assert [(i.code, i.id) for i in adopted.issues] == [("SOLID_LEFT_OUT", "x")]


def test_a_building_without_a_closed_solid_becomes_a_block_over_its_outline():
    block = extrude([shapely.box(0, 0, 9, 9)], 5.0, ids=["x"]).models
    broken = Boundaries.from_models(without_face(block, 1))
    adopted = adopt_solids(broken, CRS)
    assert [issue.code for issue in adopted.issues] == ["SOLID_LEFT_OUT", "SOLID_REPLACED"]
    assert are_closed(adopted.models).tolist() == [True]
    assert volumes(adopted.models).tolist() == pytest.approx([405.0])
    kept = adopt_solids(broken, CRS, keep_open=True)
    assert [issue.code for issue in kept.issues] == ["SOLID_OPEN"]
    assert are_closed(kept.models).tolist() == [False]


def test_a_wall_alone_is_set_aside():
    block = extrude([shapely.box(0, 0, 9, 9)], 5.0, ids=["x"]).models
    wall = block.face_rings(2)[0]
    alone = Models(["x"], "2.2", wall, [0, 4], range(4), [0, 4], [0, 1], [0, 1], [1])
    adopted = adopt_solids(Boundaries.from_models(alone), CRS)
    assert len(adopted.models) == 0
    found = [(issue.severity, issue.code) for issue in adopted.issues]
    assert ("ERROR", "BUILDING_SET_ASIDE") in found


@pytest.mark.parametrize(
    ("stated", "level"),
    [("1", "1.2"), ("1.3", "1.3"), ("2", "2.2"), ("2.2", "2.2"), ("0", None)],
)
def test_levels_of_others(stated, level):
    block = extrude([shapely.box(0, 0, 9, 9)], 5.0, ids=["x"]).models
    given = replace(Boundaries.from_models(block), lod=[stated])
    assert adopt_solids(given, CRS).models.lod.tolist() == ([level] if level else [])
