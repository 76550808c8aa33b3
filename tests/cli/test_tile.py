from __future__ import annotations

import json

import pytest


def test_models_of_a_city_become_tiles_that_pass(run, built, tmp_path) -> None:
    out = tmp_path / "tiles"
    crs = ("--crs", "EPSG:4546+5737", "--undulation", "-15.2")
    said = run("tile", built / "models.city.jsonl", out, *crs)
    assert said.code == 0
    assert said.out.startswith(f"{out}: buildings 12, tiles 1\n")
    for what in (out, out / "tileset.json"):
        said = run("check", what)
        assert (said.code, said.err) == (0, "")
        assert said.out.endswith(f"{what}: 0 errors, 0 other findings\n")
    assert run("tile", built / "models.city.jsonl", out, *crs).code == 4
    again = run("tile", built / "models.city.jsonl", out, *crs, "--overwrite", "--json")
    report = json.loads(again.out)
    assert (report["buildings"], report["new"]) == (12, 0)
    assert report["kept"] >= 3


def test_an_unknown_datum_is_an_error(run, built, tmp_path) -> None:
    said = run("tile", built / "models.city.jsonl", tmp_path / "t", "--crs", "EPSG:4546")
    assert said.code == 1
    assert "VERTICAL_DATUM_UNRESOLVED" in said.out


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--undulation", "1", "--ellipsoidal"), "exclude each other"),
        (("--compression", "zip"), "auto, meshopt or none"),
        (("--tiles-version", "1.0", "--implicit"), "no implicit tiling"),
        (("--tile-properties", "nothing"), "no column 'nothing'"),
    ],
)
def test_flags_that_cannot_be(run, built, tmp_path, flags, words) -> None:
    said = run(
        "tile", built / "models.city.jsonl", tmp_path / "t", "--crs", "EPSG:4546", *flags
    )
    assert said.code == 2
    assert words in said.err
    assert not (tmp_path / "t").exists()
