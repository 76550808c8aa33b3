"""Quality of models: a house worked out by hand, points that are changed, and the verdict."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimkit.steps.reconstruct.quality import measure_quality, with_validity
from cimkit.steps.reconstruct.verdict import judge, unseen_share
from cimkit.tables import Models
from cimkit.tables.quality import FAILURES, NO_SOLID, UNCHECKED
from cimkit.tables.surfaces import face_slopes
from tests.steps.reconstruct.houses import (
    ACROSS,
    ALONG,
    EAVE,
    LENGTH,
    RIDGE,
    WIDTH,
    buildings_of,
    gable_house,
    points_on_gable,
    stepped_house,
)

RAFTER = np.hypot(WIDTH / 2, RIDGE - EAVE)


def measured(models, footprints, xyz, **keys):
    rows = np.arange(len(xyz[0]))
    return measure_quality(models, footprints, xyz, rows, np.array([0, len(rows)]), **keys)


def values(quality):
    """All columns as one row, to compare bit by bit."""
    return quality.to_pandas().drop(columns="building_id").to_csv()


@pytest.mark.parametrize("shift", [(0, 0), (84_000, 447_000), (4e7, 3.35e6)])
def test_the_gable_house_is_as_large_as_it_was_drawn(shift):
    footprints, models = gable_house(shift=shift)
    quality = measured(models, footprints, points_on_gable(300, shift=shift))
    row = quality.to_pandas().iloc[0]
    gables = 2 * WIDTH * (EAVE + (RIDGE - EAVE) / 2)
    assert row.volume_lod12 == pytest.approx(LENGTH * WIDTH * 6, abs=0.01)
    assert np.isnan(row.volume_lod13)
    assert row.volume_lod22 == pytest.approx(LENGTH * gables / 2, abs=0.01)
    assert row.n_roof_faces == 2
    assert row.area_roof_flat == 0
    assert row.area_roof_sloped == pytest.approx(2 * LENGTH * RAFTER, abs=0.01)
    assert row.area_wall == pytest.approx(2 * LENGTH * EAVE + gables, abs=0.01)
    assert (row.h_eave, row.h_ridge) == (EAVE, RIDGE)
    assert row.roof_type == "slanted"
    assert row.validity_lod12 == row.validity_lod22 == UNCHECKED
    assert row.validity_lod13 == NO_SOLID
    assert row.rmse_lod22 <= 0.001
    assert row.within_lod22 == 1


def test_slope_and_azimuth_point_down_the_roof():
    _, models = gable_house()
    slope, azimuth = face_slopes(models)
    down = [np.degrees(np.arctan2(*side)) % 360 for side in (-ACROSS, ACROSS)]
    np.testing.assert_allclose(slope[-2:], np.degrees(np.arctan(0.8)), atol=0.01)
    np.testing.assert_allclose(azimuth[-2:], down, atol=0.01)
    is_roof = models.semantics == 2
    assert np.isnan(slope[~is_roof]).all()
    assert np.isnan(azimuth[~is_roof]).all()
    assert slope[is_roof][0] == 0  # of the box
    assert np.isnan(azimuth[is_roof][0])


@pytest.mark.parametrize(("noise", "within"), [(0.05, 1), (0.199, 1), (0.3, 0)])
def test_rmse_and_share_are_those_of_the_noise(noise, within):
    footprints, models = gable_house()
    quality = measured(models, footprints, points_on_gable(400, noise))
    assert quality.rmse_lod22[0] == pytest.approx(noise, abs=0.0011)
    assert quality.within_lod22[0] == within


def test_points_at_the_outline_and_off_it_do_not_count():
    footprints, models = gable_house()
    x, y, z = points_on_gable(400)
    edge = np.linspace(0.1, LENGTH - 0.1, 50)
    for b in (-3.0, 0.0, 0.28, WIDTH - 0.28):
        ex, ey = (edge[:, None] * ALONG + b * ACROSS).T
        xyz = np.r_[x, ex], np.r_[y, ey], np.r_[z, np.zeros(50)]
        assert measured(models, footprints, xyz).rmse_lod22[0] <= 0.001
    ex, ey = (edge[:, None] * ALONG + 0.35 * ACROSS).T
    xyz = np.r_[x, ex], np.r_[y, ey], np.r_[z, np.zeros(50)]
    assert measured(models, footprints, xyz).rmse_lod22[0] > 1


@settings(max_examples=25)
@given(st.permutations(range(60)), st.integers(-(10**7), 10**7), st.integers(0, 10**6))
def test_neither_order_nor_place_changes_a_bit(order, east, north):
    shift = np.array([east, north], dtype=float)
    footprints, models = gable_house()
    x, y, z = (column.round(3) for column in points_on_gable(60, 0.1))
    given_ = measured(models, footprints, (x, y, z))
    moved, their_models = gable_house(shift=shift)
    row = np.array(order)
    again = measured(their_models, moved, (x[row] + east, y[row] + north, z[row]))
    assert values(again) == values(given_)


def test_few_points_give_no_fit():
    footprints, models = gable_house()
    deep = points_on_gable(9)
    quality = measured(models, footprints, deep)
    assert np.isnan([quality.rmse_lod22[0], quality.within_lod22[0]]).all()
    assert quality.nodata_radius[0] > 1


def test_without_a_cloud_the_models_are_measured_all_the_same():
    footprints, models = gable_house()
    none = np.empty(0, np.int64), np.zeros(2, np.int64)
    quality = measure_quality(models, footprints, None, *none)
    assert quality.volume_lod22[0] > 0
    assert quality.roof_type[0] == "no points"
    for name in ("rmse_lod12", "point_density", "nodata_fraction", "nodata_radius"):
        assert np.isnan(getattr(quality, name)[0])
    assert not quality.is_glass_roof[0]


def test_half_a_roof_without_points_is_seen():
    footprints, models = gable_house()
    x, y, z = points_on_gable(2000)
    near = ALONG[0] * x + ALONG[1] * y < LENGTH / 2
    quality = measured(models, footprints, (x[near], y[near], z[near]))
    assert quality.nodata_fraction[0] == pytest.approx(0.5, abs=0.06)
    assert quality.nodata_radius[0] == pytest.approx(2.5, abs=0.15)
    assert quality.point_density[0] == pytest.approx(2000 / 50, rel=0.1)
    whole = measured(models, footprints, (x, y, z))
    assert whole.nodata_fraction[0] == 0
    assert whole.nodata_radius[0] < 0.5


@pytest.mark.parametrize(("share", "glass"), [(0.0, False), (0.05, False), (0.5, True)])
def test_ground_among_the_roof_points_is_glass(share, glass):
    footprints, models = gable_house()
    xyz = points_on_gable(1000)
    ground = np.random.default_rng(1).random(1000) < share
    roof, below = np.flatnonzero(~ground), np.flatnonzero(ground)
    quality = measure_quality(
        models,
        footprints,
        xyz,
        roof,
        np.array([0, len(roof)]),
        ground=(below, np.array([0, len(below)])),
    )
    assert quality.is_glass_roof.tolist() == [glass]


def test_flat_roofs_have_no_ridge_and_are_counted_by_their_steps():
    footprints, models = gable_house()
    flat = models.at("1.2")
    one = Models.concatenate([flat, _at(flat, "2.2")])
    quality = measured(one, footprints, points_on_gable(200))
    assert quality.roof_type[0] == "horizontal"
    assert quality.area_roof_flat[0] == pytest.approx(LENGTH * WIDTH)
    assert np.isnan([quality.h_ridge[0], quality.h_eave[0]]).all()
    assert measured(flat, footprints, points_on_gable(200)).roof_type[0] == "no planes"
    asked = measured(flat, footprints, points_on_gable(200), lods=("1.2",))
    assert asked.roof_type[0] == ""


def _at(models, lod):
    names = [name for name in models.__slots__ if name not in ("lod", "crs")]
    return Models(**{name: getattr(models, name) for name in names}, lod=lod)


def test_two_flat_parts_are_several():
    footprints, models = stepped_house()
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 12, 900), rng.uniform(0, 8, 900)
    quality = measured(models, footprints, (x, y, np.where(x < 6, 5.0, 9.0)))
    assert quality.roof_type[0] == "multiple horizontal"
    assert quality.n_roof_faces[0] == 2
    assert quality.within_lod22[0] == 1
    mesh = models.to_trimesh(0)
    assert mesh.is_watertight
    assert quality.volume_lod22[0] == pytest.approx(mesh.volume)
    assert quality.area_wall[0] == pytest.approx(mesh.area - 2 * 96)


def test_of_two_faces_over_each_other_the_upper_counts():
    """A shed that reaches under the roof of the house: a laser sees the highest face."""
    footprints, models = stepped_house()
    vertices = models.vertices.copy()
    vertices[[7, 8], 0] = 9.0  # the lower part reaches 3 m under the upper one
    xyz = np.full(50, 7.5), np.linspace(1, 7, 50), np.full(50, 9.0)
    under = dataclasses.replace(models, vertices=vertices)
    assert measured(under, footprints, xyz).rmse_lod22[0] == 0
    assert measured(models, footprints, xyz).rmse_lod22[0] == 0
    xyz = np.full(50, 4.5), xyz[1], np.full(50, 5.0)
    assert measured(under, footprints, xyz).rmse_lod22[0] == 0


def test_a_wall_that_is_called_a_roof_is_none():
    footprints, models = stepped_house()
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 12, 100), rng.uniform(0, 8, 100)
    semantics = models.semantics.copy()
    semantics[7] = 2  # the step between both parts
    leaning = models.vertices.copy()
    leaning[[10, 13], 0] = 6.2  # 87 degrees
    steep = dataclasses.replace(models, semantics=semantics, vertices=leaning)
    xyz = x, y, np.where(x < 6, 5.0, 9.0)
    far = np.abs(x - 6.1) > 0.2
    quality = measured(steep, footprints, tuple(axis[far] for axis in xyz))
    assert quality.rmse_lod22[0] == 0
    assert quality.within_lod22[0] == 1


def test_a_building_without_models_has_no_measures():
    footprints, models = gable_house()
    none = models.take(np.empty(0, np.int64))
    quality = measured(none, footprints, points_on_gable(100))
    assert np.isnan([quality.volume_lod12[0], quality.area_wall[0], quality.h_ridge[0]]).all()
    assert quality.n_roof_faces[0] == 0
    assert quality.validity_lod12[0] == NO_SOLID
    assert quality.point_density[0] > 0


def fine():
    """A building that passes, and its attributes."""
    footprints, models = gable_house()
    models = Models.concatenate([models, _at(models.at("1.2"), "1.3")])
    quality = measured(models, footprints, points_on_gable(1000))
    quality = with_validity(quality, models, [()] * 3)
    return quality.replace(area_overlap=[0.0]), buildings_of(footprints)


def test_numbers_of_errors_stand_at_their_level():
    footprints, models = gable_house()
    quality = measured(models, footprints, points_on_gable(100))
    checked = with_validity(quality, models, [(), (203, 307)])
    assert checked.validity_lod12.tolist() == [""]
    assert checked.validity_lod13.tolist() == [NO_SOLID]
    assert checked.validity_lod22.tolist() == ["203,307"]
    assert quality.validity_lod22.tolist() == [UNCHECKED]


def test_a_good_building_passes():
    quality = judge(*fine())
    assert quality.passes.tolist() == [True]
    assert quality.fails.tolist() == [""]


@pytest.mark.parametrize(
    ("column", "value", "part"),
    [
        ("validity_lod13", NO_SOLID, "LOD"),
        ("validity_lod13", "405", "INVALID"),
        ("validity_lod22", "203,307", "INVALID"),
        ("within_lod22", 0.6, ""),
        ("rmse_lod22", 0.6, ""),
        ("nodata_radius", 1.6, "NO_DATA"),
        ("nodata_fraction", 0.2, "NO_DATA"),
        ("nodata_fraction", 0.1, ""),
        ("point_density", 0.9, "NO_DATA"),
        ("point_density", 1.1, ""),
        ("is_glass_roof", True, "NO_DATA"),
        ("height_source", "floors", "HEIGHT"),
        ("ground_source", "guess", "GROUND"),
        ("ground_source", "dem", ""),
        ("area_overlap", 0.6, "OVERLAP"),
        ("area_overlap", np.nan, ""),
    ],
)
def test_each_part_of_the_rule_fails_alone(column, value, part):
    quality, buildings = fine()
    if hasattr(quality, column):
        quality = quality.replace(**{column: [value]})
    else:
        buildings = buildings.replace(**{column: [value]})
    judged = judge(quality, buildings)
    assert judged.fails.tolist() == [part]
    assert judged.passes.tolist() == [part == ""]


@pytest.mark.parametrize("density", [1.5, 4.0, 9.0])
@pytest.mark.parametrize("seen", [1.0, 0.7, 0.5])
def test_the_unseen_share_does_not_depend_on_the_density(density, seen):
    cells = np.random.default_rng(0).poisson(density / 4, 200_000)[: int(200_000 * seen)]
    filled = (cells > 0).sum()
    found = unseen_share(
        np.array([1 - filled / 200_000, np.nan]), np.array([cells.sum() / (filled / 4), np.nan])
    )
    assert found[0] == pytest.approx(1 - seen, abs=0.02)
    assert np.isnan(found[1])


@pytest.mark.parametrize(("within", "rmse"), [(0.6, 0.6), (np.nan, np.nan)])
def test_a_roof_that_does_not_fit_fails_unless_it_was_not_asked_for(within, rmse):
    quality, buildings = fine()
    quality = quality.replace(within_lod22=[within], rmse_lod22=[rmse])
    assert judge(quality, buildings).fails.tolist() == ["RESIDUALS"]
    assert judge(quality, buildings, lods=("1.2",)).fails.tolist() == [""]


def test_all_failures_are_listed_in_their_order():
    quality, buildings = fine()
    quality = quality.replace(
        validity_lod12=[NO_SOLID],
        validity_lod22=["203"],
        within_lod22=[0.1],
        rmse_lod22=[2.0],
        nodata_radius=[3.0],
        area_overlap=[9.0],
    )
    buildings = buildings.replace(height_source=["default"], ground_source=["none"])
    assert judge(quality, buildings).fails.tolist() == [",".join(FAILURES)]
