"""Cleaning: the verdicts of the zoo, what is accepted, names that know no order."""

from __future__ import annotations

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
from cimkit.tables.rawfootprints import RawFootprints
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


ring = st.lists(
    st.tuples(st.integers(-2000, 2000), st.integers(-2000, 2000)), min_size=3, max_size=9
)


@settings(max_examples=120, deadline=None)
@given(ring, st.integers(0, 8), st.booleans(), st.sampled_from([0.0, 1e7, -3.85e7]))
def test_verdict_knows_no_start_direction_or_place(corners, start, reverse, shift):
    corners = np.array(corners) / 100
    turned = np.roll(corners, start, axis=0)[:: -1 if reverse else 1] + shift
    one, its = clean(raw(Polygon(corners), ids=["a"]))
    other, others = clean(raw(Polygon(turned), ids=["a"]))
    assert_promises(one)
    verdicts = [{i.code for i in found} - {"RING_CLEANED"} for found in (its, others)]
    assert verdicts[0] == verdicts[1]
    assert one.area == pytest.approx(other.area, rel=1e-6)


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


def test_crowded_zigzag_ends_soon():
    x = np.tile([0.0, 50.0], 50_000)
    y = np.repeat(np.arange(50_000) * 0.0, 2)
    footprints, issues = clean(raw(Polygon(np.column_stack([x, y]))))
    assert len(footprints) == 0
    assert count_issues(issues) == {"AREA_ZERO": 1}


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
