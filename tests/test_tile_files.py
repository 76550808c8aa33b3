"""Tiles without a build, by the function and by the command."""

from __future__ import annotations

import json
import struct

import geopandas as gpd
import numpy as np
import pytest
import shapely

from cimkit.check.tileset import check_tileset
from cimkit.errors import CrsError, InputError, ParameterError, StoreError
from cimkit.read.tileset import read_tileset
from cimkit.tables import Buildings
from cimkit.tile_files import Columns, Heights, _known_crs, tile_file
from cimkit.tiling import TileOptions
from cimkit.write.cityjson import cityjson_features, cityjson_header
from tests.extruded import CORNER, CRS, boxes

DATUM = Heights(-20.0)


def models_file(folder, city, name="models.city.jsonl"):
    """A CityJSONSeq file as a build leaves it."""
    head, base = cityjson_header(CRS, city.footprints.total_bounds)
    lines = cityjson_features(city.buildings, city.models, base)
    path = folder / name
    path.write_bytes(head + b"".join(lines))
    return str(path)


def outlines_file(folder, rows, name="房屋.gpkg", crs="EPSG:4546"):
    """Outlines of 10 m side by side, with the columns that the rows give."""
    east, north = CORNER
    shapes = [
        shapely.box(east + 20 * k, north, east + 20 * k + 10, north + 10)
        for k in range(len(rows["id"]))
    ]
    path = folder / name
    gpd.GeoDataFrame(rows, geometry=shapes, crs=crs).to_file(path)
    return str(path)


def document(path):
    data = path.read_bytes()
    return json.loads(data[20 : 20 + struct.unpack_from("<I", data, 12)[0]])


def table_of(out):
    contents = read_tileset(out)
    assert check_tileset(contents) == []
    return contents.load(str(contents.uri[0]))


def plain(**keys):
    return TileOptions(tiles_compression="none", **keys)


def test_models_of_a_build_become_tiles(tmp_path):
    city = boxes(300)
    source, out = models_file(tmp_path, city), tmp_path / "tiles"
    done = tile_file(source, str(out), crs=CRS, heights=DATUM, options=plain(tile_buildings=40))
    assert done.buildings == 300
    assert done.issues == []
    contents = read_tileset(out)
    assert check_tileset(contents) == []
    assert sorted(contents.shown_ids()) == sorted(city.buildings.building_id.tolist())
    assert len(contents) == done.tiles


def test_models_of_cimkit_name_their_crs(tmp_path):
    """A compound CRS: heights beside the projection."""
    source = models_file(tmp_path, boxes(3))
    outs = []
    for name, crs in (("named", ""), ("given", CRS)):
        outs.append(tmp_path / name)
        tile_file(source, str(outs[-1]), crs=crs, heights=DATUM, options=plain())
    named, given = ((out / "tileset.json").read_bytes() for out in outs)
    assert named == given
    assert CRS.encode() in named


@pytest.mark.parametrize(
    ("text", "crs"),
    [
        ("https://www.opengis.net/def/crs/EPSG/0/7415", "EPSG:7415"),
        ("http://www.opengis.net/def/crs/EPSG/9.9.1/7415", "EPSG:7415"),
        ("urn:ogc:def:crs:EPSG::7415", "EPSG:7415"),
        ("urn:ogc:def:crs,crs:EPSG::4546,crs:EPSG::5737", "EPSG:4546+5737"),
        (
            "https://www.opengis.net/def/crs-compound?1=https://www.opengis.net/def/crs/EPSG/0/4546"
            "&2=https://www.opengis.net/def/crs/EPSG/0/5737",
            "EPSG:4546+5737",
        ),
        ("EPSG:4546+5737", "EPSG:4546+5737"),
    ],
)
def test_names_of_a_crs(text, crs):
    assert _known_crs(text, "a.city.json") == crs


@pytest.mark.parametrize("text", ["", "CGCS2000", "EPSG", "urn:ogc:def:crs:OGC::CRS84"])
def test_names_of_no_crs(text):
    with pytest.raises(CrsError, match="names "):
        _known_crs(text, "a.city.json")


def test_the_same_models_keep_their_files(tmp_path):
    source, out = models_file(tmp_path, boxes(60)), tmp_path / "tiles"
    first = tile_file(source, str(out), crs=CRS, heights=DATUM)
    assert first.kept == 0
    before = {path.name: path.stat().st_ino for path in out.iterdir()}
    with pytest.raises(StoreError, match="exists already"):
        tile_file(source, str(out), crs=CRS, heights=DATUM)
    again = tile_file(source, str(out), crs=CRS, heights=DATUM, overwrite=True)
    assert (again.new, again.kept) == (0, first.new)
    assert {path.name: path.stat().st_ino for path in out.iterdir()} == before


def test_a_change_rewrites_the_tiles_that_it_touches(tmp_path):
    city, out = boxes(900), tmp_path / "tiles"
    options = plain(tile_buildings=40)
    source = models_file(tmp_path, city)
    first = tile_file(source, str(out), crs=CRS, heights=DATUM, options=options)
    codes = city.buildings.code.copy()
    codes[5] = "new"
    changed = city._replace(buildings=city.buildings.replace(code=codes))
    source = models_file(tmp_path, changed)
    again = tile_file(source, str(out), crs=CRS, heights=DATUM, options=options, overwrite=True)
    assert first.tiles > 20
    assert 1 < again.new <= 2 + read_tileset(out).depth.max() + 1
    assert again.kept == first.new - again.new


def test_outlines_with_heights_and_ground(tmp_path):
    rows = {
        "id": ["a", "b", "c"],
        "height": [9.0, np.nan, 30.0],
        "floors": [3, 4, 10],
        "base": [5.0, 7.5, np.nan],
        "使用": ["住宅", None, "商业"],
    }
    out = tmp_path / "tiles"
    done = tile_file(
        outlines_file(tmp_path, rows),
        str(out),
        crs=CRS,
        heights=DATUM,
        options=plain(tile_properties=("使用", "floors")),
        columns=Columns(ground_field="base"),
    )
    content = table_of(out)
    order = np.argsort(content.properties["building_id"].astype(object))
    found = {name: column[order].tolist() for name, column in content.properties.items()}
    assert found["building_id"] == ["a", "b", "c"]
    assert found["height"] == [9.0, 12.0, 30.0]
    assert found["h_ground"] == [5.0, 7.5, 0.0]
    assert [content.enums["height_source"][v] for v in found["height_source"]] == [
        *("attribute", "floors", "attribute")
    ]
    assert found["_"] == ["住宅", "", "商业"]
    assert found["floors"] == [3, 4, 10]
    assert [(i.code, i.id) for i in done.issues if i.code.startswith("GROUND")] == [
        ("GROUND_NOT_MEASURED", "c")
    ]
    z = content.positions[:, 2]
    assert z.min() == pytest.approx(0.0, abs=0.01)  # c stands at 0, the frame at 0 too
    assert z.max() == pytest.approx(30.0, abs=0.01)


def test_ids_of_any_text_and_a_text_of_ten_megabytes(tmp_path):
    ids = ["<img src=x onerror=alert(1)>", "../../etc", "C:\\con", "楼 1", '"', "a,b", "'--"]
    rows = {"id": ids, "height": [9.0] * 7, "note": ["x" * 10_000_000, *"bcdefg"]}
    out = tmp_path / "tiles"
    done = tile_file(
        outlines_file(tmp_path, rows),
        str(out),
        crs=CRS,
        heights=DATUM,
        options=plain(tile_properties=("note",)),
    )
    content = table_of(out)
    assert sorted(content.properties["building_id"].tolist()) == sorted(ids)
    assert max(map(len, content.properties["note"].tolist())) == 1000
    assert [(i.code, i.id) for i in done.issues if i.code == "TILE_TEXT_SHORTENED"] == [
        ("TILE_TEXT_SHORTENED", ids[0])
    ]
    names = [path.name for path in out.iterdir()]
    assert all(name.isascii() and "/" not in name for name in names)


@pytest.mark.parametrize("implicit", [False, True])
def test_no_models_are_an_empty_tileset(tmp_path, implicit):
    source = models_file(tmp_path, boxes(1))
    head = (tmp_path / "models.city.jsonl").read_bytes().splitlines()[0]
    (tmp_path / "models.city.jsonl").write_bytes(head + b"\n")
    options = plain(tiles_implicit=implicit)
    done = tile_file(source, str(tmp_path / "tiles"), crs=CRS, heights=DATUM, options=options)
    assert (done.buildings, done.tiles) == (0, 0)
    assert check_tileset(read_tileset(tmp_path / "tiles")) == []


def test_an_empty_layer_is_refused(tmp_path):
    frame = gpd.GeoDataFrame({"id": []}, geometry=[], crs="EPSG:4546")
    path = tmp_path / "empty.gpkg"
    frame.to_file(path, geometry_type="Polygon")
    with pytest.raises(InputError, match="the layer is empty"):
        tile_file(str(path), str(tmp_path / "tiles"), crs=CRS, heights=DATUM)


def test_a_city_across_the_antimeridian(tmp_path):
    """UTM zone 60 reaches over 180 degrees: one frame, in metres, no jump."""
    there = gpd.GeoSeries([shapely.box(179.99, -17, 179.991, -16.9)], crs="EPSG:4326")
    x, y = there.to_crs("EPSG:32760").total_bounds[:2]
    shapes = [shapely.box(x + 200 * k, y, x + 200 * k + 10, y + 10) for k in range(20)]
    frame = gpd.GeoDataFrame({"id": [*"abcdefghijklmnopqrst"], "height": 9.0}, geometry=shapes)
    path = tmp_path / "fiji.gpkg"
    frame.set_crs("EPSG:32760").to_file(path)
    lon = frame.set_crs("EPSG:32760").to_crs("EPSG:4326").bounds.minx
    assert lon.max() > 179
    assert lon.min() < -179
    out = tmp_path / "tiles"
    done = tile_file(str(path), str(out), crs="EPSG:32760", heights=DATUM, options=plain())
    assert done.buildings == 20
    contents = read_tileset(out)
    assert check_tileset(contents) == []
    assert np.abs(contents.box[0]).max() < 5000


def test_nobody_said_what_the_heights_refer_to(tmp_path):
    out = tmp_path / "tiles"
    done = tile_file(models_file(tmp_path, boxes(3)), str(out), crs=CRS)
    assert [(i.severity, i.code) for i in done.issues] == [
        ("ERROR", "VERTICAL_DATUM_UNRESOLVED")
    ]
    metadata = json.loads((out / "tileset.json").read_bytes())["metadata"]["properties"]
    assert metadata == {"crs": CRS, "undulation": 0.0, "height_reference": "unresolved"}


def test_colours_outlines_twins_and_a_package(tmp_path):
    out = tmp_path / "tiles"
    options = plain(
        tile_color="height", tiles_outline=True, tiles_gzip=True, tiles_package=True
    )
    tile_file(
        models_file(tmp_path, boxes(9)), str(out), crs=CRS, heights=DATUM, options=options
    )
    (glb,) = out.glob("*.glb")
    (primitive,) = document(glb)["meshes"][0]["primitives"]
    assert "COLOR_0" in primitive["attributes"]
    assert "CESIUM_primitive_outline" in primitive["extensions"]
    assert (out / f"{glb.name}.gz").is_file()
    assert [path.name for path in out.glob("*.3tz")] == ["tiles.3tz"]


@pytest.mark.parametrize(
    ("keys", "error", "message"),
    [
        ({"crs": ""}, CrsError, "Give --crs"),
        ({"crs": "EPSG:4326"}, CrsError, "project"),
        ({"options": plain(tile_properties=("no",))}, ParameterError, "no column 'no'"),
        ({"options": plain(tiles_version="2.0")}, ParameterError, "1.0 or 1.1"),
        (
            {"options": plain(tiles_version="1.0", tiles_implicit=True)},
            ParameterError,
            "no implicit",
        ),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(tmp_path, keys, error, message):
    source, given = models_file(tmp_path, boxes(3)), {"crs": CRS, "heights": DATUM} | keys
    text = (tmp_path / "models.city.jsonl").read_text(encoding="utf-8")
    (tmp_path / "models.city.jsonl").write_text(
        text.replace("referenceSystem", "formerSystem"), encoding="utf-8"
    )
    with pytest.raises(error, match=message):
        tile_file(source, str(tmp_path / "tiles"), **given)
    assert [path.name for path in tmp_path.iterdir()] == ["models.city.jsonl"]


def test_a_column_of_the_ground_that_is_not_there(tmp_path):
    source = outlines_file(tmp_path, {"id": ["a"], "height": [9.0]})
    with pytest.raises(InputError, match="no column 'base'"):
        tile_file(source, str(tmp_path / "t"), crs=CRS, columns=Columns(ground_field="base"))


@pytest.mark.parametrize(
    ("name", "buildings", "codes"),
    [
        (
            "delft_3dbag/3dbag_v210908_tile5910.city.json",
            429,
            {"SOLID_LEFT_OUT": 8, "SOLID_REPLACED": 1},
        ),
        ("delft_3dbag/3dbag_delft_99.city.jsonl", 99, None),
    ],
)
def test_files_of_the_3dbag(tmp_path, real_data, name, buildings, codes):
    out = tmp_path / "tiles"
    done = tile_file(str(real_data / name), str(out), heights=Heights(43.0), options=plain())
    assert done.buildings == buildings
    contents = read_tileset(out)
    assert check_tileset(contents) == []
    if codes:
        found = [issue.code for issue in done.issues]
        assert {code: found.count(code) for code in set(found)} == codes


def test_every_building_is_told_of(tmp_path):
    """The table of the tiles says what the file says, building by building."""
    city, out = boxes(30), tmp_path / "tiles"
    tile_file(models_file(tmp_path, city), str(out), crs=CRS, heights=DATUM, options=plain())
    content = table_of(out)
    row_of = {name: row for row, name in enumerate(city.buildings.building_id.tolist())}
    rows = np.array([row_of[name] for name in content.properties["building_id"].tolist()])
    expected: Buildings = city.buildings.take(rows)
    assert content.properties["code"].tolist() == expected.code.tolist()
    np.testing.assert_allclose(content.properties["height"], expected.height, atol=1e-3)
    np.testing.assert_allclose(content.properties["h_ground"], expected.h_ground, atol=1e-3)
