"""What a building says of ground that was found, or only guessed."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from cimkit.steps.reconstruct import reconstruct
from cimkit.tables import Footprints, PointCloud, Terrain
from cimkit.tables.terrain import DOUBTFUL, FOUND, GIVEN

HOUSE = Footprints.from_polygons(["a"], [shapely.box(10, 10, 20, 20)])


def built(kind, ground, *, near=False):
    """A house with its roof at 9 m, on a flat terrain, with ground points or without."""
    shape = 30, 30
    found = np.full(shape, kind, dtype=np.uint8)
    terrain = Terrain(np.full(shape, ground), np.ones(shape, bool), 0, 0, 1, found=found)
    x, y = (axis.ravel() + 0.5 for axis in np.mgrid[10:20, 10:20])
    z, classes = np.full(100, 9.0), np.full(100, 6)
    owner = np.zeros(100, dtype=np.int64)
    if near:
        x, y = np.append(x, [8.0, 9.0]), np.append(y, [15.0, 15.0])
        z, classes = np.append(z, [ground] * 2), np.append(classes, [2, 2])
        owner = np.append(owner, [-1, -1])
    cloud = PointCloud(x, y, z, classes)
    return reconstruct(HOUSE, cloud, building_of_point=owner, terrain=terrain)


@pytest.mark.parametrize("near", [False, True])
@pytest.mark.parametrize(
    ("kind", "source"), [(GIVEN, ("terrain", "points")), (FOUND, ("filtered", "filtered"))]
)
def test_ground_that_was_found_says_so(kind, source, near):
    buildings, _, issues = built(kind, 3.0, near=near)
    assert buildings.h_ground[0] == 3.0
    assert buildings.ground_source[0] == source[near]
    assert not issues


@pytest.mark.parametrize("near", [False, True])
def test_doubtful_ground_is_a_guess(near):
    buildings, _, issues = built(DOUBTFUL, 3.0, near=near)
    assert (buildings.h_ground[0], buildings.height[0]) == (3.0, 6.0)
    assert buildings.ground_source[0] == "guess"
    (issue,) = issues
    assert (issue.code, issue.id) == ("GROUND_NOT_MEASURED", "a")
    assert "looks like ground" in issue.message


@pytest.mark.parametrize("ground", [8.0, 12.0])
def test_doubtful_ground_that_would_bury_the_roof_is_not_taken(ground):
    buildings, _, issues = built(DOUBTFUL, ground)
    assert (buildings.h_ground[0], buildings.height[0]) == (6.0, 3.0)  # one storey
    assert buildings.height_source[0] == "points"
    assert [issue.code for issue in issues] == ["GROUND_NOT_MEASURED"]
