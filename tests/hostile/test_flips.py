"""Bytes written over at random (P5): each damage is refused, harmless, or counted.

LAS and LAZ hold no checksum. What the checks of `cimkit.read` cannot see stays possible, so its
share is measured: at most 1 % of damages to LAZ may change a point without a word. In LAS every
coordinate lies bare; only `sha256sums` helps there, and the share is printed.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import pytest

from tests.hostile import clouds
from tests.hostile.decoder import Decoder

SILENT_MAX = 0.01


class Kind(NamedTuple):
    """A sort of cloud file."""

    suffix: str
    version: str
    point_format: int


KINDS = [
    Kind("laz", "1.4", 6),
    Kind("laz", "1.2", 1),
    Kind("laz", "1.4", 7),
    Kind("las", "1.4", 6),
]
"""Formats from 6 on are packed in layers, those before point by point."""


def damage(tmp_path, say, kind: Kind, n: int, seed: int) -> Counter[str]:
    """What becomes of `n` damaged copies of a sound file."""
    data = clouds.sound(kind.suffix, version=kind.version, point_format=kind.point_format)
    sound, spoilt = tmp_path / f"sound.{kind.suffix}", tmp_path / f"spoilt.{kind.suffix}"
    sound.write_bytes(data)
    found: Counter[str] = Counter()
    with Decoder(sound) as decoder:
        assert decoder.read(sound) == "same"
        for flip in clouds.flips(data, n, seed):
            spoilt.write_bytes(flip.spoil(data))
            answer = decoder.read(spoilt)
            found[answer] += 1
            if answer.split()[0] in ("wrong", "read", "other", "died", "hangs"):
                say(f"{kind} {flip.part} byte {flip.at} {flip.new.hex()}: {answer}")
    say(f"{kind}, seed {seed}: {dict(sorted(found.items()))}")
    return found


def check(say, found: dict[Kind, Counter[str]]) -> None:
    """No hang, no strange exception, and few damages of LAZ that nobody notices."""
    every = sum(found.values(), Counter[str]())
    packed = sum(
        (counts for kind, counts in found.items() if kind.suffix == "laz"), Counter[str]()
    )
    share = packed["wrong"] / packed.total()
    say(
        f"all {every.total():,}: {dict(sorted(every.items()))}; "
        f"silently wrong in LAZ: {share:.2%}"
    )
    assert not [answer for answer in every if answer.startswith(("hangs", "other", "read"))]
    assert {answer.split()[1] for answer in every if answer.startswith("refused")} <= {
        "FormatError",
        "CrsError",
    }
    assert (
        sum(n for answer, n in every.items() if answer.startswith("died"))
        <= every.total() / 1000
    )
    assert share <= SILENT_MAX


def test_two_hundred_damages(tmp_path, say):
    check(say, {kind: damage(tmp_path, say, kind, 51, seed=5) for kind in KINDS})


@pytest.mark.slow
def test_ten_thousand_damages(tmp_path, say):
    check(say, {kind: damage(tmp_path, say, kind, 2_500, seed=2026) for kind in KINDS})


@pytest.mark.slow
@pytest.mark.parametrize(
    "file", ["delft_centre/ahn3_cropped_2.laz", "misc_las/delft_ahn4_small.laz"]
)
def test_damages_of_real_clouds(tmp_path, say, real_data, file):
    """Only that none hangs or brings down more than its child: the CRS is another one."""
    data = (real_data / file).read_bytes()
    sound, spoilt, found = tmp_path / "sound.laz", tmp_path / "spoilt.laz", Counter[str]()
    sound.write_bytes(data)
    with Decoder(sound, crs="") as decoder:
        assert decoder.read(sound) == "same"
        for flip in clouds.flips(data, 300, seed=7):
            spoilt.write_bytes(flip.spoil(data))
            found[decoder.read(spoilt)] += 1
    check(say, {Kind("laz", "", 0): found})
