"""The output folder: whole or not at all."""

from __future__ import annotations

import errno
import multiprocessing
import os

import pytest

from cimkit.errors import StoreError
from cimkit.write import store
from cimkit.write.store import Staging


def make_city(out, content=b"one", **options):
    with Staging(out, **options) as staging:
        staging.write("tiles/a.glb", content)
        staging.write("manifest.json", b"{}")
        staging.commit()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_city_appears_and_nothing_else_is_left(tmp_path):
    make_city(tmp_path / "city")
    assert names(tmp_path) == ["city"]
    assert (tmp_path / "city" / "tiles" / "a.glb").read_bytes() == b"one"


def half_a_city(out):
    with Staging(out, overwrite=True) as staging:
        staging.write("tiles/a.glb", b"half")
        raise ZeroDivisionError


def test_an_error_leaves_the_old_city_and_no_scraps(tmp_path):
    make_city(tmp_path / "city")
    with pytest.raises(ZeroDivisionError):
        half_a_city(tmp_path / "city")
    assert names(tmp_path) == ["city"]
    assert (tmp_path / "city" / "tiles" / "a.glb").read_bytes() == b"one"


@pytest.mark.parametrize("exchange", [True, False])
def test_overwrite_replaces_the_whole(tmp_path, monkeypatch, exchange):
    make_city(tmp_path / "city")
    (tmp_path / "city" / "stale.txt").write_text("old")
    if not exchange:
        monkeypatch.setattr(store, "_exchange", lambda one, other: False)
    make_city(tmp_path / "city", b"two", overwrite=True)
    assert names(tmp_path) == ["city"]
    assert names(tmp_path / "city") == ["manifest.json", "tiles"]
    assert (tmp_path / "city" / "tiles" / "a.glb").read_bytes() == b"two"


def test_an_existing_city_is_kept_without_overwrite(tmp_path):
    make_city(tmp_path / "city")
    with pytest.raises(StoreError, match="--overwrite"):
        make_city(tmp_path / "city", b"two")
    assert (tmp_path / "city" / "tiles" / "a.glb").read_bytes() == b"one"


def test_a_folder_that_is_no_city_is_never_replaced(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("years of work")
    with pytest.raises(StoreError, match="is not a city"):
        make_city(tmp_path / "home", overwrite=True)
    assert names(tmp_path / "home") == ["thesis.txt"]


def test_an_empty_folder_becomes_a_city(tmp_path):
    (tmp_path / "city").mkdir()
    make_city(tmp_path / "city")
    assert "manifest.json" in names(tmp_path / "city")


def _hold(out, ready, leave):
    with Staging(out):
        ready.set()
        leave.wait(30)


def test_two_builds_cannot_write_one_city(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    ready, leave = spawn.Event(), spawn.Event()
    other = spawn.Process(target=_hold, args=(tmp_path / "city", ready, leave))
    other.start()
    try:
        assert ready.wait(60)
        with pytest.raises(StoreError, match="another build"):
            make_city(tmp_path / "city")
    finally:
        leave.set()
        other.join(30)
    make_city(tmp_path / "city")


def test_the_scraps_of_a_killed_build_do_not_get_into_the_next(tmp_path):
    for scrap in (".city.staging", ".city.work"):
        (tmp_path / scrap).mkdir()
        (tmp_path / scrap / "half.bin").write_bytes(b"x")
    make_city(tmp_path / "city")
    assert names(tmp_path) == ["city"]
    assert names(tmp_path / "city") == ["manifest.json", "tiles"]


def test_a_death_between_two_renames_is_mended_by_the_next_start(tmp_path):
    make_city(tmp_path / "city")
    (tmp_path / "city").rename(tmp_path / ".city.old")
    with pytest.raises(StoreError, match="--overwrite"):
        make_city(tmp_path / "city", b"two")
    assert names(tmp_path) == ["city"]
    assert (tmp_path / "city" / "tiles" / "a.glb").read_bytes() == b"one"


def test_a_full_disk_says_so_and_spares_the_old(tmp_path):
    make_city(tmp_path / "city")
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/disk/file")
    with (
        pytest.raises(StoreError, match="No space left"),
        Staging(tmp_path / "city", overwrite=True),
    ):
        raise full
    assert (tmp_path / "city" / "tiles" / "a.glb").read_bytes() == b"one"


def test_sums_name_every_file(tmp_path):
    with Staging(tmp_path / "city") as staging:
        staging.write("b/c.txt", b"abc")
        sums = staging.sums()
    sha = (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, "abc"
    )
    assert sums == {"b/c.txt": {"bytes": 3, "sha256": sha}}
