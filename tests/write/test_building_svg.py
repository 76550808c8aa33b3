"""The levels of one building side by side."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
import shapely

import cimkit
from cimkit.errors import ParameterError
from cimkit.plot import plot_building
from cimkit.tables import PointCloud
from cimkit.write.building_svg import POINTS_MAX
from tests.steps.reconstruct.roofs import ROOFS, build, points_on

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def gable():
    """Models of a gable roof, and the name of their only building."""
    models = build(ROOFS["gable"])[1]
    assert len(set(models.building_id.tolist())) == 1
    return models, str(models.building_id[0])


def spans(svg):
    """Level, left and right end in tenths of a pixel, and parts, of each drawn solid."""
    found = {}
    for group in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        title = group.find(f"{SVG}title")
        if title is not None:
            x = []
            for path in group.findall(f"{SVG}path"):
                for ring in re.findall(r"M([^z]*)z", path.get("d")):
                    n = [int(k) for k in re.findall(r"-?\d+", ring)]
                    x += np.cumsum(n[::2]).tolist()
            found[str(title.text).split(":")[0]] = (min(x), max(x), len(group) - 1)
    return found


def test_levels_stand_side_by_side_at_one_scale(gable):
    models, name = gable
    found = spans(plot_building(models, name).svg)
    assert sorted(found) == ["LoD1.2", "LoD1.3", "LoD2.2"]
    ordered = [found[level] for level in sorted(found)]
    assert all(one[1] < other[0] for one, other in pairwise(ordered))
    widths = [right - left for left, right, _ in ordered]
    assert max(widths) - min(widths) <= 2
    assert [n for *_, n in ordered] == [3, 3, 4]  # two walls, and the faces of the roof
    assert cimkit.plot_building(models, name).svg == plot_building(models, name).svg


def test_captions_count_the_roof_faces(gable):
    svg = plot_building(*gable).svg
    for text in ("LoD1.2: 1 roof face 屋面", "LoD2.2: 2 roof faces 屋面"):
        assert text in svg
    assert "points" not in svg


def test_method_and_reason_stand_under_the_title():
    """Boxes from storeys, so that no kernel is needed."""
    shapes = [shapely.box(0, 0, 9, 9), shapely.box(20, 0, 29, 9)]
    footprints = cimkit.Footprints.from_polygons(["a", "b"], shapes, floors=[2, 3])
    buildings, models, _ = cimkit.reconstruct(footprints)
    assert ">LoD1.2 · extrusion<" in plot_building(models, "b", buildings=buildings).svg
    assert "extrusion" not in plot_building(models, "b").svg
    told = buildings.replace(reason=np.array(["", "NO_ROOF_POINTS"]))
    svg = plot_building(models, "b", buildings=told).svg
    assert "LoD1.2 · extrusion · NO_ROOF_POINTS" in svg
    with pytest.raises(ParameterError, match="no row of 'b' among 1; give the table"):
        plot_building(models, "b", buildings=buildings.take(np.array([0])))


def test_points_are_dots_before_the_solids_in_any_order(gable):
    models, name = gable
    xyz = points_on(ROOFS["gable"], density=200.0)
    assert len(xyz) > POINTS_MAX
    svg = plot_building(models, name, xyz).svg
    dots = re.findall(r"M(\d+) (\d+)h0", svg)
    assert POINTS_MAX / 2 <= len(dots) <= POINTS_MAX
    assert max(int(x) for x, _ in dots) < spans(svg)["LoD1.2"][0]
    assert f"{len(xyz):,} points 点" in svg
    order = np.random.default_rng(0).permutation(len(xyz))
    assert plot_building(models, name, xyz[order]).svg == svg
    x, y, z = xyz[order].T
    cloud = PointCloud(x, y, z, np.full(len(xyz), 6, dtype=np.uint8))
    assert plot_building(models, name, cloud).svg == svg


def test_no_points_and_no_numbers_are_no_trouble(gable):
    models, name = gable
    assert "0 points" in plot_building(models, name, np.empty((0, 3))).svg
    assert "nan" not in plot_building(models, name, np.full((2, 3), np.nan)).svg


def test_errors_say_what_to_do(gable):
    models, name = gable
    with pytest.raises(ParameterError, match=r"take one of models\.building_id"):
        plot_building(models, f"{name}-none")
    with pytest.raises(ParameterError, match="stack x, y and z"):
        plot_building(models, name, np.zeros((5, 4)))
