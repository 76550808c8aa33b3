"""Clouds that lie (P1-P4, P7, P9): what `expect.toml` says becomes of each file."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.hostile import clouds
from tests.hostile.decoder import Decoder

EXPECTED: dict[str, str] = tomllib.loads(
    (Path(__file__).parent / "expect.toml").read_text(encoding="utf-8")
)["clouds"]


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    sound = tmp_path_factory.mktemp("sound") / "sound.laz"
    sound.write_bytes(clouds.sound())
    with Decoder(sound) as decoder:
        yield decoder
        assert decoder.starts == 1, "a file brought its reader down"


def test_every_file_is_expected():
    assert sorted(EXPECTED) == sorted(clouds.corpus())


@pytest.mark.parametrize("name", EXPECTED)
def test_cloud(decoder, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(clouds.corpus()[name])
    assert decoder.read(path) == EXPECTED[name]


@pytest.mark.parametrize("kind", [("laz", "1.4", 6), ("laz", "1.2", 1), ("las", "1.4", 6)])
def test_a_cut_file_is_refused_wherever_it_is_cut(decoder, tmp_path, kind):
    suffix, version, point_format = kind
    data = clouds.sound(suffix, version=version, point_format=point_format)
    path, kept = tmp_path / f"cut.{suffix}", {}
    for size in clouds.cuts(data):
        path.write_bytes(data[:size])
        kept[size] = decoder.read(path)
    assert {
        size: a for size, a in kept.items() if not a.startswith("refused FormatError")
    } == {}
