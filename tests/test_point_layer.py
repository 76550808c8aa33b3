from __future__ import annotations

import json

import laspy
import numpy as np
import pytest
from py3dtiles.tileset.content import Pnts

from cimkit.point_layer import SIDES, SQUARE_POINTS, square_side
from cimkit.read.las_header import probe_las
from tests.test_pipeline import build, small_inputs, tree_of


def walk(tile):
    yield tile
    for child in tile.get("children", []):
        yield from walk(child)


def shown(folder):
    """Number of points of each class in the finest tiles, those that add to each other."""
    counts = np.zeros(256, dtype=int)
    top = json.loads((folder / "tileset.json").read_bytes())
    for leaf in walk(top["root"]):
        if not leaf["content"]["uri"].endswith(".json"):
            continue
        part = json.loads((folder / leaf["content"]["uri"]).read_bytes())
        for child in part["root"].get("children", [part["root"]]):
            for tile in walk(child):
                points = Pnts.from_file(folder / tile["content"]["uri"])
                counts += np.bincount(points.get_extra_field("classification"), minlength=256)
    return counts


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layer")
    keys = {**small_inputs(folder / "in"), "point_tiles": True}
    return folder, keys, build(folder / "city", keys)


def test_all_points_but_noise_are_shown(city):
    folder, _, built = city
    counts = shown(built.path / "tiles" / "points")
    (balance,) = [b for b in built.manifest["balances"] if b["name"] == "points of the layer"]
    assert balance["in_count"] == sum(balance["parts"].values())
    assert counts.sum() == balance["parts"]["in tiles"] > 0
    in_files = np.zeros(256, dtype=int)
    for path in (folder / "in").glob("*.laz"):
        in_files += np.bincount(laspy.read(path).classification, minlength=256)
    in_files[[7, 18]] = 0
    assert (counts <= in_files).all()


def test_neither_workers_nor_blocks_nor_files_matter(city):
    folder, keys, built = city
    moved = folder / "moved"
    moved.mkdir()
    for name, path in zip("ba", sorted((folder / "in").glob("*.laz")), strict=False):
        (moved / f"{name}.laz").write_bytes(path.read_bytes())
    other = build(
        folder / "other", {**keys, "points": [str(moved)]}, workers=1, block_size=50.0
    )
    one, two = (tree_of(c.path / "tiles" / "points") for c in (built, other))
    assert one == two
    assert len(one) > 2


def test_a_cloud_that_was_set_aside_is_not_in_the_layer(city, tmp_path):
    _, keys, _ = city
    keys = {**small_inputs(tmp_path / "in"), "point_tiles": True}
    east = tmp_path / "in" / "east.laz"
    whole = bytearray(east.read_bytes())
    whole[len(whole) // 2 : len(whole) // 2 + 200] = bytes(200)
    east.write_bytes(whole)
    built = build(tmp_path / "city", keys, on_bad_file="skip")
    assert 0 < shown(built.path / "tiles" / "points").sum() < 8000


def test_without_points_there_is_no_layer(tmp_path):
    keys = {k: v for k, v in small_inputs(tmp_path / "in").items() if k != "points"}
    built = build(tmp_path / "city", keys, point_tiles=True)
    assert not (built.path / "tiles" / "points").exists()


def test_dense_clouds_get_small_squares(tmp_path):
    small_inputs(tmp_path)
    header = probe_las(next(tmp_path.glob("*.laz")))
    xmin, ymin, xmax, ymax = header.bounds
    assert square_side([header._replace(n_points=1)]) == SIDES[0]
    dense = header._replace(n_points=int((xmax - xmin) * (ymax - ymin) * 100))
    side = square_side([header, dense])
    assert 100 * side**2 <= SQUARE_POINTS < 100 * (2 * side) ** 2
