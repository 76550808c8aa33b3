"""The tools of the makers of 3D Tiles read what cimkit writes."""

from __future__ import annotations

import json
import subprocess

import pytest

from cimkit.write.archive import pack_archive
from cimkit.write.glb import Encoding
from tests.extruded import boxes, write_tiles

VARIANTS = {
    "plain": {"encoding": Encoding()},
    "meshopt": {"encoding": Encoding(meshopt=True)},
    "implicit": {"encoding": Encoding(meshopt=True), "implicit": True},
    "1.0": {"encoding": Encoding("1.0")},
}


@pytest.fixture
def tools(node_modules):
    """Run 3d-tiles-tools."""
    program = node_modules / ".bin" / "3d-tiles-tools"

    def run(*arguments):
        call = ["node", str(program.resolve()), *map(str, arguments)]
        done = subprocess.run(call, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Error" not in done.stdout + done.stderr

    return run


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_tileset_becomes_a_package(tmp_path, tools, variant):
    folder = tmp_path / "tiles"
    folder.mkdir()
    write_tiles(folder, boxes(400), tile_buildings=30, **VARIANTS[variant])
    tools("convert", "-i", folder / "tileset.json", "-o", tmp_path / "out.3tz", "-f")
    assert (tmp_path / "out.3tz").stat().st_size > 10_000


def test_a_package_of_cimkit_becomes_a_folder_again(tmp_path, tools):
    folder, out = tmp_path / "tiles", tmp_path / "out"
    folder.mkdir()
    write_tiles(folder, boxes(400), tile_buildings=30)
    pack_archive(folder, tmp_path / "tiles.3tz")
    tools("convert", "-i", tmp_path / "tiles.3tz", "-o", out, "-f")
    names = sorted(path.name for path in folder.iterdir())
    assert sorted(path.name for path in out.rglob("*") if path.is_file()) == names
    for name in names:
        if name != "tileset.json":  # may be laid out otherwise
            assert (out / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize("variant", ["plain", "1.0"])
def test_a_content_is_analysed(tmp_path, tools, variant):
    write_tiles(tmp_path, boxes(4), **VARIANTS[variant])
    content = next(path for path in tmp_path.iterdir() if path.suffix in (".glb", ".b3dm"))
    tools("analyze", "-i", content, "-o", tmp_path / "out", "-f")
    found = [json.loads(path.read_bytes()) for path in (tmp_path / "out").glob("*.glb.json")]
    assert any(document.get("asset", {}).get("version") == "2.0" for document in found)
