"""Cleaning: the verdicts of the zoo, what is accepted, names that know no order."""

from __future__ import annotations

import unicodedata
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import MultiPolygon, Polygon, box

from cimkit.errors import CrsError, InputError, ParameterError
from cimkit.read.footprints import read_footprints
from cimkit.steps.clean import clean
from cimkit.tables import Footprints, count_issues
from cimkit.tables._columns import texts
from cimkit.tables.identifiers import tidy_identifiers
from cimkit.tables.rawfootprints import RawFootprints
from tests import strategies as make
from tests.zoo import ZOO

COSMETIC_M2 = 0.05
"""What parting rings, spikes with a width and rounding may change."""


def raw(*geometries: Any, ids: list[str] | None = None) -> RawFootprints:
    n = len(geometries)
    nothing = np.full(n, np.nan)
    rows = np.arange(n)
    shapes = np.array([*geometries, None], dtype=object)[:-1]
    names = texts("ids", ids or [""] * n)
    return RawFootprints(shapes, names, nothing, nothing, rows, ids is not None, "EPSG:4547")


def geometry_by_id(footprints: Footprints) -> dict[str, str]:
    shapes = shapely.normalize(footprints.polygons())
    return dict(zip(footprints.building_id.tolist(), shapely.to_wkt(shapes, 3), strict=True))


def assert_promises(footprints: Footprints) -> None:
    polygons = footprints.polygons()
    assert shapely.is_valid(polygons).all()
    assert np.array_equal(footprints.xy, np.round(footprints.xy, 3))
    assert (footprints.area >= 1).all()
    for polygon in polygons[shapely.get_num_interior_rings(polygons) > 0]:
        rings = shapely.get_rings(polygon)
        for i, ring in enumerate(rings):
            assert all(shapely.distance(ring, other) > 0.001 for other in rings[:i])


@pytest.mark.parametrize("name", ZOO)
def test_zoo(name):
    case = ZOO[name]
    footprints, issues = clean(raw(case.geometry, ids=["b"]))
    assert sorted(count_issues(issues)) == sorted(case.codes)
    assert_promises(footprints)
    exact = set(case.codes) <= {"MULTIPART_SPLIT", "AREA_SMALL"}
    tolerance = 1e-7 if exact else COSMETIC_M2
    assert np.sort(footprints.area) == pytest.approx(sorted(case.areas), abs=tolerance)
    n_errors = sum(issue.severity == "ERROR" for issue in issues)
    assert len(footprints) + n_errors == 1 + count_issues(issues).get("MULTIPART_SPLIT", 0)


def test_whole_zoo_adds_up():
    footprints, issues = clean(raw(*(case.geometry for case in ZOO.values())))
    errors = [issue for issue in issues if issue.severity == "ERROR"]
    assert count_issues(issues)["MULTIPART_SPLIT"] == 2
    assert len(footprints) + len(errors) == len(ZOO) + 2
    assert len({issue.id for issue in errors}) == len(errors)
    assert not {issue.id for issue in errors} & set(footprints.building_id.tolist())


@pytest.mark.parametrize("name", ["spike_without_width", "duplicate_vertex", "collinear"])
def test_cosmetics_keep_the_area(name):
    case = ZOO[name]
    area = clean(raw(case.geometry))[0].area[0]
    assert area == pytest.approx(100.0, rel=1e-9)
    assert len(clean(raw(case.geometry))[0].xy) == 4


def test_corner_of_a_neighbour_stays():
    row_house = Polygon([(0, 0), (10, 0), (10, 5), (10, 10), (5, 10), (0, 10)])
    footprints, _ = clean(raw(row_house, box(10, 5, 20, 10)))
    vertices = footprints.take(np.array([0])).xy.tolist()
    assert [10, 5] in vertices
    assert [5, 10] not in vertices


def test_never_like_buffer():
    shape = Polygon([(0, 0), (10, 8), (10, 0), (0, 4)])
    assert shape.buffer(0).area > 1
    assert len(clean(raw(shape))[0]) == 0


@settings(max_examples=150)
@given(make.rings(max_size=12), st.integers(0, 12), st.booleans(), make.places())
def test_verdict_knows_no_start_direction_or_place(corners, start, reverse, shift):
    turned = np.roll(corners, start, axis=0)[:: -1 if reverse else 1] + shift
    one, its = clean(raw(Polygon(corners), ids=["a"]))
    other, others = clean(raw(Polygon(turned), ids=["a"]))
    assert_promises(one)
    # A polygon closed by hand is cleaned of the doubled corner, one closed by shapely has none.
    verdicts = [[i[:2] for i in found if i.code != "RING_CLEANED"] for found in (its, others)]
    assert verdicts[0] == verdicts[1]
    # The grid itself is a little off far away: by one step of a float along the whole outline.
    step = float(np.spacing(np.abs(turned).max()) * Polygon(corners).length)
    assert one.area == pytest.approx(other.area, rel=1e-9, abs=step)
    assert len(one.xy) == len(other.xy)


@settings(max_examples=60)
@given(st.lists(make.rings(), min_size=2, max_size=4), make.places())
def test_verdict_knows_no_neighbours_far_away(corners, shift):
    """Each ring alone and in a crowd, a kilometre from the next."""
    shapes = [Polygon(c + np.array([1000.0 * k, 0])) for k, c in enumerate(corners)]
    together, issues = clean(raw(*shapes))
    apart = [clean(raw(shape)) for shape in shapes]
    assert together.area.tolist() == [a for alone, _ in apart for a in alone.area.tolist()]
    assert count_issues(issues) == count_issues(i for _, found in apart for i in found)


@settings(max_examples=60)
@given(make.polygons(), make.places())
def test_a_sound_polygon_keeps_its_area_and_vertices(polygon, shift):
    moved = shapely.transform(polygon, lambda xy: np.round(xy + shift, 3))
    footprints, _ = clean(raw(moved))
    assert_promises(footprints)
    assert footprints.area.sum() == pytest.approx(polygon.area, abs=0.02)
    if not len(polygon.interiors):
        known = {tuple(place) for place in shapely.get_coordinates(moved)}
        assert {tuple(place) for place in footprints.xy} <= known


def edges_of(footprints: Footprints, ring: int) -> set[tuple[Any, Any]]:
    xy = footprints.xy[footprints.ring_offsets[ring] : footprints.ring_offsets[ring + 1]]
    places = [tuple(place) for place in xy.tolist()]
    return {*zip(places, [*places[1:], places[0]], strict=True)}


@settings(max_examples=80)
@given(make.subdivisions(), st.integers(0, 2**32 - 1), st.booleans())
def test_neighbours_go_on_sharing_their_walls(parts, seed, spoilt):
    """Doubled vertices, spikes, fractions of a millimetre part no wall from its neighbour."""
    rng = np.random.default_rng(seed)
    off = rng.uniform(-0.0004, 0.0004, 2)
    drawn = []
    for part in parts:
        xy = shapely.get_coordinates(part)[:-1] + off
        if spoilt:
            at = int(rng.integers(len(xy)))
            spike = xy[at] + rng.uniform(-3, 3, 2)
            xy = np.insert(xy, at, [xy[at], spike], axis=0)
        drawn.append(Polygon(np.roll(xy, int(rng.integers(len(xy))), axis=0)))
    footprints, issues = clean(raw(*drawn))
    assert len(footprints) == len(parts)
    assert {issue.code for issue in issues} <= {"RING_CLEANED"}
    edges = [edge for ring in range(len(parts)) for edge in edges_of(footprints, ring)]
    alone = [edge for edge in edges if edge[::-1] not in set(edges)]
    whole = shapely.union_all(footprints.polygons())
    length = sum(float(np.hypot(a[0] - b[0], a[1] - b[1])) for a, b in alone)
    assert length == pytest.approx(whole.length, abs=1e-6)
    assert footprints.area.sum() == pytest.approx(whole.area, rel=1e-12)
    walls = shapely.union_all([part.boundary for part in drawn])
    assert shapely.distance(shapely.points(footprints.xy), walls).max() <= 0.001


@settings(max_examples=60)
@given(st.lists(make.polygons(), min_size=1, max_size=3), st.data())
def test_parts_add_up(shapes, data):
    """The union of what is accepted is the cleaned area, where nothing overlaps."""
    moved = [
        shapely.transform(s, lambda xy, k=k: xy + np.array([60 * k, 0]))
        for k, s in enumerate(shapes)
    ]
    footprints, issues = clean(raw(MultiPolygon(moved)))
    assert len(footprints) == len(shapes)
    union = shapely.union_all(footprints.polygons())
    assert union.area == pytest.approx(footprints.area.sum(), rel=1e-9)
    assert count_issues(issues).get("MULTIPART_SPLIT", 0) == len(shapes) - 1


@settings(max_examples=60, deadline=None)
@given(st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=20))
def test_courtyards_that_touch_are_parted(cells):
    court = shapely.union_all([box(x, y, x + 1, y + 1) for x, y in cells])
    shape = box(-2, 0, 8, 8).difference(court)
    footprints, issues = clean(raw(shape))
    assert_promises(footprints)
    lost = sum(issue.severity == "ERROR" for issue in issues)
    assert len(footprints) + lost == shapely.get_num_geometries(shape)
    if not lost:
        assert footprints.area.sum() == pytest.approx(shape.area, abs=0.05)


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(7)))
def test_names_know_no_order(order):
    shapes = [box(x, y, x + 4, y + 4) for x, y in [(9, 0), (0, 9), (0, 0), (5, 5), (20, 0)]]
    shapes += [MultiPolygon([box(60, 0, 62, 2), box(50, 5, 52, 7)]), None]
    ids = ["a", "a", "a", "b", "a~2", "b", "a"]
    footprints, issues = clean(raw(*(shapes[i] for i in order), ids=[ids[i] for i in order]))
    found = geometry_by_id(footprints)
    corner = {name: shapely.from_wkt(text).bounds[:2] for name, text in found.items()}
    assert corner == {
        "a": (0, 0), "a~3": (0, 9), "a~4": (9, 0), "b": (5, 5), "a~2": (20, 0),
        "b~2#1": (50, 5), "b~2#2": (60, 0),
    }  # fmt: skip
    assert footprints.building_id.tolist() == ["a", "b", "a~2", "a~3", "a~4", "b~2#1", "b~2#2"]
    doubled = sorted(issue.id for issue in issues if issue.code == "ID_DUPLICATE")
    assert doubled == ["a~3", "a~4", "a~5", "b~2"]
    assert [issue.id for issue in issues if issue.severity == "ERROR"] == ["a~5"]


def test_labels_decide_between_features_that_are_equal_otherwise():
    frame = gpd.GeoDataFrame(
        {"building_id": ["a", "a"], "label": ["2", "1"]}, geometry=[box(0, 0, 9, 9)] * 2
    )
    (one, _), (other, _) = clean(frame), clean(frame.iloc[::-1])
    assert one.label.tolist() == other.label.tolist() == ["1"]


def test_doubled_ids_can_be_an_error():
    twins = raw(
        *[box(i, 0, i + 2, 2) for i in range(24)], ids=[f"b{i // 2:02d}" for i in range(24)]
    )
    with pytest.raises(InputError, match=r"12 in all: .*'b00', 'b01'.*'b09'[.] Make"):
        clean(twins, on_duplicate="error")
    with pytest.raises(ParameterError):
        clean(twins, on_duplicate="drop")


def test_feature_number_where_an_id_is_missing():
    footprints, issues = clean(raw(box(0, 0, 2, 2), box(3, 0, 5, 2), ids=["x", ""]))
    assert footprints.building_id.tolist() == ["1", "x"]
    assert count_issues(issues) == {"ID_INVALID": 1}
    footprints, issues = clean(raw(box(0, 0, 2, 2), box(3, 0, 5, 2)))
    assert footprints.building_id.tolist() == ["0", "1"]
    assert issues == []


def test_geodataframe_and_attributes():
    frame = gpd.GeoDataFrame(
        {
            "building_id": ["é", "é", 7.0, None],
            "height": [1.0, 2, 3, 4],
            "floors": [1, 2, 3, 4],
        },
        geometry=[box(9, 0, 12, 3), box(0, 0, 3, 3), Polygon(), box(20, 0, 23, 3)],
        crs="EPSG:4547",
    )
    footprints, issues = clean(frame)
    assert footprints.building_id.tolist() == ["3", "é", "é~2"]
    assert footprints.height.tolist() == [4, 2, 1]
    assert footprints.source_row.tolist() == [3, 1, 0]
    assert footprints.crs == "EPSG:4547"
    assert ("GEOM_TYPE_SKIPPED", "7") in [(issue.code, issue.id) for issue in issues]
    with pytest.raises(CrsError, match="in degrees"):
        clean(frame.to_crs("EPSG:4490"))
    with pytest.raises(ParameterError):
        clean([box(0, 0, 1, 1)])


def test_name_of_a_part_that_is_taken():
    two = MultiPolygon([box(0, 0, 2, 2), box(9, 0, 11, 2)])
    footprints, issues = clean(raw(two, box(20, 0, 22, 2), ids=["a", "a#1"]))
    assert footprints.building_id.tolist() == ["a#1", "a#2", "a#1~2"]
    assert footprints.bounds[:, 0].tolist() == [20, 9, 0]
    assert count_issues(issues) == {"ID_DUPLICATE": 1, "MULTIPART_SPLIT": 1}


def test_no_features_at_all():
    assert len(clean(raw())[0]) == 0
    assert len(clean(raw(None))[0]) == 0


def zigzag(n: int) -> Any:
    """There and back over the same n vertices."""
    x = np.cumsum(1.0 + np.arange(n) % 3)
    xy = np.column_stack([x, np.arange(n) * 7 % 11])
    return Polygon(np.vstack([xy, xy[-2:0:-1]]))


def comb(n_teeth: int) -> Any:
    """Long slanted teeth: the box of each edge meets those of all others."""
    x = np.arange(n_teeth) * 2.0
    low, high = 0 * x, 0 * x + 10.0 * n_teeth
    teeth = np.stack([x, low, x, high, x + 1, high, x + 1, low], axis=1).reshape(-1, 2)
    xy = np.vstack([teeth, [[2 * n_teeth, 0], [2 * n_teeth, -5], [-1, -5], [-1, 0]]])
    return Polygon(xy @ np.array([[1.0, 1], [-1, 1]]))


def holed(side: int, size: float) -> Any:
    """A plate with side x side square holes, one every 2 m."""
    holes = [
        shapely.box(x, y, x + size, y + size).exterior
        for x in np.arange(1.0, 2 * side, 2)
        for y in np.arange(1.0, 2 * side, 2)
    ]
    return Polygon(box(-1, -1, 2 * side + 4, 2 * side + 4).exterior, holes)


random_corners = np.random.default_rng(4).uniform(0, 100, (2000, 2))
circle = np.linspace(0, 2 * np.pi, 400_000, endpoint=False)


@pytest.mark.parametrize(
    ("shape", "code"),
    [
        (
            Polygon(np.column_stack([np.tile([0.0, 50.0], 50_000), np.zeros(100_000)])),
            "AREA_ZERO",
        ),
        (zigzag(2_000), "AREA_ZERO"),
        (zigzag(40_000), "RING_TANGLED"),
        (Polygon(random_corners), "RING_TANGLED"),
        (comb(20_000), "RING_TANGLED"),
        (comb(10), ""),
        (Polygon(5000 * np.column_stack([np.cos(circle), np.sin(circle)])), "RING_CLEANED"),
        (holed(30, 1.0), ""),
        (holed(40, 2.1), "RING_TANGLED"),
        (holed(10, 2.1), "HOLE_MERGED"),
    ],
    ids=[
        "flat zigzag",
        "there and back",
        "there and back long",
        "random corners",
        "huge comb",
        "comb",
        "circle",
        "holes",
        "holes that overlap",
        "few holes that overlap",
    ],
)
def test_what_would_take_hours_is_bounded(shape, code):
    """Minutes to hours without the bounds: then the run stops here with a stack."""
    footprints, issues = clean(raw(shape))
    assert list(count_issues(issues)) == [code] * bool(code)
    assert len(footprints) == (code in ("", "RING_CLEANED", "HOLE_MERGED"))


@pytest.mark.parametrize(
    ("file", "crs", "n_features", "n_parts_more"),
    [
        ("china_buildings/suzhou_buildings_floor.geojson", "EPSG:4549+5737", 3076, 1),
        ("china_buildings/wuhan_cug_buildings.geojson", "EPSG:4547+5737", 39, 0),
        ("helsinki_osm/helsinki_osm.gpkg", "EPSG:3067", 489, 3),
        ("delft_3dbag/bag_pand_tudcampus.gpkg", "EPSG:7415", 1529, 1),
        ("delft_city3d_mid/delft_mid_outlines.gpkg", "EPSG:7415", 5588, 0),
    ],
)
def test_real_cities_add_up(real_data, file, crs, n_features, n_parts_more):
    source, _ = read_footprints(str(real_data / file), crs=crs)
    footprints, issues = clean(source)
    assert_promises(footprints)
    n_errors = sum(issue.severity == "ERROR" for issue in issues)
    assert count_issues(issues).get("MULTIPART_SPLIT", 0) == n_parts_more
    assert len(footprints) + n_errors == n_features + n_parts_more
    sound = shapely.is_valid(source.geometry)
    before = dict(
        zip(source.source_row[sound], shapely.area(source.geometry[sound]), strict=True)
    )
    after: dict[int, float] = {}
    for row, area in zip(footprints.source_row.tolist(), footprints.area, strict=True):
        after[row] = after.get(row, 0) + area
    for row in after.keys() & before.keys():
        assert after[row] == pytest.approx(before[row], abs=1.0, rel=2e-4)


def test_real_doubled_ids(real_data):
    path = str(real_data / "delft_3dbag/bag_pand_tudcampus.gpkg")
    source, _ = read_footprints(path, crs="EPSG:7415")
    footprints, issues = clean(source)
    assert count_issues(issues)["ID_DUPLICATE"] == 3
    rows = np.random.default_rng(1).permutation(len(source))
    mixed = RawFootprints(
        source.geometry[rows],
        source.feature_id[rows],
        source.height[rows],
        source.floors[rows],
        np.arange(len(rows)),
    )
    assert geometry_by_id(clean(mixed)[0]) == geometry_by_id(footprints)
    with pytest.raises(InputError, match="1 in all"):
        clean(source, on_duplicate="error")


def test_parts_keep_the_label_of_the_feature():
    pair = shapely.MultiPolygon([shapely.box(0, 0, 4, 4), shapely.box(9, 0, 13, 4)])
    shapes = np.array([pair, shapely.box(20, 0, 24, 4)], dtype=object)
    nothing = np.full(2, np.nan)
    marked = RawFootprints(
        shapes, ["b", "a"], nothing, nothing, [0, 1], label=["3幢", "4幢"], crs="EPSG:4547"
    )
    footprints, _ = clean(marked)
    assert dict(
        zip(footprints.building_id.tolist(), footprints.label.tolist(), strict=True)
    ) == {
        "a": "4幢",
        "b#1": "3幢",
        "b#2": "3幢",
    }


@settings(max_examples=60)
@given(st.lists(make.identifiers(hostile=True), min_size=1, max_size=8), st.randoms())
def test_any_text_as_identifier(ids, random):
    """Names are unique, clean, and do not follow the order of the file."""
    n, names = len(ids), tidy_identifiers(ids)
    shapes = np.array([box(20 * k, 0, 20 * k + 9, 9) for k in range(n)])

    def cleaned(rows):
        nothing = np.full(n, np.nan)
        return clean(RawFootprints(shapes[rows], names[rows], nothing, nothing, rows))

    footprints, issues = cleaned(np.arange(n))
    found = footprints.building_id.tolist()
    assert len(found) == len(set(found)) == n
    assert all(unicodedata.is_normalized("NFC", name) for name in found)
    assert all(unicodedata.category(c) not in ("Cc", "Cs") for name in found for c in name)
    assert {issue.code for issue in issues} <= {"ID_INVALID", "ID_DUPLICATE"}
    again, _ = cleaned(np.array(random.sample(range(n), n)))
    assert geometry_by_id(again) == geometry_by_id(footprints)
