"""The table of quality checks itself and travels to pandas; surfaces agree with trimesh."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import shapely

from cimkit.errors import TableError
from cimkit.kernels.roof_residuals import INSET
from cimkit.steps.party_walls import GAP_MAX
from cimkit.steps.reconstruct.quality import NEAR, measure_quality
from cimkit.steps.reconstruct.solid import extrude
from cimkit.steps.reconstruct.verdict import (
    DENSITY_MIN,
    NODATA_RADIUS_MAX,
    OVERLAP_SHARE_MAX,
    RMSE_MAX,
    UNSEEN_MAX,
    WITHIN_MIN,
)
from cimkit.tables import Footprints, Models, Quality
from cimkit.tables.quality import FAILURES
from cimkit.tables.surfaces import face_slopes, face_vectors, solid_volumes
from tests.conftest import ROOT
from tests.zoo import sound_shapes

NAME = re.compile(r"`(\w+)`")
SHAPES = [shape for shapes in sound_shapes().values() for shape in shapes]


def zoo(shift=0.0):
    """Prisms on all sound shapes, in whole millimetres."""
    moved = shapely.transform(shapely.set_precision(SHAPES, 0.001), lambda xy: xy + shift)
    moved = [shape for shape in moved if shape.geom_type == "Polygon" and shape.area > 1]
    footprints = Footprints.from_polygons([f"z{k}" for k in range(len(moved))], moved)
    low = np.arange(len(moved), dtype=float)
    return footprints, extrude(footprints, low, 2 * low + 3)


def table(n=3):
    footprints, models = zoo()
    rows = np.empty(0, np.int64), np.zeros(len(footprints) + 1, np.int64)
    quality = measure_quality(models, footprints, None, *rows)
    return quality.take(np.arange(n))


@pytest.mark.parametrize("shift", [0.0, 4e7])
def test_areas_and_volumes_are_those_of_trimesh(shift):
    footprints, models = zoo(shift)
    vectors, volumes = face_vectors(models), solid_volumes(models)
    area = np.bincount(models.solid_of_face, np.linalg.norm(vectors, axis=1))
    assert len(footprints) > 5
    for row in range(len(models)):
        mesh = models.to_trimesh(row)
        mesh.vertices -= mesh.vertices[0]
        assert area[row] == pytest.approx(mesh.area, rel=1e-9)
        assert volumes[row] == pytest.approx(mesh.volume, rel=1e-9)
        np.testing.assert_allclose(vectors[models.solid_of_face == row].sum(0), 0, atol=1e-6)


def test_nothing_has_no_faces():
    nothing = Models([], "1.2", np.empty((0, 3)), [0], [], [0], [0], [0], [])
    assert face_vectors(nothing).shape == (0, 3)
    assert solid_volumes(nothing).shape == (0,)
    assert [len(angles) for angles in face_slopes(nothing)] == [0, 0]


@pytest.mark.parametrize("angle", range(0, 360, 15))
def test_azimuth_turns_with_the_roof(angle):
    footprints = Footprints.from_polygons(["a"], [shapely.Point(0, 0).buffer(5)])
    models = extrude(footprints, np.array([0.0]), np.array([9.0]))
    xyz = models.vertices.copy()
    east, north = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    xyz[:, 2] -= np.where(xyz[:, 2] > 5, 0.5 * (east * xyz[:, 0] + north * xyz[:, 1]), 0)
    tilted = replace(models, vertices=xyz)
    slope, azimuth = (values[-1] for values in face_slopes(tilted))
    assert slope == pytest.approx(np.degrees(np.arctan(0.5)), abs=0.01)
    assert azimuth == pytest.approx(angle, abs=0.01)
    assert 0 <= azimuth < 360


def test_a_frame_and_back():
    quality = table()
    again = Quality.from_pandas(quality.to_pandas().assign(more=1))
    for name in quality.__slots__:
        np.testing.assert_array_equal(getattr(again, name), getattr(quality, name))


def test_rows_are_chosen_and_joined():
    quality = table(4)
    parts = [quality.take(np.array([3, 1])), quality.take(np.array([0]))]
    joined = Quality.concatenate(parts)
    assert joined.building_id.tolist() == ["z3", "z1", "z0"]
    np.testing.assert_array_equal(joined.volume_lod12, quality.volume_lod12[[3, 1, 0]])
    assert repr(joined).startswith("Quality(3 rows")
    with pytest.raises(TableError, match="nothing"):
        Quality.concatenate([])


@pytest.mark.parametrize(
    ("column", "bad"),
    [
        ("building_id", ["a", "a", "b"]),
        ("rmse_lod12", [1.0]),
        ("roof_type", ["horizontal"]),
        ("passes", [True]),
        ("n_roof_faces", [1, 2]),
    ],
)
def test_columns_that_contradict_each_other_are_refused(column, bad):
    with pytest.raises(TableError, match=column):
        table().replace(**{column: bad})


def first_cells(text):
    """Names in the first cells of a table."""
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return [name for row in rows for name in NAME.findall(row)]


def test_the_page_names_all_columns_and_parts_of_the_rule():
    page = (ROOT / "docs" / "quality.md").read_text(encoding="utf-8")
    attributes, verdict = page.split("## Attributes")[1].split("## The verdict")
    assert first_cells(attributes) == list(Quality.__slots__[1:])
    assert first_cells(verdict) == ["fails", *FAILURES]
    for value in (UNSEEN_MAX, WITHIN_MIN, OVERLAP_SHARE_MAX):
        assert f" {value:.0%}".replace("%", " %") in verdict
    assert f"{DENSITY_MIN:g} roof point a m²" in verdict
    for value in (RMSE_MAX, NODATA_RADIUS_MAX, NEAR, INSET, GAP_MAX):
        assert f"{value:g} m" in page
