"""The table of codes checks itself and follows a change of CRS."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely

from cimkit.errors import CrsError, TableError
from cimkit.tables.coderecords import CodeRecords

PLACE = shapely.box(500000, 3300000, 500010, 3300020)


def records(**changes: Any) -> CodeRecords:
    columns: dict[str, Any] = {
        "code": ["1", "2"],
        "building_id": ["a", "a"],
        "state": ["active", "retired"],
        "polygons": [PLACE, shapely.MultiPolygon([PLACE])],
        "crs": "EPSG:4546+5737",
    }
    return CodeRecords(**(columns | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"code": ["1", "1"]}, "'1' occurs twice"),
        ({"code": ["1", ""]}, "row 1 is empty"),
        ({"building_id": ["a"]}, "2 rows expected"),
        ({"state": ["active", "gone"]}, "code 2: state is none of"),
        ({"polygons": [PLACE]}, "2 rows expected"),
        ({"polygons": [PLACE, None]}, "code 2: outline"),
        ({"polygons": [shapely.Point(0, 0), PLACE]}, "code 1: outline"),
        ({"polygons": [shapely.Polygon(), PLACE]}, "code 1: outline"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, Any], message: str):
    with pytest.raises(TableError, match=message):
        records(**changes)


def test_take_and_repr():
    chosen = records().take(np.array([1]))
    assert chosen.code.tolist() == ["2"]
    assert repr(records()).startswith("CodeRecords(2 rows, EPSG:4546+5737, [500000.0 ")


def test_to_crs_goes_by_the_horizontal_part():
    moved = records().to_crs("EPSG:4547")
    assert moved.crs == "EPSG:4547"
    back = moved.to_crs("EPSG:4546")
    assert shapely.hausdorff_distance(back.polygons, records().polygons).max() < 1e-6
    same = records().to_crs("EPSG:4546").polygons
    assert shapely.equals_exact(same, records().polygons).all()


@pytest.mark.parametrize(
    ("own", "other"), [("EPSG:2383", "EPSG:4546"), ("", "EPSG:4546"), ("EPSG:4546", "")]
)
def test_no_exact_way_is_refused(own: str, other: str):
    with pytest.raises(
        CrsError, match=r"no exact way from .* Build in a CRS of the same datum"
    ):
        records(crs=own).to_crs(other)


def test_to_geopandas():
    frame = records().to_geopandas()
    assert frame.columns.tolist() == ["code", "building_id", "state", "geometry"]
    assert frame.crs == "EPSG:4546+5737"
