from __future__ import annotations

import numpy as np
import pytest
import shapely

from cimkit.steps.boxes import with_boxes
from cimkit.steps.closed import are_closed, volumes
from cimkit.steps.detail import measure_detail
from cimkit.tables import Models
from tests.extruded import boxes, extrude


def test_an_l_gets_a_box_and_a_rectangle_none():
    corner = shapely.box(0, 0, 10, 8) - shapely.box(6, 5, 10, 8)
    both = with_boxes(extrude([corner, shapely.box(20, 0, 30, 8)], 5.0, ids=["l", "r"]).models)
    assert list(zip(both.building_id.tolist(), both.lod.tolist(), strict=True)) == [
        *(("l", "1.1"), ("l", "1.2"), ("r", "1.2"))
    ]
    assert volumes(both).tolist() == pytest.approx([400, 5 * 68, 400])
    detail = measure_detail(both, np.array(["l", "r"], dtype=both.building_id.dtype))
    # A point of the box lies no farther from the L than the depth of its bay.
    assert 3.0 <= detail.deviation[0, 0] <= 5.0
    assert detail.deviation[0, 1] == 0
    assert detail.deviation[1].tolist() == [np.inf, 0, np.inf, np.inf]


def test_boxes_hold_their_blocks_and_are_closed():
    city = boxes(200)
    both = with_boxes(city.models)
    assert are_closed(both).all()
    found = both.at("1.1")
    assert 0 < len(found) < 200
    of = {name: row for row, name in enumerate(city.models.building_id.tolist())}
    for row, name in enumerate(found.building_id.tolist()):
        block = city.models.take(np.array([of[name]]))
        one = found.take(np.array([row]))
        hull = shapely.convex_hull(shapely.MultiPoint(one.vertices[:, :2]))
        points = shapely.points(block.vertices[:, :2])
        assert shapely.distance(hull, points).max() < 1e-3
        assert np.ptp(one.vertices[:, 2]) == pytest.approx(np.ptp(block.vertices[:, 2]))


def test_nothing_to_box():
    square = extrude([shapely.box(0, 0, 9, 9)], 5.0).models
    assert with_boxes(square).lod.tolist() == ["1.2"]
    nothing = Models([], "1.2", np.empty((0, 3)), [0], [], [0], [0], [0], [])
    assert len(with_boxes(nothing)) == 0
