"""The check of the ground as tiles, and what it finds."""

from __future__ import annotations

import json

import pytest

from cimkit.check.tileset import check_tileset, tileset_report
from cimkit.errors import FormatError
from cimkit.read.tileset import read_tileset
from tests.write.test_terrain_tiles import ground, walk, written


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return written(tmp_path_factory.mktemp("ground"), ground(), meshopt=False)[1]


def changed(sound, folder, change):
    """Codes that are found when the document is changed."""
    document = json.loads((sound / "tileset.json").read_bytes())
    change(document["root"], document)
    for file in sound.glob("*.glb"):
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "tileset.json").write_text(json.dumps(document))
    return {issue.code for issue in check_tileset(read_tileset(folder))}


@pytest.mark.parametrize("meshopt", [False, True])
def test_sound_ground(tmp_path, meshopt):
    n, folder = written(tmp_path, ground(), meshopt=meshopt)
    contents = read_tileset(folder)
    issues = check_tileset(contents)
    assert issues == []
    report = tileset_report(contents, issues)
    assert (report["tiles"], report["contents"], report["valid"]) == (n, n, True)


def rise(root, _):
    root["children"][0]["geometricError"] = root["geometricError"]


def shrink(root, _):
    last = [tile for tile, _ in walk(root)][-1]
    last["boundingVolume"]["box"][11] /= 100


def lose(root, _):
    root["children"][0]["content"]["uri"] = "0" * 16 + ".glb"


def leave(root, _):
    del root["children"][0]["content"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (rise, "TILE_ERROR_NOT_SHRINKING"),
        (shrink, "TILE_CONTENT_OUTSIDE_BOX"),
        (lose, "TILE_CONTENT_MISSING"),
        (leave, "TILE_CONTENT_MISSING"),
    ],
)
def test_damages_are_named(sound, tmp_path, change, code):
    assert code in changed(sound, tmp_path, change)


def test_a_tile_that_was_changed(sound, tmp_path):
    for file in sound.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    one = sorted(tmp_path.glob("*.glb"))[0]
    data = bytearray(one.read_bytes())
    data[-5] ^= 1
    one.write_bytes(data)
    (issue,) = check_tileset(read_tileset(tmp_path))
    assert (issue.code, issue.id) == ("TILE_CONTENT_BROKEN", one.name)


def test_ground_that_does_not_say_so(sound, tmp_path):
    """It is judged as buildings, and has none."""

    def forget(_, document):
        del document["extras"]

    assert "TILE_CONTENT_BROKEN" in changed(sound, tmp_path, forget)


def test_points_are_refused(sound, tmp_path):
    def say(_, document):
        document["extras"] = {"content": "points"}

    with pytest.raises(
        FormatError, match="a tileset of points, of which cimkit checks nothing"
    ):
        changed(sound, tmp_path, say)
