from __future__ import annotations

import numpy as np
import pytest
import shapely
import shapely.affinity

from cimkit.view.vantage import CLEAR_M, EYE_M, Vantage, street_view

MIDDLE = np.array([500_000.0, 3_360_000.0])


def street(angle=0.0):
    """Houses on both sides of a road of 24 m, 500 m long, turned by some degrees."""
    houses = [
        shapely.box(x, y, x + 14, y + 10) for x in range(-250, 250, 16) for y in (-22, 12)
    ]
    turned = [shapely.affinity.rotate(house, angle, origin=(0, 0)) for house in houses]
    return [shapely.affinity.translate(house, *MIDDLE) for house in turned]


def view(houses, height, middle) -> Vantage:
    found = street_view(houses, height, middle)
    assert found is not None
    return found


def heading(found):
    (x, y, _), (u, v, _) = found.eye, found.target
    return np.degrees(np.arctan2(u - x, v - y)) % 180


@pytest.mark.parametrize("angle", [0, 30, 45, 90])
def test_one_stands_in_the_street_and_looks_along_it(angle):
    houses = street(angle)
    found = view(houses, np.full(len(houses), 12.0), MIDDLE)
    eye, target = shapely.Point(found.eye[:2]), shapely.Point(found.target[:2])
    assert found.eye[2] == EYE_M
    assert min(house.distance(eye) for house in houses) >= CLEAR_M
    assert not any(house.intersects(shapely.LineString([eye, target])) for house in houses)
    assert abs((heading(found) - (90 - angle) + 90) % 180 - 90) <= 15
    assert houses[found.nearest].distance(eye) == min(h.distance(eye) for h in houses)


def test_the_order_of_the_buildings_does_not_matter():
    houses = street(20)
    order = np.random.default_rng(0).permutation(len(houses))
    height = np.linspace(6, 20, len(houses))
    one = view(houses, height, MIDDLE)
    other = view([houses[k] for k in order], height[order], MIDDLE)
    assert one[:2] == other[:2]


def test_no_street_where_one_can_stand_nowhere():
    block = shapely.box(-600, -600, 600, 600)
    everywhere = [shapely.affinity.translate(block, *MIDDLE)]
    assert street_view(everywhere, np.array([9.0]), MIDDLE) is None


def test_one_house_is_looked_at_from_beside_it():
    house = [shapely.box(0, 0, 10, 10)]
    found = view(house, np.array([8.0]), np.array([5.0, 5.0]))
    assert CLEAR_M <= house[0].distance(shapely.Point(found.eye[:2])) <= 30
