"""CityJSON read to be judged: all versions and kinds, and nothing in it is trusted."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cimkit import limits
from cimkit.check.solids import check_boundaries
from cimkit.errors import CimkitError, FormatError, LimitError
from cimkit.read import boundaries as module
from cimkit.read import boundary_rows
from cimkit.read.boundaries import read_boundaries
from cimkit.tables.boundaries import Primitive
from tests.check.bodies import box, turned

VERTICES = [[x, y, z] for x in (0, 4000) for y in (0, 4000) for z in (0, 3000)]
ROWS = {tuple(v): i for i, v in enumerate(VERTICES)}


def rows_of(shell):
    """Faces of rings of rows of `VERTICES`; the box is 4 x 4 x 3 m."""
    return [
        [[ROWS[x * 1000, y * 1000, min(z, 3) * 1000] for x, y, z in ring] for ring in face]
        for face in shell
    ]


SHELL = rows_of(box())


def geometry(kind="Solid", boundaries=None, **more):
    return {"type": kind, "lod": "2.2", "boundaries": boundaries or [SHELL]} | more


def document(*geometries, version="1.1", **more):
    things = {"a": {"type": "Building", "geometry": list(geometries)}}
    return {
        "type": "CityJSON",
        "version": version,
        "transform": {"scale": [0.001] * 3, "translate": [85_000.0, 447_000.0, -1.0]},
        "CityObjects": things,
        "vertices": VERTICES,
    } | more


def read(tmp_path, value, name="m.city.json"):
    path = tmp_path / name
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    parts = list(read_boundaries(path))
    return parts[0] if len(parts) == 1 else parts


def codes(issues):
    return [issue.code for issue in issues]


@pytest.mark.parametrize("version", ["1.0", "1.1", "2.0", "2.0.1"])
def test_every_version_is_read(tmp_path, version):
    table, issues = read(tmp_path, document(geometry(), version=version))
    assert (len(table), issues) == (1, [])
    assert check_boundaries(table) == []
    assert table.lod.tolist() == ["2.2"]
    corners = table.vertices[table.ring_vertex] + table.origin
    assert corners.min(axis=0).tolist() == [85_000.0, 447_000.0, -1.0]
    assert corners.max(axis=0).tolist() == [85_004.0, 447_004.0, 2.0]


@pytest.mark.parametrize(
    ("kind", "nested", "solids", "shells"),
    [
        ("MultiSurface", SHELL, 1, 1),
        ("CompositeSurface", SHELL, 1, 1),
        ("Solid", [SHELL, rows_of(turned(box()))], 1, 2),
        ("MultiSolid", [[SHELL], [SHELL]], 2, 2),
        ("CompositeSolid", [[SHELL], [SHELL, SHELL]], 2, 3),
    ],
)
def test_every_kind_is_read(tmp_path, kind, nested, solids, shells):
    table, issues = read(tmp_path, document(geometry(kind, nested)))
    assert issues == []
    assert Primitive(table.kind[0]).name == kind
    assert (len(table.solid_offsets) - 1, len(table.shell_offsets) - 1) == (solids, shells)
    assert np.diff(table.shell_offsets).tolist() == [6] * shells
    assert len(table.ring_vertex) == 24 * shells


def test_parts_belong_to_their_topmost_parent(tmp_path):
    value = document(geometry())
    value["CityObjects"] |= {
        "b": {"type": "BuildingPart", "parents": ["a"], "geometry": [geometry()]},
        "c": {"type": "BuildingInstallation", "parents": ["b"], "geometry": [geometry()]},
        "x": {"type": "Bridge", "parents": ["nobody"], "geometry": [geometry()]},
        "r": {"type": "BuildingPart", "parents": ["s"], "geometry": [geometry()]},
        "s": {"type": "BuildingPart", "parents": ["r"]},
    }
    table, issues = read(tmp_path, value)
    assert table.object_id.tolist() == ["a", "b", "c", "x", "r"]
    assert table.feature_id.tolist()[:4] == ["a", "a", "a", "x"]
    assert table.is_building.tolist() == [1, 1, 1, 0, 0]
    assert [(issue.code, issue.id) for issue in issues] == [
        ("SOLID_906_PRIMITIVE_NO_GEOMETRY", "r")  # the other half of a circle
    ]


def test_features_of_a_sequence_share_one_frame(tmp_path):
    lines = [document(type="CityJSON", CityObjects={}, vertices=[])]
    for name, shift in (("a", 0), ("b", 9000)):
        feature = document(geometry(), type="CityJSONFeature", id=name)
        feature["vertices"] = [[x + shift, y, z] for x, y, z in VERTICES]
        feature["CityObjects"] = {name: feature["CityObjects"]["a"]}
        lines.append(feature)
    text = "\n".join(json.dumps(line) for line in lines) + "\n\n"
    table, issues = read(tmp_path, text, "m.city.jsonl")
    assert (table.object_id.tolist(), issues) == (["a", "b"], [])
    corners = table.vertices[table.ring_vertex[24:]] + table.origin
    assert corners[:, 0].min() == 85_009.0


def test_a_long_sequence_comes_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BATCH_CORNERS", 40)
    head = json.dumps(document(CityObjects={}, vertices=[]))
    line = json.dumps(document(geometry(), type="CityJSONFeature"))
    parts = read(tmp_path, "\n".join([head] + [line] * 5), "m.city.jsonl")
    assert [len(table) for table, _ in parts] == [2, 2, 1]
    assert len({table.origin for table, _ in parts}) == 1


def test_templates_are_objects_of_their_own(tmp_path):
    templates = {
        "templates": [geometry()],
        "vertices-templates": np.divide(VERTICES, 1000).tolist(),
    }
    tree = {"type": "GeometryInstance", "template": 0, "boundaries": [0]}
    table, issues = read(tmp_path, document(tree, **{"geometry-templates": templates}))
    assert (table.object_id.tolist(), issues) == (["template 0"], [])
    assert check_boundaries(table) == []


def test_without_transform_numbers_are_metres(tmp_path):
    value = document(geometry())
    del value["transform"]
    table, _ = read(tmp_path, value)
    assert np.ptp(table.vertices[table.ring_vertex], axis=0).tolist() == [4000, 4000, 3000]


BAD_GEOMETRIES = {
    "a row that does not exist": [[[[0, 1, 8]]]],
    "a row below zero": [[[[0, 1, -1]]]],
    "a row that is no number": [[[[0, 1, "2"]]]],
    "a fraction as a row": [[[[0, 1, 2.5]]]],
    "a huge row": [[[[0, 1, 2**70]]]],
    "true as a row": [[[[True, False, True]]]],
    "null": [[[None]]],
    "text for a ring": [[["012"]]],
    "too flat": [[[0, 1, 2]]],
    "too deep": [[[[[0, 1, 2]]]]],
    "an object": {"0": 1},
    "ragged": [[[[0, [1], 2]]]],
}


@pytest.mark.parametrize("name", BAD_GEOMETRIES)
def test_a_bad_geometry_costs_that_geometry(tmp_path, name):
    bad = {"type": "Solid", "lod": "2.2", "boundaries": BAD_GEOMETRIES[name]}
    table, issues = read(tmp_path, document(bad, geometry()))
    assert codes(issues) == ["SOLID_901_INVALID_INPUT_FILE"]
    assert issues[0].id == "a"
    assert issues[0].message.startswith("LoD2.2 Solid 0: ")
    assert table.geometry.tolist() == [1]


@pytest.mark.parametrize("kind", [None, "Solidd", ["Solid"], {}, 7])
def test_an_unknown_type_costs_that_geometry(tmp_path, kind):
    table, issues = read(tmp_path, document(geometry(kind), geometry()))
    assert codes(issues) == ["SOLID_901_INVALID_INPUT_FILE"]
    assert len(table) == 1


@pytest.mark.parametrize("bad", [1e300, -1e300, 2e11])
def test_a_vertex_far_off_costs_the_objects_that_use_it(tmp_path, bad):
    value = document(geometry())
    value["vertices"] = [*VERTICES, [bad, 0, 0]]
    assert read(tmp_path, value)[1] == []
    value["CityObjects"]["b"] = {
        "type": "Building",
        "geometry": [geometry(boundaries=[[[[0, 1, 8]]]])],
    }
    table, issues = read(tmp_path, value)
    assert [(issue.code, issue.id) for issue in issues] == [
        ("SOLID_901_INVALID_INPUT_FILE", "b")
    ]
    assert table.object_id.tolist() == ["a"]


@pytest.mark.parametrize(
    "vertices", [None, 7, "abc", [[1, 2]], [[1, 2, "3"]], [[1, 2], [1, 2, 3]], {}]
)
def test_bad_vertices_cost_their_feature(tmp_path, vertices):
    head = json.dumps(document(CityObjects={}, vertices=[]))
    lines = [document(geometry(), type="CityJSONFeature") for _ in range(2)]
    lines[0]["vertices"] = vertices
    table, issues = read(tmp_path, "\n".join([head, *map(json.dumps, lines)]), "m.city.jsonl")
    assert len(table) == 1
    assert set(codes(issues)) == {"SOLID_901_INVALID_INPUT_FILE"}


@pytest.mark.parametrize(
    "line", ["{", "7", '{"type": "CityJSON"}', "[" * 100_000, '{"a": NaN}', "\xff"]
)
def test_a_bad_line_costs_that_line(tmp_path, line):
    head = json.dumps(document(CityObjects={}, vertices=[]))
    good = json.dumps(document(geometry(), type="CityJSONFeature"))
    path = tmp_path / "m.city.jsonl"
    path.write_bytes("\n".join([head, line, good]).encode("latin-1"))
    ((table, issues),) = read_boundaries(path)
    assert codes(issues) == ["SOLID_905_INVALID_JSON"]
    assert issues[0].message.startswith("line 2 ")
    assert len(table) == 1


@pytest.mark.parametrize(
    "things",
    [[], {"a": 7}, {"a": {"type": "Building", "geometry": 7}}, {"a": {"geometry": [7]}}],
)
def test_objects_that_are_none_are_named(tmp_path, things):
    table, issues = read(tmp_path, document(CityObjects=things))
    assert len(table) == 0
    assert set(codes(issues)) == {"SOLID_901_INVALID_INPUT_FILE"}


@pytest.mark.parametrize(
    "templates", [7, {"templates": 7}, {"templates": [], "vertices-templates": [7]}]
)
def test_templates_that_are_none_are_named(tmp_path, templates):
    _, issues = read(tmp_path, document(geometry(), **{"geometry-templates": templates}))
    assert codes(issues) == ["SOLID_901_INVALID_INPUT_FILE"]


def test_what_has_no_surface_is_named(tmp_path):
    things = {
        "a": {"type": "Building"},
        "b": {"type": "Building", "geometry": [{"type": "MultiPoint", "boundaries": [0]}]},
        "g": {"type": "CityObjectGroup"},
    }
    _, issues = read(tmp_path, document(CityObjects=things))
    assert [(i.code, i.id) for i in issues] == [
        ("SOLID_906_PRIMITIVE_NO_GEOMETRY", "a"),
        ("SOLID_906_PRIMITIVE_NO_GEOMETRY", "b"),
    ]


SURFACES = [{"type": "RoofSurface"}, {"type": "WallSurface"}]


@pytest.mark.parametrize(
    ("kind", "values", "fits"),
    [
        ("Solid", [[0, 1, 1, None, 0, 0]], True),
        ("Solid", [None], True),
        ("Solid", None, True),
        ("Solid", [[0, 1, 1]], False),
        ("Solid", [[0, 1, 1, 1, 1, 2]], False),
        ("Solid", [[0, 1, 1, 1, 1, -1]], False),
        ("Solid", [[0, 1, 1, 1, 1, "0"]], False),
        ("Solid", [], False),
        ("Solid", 7, False),
        ("MultiSurface", [0, 1, 1, 1, 1, 0], True),
        ("MultiSurface", [0], False),
        ("MultiSolid", [[[0, 1, 1, 1, 1, 0]], None], False),
        ("CompositeSolid", [[[0, 1, 1, 1, 1, 0]], [[0, 1, 1, 1, 1, 0]]], True),
    ],
)
def test_semantics_must_fit(tmp_path, kind, values, fits):
    nested = {"Solid": [SHELL], "MultiSurface": SHELL}.get(kind, [[SHELL], [SHELL]])
    given = geometry(kind, nested, semantics={"surfaces": SURFACES, "values": values})
    table, issues = read(tmp_path, document(given))
    assert codes(issues) == ([] if fits else ["SEMANTICS_INVALID"])
    assert len(table) == 1  # the geometry is judged all the same


@pytest.mark.parametrize(
    "semantics", [7, {}, {"surfaces": [{}], "values": None}, {"surfaces": 7, "values": []}]
)
def test_semantics_that_are_none_are_named(tmp_path, semantics):
    assert codes(read(tmp_path, document(geometry(semantics=semantics)))[1]) == [
        "SEMANTICS_INVALID"
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"version": "0.9"},
        {"version": None},
        {"type": "FeatureCollection"},
        {"transform": 7},
        {"transform": {"scale": [1, 1], "translate": [0, 0, 0]}},
        {"transform": {"scale": [1, 1, 0], "translate": [0, 0, 0]}},
        {"transform": {"scale": [1, 1, "x"], "translate": [0, 0, 0]}},
        {"transform": {"scale": [1, 1, 1]}},
    ],
)
@pytest.mark.parametrize("name", ["m.city.json", "m.city.jsonl"])
def test_a_file_of_another_kind_is_refused(tmp_path, change, name):
    with pytest.raises(FormatError):
        read(tmp_path, document(geometry(), **change), name)


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, "[1, 2]", "NaN", '{"type": "CityJSON"}']
)
@pytest.mark.parametrize("name", ["m.city.json", "m.city.jsonl"])
def test_a_file_that_is_no_cityjson_is_refused(tmp_path, text, name):
    with pytest.raises(FormatError):
        read(tmp_path, text, name)
    with pytest.raises(FormatError, match="cannot be read"):
        next(read_boundaries(tmp_path / "nothing.json"))


def test_what_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CITYJSON_BYTES_MAX", 100)
    monkeypatch.setattr(module, "CITYJSON_LINE_BYTES_MAX", 100)
    for name in ("m.city.json", "m.city.jsonl"):
        with pytest.raises(LimitError):
            read(tmp_path, document(geometry()), name)


@pytest.mark.parametrize("limit", ["RING_CORNERS_MAX", "SHELL_CORNERS_MAX"])
def test_a_geometry_too_large_to_be_judged_is_named(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(boundary_rows, limit, 3)
    table, issues = read(tmp_path, document(geometry()))
    assert (len(table), codes(issues)) == (0, ["SOLID_TOO_LARGE"])
    assert getattr(limits, limit) >= 10_000


def test_identifiers_may_be_any_text(tmp_path):
    value = json.dumps(document(geometry())).replace('"a":', '"楼\\ud800\\u0000":')
    table, _ = read(tmp_path, value)
    assert table.object_id[0].startswith("楼")
    table.object_id[0].encode("utf-8")


JUNK: list[Any] = [None, True, -1, 3.7, 2**70, "x", [], {}, [[]], [0], {"a": 1}, "\ud800"]


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, 2**32))
def test_junk_anywhere_is_refused_or_named(tmp_path, seed):
    """One value of a sound file is replaced by another one: no other exception, no crash."""
    rng = random.Random(seed)
    value = copy.deepcopy(
        document(geometry(semantics={"surfaces": SURFACES, "values": [[0, 1, 1, 1, 1, 0]]}))
    )
    place, key = value, rng.choice(list(value))
    while isinstance(place[key], (dict, list)) and place[key] and rng.random() < 0.85:
        place = place[key]
        key = rng.choice(list(place)) if isinstance(place, dict) else rng.randrange(len(place))
    place[key] = rng.choice(JUNK)
    path = tmp_path / rng.choice(["j.city.json"])
    path.write_text(json.dumps(value), encoding="utf-8")
    try:
        for table, _ in read_boundaries(path):
            check_boundaries(table)
    except CimkitError:
        pass
