"""Buildings at places, against shapely one point at a time."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer

import cimkit
from cimkit.errors import ParameterError
from cimkit.read.lookup import Lookup
from cimkit.tables import Footprints

SHAPES = [
    shapely.box(0, 0, 20, 12),
    shapely.box(5, 3, 9, 8),  # a tower on its podium
    shapely.box(30, 0, 40, 10).difference(shapely.box(33, 3, 37, 7)),
]
CITY = Footprints.from_polygons(["podium", "tower", "court"], SHAPES)


def plain(x: float, y: float, within: float) -> tuple[int, float]:
    point = shapely.Point(x, y)
    covering = [k for k, shape in enumerate(SHAPES) if shape.covers(point)]
    if covering:
        return min(covering, key=lambda k: SHAPES[k].area), 0.0
    gaps = [shape.distance(point) for shape in SHAPES]
    near = int(np.argmin(gaps))
    return (near, gaps[near]) if within > 0 and gaps[near] <= within else (-1, np.nan)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-9, 50), st.floats(-9, 20)), max_size=20),
    st.sampled_from([0.0, 1.0, 6.0]),
)
def test_as_shapely_says(places, within):
    xy = np.array(places, float).reshape(-1, 2)
    # Whether a place within a nanometre of a limit is inside is nobody's business.
    edges = shapely.union_all(shapely.boundary(SHAPES))
    for x, y in places:
        gap = edges.distance(shapely.Point(x, y))
        if 0 < gap < 1e-6 or abs(gap - within) < 1e-6:
            return
    rows, distance = Lookup(CITY).find(xy, within=within)
    expected = [plain(x, y, within) for x, y in places]
    assert rows.tolist() == [row for row, _ in expected]
    np.testing.assert_allclose(distance, [gap for _, gap in expected], atol=1e-9)


@pytest.mark.parametrize(
    ("xy", "within", "words"),
    [([1.0, 2.0], 0, "shape"), ([[1.0, 2.0, 3.0]], 0, "shape"), ([[1, 2]], -1, "within")],
)
def test_what_is_no_place(xy, within, words):
    with pytest.raises(ParameterError, match=words):
        Lookup(CITY).find(xy, within=within)


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lookup")
    paths = cimkit.make_sample(folder / "in", buildings=20, cloud="none")
    return cimkit.build(
        folder / "city",
        footprints=str(paths.footprints),
        addresses=str(paths.addresses),
        crs="EPSG:4546+5737",
        undulation=-15.0,
        lod=("1.2",),
        workers=1,
    )


def test_every_building_is_found_at_a_point_of_it(city):
    points = shapely.point_on_surface(city.footprints.polygons())
    xy = shapely.get_coordinates(points)
    rows, distance = city.locate_xy(xy)
    assert rows.tolist() == list(range(20))
    assert (distance == 0).all()
    to_degrees = Transformer.from_crs("EPSG:4546", "EPSG:4490", always_xy=True)
    for k, (x, y) in enumerate(xy.tolist()):
        place = city.locate(*to_degrees.transform(x, y))
        assert place.building_id == city.buildings.building_id[k]
        assert place.code == city.buildings.code[k]
        assert place.why == "inside its footprint"
        own = city.links.address_id[city.links.building_id == place.building_id]
        assert sorted(a.address_id for a in place.addresses) == sorted(own.tolist())
        assert sum(a.is_primary for a in place.addresses) == (len(own) > 0)
        assert not place.addresses or place.addresses[0].is_primary


def test_beside_a_building_and_far_from_all(city):
    west, south, *_ = city.footprints.total_bounds
    to_degrees = Transformer.from_crs("EPSG:4546", "EPSG:4490", always_xy=True)
    assert city.locate(*to_degrees.transform(west - 500, south)) is None
    corner = city.footprints.polygons()[0]
    x, y = corner.bounds[0] - 1.0, shapely.Point(corner.exterior.coords[0]).y
    place = city.locate(*to_degrees.transform(x, y), within=50.0)
    assert place.distance_m > 0
    assert "outside its footprint, the nearest within 50 m" in place.why


@pytest.mark.parametrize(
    ("lon", "lat", "words"), [(30.3, 112.2, "swapped"), (500, 30, "degrees")]
)
def test_what_are_no_degrees(city, lon, lat, words):
    with pytest.raises(ParameterError, match=words):
        city.locate(lon, lat)
