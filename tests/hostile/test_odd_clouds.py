"""Clouds that are sound but odd (P7, P8): empty, noise, copies, no-data heights."""

from __future__ import annotations

import numpy as np
import pytest
from shapely import box

from cimkit.steps.ground import ground
from cimkit.steps.reconstruct.lod import reconstruct
from cimkit.steps.singulate import singulate
from cimkit.tables import Footprints, PointCloud, count_issues

HOUSES = Footprints.from_polygons(["a", "b"], [box(10, 10, 20, 20), box(30, 10, 40, 20)])


def town(n=12_000):
    """x, y, z, class: ground at 30 m, roofs at 39 and 45."""
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 50, n), rng.uniform(0, 30, n)
    on_a, on_b = ((x >= w) & (x <= w + 10) & (y >= 10) & (y <= 20) for w in (10, 30))
    z = np.where(on_a, 39.0, np.where(on_b, 45.0, 30.0)) + rng.normal(0, 0.02, n)
    return np.array([x, y, z, np.where(on_a | on_b, 6, 2)])


def models_of(columns):
    x, y, z, classes = columns
    cloud = PointCloud(x, y, z, classes.astype(np.uint8))
    terrain = ground(cloud)[0] if len(cloud) else None
    owner = singulate(cloud, HOUSES)
    buildings, _, issues = reconstruct(HOUSES, cloud, building_of_point=owner, terrain=terrain)
    return buildings, count_issues(issues)


def spoilt(share, value):
    columns = town()
    wrong = np.random.default_rng(1).random(columns.shape[1]) < share
    columns[2] = np.where(wrong, value, columns[2])
    return columns


@pytest.mark.parametrize(
    "columns",
    [
        town(),
        np.repeat(town(3000), 1000, axis=1),
        np.repeat(town(), np.where(np.arange(12_000) % 7, 1, 1000), axis=1),
        spoilt(0.04, -9999.0),
        spoilt(0.2, 99_999.0),
    ],
    ids=["sound", "all a thousand times", "some a thousand times", "few -9999", "many 99999"],
)
def test_heights_are_as_ever(columns):
    buildings, issues = models_of(columns)
    assert buildings.height == pytest.approx([9, 15], abs=0.15)
    assert issues == {}


@pytest.mark.parametrize(
    ("columns", "codes"),
    [
        (town(0), {"NO_ROOF_POINTS": 2, "HEIGHT_DEFAULT": 2, "GROUND_NOT_MEASURED": 2}),
        (town(1), {"NO_ROOF_POINTS": 2, "HEIGHT_DEFAULT": 2, "GROUND_NOT_MEASURED": 1}),
        (town() * [[1], [1], [1], [0]] + [[0], [0], [0], [7]],
         {"NO_ROOF_POINTS": 2, "HEIGHT_DEFAULT": 2, "GROUND_NOT_MEASURED": 2}),
        (town() * [[1], [1], [0], [1]], {"ROOF_BELOW_GROUND": 2, "HEIGHT_DEFAULT": 2}),
        (spoilt(0.2, -9999.0), {"HEIGHT_SUSPECT": 2}),
    ],
    ids=["no points", "one point", "only noise", "all the same height", "many -9999"],
)  # fmt: skip
def test_what_cannot_be_measured_is_said(columns, codes):
    buildings, issues = models_of(columns)
    assert issues == codes
    assert np.isfinite(buildings.height).all()
