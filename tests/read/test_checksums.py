"""A list of fingerprints finds every damage (P6)."""

from __future__ import annotations

import shutil
import subprocess

import pytest

import cimkit
from cimkit.errors import FormatError
from cimkit.inputs import read_inputs
from cimkit.read.checksums import check_sums
from tests.hostile import clouds


@pytest.fixture
def delivery(tmp_path):
    """Two clouds and the list that came with them, written by the tool itself."""
    if shutil.which("sha256sum") is None:
        pytest.skip("no sha256sum on this machine")
    (tmp_path / "tiles").mkdir()
    files = [tmp_path / "tiles" / "a.laz", tmp_path / "b\\ 东.las"]
    for file in files:
        file.write_bytes(clouds.sound(file.suffix[1:], n=500))
    names = [str(file.relative_to(tmp_path)) for file in files]
    said = subprocess.run(["sha256sum", *names], cwd=tmp_path, capture_output=True, check=True)
    (tmp_path / "sums").write_bytes(said.stdout)
    return tmp_path / "sums", files


def test_sound_files_pass(delivery):
    sums, files = delivery
    check_sums(sums, files)
    text = sums.read_text(encoding="utf-8")
    sums.write_text("\n" + text.upper().replace("TILES/A.LAZ", "tiles/a.laz"), encoding="utf-8")
    check_sums(sums, files[:1])


def test_every_damage_is_found(delivery):
    sums, files = delivery
    for file in files:
        data = file.read_bytes()
        for flip in clouds.flips(data, 60, seed=3):
            file.write_bytes(flip.spoil(data))
            with pytest.raises(FormatError, match="its bytes are not those of sums"):
                check_sums(sums, files)
        file.write_bytes(data)


def test_what_is_not_listed_is_not_believed(delivery, tmp_path):
    sums, files = delivery
    other = shutil.copy(files[0], tmp_path / "c.laz")
    with pytest.raises(FormatError, match=r"says nothing about .*c[.]laz"):
        check_sums(sums, [*files, other])
    sums.write_text("d41d8cd98f00b204e9800998ecf8427e  a.laz\n")
    with pytest.raises(FormatError, match="line 1: is no list of SHA-256"):
        check_sums(sums, files)
    with pytest.raises(FormatError, match="cannot be read"):
        check_sums(tmp_path / "absent", files)


def test_a_build_asks_before_it_reads(delivery, tmp_path):
    sums, files = delivery
    sample = cimkit.make_sample(tmp_path / "sample", buildings=4, seed=1)
    job = cimkit.Job(
        footprints=str(sample.footprints),
        crs="EPSG:4546+5737",
        points=(str(files[0]),),
        sha256sums=str(sums),
    )
    files[0].write_bytes(files[0].read_bytes()[:-1])
    with pytest.raises(FormatError, match="its bytes are not those of sums"):
        read_inputs(job)
