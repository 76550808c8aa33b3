"""Pictures: valid XML, the same bytes, nothing lost, nothing hidden shown."""

from __future__ import annotations

import itertools
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import shapely
import shapely.affinity
from hypothesis import given
from hypothesis import strategies as st

from cimkit.errors import ParameterError
from cimkit.plot import plot_heights, plot_models, plot_plan
from cimkit.tables import Addresses, Buildings, Footprints, Models
from cimkit.tables.models import GROUND_SURFACE, ROOF_SURFACE, WALL_SURFACE
from cimkit.write.camera import cast_shadow, face_normals, place_camera, visible_faces
from cimkit.write.markup import element, escape
from cimkit.write.plan_svg import draw_plan
from cimkit.write.svg import draw_histogram, nice_step, path_data
from cimkit.write.whitemodel_svg import BUILDINGS_MAX, draw_models

make_models: Any = Models
make_addresses: Any = Addresses
make_buildings: Any = Buildings
"""Tables turn lists into arrays; their annotations name what they hold."""

SVG = "{http://www.w3.org/2000/svg}"
NOTHING = make_models([], "1.2", [], [0], [], [0], [0], [0], [])


def prism(name: str, polygon: shapely.Polygon, low: float, high: float) -> Any:
    """One extruded solid."""
    shape = shapely.orient_polygons(polygon)
    rings = [np.array(r.coords)[:-1] for r in (shape.exterior, *shape.interiors)]
    n = sum(map(len, rings))
    xy = np.vstack(rings)
    ends = np.cumsum([0, *map(len, rings)])
    index = [np.arange(a, b) for a, b in itertools.pairwise(ends)]
    walls = [
        [[a, b, b + n, a + n]]
        for ring in index
        for a, b in zip(ring.tolist(), np.roll(ring, -1).tolist(), strict=True)
    ]
    faces: list[Any] = [[ring[::-1] for ring in index], [ring + n for ring in index], *walls]
    flat = [ring for face in faces for ring in face]
    return make_models(
        [name],
        "1.2",
        np.vstack([np.column_stack([xy, np.full(n, z)]) for z in (low, high)]),
        [0, 2 * n],
        np.concatenate(flat),
        np.cumsum([0, *map(len, flat)]),
        np.cumsum([0, *map(len, faces)]),
        [0, len(faces)],
        [GROUND_SURFACE, ROOF_SURFACE] + [WALL_SURFACE] * len(walls),
    )


def box(name: str, x: float, y: float, side: float = 10.0, height: float = 10.0) -> Any:
    return prism(name, shapely.box(x, y, x + side, y + side), 0.0, height)


def camera_from(azimuth: float, elevation: float):
    return place_camera(azimuth, elevation, azimuth + 60.0, 45.0, np.zeros(3))


def parse(svg: str) -> Any:
    return ElementTree.fromstring(svg)


def groups(svg: str) -> dict[str, int]:
    """Number of drawn parts by the name in the tooltip of each group."""
    root = parse(svg)
    return {
        group.find(f"{SVG}title").text.split(":")[0]: len(group.findall(f"{SVG}path"))
        for group in root.iter(f"{SVG}g")
        if group.find(f"{SVG}title") is not None
    }


def test_of_a_cube_exactly_three_faces_are_seen():
    _, face = visible_faces(box("cube", 0, 0), camera_from(205, 38))
    seen = sorted(face_normals(box("cube", 0, 0))[face].round(9).tolist())
    assert seen == [[-1, 0, 0], [0, -1, 0], [0, 0, 1]]
    assert groups(draw_models(box("cube", 0, 0))) == {"cube": 3}


def test_seen_from_above_only_roofs_are_left():
    parts, face = visible_faces(box("cube", 0, 0), camera_from(205, 90))
    assert face.tolist() == [1]
    assert shapely.area(parts).sum() == pytest.approx(100.0)


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_the_near_box_hides_the_far_one_in_any_order(order):
    near, far = box("near", 0, 0, height=20.0), box("far", 0, 12)
    both = Models.concatenate([[near, far][i] for i in order])
    parts, face = visible_faces(both, camera_from(180, 30))
    solid = both.solid_of_face[face]
    area = {
        name: shapely.area(parts[solid == k]).sum() for k, name in enumerate(both.building_id)
    }
    alone, _ = visible_faces(near, camera_from(180, 30))
    assert area["near"] == pytest.approx(shapely.area(alone).sum())
    # Up in the picture is y sin 30 + z cos 30. The near box ends at
    # 10 sin 30 + 20 cos 30 = 22.3, the far one at 22 sin 30 + 10 cos 30 = 19.7: all is hidden.
    assert area["far"] == 0.0
    assert "far" not in groups(draw_models(both, azimuth=180.0, elevation=30.0))


def test_the_visible_parts_never_overlap_and_cover_the_silhouette():
    shed = shapely.box(12, 12, 18, 18)
    court = shapely.Polygon(
        shapely.box(0, 0, 30, 30).exterior, [shapely.box(8, 8, 22, 22).exterior]
    )
    ell = shapely.Polygon([(35, 0), (60, 0), (60, 8), (43, 8), (43, 30), (35, 30)])
    city = Models.concatenate(
        [
            prism("court", court, 0, 9),
            prism("shed", shed, 0, 4),
            prism("ell", ell, 0, 12),
            prism("notch", shapely.box(46, 11, 58, 24), 1, 15),
        ]
    )
    camera = camera_from(215, 35)
    parts, _ = visible_faces(city, camera)
    whole = shapely.union_all(parts)
    assert shapely.area(parts).sum() == pytest.approx(whole.area, rel=1e-6)
    seen = camera.project(city.vertices)[:, :2]
    every = [
        shapely.make_valid(shapely.Polygon(seen[city.ring_vertex[a:b]]))
        for a, b in zip(city.ring_offsets[:-1], city.ring_offsets[1:], strict=True)
    ]
    court_floor = shapely.Polygon(
        camera.project(np.array([[8.0, 8, 0], [22, 8, 0], [22, 22, 0], [8, 22, 0]]))[:, :2]
    )
    outside = shapely.union_all(every).difference(court_floor)
    assert outside.difference(whole.buffer(1e-6)).area == pytest.approx(0.0, abs=0.01)


def test_visibility_agrees_with_rays():
    """Oracle: march along the line of sight from each sampled point towards the viewer."""
    rng = np.random.default_rng(3)
    boxes = [
        (x * 14.0, y * 14.0, float(rng.integers(3, 30))) for x in range(4) for y in range(4)
    ]
    city = Models.concatenate(
        [box(f"{i}", x, y, height=h) for i, (x, y, h) in enumerate(boxes)]
    )
    camera = camera_from(205, 38)
    parts, face = visible_faces(city, camera)
    solid = city.solid_of_face[face]
    low, high = (
        camera.project(city.vertices)[:, :2].min(0),
        camera.project(city.vertices)[:, :2].max(0),
    )
    wrong = 0
    for spot in rng.uniform(low, high, (400, 2)):
        found = solid[shapely.contains_xy(parts, *spot)]
        start = camera.origin + spot @ camera.axes[:2]
        steps = np.arange(-150.0, 150.0, 0.05)
        xyz = start + steps[:, None] * camera.axes[2]
        hit = [
            (int(inside.argmax()), i)
            for i, (x, y, h) in enumerate(boxes)
            if (inside := ((xyz > [x, y, 0]) & (xyz < [x + 10, y + 10, h])).all(1)).any()
        ]
        expected = [min(hit)[1]] if hit else []
        wrong += found.tolist() != expected
    assert wrong <= 4  # rays that graze an edge


def test_the_shadow_of_a_box_is_as_long_as_the_sun_says():
    camera = place_camera(180.0, 90.0, 180.0, 45.0, np.zeros(3))
    shadow = shapely.union_all(cast_shadow(box("cube", 0, 0, height=7.0), camera))
    assert shadow.bounds == pytest.approx((0.0, 0.0, 10.0, 17.0))


def test_every_building_of_an_open_city_is_drawn_once():
    city = Models.concatenate(
        [box(f"b{i}", 60.0 * (i % 6), 60.0 * (i // 6)) for i in range(30)]
    )
    svg = draw_models(city, by_height=True)
    assert groups(svg) == {f"b{i}": 3 for i in range(30)}
    assert svg == draw_models(city, by_height=True)
    assert "30 buildings" in svg


def test_large_eastings_change_nothing():
    near, shape = box("a", 0, 0), shapely.box(0, 0, 10, 10)
    far = prism("a", shapely.affinity.translate(shape, 39_500_000.0, 3_400_000.0), 0.0, 10.0)
    assert draw_models(near) == draw_models(far)


def test_a_large_city_shows_its_densest_place_and_says_so():
    sparse = Footprints.from_polygons(
        [f"s{i}" for i in range(1500)],
        shapely.box(
            x := 200.0 * (np.arange(1500) % 40),
            y := 200.0 * (np.arange(1500) // 40),
            x + 9,
            y + 9,
        ),
    )
    dense_x, dense_y = (
        3000 + 20.0 * (np.arange(1500) % 40),
        3000 + 20.0 * (np.arange(1500) // 40),
    )
    dense = shapely.box(dense_x, dense_y, dense_x + 9, dense_y + 9)
    shapes = [*sparse.polygons(), *dense]
    names = [*sparse.building_id.tolist(), *(f"d{i}" for i in range(1500))]
    city = Models.concatenate([prism(n, s, 0, 3) for n, s in zip(names, shapes, strict=True)])
    svg = draw_models(city)
    assert f"{BUILDINGS_MAX:,} buildings" in svg
    assert "a part of 3,000" in svg
    drawn = groups(svg)
    assert len(drawn) <= BUILDINGS_MAX
    assert sum(name.startswith("d") for name in drawn) >= 0.93 * BUILDINGS_MAX
    assert len(svg.encode()) < 1_000_000


def test_pictures_without_anything_are_still_pictures():
    empty = Footprints.from_polygons([], [])
    for svg in (
        draw_models(NOTHING, by_height=True),
        draw_plan(empty, title="t"),
        draw_plan(empty, np.array([]), title="t"),
        draw_histogram(np.array([]), title="t", unit="m"),
        draw_histogram(np.array([np.nan]), title="t", unit="m"),
    ):
        assert parse(svg).tag == f"{SVG}svg"


def grid(n: int) -> Footprints:
    x, y = 20.0 * (np.arange(n) % 300), 20.0 * (np.arange(n) // 300)
    return Footprints.from_polygons(
        [f"b{i}" for i in range(n)], shapely.box(x, y, x + 15, y + 12)
    )


def test_plan_draws_each_footprint_in_the_colour_of_its_group():
    kinds = np.array(["points"] * 7 + ["floors"] * 2)
    svg = draw_plan(
        grid(9), kinds, title="t", colours={"points": "#010101", "floors": "#020202"}
    )
    paths = {p.get("fill"): p.get("d") for p in parse(svg).iter(f"{SVG}path")}
    assert paths["#010101"].count("M") == 7
    assert paths["#020202"].count("M") == 2
    assert "points (7)" in svg
    assert "floors (2)" in svg


def test_plan_counts_numbers_by_class():
    values = np.array([1.0, 2.0, 3.0, 50.0, np.nan])
    svg = draw_plan(grid(5), values, title="t", unit="m")
    texts = [t.text for t in parse(svg).iter(f"{SVG}text")]
    counted = [int(t.rsplit("(", 1)[1][:-1]) for t in texts if t.endswith(")")]
    assert sum(counted) == 5
    assert "no value 无值 (1)" in svg


def test_plan_of_a_big_city_stays_below_a_megabyte():
    n = 90_000
    kinds = np.array(["a", "b", "c"])[np.arange(n) % 3]
    x = np.random.default_rng(0).uniform(0, 6000, (2, n))
    addresses = make_addresses([f"{i}" for i in range(n)], [""] * n, x[0], x[1])
    svg = draw_plan(grid(n), kinds, title="t", addresses=addresses)
    assert len(svg.encode()) < 1_000_000
    assert "most frequent value" in svg
    assert "a (30,000)" in svg


def test_plan_aggregates_to_the_most_frequent_value():
    n = 20_000
    footprints = grid(n)
    west = footprints.bounds[:, 0] < 3000
    svg = draw_plan(
        footprints,
        np.where(west, "w", "e"),
        title="t",
        colours={"w": "#111111", "e": "#222222"},
    )
    paths = {p.get("fill"): p.get("d") for p in parse(svg).iter(f"{SVG}path")}
    reach = {
        colour: [int(run.split()[0]) for run in paths[colour].split("M")[1:]]
        for colour in ("#111111", "#222222")
    }
    assert max(reach["#111111"]) < min(reach["#222222"]) + 80


def test_plan_refuses_values_of_another_length():
    with pytest.raises(ParameterError, match="5 footprints, not 2"):
        draw_plan(grid(5), np.array([1.0, 2.0]), title="t")


def test_holes_of_a_plan_stay_empty():
    ring = shapely.box(0, 0, 30, 30).difference(shapely.box(10, 10, 20, 20))
    svg = draw_plan(Footprints.from_polygons(["a"], [ring]), title="t")
    data = next(p.get("d") for p in parse(svg).iter(f"{SVG}path") if p.get("fill") == "#3c78a8")
    rings = []
    for part in data.split("M")[1:]:
        numbers = part.rstrip("z").replace("-", " -").replace("l", " ").split()
        rings.append(np.cumsum(np.array(numbers, dtype=int).reshape(-1, 2), axis=0))
    turn = [shapely.LinearRing(r).is_ccw for r in rings]
    assert len(turn) == 2
    assert turn[0] != turn[1]


@given(st.lists(st.floats(0.1, 500.0), min_size=1, max_size=60))
def test_histogram_counts_every_value_once(values):
    svg = draw_histogram(np.array(values), title="Height 高度", unit="m")
    bars = [
        bar.find(f"{SVG}title").text
        for bar in parse(svg).iter(f"{SVG}rect")
        if bar.find(f"{SVG}title") is not None
    ]
    assert sum(int(text.rsplit(" ", 1)[1]) for text in bars) == len(values)
    assert len(bars) <= 41


@given(st.floats(1e-3, 1e6), st.integers(2, 50))
def test_nice_steps_cover_the_span_and_are_not_wasteful(span, n):
    step = nice_step(span, n)
    assert span / n * (1 - 1e-9) <= step <= span / n * 2.5 * (1 + 1e-9)


@given(
    st.lists(st.tuples(st.integers(-500, 500), st.integers(-500, 500)), min_size=3, max_size=9)
)
def test_path_data_round_trips(points):
    ring = np.array(points)
    numbers = (
        path_data([ring]).rstrip("z").replace("M", "").replace("l", " ").replace("-", " -")
    )
    back = np.cumsum(np.array(numbers.split(), dtype=int).reshape(-1, 2), axis=0)
    moved = np.append(True, np.diff(ring, axis=0).any(1))
    assert back.tolist() == ring[moved].tolist()


@given(st.text())
def test_escaped_text_is_xml_that_reads_back(text):
    markup = element("p", text, title=text)
    root = parse(markup)
    assert len(root) == 0
    assert (root.text or "") == (root.get("title") or "")
    if text.isprintable() and text.isascii():
        assert (root.text or "") == text
    assert escape(escape(text)) == escape(text)


def test_elevation_is_checked():
    with pytest.raises(ParameterError, match="elevation"):
        draw_models(NOTHING, elevation=2.0)


def test_notebook_pictures_show_themselves(real_data):
    import geopandas as gpd

    frame = gpd.read_file(real_data / "delft_centre" / "bgt.gpkg", layer="pand")
    frame = frame[frame.is_valid].explode(ignore_index=True)
    shapes = shapely.force_2d(frame.geometry.to_numpy())
    footprints = Footprints.from_polygons([f"p{i}" for i in range(len(frame))], shapes)
    models = Models.concatenate(
        [prism(f"p{i}", shape, 0.0, 5.0 + i % 7) for i, shape in enumerate(shapes)]
    )
    n = len(frame)
    text, number = np.full(n, "x"), np.linspace(3, 30, n)
    buildings = make_buildings(
        footprints.building_id,
        text,
        number,
        text,
        *[number] * 5,
        *[text] * 4,
        np.zeros(n),
        number,
    )
    for picture in (
        plot_models(models),
        plot_plan(footprints, number, unit="m"),
        plot_heights(buildings),
    ):
        assert picture._repr_svg_() == picture.svg
        assert parse(picture.svg).tag == f"{SVG}svg"
        assert "SVG" in repr(picture)
