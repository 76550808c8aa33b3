"""The strategies make what they say."""

from __future__ import annotations

import numpy as np
import shapely
from hypothesis import given, settings

from tests import strategies as make

few = settings(max_examples=40)


@few
@given(make.rings(), make.simple_rings(), make.polygons(), make.lattices())
def test_shapes(ring, simple, polygon, lattice):
    assert ring.shape[1] == 2
    assert len(ring) >= 3
    assert np.array_equal(simple, simple.round(3))
    assert polygon.is_valid
    assert polygon.area >= 1
    assert all(shape.is_valid and shape.area >= 1 for shape in lattice)


@few
@given(make.subdivisions())
def test_subdivisions_share_their_walls(parts):
    assert all(part.is_valid for part in parts)
    edges = [
        tuple(map(tuple, e))
        for p in parts
        for e in np.stack(
            [shapely.get_coordinates(p)[:-1], shapely.get_coordinates(p)[1:]], axis=1
        ).tolist()
    ]
    alone = [edge for edge in edges if edge[::-1] not in set(edges)]
    outline = shapely.union_all(parts)
    assert outline.geom_type == "Polygon"
    assert len(outline.interiors) == 0
    length = sum(float(np.hypot(a[0] - b[0], a[1] - b[1])) for a, b in alone)
    assert abs(length - outline.length) < 1e-6


@few
@given(make.footprint_tables().flatmap(lambda table: make.clouds(on=table)), make.places())
def test_tables(cloud, place):
    assert len(cloud) == len(cloud.z)
    assert place == tuple(map(round, place))


@few
@given(make.identifiers(hostile=True), make.identifiers(), make.address_texts())
def test_texts(hostile, plain, address):
    assert isinstance(hostile, str)
    assert plain
    assert address.strip()
