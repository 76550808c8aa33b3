from __future__ import annotations

import json
import struct

import numpy as np
import pytest

from cimkit.steps.terrain_tiles import SIDE, terrain_tiles
from cimkit.tables import Terrain
from cimkit.write.terrain_tiles import write_terrain_tiles
from tests.extruded import CORNER, CRS, PLACEMENT
from tests.kernels.test_rtin import hills
from tests.write.test_glb import CLEAN, validator

__all__ = ["validator"]


def ground(rows=600, columns=900, seed=0):
    z = hills(max(rows, columns), seed, rough=25)[:rows, :columns] * 8 + 30
    known = np.ones((rows, columns), dtype=bool)
    return Terrain(z, known, CORNER[0] + 37, CORNER[1] - 411, 1.0, CRS)


def written(folder, terrain, **keys):
    folder.mkdir(exist_ok=True)

    def write(name, data):
        (folder / name).write_bytes(data)

    n = write_terrain_tiles(terrain_tiles(terrain), terrain, PLACEMENT, write, **keys)
    return n, folder


def walk(tile, parent=None):
    yield tile, parent
    for child in tile.get("children", []):
        yield from walk(child, tile)


def positions(path):
    """Vertices of a plain glb in the root frame, and its triangles."""
    data = path.read_bytes()
    size = struct.unpack_from("<I", data, 12)[0]
    document, binary = json.loads(data[20 : 20 + size]), data[28 + size :]
    (node,) = document["nodes"]
    accessor = document["accessors"][0]
    rows = np.frombuffer(binary, "<u2", accessor["count"] * 6).reshape(-1, 6)[:, :3]
    xyz = rows * node["scale"][0] + node["translation"]
    return np.column_stack([xyz[:, 0], -xyz[:, 2], xyz[:, 1]]), document


def test_a_pyramid_that_holds_what_it_says(tmp_path, validator):
    terrain = ground()
    n, folder = written(tmp_path / "terrain", terrain)
    document = json.loads((folder / "tileset.json").read_bytes())
    tiles = list(walk(document["root"]))
    assert len(tiles) == n == len(list(folder.glob("*.glb")))
    assert document["geometricError"] >= document["root"]["geometricError"]
    for tile, parent in tiles:
        box = np.array(tile["boundingVolume"]["box"])
        xyz, _ = positions(folder / tile["content"]["uri"])
        assert (np.abs(xyz - box[:3]) <= box[3::4] + 0.01).all()
        if parent:
            assert tile["geometricError"] < parent["geometricError"]
            outer = np.array(parent["boundingVolume"]["box"])
            assert (np.abs(box[:3] - outer[:3]) + box[3::4] <= outer[3::4] + 1e-6).all()
        assert ("children" in tile) == (tile["geometricError"] > 0)
    assert validator(folder.glob("*.glb")) == CLEAN


def test_compressed_it_is_smaller_and_valid(tmp_path, validator):
    sizes = []
    for name, meshopt in (("a", False), ("b", True)):
        _, folder = written(tmp_path / name, ground(), meshopt=meshopt)
        sizes.append(sum(path.stat().st_size for path in folder.glob("*.glb")))
        assert validator(folder.glob("*.glb")) == CLEAN
    assert sizes[1] < 0.6 * sizes[0]


def test_the_ground_is_where_it_was(tmp_path):
    """Vertices at full detail lie on the grid, within a step of rounding."""
    terrain = ground(200, 200)
    _, folder = written(tmp_path / "terrain", terrain)
    document = json.loads((folder / "tileset.json").read_bytes())
    leaves = [tile for tile, _ in walk(document["root"]) if "children" not in tile]
    r, c = np.indices(terrain.z.shape)
    grid = np.column_stack(
        [
            (c.ravel() + 0.5) * terrain.cell + terrain.x0,
            (r.ravel() + 0.5) * terrain.cell + terrain.y0,
            terrain.z.ravel().astype(float),
        ]
    )
    from scipy.spatial import cKDTree

    tree = cKDTree(PLACEMENT.to_root(grid))
    near = 0
    for leaf in leaves:
        xyz, _ = positions(folder / leaf["content"]["uri"])
        away = tree.query(xyz)[0]
        near += (away < 0.01).sum()
        assert ((away < 0.01) | (away > 0.9)).all()  # on the ground, or hanging from it
    assert near > 100


@pytest.mark.parametrize("tolerances", [3])
def test_the_error_bounds_what_is_left_out(tolerances):
    terrain = ground(SIDE * 2, SIDE * 2)
    tiles = list(terrain_tiles(terrain))
    root = tiles[-1]
    side, step = SIDE + 1, 2**root.level
    west, south = round(terrain.x0), round(terrain.y0)
    worst = 0.0
    for t in root.triangle:
        r, c = t // side * step, t % side * step
        low, high = (r.min(), c.min()), (r.max(), c.max())
        i, j = np.mgrid[low[0] : high[0] + 1, low[1] : high[1] + 1].reshape(2, -1)
        area = (c[1] - c[0]) * (r[2] - r[0]) - (r[1] - r[0]) * (c[2] - c[0])
        p = ((c[1] - j) * (r[2] - i) - (r[1] - i) * (c[2] - j)) / area
        q = ((c[2] - j) * (r[0] - i) - (r[2] - i) * (c[0] - j)) / area
        inside = (p >= 0) & (q >= 0) & (p + q <= 1)
        z = root.z.ravel()[t]
        flat = p * z[0] + q * z[1] + (1 - p - q) * z[2]
        row = i + root.row * SIDE * step - south
        column = j + root.column * SIDE * step - west
        known = inside & (row >= 0) & (column >= 0)
        known &= (row < terrain.z.shape[0]) & (column < terrain.z.shape[1])
        worst = max(worst, np.abs(flat[known] - terrain.z[row[known], column[known]]).max())
    assert 0 < worst <= root.error
    assert root.error <= tolerances * worst + 1


def test_a_change_touches_the_tiles_around_it(tmp_path):
    before = ground(700, 700)
    z = before.z.copy()
    z[5, 5] += 9
    after = Terrain(z, before.measured, before.x0, before.y0, 1.0, CRS)
    names = [
        {path.name for path in written(tmp_path / name, one)[1].glob("*.glb")}
        for name, one in (("a", before), ("b", after))
    ]
    assert len(names[0] - names[1]) <= 4
    assert len(names[0] & names[1]) >= 6


def test_no_ground_no_tiles(tmp_path):
    nothing = Terrain(np.full((9, 9), np.nan), np.zeros((9, 9), bool), 0.0, 0.0, 1.0, CRS)
    assert written(tmp_path / "t", nothing)[0] == 0
    assert not list((tmp_path / "t").iterdir())


@pytest.mark.parametrize("meshopt", [False, True])
def test_the_same_ground_gives_the_same_bytes(tmp_path, meshopt):
    """Whatever lay in memory before."""
    found = []
    for name in "abc":
        rubbish = np.full(3_000_000, ord(name), dtype=np.uint8)
        del rubbish
        _, folder = written(tmp_path / name, ground(300, 300), meshopt=meshopt)
        found.append({path.name for path in folder.iterdir()})
    assert found[0] == found[1] == found[2]
