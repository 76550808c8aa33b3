from __future__ import annotations

import json

import numpy as np
import pytest
from py3dtiles.tileset.content import Pnts

from cimkit.write.point_tiles import (
    SAMPLE,
    STEP_M,
    SquareOfPoints,
    class_colors,
    encode_square,
    join_squares,
)
from tests.extruded import PLACEMENT


def scattered(n=60_000, seed=0, at=(0.0, 0.0)):
    """Points on a slope with blocks, rounded to millimetres, all different."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, 200, (n, 2))
    z = xy[:, 0] / 20 + 12 * ((xy // 25).sum(axis=1) % 2) + rng.normal(0, 0.05, n)
    xyz = np.column_stack([xy + at, z]).round(3)
    return xyz, rng.choice([1, 2, 5, 6], n).astype(np.uint8)


def walk(tile, parent=None):
    yield tile, parent
    for child in tile.get("children", []):
        yield from walk(child, tile)


def content(folder, tile):
    return Pnts.from_file(folder / tile["content"]["uri"])


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def rows(xyz, classes):
    steps = np.rint(np.asarray(xyz) / STEP_M).astype(int)
    return sorted(map(tuple, np.column_stack([steps, classes]).tolist()))


def test_the_order_of_points_does_not_matter():
    xyz, classes = scattered(5000)
    shuffled = np.random.default_rng(9).permutation(5000)
    one, other = (
        SquareOfPoints.of(xyz[order], classes[order]) for order in (slice(None), shuffled)
    )
    assert (one.steps == other.steps).all()
    assert (one.classification == other.classification).all()


def test_a_point_that_stands_twice_is_counted():
    xyz, classes = scattered(100)
    other = classes.copy()
    other[:3] = 9  # of another class: another point
    points = SquareOfPoints.of(np.concatenate([xyz, xyz]), np.concatenate([classes, other]))
    assert points.n_repeated == 97
    assert len(points.steps) == 103
    assert SquareOfPoints.of(np.empty((0, 3)), np.empty(0, np.uint8)).n_repeated == 0


def test_the_head_is_a_fair_sample():
    xyz, classes = scattered(40_000)
    head = SquareOfPoints.of(xyz, classes).head(4000)
    quarter = (head.steps[:, :2] * STEP_M // 100).astype(int)
    share = np.bincount(quarter[:, 0] * 2 + quarter[:, 1]) / 4000
    assert share == pytest.approx(0.25, abs=0.03)


@pytest.fixture(scope="module")
def square(tmp_path_factory):
    folder = tmp_path_factory.mktemp("square")
    xyz, classes = scattered(at=(3000.0, -1200.0))
    root, n_written = encode_square(SquareOfPoints.of(xyz, classes), folder)
    assert n_written == len(xyz)
    return folder, root, xyz, classes


def test_each_point_is_in_one_tile_below_the_root(square):
    folder, root, xyz, classes = square
    moved = np.array(root["transform"]).reshape(4, 4)[3, :3]
    assert root["transform"][:12] == np.eye(4).ravel()[:12].tolist()
    assert root["refine"] == "REPLACE"
    found, kinds = [], []
    for tile, parent in walk(root):
        if parent is None:
            continue
        points = content(folder, tile)
        found.append(points.get_vertices() + moved)
        kinds.append(points.get_extra_field("classification"))
        assert (points.get_colors() == class_colors(kinds[-1])).all()
    assert rows(np.concatenate(found), np.concatenate(kinds)) == rows(xyz, classes)


def test_boxes_hold_points_and_errors_fall(square):
    folder, root, *_ = square
    for tile, parent in walk(root):
        box = np.array(tile["boundingVolume"]["box"])
        xyz = content(folder, tile).get_vertices()
        assert (np.abs(xyz - box[:3]) <= box[3::4] + 1e-3).all()
        assert ("children" in tile) == (tile["geometricError"] > 0)
        if parent:
            assert tile["geometricError"] < parent["geometricError"]
    assert len(list(walk(root))) > 5
    assert {path.suffix for path in folder.iterdir()} == {".pnts"}


def test_the_same_points_give_the_same_bytes(square, tmp_path):
    folder, root, xyz, classes = square
    order = np.random.default_rng(4).permutation(len(xyz))
    again, _ = encode_square(SquareOfPoints.of(xyz[order], classes[order]), tmp_path)
    assert json.dumps(again) == json.dumps(root)
    assert files(tmp_path) == files(folder)


def test_few_points_are_a_layer_too(tmp_path):
    points = SquareOfPoints.of(np.array([[5.0, 6.0, 7.0]]), np.array([2], np.uint8))
    root, _ = encode_square(points, tmp_path)
    join_squares(
        {(0, 0): (root, points)}, PLACEMENT, lambda n, d: (tmp_path / n).write_bytes(d)
    )
    document = json.loads((tmp_path / "tileset.json").read_bytes())
    assert document["root"]["content"]["uri"].endswith(".json")
    assert document["geometricError"] > 0


def test_squares_meet_in_coarser_ones(tmp_path):
    corners = [(0, 0), (1, 0), (0, 1), (5, 6), (-3, 2)]
    squares = {}
    for seed, key in enumerate(corners):
        points = SquareOfPoints.of(*scattered(8000, seed, at=(200.0 * key[0], 200.0 * key[1])))
        squares[key] = encode_square(points, tmp_path)[0], points.head(SAMPLE)
    join_squares(squares, PLACEMENT, lambda name, data: (tmp_path / name).write_bytes(data))
    document = json.loads((tmp_path / "tileset.json").read_bytes())
    assert document["root"]["transform"] == PLACEMENT.root_transform
    assert document["extras"]["crs"] == PLACEMENT.crs
    leaves = 0
    for tile, parent in walk(document["root"]):
        if parent:
            assert (
                tile["geometricError"] < parent["geometricError"] < document["geometricError"]
            )
            box, outer = (np.array(t["boundingVolume"]["box"]) for t in (tile, parent))
            assert (np.abs(box[:3] - outer[:3]) + box[3::4] <= outer[3::4] + 1e-6).all()
        if "children" in tile:
            assert tile["content"]["uri"].endswith(".pnts")
            xyz, box = (
                content(tmp_path, tile).get_vertices(),
                np.array(tile["boundingVolume"]["box"]),
            )
            assert (np.abs(xyz - box[:3]) <= box[3::4]).all()
            assert len(xyz) <= 4 * SAMPLE
        else:
            leaves += 1
            part = json.loads((tmp_path / tile["content"]["uri"]).read_bytes())
            moved = np.array(part["root"]["transform"])[12:15]
            inner, box = (np.array(t["boundingVolume"]["box"]) for t in (part["root"], tile))
            assert inner[:3] + moved == pytest.approx(box[:3])
    assert leaves == len(corners)
