"""How a roof comes about, from above: colours, counts, arrows, nothing dropped."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import shapely

from cimkit.plot import plot_partition
from cimkit.steps.reconstruct.partition import RoofPartition
from cimkit.steps.reconstruct.planes import RoofPlanes
from cimkit.write.plan_svg import GREY, PALETTE
from cimkit.write.roof_plan_svg import POINTS_MAX, RoofPlan, draw_roof_plan

SVG = "{http://www.w3.org/2000/svg}"
CORNER = np.array([500_000.0, 4_000_000.0])


def gable(shift: Any = CORNER, n: int = 20) -> RoofPartition:
    """A gable of 12 x 8 m, its ridge from west to east; one point lies on no plane."""
    x, y = (axis.ravel() for axis in np.mgrid[0.1:12:0.5, 0.1:8:0.5])
    xyz = np.column_stack([x, y, 5 - np.abs(y - 4) / 2])
    owner = (y > 4).astype(np.int32)
    owner[n] = -1
    coefficients = np.array([[0.0, 0.5, 3.0], [0.0, -0.5, 7.0]])
    planes = RoofPlanes(xyz, owner, coefficients, (*np.asarray(shift).tolist(), 0.0), 96.0)
    halves = np.array([shapely.box(0, 0, 12, 4), shapely.box(0, 4, 12, 8)], dtype=object)
    halves = shapely.transform(halves, lambda xy: xy + shift)
    ridge = np.array([[0.0, 4.0, 12.0, 4.0]]) + np.tile(shift, 2)
    return RoofPartition(planes, ridge, halves, halves, np.array([0, 1]), coefficients)


def strokes(svg: str, name: str = "stroke") -> dict[str, str]:
    """Path data by colour."""
    paths = ElementTree.fromstring(svg).iter(f"{SVG}path")
    return {str(p.get(name)): str(p.get("d")) for p in paths}


def test_all_points_are_drawn_in_the_colour_of_their_plane() -> None:
    roof = gable()
    found = strokes(plot_partition(roof).svg)
    for tint, plane in ((GREY, -1), (PALETTE[0], 0), (PALETTE[1], 1)):
        dots = strokes(plot_partition(roof.planes).svg)[tint]
        assert dots.count("h0") == (roof.planes.plane_of_point == plane).sum()
    assert found[PALETTE[0]].count("h0") == (roof.planes.plane_of_point == 0).sum()


def test_captions_count_and_faces_have_the_colours_of_the_points() -> None:
    svg = plot_partition(gable(), title="A < B").svg
    for text in ("384 points 点, 2 planes 平面", "1 line 线, 2 cells 单元", "2 faces 屋面"):
        assert text in svg
    assert "A &lt; B" in svg
    assert {PALETTE[0], PALETTE[1]} <= set(strokes(svg, "fill"))


def test_planes_alone_are_one_panel() -> None:
    svg = plot_partition(gable().planes).svg
    assert "points 点" in svg
    assert "cells" not in svg
    assert "faces" not in svg


def test_arrows_point_downhill() -> None:
    roof = gable()
    svg = plot_partition(roof).svg
    shafts = re.findall(r'd="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)M', svg)
    assert len(shafts) == 2
    (_, y0, _, y1), (_, y2, _, y3) = np.array(shafts, dtype=float)
    assert y1 > y0  # the south half falls to the south, which is down on the page
    assert y3 < y2
    assert svg.count(">27°<") == 2
    level = roof._replace(coefficients=np.zeros((2, 3)))
    assert plot_partition(level).svg.count(">0°<") == 2
    assert not re.findall(
        r'd="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)M', plot_partition(level).svg
    )


def test_the_picture_is_the_same_anywhere_on_the_map() -> None:
    assert plot_partition(gable()).svg == plot_partition(gable(np.zeros(2))).svg


def test_neighbours_differ_with_more_planes_than_colours() -> None:
    """A fan of strips, of which each touches the next, and the 8th the 1st as well."""
    n = len(PALETTE) + 1
    strips = [shapely.box(k, 0, k + 1, 5) for k in range(n - 1)]
    ring = np.array([*strips, shapely.box(0, 5, n - 1, 6)], dtype=object)
    plan = RoofPlan(
        np.empty((0, 2)),
        np.empty(0, dtype=np.int64),
        np.zeros((n, 2)),
        np.empty((0, 4)),
        ring,
        ring,
        np.arange(n),
    )
    root = ElementTree.fromstring(draw_roof_plan(plan))
    tints = [p.get("fill") for p in root.iter(f"{SVG}path") if p.get("fill") in PALETTE]
    assert len(tints) == n
    one, other = shapely.STRtree(ring).query(ring, predicate="intersects")
    clash = [(a, b) for a, b in zip(one, other, strict=True) if a < b and tints[a] == tints[b]]
    assert len(clash) <= 1  # the last strip touches seven: one colour must come twice


@pytest.mark.parametrize("n", [0, 1, POINTS_MAX, POINTS_MAX + 1, 3 * POINTS_MAX])
def test_dots_are_capped(n: int) -> None:
    none = np.empty(0, dtype=object)
    xy = np.random.default_rng(0).uniform(0, 9, (n, 2))
    plan = RoofPlan(
        xy, np.zeros(n, int), np.zeros((1, 2)), np.empty((0, 4)), none, none, np.zeros(0, int)
    )
    svg = draw_roof_plan(plan)
    assert min(n, POINTS_MAX // 2) <= svg.count("h0") <= POINTS_MAX
    assert "nan" not in svg
    assert f"{n:,} point" in svg
