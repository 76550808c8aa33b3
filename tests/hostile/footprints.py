"""Footprint files with one fault each, made when a test asks for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyogrio
import shapely
from shapely import MultiPolygon, Polygon, box

from tests.strategies import HOSTILE_TEXTS
from tests.zoo import ZOO

EAST, NORTH, CRS = 500_000.0, 3_400_000.0, "EPSG:4547"

_SQUARE = [[EAST, NORTH], [EAST + 10, NORTH], [EAST + 10, NORTH + 10], [EAST, NORTH + 10]]


def _moved(shape: Any) -> Any:
    """A shape of the zoo, where EPSG:4547 is."""
    return shapely.transform(shape, lambda xy: xy + np.array([EAST, NORTH])) if shape else shape


def _layer(*shapes: Any, ids: Any = None) -> Callable[[Path], Path]:
    """A GeoPackage of these shapes."""

    def write(path: Path) -> Path:
        names = ids or [f"b{k}" for k in range(len(shapes))]
        frame = gpd.GeoDataFrame({"id": names}, geometry=[_moved(s) for s in shapes], crs=CRS)
        pyogrio.write_dataframe(frame, path, layer="footprints", promote_to_multi=False)
        return path

    return write


def _text(content: str | bytes) -> Callable[[Path], Path]:
    """A file of this text."""

    def write(path: Path) -> Path:
        data = (
            content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
        )
        path.write_bytes(data)
        return path

    return write


def _feature(**changes: Any) -> dict[str, Any]:
    geometry = {"type": "Polygon", "coordinates": [[*_SQUARE, _SQUARE[0]]]}
    return {"type": "Feature", "properties": {"id": "a"}, "geometry": geometry} | changes


def _numbered(k: int) -> dict[str, Any]:
    """A square with the k-th of the hostile identifiers."""
    ring = [[x + 20 * k, y] for x, y in [*_SQUARE, _SQUARE[0]]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return _feature(properties={"id": HOSTILE_TEXTS[k]}, geometry=geometry)


def _geojson(*features: Any, **changes: Any) -> str:
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4547"}}
    whole = {"type": "FeatureCollection", "crs": crs, "features": features or [_feature()]}
    return json.dumps(whole | changes)


def _in_json(mark: str, text: str) -> str:
    """A GeoJSON with a piece of text that no JSON writer would write."""
    return _geojson(_feature(properties={"id": "MARK"})).replace(mark, text)


def _shapefile(spoil: Callable[[Path], None]) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        shapes = [_moved(box(20 * k, 0, 20 * k + 10, 10)) for k in range(50)]
        frame = gpd.GeoDataFrame({"id": [str(k) for k in range(50)]}, geometry=shapes, crs=CRS)
        pyogrio.write_dataframe(frame, path)
        spoil(path)
        return path

    return write


def _cut(path: Path, share: float = 0.5) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def _cut_geopackage(path: Path) -> Path:
    _layer(*[box(20 * k, 0, 20 * k + 10, 10) for k in range(2000)])(path)
    _cut(path)
    return path


def _without(suffix: str) -> Callable[[Path], None]:
    return lambda path: path.with_suffix(suffix).unlink()


_DEEP = "[" * 100_000 + "]" * 100_000
_TANGLE = np.random.default_rng(4).uniform(0, 100, (2000, 2))
_CIRCLE = np.linspace(0, 2 * np.pi, 200_000, endpoint=False)
_HALF = box(0, 0, 10, 10)

CORPUS: dict[str, Callable[[Path], Path]] = {
    "whole_zoo.gpkg": _layer(
        *(
            shapely.transform(case.geometry, lambda xy, k=k: xy + np.array([200.0 * k, 0]))
            for k, (name, case) in enumerate(ZOO.items())
            if name not in ("beyond_all_maps", "far_origin")
        )
    ),
    "bow_tie.gpkg": _layer(ZOO["bow_tie"].geometry, _HALF),
    "bow_tie_with_a_small_loop.gpkg": _layer(ZOO["small_loop_at_corner"].geometry),
    "spikes_and_doubled_vertices.gpkg": _layer(
        ZOO["spike_without_width"].geometry,
        shapely.transform(ZOO["duplicate_vertex"].geometry, lambda xy: xy + 100),
    ),
    "zero_area.gpkg": _layer(ZOO["zero_area"].geometry, _HALF),
    "sliver.gpkg": _layer(ZOO["long_sliver"].geometry, box(0, 5, 5, 9)),
    "holes_share_an_edge.gpkg": _layer(ZOO["two_holes_share_edge"].geometry),
    "hole_outside.gpkg": _layer(ZOO["hole_outside_shell"].geometry),
    "holes_nested.gpkg": _layer(ZOO["hole_in_a_hole"].geometry),
    "same_twice.gpkg": _layer(_HALF, _HALF),
    "nearly_the_same.gpkg": _layer(_HALF, box(0.3, 0, 10.3, 10)),
    "overlapping.gpkg": _layer(_HALF, box(5, 0, 15, 10)),
    "nested.gpkg": _layer(_HALF, box(2, 2, 5, 5)),
    "shared_wall.gpkg": _layer(_HALF, box(10, 0, 20, 10)),
    "nan_vertex.geojson": _text(_geojson().replace("500010.0", "NaN")),
    "infinite_vertex.geojson": _text(_geojson().replace("500010.0", "Infinity")),
    "beyond_all_maps.gpkg": _layer(_HALF, shapely.transform(_HALF, lambda xy: xy + 2e8)),
    "mixed_types.gpkg": _layer(_HALF, shapely.Point(5, 5), _HALF.exterior),
    "multipart.gpkg": _layer(MultiPolygon([_HALF, box(20, 0, 30, 10)])),
    "nothing_but_points.gpkg": _layer(shapely.Point(5, 5), shapely.Point(6, 6)),
    "two_thousand_random_corners.gpkg": _layer(Polygon(_TANGLE), box(200, 0, 210, 9)),
    "two_hundred_thousand_corners.gpkg": _layer(
        Polygon(900 * np.column_stack([np.cos(_CIRCLE), np.sin(_CIRCLE)]))
    ),
    "ids_hostile.geojson": _text(_geojson(*map(_numbered, range(len(HOSTILE_TEXTS))))),
    "ids_doubled.gpkg": _layer(*[box(k, 0, k + 9, 9) for k in (0, 20, 40)], ids=list("aab")),
    "shp_cut.shp": _shapefile(_cut),
    "dbf_missing.shp": _shapefile(_without(".dbf")),
    "shx_missing.shp": _shapefile(_without(".shx")),
    "dbf_cut.shp": _shapefile(lambda path: _cut(path.with_suffix(".dbf"))),
    "gpkg_cut.gpkg": _cut_geopackage,
    "gpkg_of_zeros.gpkg": _text(b"SQLite format 3\0" + bytes(8000)),
    "vrt_disguised.geojson": _text("<OGRVRTDataSource></OGRVRTDataSource>"),
    "deep.geojson": _text(_in_json('"MARK"', _DEEP)),
    "deep_elsewhere.geojson": _text(_geojson(more="MARK").replace('"MARK"', _DEEP)),
    "huge_number.geojson": _text(_in_json('"MARK"', "9" * 5000)),
    "huge_coordinate.geojson": _text(_geojson().replace("500010.0", "9" * 400)),
    "keys_doubled.geojson": _text(_in_json('"MARK"', '"x", "id": "y"')),
    "byte_order_mark.geojson": _text("\ufeff" + _geojson()),
    "cut.geojson": _text(_geojson()[:-40]),
    "text_as_coordinate.geojson": _text(_geojson().replace("500010.0", '"x"')),
    "not_utf8.geojson": _text(_geojson().encode().replace(b'"a"', b'"\xff\xfe"')),
    "no_features.geojson": _text(_geojson().replace('"features": [', '"features": [], "x": [')),
    "an_empty_object.geojson": _text("{}"),
    "empty_file.gpkg": _text(b""),
}  # fmt: skip
