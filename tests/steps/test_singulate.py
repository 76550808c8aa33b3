from __future__ import annotations

import numpy as np
import pytest
import shapely

from cimkit.errors import ParameterError
from cimkit.steps.singulate import singulate
from cimkit.tables import Footprints, PointCloud

HOUSES = Footprints.from_polygons(
    ["court", "left", "right"],
    [
        shapely.Polygon(
            shapely.box(20, 0, 30, 10).exterior, [shapely.box(23, 3, 27, 7).exterior]
        ),
        shapely.box(0, 0, 4, 4),
        shapely.box(4, 0, 9, 4),
    ],
    crs="EPSG:4547",
)
XY = np.array([[21, 1], [25, 5], [23, 5], [1, 1], [4, 2], [5, 5], [9, 4]], float)
EXPECTED = [0, -1, 0, 1, 1, -1, 2]


def test_tables_arrays_and_frames_give_the_same():
    cloud = PointCloud(XY[:, 0], XY[:, 1], np.zeros(7), np.full(7, 6))
    array = np.column_stack([XY, np.zeros(7), np.full(7, 6)])
    assert singulate(cloud, HOUSES).tolist() == EXPECTED
    assert singulate(array, HOUSES.to_geopandas()).tolist() == EXPECTED


def test_nothing_to_singulate():
    assert singulate(np.empty((0, 4)), HOUSES).tolist() == []
    none = Footprints.from_polygons([], [])
    assert singulate(np.ones((2, 4)), none).tolist() == [-1, -1]


def test_other_inputs_are_refused():
    with pytest.raises(ParameterError, match="points"):
        singulate(XY, HOUSES)
    with pytest.raises(ParameterError, match="footprints"):
        singulate(np.ones((2, 4)), [shapely.box(0, 0, 1, 1)])


def test_real_points_agree_with_shapely(real_data):
    gpd = pytest.importorskip("geopandas")
    laspy = pytest.importorskip("laspy")
    frame = gpd.read_file(real_data / "delft_centre" / "bgt.gpkg", layer="pand")
    footprints = Footprints.from_polygons(frame.gml_id, frame.geometry.values)
    cloud = laspy.read(real_data / "delft_centre" / "ahn3_cropped_2.laz")
    xy = np.column_stack([cloud.x, cloud.y])[::50]
    found = singulate(np.column_stack([xy, np.zeros((len(xy), 2))]), footprints)
    expected = np.full(len(xy), -1)
    for row in np.lexsort((np.arange(len(footprints)), footprints.area))[::-1]:
        shape = footprints.take(np.array([row])).polygons()[0]
        shapely.prepare(shape)
        expected[shapely.covers(shape, shapely.points(xy))] = row
    np.testing.assert_array_equal(found, expected)
    assert (found >= 0).sum() > 100
