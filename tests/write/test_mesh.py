"""Single buildings as mesh files, read back with trimesh."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
import trimesh

import cimkit
from cimkit.errors import ParameterError, StoreError
from cimkit.write.mesh import SUFFIXES, write_mesh

CORNER = np.array([500_000.25, 4_000_000.75])
WIDTH, DEPTH, EAVES, RIDGE, GROUND = 12.0, 8.0, 16.0, 19.0, 10.0
VOLUME = WIDTH * DEPTH * (EAVES - GROUND + (RIDGE - EAVES) / 2)


@pytest.fixture(scope="module")
def gable():
    """A gable roof far from the origin, at three levels of detail."""
    x, y = (a.ravel() for a in np.mgrid[0.1:WIDTH:0.25, 0.1:DEPTH:0.25])
    z = RIDGE - np.abs(y - DEPTH / 2) * (RIDGE - EAVES) / (DEPTH / 2)
    gx, gy = (a.ravel() for a in np.mgrid[-4 : WIDTH + 4 : 0.5, -4 : DEPTH + 4 : 0.5])
    out = (gx < -0.5) | (gx > WIDTH + 0.5) | (gy < -0.5) | (gy > DEPTH + 0.5)
    roof = np.column_stack([x, y, z, np.full(len(x), 6)])
    ground = np.column_stack(
        [gx[out], gy[out], np.full(out.sum(), GROUND), np.full(out.sum(), 2)]
    )
    points = np.vstack([roof, ground]) + np.append(CORNER, [0, 0])
    shape = shapely.box(*CORNER, *(CORNER + np.array([WIDTH, DEPTH])))
    footprints = cimkit.Footprints.from_polygons(["楼-1"], [shape])
    owner = cimkit.singulate(points, footprints)
    _, models, _ = cimkit.reconstruct(
        footprints, points, building_of_point=owner, lod=("1.2", "1.3", "2.2")
    )
    assert "2.2" in models.lod
    return models


@pytest.mark.parametrize("lod", ["1.2", "2.2"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_building_comes_back_closed_and_as_large(gable, tmp_path, suffix, lod):
    path = tmp_path / f"one{suffix.upper()}"
    origin = write_mesh(gable, "楼-1", path, lod=lod)
    assert origin == (500_000.0, 4_000_000.0, 0.0)
    mesh = trimesh.load_mesh(path)
    mesh.merge_vertices()
    assert mesh.is_watertight
    row = gable.lod.tolist().index(lod)
    assert mesh.volume == pytest.approx(gable.to_trimesh(row).volume, rel=1e-3)
    if lod == "2.2":
        assert mesh.volume == pytest.approx(VOLUME, rel=0.01)
    own = gable.take(np.array([row])).vertices
    east_north_up = mesh.bounds
    if suffix == ".glb":  # y up: up is y, and north is -z
        low, high = mesh.bounds
        east_north_up = np.array([[low[0], -high[2], low[1]], [high[0], -low[2], high[1]]])
    np.testing.assert_allclose(
        east_north_up + np.array(origin), [own.min(0), own.max(0)], atol=1e-4
    )


def test_best_is_the_highest_level_and_an_origin_is_kept(gable, tmp_path):
    path = tmp_path / "a.stl"
    assert write_mesh(gable, "楼-1", path, origin=(499_990.0, 4e6, 10.0))[0] == 499_990.0
    low, high = trimesh.load_mesh(path).bounds
    assert low == pytest.approx([10.25, 0.75, 0.0], abs=0.02)
    assert high[2] == pytest.approx(RIDGE - 10.0, abs=0.05)


def test_errors_say_what_to_do(gable, tmp_path):
    for keys, words in (
        ({"building_id": "楼-2"}, "near to it: 楼-1"),
        ({"path": tmp_path / "a.fbx"}, r"must end in one of \.obj, \.glb"),
        ({"lod": "3.0"}, r"has no LoD3\.0, only 1\.2, .*take one of these"),
        ({"origin": (0.0, np.nan, 0.0)}, "three finite numbers"),
    ):
        asked = {"building_id": "楼-1", "path": tmp_path / "a.obj"} | keys
        with pytest.raises(ParameterError, match=words):
            write_mesh(gable, **asked)
    with pytest.raises(ParameterError, match="table is empty"):
        write_mesh(gable.take(np.array([], dtype=int)), "a", tmp_path / "a.obj")
    with pytest.raises(StoreError, match="Name a file in a folder that exists"):
        write_mesh(gable, "楼-1", tmp_path / "none" / "a.obj")
    assert list(tmp_path.iterdir()) == []
